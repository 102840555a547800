/* fill.elf: writes all of its RAM, half of the pages with content that is common to all such guests (own: none)
 * and the rest with content of its own (seed=N), which changes from round to round and is verified before each change
 * (still: a round is made when something is typed).  The content does not shrink when it is compressed, but with thin,
 * to a fifth.  Begins when something is typed; says FILLED when all is written and ROUND n after each further round;
 * FAIL when a word is wrong. */
#include "tests/guests/lib/guest.h"

#define PAGE 4096u
#define PAUSE_MS 300 /* at the local APIC's 1 GHz */
#define VECTOR 0x50

static u64 seed;
static bool all_own, still, thin;

static u64 word_of(u64 at, u64 round)
{
	u64 own = all_own || at / PAGE & 1 ? seed << 20 | (round + 1) : 0; /* no other guest's, in whatever round */

	if (thin)
		at &= ~(u64)63;
	return (at ^ own << 32 ^ 0x5a5a5a5a5a5a5a5a) * 0x9e3779b97f4a7c15;
}

/* The part of a range that is neither this image nor what is below it. */
static struct range ours(struct range r)
{
	u64 first = ((u64)image_end + PAGE - 1) & ~(u64)(PAGE - 1);

	if (r.base < first)
		r.base = first;
	return r;
}

static void write_page(u64 page, u64 round)
{
	for (u64 at = page; at < page + PAGE; at += 8)
		*(volatile u64 *)at = word_of(at, round);
}

static u64 wrong_words(u64 page, u64 round)
{
	u64 wrong = 0;

	for (u64 at = page; at < page + PAGE; at += 8)
		wrong += *(volatile u64 *)at != word_of(at, round);
	return wrong;
}

/* Verifies round - 1 (unless this is the first) and writes what changes; returns how many pages there are. */
static u64 go_round(u64 round)
{
	u64 wrong = 0, pages = 0;

	for (u32 i = 0; i < ram_count; i++) {
		struct range r = ours(ram[i]);

		for (u64 page = r.base; page + PAGE <= r.end; page += PAGE, pages++) {
			if (round)
				wrong += wrong_words(page, round - 1);
			if (!round || all_own || page / PAGE & 1)
				write_page(page, round);
		}
	}
	if (wrong)
		print("FAIL %u words are wrong in round %u\n", wrong, round);
	return pages;
}

static void on_timer(struct frame *frame)
{
	lapic_eoi();
}

/* Halted, so that the others have the processor. */
static void rest(void)
{
	lapic_write(APIC_TIMER_INIT, PAUSE_MS * 1000000u);
	asm volatile("sti; hlt; cli" : : : "memory");
}

static bool typed(void)
{
	bool there = inb(0x3fd) & 1;

	if (there)
		inb(0x3f8);
	return there;
}

int main(const char *line)
{
	seed = option("seed=", 1);
	all_own = option_set("own");
	still = option_set("still");
	thin = option_set("thin");
	trap_set(VECTOR, on_timer);
	lapic_enable(false);
	lapic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
	lapic_write(APIC_LVT_TIMER, VECTOR);
	print("WAITING\n");
	while (!typed())
		rest();
	print("FILLED %u pages\n", go_round(0));
	for (u64 round = 1;; round++) {
		do
			rest();
		while (still && !typed());
		go_round(round);
		print("ROUND %u\n", round);
	}
}
