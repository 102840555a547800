/* The fake kernel of the monitor's tests.  States change as kernel/abi.h says; nothing happens by itself. */
#include "tests/unit/fake_monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/fmt.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/command.h"
#include "vmm/monitor/output.h"

struct fake fake;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.next_id = 1;
	fake.console_room = -1;
	fake.config = "";
	strcpy(fake.files[0].name, "bzImage");
	strcpy(fake.files[1].name, "initrd.img");
	fake.files[0].size = 8 * MIB;
	fake.files[1].size = 123456;
	fake.file_count = 2;
	strcpy(fake.host.version, "0.1-test");
	strcpy(fake.host.processor, "A processor whose brand string has quite a lot to say about it");
	strcpy(fake.host.backend, "SVM");
	memset(fake.host.features, 'f', sizeof(fake.host.features) - 1);
	fake.host.cpu_count = 2;
	fake.host.tsc_hz = 2400123456ull;
	fake.host.memory_total = GIB;
	fake.host.memory_free = 512 * MIB;
	fake.host.log_level = LOG_INFO;
	fake.clock = 1000000000;
	output_drain();
	fake_clear();
}

struct fake_guest *fake_guest(const char *name)
{
	for (u32 i = 0; i < FAKE_GUESTS; i++)
		if (fake.guests[i].info.id && strcmp(fake.guests[i].info.name, name) == 0)
			return &fake.guests[i];
	return NULL;
}

struct fake_guest *fake_add(const char *name, const char *definition, u32 state)
{
	struct fake_guest *g;

	if (sys_guest_define(name, definition, strlen(definition)) < 0)
		abort();
	g = fake_guest(name);
	g->info.state = state;
	g->info.starts = state != GUEST_OFF;
	g->info.vcpu_count = g->info.vcpus_present = g->info.vcpus_wanted = 2;
	g->info.memory = 64 * MIB;
	return g;
}

void fake_stop(struct fake_guest *g, u32 reason, const char *text)
{
	g->info.state = GUEST_STOPPED;
	g->info.stop_reason = reason;
	strcpy(g->info.stop_text, text);
	fake.events |= EVENT_GUEST;
}

void fake_finish(struct fake_guest *g)
{
	g->info.state = GUEST_OFF;
	fake.events |= EVENT_GUEST;
}

const char *fake_run(const char *line)
{
	fake_clear();
	command_run(line);
	output_drain();
	fake.out[fake.out_len] = 0;
	return fake.out;
}

void fake_expect(const char *line, const char *part)
{
	const char *text = fake_run(line);

	if (!strstr(text, part))
		fail_msg("'%s': no '%s' in: %s", line, part, text);
}

void fake_clear(void)
{
	fake.out_len = 0;
	memset(fake.out, 0, 256);
}

static struct fake_guest *by_id(u32 id)
{
	for (u32 i = 0; i < FAKE_GUESTS; i++)
		if (id && fake.guests[i].info.id == id)
			return &fake.guests[i];
	return NULL;
}

/* ---- every process ---- */

void sys_log(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	va_list args;
	char *to = fake.log + fake.log_len;
	size_t room = sizeof(fake.log) - fake.log_len;
	int n = fmt_print(to, room, "[    0.000001] %s: monitor: ", names[level]);

	va_start(args, format);
	n += fmt_vprint(to + n, room - (size_t)n, format, args);
	va_end(args);
	to[n++] = '\n';
	fake.log_len += (size_t)n;
	fake.events |= EVENT_LOG;
}

u32 sys_event_wait(u64 deadline)
{
	u32 events = fake.events;

	fake.events = 0;
	if (!events && !deadline) {
		fprintf(stderr, "fake: the monitor waits for ever\n");
		abort();
	}
	if (!events && deadline > fake.clock)
		fake.clock = deadline;
	return events;
}

s64 sys_console_read(void *buf, u64 len)
{
	size_t n = MIN(len, fake.in_len - fake.in_at);

	if (!n)
		return ERR_AGAIN;
	memcpy(buf, fake.in + fake.in_at, n);
	fake.in_at += n;
	return (s64)n;
}

s64 sys_console_write(const void *buf, u64 len)
{
	if (fake.console_room >= 0)
		len = MIN(len, (u64)fake.console_room);
	if (!len)
		return ERR_AGAIN;
	if (fake.out_len + len >= FAKE_OUT)
		fake_clear();
	memcpy(fake.out + fake.out_len, buf, len);
	fake.out_len += len;
	if (fake.console_room > 0)
		fake.console_room -= (s64)len;
	return (s64)len;
}

