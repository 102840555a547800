/* System calls of the monitor: the host, and all guests by number. */
#include "arch/x86_64/virt.h"
#include "kernel/compress.h"
#include "kernel/file.h"
#include "kernel/guest.h"
#include "kernel/guest_sched.h"
#include "kernel/host_info.h"
#include "kernel/log.h"
#include "kernel/merge.h"
#include "kernel/merge_matrix.h"
#include "kernel/merge_verify.h"
#include "kernel/monitor.h"
#include "kernel/sharing.h"
#include "kernel/syscall.h"
#include "kernel/trace.h"
#include "kernel/vcpu.h"

#define PIECE 1024

static struct guest *guest_of(u64 id)
{
	return id <= UINT32_MAX ? guest_find((u32)id) : NULL;
}

/* Only the monitor lets a guest die, so what is not dying stays while its call lasts. */
static bool is_there(const struct guest *g)
{
	return g && g->state != GUEST_OFF && g->state != GUEST_DYING;
}

static struct vcpu *vcpu_of(u64 id, u64 index)
{
	struct guest *g = guest_of(id);

	return is_there(g) && index < g->vcpu_count ? g->vcpus[index] : NULL;
}

SYSCALL_HANDLER(host_info)
{
	struct host_info info = { .version = "" };

	host_info_fill(&info);
	return process_write(t->process, a[0], &info, sizeof(info));
}

SYSCALL_HANDLER(cpu_info)
{
	struct cpu_info info = { .apic_id = 0 };

	if (a[0] >= host_cpu_count)
		return ERR_NOENT;
	host_info_cpu((u32)a[0], &info);
	return process_write(t->process, a[1], &info, sizeof(info));
}

SYSCALL_HANDLER(config_read)
{
	const struct boot_file *config = file_config();
	u64 len;

	if (a[0] >= config->size)
		return 0;
	len = MIN(a[2], config->size - a[0]);
	return process_write(t->process, a[1], (const char *)config->base + a[0], len) ? ERR_FAULT : (s64)len;
}

SYSCALL_HANDLER(log_read)
{
	char piece[PIECE];
	u64 position;
	s64 len;

	if (process_read(t->process, &position, a[0], sizeof(position)))
		return ERR_FAULT;
	len = (s64)log_read(&position, piece, MIN(a[2], sizeof(piece)));
	if (process_write(t->process, a[1], piece, (u64)len) ||
	    process_write(t->process, a[0], &position, sizeof(position)))
		return ERR_FAULT;
	return len;
}

static char definition[DEFINITION_MAX]; /* the monitor has one thread */

SYSCALL_HANDLER(guest_define)
{
	char name[NAME_MAX];

	if (a[2] > sizeof(definition))
		return ERR_TOOBIG;
	if (process_read(t->process, name, a[0], sizeof(name)) || process_read(t->process, definition, a[1], a[2]))
		return ERR_FAULT;
	name[NAME_MAX - 1] = 0;
	return guest_define(name, definition, (u32)a[2]);
}

SYSCALL_HANDLER(guest_redefine)
{
	struct guest *g = guest_of(a[0]);

	if (!g)
		return ERR_NOENT;
	if (a[2] > sizeof(definition))
		return ERR_TOOBIG;
	if (process_read(t->process, definition, a[1], a[2]))
		return ERR_FAULT;
	return guest_redefine(g, definition, (u32)a[2]);
}

SYSCALL_HANDLER(guest_undefine)
{
	struct guest *g = guest_of(a[0]);

	return g ? guest_undefine(g) : ERR_NOENT;
}

SYSCALL_HANDLER(guest_next)
{
	return a[0] < UINT32_MAX ? guest_next((u32)a[0]) : 0;
}

SYSCALL_HANDLER(guest_info)
{
	struct guest *g = guest_of(a[0]);
	struct guest_info info;

	if (!g)
		return ERR_NOENT;
	guest_info(g, &info);
	return process_write(t->process, a[1], &info, sizeof(info));
}

SYSCALL_HANDLER(guest_definition)
{
	struct guest *g = guest_of(a[0]);

	if (!g)
		return ERR_NOENT;
	if (g->definition_len > a[2])
		return ERR_TOOBIG;
	return process_write(t->process, a[1], g->definition, g->definition_len) ? ERR_FAULT : (s64)g->definition_len;
}

