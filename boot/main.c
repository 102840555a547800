/* Quire begins here, as a UEFI program: learn what the machine is, load what the operator named, leave the
 * firmware, go on in kernel_main.  One processor, and nothing here runs after that. */
#include "arch/x86_64/registers.h"
#include "boot/check.h"
#include "boot/console.h"
#include "boot/exit.h"
#include "boot/files.h"
#include "boot/firmware.h"
#include "boot/gather.h"
#include "boot/memory.h"
#include "boot/options.h"
#include "boot/platform.h"
#include "boot/serial.h"

#define LOW_MEMORY_END 0xa0000 /* above it are video memory and ROMs */
#define READING_TIME_US 3000000

static struct boot_info info;

/* Back to the firmware, after a moment in which the reason can be read. */
static EFI_STATUS give_up(EFI_STATUS status)
{
	firmware.boot->Stall(READING_TIME_US);
	firmware.boot->Exit(firmware.image, status, 0, NULL);
	return status;
}

static void open_consoles(void)
{
	struct serial_choice serial;

	files_read_config(&info);
	options_read(&info, &serial);
	serial_init(&info, &serial);
	console_open(&info);
	console_print("Quire: started by the firmware\n");
	if (info.config.size)
		console_print("Quire: read %s, %lu bytes\n", info.config.name, info.config.size);
	console_print_messages(&info);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	u64 key;

	info.tsc_start = rdtsc();
	if (!firmware_init(image, table, &info) || memory_init() || memory_read(&info, &key))
		return EFI_OUT_OF_RESOURCES;
	platform_init(&info);
	open_consoles();
	if (!check_machine(&info))
		return give_up(EFI_UNSUPPORTED);

	files_load(&info);
	platform_read_cpus(&info);
	gather_framebuffer(&info);
	gather_entropy(&info);
	gather_runtime(&info);
	info.trampoline = firmware_alloc(PAGE_SIZE, LOW_MEMORY_END);

	if (exit_firmware(&info)) {
		console_print("Quire: the firmware does not let go (ExitBootServices fails)\n");
		return give_up(EFI_ABORTED);
	}
	platform_read_nodes(&info);
	exit_to_kernel(&info);
}
