/* Loads a bzImage by protocol 2.06 or later, at its 64-bit entry where it has one, else its 32-bit entry.
 * Nothing of the real-mode part is run: its header is read, completed and handed over in the zero page. */
#include "vmm/machine/linux.h"

#include "kernel/lib/string.h"
#include "vmm/machine/entry.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/ram.h"

#define SECTOR 512
#define HEADER_START 0x1f1
#define HEADER_END_MAX 0x290 /* other fields of the zero page begin there */
#define BOOT_MAGIC 0xaa55
#define HEADER_MAGIC 0x53726448 /* "HdrS" */

#define LOADFLAGS_HIGH BIT(0)      /* loadflags: the protected-mode part belongs at 1 MiB or above */
#define XLF_KERNEL_64 BIT(0)       /* xloadflags: there is a 64-bit entry at +200h */
#define ENTRY_64 0x200
#define LOADER_UNKNOWN 0xff        /* type_of_loader: no number is assigned to us */
#define VIDEO_NORMAL 0xffff

/* The setup header, at 1f1h of the file and of the zero page. */
struct packed_struct linux_header {
	u8 setup_sects;
	u16 root_flags;
	u32 syssize; /* of the protected-mode part, in 16 bytes */
	u16 ram_size, vid_mode, root_dev, boot_flag;
	u8 jump, jump_offset;
	u32 header;
	u16 version;
	u32 realmode_switch;
	u16 start_sys_seg, kernel_version;
	u8 type_of_loader, loadflags;
	u16 setup_move_size;
	u32 code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	u16 heap_end_ptr;
	u8 ext_loader_ver, ext_loader_type;
	u32 cmd_line_ptr, initrd_addr_max;
	u32 kernel_alignment;
	u8 relocatable_kernel, min_alignment;
	u16 xloadflags;
	u32 cmdline_size, hardware_subarch;
	u64 hardware_subarch_data;
	u32 payload_offset, payload_length;
	u64 setup_data, pref_address;
	u32 init_size;
};

struct packed_struct linux_e820 {
	u64 base, len;
	u32 type;
};

/* The zero page: what we fill of it. */
struct packed_struct linux_params {
	u8 screen_info[0x70]; /* all zero: there is no screen */
	u64 acpi_rsdp_addr;
	u8 unused1[0x1e8 - 0x78];
	u8 e820_entries;
	u8 unused2[HEADER_START - 0x1e9];
	union {
		struct linux_header header;
		u8 header_bytes[0x2d0 - HEADER_START];
	};
	struct linux_e820 e820[128];
	u8 unused3[PAGE_SIZE - 0x2d0 - 128 * 20];
};

_Static_assert(offsetof(struct linux_header, init_size) + HEADER_START == 0x260, "linux_header");
_Static_assert(offsetof(struct linux_params, e820) == 0x2d0, "linux_params");
_Static_assert(sizeof(struct linux_params) == PAGE_SIZE, "linux_params");

/* One kernel that is being loaded. */
struct linux_kernel {
	const struct image *image;
	struct linux_params params;  /* as they will be handed over */
	u64 payload, payload_len;    /* the protected-mode part in the file */
	u64 base;                    /* and in guest memory */
};

/* Copies the header as far as this kernel's version of it goes: what is beyond stays zero. */
static int linux_read_header(struct load *l, struct linux_kernel *k)
{
	struct linux_header *h = &k->params.header;
	u8 raw[HEADER_END_MAX - HEADER_START] = { 0 };
	const struct linux_header *file = (const struct linux_header *)raw;
	u64 size = k->image->info.size, end;

	if (size < 0x208 || load_read(l, k->image, HEADER_START, raw, MIN(size - HEADER_START, sizeof(raw))))
		return ERR_NOENT;
	if (file->boot_flag != BOOT_MAGIC || file->header != HEADER_MAGIC)
		return ERR_NOENT;
	end = 0x202 + (u64)file->jump_offset;
	if (end > HEADER_END_MAX || end > size)
		end = MIN(size, HEADER_END_MAX);
	memcpy(h, raw, end - HEADER_START);
	if (h->version < 0x206 || !(h->loadflags & LOADFLAGS_HIGH))
		return load_fail(l, "kernel: %.28s has boot protocol %u.%02u, 2.06 with bzImage is needed",
				 k->image->info.name, h->version >> 8, h->version & 0xff);
	return 0;
}

/* Finds the protected-mode part.  The file may go on behind it (a Secure Boot signature does). */
static int linux_find_payload(struct load *l, struct linux_kernel *k)
{
	const struct linux_header *h = &k->params.header;
	u64 size = k->image->info.size, declared = (u64)h->syssize * 16;

	k->payload = ((h->setup_sects ? h->setup_sects : 4) + 1) * SECTOR;
	if (declared == 0)
		return load_fail(l, "kernel: %.40s says that it has no code", k->image->info.name);
	if (size <= k->payload || declared - MIN(declared, 15) > size - k->payload)
		return load_fail(l, "kernel: %.30s is truncated: %lu bytes of %lu", k->image->info.name,
				 size, (k->payload + declared));
	k->payload_len = MIN(declared, size - k->payload);
	return 0;
}