SYSCALL_HANDLER(guest_start)
{
	struct guest *g = guest_of(a[0]);
	struct guest_params params;
	struct admission admission = { .verdict = ADMIT_OK };
	int error;

	if (!g)
		return ERR_NOENT;
	if (process_read(t->process, &params, a[1], sizeof(params)))
		return ERR_FAULT;
	error = guest_start(g, &params, &admission);
	return process_write(t->process, a[2], &admission, sizeof(admission)) ? ERR_FAULT : error;
}

static int control(struct guest *g, u64 what, u64 argument)
{
	switch (what) {
	case CONTROL_PAUSE: return guest_pause(g);
	case CONTROL_RESUME: return guest_resume(g);
	case CONTROL_SHUTDOWN: return guest_raise(g, EVENT_POWER_BUTTON);
	case CONTROL_RESET:
		if (!guest_is_alive(g))
			return ERR_STATE;
		guest_stop(g, STOP_REBOOT, "reset by the operator");
		return 0;
	case CONTROL_DESTROY: return guest_destroy(g);
	case CONTROL_NMI:
		if (g->state != GUEST_RUNNING)
			return ERR_STATE;
		vcpu_request(g->vcpus[0], REQUEST_NMI);
		return 0;
	case CONTROL_HOOK:
		g->hook = (u32)argument;
		return guest_raise(g, EVENT_HOOK);
	case CONTROL_REPLACE: return guest_replace(g);
	case CONTROL_MEMORY:
		guest_set_memory_wish(g, argument);
		return 0;
	case CONTROL_VCPUS: return guest_set_vcpu_wish(g, argument);
	}
	return ERR_INVAL;
}

SYSCALL_HANDLER(guest_control)
{
	struct guest *g = guest_of(a[0]);

	return g ? control(g, a[1], a[2]) : ERR_NOENT;
}

SYSCALL_HANDLER(guest_vcpu_info)
{
	static struct vcpu_info info; /* large; the monitor has one thread */
	struct vcpu *v = vcpu_of(a[0], a[1]);

	if (!v)
		return ERR_NOENT;
	vcpu_info(v, &info);
	return process_write(t->process, a[2], &info, sizeof(info));
}

SYSCALL_HANDLER(guest_schedule)
{
	struct guest *g = guest_of(a[0]);

	if (!is_there(g))
		return g ? ERR_STATE : ERR_NOENT;
	return a[1] > UINT32_MAX || a[2] > UINT32_MAX ? ERR_INVAL : guest_schedule(g, (u32)a[1], (u32)a[2]);
}

SYSCALL_HANDLER(guest_pin)
{
	struct vcpu *v = vcpu_of(a[0], a[1]);
	struct cpu_set set;

	if (!v)
		return ERR_NOENT;
	if (process_read(t->process, &set, a[2], sizeof(set)))
		return ERR_FAULT;
	return guest_pin(v->guest, v->index, &set);
}

SYSCALL_HANDLER(guest_vcpu_state)
{
	struct vcpu *v = vcpu_of(a[0], a[1]);
	struct vcpu_state state = { .rip = 0 };

	if (!v)
		return ERR_NOENT;
	vcpu_show_state(v, &state);
	return process_write(t->process, a[2], &state, sizeof(state));
}

SYSCALL_HANDLER(guest_peek)
{
	struct guest *g = guest_of(a[0]);
	u8 piece[PIECE];
	u64 len = MIN(a[3], sizeof(piece));

	if (!is_there(g))
		return g ? ERR_STATE : ERR_NOENT;
	if (gmem_read(&g->gmem, a[1], piece, len))
		return ERR_FAULT;
	return process_write(t->process, a[2], piece, len);
}

SYSCALL_HANDLER(guest_output)
{
	struct guest *g = guest_of(a[0]);
	u8 piece[PIECE];
	u64 position, len;

	if (!g)
		return ERR_NOENT;
	if (process_read(t->process, &position, a[1], sizeof(position)))
		return ERR_FAULT;
	len = ring_replay(&g->output, &position, piece, MIN(a[3], sizeof(piece)));
	if (process_write(t->process, a[2], piece, len) ||
	    process_write(t->process, a[1], &position, sizeof(position)))
		return ERR_FAULT;
	return (s64)len;
}

