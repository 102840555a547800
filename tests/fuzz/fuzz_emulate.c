/* Fuzzes the decoder and the emulator with arbitrary code, registers, segments and memory.
 *   clang -g -O1 -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *     tests/fuzz/fuzz_emulate.c kernel/lib/insn.c vmm/lib/emulate.c \
 *     vmm/lib/emulate_{one,two,string,stack,operand,segment,alu,plain}.c
 * Beside what the sanitizers see: lengths stay within the given bytes, an instruction ends in one of the three
 * ways, a fault has an injection that a processor accepts and, outside of strings, changes no register. */
#include <string.h>

#include "tests/unit/emulate_fake.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define HEAD 16 /* mode, kinds, segments; then the code; then registers */

static struct fake fake;

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void fuzz_decoder(const u8 *code, u32 len)
{
	static const enum insn_mode modes[] = { INSN_16, INSN_32, INSN_64 };

	for (u32 n = 0; n < 3; n++) {
		struct insn i;
		int r = insn_decode(&i, code, len, modes[n]);

		require(insn_length(code, len, modes[n]) == (r ? r : i.length));
		if (r)
			continue;
		require(i.length >= 1 && i.length <= MIN(len, INSN_MAX));
		require(i.reg < 16 && i.rm < 16 && i.base <= INSN_REG_NONE && i.index <= INSN_REG_NONE);
		require(i.segment <= 5 && i.shift < 4);
		for (u32 cut = 0; cut < i.length; cut++)
			require(insn_length(code, cut, modes[n]) == ERR_FAULT);
	}
}

static void set_up(const u8 *head, const u8 *registers, size_t len)
{
	struct vcpu_page *page = &fake.page;

	fake_init(&fake, head[0] % 5);
	for (u32 n = 0; n < FAKE_PAGES; n++) {
		fake.absent[n] = (head[1] >> (n % 8)) & 1;
		fake.read_only[n] = (head[2] >> (n % 8)) & 1;
	}
	page->exit.kind = head[3] & 1 ? EXIT_IO : EXIT_MMIO;
	page->exit.cpl = head[3] >> 6;
	page->exit.mmio.gpa = head[4] << 4;
	page->exit.mmio.write = head[3] & 2;
	page->exit.io.string = true;
	page->exit.io.in = head[3] & 4;
	page->exit.io.size = 1 << (head[5] % 3);
	page->exit.io.port = head[6];
	for (u32 n = 0; n < SEG_COUNT; n++) {
		if (head[7] & 1 << n)
			fake.state.seg[n].base = (u64)head[8] << 12;
		if (head[9] & 1 << n)
			fake.state.seg[n].limit = head[10] << 8;
		if (head[11] & 1 << n)
			fake.state.seg[n].attr ^= head[12] | (head[13] & 0xf) << 8;
	}
	page->rflags = 2 | head[14] | (head[15] & 0xd) << 8;
	memcpy(page->gpr, registers, MIN(len, sizeof(page->gpr)));
	memcpy(fake.memory + 0x3000, registers, MIN(len, 256));
}

static bool is_string(const struct insn *i)
{
	return i->map == INSN_MAP_1 && ((i->opcode >= 0x6c && i->opcode < 0x70) || (i->opcode & 0xf0) == 0xa0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct emulate e = { .ops = &fake_ops, .ctx = &fake, .page = &fake.page };
	struct vcpu_page before;
	u32 len;
	int r;

	if (size < HEAD + 1)
		return 0;
	len = MIN(size - HEAD, 16);
	fuzz_decoder(data + HEAD, len);
	set_up(data, data + HEAD + len, size - HEAD - len);
	memcpy(fake.memory + 0x1000, data + HEAD, len);
	fake.page.exit.insn_len = data[4] & 1 ? 0 : MIN(len, 15);
	memcpy(fake.page.exit.insn, data + HEAD, MIN(len, 15));
	before = fake.page;
	r = emulate_run(&e);
	require(r == EMULATE_DONE || r == EMULATE_FAULT || r == ERR_UNSUPPORTED);
	require((r == EMULATE_FAULT) == fake.page.inject.valid);
	require(r != EMULATE_FAULT || fake.page.inject.vector < 32);
	if (r != EMULATE_DONE && !is_string(&e.insn)) {
		require(!memcmp(before.gpr, fake.page.gpr, sizeof(before.gpr)));
		require(before.rip == fake.page.rip && before.rflags == fake.page.rflags);
	}
	return 0;
}
