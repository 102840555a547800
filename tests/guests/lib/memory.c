/* What the Multiboot information says, and the guest's beginning in C. */
#include "tests/guests/lib/guest.h"

#define MULTIBOOT_MAGIC 0x2badb002

struct range ram[RANGES_MAX];
u32 ram_count;
struct range modules_at;

struct multiboot {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	u32 mmap_length, mmap_addr;
};

struct __attribute__((packed)) mmap_entry {
	u32 size;
	u64 base, len;
	u32 type;
};

static void add_ram(u64 base, u64 len)
{
	u64 end = base + len;

	if (end > 1ull << 32)
		end = 1ull << 32;
	if (base < end && ram_count < RANGES_MAX)
		ram[ram_count++] = (struct range){ base, end };
}

static void read_map(const struct multiboot *info)
{
	u64 at = info->mmap_addr, end = at + info->mmap_length;

	if (!(info->flags & 1 << 6)) {
		add_ram(0x100000, (u64)info->mem_upper << 10);
		return;
	}
	while (at < end) {
		const struct mmap_entry *e = (const struct mmap_entry *)at;

		if (e->type == 1)
			add_ram(e->base, e->len);
		at += e->size + 4;
	}
}

static void read_modules(const struct multiboot *info)
{
	const u32 *module = (const u32 *)(u64)info->mods_addr;

	if (!(info->flags & 1 << 3))
		return;
	for (u32 i = 0; i < info->mods_count; i++, module += 4) {
		if (!modules_at.end || module[0] < modules_at.base)
			modules_at.base = module[0];
		if (module[1] > modules_at.end)
			modules_at.end = module[1];
	}
}

void guest_main(u32 magic, u64 information)
{
	const struct multiboot *info = (const struct multiboot *)information;

	if (magic == MULTIBOOT_MAGIC) {
		if (info->flags & 1 << 2)
			command_line = (const char *)(u64)info->cmdline;
		read_map(info);
		read_modules(info);
	}
	trap_load();
	print("START %s\n", command_line);
	check_equal(magic, MULTIBOOT_MAGIC, "multiboot magic");
	main(command_line);
	finish();
}
