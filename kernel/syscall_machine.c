/* System calls of a machine process: its own guest. */
#include "kernel/clock.h"
#include "kernel/file.h"
#include "kernel/frame.h"
#include "kernel/guest.h"
#include "kernel/lib/string.h"
#include "kernel/merge.h"
#include "kernel/syscall.h"
#include "kernel/vcpu_run.h"
#include "kernel/walk.h"

#define PIECE 2048

static struct vcpu *own_vcpu(struct thread *t, u64 index)
{
	struct guest *g = t->process->guest;

	return index < g->vcpu_count ? g->vcpus[index] : NULL;
}

/* A vCPU whose state this thread may touch: its own; or any before there are other threads, to set it up. */
static struct vcpu *still_vcpu(struct thread *t, u64 index)
{
	struct vcpu *v = own_vcpu(t, index);

	return v && (t->vcpu == v || t->process->thread_count == 1) ? v : NULL;
}

SYSCALL_HANDLER(machine_info)
{
	static const struct machine_info none;
	struct guest *g = t->process->guest;
	struct machine_info info = none;

	info.id = g->id;
	str_copy(info.name, sizeof(info.name), g->name);
	info.memory = g->params.memory;
	info.vcpu_count = g->vcpu_count;
	info.restored = g->saved_len != 0;
	info.hook = g->hook;
	info.vcpu_pages = PROCESS_VCPU_PAGES;
	info.definition_len = g->definition_len;
	info.epoch = clock_epoch();
	memcpy(info.definition, g->definition, g->definition_len);
	return process_write(t->process, a[0], &info, sizeof(info));
}

SYSCALL_HANDLER(vcpu_run)
{
	struct vcpu *v = own_vcpu(t, a[0]);
	struct thread *nobody = NULL;

	if (!v)
		return ERR_INVAL;
	if (t->vcpu != v) {
		if (t->vcpu || !__atomic_compare_exchange_n(&v->thread, &nobody, t, false, __ATOMIC_SEQ_CST,
							    __ATOMIC_SEQ_CST))
			return ERR_STATE; /* a thread keeps its vCPU, and a vCPU its thread */
		t->vcpu = v;
		t->sched.next_weight = t->process->guest->params.weight;
		t->pins = v->pinned ? &v->pins : NULL;
		t->own_cpu = v->own_cpu;
		host_cpu()->resched = 1; /* this may not be its CPU any more */
	}
	t->step = vcpu_step;
	return SYSCALL_STEP;
}

SYSCALL_HANDLER(vcpu_get)
{
	struct vcpu *v = still_vcpu(t, a[0]);
	struct vcpu_state state = { .rip = 0 };

	if (!v)
		return ERR_STATE;
	vcpu_get_state(v, &state);
	return process_write(t->process, a[1], &state, sizeof(state));
}

SYSCALL_HANDLER(vcpu_set)
{
	struct vcpu *v = still_vcpu(t, a[0]);
	struct vcpu_state state;

	if (!v)
		return ERR_STATE;
	if (process_read(t->process, &state, a[1], sizeof(state)))
		return ERR_FAULT;
	return vcpu_set_state(v, &state);
}

SYSCALL_HANDLER(vcpu_translate)
{
	struct vcpu *v = still_vcpu(t, a[0]);
	u64 gpa = 0;
	s64 result;

	if (!v)
		return ERR_STATE;
	result = walk_translate(v, a[1], (u32)a[2], &gpa);
	if (!result && process_write(t->process, a[3], &gpa, sizeof(gpa)))
		return ERR_FAULT;
	return result;
}

SYSCALL_HANDLER(lapic_access)
{
	struct vcpu *v = still_vcpu(t, a[0]);
	u32 value;

	if (!v || a[1] >= PAGE_SIZE)
		return ERR_INVAL;
	if (process_read(t->process, &value, a[3], sizeof(value)))
		return ERR_FAULT;
	if (a[2]) {
		lapic_write(v, (u32)a[1], value);
		return 0;
	}
	value = lapic_read(v, (u32)a[1]);
	return process_write(t->process, a[3], &value, sizeof(value));
}

#define MAP_FILE_MAX (2 * MIB) /* in one step; page aligned */

/* The host address of the file's page at offset, for a mapping of len bytes; ERR_INVAL if the file is shorter,
 * ERR_EXIST if its frames there are another share group's. */
static s64 file_source(const struct guest *g, u64 index, u64 offset, u64 len)
{
	const struct boot_file *file = index <= UINT32_MAX ? file_get((u32)index) : NULL;

	if (!file || !file_named_in(g->definition, g->definition_len, file->name))
		return ERR_INVAL;
	if (offset & ~PAGE_MASK || offset >= file->size || len > ALIGN_UP(file->size, PAGE_SIZE) - offset)
		return ERR_INVAL;
	return merge_own_frames(&g->gmem, (hpa_t){ file->base + offset }, MIN(len, MAP_FILE_MAX) / PAGE_SIZE) ?
		       (s64)(file->base + offset) : ERR_EXIST;
}

