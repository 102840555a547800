/* Loads a Multiboot kernel: finds its header, places it, and builds the information structure in BOOT_AREA.
 * The kernel is entered in 32-bit protected mode; there is no framebuffer and no text screen to offer. */
#include "vmm/machine/multiboot.h"

#include "kernel/lib/string.h"
#include "vmm/machine/elf.h"
#include "vmm/machine/entry.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/ram.h"

#define SEARCH 8192            /* §3.1: the header lies in this many bytes */
#define HEADER_MAGIC 0x1badb002
#define LOADER_MAGIC 0x2badb002
#define REQUIRED 0xffff        /* §3.1.2: flags that a loader must know */
#define KNOWN 0x7              /* aligned modules, memory information, video mode (may be left out) */
#define FLAG_ADDRESSES BIT(16)

/* §3.3: which fields of the information are valid */
#define INFO_MEMORY BIT(0)
#define INFO_CMDLINE BIT(2)
#define INFO_MODULES BIT(3)
#define INFO_MMAP BIT(6)
#define INFO_LOADER_NAME BIT(9)

struct multiboot_header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	u32 syms[4], mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name;
	u32 rest[12];
};

struct multiboot_module {
	u32 start, end, string, reserved;
};

struct packed_struct multiboot_range {
	u32 size; /* of what follows */
	u64 base, len;
	u32 type;
};

/* The information and all that it points to, as it lies in guest memory at BOOT_INFO. */
struct multiboot_tables {
	struct multiboot_info info;
	struct multiboot_range mmap[RAM_RANGES];
	char loader_name[16];
	struct multiboot_module modules[1 + MODULES_MAX];
	char strings[1 + MODULES_MAX][sizeof(((struct settings *)0)->modules[0])];
	char cmdline[FILE_NAME_MAX + CMDLINE_MAX];
};

#define TABLES_AT(field) ((u32)(BOOT_INFO + offsetof(struct multiboot_tables, field)))

_Static_assert(BOOT_INFO + sizeof(struct multiboot_tables) <= BOOT_AREA_END - 1024, "leaves an entry stack");

/* The header and its place in the file; false if there is none.  §3.1: aligned to 4 bytes, the first three
 * words add up to 0. */
static bool multiboot_find(struct load *l, const struct image *kernel, struct multiboot_header *h, u64 *at)
{
	u64 size = MIN(kernel->info.size, SEARCH);

	for (u64 base = 0; base < size; base += sizeof(l->buffer)) {
		u64 len = MIN(size - base, sizeof(l->buffer));

		if (load_read(l, kernel, base, l->buffer, len))
			return false;
		for (*at = base; *at + 4 <= base + len; *at += 4) {
			u64 rest = kernel->info.size - *at;

			if (memcmp(l->buffer + (*at - base), &(u32){ HEADER_MAGIC }, 4) != 0 || rest < 12)
				continue;
			memset(h, 0, sizeof(*h));
			if (load_read(l, kernel, *at, h, MIN(rest, sizeof(*h))))
				return false;
			if (h->magic + h->flags + h->checksum == 0)
				return true;
		}
	}
	return false;
}

/* §3.1.3: a flat image that tells its own addresses. */
static int multiboot_load_flat(struct load *l, const struct image *kernel, const struct multiboot_header *h,
			       u64 at)
{
	u64 offset, len, room;
	int error;

	if (h->load_addr > h->header_addr || h->header_addr - h->load_addr > at)
		return load_fail(l, "kernel: its Multiboot header says it is loaded at 0x%x, the header at 0x%x",
				 h->load_addr, h->header_addr);
	offset = at - (h->header_addr - h->load_addr);
	len = kernel->info.size - offset;
	if (h->load_end_addr) {
		if (h->load_end_addr < h->load_addr)
			return load_fail(l, "kernel: its Multiboot header says it ends at 0x%x, before 0x%x",
					 h->load_end_addr, h->load_addr);
		len = h->load_end_addr - h->load_addr;
	}
	room = h->bss_end_addr > h->load_addr ? MAX(len, h->bss_end_addr - h->load_addr) : len;
	error = load_take(l, "kernel", h->load_addr, room);
	return error ? error : load_place(l, kernel, offset, len, h->load_addr);
}

