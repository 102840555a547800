/* A guest of RAM and files in arrays, behind the system calls that loaders use. */
#ifndef TESTS_UNIT_FAKE_LOADER_H
#define TESTS_UNIT_FAKE_LOADER_H

#include "vmm/machine/machine.h"

#define FAKE_RAM (128 * MIB)

extern struct machine fake_machine;  /* FAKE_RAM of memory, one vCPU */
extern struct vcpu_state fake_vcpu;  /* what SYS_VCPU_SET set */
extern u8 *fake_ram;
extern bool fake_files_taken;        /* their frames are another share group's */
extern u64 fake_mapped;              /* bytes that came by MAP_FILE */

/* A new guest without files and settings. */
void fake_reset(void);

/* Adds a file; bytes must stay. */
void fake_add_file(const char *name, const void *bytes, u64 size);

/* The whole file of the host, or NULL if there is none; the caller frees it. */
u8 *fake_read_host_file(const char *path, u64 *size);

u32 fake_u32(u64 gpa);
u64 fake_u64(u64 gpa);

#endif
