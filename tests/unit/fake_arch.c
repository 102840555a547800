/* The fake machine of fake_arch.h: RAM, CPUs and their interrupts. */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <asm/prctl.h>
#include <unistd.h>

#include "tests/unit/fake_arch_parts.h"

#include "kernel/panic.h"

u8 *fake_ram;
u32 fake_machines;
int fake_ram_file;
void (*fake_halted)(void);
void (*fake_interrupt)(u32 vector);
u32 fake_kicks;

/* sched.c's, where it is linked. */
__attribute__((weak)) struct host_cpu **host_cpus;
__attribute__((weak)) u32 host_cpu_count;

#define KEPT_MAX 65536
static hpa_t kept[KEPT_MAX];
static u32 kept_count;

static struct frame *descriptors;
static struct host_cpu *cpus[FAKE_CPUS];
static u32 pending_kicks[FAKE_CPUS]; /* a */
static u64 cr3s[FAKE_CPUS];
static _Thread_local sigjmp_buf *way_out;

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "panic: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	abort();
}

/* ---- RAM ---- */

static void map_ram(u64 bytes)
{
	u8 *room;

	fake_ram_file = (int)syscall(SYS_memfd_create, "ram", 0);
	assert(fake_ram_file >= 0 && !ftruncate(fake_ram_file, (off_t)bytes));
	room = mmap(NULL, bytes + 2 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(room != MAP_FAILED);
	fake_ram = (u8 *)ALIGN_UP((u64)room, 2 * MIB);
	fake_ram = mmap(fake_ram, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fake_ram_file, 0);
	assert(fake_ram != MAP_FAILED);
	memset(fake_ram, 0xa5, bytes); /* what was there before us */
}

static void start(u64 frames, u32 count)
{
	assert(count <= FAKE_CPUS);
	fake_machines++;
	for (u32 i = 0; i < count; i++) {
		cpus[i] = calloc(1, sizeof(*cpus[i]));
		cpus[i]->arch.self = &cpus[i]->arch;
		cpus[i]->arch.index = cpus[i]->arch.apic_id = i;
		cpus[i]->apic_timer.deadline = APIC_TIMER_OFF;
		cpus[i]->slice_end = UINT64_MAX;
		cpus[i]->queue_lock.class = LOCK_RUN_QUEUE;
		cpus[i]->timer_lock.class = LOCK_TIMER;
		sched_queue_init(&cpus[i]->queue);
		list_init(&cpus[i]->timers);
		pending_kicks[i] = 0;
	}
	host_cpus = cpus;
	host_cpu_count = count;
	fake_kicks = 0;
	fake_halted = NULL;
	fake_interrupt = NULL;
	fake_trap_start();
	fake_cpu_enter(0);
	map_ram(frames * PAGE_SIZE);
	descriptors = malloc(frames * sizeof(*descriptors));
	frame_init(descriptors, (u64)fake_ram, frames);
	frame_add((u64)fake_ram, frames * PAGE_SIZE, 0);
}

void fake_test_run(void **state)
{
	start(fake_frames, fake_cpu_count);
	((void (*)(void **))*state)(state);
}

int fake_test_end(void **state)
{
	kept_count = 0;
	fake_watch_end();
	fake_trap_stop();
	for (u32 i = 0; i < FAKE_CPUS; i++) {
		free(cpus[i]);
		cpus[i] = NULL;
	}
	free(descriptors);
	munmap(fake_ram, fake_frames * PAGE_SIZE);
	close(fake_ram_file);
	return 0;
}

void fake_leave(u64 count)
{
	hpa_t at;

	for (u32 order = FRAME_ORDERS; order-- > 0;)
		while (kept_count < KEPT_MAX && frame_count(FRAME_FREE) >= count + BIT(order) &&
		       (at = frame_alloc(order, FRAME_KERNEL)).v)
			kept[kept_count++] = at;
	assert(frame_count(FRAME_FREE) == count);
}

void fake_give_back(void)
{
	while (kept_count)
		frame_put(kept[--kept_count]);
}

/* ---- CPUs ---- */

void fake_cpu_enter(u32 index)
{
	syscall(SYS_arch_prctl, ARCH_SET_GS, cpus[index]);
}

static void *cpu_thread(void *argument)
{
	void (*body)(u32) = ((void **)argument)[0];
	u32 index = (u32)(u64)((void **)argument)[1];
	sigjmp_buf out;

	fake_cpu_enter(index);
	way_out = &out;
	if (!sigsetjmp(out, 1))
		body(index);
	return NULL;
}

void fake_cpus_run(void (*body)(u32 index))
{
	pthread_t threads[FAKE_CPUS];
	void *arguments[FAKE_CPUS][2];

	for (u32 i = 0; i < host_cpu_count; i++) {
		arguments[i][0] = (void *)body;
		arguments[i][1] = (void *)(u64)i;
		pthread_create(&threads[i], NULL, cpu_thread, arguments[i]);
	}
	for (u32 i = 0; i < host_cpu_count; i++)
		pthread_join(threads[i], NULL);
}

void fake_cpu_leave(void)
{
	assert(way_out);
	siglongjmp(*way_out, 1);
}

u64 fake_cr3(void)
{
	return cr3s[cpu_self()->index];
}

void fake_cr3_set(u64 value)
{
	cr3s[cpu_self()->index] = value;
}

/* ---- interrupts ---- */

static bool timer_due(void)
{
	struct apic_timer *t = &host_cpu()->apic_timer;

	return t->deadline != APIC_TIMER_OFF && __builtin_ia32_rdtsc() >= t->deadline;
}

static bool take_one(void)
{
	u32 index = cpu_self()->index;

	if (__atomic_exchange_n(&pending_kicks[index], 0, __ATOMIC_SEQ_CST)) {
		if (fake_interrupt)
			fake_interrupt(VECTOR_KICK);
		return true;
	}
	if (!timer_due())
		return false;
	host_cpu()->apic_timer.deadline = APIC_TIMER_OFF;
	if (fake_interrupt)
		fake_interrupt(VECTOR_TIMER);
	return true;
}

void fake_take_interrupts(void)
{
	while (take_one())
		;
}

/* Until an interrupt comes: a wake-up that is lost stays lost. */
void fake_halt(void)
{
	while (!take_one()) {
		if (fake_halted)
			fake_halted();
		sched_yield();
	}
}

void apic_send(u32 to, u8 vector)
{
	assert(to < host_cpu_count && vector == VECTOR_KICK);
	__atomic_add_fetch(&fake_kicks, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&pending_kicks[to], 1, __ATOMIC_SEQ_CST);
}

void apic_timer_set(struct apic_timer *t, u64 deadline)
{
	t->deadline = deadline;
}
