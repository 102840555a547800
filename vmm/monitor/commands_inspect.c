/* Looking into a guest: dumpreg, dumpmem. */
#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"

#define DUMP_MAX (64 * KIB)
#define DUMP_ROW 16
#define GPA_END BIT(48) /* beyond it an address has no room in its column, and no guest has memory */

static void print_segments(const struct vcpu_state *s)
{
	static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };

	for (u32 i = 0; i < SEG_COUNT; i++)
		output_print("%-4s %04x base=%016lx limit=%08x attr=%04x\n", names[i], s->seg[i].selector,
			     s->seg[i].base, s->seg[i].limit, s->seg[i].attr);
	output_print("GDTR      base=%016lx limit=%08x\n", s->gdtr.base, s->gdtr.limit);
	output_print("IDTR      base=%016lx limit=%08x\n", s->idtr.base, s->idtr.limit);
}

static void print_state(const struct vcpu_state *s)
{
	static const char *const names[] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8 ",
					     "R9 ", "R10", "R11", "R12", "R13", "R14", "R15" };
	static const char *const activities[] = { "running", "halted", "waiting for SIPI" };

	output_print("RIP=%016lx  RFLAGS=%016lx  %s\n", s->rip, s->rflags,
		     s->activity < ARRAY_SIZE(activities) ? activities[s->activity] : "unknown");
	for (u32 i = 0; i < GPR_COUNT; i++)
		output_print("%s=%016lx%s", names[i], s->gpr[i],
			     i % 3 == 2 || i + 1 == GPR_COUNT ? "\n" : "  ");
	print_segments(s);
	output_print("CR0=%016lx  CR2=%016lx  CR3=%016lx\n", s->cr0, s->cr2, s->cr3);
	output_print("CR4=%016lx  CR8=%016lx  EFER=%016lx\n", s->cr4, s->cr8, s->efer);
	output_print("DR0=%016lx  DR1=%016lx  DR2=%016lx\n", s->dr[0], s->dr[1], s->dr[2]);
	output_print("DR3=%016lx  DR6=%016lx  DR7=%016lx\n", s->dr[3], s->dr6, s->dr7);
	output_print("XCR0=%016lx  APIC_BASE=%016lx\n", s->xcr0, s->apic_base);
}

void commands_dumpreg(int argc, char **argv)
{
	static struct vcpu_state state;
	struct guest_info info;
	u64 vcpu = 0;
	int error;

	if (!guests_find_on(argv[1], &info))
		return;
	if (argc > 2 && (config_number(argv[2], 0, VCPU_MAX, &vcpu) != 0 || vcpu >= info.vcpu_count)) {
		output_error("%s has no vCPU '%.20s': use 0 to %u", info.name, argv[2], info.vcpu_count - 1);
		return;
	}
	error = sys_guest_vcpu_state(info.id, (u32)vcpu, &state);
	if (error)
		output_error("the registers of %s cannot be read (%s): 'suspend' it and try again", info.name,
			     error_text(error));
	else
		print_state(&state);
}

static void print_row(u64 gpa, const u8 *bytes, size_t len)
{
	char line[96], *to = line;

	to += fmt_print(to, 16, "%012lx ", gpa);
	for (size_t i = 0; i < DUMP_ROW; i++)
		to += i < len ? fmt_print(to, 4, " %02x", bytes[i]) : fmt_print(to, 4, "   ");
	*to++ = ' ';
	*to++ = ' ';
	for (size_t i = 0; i < len; i++)
		*to++ = bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
	*to++ = '\n';
	output_text(line, (size_t)(to - line));
}

void commands_dumpmem(int argc, char **argv)
{
	u8 bytes[DUMP_ROW];
	struct guest_info info;
	u64 gpa, len;

	if (!guests_find_on(argv[1], &info))
		return;
	if (config_size(argv[2], &gpa) != 0 || gpa >= GPA_END) {
		output_error("'%.40s' is no guest-physical address: use 0x1000, 4096 or 4K", argv[2]);
		return;
	}
	if (config_size(argv[3], &len) != 0 || !len || len > DUMP_MAX) {
		output_error("'%.40s' is no length: use 1 to 64K", argv[3]);
		return;
	}
	while (len) {
		size_t n = MIN(len, DUMP_ROW);
		int error = sys_guest_peek(info.id, gpa, bytes, n);

		if (error) {
			output_error("%s has no memory at %lx (%s): see 'dominfo %s'", info.name, gpa,
				     error_text(error), info.name);
			return;
		}
		print_row(gpa, bytes, n);
		gpa += n;
		len -= n;
	}
}
