/* Where a process begins: RDI has the address of struct abi_info, RSP the top of a stack.  No arguments, no
 * environment, no constructors: the info is kept for the clock and main runs. */
#include "vmm/lib/sys.h"

const struct abi_info *sys_abi;

int main(void);

_Noreturn __attribute__((used)) static void start_main(const struct abi_info *abi)
{
	sys_abi = abi;
	sys_exit(main());
}

__asm__(".pushsection .text.start, \"ax\"\n"
	".globl _start\n"
	".type _start, @function\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	and $-16, %rsp\n"
	"	call start_main\n"
	"	ud2\n"
	".popsection\n");