static int multiboot_load_kernel(struct load *l, const struct image *kernel, const struct multiboot_header *h,
				 u64 at, u64 *entry)
{
	u64 end;

	if (h->flags & REQUIRED & ~KNOWN)
		return load_fail(l, "kernel: %.28s asks for unknown Multiboot features (flags %x)",
				 kernel->info.name, h->flags & REQUIRED);
	*entry = h->entry_addr;
	if (h->flags & FLAG_ADDRESSES)
		return multiboot_load_flat(l, kernel, h, at);
	if (!elf_check(l, kernel))
		return load_fail(l, "kernel: %.36s has a Multiboot header, but is no ELF for x86",
				 kernel->info.name);
	return elf_load(l, kernel, entry, &end);
}

/* text is "file arguments"; the module's string is all of it, as GRUB passes it. */
static int multiboot_add_module(struct load *l, struct multiboot_tables *t, const char *key, const char *text)
{
	u32 n = t->info.mods_count;
	char name[FILE_NAME_MAX] = "";
	struct image image;
	u64 base;
	int error;

	for (u32 i = 0; i < sizeof(name) - 1 && text[i] && text[i] != ' ' && text[i] != '\t'; i++)
		name[i] = text[i];
	error = load_open(l, key, name, &image);
	if (!error)
		error = load_take_high(l, key, image.info.size, UINT32_MAX, &base);
	if (!error)
		error = load_place(l, &image, 0, image.info.size, base);
	if (error)
		return error;
	str_copy(t->strings[n], sizeof(t->strings[n]), text);
	t->modules[n].start = (u32)base;
	t->modules[n].end = (u32)(base + image.info.size);
	t->modules[n].string = TABLES_AT(strings) + n * (u32)sizeof(t->strings[0]);
	t->info.mods_count++;
	return 0;
}

static int multiboot_add_modules(struct load *l, struct multiboot_tables *t)
{
	const struct settings *s = &l->m->settings;
	int error = 0;

	if (s->initrd[0])
		error = multiboot_add_module(l, t, "initrd", s->initrd);
	for (u32 i = 0; i < s->module_count && !error; i++)
		error = multiboot_add_module(l, t, "module", s->modules[i]);
	return error;
}

/* The command line begins with the kernel's name, as GRUB and QEMU pass it: kernels skip the first word. */
static void multiboot_fill_info(struct load *l, struct multiboot_tables *t, const char *name)
{
	u64 memory = l->m->info.memory;
	struct ram_range ranges[RAM_RANGES];
	u32 count = ram_ranges(memory, ranges);
	size_t len = strlen(name);

	for (u32 i = 0; i < count; i++)
		t->mmap[i] = (struct multiboot_range){ sizeof(t->mmap[0]) - 4, ranges[i].base, ranges[i].len,
						       ranges[i].type };
	memcpy(t->cmdline, name, len);
	t->cmdline[len] = ' ';
	str_copy(t->cmdline + len + 1, sizeof(t->cmdline) - len - 1, l->m->settings.cmdline);
	str_copy(t->loader_name, sizeof(t->loader_name), "Quire");
	t->info.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME;
	t->info.mem_lower = RAM_LOW_END / KIB;
	t->info.mem_upper = (u32)((ram_low_end(memory) - RAM_HIGH) / KIB);
	t->info.cmdline = TABLES_AT(cmdline);
	t->info.mods_addr = TABLES_AT(modules);
	t->info.mmap_length = count * sizeof(t->mmap[0]);
	t->info.mmap_addr = TABLES_AT(mmap);
	t->info.boot_loader_name = TABLES_AT(loader_name);
}

int multiboot_load(struct load *l, const struct image *kernel)
{
	static struct multiboot_tables tables; /* 7 KiB: not on a small stack; one load a process */
	u64 gpr[GPR_COUNT] = { [GPR_RAX] = LOADER_MAGIC, [GPR_RBX] = BOOT_INFO, [GPR_RSP] = BOOT_AREA_END };
	struct multiboot_header h;
	u64 at, entry;
	int error;

	if (!multiboot_find(l, kernel, &h, &at))
		return ERR_NOENT;
	memset(&tables, 0, sizeof(tables));
	error = multiboot_load_kernel(l, kernel, &h, at, &entry);
	if (!error && entry > UINT32_MAX)
		error = load_fail(l, "kernel: its entry 0x%lx is above 4 GiB", entry);
	if (!error)
		error = multiboot_add_modules(l, &tables);
	if (error)
		return error;
	multiboot_fill_info(l, &tables, kernel->info.name);
	error = load_write(l, BOOT_INFO, &tables, sizeof(tables));
	return error ? error : entry_prot32(l, entry, gpr);
}
