/* memory.elf: the guest's RAM, and accesses that the hypervisor has to emulate.  Options: ram=quick. */
#include "tests/guests/memory/memory.h"

int main(const char *line)
{
	test_ram();
	test_crossing();
	test_strings();
	test_emulation();
	return 0;
}
