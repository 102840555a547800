/* Several guests' memories and their vCPUs as hardware has them, for tests of merging: each vCPU has translations of
 * its own, used until a shootdown, stale or not: a write through one that is already dirty leaves no trace in the
 * tables.  vCPUs may be host threads: an access holds the vCPU's lock, as being in the guest does. */
#ifndef TESTS_UNIT_FAKE_GUESTS_H
#define TESTS_UNIT_FAKE_GUESTS_H

#include "kernel/merge.h"
#include "tests/unit/fake_arch.h"

#define FAKE_GUESTS 4
#define FAKE_VCPUS 2
#define FAKE_TLB 256

struct fake_vcpu_tlb {
	u32 taken;
	struct fake_translation {
		u64 page; /* its gpa + 1, 0: none */
		u64 frame;
		bool write, dirty;
	} tlb[FAKE_TLB];
};

struct fake_guest {
	struct gmem m;
	struct ledger_account account; /* everything is promised to it */
	struct fake_vcpu_tlb vcpu[FAKE_VCPUS];
};

extern struct fake_guest fake_guests[FAKE_GUESTS];
extern void (*fake_before_flush)(struct fake_guest *g); /* NULL; the vCPUs may still use what they have */
extern u64 fake_flushes;
extern u32 fake_looks; /* how often the scanner was told of something new */

/* Merging and guest memory, once for a test. */
void fake_guests_start(void);

/* A guest with len bytes of RAM from 0 on, in that share group, which is uniform if its name begins with u; and its
 * end. */
void fake_guest_create(u32 g, u64 len, const char *group, const struct table_format *format);
void fake_guest_destroy(u32 g);

/* A pass over all guests: until the end of each. */
void fake_merge_pass(void);

/* Accesses by a vCPU; false: no memory. */
bool fake_vcpu_read(u32 g, u32 vcpu, u64 gpa, u8 *value);
bool fake_vcpu_write(u32 g, u32 vcpu, u64 gpa, u8 value);

u64 fake_leaf(u32 g, u64 gpa); /* 0 if it is not present */
u64 fake_frame(u32 g, u64 gpa);

/* Everything that must always hold: counts, references, rights, groups, digests, translations. */
void fake_guests_check(void);

#endif
