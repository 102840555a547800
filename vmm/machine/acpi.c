/* Builds the ACPI tables in one buffer.  Pure: no system calls, no state. */
#include "vmm/machine/acpi.h"

#include "kernel/lib/string.h"
#include "vmm/machine/acpi_tables.h"
#include "vmm/machine/machine.h"

#define CENTURY_REGISTER 0x32 /* of the CMOS, as in PCs since the PS/2 */
#define RESET_VALUE 6         /* CF9h: full reset */

/* FADT boot flags, §5.2.9.3; not set: legacy devices, 8042 */
#define BOOT_NO_VGA BIT(2)

/* FADT flags, table 5.10; not set: a power button that is not in PM1 */
#define FADT_WBINVD BIT(0)
#define FADT_PROC_C1 BIT(2)
#define FADT_NO_SLEEP_BUTTON BIT(5)
#define FADT_TIMER_32 BIT(8)
#define FADT_RESET BIT(10)
#define LATENCY_NONE 0xffff /* C2 and C3 do not exist */

#define SPACE_MEMORY 0
#define SPACE_PORT 1

#define MADT_PCAT BIT(0)    /* there are PICs, too */
#define LAPIC_ENABLED BIT(0)
#define LAPIC_ONLINE_CAPABLE BIT(1) /* not there yet: §5.2.12.2 */
#define IRQ_AS_BUS 0        /* ISA: edge, active high */
#define IRQ_LEVEL_HIGH 0xd  /* table 5.26: active high, level */
#define ALL_PROCESSORS 0xff
#define PIT_GSI 2

#define AML_EXTENDED 0x5b /* the first of two bytes of an opcode */
#define SSDT_SHARED 2     /* objects of ssdt.asl before the first processor */

struct builder {
	u8 *buf;
	u32 size, used;
	u64 base;
	bool overflow; /* something did not fit */
};

/* Room for a table of len bytes, zeroed; NULL if it does not fit. */
static void *acpi_room(struct builder *b, u32 len, u32 align)
{
	u32 at = (u32)ALIGN_UP(b->used, align);

	if (at > b->size || len > b->size - at) {
		b->overflow = true;
		return NULL;
	}
	b->used = at + len;
	return memset(b->buf + at, 0, len);
}

static u64 acpi_address_of(const struct builder *b, const void *table)
{
	return b->base + (u64)((const u8 *)table - b->buf);
}

static u8 acpi_checksum(const void *from, u32 len)
{
	const u8 *bytes = from;
	u8 sum = 0;

	while (len--)
		sum += *bytes++;
	return (u8)-sum;
}

/* A new table with its header; acpi_close gives it its length, if it grew, and its checksum. */
static void *acpi_open(struct builder *b, const char *signature, u8 revision, u32 len)
{
	struct acpi_header *h = acpi_room(b, len, 16);

	if (!h)
		return NULL;
	memcpy(h->signature, signature, 4);
	h->revision = revision;
	memcpy(h->oem_id, "QUIRE ", 6);
	memcpy(h->oem_table_id, "QUIREPC ", 8);
	h->oem_revision = 1;
	memcpy(h->creator_id, "QUIR", 4);
	h->creator_revision = 1;
	return h;
}

static u64 acpi_close(const struct builder *b, void *table)
{
	struct acpi_header *h = table;

	h->length = (u32)(b->buf + b->used - (u8 *)table);
	h->checksum = 0;
	h->checksum = acpi_checksum(h, h->length);
	return acpi_address_of(b, table);
}

static struct acpi_address acpi_port(u64 port, u8 bits)
{
	/* access size 1 is a byte, 2 a word, 3 a doubleword */
	return (struct acpi_address){ SPACE_PORT, bits, 0, bits == 8 ? 1 : bits == 16 ? 2 : 3, port };
}

