/* Linear accesses of the emulator: split at page ends, translated as a whole before the first byte moves,
 * then each part to RAM, to the local APIC or to the bus.
 * Translations are kept for one instruction, like a TLB: the page tables may change between two. */
#include "vmm/lib/emulate_memory.h"

#include "kernel/lib/string.h"
#include "vmm/lib/emulate.h"
#include "vmm/lib/sys.h"

#define TRANSLATE_FAULT BIT(31) /* SYS_VCPU_TRANSLATE: a page fault error code is in the low bits */
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_X2APIC BIT(10)
#define DR6_BS BIT(14)
#define VECTOR_DB 1

struct part {
	u64 gpa;
	u32 len;
};

static const struct vcpu_state *memory_state(void *ctx)
{
	struct emulate_memory *m = ctx;

	if (!m->have_state && sys_vcpu_get(m->vcpu, &m->state))
		sys_guest_stop(STOP_CRASH, "a vCPU's state cannot be read");
	m->have_state = true;
	return &m->state;
}

static void translation_add(struct emulate_memory *m, u64 linear, u64 gpa, u32 access)
{
	u32 n = m->translation_count++ % EMULATE_TRANSLATIONS;

	m->translations[n].linear = linear & PAGE_MASK;
	m->translations[n].gpa = gpa & PAGE_MASK;
	m->translations[n].access = access;
}

static void memory_hint(void *ctx, u64 linear, u64 gpa)
{
	struct emulate_memory *m = ctx;
	u32 user = m->page->exit.cpl == 3 ? ACCESS_USER : 0;

	translation_add(m, linear, gpa, user | (m->page->exit.mmio.write ? ACCESS_WRITE : ACCESS_READ));
}

static int translate(struct emulate_memory *m, u64 linear, u32 access, u64 *gpa)
{
	u32 known = MIN(m->translation_count, EMULATE_TRANSLATIONS);
	s64 r;

	for (u32 n = 0; n < known; n++) {
		if (m->translations[n].linear == (linear & PAGE_MASK) &&
		    !(access & ~m->translations[n].access) &&
		    !((access ^ m->translations[n].access) & ACCESS_FETCH)) {
			*gpa = m->translations[n].gpa | (linear & ~PAGE_MASK);
			return 0;
		}
	}
	r = sys_vcpu_translate(m->vcpu, linear, access, gpa);
	if (r < 0)
		return r;
	if (r > 0)
		return emulate_page_fault(m->page, (u32)(r & ~TRANSLATE_FAULT), linear);
	translation_add(m, linear, *gpa, access);
	return 0;
}

/* The one or two pages of an access; how many, or 0 and a fault or an error in *error. */
static u32 split(struct emulate_memory *m, u64 linear, u32 len, u32 access, struct part parts[2],
		 int *error)
{
	u32 count = 0;

	*error = 0;
	while (len && count < 2) {
		u32 n = MIN(len, PAGE_SIZE - (linear & ~PAGE_MASK));

		parts[count].len = n;
		*error = translate(m, linear, access, &parts[count++].gpa);
		if (*error)
			return 0;
		linear += n;
		len -= n;
		if (m->page->exit.mode != MODE_LONG)
			linear = (u32)linear;
	}
	return count;
}

static bool is_exit_page(const struct emulate_memory *m, u64 gpa)
{
	return m->page->exit.kind == EXIT_MMIO && ((gpa ^ m->page->exit.mmio.gpa) & PAGE_MASK) == 0;
}

/* Only the page of the exit can be told cheaply; for others the vCPU's APIC_BASE has to be fetched. */
static bool is_lapic(struct emulate_memory *m, u64 gpa)
{
	u64 base;

	if (is_exit_page(m, gpa))
		return m->page->exit.mmio.lapic;
	base = memory_state(m)->apic_base;
	return (base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) == APIC_BASE_ENABLE &&
	       ((base ^ gpa) & PAGE_MASK) == 0;
}

/* Part of a 32-bit register.  A partial write is undefined (APM 2 §16.3.2): nothing happens. */
static u64 lapic_access(struct emulate_memory *m, u64 gpa, u32 size, bool write, u64 value)
{
	u32 reg = value, shift = 8 * (gpa & 3);

	if (write && size != 4)
		return 0;
	if (sys_lapic_access(m->vcpu, gpa & ~PAGE_MASK & ~3ull, write, &reg))
		return 0;
	return (u64)reg >> shift;
}

