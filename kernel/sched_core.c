/* A core's state is one word, the guest that is there or was, how often another came, and on how many of its hardware
 * threads it is; and a wish, which ends by itself: whoever had it may have gone elsewhere.  No lock: all atomic. */
#include "kernel/sched_core.h"

#define GUEST(use) ((u32)((use) >> 32))
#define TURN(use) ((u32)(use) >> 8)
#define COUNT(use) ((u32)(use) & 0xff)
#define USE(guest, turn, count) ((u64)(guest) << 32 | (u32)((turn) << 8) | (count))

static struct thread *thread_of(const struct sched_entity *e)
{
	return CONTAINER_OF(e, struct thread, sched);
}

static bool is_wished_by_another(const struct sched_core *core, u32 guest, u64 now)
{
	u32 next = __atomic_load_n(&core->next, __ATOMIC_ACQUIRE);

	return next && next != guest && (s64)(__atomic_load_n(&core->next_until, __ATOMIC_RELAXED) - now) > 0;
}

bool sched_core_has_room(const struct host_cpu *cpu, u32 guest)
{
	u64 use = cpu->core ? __atomic_load_n(&cpu->core->use, __ATOMIC_RELAXED) : 0;

	return !guest || !COUNT(use) || GUEST(use) == guest;
}

static bool enter(struct host_cpu *cpu, u32 guest, u64 now)
{
	struct sched_core *core = cpu->core;
	u64 use = __atomic_load_n(&core->use, __ATOMIC_SEQ_CST), fresh;

	if (!guest)
		return true;
	if (is_wished_by_another(core, guest, now))
		return false;
	do {
		if (COUNT(use) && GUEST(use) != guest)
			return false;
		fresh = USE(guest, TURN(use) + (GUEST(use) != guest), COUNT(use) + 1);
	} while (!__atomic_compare_exchange_n(&core->use, &use, fresh, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	if (GUEST(use) != guest)
		__atomic_store_n(&core->since, now, __ATOMIC_RELAXED);
	__atomic_store_n(&core->next, 0, __ATOMIC_RELEASE);
	return true;
}

/* The core's other threads look again, or those for which somebody waits. */
static void make_look(struct host_cpu *cpu, bool all)
{
	for (struct host_cpu *s = cpu->sibling; s && s != cpu; s = s->sibling)
		if (all || s->queue.count)
			host_cpu_resched(s->arch.index);
}

void sched_core_leave(struct host_cpu *cpu, u32 guest)
{
	if (!cpu->core || !guest)
		return;
	if (!COUNT(__atomic_sub_fetch(&cpu->core->use, 1, __ATOMIC_SEQ_CST)))
		make_look(cpu, false); /* who stood back may be next */
}

bool sched_core_turned(struct host_cpu *cpu)
{
	u32 turn = TURN(__atomic_load_n(&cpu->core->use, __ATOMIC_SEQ_CST));
	bool turned = turn != cpu->turn;

	cpu->turn = turn;
	return turned;
}

bool sched_core_is_closed(const struct host_cpu *cpu, u32 guest, u64 now)
{
	return cpu->core && guest && is_wished_by_another(cpu->core, guest, now);
}

/* Of one that stands back: have those in its way had their turn?  It is as long as the heaviest of them weighs, so that
 * guests have a core in proportion to their weights, and short for one that runs for nothing.  (Virtual times do not
 * tell: who is alone on his CPU for long is any time behind the others.) */
static bool is_owed(const struct host_cpu *cpu, const struct sched_entity *e, u64 now)
{
	u64 turn = sched_times.wake;

	if (sched_queue_is_urgent(e))
		return true;
	for (const struct host_cpu *s = cpu->sibling; s && s != cpu; s = s->sibling) {
		const struct sched_entity *other = __atomic_load_n(&s->queue.running, __ATOMIC_RELAXED);

		if (other && !s->queue.free && thread_of(other)->guest && thread_of(other)->guest != thread_of(e)->guest)
			turn = MAX(turn, sched_times.slice * other->weight / WEIGHT_DEFAULT);
	}
	if ((s64)(now - e->ready_since) > (s64)sched_times.limit) /* the core's other threads took turns without it */
		turn = MIN(turn, sched_times.slice);
	return (s64)(now - __atomic_load_n(&cpu->core->since, __ATOMIC_RELAXED)) >= (s64)turn;
}

struct look {
	struct host_cpu *cpu;
	u64 now;
};

static bool may_run(const struct sched_entity *e, void *argument)
{
	const struct look *look = argument;

	return enter(look->cpu, thread_of(e)->guest, look->now);
}

struct sched_entity *sched_core_pick(struct host_cpu *cpu, u64 now)
{
	const struct sched_entity *first = sched_queue_first(&cpu->queue);
	u32 guest = first ? thread_of(first)->guest : 0;
	struct look look = { cpu, now };

	if (!sched_core_has_room(cpu, guest) && !is_wished_by_another(cpu->core, guest, now) && is_owed(cpu, first, now)) {
		__atomic_store_n(&cpu->core->next_until, now + sched_times.slice, __ATOMIC_RELAXED);
		__atomic_store_n(&cpu->core->next, guest, __ATOMIC_RELEASE);
		make_look(cpu, true);
	}
	return sched_queue_pick_of(&cpu->queue, may_run, &look, now);
}
