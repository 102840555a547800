/* See fake_ram.h. */
#include "tests/unit/fake_ram.h"

#include <string.h>

#include "vmm/lib/sys.h"

struct fake_ram fake_ram;

void fake_ram_clear(void)
{
	memset(&fake_ram, 0, sizeof(fake_ram));
	fake_ram.target = FAKE_RAM;
}

static bool inside(u64 gpa, u64 len)
{
	return gpa <= FAKE_RAM && len <= FAKE_RAM - gpa;
}

int sys_guest_read(u64 gpa, void *buf, u64 len)
{
	fake_ram.reads++;
	if (!inside(gpa, len))
		return ERR_FAULT;
	memcpy(buf, fake_ram.bytes + gpa, len);
	return 0;
}

int sys_guest_write(u64 gpa, const void *buf, u64 len)
{
	if (!inside(gpa, len))
		return ERR_FAULT;
	if (fake_ram.refused_writes) {
		fake_ram.refused_writes--;
		return ERR_NOMEM;
	}
	memcpy(fake_ram.bytes + gpa, buf, len);
	return 0;
}

int sys_guest_discard(u64 gpa, u64 len)
{
	fake_ram.discards++;
	if ((gpa | len) & ~PAGE_MASK || !len)
		return ERR_INVAL;
	if (!inside(gpa, len))
		return ERR_FAULT;
	memset(fake_ram.bytes + gpa, 0, len);
	for (u64 page = gpa / PAGE_SIZE; page < (gpa + len) / PAGE_SIZE; page++)
		fake_ram.discarded[page]++;
	fake_ram.discarded_bytes += len;
	return 0;
}

u64 sys_memory_target(void)
{
	return fake_ram.target;
}

void sys_memory_stats(const struct memory_stats *stats)
{
	fake_ram.stats = *stats;
}