SYSCALL_HANDLER(guest_input)
{
	struct guest *g = guest_of(a[0]);
	u8 piece[PIECE];
	u64 len = MIN(a[2], sizeof(piece));

	if (!g)
		return ERR_NOENT;
	if (process_read(t->process, piece, a[1], len))
		return ERR_FAULT;
	len = ring_write(&g->input, piece, len);
	(void)!guest_raise(g, EVENT_CONSOLE);
	return (s64)len;
}

SYSCALL_HANDLER(guest_watch)
{
	if (a[0] && !guest_of(a[0]))
		return ERR_NOENT;
	monitor_watch((u32)a[0]);
	return 0;
}

SYSCALL_HANDLER(guest_memory)
{
	struct guest *g = guest_of(a[0]);
	struct guest_memory memory;

	if (!g)
		return ERR_NOENT;
	guest_memory(g, &memory);
	return process_write(t->process, a[1], &memory, sizeof(memory));
}

SYSCALL_HANDLER(guest_tune)
{
	struct guest *g = guest_of(a[0]);
	struct guest_tune tune;
	struct admission admission = { .verdict = ADMIT_OK };
	int error;

	if (!g)
		return ERR_NOENT;
	if (process_read(t->process, &tune, a[1], sizeof(tune)))
		return ERR_FAULT;
	error = guest_tune(g, &tune, &admission);
	return process_write(t->process, a[2], &admission, sizeof(admission)) ? ERR_FAULT : error;
}

SYSCALL_HANDLER(ledger_info)
{
	struct ledger_info info;

	ledger_info(&info);
	sharing_info(&info);
	compress_info(&info.compression);
	return process_write(t->process, a[0], &info, sizeof(info));
}

SYSCALL_HANDLER(trace)
{
	if (a[0])
		return trace_start();
	trace_stop();
	return 0;
}

SYSCALL_HANDLER(trace_read)
{
	struct trace_record piece[32];
	u64 position, n;

	if (a[0] >= host_cpu_count)
		return ERR_NOENT;
	if (process_read(t->process, &position, a[1], sizeof(position)))
		return ERR_FAULT;
	n = trace_read((u32)a[0], &position, piece, MIN(a[3], ARRAY_SIZE(piece)));
	if (process_write(t->process, a[2], piece, n * sizeof(piece[0])) ||
	    process_write(t->process, a[1], &position, sizeof(position)))
		return ERR_FAULT;
	return (s64)n;
}

SYSCALL_HANDLER(host_power)
{
	if (a[0] > POWER_REBOOT)
		return ERR_INVAL;
	host_console->power((enum host_power)a[0]);
	return ERR_UNSUPPORTED;
}

SYSCALL_HANDLER(merge_info)
{
	struct merge_info info;

	merge_info(&info);
	return process_write(t->process, a[0], &info, sizeof(info));
}

SYSCALL_HANDLER(merge_control)
{
	return a[0] > MERGE_CONTROL_INTERVAL ? ERR_INVAL : merge_control((enum merge_control)a[0], a[1]);
}

/* What a count of all guests' pages in steps returns: more as its step did; ring 3 calls again with a[1] set. */
static s64 counted(struct thread *t, const u64 *a, int more, const void *result, u64 size)
{
	if (more < 0)
		return more;
	t->regs.rsi = 1;
	return more ? syscall_again(t) : process_write(t->process, a[0], result, size);
}

/* Again: the guests that are being taken apart are waited for before it begins. */
SYSCALL_HANDLER(merge_verify)
{
	const struct merge_verify *result = NULL;
	int more;

	if (!a[1] && guest_is_dying())
		return syscall_again(t);
	more = merge_verify_step(!a[1], &result);
	return counted(t, a, more, result, sizeof(*result));
}

SYSCALL_HANDLER(merge_matrix)
{
	const struct merge_matrix *matrix = NULL;
	int more;

	if (!a[1] && guest_is_dying())
		return syscall_again(t);
	more = merge_matrix_step(!a[1], &matrix);
	return counted(t, a, more, matrix, sizeof(*matrix));
}
