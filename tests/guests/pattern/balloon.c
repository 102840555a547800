/* PCI 00:01.0 by VIRTIO 1.2 §4.1: its BAR's layout is Quire's, the inflate queue is 0. */
#include "tests/guests/pattern/balloon.h"

#define QUEUE_SIZE 4

static struct {
	struct { u64 addr; u32 len; u16 flags, next; } desc[QUEUE_SIZE];
	u16 avail_flags, avail_index, avail[QUEUE_SIZE];
	u32 pages[BALLOON_PAGES];
	struct {
		u16 flags;
		volatile u16 index;
		struct { u32 id, len; } ring[QUEUE_SIZE];
	} used __attribute__((aligned(8)));
} queue __attribute__((aligned(4096)));

static u64 bar;

static void set8(u32 at, u8 v) { *(volatile u8 *)(bar + at) = v; }
static void set16(u32 at, u16 v) { *(volatile u16 *)(bar + at) = v; }

static void set_address(u32 at, const void *address)
{
	mmio_write(bar + at, (u32)(u64)address);
	mmio_write(bar + at + 4, 0);
}

bool balloon_start(void)
{
	outl(0xcf8, 0x80000800);
	if (inl(0xcfc) != 0x10451af4)
		return false;
	outl(0xcf8, 0x80000810);
	bar = inl(0xcfc) & ~15u;
	outl(0xcf8, 0x80000804);
	outw(0xcfc, 6);
	set8(0x14, 0);
	set8(0x14, 3); /* ACKNOWLEDGE, DRIVER */
	mmio_write(bar + 0x08, 0);
	mmio_write(bar + 0x0c, 0);
	mmio_write(bar + 0x08, 1);
	mmio_write(bar + 0x0c, 1); /* VERSION_1 and nothing else */
	set8(0x14, 0x0b);
	set16(0x16, 0);
	set16(0x18, QUEUE_SIZE);
	set_address(0x20, queue.desc);
	set_address(0x28, &queue.avail_flags);
	set_address(0x30, &queue.used);
	set16(0x1c, 1);
	set8(0x14, 0x0f);
	return true;
}

void balloon_give(u64 first, u32 count)
{
	u16 before = queue.used.index;

	for (u32 i = 0; i < count; i++)
		queue.pages[i] = (u32)(first >> 12) + i;
	queue.desc[0].addr = (u64)queue.pages;
	queue.desc[0].len = count * sizeof(queue.pages[0]);
	queue.avail[queue.avail_index % QUEUE_SIZE] = 0;
	__atomic_store_n(&queue.avail_index, queue.avail_index + 1, __ATOMIC_SEQ_CST);
	set16(0xc00, 0);
	while (queue.used.index == before)
		relax();
}
