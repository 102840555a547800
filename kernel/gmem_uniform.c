/* What a write in a uniform share group leaves behind. */
#include "kernel/gmem_uniform.h"

#include "kernel/frame.h"

/* For each kind of frame the same calls. */
void gmem_uniform_put(struct gmem *m, u64 entry)
{
	hpa_t frame = gmem_leaf_frame(entry);
	bool zero = frame.v == gmem_zero_frame.v;

	gmem_leaf_count(m, entry, -1);
	if (!gmem_leaf_private(frame))
		ledger_put(m->account, 0); /* as for one of its own */
	if (zero)
		frame_get(frame); /* it counts none */
	merge_stock_return(frame);
}
