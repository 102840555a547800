/* top: once a second who used the processors since the last time, and who has how much memory, most first, until q.
 * One thread: no lock. */
#include "vmm/monitor/top.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

#define PERIOD_NS 1000000000ull
#define ROWS 18 /* what fits on a terminal of 24 lines */
#define GUESTS 64 /* beyond them the table says how many there are */

struct sample {
	struct guest_info info;
	u64 run, ready, exits; /* ns, ns, count: since its start, then since the last sample */
};

struct before {
	u32 id;
	u64 run, ready, exits;
};

/* What the table is sorted by; a key of the same letter chooses another. */
enum order { BY_CPU, BY_READY, BY_MEMORY, BY_EXITS, ORDERS };
static const char *const orders[ORDERS] = { "cpu", "ready", "memory", "exits" };

static bool shown;
static enum order order;
static u64 next, last;                 /* clock ns */
static struct sample samples[GUESTS];
static struct before before[GUESTS];
static u32 sample_count, before_count;
static u64 passed;                     /* ns between the last two samples */
static u64 host_busy, host_used;       /* ns, of all CPUs: in all, and between them */
static struct host_info host;

bool top_shown(void)
{
	return shown;
}

u64 top_deadline(void)
{
	return shown ? next : 0;
}

static void take(struct sample *s)
{
	static struct vcpu_info vcpu;

	s->run = s->info.run_ns;
	s->ready = s->exits = 0;
	for (u32 i = 0; i < s->info.vcpu_count; i++) {
		if (sys_guest_vcpu_info(s->info.id, i, &vcpu) != 0)
			continue;
		s->ready += vcpu.ready_ns + vcpu.capped_ns;
		for (u32 r = 0; r < REASON_COUNT; r++)
			s->exits += vcpu.exits[r].count;
	}
}

static const struct before *before_of(u32 id)
{
	for (u32 i = 0; i < before_count; i++)
		if (before[i].id == id)
			return &before[i];
	return NULL;
}

/* From totals to what was used since the last time; a guest that began anew counts from its start. */
static void difference(struct sample *s, struct before *now)
{
	const struct before *b = before_of(s->info.id);
	bool goes_on = b && b->run <= s->run && b->ready <= s->ready && b->exits <= s->exits;

	*now = (struct before){ s->info.id, s->run, s->ready, s->exits };
	if (!goes_on)
		return;
	s->run -= b->run;
	s->ready -= b->ready;
	s->exits -= b->exits;
}

static u64 weight_of(const struct sample *s)
{
	switch (order) {
	case BY_READY: return s->ready;
	case BY_MEMORY: return s->info.memory_used;
	case BY_EXITS: return s->exits;
	default: return s->run;
	}
}

static void sort(void)
{
	for (u32 i = 1; i < sample_count; i++)
		for (u32 j = i; j && weight_of(&samples[j]) > weight_of(&samples[j - 1]); j--) {
			struct sample s = samples[j];

			samples[j] = samples[j - 1];
			samples[j - 1] = s;
		}
}

static void collect(void)
{
	static struct before now[GUESTS];
	struct guest_info info;

	sample_count = 0;
	for (GUESTS_EACH(&info)) {
		if (sample_count == GUESTS)
			break;
		samples[sample_count].info = info;
		take(&samples[sample_count]);
		difference(&samples[sample_count], &now[sample_count]);
		sample_count++;
	}
	before_count = sample_count;
	for (u32 i = 0; i < before_count; i++)
		before[i] = now[i];
	sort();
}

static void look_at_host(void)
{
	struct cpu_info cpu;
	u64 busy = 0;

	if (sys_host_info(&host) != 0)
		return;
	for (u32 i = 0; i < host.cpu_count; i++)
		if (sys_cpu_info(i, &cpu) == 0)
			busy += cpu.busy_ns;
	host_used = MIN(busy - host_busy, passed * host.cpu_count);
	host_busy = busy;
}

static void draw(void)
{
	static const struct column columns[] = {
		{ "ID", 4, true }, { "NAME", 16, false }, { "STATE", 8, false }, { "VCPUS", 5, true }, { "CPU", 7, true },
		{ "READY", 7, true }, { "EXITS/S", 8, true }, { "MEMORY", 10, true }, { NULL, 0, false },
	};

	output_raw("\x1b[H\x1b[J", 6);
	output_print("up %s, %u CPUs %s busy, %s free; by %s: c r m e, q leaves\n", units_time(host.clock_ns).text,
		     host.cpu_count, units_share(host_used, passed * host.cpu_count).text,
		     units_size(host.memory_free).text, orders[order]);
	table_head(columns);
	for (u32 i = 0; i < sample_count && i < ROWS; i++) {
		const struct sample *s = &samples[i];

		TABLE_ROW(columns, units_count(s->info.id).text, s->info.name, guests_state(&s->info),
			  units_count(s->info.vcpus_present).text, units_share(s->run, passed).text,
			  units_share(s->ready, passed).text, units_count(s->exits * PERIOD_NS / passed).text,
			  units_size(s->info.memory_used).text);
	}
	if (sample_count > ROWS)
		output_print("and more: 'list' shows all\n");
}

void top_input(u8 byte)
{
	for (u32 i = 0; i < ORDERS; i++)
		if (byte == (u8)orders[i][0]) {
			order = (enum order)i;
			sort();
			draw();
		}
	if (byte != 'q' && byte != 3)
		return;
	shown = false;
	output_raw("\r\n", 2);
}

void top_draw(void)
{
	u64 clock = sys_clock();

	if (!shown || clock < next)
		return;
	passed = MAX(clock - last, 1);
	last = clock;
	next = clock + PERIOD_NS;
	collect();
	look_at_host();
	draw();
}

void commands_top(int argc, char **argv)
{
	u32 chosen = BY_CPU;

	while (argc > 1 && chosen < ORDERS && strcmp(argv[1], orders[chosen]) != 0)
		chosen++;
	if (chosen == ORDERS) {
		output_error("'%.20s' is nothing to sort by: use cpu, ready, memory or exits", argv[1]);
		return;
	}
	order = (enum order)chosen;
	shown = true;
	last = next = 0; /* the first table is of the time since the start */
	host_busy = 0;
	before_count = 0;
	top_draw();
}
