/* What the merger does to guest memory, with other operations in the middle of its steps: wherever it opens an
 * interrupt window, other processors may be doing anything that needs its locks. */
#include "kernel/gmem_compress.h"
#include "kernel/guest.h"
#include "kernel/merge.h"
#include "kernel/merge_verify.h"
#include "tests/model/model.h"

static u32 windows; /* in so many of the next ones something happens */

static void window(u32 vector)
{
	if (!windows)
		return;
	windows--;
	operation_nested();
	apic_send(0, VECTOR_KICK);
}

static void open_windows(void)
{
	windows = model_pick(4);
	fake_interrupt = window;
	fake_take_interrupts(); /* what is pending is of an earlier one */
	if (windows)
		apic_send(0, VECTOR_KICK);
}

/* The member of a guest, held; NULL: it does not merge. */
static struct merge_member *member_of(struct model_guest *g)
{
	return g->gmem.member ? merge_member(g->gmem.member->number) : NULL;
}

static u64 merged(void)
{
	return merge_counts.merged + merge_counts.zeroed;
}

void merge_some(void)
{
	struct merge_member *member = member_of(operation_guest());
	u64 before = merged();

	if (!member)
		return;
	open_windows();
	(void)merge_scan(member);
	windows = 0;
	merge_release(member);
	if (merged() != before)
		operation_succeeded();
}

/* Whole passes over everybody, undisturbed. */
void merge_all(void)
{
	u32 passes = 1 + model_pick(3);
	u64 before = merged();

	for (u32 i = 0; i < passes; i++)
		for (u32 n = 0; n < model_guest_count; n++) {
			struct merge_member *member = member_of(&model_guests[n]);

			while (member && !merge_scan(member))
				;
			if (member)
				merge_release(member);
		}
	if (merged() != before)
		operation_succeeded();
}

void merge_undo(void)
{
	struct model_guest *g = operation_guest();
	struct merge_member *member = member_of(g);
	int result = 0;

	if (!member)
		return;
	member->cursor = 0;
	while (!result)
		result = merge_unmerge(member);
	REQUIRE(result == 1 || result == ERR_NOMEM);
	REQUIRE(result != 1 || (!g->gmem.merged_pages && !g->gmem.given_pages));
	member->cursor = 0;
	merge_release(member);
	if (result == 1)
		operation_succeeded();
}

/* Whole looks at a guest, by all the ways there are to look. */
void compress_some(void)
{
	struct gmem *m = &operation_guest()->gmem;
	u64 before = m->compressions;
	u32 how = model_take();
	struct gmem_compress_how kind = { .look = how & 1 && how & 2, .at_rest = how & 4,
					  .known_only = how & 8 && how & 16, .split = how & 32 };

	for (u32 looks = 1 + how / 64; looks; looks--)
		while (!gmem_compress(m, kind))
			;
	if (m->compressions != before)
		operation_succeeded();
}

/* ---- ksm verify ---- */

static bool verifying; /* no guest begins or ends meanwhile, and the scanner rests */

bool merge_is_verifying(void)
{
	return verifying;
}

struct gmem *guest_gmem_next(u32 *id)
{
	*id = *id < model_guest_count ? *id + 1 : 0;
	return *id ? &model_guests[*id - 1].gmem : NULL;
}

void merge_hold_scanner(void) { verifying = true; }
void merge_release_scanner(void) { verifying = false; }
void merge_look(void) { } /* the scanner's steps are operations */

/* With guests that go on between its steps: it must not complain. */
void merge_check(void)
{
	const struct merge_verify *result;
	int more = merge_verify_step(true, &result);

	while (more == 1) {
		if (model_pick(2))
			operation_nested();
		more = merge_verify_step(false, &result);
	}
	REQUIRE(!verifying);
	REQUIRE(!more || more == ERR_NOMEM);
	if (!more && result->what[0])
		model_fail("ksm verify, guest %u, page %u: %s", result->guest, model_page_at(result->gpa),
			   result->what);
	if (!more)
		operation_succeeded();
}
