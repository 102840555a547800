/* ExitBootServices and what follows it.  The key names the map that we saw last; a timer of the firmware may
 * change the map between the two calls, so both are repeated.  After the first try only these are legal. */
#include "boot/exit.h"

#include "arch/x86_64/registers.h"
#include "boot/firmware.h"
#include "boot/gather.h"
#include "boot/memory.h"

#define TRIES 16
#define STACK_SIZE (64 * KIB)

static u8 stack[STACK_SIZE] __attribute__((aligned(4096)));

int exit_firmware(struct boot_info *info)
{
	info->wall_clock = gather_wall_clock();
	for (int i = 0; i < TRIES; i++) {
		u64 key;
		int error = memory_read(info, &key);

		if (error)
			return error;
		if (!EFI_ERROR(firmware.boot->ExitBootServices(firmware.image, key))) {
			cli();
			firmware.boot = NULL;
			info->tsc_exit = rdtsc();
			info->tsc_firmware = firmware.tsc_spent;
			return 0;
		}
	}
	return ERR_STATE;
}

_Noreturn void exit_to_kernel(struct boot_info *info)
{
	__asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1\n\tud2"
			 : : "r"(stack + STACK_SIZE), "r"(kernel_main), "D"(info) : "memory");
	__builtin_unreachable();
}
