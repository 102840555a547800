/* Attached to a guest.  Its output is read only as fast as the terminal takes it (the kernel keeps the last
 * 64 KiB), so leaving never waits behind a backlog.  One thread: no lock. */
#include "vmm/monitor/console.h"

#include "vmm/lib/sys.h"
#include "vmm/monitor/events.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/replay.h"

#define LEAVE 0x1d          /* Ctrl-] */
#define BACKLOG 2048        /* bytes of guest output in the output ring before we stop reading */
#define PUMP_ROUNDS 16      /* pieces before the other events get their turn */
#define TYPED_MAX 16384
#define RETRY_NS 5000000ull /* the guest's input was full: no event tells when it is not */

static u32 attached;
static u64 position;                 /* in the guest's output */
static u64 replay_end;               /* before it lies what was written before we attached */
static struct replay replay;
static char typed[TYPED_MAX];        /* a ring of bytes that the guest has not taken yet */
static size_t typed_tail, typed_used;

u32 console_guest(void)
{
	return attached;
}

void console_attach(const struct guest_info *info)
{
	output_print("Console of %s; Ctrl-] leaves it.\n", info->name);
	attached = info->id;
	position = 0;
	replay_end = info->output_end;
	replay.len = 0;
	typed_used = 0;
	sys_guest_watch(info->id);
	console_pump();
}

static void detach(void)
{
	attached = 0;
	sys_guest_watch(0);
	output_raw("\x1b[0m\r\n", 6);
}

static void send_typed(void)
{
	while (typed_used) {
		size_t n = MIN(typed_used, TYPED_MAX - typed_tail);
		s64 taken = sys_guest_input(attached, typed + typed_tail, n);

		if (taken == ERR_AGAIN || taken == 0)
			return;
		if (taken < 0) { /* nobody will ever read it */
			typed_used = 0;
			return;
		}
		typed_tail = (typed_tail + (size_t)taken) % TYPED_MAX;
		typed_used -= (size_t)taken;
	}
}

void console_input(u8 byte)
{
	if (byte == LEAVE) {
		send_typed();
		detach();
		return;
	}
	if (typed_used == TYPED_MAX)
		send_typed();
	if (typed_used == TYPED_MAX) { /* still: refusing is the only way to keep Ctrl-] working */
		output_raw("\a", 1);
		return;
	}
	typed[(typed_tail + typed_used++) % TYPED_MAX] = (char)byte;
}

/* The next piece of the guest's output to the terminal; how long it was, 0: nothing new, or an error. */
static s64 show_piece(void)
{
	char piece[1024], filtered[sizeof(piece) + REPLAY_HELD];
	bool old = position < replay_end, rest = replay.len; /* of a sequence that began in old output */
	u64 len = old ? MIN(sizeof(piece), replay_end - position) : rest ? 1 : sizeof(piece);
	s64 n = sys_guest_output(attached, &position, piece, len);

	if (n <= 0)
		return n;
	if (old || rest)
		output_raw(filtered, replay_filter(&replay, piece, (size_t)n, filtered));
	else
		output_raw(piece, (size_t)n);
	output_flush();
	return n;
}

void console_pump(void)
{
	s64 n = 0;
	int rounds = 0;

	if (!attached)
		return;
	send_typed();
	output_flush(); /* when there is room again no further event will tell */
	while (output_used() < BACKLOG) {
		if (rounds++ == PUMP_ROUNDS) {
			events_keep(EVENT_GUEST_OUTPUT);
			return;
		}
		n = show_piece();
		if (n <= 0)
			break;
	}
	if (n == ERR_NOENT) /* the guest was undefined */
		detach();
}

u64 console_deadline(void)
{
	return attached && typed_used ? sys_clock() + RETRY_NS : 0;
}
