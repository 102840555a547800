/* The trace: each CPU writes its own ring, which nobody else writes, so that there is no lock.  Rings are made when
 * tracing is started first and stay. */
#include "kernel/trace.h"

#include "kernel/heap.h"
#include "kernel/host_cpu.h"

struct trace_ring {
	u64 end; /* a: records written since the start */
	struct trace_record record[TRACE_RECORDS];
};

bool trace_on;
static struct trace_ring **rings; /* c once tracing was on: by CPU */

void trace_keep(enum trace_kind kind, u8 detail, u32 guest, u32 vcpu, u64 from, u64 until)
{
	struct trace_ring *r = rings[host_cpu()->arch.index];

	r->record[r->end % TRACE_RECORDS] = (struct trace_record){ .tsc = from, .cycles = until - from, .guest = guest,
								   .vcpu = (u16)vcpu, .kind = (u8)kind, .detail = detail };
	__atomic_store_n(&r->end, r->end + 1, __ATOMIC_RELEASE);
}

static int make_rings(void)
{
	struct trace_ring **made = heap_alloc(host_cpu_count * sizeof(*made));

	if (!made)
		return ERR_NOMEM;
	for (u32 i = 0; i < host_cpu_count; i++) {
		made[i] = heap_alloc(sizeof(*made[i]));
		if (made[i])
			continue;
		while (i)
			heap_free(made[--i], sizeof(*made[0]));
		heap_free(made, host_cpu_count * sizeof(*made));
		return ERR_NOMEM;
	}
	rings = made;
	return 0;
}

int trace_start(void)
{
	if (!rings && make_rings())
		return ERR_NOMEM;
	for (u32 i = 0; i < host_cpu_count; i++)
		__atomic_store_n(&rings[i]->end, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&trace_on, true, __ATOMIC_SEQ_CST);
	return 0;
}

void trace_stop(void)
{
	__atomic_store_n(&trace_on, false, __ATOMIC_SEQ_CST);
}

u64 trace_read(u32 cpu, u64 *position, struct trace_record *to, u64 count)
{
	struct trace_ring *r = rings ? rings[cpu] : NULL;
	u64 end = r ? __atomic_load_n(&r->end, __ATOMIC_ACQUIRE) : 0, n = 0;

	if (*position > end)
		*position = end;
	if (end - *position > TRACE_RECORDS)
		*position = end - TRACE_RECORDS;
	while (n < count && *position < end)
		to[n++] = r->record[(*position)++ % TRACE_RECORDS];
	return n;
}
