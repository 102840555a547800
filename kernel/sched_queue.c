/* EEVDF on one CPU.  Invariant: clock * weight + rest is exactly the sum of weight * vruntime over ready and
 * running, and |rest| < weight; so the least vruntime never exceeds clock, and somebody may always run. */
#include "kernel/sched_queue.h"

#define URGENT 0 /* a deadline before all others; urgent ones run in the order of their coming */

struct sched_times sched_times;
u64 sched_front = SCHED_FIRST_CLOCK;

void sched_times_init(u64 ms)
{
	sched_times = (struct sched_times){ .slice = 2 * ms, .wake = ms / 2, .min_run = ms / 10, .alone = 1000 * ms,
					    .apart = 4 * ms, .limit = 20 * ms, .balance = 8 * ms };
}

void sched_entity_init(struct sched_entity *e, u32 weight)
{
	*e = (struct sched_entity){ .weight = weight, .next_weight = weight };
}

static u64 scaled(u64 cycles, u64 weight)
{
	return cycles * WEIGHT_DEFAULT / weight;
}

static struct sched_entity *entity_of(struct link *l)
{
	return LIST_ITEM(l, struct sched_entity, queued);
}

static void settle(struct sched_queue *q)
{
	s64 whole = q->weight ? q->rest / (s64)q->weight : 0;

	if (!whole)
		return;
	q->rest -= whole * (s64)q->weight;
	__atomic_store_n(&q->clock, q->clock + (u64)whole, __ATOMIC_RELAXED);
}

static void add(struct sched_queue *q, const struct sched_entity *e)
{
	q->weight += e->weight;
	q->rest += (s64)e->weight * (s64)(e->vruntime - q->clock);
	settle(q);
}

static void subtract(struct sched_queue *q, const struct sched_entity *e)
{
	q->weight -= e->weight;
	q->rest -= (s64)e->weight * (s64)(e->vruntime - q->clock);
	settle(q);
}

static void insert(struct sched_queue *q, struct sched_entity *e)
{
	struct link *at = q->ready.prev;

	while (at != &q->ready && entity_of(at)->deadline > e->deadline)
		at = at->prev;
	list_insert(&e->queued, at->next);
	q->count++;
}

static void unlink(struct sched_queue *q, struct sched_entity *e)
{
	list_remove(&e->queued);
	q->count--;
}

void sched_queue_account(struct sched_queue *q, u64 now)
{
	struct sched_entity *e = q->running;
	u64 ran = now - q->since, virtual;

	if (!e || (s64)ran <= 0) /* another CPU's TSC may be a little behind */
		return;
	virtual = scaled(ran, e->weight);
	if (!virtual) /* rather later than never */
		return;
	q->since = now;
	e->run_cycles += ran;
	if (q->free) { /* so that such time goes round, too */
		e->deadline += virtual;
		return;
	}
	e->vruntime += virtual;
	q->rest += (s64)virtual * (s64)e->weight;
	settle(q);
}

void sched_queue_forgive(struct sched_queue *q, u64 to)
{
	u64 delta = to - q->clock;

	if ((s64)delta <= 0)
		return;
	__atomic_store_n(&q->clock, to, __ATOMIC_RELAXED);
	for (struct link *l = q->ready.next; l != &q->ready; l = l->next) {
		entity_of(l)->vruntime += delta;
		if (entity_of(l)->deadline != URGENT)
			entity_of(l)->deadline += delta;
	}
	if (q->running) {
		q->running->vruntime += delta;
		q->running->deadline += delta;
	}
}

/* Where e stands among those who are here.  A sleeper keeps what it was behind when it fell asleep and gains
 * nothing by sleeping; what it was ahead is forgotten as its queue's clock passes it.  One that is moved while it
 * is ready keeps its place in virtual time, which is the same for all queues. */
