/* Loading the embedded programs. */
#include "kernel/program.h"

#include "kernel/clock.h"
#include "kernel/frame.h"
#include "kernel/host_cpu.h"
#include "kernel/lib/string.h"
#include "kernel/process.h"
#include "kernel/space.h"

struct elf_header { /* ELF-64, System V ABI */
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

#define SEGMENT_LOAD 1
#define SEGMENT_EXEC 1
#define SEGMENT_WRITE 2

static hpa_t abi_page;

int program_init(void)
{
	struct abi_info *abi;

	abi_page = frame_alloc_zero(0, FRAME_KERNEL);
	if (!abi_page.v)
		return ERR_NOMEM;
	abi = hpa_pointer(abi_page);
	clock_abi(abi);
	abi->cpu_count = host_cpu_count;
	return 0;
}

hpa_t program_abi_page(void)
{
	return abi_page;
}

/* Text and constants: mapped where they lie in the image. */
static int map_constant(struct process *p, const u8 *elf, const struct elf_segment *s)
{
	u64 start = ALIGN_DOWN(s->vaddr, PAGE_SIZE), end = ALIGN_UP(s->vaddr + s->memsz, PAGE_SIZE);
	u64 source = (u64)elf + ALIGN_DOWN(s->offset, PAGE_SIZE);
	u32 perms = PERM_READ | (s->flags & SEGMENT_EXEC ? PERM_EXEC : 0);

	for (u64 at = start; at < end; at += PAGE_SIZE)
		if (space_map(p->root, at, (hpa_t){ source + at - start }, perms, &p->tables))
			return ERR_NOMEM;
	p->areas[p->area_count++] = (struct area){ start, end, false, false };
	return 0;
}

static int map_data(struct process *p, const u8 *elf, const struct elf_segment *s)
{
	u64 start = ALIGN_DOWN(s->vaddr, PAGE_SIZE), end = ALIGN_UP(s->vaddr + s->memsz, PAGE_SIZE);
	const u8 *from = elf + s->offset;

	if (process_map_new(p, start, end - start, true))
		return ERR_NOMEM;
	for (u64 done = 0; done < s->filesz;) {
		u64 address = s->vaddr + done, part = MIN(s->filesz - done, PAGE_SIZE - address % PAGE_SIZE);
		u32 level;
		u64 entry = *table_find(&table_format_host, p->root, address, &level);

		memcpy((u8 *)hpa_pointer((hpa_t){ entry & TABLE_ADDRESS }) + address % PAGE_SIZE, from + done, part);
		done += part;
	}
	return 0;
}

int program_load(struct process *p, const u8 *elf, u64 *entry)
{
	const struct elf_header *h = (const struct elf_header *)elf;
	const struct elf_segment *s = (const struct elf_segment *)(elf + h->phoff);

	for (u32 i = 0; i < h->phnum; i++) {
		int error;

		if (s[i].type != SEGMENT_LOAD || !s[i].memsz)
			continue;
		error = s[i].flags & SEGMENT_WRITE ? map_data(p, elf, &s[i]) : map_constant(p, elf, &s[i]);
		if (error)
			return error;
	}
	*entry = h->entry;
	return 0;
}
