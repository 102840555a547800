/* The system calls of a loader: they refuse what the kernel refuses, and what no loader should ask for. */
#include "tests/unit/fake_loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/lib/sys.h"
#include "vmm/machine/ram.h"

#define FILES 32

struct machine fake_machine;
struct vcpu_state fake_vcpu;
u8 *fake_ram;
bool fake_files_taken;
u64 fake_mapped;

static struct {
	const char *name;
	const u8 *bytes;
	u64 size;
} files[FILES];
static u32 file_count;

void fake_reset(void)
{
	free(fake_ram);
	fake_ram = calloc(1, FAKE_RAM);
	memset(&fake_machine, 0, sizeof(fake_machine));
	memset(&fake_vcpu, 0, sizeof(fake_vcpu));
	fake_machine.info.memory = FAKE_RAM;
	fake_machine.info.vcpu_count = 1;
	file_count = 0;
	fake_files_taken = false;
	fake_mapped = 0;
}

void fake_add_file(const char *name, const void *bytes, u64 size)
{
	files[file_count].name = name;
	files[file_count].bytes = bytes;
	files[file_count++].size = size;
}

u8 *fake_read_host_file(const char *path, u64 *size)
{
	FILE *f = fopen(path, "rb");
	u8 *bytes = NULL;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	*size = (u64)ftell(f);
	rewind(f);
	bytes = malloc(*size);
	if (fread(bytes, 1, *size, f) != *size)
		*size = 0;
	fclose(f);
	return bytes;
}

u32 fake_u32(u64 gpa)
{
	u32 v;

	memcpy(&v, fake_ram + gpa, sizeof(v));
	return v;
}

u64 fake_u64(u64 gpa)
{
	return fake_u32(gpa) | (u64)fake_u32(gpa + 4) << 32;
}

int sys_file_info(u32 index, struct file_info *info)
{
	if (index >= file_count)
		return ERR_NOENT;
	memset(info, 0, sizeof(*info));
	strncpy(info->name, files[index].name, sizeof(info->name) - 1);
	info->size = files[index].size;
	return 0;
}

/* At most 1000 bytes at once: a short read is no error. */
s64 sys_file_read(u32 index, u64 offset, void *buf, u64 len)
{
	if (index >= file_count)
		return ERR_NOENT;
	if (offset >= files[index].size)
		return 0;
	len = MIN(MIN(len, 1000), files[index].size - offset);
	memcpy(buf, files[index].bytes + offset, len);
	return (s64)len;
}

static bool in_ram(u64 gpa, u64 len)
{
	return gpa <= FAKE_RAM && len <= FAKE_RAM - gpa;
}

int sys_guest_map(u64 gpa, u64 len, enum map_kind kind, u32 file, u64 offset)
{
	if ((gpa | len | offset) & ~PAGE_MASK || len == 0)
		return ERR_INVAL;
	if (kind == MAP_RAM)
		return 0;
	if (kind != MAP_FILE || file >= file_count || !in_ram(gpa, len) || offset > files[file].size ||
	    len > files[file].size - offset || !ram_contains(fake_machine.info.memory, gpa, len))
		return ERR_INVAL;
	if (fake_files_taken)
		return ERR_EXIST;
	memcpy(fake_ram + gpa, files[file].bytes + offset, len);
	fake_mapped += len;
	return 0;
}

int sys_guest_write(u64 gpa, const void *buf, u64 len)
{
	if (!in_ram(gpa, len))
		return ERR_FAULT;
	memcpy(fake_ram + gpa, buf, len);
	return 0;
}

int sys_vcpu_get(u32 index, struct vcpu_state *state)
{
	*state = fake_vcpu;
	return index ? ERR_INVAL : 0;
}

int sys_vcpu_set(u32 index, const struct vcpu_state *state)
{
	fake_vcpu = *state;
	return index ? ERR_INVAL : 0;
}
