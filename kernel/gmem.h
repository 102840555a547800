/* A guest's physical memory: regions, and stage-2 tables that are filled on first touch.  The one owner of
 * the guest's frames; every path to a guest page goes through here.
 *
 * Lock: LOCK_GMEM (m).  A leaf that is not present holds no frame (gmem_leaf.h).  A frame that a leaf maps
 * has one reference for it, except the zero frame, which is everybody's and counts none.  Frames are put only
 * after the flush that makes them unreachable. */
#ifndef KERNEL_GMEM_H
#define KERNEL_GMEM_H

#include "kernel/abi.h"
#include "kernel/ledger.h"
#include "kernel/lock.h"
#include "kernel/table.h"
#include "kernel/zstore.h"

#define GMEM_REGIONS 32
#define GMEM_REGIONS_MADE (GMEM_REGIONS + 2) /* while one is being changed in steps */
#define GMEM_TOP BIT(40) /* guest-physical addresses end here */

struct gmem_region {
	u64 base, len;
	u32 kind;     /* enum map_kind; a MAP_FILE region's pages begin as the file's frames at source */
	u64 source;   /* hpa of the first page's frame, MAP_FILE and MAP_ROM; 0: begins as zeroes */
};

struct merge_member;

struct gmem {
	struct spinlock lock;
	const struct table_format *format; /* c */
	hpa_t root;                        /* c */
	struct gmem_region regions[GMEM_REGIONS_MADE]; /* m: sorted, no overlaps, holes absent */
	u32 region_count;                  /* m */
	struct ledger_account *account;    /* c: every frame of its own and of stage 2 is taken there first */
	u64 limit;                         /* c: bytes of RAM that regions may have in all */
	u64 generation;                    /* a: grows when a translation was taken away */
	u64 private_pages;                 /* m: frames of its own */
	u64 shared_pages;                  /* m: leaves on other frames: of them ... */
	u64 zero_pages;                    /* m: ... on the zero frame */
	u64 given_pages;                   /* m: ... of these, because the merger found zeroes */
	u64 file_pages;                    /* m: ... on files' */
	u64 merged_pages;                  /* m: ... on merged ones */
	struct zstore store;               /* m: its compressed pages */
	u64 compressions, decompressions;  /* m: counts of pages, in all */
	/* the compressor's: gpa where its look goes on, host TSC of the next one, and of the last one's end */
	u64 compress_at, compress_due, compress_ended;
	u64 compress_back, compress_won;   /* the compressor's: decompressions and compressions when its last look ended */
	u32 compress_vain;                 /* the compressor's: looks in a row at a guest that waits so, in vain, ... */
	u64 compress_wait;                 /* ... and since when it waited at the last one: its waits_since */
	u64 large_leaves;                  /* m: each maps 512 of the private pages */
	u64 tables;                        /* m: stage-2 frames, up to tables_max */
	u64 tables_max;                    /* c: enough for all RAM, and no more for one that remaps it all over */
	u64 changes;                       /* m: how often a leaf began or ended to map something */
	hpa_t apic_frame;                  /* m: gmem_apic.c; 0: none was mapped */
	bool apic_ended;                   /* m: none is any more */
	struct merge_member *member;       /* merge.h's; NULL: it does not merge */
	bool uniform;                      /* c: its share group is uniform (gmem_uniform.h) */
	u64 fini_at;                       /* o: where gmem_fini_step goes on */
	u32 held;                          /* a: how many walk it; it is not taken apart meanwhile */
	void (*shootdown)(struct gmem *m); /* c: makes all vCPUs forget old translations */
};

/* The frame of zeroes; once at boot. */
int gmem_start(void) must_check;

/* account: not admitted yet, the caller's and there until gmem_fini_step is done.  node: where the root goes, and
 * all else near it. */
int gmem_init(struct gmem *m, const struct table_format *format, u64 limit, struct ledger_account *account,
	      u32 node, void (*shootdown)(struct gmem *m)) must_check;

/* The most stage-2 tables that so much RAM can need. */
u64 gmem_tables_max(u64 limit);

/* Gives back a bounded number of frames; true when all is gone and m is zeroed.  No vCPU runs any more.  While m is
 * held nothing is done: ask again. */
bool gmem_fini_step(struct gmem *m);

/* Sets what is at [gpa, gpa+len), page aligned, as far as it is done in a bounded time; returns how many bytes
 * of the range are done: the caller goes on with the rest.  source: see struct gmem_region.  ERR_INVAL,
 * ERR_TOOBIG when RAM would pass the limit, ERR_NOMEM when there would be too many regions: the rest is as it
 * was. */
s64 gmem_map(struct gmem *m, u64 gpa, u64 len, enum map_kind kind, u64 source) must_check;

/* Gives the frames of [gpa, gpa+len) of RAM, page aligned, back: the pages are zeroes from now on, whatever they
 * began as.  In steps and with errors as gmem_map; ERR_FAULT: not RAM, ERR_NOMEM: no memory for tables. */
s64 gmem_discard(struct gmem *m, u64 gpa, u64 len) must_check;

/* A stage-2 fault: makes the page at gpa present (write: writable).  0: enter again; ERR_FAULT: nothing is
 * there, or ROM is written: a device's business; ERR_NOMEM: the guest has to wait for memory. */
int gmem_fault(struct gmem *m, u64 gpa, bool write) must_check;

/* Copies; 2, 4 and 8 bytes that are aligned in one access.  0, ERR_FAULT if any byte is not memory (nothing is
 * written then), ERR_NOMEM: it has to wait, which is only when the guest's buffer in the ledger is used up, too, and
 * never to read. */
int gmem_read(struct gmem *m, u64 gpa, void *to, u64 len) must_check;
int gmem_write(struct gmem *m, u64 gpa, const void *from, u64 len) must_check;

/* Reads a naturally aligned 8-byte word; ERR_FAULT as above.  For page-table walks. */
int gmem_read_word(struct gmem *m, u64 gpa, u64 *word) must_check;

/* Replaces an aligned entry of 4 or 8 bytes in one step, as long as it still is old: 0, ERR_AGAIN when it is
 * not, ERR_FAULT and ERR_NOMEM as gmem_write.  For accessed and dirty bits: other vCPUs change entries too. */
int gmem_swap(struct gmem *m, u64 gpa, u32 size, u64 old, u64 fresh) must_check;

/* Maps the frame that stands for local APICs at page: 0: enter again; ERR_FAULT: the access is to be emulated;
 * ERR_NOMEM: the guest has to wait.  The frame is no memory, the gmem holds no reference. */
int gmem_apic_map(struct gmem *m, u64 page, hpa_t frame) must_check;

/* It is gone before this returns, and not mapped again. */
void gmem_apic_end(struct gmem *m, u64 page);

/* Where the kernel can read the page of gpa, without making it present: NULL if it is not.  Valid while
 * generation does not change and m's guest is not taken apart. */
const u8 *gmem_peek(struct gmem *m, u64 gpa);

#endif
