/* busy.elf: burns its processor for ever, says TICK n each second and answers `ECHO c` to a byte on COM1. */
#include "tests/guests/lib/guest.h"

int main(const char *line)
{
	u64 hz = tsc_hz(), next = rdtsc() + hz, n = 0;

	print("BUSY\n");
	for (;;) {
		if (inb(0x3fd) & 1) {
			char c[2] = { (char)inb(0x3f8), 0 };
			print("ECHO %s\n", c);
		}
		if (rdtsc() < next)
			continue;
		next += hz;
		print("TICK %u\n", ++n);
	}
}
