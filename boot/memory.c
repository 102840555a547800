/* From EFI's memory descriptors to ranges.  The buffer is the firmware's loader memory: it is free again when
 * the kernel runs.  Kinds are painted from weak to strong: overlapping descriptors end on the safe side. */
#include "boot/memory.h"

#include "boot/firmware.h"
#include "boot/ranges.h"

#define SLACK (64 * KIB)

static struct {
	u64 at, capacity; /* the buffer */
	UINTN size, step; /* bytes used, bytes a descriptor */
} map;

int memory_init(void)
{
	UINTN key;
	UINT32 version;

	map.size = 0;
	firmware.boot->GetMemoryMap(&map.size, NULL, &key, &map.step, &version);
	map.capacity = map.size * 2 + SLACK;
	map.at = firmware_alloc(map.capacity, 0);
	return map.at ? 0 : ERR_NOMEM;
}

static u32 kind_of(const EFI_MEMORY_DESCRIPTOR *d)
{
	bool usable = d->Attribute & EFI_MEMORY_WB && !(d->Attribute & EFI_MEMORY_RUNTIME);

	switch (d->Type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiConventionalMemory:
		return usable ? BOOT_RANGE_FREE : BOOT_RANGE_RESERVED;
	case EfiBootServicesCode:
	case EfiBootServicesData:
		return usable ? BOOT_RANGE_FIRMWARE : BOOT_RANGE_RESERVED;
	case EfiMemoryMappedIO:
	case EfiMemoryMappedIOPortSpace:
		return BOOT_RANGE_MMIO;
	default:
		return BOOT_RANGE_RESERVED;
	}
}

static void paint_kind(struct boot_info *info, u32 kind)
{
	for (UINTN at = 0; at + map.step <= map.size; at += map.step) {
		const EFI_MEMORY_DESCRIPTOR *d = (const void *)(map.at + at);
		u64 pages = MIN(d->NumberOfPages, ~0ull / PAGE_SIZE);

		if (kind_of(d) == kind)
			ranges_paint(info, d->PhysicalStart, pages * PAGE_SIZE, kind);
	}
}

int memory_read(struct boot_info *info, u64 *key)
{
	UINT32 version;
	UINTN map_key = 0;

	map.size = map.capacity;
	if (EFI_ERROR(firmware.boot->GetMemoryMap(&map.size, (void *)map.at, &map_key, &map.step,
						  &version)) || map.step < sizeof(EFI_MEMORY_DESCRIPTOR))
		return ERR_NOMEM;
	*key = map_key;
	info->range_count = 0;
	paint_kind(info, BOOT_RANGE_FREE);
	paint_kind(info, BOOT_RANGE_FIRMWARE);
	paint_kind(info, BOOT_RANGE_RESERVED);
	paint_kind(info, BOOT_RANGE_MMIO);
	ranges_paint(info, 0, PAGE_SIZE, BOOT_RANGE_RESERVED); /* a null pointer's page is never anybody's */
	ranges_paint(info, info->image_base, info->image_size, BOOT_RANGE_KERNEL);
	ranges_paint(info, info->trampoline, info->trampoline ? PAGE_SIZE : 0, BOOT_RANGE_KERNEL);
	ranges_paint(info, info->config.base, info->config.size, BOOT_RANGE_FILE);
	for (u32 i = 0; i < info->file_count; i++)
		ranges_paint(info, info->files[i].base, info->files[i].size, BOOT_RANGE_FILE);
	return 0;
}
