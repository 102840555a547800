/* A guest's memory and its vCPUs as hardware has them, for host tests: what a vCPU once translated it goes on
 * using until the shootdown, so a flush that is missing, or comes after its frame was freed, is seen. */
#ifndef TESTS_UNIT_FAKE_GMEM_H
#define TESTS_UNIT_FAKE_GMEM_H

#include "kernel/gmem.h"
#include "tests/unit/fake_arch.h"

extern struct gmem fake_gmem;
extern u64 fake_flushes;
extern void (*fake_flushed)(void); /* called at each, before translations are forgotten; NULL */

void fake_gmem_start(u64 limit);

/* A guest to which everything is promised, so that the ledger refuses nothing. */
void fake_admit(struct ledger_account *a);

/* Takes it apart and checks that all of its frames came back. */
void fake_gmem_end(void);

/* gmem_map to its end; 0 or an error. */
int fake_gmem_map(u64 gpa, u64 len, enum map_kind kind, u64 source);

/* Accesses by a vCPU, through its translations, with faults handled; at a page that is there. */
u8 fake_guest_read(u64 gpa);
void fake_guest_write(u64 gpa, u8 value);

/* Do all cached translations agree with the tables? */
void fake_check_translations(void);
void fake_forget_translations(void);

/* A file of so many pages, as boot/ leaves it; its byte at offset. */
u64 fake_file(u32 pages);
u8 fake_file_byte(u64 offset);
void fake_file_put(u64 base, u32 pages);

#endif
