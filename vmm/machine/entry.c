/* Sets vCPU 0 for a kernel's entry, with a GDT (and page tables) in BOOT_AREA that match its state. */
#include "vmm/machine/entry.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"

/* APM 2 §3.1 */
#define CR0_PE BIT(0)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_PG BIT(31)
#define CR4_PAE BIT(5)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define RFLAGS_FIXED 2

/* struct vcpu_segment's attributes; APM 2 §4.7 */
#define ATTR_CODE32 0xc9b
#define ATTR_CODE64 0xa9b
#define ATTR_DATA 0xc93
#define ATTR_TSS 0x08b
#define ATTR_LDT 0x082

#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_TSS 0x20

#define PTE_PRESENT_WRITE 3
#define PTE_LARGE BIT(7)
#define MAPPED_GIB 4 /* everything that boot protocols hand over lies below 4 GiB */

/* A descriptor from the VMCB's form of its attributes; limit as encoded (APM 2 §4.7). */
static u64 entry_descriptor(u16 attr, u64 base, u32 limit)
{
	u64 low = (limit & 0xffff) | (base & 0xffffff) << 16;
	u64 high = (attr & 0xff) | (limit >> 16 & 0xf) << 8 | (attr & 0xf00) << 4 | (base >> 24 & 0xff) << 16;

	return low | high << 40;
}

static int entry_gdt(struct load *l, u16 code)
{
	const u64 gdt[6] = {
		[SELECTOR_CODE / 8] = entry_descriptor(code, 0, 0xfffff),
		[SELECTOR_DATA / 8] = entry_descriptor(ATTR_DATA, 0, 0xfffff),
		[SELECTOR_TSS / 8] = entry_descriptor(ATTR_TSS, 0, 0x67),
	};

	return load_write(l, BOOT_GDT, gdt, sizeof(gdt));
}

/* PML4, PDPT and a page directory of 2 MiB pages for each GiB: 1 GiB pages are not on every processor. */
static int entry_page_tables(struct load *l)
{
	u64 *table = (u64 *)l->buffer;
	u64 page = BOOT_PAGE_TABLES;
	int error;

	memset(table, 0, PAGE_SIZE);
	table[0] = (page + PAGE_SIZE) | PTE_PRESENT_WRITE;
	error = load_write(l, page, table, PAGE_SIZE);
	for (u64 i = 0; i < MAPPED_GIB; i++)
		table[i] = (page + (2 + i) * PAGE_SIZE) | PTE_PRESENT_WRITE;
	if (!error)
		error = load_write(l, page + PAGE_SIZE, table, PAGE_SIZE);
	for (u64 i = 0; i < MAPPED_GIB && !error; i++) {
		for (u64 j = 0; j < 512; j++)
			table[j] = (i * GIB + j * 2 * MIB) | PTE_PRESENT_WRITE | PTE_LARGE;
		error = load_write(l, page + (2 + i) * PAGE_SIZE, table, PAGE_SIZE);
	}
	return error;
}

static void entry_segments(struct vcpu_state *s, u16 code)
{
	const struct vcpu_segment data = { .limit = 0xffffffff, .selector = SELECTOR_DATA, .attr = ATTR_DATA };

	for (u32 i = SEG_ES; i <= SEG_GS; i++)
		s->seg[i] = data;
	s->seg[SEG_CS] = (struct vcpu_segment){ .limit = 0xffffffff, .selector = SELECTOR_CODE, .attr = code };
	s->seg[SEG_TR] = (struct vcpu_segment){ .limit = 0x67, .selector = SELECTOR_TSS, .attr = ATTR_TSS };
	s->seg[SEG_LDTR] = (struct vcpu_segment){ .limit = 0xffff, .attr = ATTR_LDT };
	s->gdtr = (struct vcpu_segment){ .base = BOOT_GDT, .limit = 6 * 8 - 1 };
	s->idtr = (struct vcpu_segment){ 0 };
}

static int entry_set(struct load *l, u64 rip, const u64 gpr[GPR_COUNT], bool long_mode)
{
	struct vcpu_state s;
	int error = sys_vcpu_get(0, &s);

	if (!error) {
		memcpy(s.gpr, gpr, sizeof(s.gpr));
		s.rip = rip;
		s.rflags = RFLAGS_FIXED;
		entry_segments(&s, long_mode ? ATTR_CODE64 : ATTR_CODE32);
		s.cr0 = CR0_PE | CR0_ET | CR0_NE | (long_mode ? CR0_PG : 0);
		s.cr3 = long_mode ? BOOT_PAGE_TABLES : 0;
		s.cr4 = long_mode ? CR4_PAE : 0;
		s.efer = long_mode ? EFER_LME | EFER_LMA : 0;
		s.activity = ACTIVITY_RUN;
		error = sys_vcpu_set(0, &s);
	}
	return error ? load_fail(l, "cannot set vCPU 0: %s", error_text(error)) : 0;
}

int entry_prot32(struct load *l, u64 eip, const u64 gpr[GPR_COUNT])
{
	int error = entry_gdt(l, ATTR_CODE32);

	return error ? error : entry_set(l, eip, gpr, false);
}

int entry_long(struct load *l, u64 rip, const u64 gpr[GPR_COUNT])
{
	int error = entry_gdt(l, ATTR_CODE64);

	if (!error)
		error = entry_page_tables(l);
	return error ? error : entry_set(l, rip, gpr, true);
}
