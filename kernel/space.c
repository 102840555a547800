/* The kernel's identity map and processes' roots.  Built once by the boot CPU; afterwards only
 * space_set_exec changes the kernel's half, before other CPUs or guests run. */
#include "kernel/space.h"

#include "arch/x86_64/registers.h"
#include "kernel/frame.h"
#include "kernel/host_cpu.h"
#include "kernel/lib/string.h"

static const struct table_format *const format = &table_format_host;
static hpa_t kernel_root;
static u64 kernel_tables;

/* Section borders, from boot/quire.lds. */
extern const u8 image_text_start[], image_text_end[], image_rodata_start[], image_rodata_end[];

static bool inside(u64 address, const u8 *start, const u8 *end)
{
	return address >= ALIGN_DOWN((u64)start, PAGE_SIZE) && address < (u64)end;
}

static u32 image_perms(u64 address)
{
	if (inside(address, image_text_start, image_text_end))
		return PERM_READ | PERM_EXEC;
	if (inside(address, image_rodata_start, image_rodata_end))
		return PERM_READ;
	return PERM_READ | PERM_WRITE;
}

/* Does [base, base+len) hold RAM? */
static bool holds_ram(const struct boot_info *info, u64 base, u64 len)
{
	for (u32 i = 0; i < info->range_count; i++) {
		const struct boot_range *r = &info->ranges[i];

		if (r->kind != BOOT_RANGE_MMIO && r->base < base + len && base < r->base + r->len)
			return true;
	}
	return false;
}

static int map_small_pages(const struct boot_info *info, u64 base)
{
	for (u64 at = base; at < base + table_span(1); at += PAGE_SIZE) {
		bool image = at >= info->image_base && at < info->image_base + info->image_size;
		u64 *entry = table_make(format, kernel_root, at, 0, &kernel_tables);

		if (!entry)
			return ERR_NOMEM;
		if (at) /* page 0 stays absent */
			*entry = table_leaf(format, (hpa_t){ at }, 0,
					    image ? image_perms(at) : PERM_READ | PERM_WRITE);
	}
	return 0;
}

static int map_block(const struct boot_info *info, u64 base)
{
	u64 span = table_span(1);
	bool image = base < info->image_base + info->image_size && info->image_base < base + span;
	u64 *entry;

	if (image || base == 0)
		return map_small_pages(info, base);
	entry = table_make(format, kernel_root, base, 1, &kernel_tables);
	if (!entry)
		return ERR_NOMEM;
	*entry = table_leaf(format, (hpa_t){ base }, 1, PERM_READ | PERM_WRITE |
			    (holds_ram(info, base, span) ? 0 : PERM_UNCACHED));
	return 0;
}

static u64 top_of(const struct boot_info *info)
{
	u64 top = 4 * GIB;

	for (u32 i = 0; i < info->range_count; i++)
		top = MAX(top, info->ranges[i].base + info->ranges[i].len);
	if (info->framebuffer.base)
		top = MAX(top, info->framebuffer.base + info->framebuffer.size);
	return MIN(ALIGN_UP(top, table_span(1)), SPACE_USER_BASE);
}

void space_init(const struct boot_info *info)
{
	u64 top = top_of(info);

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	kernel_root = frame_alloc_zero(0, FRAME_TABLE);
	for (u64 base = 0; base < top; base += table_span(1))
		if (map_block(info, base))
			return; /* stays on the firmware's tables; main.c finds no root and says so */
	cr3_write(kernel_root.v);
}

hpa_t space_kernel_root(void)
{
	return kernel_root;
}

hpa_t space_create(void)
{
	hpa_t root = frame_alloc_zero(0, FRAME_TABLE);

	if (root.v)
		memcpy(hpa_pointer(root), hpa_pointer(kernel_root), SPACE_USER_SLOT * 8);
	return root;
}

void space_switch(hpa_t root)
{
	struct host_cpu *cpu = host_cpu();

	if (cpu->root == root.v)
		return;
	cr3_write(root.v);
	__atomic_store_n(&cpu->root, root.v, __ATOMIC_RELEASE); /* only now the former one may go */
}

void space_put(hpa_t root)
{
	for (u32 i = 0; i < host_cpu_count; i++)
		while (__atomic_load_n(&host_cpus[i]->root, __ATOMIC_ACQUIRE) == root.v)
			pause();
	table_free(format, root, SPACE_USER_SLOT);
}

int space_map(hpa_t root, u64 address, hpa_t at, u32 perms, u64 *tables)
{
	u64 *entry = table_make(format, root, address, 0, tables);

	if (!entry)
		return ERR_NOMEM;
	*entry = table_leaf(format, at, 0, perms | PERM_USER);
	return 0;
}

int space_set_exec(u64 base, u64 len, bool exec)
{
	for (u64 at = ALIGN_DOWN(base, PAGE_SIZE); at < base + len; at += PAGE_SIZE) {
		u32 level;
		u64 *entry = table_find(format, kernel_root, at, &level);

		while (level) {
			if (table_split(format, entry, level, &kernel_tables))
				return ERR_NOMEM;
			entry = table_find(format, kernel_root, at, &level);
		}
		*entry = exec ? *entry & ~format->no_exec : *entry | format->no_exec;
		invlpg(at);
	}
	return 0;
}
