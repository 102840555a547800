/* The stock of merge_stock.h: an array of frames in no order.  It holds PART of the host's frames, and varies
 * by a quarter between two visits of the scanner. */
#include "kernel/merge_stock.h"

#include "kernel/frame.h"
#include "kernel/ledger.h"
#include "kernel/merge_frame.h"

#define PART 256     /* of the host's frames one in so many, ... */
#define LEAST 16     /* ... at least these, */
#define MOST 8192    /* and at most these: 13 bits of chance (32 MiB), taken while merge_lock is held */
#define LEVEL_STEP 64

static struct {
	hpa_t *frames; /* NULL: not open */
	u32 count;
	u32 size;      /* that it should have */
	u32 guests;    /* for which it is open */
	u64 state;     /* of the lot */
} stock; /* merge_lock */

/* SplitMix64 from a seed that no guest knows; nobody sees what it gives. */
static u32 lot(u32 below)
{
	u64 z = stock.state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (u32)((z >> 32) * below >> 32);
}

void merge_stock_seed(u64 seed)
{
	stock.state = seed;
}

static u32 least(void)
{
	return stock.size - stock.size / 4;
}

static u32 most(void)
{
	return stock.size + stock.size / 4;
}

static bool add_one(void)
{
	hpa_t frame = frame_alloc(0, FRAME_KERNEL);

	if (frame.v)
		stock.frames[stock.count++] = frame;
	return frame.v;
}

/* The last of the array is no frame in particular. */
static hpa_t take_last(void)
{
	return stock.frames[--stock.count];
}

/* Opens it; merge_lock is held. */
static int fill(void)
{
	u32 order = 0;
	hpa_t array;

	stock.size = (u32)MIN(MAX(frame_total() / PART, LEAST), MOST);
	while ((PAGE_SIZE << order) / sizeof(hpa_t) <= most())
		order++;
	if (!ledger_host_may_take(stock.size + BIT(order)))
		return ERR_NOMEM;
	array = frame_alloc(order, FRAME_KERNEL);
	if (!array.v)
		return ERR_NOMEM;
	stock.frames = hpa_pointer(array);
	while (stock.count < stock.size && add_one())
		;
	return 0;
}

static void empty(void)
{
	while (stock.count)
		frame_put(take_last());
	frame_put(pointer_hpa(stock.frames));
	stock.frames = NULL;
}

int merge_stock_open(void)
{
	int error;

	spin_lock(&merge_lock);
	error = stock.frames ? 0 : fill();
	if (!error)
		stock.guests++;
	spin_unlock(&merge_lock);
	return error;
}

void merge_stock_close(void)
{
	spin_lock(&merge_lock);
	if (!--stock.guests)
		empty();
	spin_unlock(&merge_lock);
}

hpa_t merge_stock_draw(void)
{
	hpa_t frame = { 0 };
	bool enough;

	spin_lock(&merge_lock);
	enough = stock.frames && (stock.count > least() || add_one());
	if (enough) {
		hpa_t *drawn = &stock.frames[lot(stock.count)];

		frame = *drawn;
		*drawn = take_last();
		frame_kind_set(frame, FRAME_GUEST);
	}
	spin_unlock(&merge_lock);
	return frame;
}

/* The same work for both: what tells them apart is whether a reference is left. */
void merge_stock_return(hpa_t frame)
{
	bool last, kept;

	spin_lock(&merge_lock);
	last = frame_refs(frame) == 1;
	kept = last && stock.frames && stock.count < most();
	frame_kind_set(frame, last ? FRAME_KERNEL : frame_kind_of(frame));
	if (kept)
		stock.frames[stock.count++] = frame;
	else
		frame_put(frame);
	spin_unlock(&merge_lock);
}

void merge_stock_level(void)
{
	spin_lock(&merge_lock);
	for (u32 i = 0; stock.frames && i < LEVEL_STEP && stock.count != stock.size; i++)
		if (stock.count > stock.size)
			frame_put(take_last());
		else if (!add_one())
			break;
	spin_unlock(&merge_lock);
}