static void place(const struct sched_queue *q, struct sched_entity *e, enum sched_join how)
{
	u64 most = sched_times.limit + 2 * scaled(sched_times.slice, e->weight);
	u64 behind = how == JOIN_WOKEN ? (u64)MAX(e->lag, 0) : most;

	if (how == JOIN_WOKEN && e->home && e->home != q)
		e->vruntime += q->clock - __atomic_load_n(&e->home->clock, __ATOMIC_RELAXED);
	e->vruntime = MIN(MAX(e->vruntime, q->clock - MIN(behind, most)), q->clock + most);
}

bool sched_queue_join(struct sched_queue *q, struct sched_entity *e, enum sched_join how, u64 now)
{
	u64 front = __atomic_load_n(&sched_front, __ATOMIC_RELAXED);
	bool first = !q->count;

	e->weight = __atomic_load_n(&e->next_weight, __ATOMIC_RELAXED);
	sched_queue_account(q, now);
	if (first) /* nobody was kept waiting here, so there is nothing to make up for */
		sched_queue_forgive(q, q->weight ? front - sched_times.limit : front);
	place(q, e, how);
	e->woken = how == JOIN_WOKEN;
	e->called = false;
	e->deadline = e->woken && (s64)(e->vruntime - q->clock) <= 0 ? URGENT
		: e->vruntime + scaled(sched_times.slice, e->weight);
	e->ready_since = now;
	add(q, e);
	insert(q, e);
	return first || e->deadline == URGENT;
}

bool sched_queue_boost(struct sched_queue *q, struct sched_entity *e)
{
	if (e->deadline == URGENT || (s64)(e->vruntime - q->clock) > 0)
		return false;
	unlink(q, e);
	e->deadline = URGENT;
	insert(q, e);
	return true;
}

void sched_queue_remove(struct sched_queue *q, struct sched_entity *e)
{
	unlink(q, e);
	subtract(q, e);
}

static struct sched_entity *first_allowed(const struct sched_queue *q)
{
	for (struct link *l = q->ready.next; l != &q->ready; l = l->next)
		if ((s64)(entity_of(l)->vruntime - q->clock) <= 0)
			return entity_of(l);
	return NULL;
}

/* Of what is first: need running's request not be served before?  In a strict order, so that two that are called do
 * not throw each other out. */
static bool preempts(const struct sched_queue *q, const struct sched_entity *first)
{
	return first && (first->deadline == URGENT || (first->called && first->deadline < q->running->deadline));
}

s64 sched_queue_left(struct sched_queue *q, u64 now)
{
	sched_queue_account(q, now);
	return (s64)(q->running->deadline - q->running->vruntime);
}

bool sched_queue_call(struct sched_queue *q, struct sched_entity *e, s64 left, u64 now)
{
	sched_queue_account(q, now);
	if (e->deadline != URGENT) {
		unlink(q, e);
		e->deadline = e->vruntime + (u64)MAX(left, 0);
		e->called = true;
		insert(q, e);
	}
	return first_allowed(q) == e && (!q->running || preempts(q, e));
}

void sched_queue_swap(struct sched_queue *q, struct sched_entity *e, u64 now)
{
	struct sched_entity *caller = q->running;
	s64 by;

	sched_queue_account(q, now);
	by = (s64)(e->vruntime - caller->vruntime);
	if (by <= 0 || e->weight != caller->weight)
		return;
	unlink(q, e);
	e->vruntime -= (u64)by;
	if (e->deadline != URGENT)
		e->deadline -= (u64)by;
	caller->vruntime += (u64)by;
	caller->deadline += (u64)by;
	insert(q, e);
}

const struct sched_entity *sched_queue_first(const struct sched_queue *q)
{
	return first_allowed(q);
}

bool sched_queue_is_urgent(const struct sched_entity *e)
{
	return e->deadline == URGENT;
}

/* e runs from now on. */
static struct sched_entity *take(struct sched_queue *q, struct sched_entity *e, u64 now)
{
	unlink(q, e);
	e->waited = (s64)(now - e->ready_since) > 0 ? now - e->ready_since : 0;
	e->ready_cycles += e->waited;
	if (e->deadline == URGENT)
		e->deadline = e->vruntime + scaled(sched_times.wake, e->weight);
	e->called = false;
	q->running = e;
	q->free = false;
	q->since = q->started = now;
	return e;
}