static void acpi_fill_fadt(struct acpi_fadt *f, u64 facs, u64 dsdt)
{
	f->facs = (u32)facs;
	f->x_dsdt = f->dsdt = (u32)dsdt; /* x_facs stays 0: one of the two only (§5.2.9) */
	f->sci_irq = SCI_IRQ;
	f->pm1a_event = PM_BASE;
	f->pm1a_control = PM_BASE + 4;
	f->pm_timer = PM_BASE + 8;
	f->pm1_event_len = 4;
	f->pm1_control_len = 2;
	f->pm_timer_len = 4;
	f->gpe0 = PM_BASE + PM_GPE0;
	f->gpe0_len = PM_GPE0_LEN;
	f->c2_latency = f->c3_latency = LATENCY_NONE;
	f->century = CENTURY_REGISTER;
	f->boot_flags = BOOT_NO_VGA;
	f->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON | FADT_TIMER_32 | FADT_RESET;
	f->reset = acpi_port(RESET_PORT, 8);
	f->reset_value = RESET_VALUE;
	f->minor_version = 3; /* of ACPI 6: processors may be online capable */
	f->x_pm1a_event = acpi_port(PM_BASE, 32);
	f->x_pm1a_control = acpi_port(PM_BASE + 4, 16);
	f->x_pm_timer = acpi_port(PM_BASE + 8, 32);
	f->x_pm1a_event.access_size = 2; /* two 16-bit registers */
	f->x_gpe0 = acpi_port(PM_BASE + PM_GPE0, 8 * PM_GPE0_LEN);
	f->x_gpe0.access_size = 1; /* two of 8 bits */
}

static u64 acpi_add_fadt(struct builder *b, u64 dsdt)
{
	struct acpi_facs *facs = acpi_room(b, sizeof(*facs), 64);
	struct acpi_fadt *f = acpi_open(b, "FACP", 6, sizeof(*f));

	if (!facs || !f)
		return 0;
	memcpy(facs->signature, "FACS", 4);
	facs->length = sizeof(*facs);
	facs->version = 2;
	acpi_fill_fadt(f, acpi_address_of(b, facs), dsdt);
	return acpi_close(b, f);
}

/* One entry of the MADT, whose size is a multiple of 2 only: no alignment. */
static void acpi_add_entry(struct builder *b, const void *entry, u32 len)
{
	void *to = acpi_room(b, len, 1);

	if (to)
		memcpy(to, entry, len);
}

static u64 acpi_add_madt(struct builder *b, const struct acpi_parts *parts)
{
	const struct acpi_madt_ioapic ioapic = { 1, sizeof(ioapic), 0, 0, IOAPIC_BASE, 0 };
	const struct acpi_madt_override pit = { 2, sizeof(pit), 0, 0, PIT_GSI, IRQ_AS_BUS };
	const struct acpi_madt_override sci = { 2, sizeof(sci), 0, SCI_IRQ, SCI_IRQ, IRQ_LEVEL_HIGH };
	const struct acpi_madt_nmi nmi = { 4, sizeof(nmi), ALL_PROCESSORS, IRQ_AS_BUS, 1 };
	struct acpi_madt *madt = acpi_open(b, "APIC", 5, sizeof(*madt));

	_Static_assert(VCPU_MAX <= 255, "xAPIC identities; beyond them type 9 entries are needed");
	if (!madt)
		return 0;
	madt->lapic_address = LAPIC_BASE;
	madt->flags = MADT_PCAT;
	for (u32 i = 0; i < parts->vcpu_count; i++) {
		const u32 flags = parts->present >> i & 1 ? LAPIC_ENABLED : LAPIC_ONLINE_CAPABLE;
		const struct acpi_madt_lapic lapic = { 0, sizeof(lapic), (u8)i, (u8)i, flags };

		acpi_add_entry(b, &lapic, sizeof(lapic));
	}
	acpi_add_entry(b, &ioapic, sizeof(ioapic));
	acpi_add_entry(b, &pit, sizeof(pit));
	acpi_add_entry(b, &sci, sizeof(sci));
	acpi_add_entry(b, &nmi, sizeof(nmi));
	return acpi_close(b, madt);
}

