/* Reading files through EFI_SIMPLE_FILE_SYSTEM_PROTOCOL, whole, into pages of their own.  A file that cannot
 * be had is a message with the configuration's line; it never stops the boot. */
#include "boot/files.h"

#include "arch/x86_64/registers.h"
#include "boot/console.h"
#include "boot/firmware.h"
#include "boot/options.h"
#include "boot/paths.h"
#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define CONFIG_SIZE_MAX MIB
#define CHUNK (32 * MIB) /* some firmware fails at larger reads */

static EFI_FILE_HANDLE volume;

static const char *open_volume(void)
{
	EFI_GUID guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
	EFI_FILE_IO_INTERFACE *fs;

	if (EFI_ERROR(firmware.boot->HandleProtocol(firmware.loaded->DeviceHandle, &guid, (void **)&fs)))
		return "the volume that Quire was loaded from has no file system";
	return EFI_ERROR(fs->OpenVolume(fs, &volume)) ? "the boot volume cannot be opened" : NULL;
}

/* Puts the size into *size; NULL or the reason. */
static const char *get_size(EFI_FILE_HANDLE file, u64 *size)
{
	EFI_GUID guid = EFI_FILE_INFO_ID;
	union {
		EFI_FILE_INFO info;
		u8 bytes[sizeof(EFI_FILE_INFO) + 512 * sizeof(CHAR16)];
	} buffer;
	UINTN len = sizeof(buffer);

	if (EFI_ERROR(file->GetInfo(file, &guid, &len, &buffer)))
		return "the firmware does not tell its size";
	if (buffer.info.Attribute & EFI_FILE_DIRECTORY)
		return "is a folder";
	*size = buffer.info.FileSize;
	return *size ? NULL : "is empty";
}

static const char *read_all(EFI_FILE_HANDLE file, u64 to, u64 size)
{
	for (u64 done = 0; done < size;) {
		UINTN len = MIN(size - done, CHUNK);

		if (EFI_ERROR(file->Read(file, &len, (void *)(to + done))) || len == 0 || len > size - done)
			return "cannot be read";
		done += len;
	}
	return NULL;
}

/* Reads a file into new pages; out is filled only when NULL, not a reason, is returned. */
static const char *read_file(const u16 *path, u64 max, struct boot_file *out)
{
	EFI_FILE_HANDLE file;
	const char *reason;
	u64 size, to;
	EFI_STATUS status = volume->Open(volume, &file, (CHAR16 *)path, EFI_FILE_MODE_READ, 0);

	if (EFI_ERROR(status))
		return status == EFI_NOT_FOUND ? "not found" : "cannot be opened";
	reason = get_size(file, &size);
	if (!reason && size > max)
		reason = "is too large";
	if (!reason) {
		to = firmware_alloc(size, 0);
		reason = to ? read_all(file, to, size) : "does not fit in memory";
		if (to && reason)
			firmware_free(to, size);
	}
	file->Close(file);
	if (reason)
		return reason;
	memset((void *)(to + size), 0, ALIGN_UP(size, PAGE_SIZE) - size);
	out->base = to;
	out->size = size;
	return NULL;
}

static const char *read_named(const char *name, u64 max, struct boot_file *out)
{
	u16 path[PATH_MAX];
	const char *reason = paths_make(path, name);
	u64 start = rdtsc();

	if (!reason)
		reason = volume ? read_file(path, max, out) : "there is no boot volume";
	firmware.tsc_spent += rdtsc() - start;
	return reason;
}

void files_read_config(struct boot_info *info)
{
	const char *reason;

	if (!paths_find_config(firmware.loaded->LoadOptions, firmware.loaded->LoadOptionsSize / sizeof(u16),
			       info->config.name))
		str_copy(info->config.name, sizeof(info->config.name), "quire.conf");
	reason = open_volume();
	if (!reason)
		reason = read_named(info->config.name, CONFIG_SIZE_MAX, &info->config);
	if (reason)
		options_complain(info, 0, "%s", reason);
}

static bool is_loaded(const struct boot_info *info, const char *name)
{
	for (u32 i = 0; i < info->file_count; i++)
		if (!strcmp(info->files[i].name, name))
			return true;
	return false;
}

static void load(struct boot_info *info, const char *name, u32 line)
{
	struct boot_file *file = &info->files[info->file_count];
	const char *reason = NULL;
	u64 start = rdtsc(), us;

	if (is_loaded(info, name))
		return;
	if (info->file_count == BOOT_FILES_MAX)
		reason = "more than 64 files";
	if (!reason)
		reason = read_named(name, ~0ull >> 1, file);
	if (reason) {
		options_complain(info, line, "%s: %s", name, reason);
		console_print_messages(info);
		return;
	}
	str_copy(file->name, sizeof(file->name), name);
	info->file_count++;
	us = (rdtsc() - start) / MAX(firmware.tsc_hz / 1000000, 1ul);
	console_print("Quire: loaded %s, %lu KiB in %lu.%lu ms\n", name,
		      file->size / 1024 + !!(file->size % 1024), us / 1000, us / 100 % 10);
}

void files_load(struct boot_info *info)
{
	static struct config_item item; /* too large for the firmware's stack */
	struct config config;

	config_init(&config, (const char *)info->config.base, info->config.size);
	for (config_next(&config, &item); item.kind != CONFIG_END; config_next(&config, &item)) {
		bool host = !strcmp(item.section, "host"), guest = !strcmp(item.section, "guest");
		bool module = guest && !strcmp(item.key, "module");

		if (item.kind != CONFIG_PAIR)
			continue;
		if (module && strchr(item.value, ' ')) /* "file arguments" */
			*strchr(item.value, ' ') = 0;
		if (module || (host && !strcmp(item.key, "preload")) ||
		    (guest && (!strcmp(item.key, "kernel") || !strcmp(item.key, "initrd"))))
			load(info, item.value, item.line);
	}
}
