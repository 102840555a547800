/* Quire's boot, from the firmware's last word to the first thread, in the order in which it happens.  The
 * only file that knows both the kernel and the drivers above it: it hands the latter's calls down. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/barrier.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/ibrs.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/tsc.h"
#include "arch/x86_64/virt.h"
#include "drivers/console.h"
#include "drivers/ioapic.h"
#include "drivers/power.h"
#include "drivers/uart.h"
#include "kernel/boot_info.h"
#include "kernel/clock.h"
#include "kernel/collapse.h"
#include "kernel/compress.h"
#include "kernel/cpuid.h"
#include "kernel/cpus.h"
#include "kernel/file.h"
#include "kernel/frame.h"
#include "kernel/guest.h"
#include "kernel/host_cpu.h"
#include "kernel/host_info.h"
#include "kernel/interrupt.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/memory.h"
#include "kernel/merge.h"
#include "kernel/monitor.h"
#include "kernel/panic.h"
#include "kernel/program.h"
#include "kernel/thread.h"

#define UART_POLL_NS 20000000ull
#define UART_LOOK_NS 100000000ull

static struct timer uart_timer;

static void power(enum host_power what)
{
	if (what == POWER_OFF)
		power_off();
	power_reboot();
}

static const struct host_console console = { .write = console_write, .read = console_read, .log = console_log,
					      .power = power };

static void uart_event(u32 events)
{
	if (events & UART_INPUT)
		monitor_console_input();
	if (events & UART_ROOM)
		monitor_console_room();
}

static void start_console(const struct boot_info *info)
{
	char text[64];

	log_console_level = info->options.log_level;
	log_sink = console_log;
	log_notify = sched_log_changed;
	console_init(info);
	power_init(info);
	host_console = &console;
	panic_hooks = (struct panic_hooks){ .begin = console_panic, .write = console_panic_write,
					    .read = console_panic_read, .reboot = power_panic_reboot };
	panic_reboot_s = info->options.panic_reboot_s;
	console_describe(text, sizeof(text));
	log_info("Quire %s, image at %lx, console: %s", quire_version, (unsigned long)info->image_base, text);
}

static void start_clock(const struct boot_info *info)
{
	struct tsc_rates rates;

	if (apic_init(info->options.x2apic))
		panic("the processor has no local APIC");
	apic_enable(&host_cpu()->apic_timer);
	if (tsc_calibrate(info->hpet, info->pm_timer_port, &rates))
		panic("nothing tells the TSC's frequency");
	clock_init(info->tsc_exit, rates.tsc_hz, info->wall_clock);
	sched_start();
	log_info("%s; TSC %lu kHz against %s", apic_describe(), (unsigned long)(rates.tsc_hz / 1000), rates.against);
}

static void uart_tick(struct timer *t)
{
	timer_arm(t, rdtsc() + clock_cycles(uart_poll() ? UART_POLL_NS : UART_LOOK_NS));
}

/* The serial line interrupts; until that is proven, and where it cannot, it is polled.  Afterwards too, now and
 * then: Bochs loses an edge between our look at IIR and the next character, and nothing would come again. */
static void start_serial_input(const struct boot_info *info)
{
	int irq = uart_irq();

	if (!uart_present())
		return;
	uart_notify = uart_event;
	interrupt_uart = uart_interrupt;
	if (!ioapic_init(info->ioapic ? info->ioapic : IOAPIC_DEFAULT) && irq >= 0 &&
	    !ioapic_route(info->irq_gsi[irq], VECTOR_UART, apic_id(), info->irq_level[irq], info->irq_low[irq]))
		uart_enable_interrupts();
	uart_timer.expired = uart_tick;
	timer_arm(&uart_timer, rdtsc() + clock_cycles(UART_POLL_NS));
}

static void start_virtualization(const struct boot_info *info)
{
	char missing[96], features[128];

	fpu_detect();
	if (virt_probe(&info->options.virt, missing, sizeof(missing), features, sizeof(features)))
		panic("%s", missing); /* boot/check.c has looked before */
	if (virt->cpu_enable())
		panic("%s cannot be enabled", virt->name);
	cpuid_init(cpuid, fpu_xcr0());
	barrier_init(info->options.mitigations);
	ibrs_init(info->options.mitigations);
	ibrs_enable();
	host_info_init(info, features);
	log_info("%s: %s", virt->name, features);
	log_info("forgotten between guests: %s; ring 0's branches: %s", barrier_names(), ibrs_name());
}

/* What boot/ had to complain about, for dmesg. */
static void log_load_messages(const struct boot_info *info)
{
	const char *line = info->load_messages;

	while (*line) {
		const char *end = line;

		while (*end && *end != '\n')
			end++;
		log_write(LOG_ERROR, line, (size_t)(end - line));
		line = *end ? end + 1 : end;
	}
}

static int start_merging(const struct boot_info *info)
{
	u64 seed;

	memcpy(&seed, info->entropy, sizeof(seed));
	return merge_init(seed) ? ERR_NOMEM : merge_start();
}

static void start(void *argument)
{
	const struct boot_info *info = argument;

	start_console(info);
	start_clock(info);
	log_load_messages(info);
	file_init(info);
	start_virtualization(info);
	cpus_start(info);
	host_info_mark(BOOT_CPUS_UP);
	log_info("%u CPUs, %lu MiB of memory, %lu MiB free", host_cpu_count,
		 (unsigned long)(frame_total() * PAGE_SIZE / MIB),
		 (unsigned long)(frame_count(FRAME_FREE) * PAGE_SIZE / MIB));
	start_serial_input(info);
	ledger_start(info->options.memory_reserve, info->options.overcommit);
	if (program_init() || guest_start_reaper() || compress_start() || pressure_start() || start_merging(info) ||
	    collapse_start(info->options.large_pages) || monitor_start())
		panic("no memory to start the monitor");
	host_info_mark(BOOT_MONITOR);
	sched_loop(NULL);
}

_Noreturn void kernel_main(struct boot_info *info)
{
	wrmsr(MSR_GS_BASE, 0);
	cpus_init_boot(info);
	if (memory_take_over(info))
		panic("no memory for the frame table");
	cpu_switch_stack(host_cpu()->arch.stack_top, start, info);
}