struct sched_entity *sched_queue_pick(struct sched_queue *q, u64 now)
{
	struct sched_entity *e = first_allowed(q);

	return e ? take(q, e, now) : NULL;
}

struct sched_entity *sched_queue_pick_of(struct sched_queue *q,
					 bool (*may)(const struct sched_entity *e, void *argument), void *argument, u64 now)
{
	for (u32 ahead = 0; ahead < 2; ahead++)
		for (struct link *l = q->ready.next; l != &q->ready; l = l->next) {
			struct sched_entity *e = entity_of(l);

			if (((s64)(e->vruntime - q->clock) > 0) != ahead || !may(e, argument))
				continue;
			take(q, e, now);
			q->free = ahead;
			return e;
		}
	return NULL;
}

/* A request that was served is followed by the next. */
static void renew(struct sched_entity *e)
{
	if ((s64)(e->vruntime - e->deadline) >= 0)
		e->deadline = e->vruntime + scaled(sched_times.slice, e->weight);
}

/* Another weight: what e is ahead or behind, and what is left of its request, stay what they are in CPU time. */
static void reweigh(struct sched_queue *q, struct sched_entity *e)
{
	u32 weight = __atomic_load_n(&e->next_weight, __ATOMIC_RELAXED);
	s64 ahead = (s64)(e->vruntime - q->clock), left = (s64)(e->deadline - e->vruntime);

	if (weight == e->weight)
		return;
	subtract(q, e);
	e->vruntime = q->clock + (u64)(ahead * e->weight / weight);
	e->deadline = e->vruntime + (u64)(left * e->weight / weight);
	e->weight = weight;
	add(q, e);
}

void sched_queue_stop(struct sched_queue *q, enum sched_stop how, u64 now)
{
	struct sched_entity *e = q->running;

	sched_queue_account(q, now);
	q->running = NULL;
	if (how == SCHED_LEAVES) {
		e->lag = (s64)(q->clock - e->vruntime);
		e->home = q;
		subtract(q, e);
		return;
	}
	if (how == SCHED_YIELDED) /* keeps what it is behind, but lets the others' deadlines come first */
		e->deadline = MAX(e->vruntime, q->clock) + scaled(sched_times.slice, e->weight);
	reweigh(q, e);
	renew(e);
	e->ready_since = now;
	e->woken = false;
	insert(q, e);
}

bool sched_queue_yields(struct sched_queue *q, u64 now)
{
	struct sched_entity *e = q->running, *next;

	sched_queue_account(q, now);
	reweigh(q, e);
	next = first_allowed(q);
	if (preempts(q, next))
		return now - q->started >= sched_times.min_run;
	if (q->free)
		return now - q->started >= sched_times.wake;
	if ((s64)(e->vruntime - e->deadline) < 0)
		return false;
	renew(e);
	return next && ((s64)(e->vruntime - q->clock) > 0 || next->deadline < e->deadline);
}

u64 sched_queue_look(const struct sched_queue *q)
{
	const struct sched_entity *e = q->running, *next = first_allowed(q);
	s64 left = (s64)(e->deadline - e->vruntime);

	if (!q->count)
		return q->since + sched_times.alone;
	if (preempts(q, next))
		return q->started + sched_times.min_run;
	if (q->free)
		return q->started + sched_times.wake;
	return q->since + MAX((u64)MAX(left, 0) * e->weight / WEIGHT_DEFAULT, sched_times.min_run / 8);
}

u64 sched_queue_clock(const struct sched_queue *q, u64 now)
{
	u64 clock = __atomic_load_n(&q->clock, __ATOMIC_RELAXED), weight = __atomic_load_n(&q->weight, __ATOMIC_RELAXED);
	s64 ran = (s64)(now - __atomic_load_n(&q->since, __ATOMIC_RELAXED));

	if (!__atomic_load_n(&q->running, __ATOMIC_RELAXED) || !weight || ran <= 0)
		return clock;
	return clock + scaled((u64)ran, weight);
}