/* Where it wants to be.  A kernel that is loaded below its preferred address moves itself up to it, so
 * anywhere lower would not make it fit into less memory.  init_size: what it uses before it reads e820. */
static int linux_place(struct load *l, struct linux_kernel *k)
{
	struct linux_header *h = &k->params.header;
	bool sized = h->version >= 0x20a;
	u64 align = h->kernel_alignment;
	u64 room = MAX(k->payload_len, sized ? (u64)h->init_size : 0);
	int error;

	k->base = sized ? h->pref_address : RAM_HIGH;
	if (h->relocatable_kernel && align) {
		if (align & (align - 1))
			return load_fail(l, "kernel: %.30s wants an alignment of 0x%lx", k->image->info.name,
					 align);
		if (k->base <= UINT32_MAX)
			k->base = ALIGN_UP(k->base, align);
	}
	if (k->base < RAM_HIGH || k->base > UINT32_MAX)
		return load_fail(l, "kernel: %.30s wants to be loaded at 0x%lx", k->image->info.name,
				 k->base);
	error = load_take(l, "kernel", k->base, room);
	if (!error)
		error = load_place(l, k->image, k->payload, k->payload_len, k->base);
	h->code32_start = (u32)k->base;
	return error;
}

static int linux_load_initrd(struct load *l, struct linux_kernel *k)
{
	struct linux_header *h = &k->params.header;
	struct image initrd;
	u64 base;
	int error;

	h->ramdisk_image = h->ramdisk_size = 0;
	if (!l->m->settings.initrd[0])
		return 0;
	error = load_open(l, "initrd", l->m->settings.initrd, &initrd);
	if (!error)
		error = load_take_high(l, "initrd", initrd.info.size, (u64)h->initrd_addr_max + 1, &base);
	if (!error)
		error = load_place(l, &initrd, 0, initrd.info.size, base);
	if (!error) {
		h->ramdisk_image = (u32)base;
		h->ramdisk_size = (u32)initrd.info.size;
	}
	return error;
}

static int linux_put_cmdline(struct load *l, struct linux_kernel *k)
{
	struct linux_header *h = &k->params.header;
	const char *cmdline = l->m->settings.cmdline;
	size_t len = strlen(cmdline);

	if (len > h->cmdline_size)
		return load_fail(l, "cmdline: %zu bytes, but %.30s takes at most %u", len, k->image->info.name,
				 h->cmdline_size);
	h->cmd_line_ptr = BOOT_CMDLINE;
	return load_write(l, BOOT_CMDLINE, cmdline, len + 1);
}

static int linux_put_params(struct load *l, struct linux_kernel *k, u64 rsdp)
{
	struct linux_params *p = &k->params;
	struct ram_range ranges[RAM_RANGES];
	u32 count = ram_ranges(l->m->info.memory, ranges);

	p->acpi_rsdp_addr = rsdp;
	p->header.type_of_loader = LOADER_UNKNOWN;
	p->header.ext_loader_ver = p->header.ext_loader_type = 0;
	p->header.vid_mode = VIDEO_NORMAL;
	p->header.setup_data = 0;
	for (u32 i = 0; i < count; i++)
		p->e820[i] = (struct linux_e820){ ranges[i].base, ranges[i].len, ranges[i].type };
	p->e820_entries = (u8)count;
	return load_write(l, BOOT_INFO, p, sizeof(*p));
}

int linux_load(struct load *l, const struct image *kernel, u64 rsdp)
{
	static struct linux_kernel k; /* a page and more: not on a small stack; one load a process */
	u64 gpr[GPR_COUNT] = { [GPR_RSI] = BOOT_INFO, [GPR_RSP] = BOOT_AREA_END };
	int error;

	memset(&k, 0, sizeof(k));
	k.image = kernel;
	error = linux_read_header(l, &k);
	if (!error)
		error = linux_find_payload(l, &k);
	if (!error && l->m->settings.module_count)
		error = load_fail(l, "module: %.40s is a Linux kernel, which takes an initrd only",
				  kernel->info.name);
	if (!error)
		error = linux_place(l, &k);
	if (!error)
		error = linux_load_initrd(l, &k);
	if (!error)
		error = linux_put_cmdline(l, &k);
	if (!error)
		error = linux_put_params(l, &k, rsdp);
	if (error)
		return error;
	if (k.params.header.version >= 0x20c && k.params.header.xloadflags & XLF_KERNEL_64)
		return entry_long(l, k.base + ENTRY_64, gpr);
	return entry_prot32(l, k.base, gpr);
}