static u64 acpi_add_hpet(struct builder *b)
{
	struct acpi_hpet *hpet = acpi_open(b, "HPET", 1, sizeof(*hpet));

	if (!hpet)
		return 0;
	hpet->id = HPET_ID;
	hpet->address = (struct acpi_address){ SPACE_MEMORY, 64, 0, 0, HPET_BASE };
	hpet->minimum_tick = BACKLOG_SPACING_MIN / HPET_TICK_NS; /* what periodic mode keeps up with */
	return acpi_close(b, hpet);
}

static u64 acpi_add_mcfg(struct builder *b)
{
	struct acpi_mcfg *mcfg = acpi_open(b, "MCFG", 1, sizeof(*mcfg));

	if (!mcfg)
		return 0;
	mcfg->base = ECAM_BASE;
	return acpi_close(b, mcfg);
}

/* The length of the AML object at p, a Scope or a Device: its opcode, then PkgLength (§20.2.4). */
static u32 acpi_object_len(const u8 *p)
{
	u32 opcode = *p == AML_EXTENDED ? 2 : 1, more = p[opcode] >> 6;
	u32 len = p[opcode] & (more ? 0x0f : 0x3f);

	for (u32 i = 0; i < more; i++)
		len |= (u32)p[opcode + 1 + i] << (4 + 8 * i);
	return opcode + len;
}

/* The table up to its processor number count. */
static u64 acpi_add_ssdt(struct builder *b, const u8 *ssdt, u32 count)
{
	u32 len = sizeof(struct acpi_header);
	void *copy;

	for (u32 i = 0; i < SSDT_SHARED + count; i++)
		len += acpi_object_len(ssdt + len);
	copy = acpi_room(b, len, 16);
	if (!copy)
		return 0;
	memcpy(copy, ssdt, len);
	return acpi_close(b, copy);
}

/* RSDT and XSDT with the same tables, and the RSDP that leads to both. */
static void acpi_fill_root(struct builder *b, struct acpi_rsdp *rsdp, const u64 *tables, u32 count)
{
	struct acpi_header *rsdt, *xsdt;
	u32 i;

	rsdt = acpi_open(b, "RSDT", 1, (u32)sizeof(*rsdt) + count * 4);
	for (i = 0; i < count && rsdt; i++)
		memcpy((u8 *)(rsdt + 1) + i * 4, &tables[i], 4);
	if (rsdt)
		rsdp->rsdt = (u32)acpi_close(b, rsdt);
	xsdt = acpi_open(b, "XSDT", 1, (u32)sizeof(*xsdt) + count * 8);
	for (i = 0; i < count && xsdt; i++)
		memcpy((u8 *)(xsdt + 1) + i * 8, &tables[i], 8);
	if (xsdt)
		rsdp->xsdt = acpi_close(b, xsdt);
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, "QUIRE ", 6);
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->checksum = acpi_checksum(rsdp, 20);
	rsdp->extended_checksum = acpi_checksum(rsdp, sizeof(*rsdp));
}

s64 acpi_build(const struct acpi_parts *parts, u64 base, u8 *buf, u32 size)
{
	struct builder b = { .buf = buf, .size = size, .base = base };
	struct acpi_rsdp *rsdp = acpi_room(&b, sizeof(*rsdp), 16);
	u32 dsdt_len = ((const struct acpi_header *)parts->dsdt)->length, count = 0;
	void *dsdt = acpi_room(&b, dsdt_len, 16);
	u64 tables[5];

	if (!rsdp || !dsdt)
		return ERR_TOOBIG;
	memcpy(dsdt, parts->dsdt, dsdt_len);
	tables[count++] = acpi_add_fadt(&b, acpi_address_of(&b, dsdt));
	tables[count++] = acpi_add_madt(&b, parts);
	tables[count++] = acpi_add_hpet(&b);
	tables[count++] = acpi_add_mcfg(&b);
	if (parts->vcpu_count > 1)
		tables[count++] = acpi_add_ssdt(&b, parts->ssdt, parts->vcpu_count);
	acpi_fill_root(&b, rsdp, tables, count);
	return b.overflow ? (s64)ERR_TOOBIG : (s64)b.used;
}
