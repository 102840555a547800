/* Frames by lot, for the guests of uniform share groups.
 *
 * Each frame that such a guest gets is drawn by lot from a stock of free ones, and what a write leaves behind goes back
 * there: so neither a guest nor the allocator's habits decide where a page comes to lie (Rowhammer: VUsion, SOSP 2017),
 * and a write costs the same whether the old frame became free or not.  The stock is there while a guest of a uniform
 * group is; the scanner keeps it at its size.
 * Lock: LOCK_MERGE.  Frames in stock are FRAME_KERNEL, with one reference. */
#ifndef KERNEL_MERGE_STOCK_H
#define KERNEL_MERGE_STOCK_H

#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

void merge_stock_seed(u64 seed);

/* For each guest of a uniform group; the first open takes the frames, the last close gives them back.  ERR_NOMEM: the
 * host cannot spare them. */
int merge_stock_open(void) must_check;
void merge_stock_close(void);

/* A FRAME_GUEST frame with one reference and undefined content; .v == 0: there is no memory. */
hpa_t merge_stock_draw(void);

/* Drops a reference; a frame whose last it was goes to the stock. */
void merge_stock_return(hpa_t frame);

/* A bounded part of what the stock has too little or too much is taken or given back. */
void merge_stock_level(void);

#endif
