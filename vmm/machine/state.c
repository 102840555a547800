/* Saves and restores what this process knows of the guest: its clock and its devices.  Guest memory and vCPUs
 * are the kernel's and stay; files are never read again, and the definition is. */
#include "vmm/machine/state.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/device.h"
#include "vmm/machine/machine.h"

#define STATE_MAX (64 * KIB)
#define STATE_MAGIC 0x31657461747351ull /* "Qstate1" */

/* Before the devices' blob. */
struct state_header {
	u64 magic;
	u64 clock_base; /* the guest's TSC runs on while processes change, and so does its machine time */
	u64 machine_time;
};

/* Both directions need it once in a process's life: not worth keeping in every process. */
static struct state_header *state_buffer(struct machine *m)
{
	struct state_header *h = sys_memory_grow(STATE_MAX);

	if (!h)
		machine_stop(m, STOP_CRASH, "no memory for the devices' state");
	return h;
}

_Noreturn void state_save(struct machine *m)
{
	struct state_header *h = state_buffer(m);
	s64 len = device_save(m, h + 1, STATE_MAX - sizeof(*h));

	if (len < 0)
		machine_stop(m, STOP_CRASH, "the devices' state cannot be saved: %s", error_text((int)len));
	*h = (struct state_header){ STATE_MAGIC, m->clock_base, machine_now(m) };
	sys_state_save(h, sizeof(*h) + (u64)len);
}

void state_load(struct machine *m)
{
	struct state_header *h = state_buffer(m);
	s64 len = sys_state_load(h, STATE_MAX);

	if (len < (s64)sizeof(*h) || h->magic != STATE_MAGIC)
		machine_stop(m, STOP_CRASH, "there is no state of the devices to restore");
	m->clock_base = h->clock_base;
	if (device_load(m, h + 1, (u64)len - sizeof(*h)))
		machine_stop(m, STOP_CRASH, "the devices' state is damaged or of another version");
}
