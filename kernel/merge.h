/* Merging: equal pages of the guests of a share group become one read-only frame (KSM's job, by the dirty bits of
 * stage 2: a page that was not written is not looked at again).
 *
 * merge.c      the members (guests that merge), their groups, figures, settings
 * merge_scan.c one bounded step: visits leaves; merge_lookup.c finds equals; merge_replace.c merges them
 * merge_thread.c  when the steps are made
 * merge_index  where content was seen      merge_frame  merged frames' references and notes
 * merge_stock  frames by lot, for uniform share groups (gmem_uniform.h)
 *
 * To walk what there is (ksm verify, ksm matrix): for each merge_next(member) take m->lock, go through
 * gmem_leaf_run, look at entries by gmem_leaf.h, at frames by frame_kind_of, frame_refs, frame_note; the slots of a
 * digest by merge_index_slot.  merge_hold_scanner keeps the scanner still meanwhile; guests go on and may unshare.
 *
 * Locks: a gmem's, then merge_lock (LOCK_MERGE), which guards the members' list and all of the index.  Two gmems are
 * never locked at once: what is found in another guest is first made a merged frame there, under that guest's lock
 * alone, and the reference to it is all that is carried over. */
#ifndef KERNEL_MERGE_H
#define KERNEL_MERGE_H

#include "kernel/abi.h"
#include "kernel/gmem.h"
#include "kernel/merge_frame.h"
#include "kernel/merge_index.h"

struct thread;

/* A guest that merges. */
struct merge_member {
	struct gmem *gmem;    /* c */
	u32 number;           /* c: 1 to MERGE_MEMBERS - 1 */
	u32 group;            /* c: 1 on; never used again within a boot for another name */
	char name[NAME_MAX];  /* c: the group's */
	bool uniform;         /* c: the group's mode */
	u32 held;             /* merge_lock: how many use it */
	u64 cursor;           /* scanner's: gpa where its pass goes on */
	u64 settled, dirty;   /* scanner's: leaves of the pass that goes on, so far: clean, and written since the last */
	u64 pages_unshared, pages_volatile; /* scanner's: of the last whole pass, or of the first so far */
	bool whole;           /* scanner's: it has had a pass */
};

/* Figures that only grow; the scanner's, read by others. */
struct merge_counts {
	u64 scanned, skipped, hashed, compared, differed, merged, zeroed, evicted, passes, cycles;
};
extern struct merge_counts merge_counts;

/* Once at boot: memory for the index, the digests' seed.  merge_start makes the scanner's thread. */
int merge_init(u64 seed) must_check;
int merge_start(void) must_check;

/* The guest, which has no frames yet, takes part from now on, in the group of that name; ERR_NOMEM, ERR_EXIST: the
 * group's guests have the other mode.  m has vCPUs and tables until merge_leave has said true: false means that
 * somebody uses it, ask again. */
int merge_join(struct gmem *m, const char *name, bool uniform) must_check;
bool merge_leave(struct gmem *m) must_check;

/* May the guest map these frames, of a file?  A file's frames are its group's whose guest asked first, for as long as
 * that has members; others copy.  Their notes name the group, under merge_lock. */
bool merge_own_frames(const struct gmem *m, hpa_t first, u64 count) must_check;

/* The member after number, 0: the first, held; NULL.  merge_member is the one with that number. */
struct merge_member *merge_next(u32 number);
struct merge_member *merge_member(u32 number);
void merge_release(struct merge_member *member);

/* In merge_lock: the member with that number, NULL. */
struct merge_member *merge_member_locked(u32 number);

/* Waits until the scanner is between two steps and keeps it there; not from its own thread. */
void merge_hold_scanner(void);
void merge_release_scanner(void);

/* ---- merge_scan.c ---- */
u64 merge_digest(const void *page, u32 group); /* as the index and the notes have it */
void merge_seed(u64 seed);

/* A bounded step through m's leaves from its cursor on; true at the end of its memory: the cursor is 0 again. */
bool merge_scan(struct merge_member *member);

/* Merging begins, or begins again: large leaves that were made meanwhile are taken apart. */
void merge_scan_afresh(void);

/* Gives m's merged and given pages frames of their own from its cursor on, bounded as above; 1 at the end, 0, or
 * ERR_NOMEM. */
int merge_unmerge(struct merge_member *member);

/* ---- merge_thread.c ---- */
void merge_info(struct merge_info *info);
int merge_control(enum merge_control what, u64 value) must_check;
void merge_hurry(bool hurry); /* memory is short: scan without pauses */
void merge_look(void); /* there is something new: scan at once, the interval is short again; below LOCK_RUN_QUEUE */
bool merge_is_running(void);  /* neither stopped nor undoing what it did */

#endif
