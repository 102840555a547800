/* The page of the local APICs in stage 2, where the processor knows accesses to them by the frame behind it.
 *
 * The frame is one for all guests, so its leaf is there only as long as every vCPU's accesses to it are the
 * processor's: the first vCPU whose APIC is reached elsewhere ends that for good.  It lies outside of all regions and
 * counts nowhere.  All under the gmem's lock. */
#include "kernel/gmem_leaf.h"
#include "kernel/gmem_region.h"

static int map(struct gmem *m, u64 page, hpa_t frame)
{
	u64 *entry;

	if (m->apic_ended || gmem_region_find(m, page))
		return ERR_FAULT;
	entry = gmem_leaf_entry(m, page, LEDGER_FAULT);
	if (!entry)
		return ERR_NOMEM;
	if (*entry & m->format->present)
		return ERR_FAULT;
	m->apic_frame = frame;
	__atomic_store_n(entry, table_leaf(m->format, frame, 0, PERM_READ | PERM_WRITE), __ATOMIC_RELEASE);
	return 0;
}

int gmem_apic_map(struct gmem *m, u64 page, hpa_t frame)
{
	int error;

	spin_lock(&m->lock);
	error = map(m, page, frame);
	spin_unlock(&m->lock);
	return error;
}

void gmem_apic_end(struct gmem *m, u64 page)
{
	u32 level;
	u64 *entry;

	spin_lock(&m->lock);
	entry = table_find(m->format, m->root, page, &level);
	if (gmem_leaf_is_apic(m, *entry)) {
		__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
		m->shootdown(m);
	}
	m->apic_ended = true;
	spin_unlock(&m->lock);
}
