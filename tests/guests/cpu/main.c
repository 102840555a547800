/* cpu.elf: what the guest's processor is.  Options: vcpus=N, as the guest is configured. */
#include "tests/guests/cpu/cpu.h"

#define LOW 0x9000

extern u8 modes_code[], modes_code_end[];
static char marks[8] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));

static void test_modes(void)
{
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < (u32)(modes_code_end - modes_code); i++)
			((volatile u8 *)LOW)[i] = modes_code[i];
		for (u32 i = 0; i < sizeof(marks); i++)
			marks[i] = 0;
		asm volatile("" : : : "memory");
		((void (*)(char *, u32 *))LOW)(marks, table);
		asm volatile("" : : : "memory");
		trap_load();
		check(text_equal(marks, "CPALR6"), round ? "modes, again" : "modes: long to real and back");
	}
}

int main(const char *line)
{
	test_cpuid();
	test_msrs();
	test_exceptions();
	test_control();
	test_debug();
	test_vectors();
	test_modes();
	return 0;
}
