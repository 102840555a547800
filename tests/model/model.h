/* The randomised model check of guest memory: the kernel's own gmem and frame code on a small machine, a few
 * guests with vCPUs that have stale TLBs, and beside it the plain array of bytes that each guest must see.
 *
 * An episode is a byte string: a header (struct setup in episode.c), then operations with their arguments.  The
 * seeded generator, the exhaustive run and libFuzzer all make such strings, so each failure is a file that
 * `build/model/model replay FILE` repeats. */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include "kernel/gmem.h"
#include "tests/unit/fake_arch.h"

#define MODEL_GUESTS 4
#define MODEL_VCPUS 3
#define MODEL_PAGES 24     /* of a guest's address space; gpa_of says where */
#define MODEL_FILE_PAGES 8
#define MODEL_FRAMES 4096 /* the host's */

/* Pages 0 to 7 are the last of a block of 2 MiB, which can become a large leaf.  In some episodes guests have the rest
 * of it, too: filler, which is written as a whole, and of which a page's first word says what it is. */
#define MODEL_BLOCK 0ull
#define MODEL_BLOCK_PAGES 512

/* What the guest must see in a page. */
struct model_page {
	enum map_kind kind;
	u8 bytes[PAGE_SIZE];
};

struct model_guest {
	struct gmem gmem;
	struct ledger_account account; /* everything is promised: the ledger refuses nothing */
	const char *group; /* whom it may share with; "": nobody */
	struct model_page pages[MODEL_PAGES];
	bool has_block;
	u8 filler[MODEL_BLOCK_PAGES]; /* salts, 0: zeroes */
};

extern struct model_guest model_guests[MODEL_GUESTS];
extern u32 model_guest_count;

/* ---- the input ---- */

u32 model_take(void);           /* the next byte, 0 at the end */
u32 model_pick(u32 below);      /* from the next byte */
bool model_input_ended(void);

/* ---- model.c: what should be ---- */

/* Two stretches: 16 pages around the border of two page tables, the rest at the top of what there can be. */
u64 model_gpa(u32 page);
u32 model_page_at(u64 gpa);     /* MODEL_PAGES: none */

/* Is [offset, offset+len) from the page's begin memory that can be read (write: written)? */
bool model_whole(const struct model_guest *g, u32 page, u64 offset, u64 len, bool write);
u8 *model_byte(struct model_guest *g, u32 page, u64 offset);
void model_map(struct model_guest *g, u32 page, u32 count, enum map_kind kind, u64 source);
void model_fill(struct model_guest *g, u64 offset, u64 len, u32 salt); /* of the block; picked pages are left alone */
u64 model_filler(u64 offset, u32 salt); /* the word there */
void model_pattern(u8 bytes[PAGE_SIZE], u32 pattern); /* few, so that pages become equal */

void model_file_start(void);
u64 model_file(u32 page);       /* where its frame is */
void model_file_end(void);

/* ---- mmu.c: vCPUs as hardware has them ---- */

/* One byte through a vCPU, with its faults handled; 0 or ERR_NOMEM.  There must be memory. */
int mmu_read(struct model_guest *g, u32 vcpu, u64 gpa, u8 *value) must_check;
int mmu_write(struct model_guest *g, u32 vcpu, u64 gpa, u8 value) must_check;
u8 *mmu_page(struct model_guest *g, u32 vcpu, u64 gpa); /* writable, until the next call to the kernel; or NULL */
void mmu_leave(struct model_guest *g, u32 vcpu);        /* out of guest mode: flushed at the next entry only */

/* At the guest's next shootdown, before it is obeyed, writer writes through what it still can reach and reader
 * reads it back through what that one can reach. */
void mmu_arm(struct model_guest *g, u32 writer, u32 reader, u32 page, u32 offset, u8 value);
bool mmu_raced(struct model_guest *g, u32 page, u64 offset); /* did that write go there, since mmu_race_over? */
void mmu_race_over(void);
extern bool mmu_race_blind; /* the kernel writes, and has not told the model yet: do not compare */

void mmu_shootdown(struct gmem *m);
void mmu_forget(struct model_guest *g);
void mmu_check(void);           /* no vCPU in guest mode reaches what its tables deny */

/* ---- recount.c ---- */

/* Walks all tables: counters, references, rights; compare: contents, too. */
void recount(bool compare);
void recount_end(void);         /* all guests are gone: is everything back? */
void recount_start(void);

/* ---- operations.c ---- */

#define MODEL_OPERATIONS 32 /* at most */
extern const u32 operation_count;
void operation_run(u32 number);
const char *operation_name(u32 number);
u32 operation_weight(u32 number);
extern u64 operation_done[MODEL_OPERATIONS]; /* how often it did what it is for */
void model_create(struct model_guest *g);
bool model_destroy(struct model_guest *g); /* false: not now, the merger is at it */
void operation_nested(void);
struct model_guest *operation_guest(void);
void operation_succeeded(void);

/* operations_merge.c */
void merge_some(void);
void merge_all(void);
void merge_undo(void);
void merge_check(void);
bool merge_is_verifying(void);
void compress_some(void);

/* operations_large.c */
void large_fill(void);
void large_step(void);
void large_all(void);
void large_split(void);
void large_forget(struct model_guest *g); /* its memory goes */

/* ---- episode.c ---- */

extern bool model_with_blocks; /* guests have filler */

void episode_run(const u8 *data, u64 len);
extern u64 episode_steps;       /* operations in all */
extern bool episode_trace;      /* print each */
extern const char *episode_save; /* where a failed one is written */

void small_run(u32 length);     /* small.c */

/* Says what is wrong, writes the episode to episode_save, ends the program. */
_Noreturn void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define REQUIRE(condition) do { if (!(condition)) model_fail("%s:%d: %s", __func__, __LINE__, #condition); } while (0)

#endif
