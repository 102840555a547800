/* The memory balloon (VIRTIO 1.2 §5.5).  Lock: the machine lock.
 *
 * A notification only asks for a tick.  Ticks, on the event thread, take one chain at a time and a bounded piece of it
 * each, so that the lock is never held for long; what is done of it is in the state, so that a save may come between
 * two pieces.  Pages are given back by SYS_GUEST_DISCARD and read as zeroes from then on, whatever the guest does
 * with them: taking a page out of the balloon needs no work. */
#include "vmm/machine/balloon.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/virtio_pci.h"

/* §5.5.3 */
#define F_STATS BIT(1)
#define F_DEFLATE_ON_OOM BIT(2)
#define F_POISON BIT(4)
#define F_REPORTING BIT(5)

/* §5.5.2.  The free page hints are not offered, and then drivers disagree on where reporting is (Linux before 6.11 has
 * it in 3, as QEMU): it is in both. */
enum { INFLATE, DEFLATE, STATS, HINT, REPORT };

#define PIECE_PAGES 256        /* page numbers of one piece of work */
#define PIECE_RUNS 16          /* and into how many runs they may fall */
#define PIECE_BYTES (2 * MIB)  /* reported memory of one piece */
#define RETRY_NS 10000000      /* when the host had no memory for the guest's ring */
#define STAT_LEN 10            /* u16 tag, u64 value */
#define STATS_MAX 32

static void balloon_driver_reset(struct machine *m);
static void balloon_status(struct machine *m);
static void balloon_notify(struct machine *m, u32 queue);
static void balloon_config(struct machine *m, struct access *a);

static const struct virtio_type type = {
	.offset = offsetof(struct machine, balloon.virtio), .id = 5, .devfn = BALLOON_DEVFN,
	.class_revision = 0x05800001, /* memory controller, other */
	.queue_count = VIRTIO_QUEUES, .features = F_STATS | F_DEFLATE_ON_OOM | F_POISON | F_REPORTING,
	.config_len = sizeof(struct balloon_config), .reset = balloon_driver_reset, .status = balloon_status,
	.notify = balloon_notify, .config = balloon_config,
};

/* Tells the kernel, for the operator. */
static void balloon_tell(struct machine *m)
{
	const struct balloon *b = &m->balloon;
	struct memory_stats stats = { .driver = virtio_runs(&b->virtio), .balloon = b->config.actual * PAGE_SIZE,
				      .inflated = b->inflated, .reported = b->reported };

	stats.reporting = stats.driver && virtio_has(&b->virtio, F_REPORTING);
	stats.clock = b->stats_time ? m->clock_base + b->stats_time : 0;
	memcpy(stats.values, b->values, sizeof(stats.values));
	sys_memory_stats(&stats);
}

static void balloon_due(struct machine *m, u64 at)
{
	m->balloon.work_at = at;
	machine_reschedule(m, at);
}

/* ---- pages ---- */

/* A run of pages grows by its next neighbour at either end: Linux's allocator hands them out in both orders. */
struct run {
	u64 first, count; /* page numbers */
};

static bool run_grow(struct run *r, u64 page)
{
	if (r->count && page + 1 == r->first)
		r->first = page;
	else if (r->count && page != r->first + r->count)
		return false;
	else if (!r->count)
		r->first = page;
	r->count++;
	return true;
}

/* Addresses without RAM are the driver's mistake and cost nothing; without memory for it the pages stay. */
static u64 discard(u64 gpa, u64 len)
{
	return len && !sys_guest_discard(gpa, len) ? len : 0;
}

/* Gives count pages back, or as many of them as fall into PIECE_RUNS; returns how many it dealt with. */
static u32 balloon_inflate(struct balloon *b, const u32 *pages, u32 count)
{
	struct run run = { 0, 0 };
	u32 i, runs = 0;

	for (i = 0; i < count; i++) {
		if (run_grow(&run, pages[i]))
			continue;
		b->inflated += discard(run.first << PAGE_SHIFT, run.count << PAGE_SHIFT);
		if (++runs == PIECE_RUNS)
			return i;
		run = (struct run){ pages[i], 1 };
	}
	b->inflated += discard(run.first << PAGE_SHIFT, run.count << PAGE_SHIFT);
	return count;
}

