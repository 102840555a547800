/* Bringing up CPUs one after the other. */
#include "kernel/cpus.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/barrier.h"
#include "arch/x86_64/ibrs.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/virt.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/host_cpu.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/space.h"
#include "kernel/thread.h"

#define START_TIMEOUT_US 3000000 /* only a CPU that never comes costs it; emulated ones on a busy host are late */

static struct host_cpu boot_cpu;
static u8 boot_stack[CPU_STACK_SIZE] __attribute__((aligned(CPU_STACK_SIZE)));

static struct topology topology; /* as the boot CPU tells it: enough to know siblings before they run */

static enum host_smt smt;

static struct host_cpu *boot_list[1] = { &boot_cpu };

void cpus_init_boot(const struct boot_info *info)
{
	cpu_init_traps();
	boot_cpu.arch.apic_id = info->cpus[0].apic_id;
	boot_cpu.arch.stack_top = (u64)(boot_stack + sizeof(boot_stack));
	cpu_init(&boot_cpu.arch);
	sched_init(&boot_cpu);
	topology_read(cpuid, &topology);
	boot_cpu.place = topology_place(&topology, info->cpus[0].apic_id, info->cpus[0].node);
	host_cpus = boot_list;
	host_cpu_count = 1;
}

/* The other CPU's first C function, on its own stack. */
static void arrive(void *argument)
{
	struct host_cpu *cpu = argument;
	struct topology own;

	cpu_init(&cpu->arch);
	topology_read(cpuid, &own);
	cpu->place = topology_place(&own, cpu->arch.apic_id, cpu->place.node);
	ibrs_enable();
	sched_init(cpu);
	apic_enable(&cpu->apic_timer);
	if (virt->cpu_enable())
		panic("CPU %u: %s cannot be enabled", cpu->arch.index, virt->name);
	sched_loop(NULL);
}

static struct host_cpu *make(u32 index, const struct boot_cpu *boot)
{
	struct host_cpu *cpu = heap_alloc(sizeof(*cpu));
	void *stack = heap_alloc(CPU_STACK_SIZE);

	if (!cpu || !stack)
		return NULL;
	cpu->arch.index = index;
	cpu->arch.apic_id = boot->apic_id;
	cpu->place = topology_place(&topology, boot->apic_id, boot->node);
	cpu->arch.stack_top = (u64)stack + CPU_STACK_SIZE;
	return cpu;
}

static struct host_cpu *sibling_of(const struct host_cpu *cpu, u32 core)
{
	for (u32 i = 0; i < host_cpu_count; i++)
		if (host_cpus[i] != cpu && host_cpus[i]->place.core == core)
			return host_cpus[i];
	return NULL;
}

/* Makes cpu one of its core's hardware threads, in a round. */
static void join_core(struct host_cpu *cpu)
{
	struct host_cpu *other = sibling_of(cpu, cpu->place.core);

	if (!other)
		return;
	if (smt == SMT_CORE)
		cpu->core = other->core = other->core ? other->core : &other->own_core;
	cpu->sibling = other->sibling ? other->sibling : other;
	__atomic_store_n(&other->sibling, cpu, __ATOMIC_RELEASE);
}

static void tell_tsc(const struct host_cpu *cpu)
{
	const struct tsc_sync *tsc = &cpu->tsc;

	if (tsc->left.cycles == tsc->found.cycles && tsc->left.error == tsc->found.error)
		return;
	log_warn("CPU %u: its TSC was %ld ns off; now %ld ns, within %lu", cpu->arch.index,
		 (long)clock_difference_ns(tsc->found.cycles), (long)clock_difference_ns(tsc->left.cycles),
		 (unsigned long)clock_duration_ns(tsc->left.error));
}

static void leave_out(const struct host_cpu *cpu, u32 apic_id, int error)
{
	if (error == ERR_UNSUPPORTED)
		log_error("CPU with APIC ID %u: its TSC stays %ld ns off; it is left out", apic_id,
			  (long)clock_difference_ns(cpu->tsc.left.cycles));
	else
		log_error("CPU with APIC ID %u does not start; it is left out", apic_id);
}

static void start(const struct boot_info *info, const struct boot_cpu *boot)
{
	struct host_cpu *cpu = make(host_cpu_count, boot);
	u32 apic_id = boot->apic_id;
	int error;

	if (!cpu) {
		log_error("CPU with APIC ID %u: no memory for it", apic_id);
		return;
	}
	/* It may schedule as soon as it runs, so it must be in the list. */
	host_cpus[host_cpu_count] = cpu;
	__atomic_store_n(&host_cpu_count, host_cpu_count + 1, __ATOMIC_RELEASE);
	error = smp_start(apic_id, info->trampoline, space_kernel_root(), (void *)cpu->arch.stack_top, arrive, cpu,
			  START_TIMEOUT_US, &cpu->tsc);
	if (error) {
		host_cpu_count--;
		leave_out(cpu, apic_id, error);
		return;
	}
	join_core(cpu);
	tell_tsc(cpu);
}

void cpus_start(const struct boot_info *info)
{
	u32 limit = info->options.max_cpus ? MIN(info->options.max_cpus, info->cpu_count) : info->cpu_count;

	smt = info->options.smt;
	if (smt == SMT_AUTO)
		smt = barrier_between_threads() ? SMT_CORE : SMT_ON;
	if (limit < 2)
		return;
	host_cpus = heap_alloc(limit * sizeof(host_cpus[0]));
	if (!host_cpus || !info->trampoline || space_set_exec(info->trampoline, PAGE_SIZE, true)) {
		host_cpus = boot_list;
		log_error("the other CPUs cannot be started: no memory");
		return;
	}
	host_cpus[0] = &boot_cpu;
	for (u32 i = 1; i < info->cpu_count && host_cpu_count < limit; i++)
		if (smt != SMT_OFF || !sibling_of(NULL, topology_place(&topology, info->cpus[i].apic_id, 0).core))
			start(info, &info->cpus[i]);
	(void)!space_set_exec(info->trampoline, PAGE_SIZE, false);
}

enum host_smt cpus_smt(void)
{
	if (smt == SMT_OFF)
		return topology.core ? SMT_OFF : SMT_AUTO;
	for (u32 i = 0; i < host_cpu_count; i++)
		if (host_cpus[i]->sibling)
			return smt;
	return SMT_AUTO;
}
