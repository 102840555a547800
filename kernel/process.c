/* Processes: their life, memory and events. */
#include "kernel/process.h"

#include "arch/x86_64/registers.h"
#include "kernel/frame.h"
#include "kernel/guest.h"
#include "kernel/heap.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/program.h"
#include "kernel/space.h"
#include "kernel/trace.h"
#include "kernel/vcpu_run.h"

static void add_area(struct process *p, struct area area)
{
	struct area *last = p->area_count ? &p->areas[p->area_count - 1] : NULL;

	for (struct area *a = p->areas; a <= last; a++)
		if (a->end == area.start && a->write == area.write && a->owned == area.owned) {
			__atomic_store_n(&a->end, area.end, __ATOMIC_RELEASE); /* growth of the heap */
			return;
		}
	p->areas[p->area_count] = area;
	__atomic_store_n(&p->area_count, p->area_count + 1, __ATOMIC_RELEASE); /* process_pointer takes no lock */
}

static int map_zero_page(struct process *p, u64 address, u32 perms)
{
	hpa_t frame = frame_alloc_zero(0, FRAME_PROCESS);

	if (!frame.v)
		return ERR_NOMEM;
	if (space_map(p->root, address, frame, perms, &p->tables)) {
		frame_put(frame);
		return ERR_NOMEM;
	}
	p->frames++;
	return 0;
}

/* Maps as much as there is memory for; returns where it ended.  What was mapped stays: another thread may
 * have touched it already, so taking it back would need a flush. */
static u64 map_owned(struct process *p, u64 start, u64 len, bool write)
{
	u64 at = start;

	if (p->area_count == PROCESS_AREAS)
		return start;
	while (at < start + len && !map_zero_page(p, at, PERM_READ | (write ? PERM_WRITE : 0)))
		at += PAGE_SIZE;
	if (at > start)
		add_area(p, (struct area){ start, at, write, true });
	return at;
}

int process_map_new(struct process *p, u64 start, u64 len, bool write)
{
	return map_owned(p, start, len, write) == start + len ? 0 : ERR_NOMEM;
}

int process_map_frame(struct process *p, u64 address, hpa_t frame, bool write)
{
	int error = p->area_count == PROCESS_AREAS ? ERR_NOMEM
		: space_map(p->root, address, frame, PERM_READ | (write ? PERM_WRITE : 0), &p->tables);

	if (!error)
		add_area(p, (struct area){ address, address + PAGE_SIZE, write, false });
	return error;
}

s64 process_grow(struct process *p, u64 len)
{
	u64 start, end;

	if (!len || len > p->heap_max)
		return ERR_NOMEM;
	len = ALIGN_UP(len, PAGE_SIZE);
	spin_lock(&p->lock);
	end = start = PROCESS_HEAP + p->heap_size;
	if (len <= p->heap_max - p->heap_size)
		end = map_owned(p, start, len, true);
	p->heap_size += end - start; /* after a failure too: the next growth must not map over these pages */
	spin_unlock(&p->lock);
	return end == start + len ? (s64)start : ERR_NOMEM;
}

static void free_memory(struct process *p)
{
	for (u32 i = 0; i < p->area_count; i++) {
		struct area *a = &p->areas[i];

		for (u64 at = a->start; a->owned && at < a->end; at += PAGE_SIZE) {
			u32 level;
			u64 entry = *table_find(&table_format_host, p->root, at, &level);

			if (entry & table_format_host.present)
				frame_put((hpa_t){ entry & TABLE_ADDRESS });
		}
	}
	space_put(p->root);
	p->root.v = 0;
}

static void process_free(struct process *p)
{
	if (p->root.v)
		free_memory(p);
	heap_free(p, sizeof(*p));
}

u64 process_frames(const struct process *p)
{
	return p->frames + p->tables + 1;
}

static struct thread *add_thread(struct process *p, u64 entry, u64 argument, u64 stack)
{
	struct thread *t = thread_create(p, user_step, p->kind == PROCESS_MONITOR ? WEIGHT_MAX : WEIGHT_DEFAULT);

	if (!t)
		return NULL;
	t->regs = (struct user_regs){ .rip = entry, .rdi = argument, .rsp = stack, .rflags = RFLAGS_FIXED | RFLAGS_IF,
				      .cs = SELECTOR_USER_CODE, .ss = SELECTOR_USER_DATA };
	t->guest = p->guest ? p->guest->id : 0;
	t->node = p->guest ? p->guest->node + 1 : 0;
	list_insert(&t->siblings, &p->threads);
	p->thread_count++;
	return t;
}

int process_add_thread(struct process *p, u64 entry, u64 argument, u64 stack)
{
	struct thread *t = NULL;

	if (!process_pointer(p, entry, 1, false))
		return ERR_FAULT; /* a RIP that is not canonical would fault in ring 0, at the IRET */
	spin_lock(&p->lock);
	if (p->thread_count < PROCESS_THREADS_MAX && !p->dying)
		t = add_thread(p, entry, argument, stack & ~15ull);
	spin_unlock(&p->lock);
	if (!t)
		return ERR_NOMEM;
	thread_start(t);
	return 0;
}