SYSCALL_HANDLER(guest_map)
{
	struct guest *g = t->process->guest;
	u64 len = a[2] == MAP_FILE ? MIN(a[1], MAP_FILE_MAX) : a[1];
	s64 source = 0, done;

	if (a[2] > MAP_FILE || (a[0] | a[1]) & ~PAGE_MASK)
		return ERR_INVAL;
	if (a[2] == MAP_FILE) {
		source = file_source(g, a[3], a[4], a[1]);
		if (source < 0)
			return source;
	}
	done = gmem_map(&g->gmem, a[0], len, (enum map_kind)a[2], (u64)source);
	if (done < 0 || (u64)done == a[1])
		return done < 0 ? done : 0;
	t->regs.rdi += (u64)done;
	t->regs.rsi -= (u64)done;
	t->regs.r8 += (u64)done;
	return syscall_again(t);
}

/* Makes the call again once the guest may have memory.  Calls that come here do so only when the buffer that the
 * ledger promises to their guest is used up: while it is loaded, and never in a sound machine afterwards. */
static enum step again_with_memory(struct thread *t)
{
	if (t->process->dying)
		return STEP_EXIT;
	if (__atomic_load_n(&t->process->guest->hold, __ATOMIC_SEQ_CST) & HOLD_MEMORY)
		return STEP_BLOCK;
	t->step = user_step;
	return syscall_handle(t);
}

static s64 wait_for_memory(struct thread *t)
{
	guest_wait_memory(t->process->guest);
	t->step = again_with_memory;
	return SYSCALL_STEP;
}

SYSCALL_HANDLER(guest_discard)
{
	s64 done = gmem_discard(&t->process->guest->gmem, a[0], a[1]);

	if (done == ERR_NOMEM)
		return wait_for_memory(t);
	if (done < 0 || (u64)done == a[1])
		return done < 0 ? done : 0;
	t->regs.rdi += (u64)done;
	t->regs.rsi -= (u64)done;
	return syscall_again(t);
}

SYSCALL_HANDLER(guest_read)
{
	struct gmem *m = &t->process->guest->gmem;
	_Alignas(8) u8 piece[PIECE];

	for (u64 done = 0; done < a[2];) {
		u64 len = MIN(a[2] - done, sizeof(piece));

		if (gmem_read(m, a[0] + done, piece, len) || process_write(t->process, a[1] + done, piece, len))
			return ERR_FAULT;
		done += len;
	}
	return 0;
}

SYSCALL_HANDLER(guest_write)
{
	struct gmem *m = &t->process->guest->gmem;
	_Alignas(8) u8 piece[PIECE];

	for (u64 done = 0; done < a[2];) {
		u64 len = MIN(a[2] - done, sizeof(piece));
		int error = process_read(t->process, piece, a[1] + done, len);

		if (!error)
			error = gmem_write(m, a[0] + done, piece, len);
		if (error == ERR_NOMEM) {
			t->regs.rdi += done;
			t->regs.rsi += done;
			t->regs.rdx -= done;
			return wait_for_memory(t);
		}
		if (error)
			return error;
		done += len;
	}
	return 0;
}

SYSCALL_HANDLER(guest_msi)
{
	return lapic_msi(t->process->guest, a[0], (u32)a[1]);
}

SYSCALL_HANDLER(guest_extint)
{
	struct vcpu *v = own_vcpu(t, 0);

	__atomic_store_n(&v->extint, a[0] != 0, __ATOMIC_SEQ_CST);
	if (a[0])
		vcpu_request(v, REQUEST_KICK);
	return 0;
}

SYSCALL_HANDLER(guest_stop)
{
	char text[96];
	u64 len = MIN(a[2], sizeof(text) - 1);
	u64 reason = a[0];

	if (process_read(t->process, text, a[1], len))
		len = 0;
	text[len] = 0;
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	if (reason != STOP_POWEROFF && reason != STOP_REBOOT)
		reason = STOP_CRASH;
	guest_stop(t->process->guest, (enum stop_reason)reason, "%s", text);
	return SYSCALL_EXIT;
}

SYSCALL_HANDLER(state_save)
{
	struct guest *g = t->process->guest;

	if (!g->replacing || a[1] > GUEST_STATE_MAX || !a[1])
		return ERR_STATE;
	if (process_read(t->process, g->saved, a[0], a[1]))
		return ERR_FAULT;
	g->saved_len = (u32)a[1];
	process_kill(t->process, "replaced");
	return SYSCALL_EXIT;
}

SYSCALL_HANDLER(state_load)
{
	struct guest *g = t->process->guest;
	u32 len = g->saved_len;

	if (!len)
		return ERR_NOENT;
	if (len > a[1])
		return ERR_TOOBIG;
	if (process_write(t->process, a[0], g->saved, len))
		return ERR_FAULT;
	g->saved_len = 0;
	return len;
}

SYSCALL_HANDLER(memory_target)
{
	return (s64)guest_memory_target(t->process->guest);
}

SYSCALL_HANDLER(memory_stats)
{
	struct memory_stats stats;

	if (process_read(t->process, &stats, a[0], sizeof(stats)))
		return ERR_FAULT;
	guest_set_memory_stats(t->process->guest, &stats);
	return 0;
}

SYSCALL_HANDLER(vcpu_target)
{
	return guest_vcpu_target(t->process->guest);
}

SYSCALL_HANDLER(vcpu_present)
{
	return guest_set_present(t->process->guest, a[0], a[1] != 0);
}
