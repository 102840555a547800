/* What loaders share: files by name, guest memory that is taken once, pages that are mapped instead of
 * copied.  Runs before the first vCPU does: no locks. */
#include "vmm/machine/load.h"

#include <stdarg.h>

#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/linux.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/multiboot.h"
#include "vmm/machine/ram.h"

void load_init(struct load *l, const struct machine *m)
{
	memset(l, 0, sizeof(*l));
	l->m = m;
	l->taken[l->count++] = (struct load_range){ BOOT_AREA, BOOT_AREA_END - BOOT_AREA, "Quire's boot tables" };
}

int load_fail(struct load *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fmt_vprint(l->reason, sizeof(l->reason), format, args);
	va_end(args);
	return ERR_INVAL;
}

int load_open(struct load *l, const char *key, const char *name, struct image *image)
{
	for (image->index = 0; sys_file_info(image->index, &image->info) == 0; image->index++)
		if (strcmp(image->info.name, name) == 0) {
			if (image->info.size == 0)
				return load_fail(l, "%s: %.48s is empty", key, name);
			return 0;
		}
	return load_fail(l, "%s: %.48s was not loaded at boot", key, name);
}

int load_read(struct load *l, const struct image *image, u64 offset, void *buf, u64 len)
{
	u64 done = 0;

	if (offset > image->info.size || len > image->info.size - offset)
		return load_fail(l, "%.40s is truncated: it ends at byte %lu", image->info.name,
				 image->info.size);
	while (done < len) {
		s64 n = sys_file_read(image->index, offset + done, (u8 *)buf + done, len - done);

		if (n <= 0)
			return load_fail(l, "%.40s cannot be read at byte %lu", image->info.name,
					 (offset + done));
		done += n;
	}
	return 0;
}

/* The range that [base, base + len) overlaps, or NULL. */
static const struct load_range *load_overlap(const struct load *l, u64 base, u64 len)
{
	for (u32 i = 0; i < l->count; i++) {
		const struct load_range *r = &l->taken[i];

		if (base < r->base + r->len && r->base < base + len)
			return r;
	}
	return NULL;
}

int load_take(struct load *l, const char *what, u64 base, u64 len)
{
	const struct load_range *other;

	if (len == 0)
		return 0;
	if (!ram_contains(l->m->info.memory, base, len))
		return load_fail(l, "%s: 0x%lx bytes at 0x%lx do not fit into %llu MiB of RAM", what,
				 len, base, l->m->info.memory / MIB);
	other = load_overlap(l, base, len);
	if (other)
		return load_fail(l, "%s at 0x%lx overlaps the %s at 0x%lx", what, base,
				 other->what, other->base);
	if (l->count == LOAD_RANGES)
		return load_fail(l, "%s: too many pieces", what);
	l->taken[l->count++] = (struct load_range){ base, len, what };
	return 0;
}

int load_take_high(struct load *l, const char *what, u64 len, u64 limit, u64 *base)
{
	u64 end = ALIGN_DOWN(MIN(limit, ram_low_end(l->m->info.memory)), PAGE_SIZE);

	for (;;) {
		const struct load_range *other;

		if (len > end || end - ALIGN_UP(len, PAGE_SIZE) < RAM_HIGH || end < RAM_HIGH)
			return load_fail(l, "%s: no room for 0x%lx bytes in %llu MiB of RAM", what,
					 len, l->m->info.memory / MIB);
		*base = end - ALIGN_UP(len, PAGE_SIZE);
		other = load_overlap(l, *base, end - *base);
		if (!other)
			return load_take(l, what, *base, end - *base);
		end = ALIGN_DOWN(other->base, PAGE_SIZE);
	}
}

int load_write(struct load *l, u64 gpa, const void *buf, u64 len)
{
	int error = sys_guest_write(gpa, buf, len);

	if (error)
		return load_fail(l, "cannot write guest memory at 0x%lx: %s", gpa,
				 error_text(error));
	return 0;
}

static int copy_part(struct load *l, const struct image *image, u64 offset, u64 len, u64 gpa)
{
	for (u64 done = 0; done < len;) {
		u64 n = MIN(len - done, sizeof(l->buffer));
		int error = load_read(l, image, offset + done, l->buffer, n);

		if (!error)
			error = load_write(l, gpa + done, l->buffer, n);
		if (error)
			return error;
		done += n;
	}
	return 0;
}

/* Whole pages, as the file's frames if they are the guest's to map, and if so many parts can be; else as copies. */
static int map_part(struct load *l, const struct image *image, u64 offset, u64 len, u64 gpa)
{
	int error = len ? sys_guest_map(gpa, len, MAP_FILE, image->index, offset) : 0;

	if (error == ERR_EXIST || error == ERR_NOMEM)
		return copy_part(l, image, offset, len, gpa);
	if (error)
		return load_fail(l, "cannot map %.40s at 0x%lx: %s", image->info.name, gpa, error_text(error));
	return 0;
}

int load_place(struct load *l, const struct image *image, u64 offset, u64 len, u64 gpa)
{
	bool alike = ((offset ^ gpa) & ~PAGE_MASK) == 0;
	u64 head = alike ? MIN(ALIGN_UP(gpa, PAGE_SIZE) - gpa, len) : len, whole = (len - head) & PAGE_MASK;
	int error;

	if (offset > image->info.size || len > image->info.size - offset)
		return load_fail(l, "%.40s is truncated: it ends at byte %lu", image->info.name,
				 image->info.size);
	error = copy_part(l, image, offset, head, gpa);
	if (!error)
		error = map_part(l, image, offset + head, whole, gpa + head);
	if (!error)
		error = copy_part(l, image, offset + head + whole, len - head - whole, gpa + head + whole);
	return error;
}

/* Neither kind of kernel: says what it is instead. */
static int load_unknown(struct load *l, const struct image *image)
{
	const char *name = image->info.name;
	const u8 *b = l->buffer;

	memset(l->buffer, 0, 4);
	if (load_read(l, image, 0, l->buffer, MIN(image->info.size, 4)))
		return ERR_INVAL;
	if (memcmp(b, "\177ELF", 4) == 0)
		return load_fail(l, "kernel: %.36s is an ELF file without a Multiboot header", name);
	if (b[0] == 0x1f && b[1] == 0x8b)
		return load_fail(l, "kernel: %.36s is compressed by gzip: unpack it first", name);
	return load_fail(l, "kernel: %.26s is neither a Linux bzImage nor Multiboot (%02x %02x %02x %02x ...)",
			 name, b[0], b[1], b[2], b[3]);
}

int load_guest(struct load *l, u64 rsdp)
{
	struct image kernel;
	int error = load_open(l, "kernel", l->m->settings.kernel, &kernel);

	if (error)
		return error;
	error = linux_load(l, &kernel, rsdp);
	if (error == ERR_NOENT)
		error = multiboot_load(l, &kernel);
	return error == ERR_NOENT ? load_unknown(l, &kernel) : error;
}
