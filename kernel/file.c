/* The table of loaded files. */
#include "kernel/file.h"

#include "kernel/frame.h"

static const struct boot_info *boot;

void file_init(const struct boot_info *info)
{
	boot = info;
}

const struct boot_file *file_get(u32 index)
{
	return index < boot->file_count ? &boot->files[index] : NULL;
}

const struct boot_file *file_config(void)
{
	return &boot->config;
}

u64 file_bytes(void)
{
	return frame_count(FRAME_FILE) * PAGE_SIZE;
}
