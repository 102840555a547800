/* String instructions on ports and on MMIO: counts, directions, sizes, page boundaries, address sizes. */
#include "tests/guests/memory/memory.h"

#define PIC_MASK 0x21
#define HPET_T1 (HPET + 0x128) /* comparator 1: keeps 32 bits while its timer is off */
#define HPET_T2 (HPET + 0x148)

static u8 buffer[3 * 4096] __attribute__((aligned(4096)));

static void ins_bytes(void *to, u16 port, u64 count, bool down)
{
	if (down)
		asm volatile("std; rep insb; cld" : "+D"(to), "+c"(count) : "d"(port) : "memory");
	else
		asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}

static u32 count_bytes(u32 from, u32 to, u8 v)
{
	u32 n = 0;

	for (u32 i = from; i < to; i++)
		n += buffer[i] == v;
	return n;
}

static void test_ports(void)
{
	static const char text[] = "OUTS came through\r\n";
	const char *from = text;
	u64 count = 4, size = sizeof(text) - 1;
	u8 values[4] = { 1, 2, 4, 0xa5 }, *p = values;
	u32 time = 0;

	outb(PIC_MASK, 0x5a);
	ins_bytes(buffer + 4090, PIC_MASK, 12, false);
	check_equal(count_bytes(4090, 4102, 0x5a), 12, "strings: REP INSB over a page boundary");
	check(!buffer[4089] && !buffer[4102], "strings: no byte more");
	ins_bytes(buffer + 8200, PIC_MASK, 16, true);
	check_equal(count_bytes(8185, 8201, 0x5a), 16, "strings: REP INSB downwards");
	ins_bytes(buffer, PIC_MASK, 6000, false);
	check_equal(count_bytes(0, 6000, 0x5a), 6000, "strings: REP INSB of 6000 bytes");
	asm volatile("rep outsb" : "+S"(p), "+c"(count) : "d"(PIC_MASK) : "memory");
	check(inb(PIC_MASK) == 0xa5 && p == values + 4 && !count, "strings: REP OUTSB");
	while (!(inb(0x3fd) & 0x40))
		relax();
	asm volatile("rep outsb" : "+S"(from), "+c"(size) : "d"(0x3f8) : "memory");
	asm volatile("insl" : : "D"(&time), "d"(PM_TIMER_PORT) : "memory");
	check(((pm_timer() - time) & 0xffffff) < PM_TIMER_HZ, "strings: INSD");
	outb(PIC_MASK, 0xff);
	count = 0;
	p = buffer;
	asm volatile("rep insb" : "+D"(p), "+c"(count) : "d"(PIC_MASK) : "memory");
	check(p == buffer, "strings: REP INSB with no count");
	p = buffer + 5;
	asm volatile("addr32 insb" : "+D"(p) : "d"(PIC_MASK) : "memory");
	check(buffer[5] == 0xff && p == buffer + 6, "strings: INSB with 32-bit addresses");
}

static void test_faults(void *argument)
{
	u64 nowhere = 5ull << 30, count = 4;

	asm volatile("rep insb" : "+D"(nowhere), "+c"(count) : "d"(PIC_MASK) : "memory");
}

static void test_mmio(void)
{
	u32 *words = (u32 *)buffer, n = 4;
	u64 count = 4, from = HPET, to = (u64)words, value = 0x11223344, at = HPET_T1;

	asm volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	check(words[0] == mmio_read(HPET) && words[1] == mmio_read(HPET + 4), "strings: REP MOVSD from MMIO");
	check(from == HPET + 16 && to == (u64)(words + n) && !count, "strings: its registers");
	words[0] = 0x00c0ffee;
	from = (u64)words;
	to = HPET_T1;
	asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
	check_equal(mmio_read(HPET_T1), 0x00c0ffee, "strings: MOVSD to MMIO");
	from = HPET_T1;
	to = HPET_T2;
	asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
	check_equal(mmio_read(HPET_T2), 0x00c0ffee, "strings: MOVSD from MMIO to MMIO");
	count = 1;
	asm volatile("rep stosl" : "+D"(at), "+c"(count) : "a"(value) : "memory");
	check(mmio_read(HPET_T1) == value && at == HPET_T1 + 4, "strings: REP STOSD to MMIO");
	at = HPET_T1;
	asm volatile("lodsl" : "+S"(at), "=a"(value) : : "memory");
	check_equal((u32)value, 0x11223344, "strings: LODSD from MMIO");
	from = HPET_T1 + 4;
	to = (u64)(words + 1);
	count = 2;
	from = HPET_T1;
	asm volatile("std; movsl; cld" : "+S"(from), "+D"(to) : : "memory");
	check(from == HPET_T1 - 4 && words[1] == 0x11223344, "strings: MOVSD downwards");
}

void test_strings(void)
{
	mmio_write(HPET + 0x10, 0);
	test_ports();
	check_equal(trap_catch(test_faults, NULL), 14, "strings: INSB to nowhere is a page fault");
	check_equal(caught.cr2, 5ull << 30, "strings: its CR2");
	check_equal(caught.error, 2, "strings: its error code");
	test_mmio();
}
