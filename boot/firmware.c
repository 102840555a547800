/* Thin helpers over the firmware's tables.  Runs on one CPU, before ExitBootServices only. */
#include "boot/firmware.h"

#include "arch/x86_64/registers.h"
#include "kernel/lib/string.h"

#define CALIBRATION_US 500

struct firmware firmware;

bool firmware_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *table, struct boot_info *info)
{
	EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
	u64 start;

	firmware.image = image;
	firmware.table = table;
	firmware.boot = table->BootServices;
	if (EFI_ERROR(firmware.boot->HandleProtocol(image, &guid, (void **)&firmware.loaded)))
		return false;
	info->image_base = (u64)firmware.loaded->ImageBase;
	info->image_size = ALIGN_UP(firmware.loaded->ImageSize, PAGE_SIZE);
	firmware.boot->SetWatchdogTimer(0, 0, 0, NULL);
	start = rdtsc();
	firmware.boot->Stall(CALIBRATION_US);
	firmware.tsc_hz = (rdtsc() - start) * (1000000 / CALIBRATION_US);
	return true;
}

void *firmware_protocol(EFI_GUID guid)
{
	void *found = NULL;

	return EFI_ERROR(firmware.boot->LocateProtocol(&guid, NULL, &found)) ? NULL : found;
}

u64 firmware_config_table(EFI_GUID guid)
{
	for (UINTN i = 0; i < firmware.table->NumberOfTableEntries; i++)
		if (!memcmp(&firmware.table->ConfigurationTable[i].VendorGuid, &guid, sizeof(guid)))
			return (u64)firmware.table->ConfigurationTable[i].VendorTable;
	return 0;
}

u64 firmware_alloc(u64 bytes, u64 limit)
{
	EFI_PHYSICAL_ADDRESS address = limit - 1;
	UINTN pages = bytes / PAGE_SIZE + !!(bytes % PAGE_SIZE);
	EFI_ALLOCATE_TYPE how = limit ? AllocateMaxAddress : AllocateAnyPages;

	return EFI_ERROR(firmware.boot->AllocatePages(how, EfiLoaderData, pages, &address)) ? 0 : address;
}

void firmware_free(u64 address, u64 bytes)
{
	firmware.boot->FreePages(address, bytes / PAGE_SIZE + !!(bytes % PAGE_SIZE));
}