int sys_file_info(u32 index, struct file_info *info)
{
	if (index >= fake.file_count)
		return ERR_NOENT;
	*info = fake.files[index];
	return 0;
}

u64 sys_clock(void)
{
	return fake.clock;
}

/* ---- the host ---- */

int sys_host_info(struct host_info *info)
{
	*info = fake.host;
	return 0;
}

int sys_cpu_info(u32 index, struct cpu_info *info)
{
	if (index >= fake.host.cpu_count)
		return ERR_NOENT;
	*info = (struct cpu_info){ .apic_id = index * 2, .busy_ns = UINT64_MAX / 2, .idle_ns = 1,
				   .switches = UINT64_MAX, .interrupts = UINT64_MAX, .ready = UINT32_MAX };
	return 0;
}

s64 sys_config_read(u64 offset, void *buf, u64 len)
{
	size_t all = strlen(fake.config), n = offset < all ? MIN(len, all - offset) : 0;

	memcpy(buf, fake.config + offset, n);
	return (s64)n;
}

s64 sys_log_read(u64 *position, void *buf, u64 len)
{
	size_t n;

	*position = MIN(*position, fake.log_len); /* tests empty the log */
	n = MIN(MIN(len, fake.log_len - *position), 7); /* in small pieces */
	memcpy(buf, fake.log + *position, n);
	*position += n;
	return (s64)n;
}

int sys_host_power(enum host_power what)
{
	fake.power_calls++;
	return fake.power_error;
}

/* ---- guests ---- */

int sys_guest_tune(u32 id, const struct guest_tune *tune, struct admission *admission)
{
	fake.tune = *tune;
	*admission = fake.admission;
	return by_id(id) ? fake.tune_error : ERR_NOENT;
}

static void set_definition(struct fake_guest *g, const char *text, u64 len)
{
	memcpy(g->definition, text, len);
	g->definition_len = len;
}

int sys_guest_define(const char *name, const char *text, u64 len)
{
	struct fake_guest *g = NULL;

	if (fake_guest(name))
		return ERR_EXIST;
	for (u32 i = 0; i < FAKE_GUESTS && !g; i++)
		if (!fake.guests[i].info.id)
			g = &fake.guests[i];
	if (!g)
		return ERR_NOMEM;
	memset(g, 0, sizeof(*g));
	g->info.id = fake.next_id++;
	strcpy(g->info.name, name);
	set_definition(g, text, len);
	g->input_room = SIZE_MAX;
	return (int)g->info.id;
}

int sys_guest_undefine(u32 id)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	if (g->info.state != GUEST_OFF)
		return ERR_STATE;
	g->info.id = 0;
	return 0;
}

int sys_guest_redefine(u32 id, const char *text, u64 len)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	if (g->info.state != GUEST_OFF)
		return ERR_STATE;
	set_definition(g, text, len);
	return 0;
}

u32 sys_guest_next(u32 id)
{
	u32 best = 0;

	for (u32 i = 0; i < FAKE_GUESTS; i++) {
		u32 other = fake.guests[i].info.id;

		if (other > id && (!best || other < best))
			best = other;
	}
	return best;
}

int sys_guest_info(u32 id, struct guest_info *info)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	*info = g->info;
	return 0;
}

s64 sys_guest_definition(u32 id, char *buf, u64 len)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	memcpy(buf, g->definition, MIN(len, g->definition_len));
	return (s64)g->definition_len;
}

int sys_guest_start(u32 id, const struct guest_params *params, struct admission *admission)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	*admission = fake.admission;
	if (params->memory > GIB) {
		*admission = (struct admission){ .verdict = ADMIT_CLAIM, .claimant = id, .needs = params->memory };
		return ERR_NOMEM;
	}
	if (fake.start_error)
		return fake.start_error;
	if (g->info.state != GUEST_OFF)
		return ERR_STATE;
	g->params = *params;
	g->info.state = GUEST_RUNNING;
	g->info.starts++;
	g->info.stop_reason = STOP_NONE;
	return 0;
}

