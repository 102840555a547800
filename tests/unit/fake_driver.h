/* The driver's side of virtio over PCI for host tests: it finds the balloon's registers by its capabilities, as a guest
 * does, and builds queues in the fake RAM. */
#ifndef TESTS_UNIT_FAKE_DRIVER_H
#define TESTS_UNIT_FAKE_DRIVER_H

#include "tests/unit/fake_machine.h"
#include "tests/unit/fake_ram.h"

#define DRIVER_QUEUE_SIZE 16

enum { Q_INFLATE, Q_DEFLATE, Q_STATS, Q_REPORT, Q_REPORT_TOO }; /* as Linux 6.1 has them, and 6.11 */

/* §4.1.4.3, offsets in common configuration */
enum {
	R_DEVICE_SELECT = 0x00, R_DEVICE = 0x04, R_DRIVER_SELECT = 0x08, R_DRIVER = 0x0c, R_CONFIG_VECTOR = 0x10,
	R_QUEUES = 0x12, R_STATUS = 0x14, R_GENERATION = 0x15, R_SELECT = 0x16, R_SIZE = 0x18, R_VECTOR = 0x1a,
	R_ENABLE = 0x1c, R_NOTIFY = 0x1e, R_DESC = 0x20, R_AVAIL = 0x28, R_USED = 0x30,
};

/* Descriptor flags; indirect ones lie in the table that addr names. */
enum { D_NEXT = 1, D_WRITE = 2, D_INDIRECT = 4 };

struct driver_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

extern u64 driver_common, driver_isr, driver_device, driver_notify, driver_table, driver_pending; /* addresses */
extern u32 driver_msix; /* of the capability, in configuration space */

/* A machine with a balloon, memory decoded; the registers found. */
struct machine *driver_machine(void);

u32 driver_config(struct machine *m, u32 offset, u32 size);
void driver_config_set(struct machine *m, u32 offset, u32 size, u32 value);

u32 driver_get(struct machine *m, u32 reg, u32 size);
void driver_set(struct machine *m, u32 reg, u32 size, u64 value);

/* From reset to DRIVER_OK with these features (VERSION_1 is added), all queues and one MSI-X vector for each queue, the
 * last one for the configuration; msix: enabled. */
void driver_start(struct machine *m, u64 features, bool msix);

/* Where parts of queue's rings are in the fake RAM. */
struct driver_desc *driver_table_of(u32 queue);
u16 *driver_avail(u32 queue); /* flags, idx, ring */
u16 *driver_used(u32 queue);  /* flags, idx, then u32 pairs */

/* Makes the chain of head available and notifies. */
void driver_offer(struct machine *m, u32 queue, u16 head);

/* Ticks until there is nothing to do now; how many. */
u32 driver_settle(struct machine *m);

#endif
