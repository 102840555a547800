/* What the monitor is told of the host. */
#include "kernel/host_info.h"

#include "arch/x86_64/barrier.h"
#include "arch/x86_64/ibrs.h"
#include "arch/x86_64/virt.h"
#include "build/version.h"
#include "kernel/clock.h"
#include "kernel/collapse.h"
#include "kernel/cpus.h"
#include "kernel/file.h"
#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"
#include "kernel/guest.h"
#include "kernel/host_cpu.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"

_Static_assert(HOST_NODES == FRAME_NODES, "a pool each");

const char *const quire_version = QUIRE_VERSION;

static u64 moments[BOOT_MOMENTS];
static u64 firmware_cycles;
static char virt_features[128];

void host_info_mark(enum boot_moment moment)
{
	moments[moment] = rdtsc();
}

void host_info_init(const struct boot_info *info, const char *features)
{
	moments[BOOT_START] = info->tsc_start;
	moments[BOOT_LEFT_FIRMWARE] = info->tsc_exit;
	firmware_cycles = info->tsc_firmware;
	str_copy(virt_features, sizeof(virt_features), features);
}

static void brand(char *to)
{
	if (cpuid(0x80000000, 0).eax < 0x80000004)
		return;
	for (u32 i = 0; i < 3; i++) {
		struct cpuid part = cpuid(0x80000002 + i, 0);

		memcpy(to + i * sizeof(part), &part, sizeof(part));
	}
}

static void fill_memory(struct host_info *info)
{
	info->memory_total = frame_total() * PAGE_SIZE;
	info->memory_free = frame_count(FRAME_FREE) * PAGE_SIZE;
	for (u32 n = 0; n < HOST_NODES; n++)
		info->node_free[n] = frame_free_near(n) * PAGE_SIZE;
	info->memory_files = file_bytes();
	info->memory_processes = frame_count(FRAME_PROCESS) * PAGE_SIZE;
	info->memory_guests = (frame_count(FRAME_GUEST) + frame_count(FRAME_MERGED) + frame_count(FRAME_COMPRESSED)) *
		PAGE_SIZE;
	for (u32 id = 0; (id = guest_next(id));)
		info->memory_guests += guest_overhead(guest_find(id));
	info->memory_kernel = info->memory_total - info->memory_free - info->memory_files -
		MIN(info->memory_guests, info->memory_total - info->memory_free - info->memory_files);
}

static void fill_large(struct host_info *info)
{
	const struct collapse_counts *c = &collapse_counts;

	str_copy(info->large_pages, sizeof(info->large_pages), collapse_state());
	info->memory_large = gmem_totals.large * table_span(1);
	info->large_made = c->copied + c->in_place;
	info->large_in_place = c->in_place;
	info->large_abandoned = c->abandoned;
	info->large_split = gmem_totals.splits;
	info->large_ns = clock_duration_ns(c->cycles);
}

static u64 moment_ns(enum boot_moment m)
{
	return clock_duration_ns(moments[m] - moments[BOOT_START]);
}

void host_info_fill(struct host_info *info)
{
	str_copy(info->version, sizeof(info->version), quire_version);
	brand(info->processor);
	str_copy(info->backend, sizeof(info->backend), virt->name);
	str_copy(info->features, sizeof(info->features), virt_features);
	str_copy(info->barriers, sizeof(info->barriers), barrier_names());
	str_copy(info->branches, sizeof(info->branches), ibrs_name());
	info->cpu_count = host_cpu_count;
	info->tsc_hz = clock_hz();
	info->clock_ns = clock_ns();
	fill_memory(info);
	fill_large(info);
	info->boot_firmware_ns = clock_duration_ns(firmware_cycles);
	info->boot_exit_ns = moment_ns(BOOT_LEFT_FIRMWARE);
	info->boot_cpus_ns = moment_ns(BOOT_CPUS_UP);
	info->boot_monitor_ns = moment_ns(BOOT_MONITOR);
	info->log_level = log_console_level;
	info->smt = cpus_smt();
}

void host_info_cpu(u32 index, struct cpu_info *info)
{
	const struct host_cpu *cpu = host_cpus[index];
	u64 all = rdtsc() - cpu->started_at;

	info->apic_id = cpu->arch.apic_id;
	info->core = cpu->place.core;
	info->cache = cpu->place.cache;
	info->package = cpu->place.package;
	info->node = cpu->place.node;
	info->guest = cpu->dedicated;
	info->idle_ns = clock_duration_ns(cpu->idle_cycles);
	info->busy_ns = clock_duration_ns(all - MIN(all, cpu->idle_cycles));
	info->switches = cpu->switches;
	info->interrupts = cpu->interrupts;
	info->ready = cpu->queue.count;
	info->tsc_ns = clock_difference_ns(cpu->tsc.left.cycles);
	info->tsc_error_ns = clock_duration_ns(cpu->tsc.left.error);
}