struct process *process_create(enum process_kind kind, struct guest *guest, const u8 *elf)
{
	struct process *p = heap_alloc(sizeof(*p));
	u64 entry;

	if (!p)
		return NULL;
	p->kind = kind;
	p->guest = guest;
	p->lock.class = LOCK_PROCESS;
	p->heap_max = PROCESS_HEAP_MAX;
	list_init(&p->threads);
	list_init(&p->waiters);
	p->root = space_create();
	if (!p->root.v || program_load(p, elf, &entry) ||
	    process_map_frame(p, PROCESS_ABI, program_abi_page(), false) ||
	    process_map_new(p, PROCESS_STACK_TOP - PROCESS_STACK_SIZE, PROCESS_STACK_SIZE, true) ||
	    !add_thread(p, entry, PROCESS_ABI, PROCESS_STACK_TOP)) {
		process_free(p);
		return NULL;
	}
	return p;
}

void process_abandon(struct process *p)
{
	thread_free(LIST_ITEM(p->threads.next, struct thread, siblings));
	process_free(p);
}

void process_start(struct process *p)
{
	thread_start(LIST_ITEM(p->threads.next, struct thread, siblings));
}

void process_kill(struct process *p, const char *format, ...)
{
	va_list args;

	spin_lock(&p->lock);
	if (!p->dying) {
		va_start(args, format);
		fmt_vprint(p->end_text, sizeof(p->end_text), format, args);
		va_end(args);
		__atomic_store_n(&p->dying, 1, __ATOMIC_SEQ_CST);
	}
	for (struct link *l = p->threads.next; l != &p->threads; l = l->next) {
		struct thread *t = LIST_ITEM(l, struct thread, siblings);

		thread_wake(t);
		host_cpu_resched(t->cpu); /* a vCPU's step goes on through kicks */
	}
	spin_unlock(&p->lock);
}

void process_wake(struct process *p)
{
	spin_lock(&p->lock);
	for (struct link *l = p->threads.next; l != &p->threads; l = l->next)
		thread_wake(LIST_ITEM(l, struct thread, siblings));
	spin_unlock(&p->lock);
}

void process_raise(struct process *p, u32 events)
{
	struct thread *t;

	__atomic_or_fetch(&p->events, events, __ATOMIC_SEQ_CST);
	t = __atomic_load_n(&p->event_thread, __ATOMIC_SEQ_CST);
	if (t)
		thread_wake(t);
}

void *process_pointer(struct process *p, u64 address, u64 len, bool write)
{
	u32 count = __atomic_load_n(&p->area_count, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < count; i++) {
		const struct area *a = &p->areas[i];

		if (address >= a->start && address < a->end && len <= a->end - address && (a->write || !write))
			return (void *)address;
	}
	return NULL;
}

int process_read(struct process *p, void *to, u64 from, u64 len)
{
	const void *pointer = process_pointer(p, from, len, false);

	if (!pointer)
		return ERR_FAULT;
	cpu_user_access_begin();
	memcpy(to, pointer, len);
	cpu_user_access_end();
	return 0;
}

int process_write(struct process *p, u64 to, const void *from, u64 len)
{
	void *pointer = process_pointer(p, to, len, true);

	if (!pointer)
		return ERR_FAULT;
	cpu_user_access_begin();
	memcpy(pointer, from, len);
	cpu_user_access_end();
	return 0;
}

void thread_activate(struct thread *t)
{
	space_switch(t->process ? t->process->root : space_kernel_root());
	vcpu_on_cpu(t);
}

void thread_deactivate(struct thread *t, bool ready)
{
	if (trace_on)
		trace(TRACE_RUN, ready, t->process && t->process->guest ? t->process->guest->id : 0,
		      t->vcpu ? t->vcpu->index : TRACE_NO_VCPU, host_cpu()->queue.started, rdtsc());
	vcpu_off_cpu(host_cpu(), t, ready);
}

void thread_exited(struct thread *t)
{
	struct process *p = t->process;
	bool last = false;

	if (p) {
		space_switch(space_kernel_root());
		vcpu_detach(t);
		spin_lock(&p->lock);
		list_remove(&t->siblings);
		if (list_linked(&t->waiting))
			list_remove(&t->waiting);
		if (p->event_thread == t)
			__atomic_store_n(&p->event_thread, NULL, __ATOMIC_SEQ_CST);
		last = --p->thread_count == 0;
		spin_unlock(&p->lock);
	}
	thread_free(t);
	if (last) {
		free_memory(p); /* first: a successor is built of it */
		process_gone(p);
		process_free(p);
	}
}
