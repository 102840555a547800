/* The firmware as boot/ sees it: its tables, and the time that was spent waiting for it. */
#ifndef BOOT_FIRMWARE_H
#define BOOT_FIRMWARE_H

#include <efi.h>

#include "kernel/boot_info.h"

struct firmware {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *table;
	EFI_BOOT_SERVICES *boot; /* NULL once the firmware is left */
	EFI_LOADED_IMAGE *loaded;
	u64 tsc_hz;              /* roughly, for progress lines */
	u64 tsc_spent;           /* cycles in the firmware's file and console I/O */
};
extern struct firmware firmware;

/* Called by GNU-EFI's crt0 in the System V convention, after it has relocated the image. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

/* Fills firmware; false when the firmware does not even tell where it loaded us. */
bool firmware_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *table, struct boot_info *info);

/* The protocol's first instance, or NULL. */
void *firmware_protocol(EFI_GUID guid);

/* The address in the firmware's configuration table with this GUID, or 0. */
u64 firmware_config_table(EFI_GUID guid);

/* Pages below limit (0: anywhere), or 0. */
u64 firmware_alloc(u64 bytes, u64 limit);
void firmware_free(u64 address, u64 bytes);

#endif
