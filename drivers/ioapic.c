/* The IOAPIC.  Used by the boot CPU while it sets up; no lock. */
#include "arch/x86_64/registers.h"
#include "drivers/ioapic.h"
#include "kernel/lib/error.h"

/* Intel 82093AA data sheet §3.0 */
#define IOAPIC_SELECT 0x00
#define IOAPIC_WINDOW 0x10
#define REGISTER_VERSION 0x01
#define REGISTER_ENTRY(gsi) (0x10 + 2 * (gsi))
#define ENTRY_MASKED BIT(16)
#define ENTRY_LEVEL BIT(15)
#define ENTRY_LOW BIT(13)
#define ENTRIES_MAX 240

#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA 0xa1

static u64 base;
static u32 count; /* 0: there is none */

static u32 ioapic_read(u32 reg)
{
	mmio_write32(base + IOAPIC_SELECT, reg);
	return mmio_read32(base + IOAPIC_WINDOW);
}

static void ioapic_write(u32 reg, u32 value)
{
	mmio_write32(base + IOAPIC_SELECT, reg);
	mmio_write32(base + IOAPIC_WINDOW, value);
}

int ioapic_init(u64 address)
{
	u32 version, entries;

	out8(PIC_MASTER_DATA, 0xff);
	out8(PIC_SLAVE_DATA, 0xff);
	if (!address)
		return ERR_NOENT;
	base = address;
	version = ioapic_read(REGISTER_VERSION);
	entries = (version >> 16 & 0xff) + 1;
	if (version == 0xffffffff || !(version & 0xff) || entries > ENTRIES_MAX)
		return ERR_NOENT;
	count = entries;
	for (u32 gsi = 0; gsi < count; gsi++)
		ioapic_mask(gsi);
	return 0;
}

int ioapic_route(u32 gsi, u8 vector, u32 apic_id, bool level, bool active_low)
{
	u32 low = vector | (level ? ENTRY_LEVEL : 0) | (active_low ? ENTRY_LOW : 0);

	if (!count)
		return ERR_STATE;
	if (gsi >= count || apic_id > 254)
		return ERR_INVAL;
	ioapic_mask(gsi);
	ioapic_write(REGISTER_ENTRY(gsi) + 1, apic_id << 24);
	ioapic_write(REGISTER_ENTRY(gsi), low); /* fixed delivery, physical destination, not masked */
	return 0;
}

void ioapic_mask(u32 gsi)
{
	if (gsi < count)
		ioapic_write(REGISTER_ENTRY(gsi), ENTRY_MASKED);
}
