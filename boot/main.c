#include "arch/x86_64/registers.h"
#include "boot/exit.h"
#include "boot/firmware.h"
#include "boot/memory.h"

static struct boot_info info;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	info.tsc_start = rdtsc();
	if (!firmware_init(image, table, &info))
		return EFI_UNSUPPORTED;
	info.cpu_count = 1;
	info.cpus[0].boot = true;
	info.serial_kind = BOOT_SERIAL_PORT;
	info.serial_base = 0x3f8;
	info.serial_stride = 1;
	info.options = (struct boot_options){ .log_level = LOG_INFO, .x2apic = true, .serial_baud = 115200 };
	info.trampoline = firmware_alloc(PAGE_SIZE, 0xa0000);
	if (memory_init() || exit_firmware(&info))
		return EFI_OUT_OF_RESOURCES;
	exit_to_kernel(&info);
}
