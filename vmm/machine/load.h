/* Loading a guest's files: what every loader needs.  Nothing in a file is believed: each address is first
 * taken, which checks that it is RAM and that nobody else has it. */
#ifndef VMM_MACHINE_LOAD_H
#define VMM_MACHINE_LOAD_H

#include "kernel/abi.h"
#include "vmm/machine/settings.h"

struct machine;

/* Low memory that the loaders build their tables in; free again once the kernel has read them. */
#define BOOT_AREA 0x1000ull
#define BOOT_AREA_END 0x10000ull
#define BOOT_GDT 0x1000ull
#define BOOT_PAGE_TABLES 0x2000ull  /* six pages: entry.c */
#define BOOT_INFO 0x8000ull         /* Linux's zero page, Multiboot's information and all of its strings */
#define BOOT_CMDLINE 0x9000ull      /* Linux's */

#define LOAD_RANGES 64
#define LOAD_REASON 96

struct load {
	const struct machine *m;
	struct load_range {
		u64 base, len;
		const char *what;
	} taken[LOAD_RANGES];
	u32 count;
	char reason[LOAD_REASON]; /* for the operator, when a function returned an error */
	_Alignas(8) u8 buffer[PAGE_SIZE];
};

struct image {
	u32 index;             /* for SYS_FILE_READ */
	struct file_info info;
};

void load_init(struct load *l, const struct machine *m);

/* All return 0 or a negative error with l->reason filled. */

int load_fail(struct load *l, const char *format, ...) printf_like(2, 3);

/* The loaded file of that name; key is the setting that named it. */
int load_open(struct load *l, const char *key, const char *name, struct image *image) must_check;

/* Exactly len bytes at offset. */
int load_read(struct load *l, const struct image *image, u64 offset, void *buf, u64 len) must_check;

/* Reserves guest memory: usable RAM that is not taken. */
int load_take(struct load *l, const char *what, u64 base, u64 len) must_check;

/* The highest page-aligned place for len bytes that ends at or below limit (exclusive), taken. */
int load_take_high(struct load *l, const char *what, u64 len, u64 limit, u64 *base) must_check;

/* Puts len bytes at offset of the file to gpa, which was taken: whole pages are mapped and shared with all
 * of the share group who use the file if both sides are as far from a page's beginning, the rest is copied. */
int load_place(struct load *l, const struct image *image, u64 offset, u64 len, u64 gpa) must_check;

int load_write(struct load *l, u64 gpa, const void *buf, u64 len) must_check;

/* Loads the guest of l->m's settings and sets vCPU 0 to its entry. */
int load_guest(struct load *l, u64 rsdp) must_check;

#endif