/* Devices see naturally aligned accesses only, so they need not think about others. */
static void device_access(struct emulate_memory *m, u64 gpa, u8 *buf, u32 len, bool write)
{
	bool lapic = is_lapic(m, gpa);

	while (len) {
		u32 aligned = 1u << __builtin_ctzll(gpa | (lapic ? 4 : 8));
		u32 size = MIN(aligned, 1u << (31 - __builtin_clz(len)));
		u64 value = 0;

		if (write)
			memcpy(&value, buf, size);
		if (lapic)
			value = lapic_access(m, gpa, size, write, value);
		else if (write)
			m->bus->mmio_write(m->machine, gpa, size, value);
		else
			value = m->bus->mmio_read(m->machine, gpa, size);
		if (!write)
			memcpy(buf, &value, size);
		gpa += size;
		buf += size;
		len -= size;
	}
}

/* What the exit was about needs no second look: its page refused this very kind of access.  A page that
 * refused a write may be ROM, which can be read. */
static bool is_known_device(const struct emulate_memory *m, u64 gpa, bool write)
{
	return is_exit_page(m, gpa) && (write || !m->page->exit.mmio.write);
}

static int memory_read(void *ctx, u64 linear, void *buf, u32 len, u32 access)
{
	struct emulate_memory *m = ctx;
	struct part parts[2];
	u8 *to = buf;
	int error;
	u32 count = split(m, linear, len, access, parts, &error);

	for (u32 n = 0; n < count; to += parts[n++].len) {
		if (is_known_device(m, parts[n].gpa, false) || sys_guest_read(parts[n].gpa, to, parts[n].len))
			device_access(m, parts[n].gpa, to, parts[n].len, false);
	}
	return error;
}

static int memory_write(void *ctx, u64 linear, const void *buf, u32 len, u32 access)
{
	struct emulate_memory *m = ctx;
	struct part parts[2];
	u8 bytes[16], *from = bytes;
	int error;
	u32 count = split(m, linear, len, access, parts, &error);

	memcpy(bytes, buf, MIN(len, sizeof(bytes)));
	for (u32 n = 0; n < count; from += parts[n++].len) {
		if (is_known_device(m, parts[n].gpa, true) || sys_guest_write(parts[n].gpa, from, parts[n].len))
			device_access(m, parts[n].gpa, from, parts[n].len, true);
	}
	return error;
}

static u64 memory_device_read(void *ctx, u64 gpa, u32 size)
{
	struct emulate_memory *m = ctx;
	u64 value = 0;

	if (!m->page->exit.mmio.lapic)
		return m->bus->mmio_read(m->machine, gpa, size);
	device_access(m, gpa, (u8 *)&value, size, false);
	return value;
}

static void memory_device_write(void *ctx, u64 gpa, u32 size, u64 value)
{
	struct emulate_memory *m = ctx;

	if (m->page->exit.mmio.lapic)
		device_access(m, gpa, (u8 *)&value, size, true);
	else
		m->bus->mmio_write(m->machine, gpa, size, value);
}

static int memory_probe(void *ctx, u64 linear, u32 len, u32 access)
{
	struct part parts[2];
	int error;

	split(ctx, linear, len, access, parts, &error);
	return error;
}

static u32 memory_port_in(void *ctx, u16 port, u32 size)
{
	struct emulate_memory *m = ctx;

	return m->bus->port_in(m->machine, port, size);
}

static void memory_port_out(void *ctx, u16 port, u32 size, u32 value)
{
	struct emulate_memory *m = ctx;

	m->bus->port_out(m->machine, port, size, value);
}

static void memory_trap(void *ctx)
{
	struct emulate_memory *m = ctx;

	memory_state(m);
	memcpy(m->state.gpr, m->page->gpr, sizeof(m->state.gpr));
	m->state.rip = m->page->rip;
	m->state.rflags = m->page->rflags;
	m->state.dr6 |= DR6_BS;
	if (sys_vcpu_set(m->vcpu, &m->state))
		return;
	emulate_inject(m->page, VECTOR_DB, 0);
	m->page->inject.has_error = 0;
}

static const struct emulate_ops memory_ops = {
	.read = memory_read,
	.write = memory_write,
	.probe = memory_probe,
	.port_in = memory_port_in,
	.port_out = memory_port_out,
	.state = memory_state,
	.hint = memory_hint,
	.device_read = memory_device_read,
	.device_write = memory_device_write,
	.trap = memory_trap,
};

void emulate_memory_init(struct emulate_memory *m, u32 vcpu, struct vcpu_page *page,
			 const struct emulate_bus *bus, void *machine)
{
	memset(m, 0, sizeof(*m));
	m->vcpu = vcpu;
	m->page = page;
	m->bus = bus;
	m->machine = machine;
	for (u32 i = 0; i < EMULATE_KEPT; i++)
		m->emulate[i] = (struct emulate){ .ops = &memory_ops, .ctx = m, .page = page };
}

int emulate_memory_run(struct emulate_memory *m)
{
	m->have_state = false;
	m->translation_count = 0;
	return emulate_run(&m->emulate[m->page->rip & (EMULATE_KEPT - 1)]);
}
