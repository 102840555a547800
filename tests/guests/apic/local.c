/* The local APIC alone: registers, self IPI, priorities by TPR and CR8, pending bits, NMI. */
#include "tests/guests/apic/apic.h"

#define MOVED 0xfed80000u

static volatile u32 nmi_count;

static void on_nmi(struct frame *frame)
{
	nmi_count++;
}

void send_self(u32 vector)
{
	if (x2apic)
		wrmsr(0x83f, vector);
	else
		lapic_ipi(0, 0x40000 | vector);
}

static void open_window(void)
{
	interrupts_on();
	asm volatile("nop; nop");
	interrupts_off();
}

static bool pending(u32 vector)
{
	return lapic_read(APIC_IRR + vector / 32 * 16) >> (vector % 32) & 1;
}

static void test_self(const char *mode)
{
	vectors_clear();
	for (u32 i = 0; i < 100; i++) {
		send_self(VECTOR(1));
		open_window();
	}
	check_equal(counts[1], 100, named(mode, "100 self IPIs"));
	vectors_clear();
	send_self(VECTOR(2));
	check(pending(VECTOR(2)), named(mode, "IRR shows a pending vector"));
	check_equal(counts[2], 0, named(mode, "nothing comes with interrupts off"));
	open_window();
	check_equal(counts[2], 1, named(mode, "it comes with STI"));
	check(!pending(VECTOR(2)), named(mode, "IRR is clear after it"));
	check_equal(lapic_read(APIC_ISR + 0x20), 0, named(mode, "ISR is clear after EOI"));
}

static void test_priority(const char *mode)
{
	vectors_clear();
	send_self(0x41);
	send_self(0x4f);
	open_window();
	check(order[0] == 15 && order[1] == 1, named(mode, "the higher vector comes first"));
	vectors_clear();
	lapic_write(APIC_TPR, 0x40);
	send_self(VECTOR(3));
	open_window();
	check_equal(counts[3], 0, named(mode, "TPR holds its class back"));
	check_equal(lapic_read(APIC_PPR) & 0xf0, 0x40, named(mode, "PPR"));
	lapic_write(APIC_TPR, 0x30);
	open_window();
	check_equal(counts[3], 1, named(mode, "a lower TPR lets it through"));
	WRITE_REG(cr8, 5);
	send_self(VECTOR(4));
	open_window();
	check_equal(counts[4], 0, named(mode, "CR8 holds it back"));
	interrupts_on();
	WRITE_REG(cr8, 0);
	asm volatile("nop");
	interrupts_off();
	check_equal(counts[4], 1, named(mode, "CR8 = 0 lets it through"));
}

static void test_registers(const char *mode)
{
	check((lapic_read(APIC_VERSION) & 0xf0) == 0x10, named(mode, "version"));
	check_equal(lapic_id(), 0, named(mode, "id of the first processor"));
	lapic_write(APIC_LVT_ERROR, 0x10045);
	check_equal(lapic_read(APIC_LVT_ERROR), 0x10045, named(mode, "LVT keeps its value"));
	lapic_write(APIC_LVT_ERROR, 0x10000);
	if (x2apic)
		check_equal(lapic_read(APIC_LDR), 1, named(mode, "LDR follows from the id"));
	else {
		lapic_write(APIC_LDR, 0x01000000);
		check_equal(lapic_read(APIC_LDR), 0x01000000, named(mode, "LDR"));
		check_equal(lapic_read(APIC_DFR), 0xffffffff, named(mode, "DFR"));
	}
	vectors_clear();
	lapic_ipi(1, 0x800 | VECTOR(5));
	open_window();
	check_equal(counts[5], 1, named(mode, "IPI by logical destination"));
}

static void test_nmi(const char *mode)
{
	trap_set(2, on_nmi);
	nmi_count = 0;
	lapic_ipi(lapic_id(), 0x400); /* to itself, with interrupts off */
	for (u32 i = 0; i < 1000 && !nmi_count; i++)
		relax();
	check_equal(nmi_count, 1, named(mode, "NMI"));
	lapic_ipi(lapic_id(), 0x400);
	for (u32 i = 0; i < 1000 && nmi_count < 2; i++)
		relax();
	check_equal(nmi_count, 2, named(mode, "another NMI after IRET"));
}

/* Last in xAPIC mode: what a hypervisor had mapped at the old place is gone from now on. */
void test_moved(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	vectors_install();
	wrmsr(MSR_APIC_BASE, MOVED | (base & 0xfff));
	check_equal(mmio_read(MOVED + APIC_VERSION) & 0xf0, 0x10, "moved: version");
	check_equal(mmio_read(LAPIC + APIC_VERSION), ~0u, "moved: nothing is at the old place");
	mmio_write(LAPIC + APIC_TPR, 0x20);
	mmio_write(MOVED + APIC_TPR, 0x10);
	check_equal(mmio_read(LAPIC + APIC_TPR), ~0u, "moved: the old place keeps nothing");
	mmio_write(MOVED + APIC_TPR, 0);
	mmio_write(MOVED + APIC_ICR, 0x40000 | VECTOR(6));
	check_equal(mmio_read(MOVED + APIC_IRR + VECTOR(6) / 32 * 16), 1u << VECTOR(6) % 32, "moved: self IPI pends");
	wrmsr(MSR_APIC_BASE, base);
	open_window(); /* not before: handlers end interrupts at the usual place */
	check_equal(counts[6], 1, "moved: it comes when the APIC is back");
}

void test_local(const char *mode)
{
	test_registers(mode);
	test_self(mode);
	test_priority(mode);
	test_nmi(mode);
}
