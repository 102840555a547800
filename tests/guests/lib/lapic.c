/* The local APIC in both of its modes, and the IOAPIC's window. */
#include "tests/guests/lib/guest.h"

bool x2apic;

void lapic_enable(bool x2)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	/* from x2APIC to xAPIC only through disabled: SDM 3A §11.12.5 */
	if (!x2 && (base & 0xc00) == 0xc00)
		wrmsr(MSR_APIC_BASE, base & ~0xc00ull);
	if (!x2 || (base & 0xc00) != 0xc00) /* a further processor that starts anew is in x2APIC mode still */
		wrmsr(MSR_APIC_BASE, (base & ~0xc00ull) | 0x800);
	if (x2)
		wrmsr(MSR_APIC_BASE, base | 0xc00);
	x2apic = x2;
	lapic_write(APIC_SVR, 0x1ff);
	lapic_write(APIC_TPR, 0);
}

u32 lapic_read(u32 offset)
{
	return x2apic ? rdmsr(0x800 + offset / 16) : mmio_read(LAPIC + offset);
}

void lapic_write(u32 offset, u32 v)
{
	if (x2apic)
		wrmsr(0x800 + offset / 16, v);
	else
		mmio_write(LAPIC + offset, v);
}

void lapic_eoi(void)
{
	lapic_write(APIC_EOI, 0);
}

u32 lapic_id(void)
{
	return x2apic ? lapic_read(APIC_ID) : lapic_read(APIC_ID) >> 24;
}

void lapic_ipi(u32 destination, u32 low)
{
	if (x2apic) {
		wrmsr(0x830, (u64)destination << 32 | low);
		return;
	}
	while (lapic_read(APIC_ICR) & 0x1000)
		relax();
	lapic_write(APIC_ICR_HIGH, destination << 24);
	lapic_write(APIC_ICR, low);
}

void ioapic_write(u32 index, u32 v)
{
	mmio_write(IOAPIC, index);
	mmio_write(IOAPIC + 0x10, v);
}

u32 ioapic_read(u32 index)
{
	mmio_write(IOAPIC, index);
	return mmio_read(IOAPIC + 0x10);
}

void ioapic_route(u32 pin, u8 vector, u32 flags, u8 destination)
{
	ioapic_write(0x11 + pin * 2, (u32)destination << 24);
	ioapic_write(0x10 + pin * 2, vector | flags);
}