/* One piece of buffer from offset at on, not at its end; returns how many bytes of it are done with, or an error. */
static s64 inflate_piece(struct balloon *b, const struct virtio_buffer *buffer, u64 at)
{
	u32 pages[PIECE_PAGES];
	u64 len = MIN(buffer->len - at, sizeof(pages));

	if (len < sizeof(pages[0])) /* no whole page number */
		return (s64)len;
	if (sys_guest_read(buffer->gpa + at, pages, len))
		return ERR_FAULT;
	return balloon_inflate(b, pages, (u32)(len / sizeof(pages[0]))) * sizeof(pages[0]);
}

/* Pages that are wholly inside.  A guest that expects its poison back cannot get it (§5.5.6.7): nothing is taken. */
static s64 report_piece(struct balloon *b, const struct virtio_buffer *buffer, u64 at)
{
	u64 len = MIN(buffer->len - at, PIECE_BYTES);
	u64 start = ALIGN_UP(buffer->gpa + at, PAGE_SIZE), end = (buffer->gpa + at + len) & PAGE_MASK;
	bool poisoned = virtio_has(&b->virtio, F_POISON) && b->config.poison;

	if (!poisoned && start < end)
		b->reported += discard(start, end - start);
	return (s64)len;
}

/* One piece of the chain at work: 1 if there may be more, 0 at its end, or an error. */
static int balloon_piece(struct machine *m)
{
	struct balloon *b = &m->balloon;
	struct virtio_walk walk;
	struct virtio_buffer buffer;
	u64 before = 0;
	int more;

	if (b->queue == DEFLATE)
		return 0;
	virtio_walk(&b->virtio, b->queue, b->head, &walk);
	while ((more = virtio_next(m, &type, &walk, &buffer)) == 1) {
		s64 n;

		if (b->done - before >= buffer.len) {
			before += buffer.len;
			continue;
		}
		n = b->queue == INFLATE ? inflate_piece(b, &buffer, b->done - before)
					: report_piece(b, &buffer, b->done - before);
		if (n < 0) {
			virtio_break(m, &type);
			return (int)n;
		}
		b->done += (u64)n;
		return 1;
	}
	return more;
}

/* ---- statistics ---- */

/* Keeps the driver's buffer: to give it back is to ask for new values (§5.5.6.3). */
static void balloon_take_stats(struct machine *m, u16 head)
{
	struct balloon *b = &m->balloon;
	struct virtio_walk walk;
	struct virtio_buffer buffer;
	u8 bytes[STATS_MAX * STAT_LEN];
	u64 len;

	b->stats_head = head;
	b->stats_held = 1;
	virtio_walk(&b->virtio, STATS, head, &walk);
	if (virtio_next(m, &type, &walk, &buffer) != 1 || buffer.writable)
		return;
	len = MIN(buffer.len, sizeof(bytes));
	if (sys_guest_read(buffer.gpa, bytes, len)) {
		virtio_break(m, &type);
		return;
	}
	memset(b->values, 0xff, sizeof(b->values)); /* MEMORY_UNKNOWN */
	for (u64 at = 0; at + STAT_LEN <= len; at += STAT_LEN) {
		u16 tag = (u16)(bytes[at] | bytes[at + 1] << 8);

		if (tag < MEMORY_STAT_COUNT)
			memcpy(&b->values[tag], &bytes[at + 2], sizeof(b->values[tag]));
	}
	b->stats_time = MAX(machine_now(m), 1);
	balloon_tell(m);
}

static void balloon_ask(struct machine *m, u64 now)
{
	struct balloon *b = &m->balloon;

	b->stats_at = virtio_runs(&b->virtio) ? now + BALLOON_STATS_NS : NEVER;
	if (b->stats_at == NEVER || !b->stats_held)
		return;
	if (virtio_push(m, &type, STATS, b->stats_head, 0) == 0)
		b->stats_held = 0;
}

/* ---- work ---- */

