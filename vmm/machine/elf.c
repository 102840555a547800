/* Reads both classes of ELF into one form and places the segments at their physical addresses
 * (System V ABI, chapters 4 and 5). */
#include "vmm/machine/elf.h"

#include "kernel/lib/string.h"

#define CLASS_32 1
#define CLASS_64 2
#define DATA_LITTLE 1
#define TYPE_EXEC 2
#define MACHINE_386 3
#define MACHINE_X86_64 62
#define PT_LOAD 1
#define SEGMENTS_MAX 32

struct elf32_header {
	u8 ident[16];
	u16 type, machine;
	u32 version, entry, phoff, shoff, flags;
	u16 ehsize, phentsize, phnum;
};

struct elf64_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum;
};

struct elf32_segment {
	u32 type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct elf64_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

/* What is needed of either class. */
struct elf {
	bool wide;
	u64 entry, phoff;
	u32 phentsize, phnum;
};

static int elf_read_header(struct load *l, const struct image *image, struct elf *e)
{
	struct elf64_header h64;
	struct elf32_header h32;
	int error = load_read(l, image, 0, &h32, sizeof(h32));

	if (error)
		return error;
	e->wide = h32.ident[4] == CLASS_64;
	if (!e->wide) {
		e->entry = h32.entry;
		e->phoff = h32.phoff;
		e->phentsize = h32.phentsize;
		e->phnum = h32.phnum;
	} else {
		error = load_read(l, image, 0, &h64, sizeof(h64));
		if (error)
			return error;
		e->entry = h64.entry;
		e->phoff = h64.phoff;
		e->phentsize = h64.phentsize;
		e->phnum = h64.phnum;
	}
	if (h32.type != TYPE_EXEC)
		return load_fail(l, "kernel: %.36s is no ELF executable (type %u)", image->info.name, h32.type);
	if (e->phnum == 0 || e->phnum > SEGMENTS_MAX ||
	    e->phentsize < (e->wide ? sizeof(struct elf64_segment) : sizeof(struct elf32_segment)))
		return load_fail(l, "kernel: %.30s has %u ELF program headers of %u bytes", image->info.name,
				 e->phnum, e->phentsize);
	return 0;
}

bool elf_check(struct load *l, const struct image *image)
{
	struct elf32_header h;

	return load_read(l, image, 0, &h, sizeof(h)) == 0 && memcmp(h.ident, "\177ELF", 4) == 0 &&
	       (h.ident[4] == CLASS_32 || h.ident[4] == CLASS_64) && h.ident[5] == DATA_LITTLE &&
	       (h.machine == MACHINE_386 || h.machine == MACHINE_X86_64);
}

static int elf_read_segment(struct load *l, const struct image *image, const struct elf *e, u32 i,
			    struct elf64_segment *s)
{
	struct elf32_segment narrow;
	u64 offset;
	int error;

	if (e->phoff > image->info.size)
		return load_fail(l, "kernel: %.30s is truncated: no ELF program headers", image->info.name);
	offset = e->phoff + (u64)i * e->phentsize;
	if (e->wide)
		return load_read(l, image, offset, s, sizeof(*s));
	error = load_read(l, image, offset, &narrow, sizeof(narrow));
	*s = (struct elf64_segment){ narrow.type, narrow.flags, narrow.offset, narrow.vaddr, narrow.paddr,
				     narrow.filesz, narrow.memsz, narrow.align };
	return error;
}

/* The rest of a segment beyond the file's bytes is zero already: guest memory is fresh. */
int elf_load(struct load *l, const struct image *image, u64 *entry, u64 *end)
{
	struct elf e;
	struct elf64_segment s;
	int error = elf_read_header(l, image, &e);

	*entry = error ? 0 : e.entry;
	*end = 0;
	for (u32 i = 0; i < e.phnum && !error; i++) {
		error = elf_read_segment(l, image, &e, i, &s);
		if (error || s.type != PT_LOAD || s.memsz == 0)
			continue;
		if (s.filesz > s.memsz)
			return load_fail(l, "kernel: ELF segment %u has more bytes in the file than in memory", i);
		error = load_take(l, "kernel", s.paddr, s.memsz);
		if (!error)
			error = load_place(l, image, s.offset, s.filesz, s.paddr);
		if (e.entry >= s.vaddr && e.entry - s.vaddr < s.memsz)
			*entry = e.entry - s.vaddr + s.paddr;
		if (!error)
			*end = MAX(*end, s.paddr + s.memsz);
	}
	if (!error && *end == 0)
		return load_fail(l, "kernel: %.36s has nothing to load", image->info.name);
	return error;
}
