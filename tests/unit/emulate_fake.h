/* A vCPU in flat linear memory for the emulator's tests and its fuzzer: every page can be absent or read
 * only, ports remember what was written. */
#ifndef TESTS_UNIT_EMULATE_FAKE_H
#define TESTS_UNIT_EMULATE_FAKE_H

#include <string.h>

#include "vmm/lib/emulate.h"

#define FAKE_PAGES 64
#define FAKE_SIZE (FAKE_PAGES * PAGE_SIZE)
#define FAKE_DATA_ATTR 0xc93 /* present, writable data, D, G */
#define FAKE_CODE_ATTR 0xc9b

struct fake {
	u8 memory[FAKE_SIZE];
	bool absent[FAKE_PAGES], read_only[FAKE_PAGES];
	struct vcpu_page page;
	struct vcpu_state state;
	u8 out[8192];
	u32 out_len;
	u8 in_next;                  /* the next byte that a port gives */
	u32 in_count, hints, traps, states, device_count;
	u64 device_value; /* the last one written, or the next one read */
};

static inline int fake_check(struct fake *f, u64 linear, u32 len, u32 access)
{
	for (u32 n = 0; n < len; n++) {
		u64 at = linear + n;
		bool write = access & ACCESS_WRITE, inside = at < FAKE_SIZE && !f->absent[at / PAGE_SIZE];

		if (!inside || (write && f->read_only[at / PAGE_SIZE]))
			return emulate_page_fault(&f->page, inside | (write ? 2 : 0) |
						  (access & ACCESS_USER ? 4 : 0), at);
	}
	return 0;
}

static inline int fake_read(void *ctx, u64 linear, void *buf, u32 len, u32 access)
{
	struct fake *f = ctx;
	int error = fake_check(f, linear, len, access);

	if (!error)
		memcpy(buf, f->memory + linear, len);
	return error;
}

static inline int fake_write(void *ctx, u64 linear, const void *buf, u32 len, u32 access)
{
	struct fake *f = ctx;
	int error = fake_check(f, linear, len, access | ACCESS_WRITE);

	if (!error)
		memcpy(f->memory + linear, buf, len);
	return error;
}

static inline int fake_probe(void *ctx, u64 linear, u32 len, u32 access)
{
	return fake_check(ctx, linear, len, access);
}

static inline u32 fake_port_in(void *ctx, u16 port, u32 size)
{
	struct fake *f = ctx;
	u32 value = 0;

	f->in_count++;
	for (u32 n = 0; n < size; n++)
		value |= (u32)f->in_next++ << (8 * n);
	return value;
}

static inline void fake_port_out(void *ctx, u16 port, u32 size, u32 value)
{
	struct fake *f = ctx;

	for (u32 n = 0; n < size && f->out_len < sizeof(f->out); n++)
		f->out[f->out_len++] = (u8)(value >> (8 * n));
}

static inline const struct vcpu_state *fake_state(void *ctx)
{
	struct fake *f = ctx;

	f->states++;
	return &f->state;
}

static inline void fake_hint(void *ctx, u64 linear, u64 gpa)
{
	struct fake *f = ctx;

	f->hints++;
}

static inline u64 fake_device_read(void *ctx, u64 gpa, u32 size)
{
	struct fake *f = ctx;

	f->device_count++;
	return f->device_value;
}

static inline void fake_device_write(void *ctx, u64 gpa, u32 size, u64 value)
{
	struct fake *f = ctx;

	f->device_count++;
	f->device_value = value;
}

static inline void fake_trap(void *ctx)
{
	struct fake *f = ctx;

	f->traps++;
}

static const struct emulate_ops fake_ops = {
	.read = fake_read, .write = fake_write, .probe = fake_probe, .port_in = fake_port_in,
	.port_out = fake_port_out, .state = fake_state, .hint = fake_hint, .trap = fake_trap,
	.device_read = fake_device_read, .device_write = fake_device_write,
};

/* A vCPU in mode with flat segments (64 KiB ones where the code is 16 bits), RIP 0x1000, RSP 0x8000. */
static inline void fake_init(struct fake *f, enum cpu_mode mode)
{
	bool small = mode == MODE_REAL || mode == MODE_VM86 || mode == MODE_PROT16;

	memset(f, 0, sizeof(*f));
	for (u32 n = 0; n < SEG_COUNT; n++) {
		f->state.seg[n].limit = small ? 0xffff : 0xffffffff;
		f->state.seg[n].attr = (n == SEG_CS ? FAKE_CODE_ATTR : FAKE_DATA_ATTR) & (small ? ~0xc00 : ~0);
	}
	f->page.rip = 0x1000;
	f->page.gpr[GPR_RSP] = 0x8000;
	f->page.rflags = 2;
	f->page.exit.kind = EXIT_MMIO;
	f->page.exit.mode = mode;
	f->page.exit.mmio.gpa = 0xfed00000; /* begins no operand of a test, unless the test says so */
}

static inline int fake_run(struct fake *f, const void *bytes, u32 len)
{
	struct emulate e = { .ops = &fake_ops, .ctx = f, .page = &f->page };

	f->page.exit.insn_len = len;
	memcpy(f->page.exit.insn, bytes, len);
	return emulate_run(&e);
}

#endif