int sys_guest_control(u32 id, enum guest_control what, u64 argument)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	if (fake.control_error)
		return fake.control_error;
	if (what != CONTROL_MEMORY && what != CONTROL_VCPUS && (g->info.state == GUEST_OFF || g->info.state == GUEST_DYING))
		return ERR_STATE;
	switch (what) {
	case CONTROL_PAUSE:
		if (g->info.state != GUEST_RUNNING)
			return ERR_STATE;
		g->info.state = GUEST_PAUSED;
		break;
	case CONTROL_RESUME:
		if (g->info.state != GUEST_PAUSED)
			return ERR_STATE;
		g->info.state = GUEST_RUNNING;
		break;
	case CONTROL_RESET:
		fake_stop(g, STOP_REBOOT, "");
		break;
	case CONTROL_DESTROY:
		g->info.state = GUEST_DYING;
		if (!g->slow_destroy)
			fake_finish(g);
		break;
	default:
		break;
	}
	g->last_control = what;
	g->last_argument = argument;
	g->control_count++;
	return 0;
}

int sys_guest_memory(u32 id, struct guest_memory *memory)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	*memory = g->memory;
	memory->memory = g->info.memory;
	return 0;
}

int sys_trace(bool on)
{
	fake.tracing = on;
	return fake.trace_error;
}

s64 sys_trace_read(u32 cpu, u64 *position, struct trace_record *records, u64 count)
{
	u64 n;

	if (cpu >= fake.host.cpu_count)
		return ERR_NOENT;
	*position = MIN(*position, cpu ? 0 : fake.trace_count);
	n = MIN(count, (cpu ? 0 : fake.trace_count) - *position);
	memcpy(records, fake.trace + *position, n * sizeof(*records));
	*position += n;
	return (s64)n;
}

int sys_guest_schedule(u32 id, u32 weight, u32 cap)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	g->schedule = weight | (u64)cap << 32;
	return 0;
}

int sys_guest_pin(u32 id, u32 index, const struct cpu_set *set)
{
	struct fake_guest *g = by_id(id);

	if (!g)
		return ERR_NOENT;
	g->pins = *set;
	return 0;
}

int sys_guest_vcpu_info(u32 id, u32 index, struct vcpu_info *info)
{
	memset(info, 0, sizeof(*info));
	info->cpu = 1023;
	info->latency[10] = 99;
	info->latency[20] = 1;
	info->ready_ns = info->halted_ns = UINT64_MAX / 4;
	info->apic_id = index;
	info->run_ns = info->guest_ns = UINT64_MAX / 4;
	info->wakeups = info->migrations = UINT64_MAX / 4;
	info->guest_cycles = 9000;
	info->exit_cycles = 500;
	for (u32 r = 0; r < REASON_COUNT; r++) {
		info->exits[r].count = r;
		info->exits[r].cycles = 1000ull * r;
		info->exits[r].histogram[r] = r;
	}
	return by_id(id) ? 0 : ERR_NOENT;
}

int sys_guest_vcpu_state(u32 id, u32 index, struct vcpu_state *state)
{
	memset(state, 0xab, sizeof(*state));
	return by_id(id) ? 0 : ERR_NOENT;
}

int sys_guest_peek(u32 id, u64 gpa, void *buf, u64 len)
{
	struct fake_guest *g = by_id(id);

	if (!g || gpa >= g->info.memory || len > g->info.memory - gpa)
		return ERR_FAULT;
	for (u64 i = 0; i < len; i++)
		((u8 *)buf)[i] = (u8)(gpa + i);
	return 0;
}

s64 sys_guest_output(u32 id, u64 *position, void *buf, u64 len)
{
	struct fake_guest *g = by_id(id);
	size_t n;

	if (!g)
		return ERR_NOENT;
	n = MIN(len, g->output_len - *position);
	memcpy(buf, g->output + *position, n);
	*position += n;
	return (s64)n;
}

s64 sys_guest_input(u32 id, const void *buf, u64 len)
{
	struct fake_guest *g = by_id(id);
	size_t n;

	if (!g)
		return ERR_NOENT;
	n = MIN(MIN(len, g->input_room), sizeof(g->input) - g->input_len);
	if (!n)
		return ERR_AGAIN;
	memcpy(g->input + g->input_len, buf, n);
	g->input_len += n;
	if (g->input_room != SIZE_MAX)
		g->input_room -= n;
	return (s64)n;
}

int sys_guest_watch(u32 id)
{
	fake.watched = id;
	return 0;
}
