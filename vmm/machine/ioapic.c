/* The I/O APIC: registers by index and window, and pins that become MSI messages (82093AA; the EOI register
 * at 40h as in version 20h).  Lock: the machine lock.
 *
 * Invariant: a level-triggered pin with remote IRR set has exactly one message under way, whose EOI will
 * come. A pin is asserted or not; the polarity bit is only remembered, because the models know no voltages
 * and a guest sets it to what ACPI tells it. */
#include "vmm/machine/ioapic.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

#define VERSION 0x20

/* Redirection entry */
#define ENTRY_LOGICAL BIT(11)
#define ENTRY_REMOTE_IRR BIT(14)
#define ENTRY_LEVEL BIT(15)
#define ENTRY_MASKED BIT(16)
#define ENTRY_WRITABLE (0xff00000000000000ull | 0x1afffull) /* all but delivery status and remote IRR */

enum { DELIVER_FIXED, DELIVER_LOWEST, DELIVER_EXTINT = 7 };

/* Sends pin's message in the MSI's form (SDM 3A §11.11); true if a local APIC took it. */
static bool ioapic_send(u64 entry)
{
	u32 mode = entry >> 8 & 7;
	u64 address = LAPIC_BASE | (entry >> 56) << 12;
	u32 data = (u32)(entry & 0x7ff);

	if (mode == DELIVER_EXTINT) /* the PIC is wired to the processor, not through here */
		return false;
	if (entry & ENTRY_LOGICAL)
		address |= 1 << 2;
	if (mode == DELIVER_LOWEST)
		address |= 1 << 3; /* redirection hint */
	data |= 1 << 14;           /* assert */
	if (entry & ENTRY_LEVEL)
		data |= 1 << 15;
	return sys_guest_msi(address, data) > 0;
}

/* A level-triggered pin asks as long as it is asserted and nobody is at it. */
static void ioapic_level(struct machine *m, u32 pin)
{
	u64 *entry = &m->ioapic.entry[pin];

	if (!(m->ioapic.lines & BIT(pin)) || !(*entry & ENTRY_LEVEL) ||
	    *entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR))
		return;
	/* Coalesced with another pin's message: that one's EOI looks at all pins of the vector. */
	if (ioapic_send(*entry) && (*entry >> 8 & 7) <= DELIVER_LOWEST)
		*entry |= ENTRY_REMOTE_IRR;
}

void ioapic_set(struct machine *m, u32 pin, bool asserted)
{
	struct ioapic *io = &m->ioapic;
	bool was;

	if (pin >= IOAPIC_PINS)
		return;
	was = io->lines & BIT(pin);
	if (was == asserted)
		return;
	io->lines ^= (u32)BIT(pin);
	if (!asserted)
		return;
	if (io->entry[pin] & ENTRY_LEVEL)
		ioapic_level(m, pin);
	else if (!(io->entry[pin] & ENTRY_MASKED)) /* a masked edge is lost */
		ioapic_send(io->entry[pin]);
}

void ioapic_eoi(struct machine *m, u8 vector)
{
	for (u32 pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 *entry = &m->ioapic.entry[pin];

		if ((u8)*entry != vector || !(*entry & ENTRY_LEVEL))
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		ioapic_level(m, pin);
	}
}

static u32 ioapic_read(const struct ioapic *io)
{
	u32 pin = (io->index - 0x10) / 2;

	switch (io->index) {
	case 0: /* ID */
	case 2: /* arbitration ID */
		return io->id;
	case 1:
		return (IOAPIC_PINS - 1) << 16 | VERSION;
	}
	if (io->index < 0x10 || pin >= IOAPIC_PINS)
		return 0;
	return (u32)(io->entry[pin] >> (io->index & 1 ? 32 : 0));
}

static void ioapic_write(struct machine *m, u32 value)
{
	struct ioapic *io = &m->ioapic;
	u32 pin = (io->index - 0x10) / 2;
	u32 shift = io->index & 1 ? 32 : 0;
	u64 writable = ENTRY_WRITABLE & 0xffffffffull << shift;

	if (io->index == 0)
		io->id = value & 0x0f000000;
	if (io->index < 0x10 || pin >= IOAPIC_PINS)
		return;
	io->entry[pin] = (io->entry[pin] & ~writable) | ((u64)value << shift & writable);
	if (!(io->entry[pin] & ENTRY_LEVEL)) /* how Linux ends an interrupt without the EOI register */
		io->entry[pin] &= ~ENTRY_REMOTE_IRR;
	ioapic_level(m, pin);
}

static void ioapic_access(struct machine *m, void *device, struct access *a)
{
	struct ioapic *io = device;

	if (!a->write) {
		u32 value = a->addr == 0x00 ? io->index : a->addr == 0x10 ? ioapic_read(io) : 0;

		a->value = value;
		return;
	}
	switch (a->addr) {
	case 0x00:
		io->index = (u8)a->value;
		break;
	case 0x10:
		ioapic_write(m, (u32)a->value);
		break;
	case 0x40:
		ioapic_eoi(m, (u8)a->value);
		break;
	}
}

void ioapic_attach(struct machine *m)
{
	bus_add(&m->memory, IOAPIC_BASE, PAGE_SIZE, ioapic_access, &m->ioapic);
}

void ioapic_reset(struct machine *m)
{
	memset(&m->ioapic, 0, sizeof(m->ioapic));
	for (u32 pin = 0; pin < IOAPIC_PINS; pin++)
		m->ioapic.entry[pin] = ENTRY_MASKED;
}
