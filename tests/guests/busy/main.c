/* busy.elf: burns its processor for ever, says TICK n each second and answers `ECHO c` to a byte on COM1; with the
 * command line's last letter a `-` it only burns, and exits from interrupts alone. */
#include "tests/guests/lib/guest.h"

int main(const char *line)
{
	u64 hz = tsc_hz(), next = rdtsc() + hz, n = 0;

	print("BUSY\n");
	while (*line && line[1])
		line++;
	while (*line == '-')
		asm volatile("");
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
