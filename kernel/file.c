/* The table of loaded files. */
#include "kernel/file.h"

#include "kernel/frame.h"
#include "kernel/lib/string.h"

static const struct boot_info *boot;

void file_init(const struct boot_info *info)
{
	boot = info;
}

const struct boot_file *file_get(u32 index)
{
	return index < boot->file_count ? &boot->files[index] : NULL;
}

static bool is_border(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '=' || c == '"' || c == 0;
}

bool file_named_in(const char *definition, u32 len, const char *name)
{
	size_t n = strlen(name);

	for (u32 i = 1; n && i + n <= len; i++)
		if (is_border(definition[i - 1]) && is_border(i + n < len ? definition[i + n] : 0) &&
		    !memcmp(definition + i, name, n))
			return true;
	return false;
}

const struct boot_file *file_config(void)
{
	return &boot->config;
}

u64 file_bytes(void)
{
	return frame_count(FRAME_FILE) * PAGE_SIZE;
}

u64 file_frames_mapped(void)
{
	u64 n = 0;

	for (u32 i = 0; i < boot->file_count; i++) {
		const struct boot_file *f = &boot->files[i];

		for (u64 at = f->base; at < f->base + f->size; at += PAGE_SIZE)
			n += frame_refs((hpa_t){ at }) > 1; /* one is the file's own */
	}
	return n;
}