/* Takes the next chain of any queue; false if there is none. */
static bool balloon_take(struct machine *m)
{
	static const u8 queues[] = { DEFLATE, STATS, INFLATE, HINT, REPORT };
	struct balloon *b = &m->balloon;
	u16 head;

	for (u32 i = 0; i < ARRAY_SIZE(queues); i++) {
		u8 queue = queues[i];

		if (queue == STATS && b->stats_held)
			continue;
		if (virtio_pop(m, &type, queue, &head) != 1)
			continue;
		if (queue == STATS) {
			balloon_take_stats(m, head);
			continue;
		}
		b->busy = 1;
		b->queue = queue;
		b->head = head;
		b->done = 0;
		return true;
	}
	return false;
}

static void balloon_work(struct machine *m, u64 now)
{
	struct balloon *b = &m->balloon;
	int result;

	b->work_at = NEVER;
	if (!virtio_runs(&b->virtio) || b->queue >= VIRTIO_QUEUES || (!b->busy && !balloon_take(m)))
		return;
	result = balloon_piece(m);
	if (result < 0)
		return;
	b->work_at = now + 1;
	if (result)
		return;
	result = virtio_push(m, &type, b->queue, b->head, 0);
	if (result == ERR_NOMEM)
		b->work_at = now + RETRY_NS;
	else
		b->busy = 0;
	if (b->queue != DEFLATE) /* also of a driver that never writes `actual` */
		balloon_tell(m);
}

/* ---- what the driver does ---- */

static void balloon_notify(struct machine *m, u32 queue)
{
	if (!m->balloon.busy) /* else it is looked at in its turn */
		balloon_due(m, machine_now(m));
}

static void balloon_status(struct machine *m)
{
	struct balloon *b = &m->balloon;

	if (virtio_runs(&b->virtio) && b->stats_at == NEVER && virtio_has(&b->virtio, F_STATS)) {
		b->stats_at = machine_now(m) + BALLOON_STATS_NS;
		machine_reschedule(m, b->stats_at);
		balloon_due(m, machine_now(m)); /* buffers may be there already */
	}
	balloon_tell(m);
}

static void balloon_config(struct machine *m, struct access *a)
{
	struct balloon_config *c = &m->balloon.config, before = *c;

	if (!a->write) {
		a->value = 0;
		memcpy(&a->value, (u8 *)c + a->addr, a->size);
		return;
	}
	memcpy((u8 *)c + a->addr, &a->value, a->size);
	c->num_pages = before.num_pages;
	c->hint_command = before.hint_command;
	if (c->actual != before.actual)
		balloon_tell(m);
}

/* The driver begins anew, with the host's target; what it had given is its own again. */
static void balloon_driver_reset(struct machine *m)
{
	struct balloon *b = &m->balloon, old = *b;

	memset(&b->config, 0, sizeof(*b) - offsetof(struct balloon, config));
	b->config.num_pages = old.config.num_pages;
	b->inflated = old.inflated;
	b->reported = old.reported;
	b->work_at = b->stats_at = NEVER;
	memset(b->values, 0xff, sizeof(b->values));
	balloon_tell(m);
}

void balloon_update_target(struct machine *m)
{
	u64 memory = m->info.memory, target = sys_memory_target();
	u32 pages = target < memory ? (u32)((memory - target) / PAGE_SIZE) : 0;

	if (!m->settings.balloon || pages == m->balloon.config.num_pages)
		return;
	m->balloon.config.num_pages = pages;
	if (virtio_runs(&m->balloon.virtio))
		virtio_config_changed(m, &type);
}

/* ---- the device ---- */

void balloon_attach(struct machine *m)
{
	if (m->settings.balloon)
		virtio_pci_attach(m, &type);
}

void balloon_reset(struct machine *m)
{
	memset(&m->balloon, 0, sizeof(m->balloon));
	m->balloon.work_at = m->balloon.stats_at = NEVER;
	if (!m->settings.balloon)
		return;
	virtio_pci_reset(m, &type);
	balloon_update_target(m);
}

u64 balloon_deadline(const struct machine *m)
{
	return MIN(m->balloon.work_at, m->balloon.stats_at);
}

void balloon_tick(struct machine *m, u64 now)
{
	if (now >= m->balloon.work_at)
		balloon_work(m, now);
	if (now >= m->balloon.stats_at)
		balloon_ask(m, now);
}
