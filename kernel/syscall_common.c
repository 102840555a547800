/* System calls of every process.  Data passes through a small buffer on the kernel's stack, in pieces, so
 * that no lock is held while ring 3's memory is touched. */
#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/file.h"
#include "kernel/frame.h"
#include "kernel/guest.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/monitor.h"
#include "kernel/syscall.h"

#define PIECE 1024
#define LINE 160

SYSCALL_HANDLER(exit)
{
	process_kill(t->process, "it ended with code %d", (int)a[0]);
	return SYSCALL_EXIT;
}

SYSCALL_HANDLER(log)
{
	static struct log_limit limits[2];
	char text[LINE];
	u64 len = MIN(a[2], sizeof(text) - 1);
	struct process *p = t->process;

	if (process_read(p, text, a[1], len))
		return ERR_FAULT;
	text[len] = 0;
	log_limited(&limits[p->kind], (u32)MIN(a[0], LOG_DEBUG), "%s: %s",
		    p->guest ? p->guest->name : "monitor", text);
	return 0;
}

SYSCALL_HANDLER(memory_grow)
{
	struct process *p = t->process;
	s64 address = process_grow(p, a[0]);

	if (address > 0 && p->guest)
		ledger_own_taken(&p->guest->account, (s64)(ALIGN_UP(a[0], PAGE_SIZE) / PAGE_SIZE));
	return address;
}

SYSCALL_HANDLER(thread_create)
{
	return process_add_thread(t->process, a[0], a[1], a[2]);
}

static void futex_resume(struct thread *t)
{
	struct process *p = t->process;

	spin_lock(&p->lock);
	if (list_linked(&t->waiting))
		list_remove(&t->waiting);
	spin_unlock(&p->lock);
	t->regs.rax = 0;
}

SYSCALL_HANDLER(futex_wait)
{
	struct process *p = t->process;
	u32 value;
	s64 result = 0;

	if (a[0] & 3)
		return ERR_INVAL;
	spin_lock(&p->lock);
	if (process_read(p, &value, a[0], sizeof(value))) {
		result = ERR_FAULT;
	} else if (value == (u32)a[1]) {
		t->wait_address = a[0];
		list_insert(&t->waiting, &p->waiters);
		t->resume = futex_resume;
		result = SYSCALL_BLOCK;
	}
	spin_unlock(&p->lock);
	return result;
}

SYSCALL_HANDLER(futex_wake)
{
	struct process *p = t->process;
	u64 woken = 0;

	spin_lock(&p->lock);
	for (struct link *l = p->waiters.next; l != &p->waiters && woken < a[1];) {
		struct thread *waiter = LIST_ITEM(l, struct thread, waiting);

		l = l->next;
		if (waiter->wait_address != a[0])
			continue;
		list_remove(&waiter->waiting);
		thread_wake(waiter);
		woken++;
	}
	spin_unlock(&p->lock);
	return (s64)woken;
}

static void event_expired(struct timer *timer)
{
	thread_wake(CONTAINER_OF(timer, struct thread, timer));
}

/* Takes the events, or waits on. */
static void event_resume(struct thread *t)
{
	u32 events = __atomic_exchange_n(&t->process->events, 0, __ATOMIC_SEQ_CST);

	if (!events && rdtsc() < t->timer.deadline) {
		t->resume = event_resume;
		return;
	}
	timer_cancel(&t->timer);
	t->regs.rax = events;
}

SYSCALL_HANDLER(event_wait)
{
	struct process *p = t->process;
	u32 events;

	__atomic_store_n(&p->event_thread, t, __ATOMIC_SEQ_CST);
	events = __atomic_exchange_n(&p->events, 0, __ATOMIC_SEQ_CST);
	if (events)
		return events;
	t->timer.expired = event_expired;
	timer_arm(&t->timer, a[0] ? clock_tsc(a[0]) : TIMER_NEVER);
	t->resume = event_resume;
	return SYSCALL_BLOCK;
}

SYSCALL_HANDLER(event_raise)
{
	process_raise(t->process, EVENT_SELF);
	return 0;
}

SYSCALL_HANDLER(yield)
{
	t->regs.rax = 0;
	return SYSCALL_YIELD;
}

/* ---- the own console ---- */

static u64 console_take(struct process *p, char *piece, u64 len)
{
	return p->guest ? ring_read(&p->guest->input, (u8 *)piece, len) : host_console->read(piece, len);
}

SYSCALL_HANDLER(console_read)
{
	struct process *p = t->process;
	char piece[PIECE];
	u64 len = MIN(a[1], sizeof(piece));

	if (!process_pointer(p, a[0], len, true))
		return ERR_FAULT;
	len = console_take(p, piece, len);
	if (!len)
		return ERR_AGAIN;
	return process_write(p, a[0], piece, len) ? ERR_FAULT : (s64)len;
}

static u64 console_put(struct process *p, const char *piece, u64 len)
{
	struct guest *g = p->guest;

	if (!g)
		return host_console->write(piece, len);
	ring_record(&g->output, (const u8 *)piece, len);
	if (!g->first_output_clock)
		g->first_output_clock = clock_ns();
	monitor_output(g);
	return len;
}

SYSCALL_HANDLER(console_write)
{
	struct process *p = t->process;
	char piece[PIECE];
	u64 done = 0;

	while (done < a[1]) {
		u64 len = MIN(a[1] - done, sizeof(piece)), taken;

		if (process_read(p, piece, a[0] + done, len))
			return ERR_FAULT;
		taken = console_put(p, piece, len);
		done += taken;
		if (taken < len)
			break;
	}
	return done || !a[1] ? (s64)done : ERR_AGAIN;
}

/* ---- files ---- */

static bool may_read(const struct process *p, const struct boot_file *file)
{
	return !p->guest || file_named_in(p->guest->definition, p->guest->definition_len, file->name);
}

/* A file that is not for the caller has its index, but neither name nor size. */
SYSCALL_HANDLER(file_info)
{
	const struct boot_file *file = file_get((u32)MIN(a[0], UINT32_MAX));
	struct file_info info = { .size = 0 };

	if (!file)
		return ERR_NOENT;
	if (may_read(t->process, file)) {
		str_copy(info.name, sizeof(info.name), file->name);
		info.size = file->size;
	}
	return process_write(t->process, a[1], &info, sizeof(info));
}

SYSCALL_HANDLER(file_read)
{
	const struct boot_file *file = file_get((u32)MIN(a[0], UINT32_MAX));
	u64 len;

	if (!file)
		return ERR_NOENT;
	if (!may_read(t->process, file))
		return ERR_PERM;
	if (a[1] >= file->size)
		return 0;
	len = MIN(a[3], file->size - a[1]);
	return process_write(t->process, a[2], hpa_pointer((hpa_t){ file->base + a[1] }), len) ? ERR_FAULT : (s64)len;
}
