/* The list of guests.  Lock: list_lock (LOCK_GUEST_LIST).  Only the monitor, which has one thread, defines and
 * undefines, so a guest that it found stays while its call lasts. */
#include "kernel/guest.h"

#include "kernel/heap.h"
#include "kernel/lib/string.h"
#include "kernel/process.h"
#include "kernel/monitor.h"

/* What a definition takes of the host's reserve: struct guest, its text, its console. */
#define GUEST_FRAMES ((CONSOLE_HISTORY + GUEST_INPUT_SIZE + 2 * DEFINITION_MAX) / PAGE_SIZE)

static struct spinlock list_lock = SPINLOCK(LOCK_GUEST_LIST);
static struct link guests = { &guests, &guests };
static u32 last_id;

static struct guest *find_locked(u32 id)
{
	for (struct link *l = guests.next; l != &guests; l = l->next)
		if (LIST_ITEM(l, struct guest, link)->id == id)
			return LIST_ITEM(l, struct guest, link);
	return NULL;
}

struct guest *guest_find(u32 id)
{
	struct guest *g;

	spin_lock(&list_lock);
	g = find_locked(id);
	spin_unlock(&list_lock);
	return g;
}

u32 guest_next(u32 id)
{
	u32 next = 0;

	spin_lock(&list_lock);
	for (struct link *l = guests.next; l != &guests && !next; l = l->next)
		if (LIST_ITEM(l, struct guest, link)->id > id)
			next = LIST_ITEM(l, struct guest, link)->id;
	spin_unlock(&list_lock);
	return next;
}

/* Only the monitor's calls start guests and let them die. */
struct gmem *guest_gmem_next(u32 *id)
{
	while ((*id = guest_next(*id))) {
		struct guest *g = guest_find(*id);

		if (g->state != GUEST_OFF)
			return &g->gmem;
	}
	return NULL;
}

struct gmem *guest_gmem_hold(u32 *id)
{
	struct gmem *m = NULL;
	u32 from = *id;

	spin_lock(&list_lock);
	for (struct link *l = guests.next; l != &guests && !m; l = l->next) {
		struct guest *g = LIST_ITEM(l, struct guest, link);

		spin_lock(&g->lock);
		if (g->id >= from && g->state != GUEST_OFF && g->state != GUEST_DYING) {
			m = &g->gmem;
			__atomic_add_fetch(&m->held, 1, __ATOMIC_SEQ_CST);
			*id = g->id;
		}
		spin_unlock(&g->lock);
	}
	spin_unlock(&list_lock);
	if (!m)
		*id = 0;
	return m;
}

void guest_gmem_release(struct gmem *m)
{
	__atomic_sub_fetch(&m->held, 1, __ATOMIC_SEQ_CST);
}

bool guest_is_dying(void)
{
	for (u32 id = 0; (id = guest_next(id));)
		if (guest_find(id)->state == GUEST_DYING)
			return true;
	return false;
}

/* It stays: a guest must be OFF to be undefined. */
struct guest *guest_dying(void)
{
	struct guest *dying = NULL;

	spin_lock(&list_lock);
	for (struct link *l = guests.next; l != &guests && !dying; l = l->next) {
		struct guest *g = LIST_ITEM(l, struct guest, link);

		spin_lock(&g->lock);
		if (g->state == GUEST_DYING && !g->process)
			dying = g;
		spin_unlock(&g->lock);
	}
	spin_unlock(&list_lock);
	return dying;
}

void guest_each(void (*look)(struct guest *g, void *argument), void *argument)
{
	spin_lock(&list_lock);
	for (struct link *l = guests.next; l != &guests; l = l->next)
		look(LIST_ITEM(l, struct guest, link), argument);
	spin_unlock(&list_lock);
}

static void guest_free(struct guest *g)
{
	ring_fini(&g->output);
	ring_fini(&g->input);
	heap_free(g->definition, DEFINITION_MAX);
	heap_free(g, sizeof(*g));
}

static struct guest *guest_alloc(const char *name, const char *definition, u32 len)
{
	struct guest *g = heap_alloc(sizeof(*g));

	if (!g)
		return NULL;
	str_copy(g->name, sizeof(g->name), name);
	g->lock.class = LOCK_GUEST;
	g->definition = heap_alloc(DEFINITION_MAX);
	if (!g->definition || ring_init(&g->output, CONSOLE_HISTORY) || ring_init(&g->input, GUEST_INPUT_SIZE)) {
		guest_free(g);
		return NULL;
	}
	memcpy(g->definition, definition, len);
	g->definition_len = len;
	return g;
}

static bool name_taken(const char *name)
{
	for (struct link *l = guests.next; l != &guests; l = l->next)
		if (!strcmp(LIST_ITEM(l, struct guest, link)->name, name))
			return true;
	return false;
}

s64 guest_define(const char *name, const char *definition, u32 len)
{
	struct guest *g;
	s64 result = ERR_EXIST;

	if (!*name || len > DEFINITION_MAX)
		return ERR_INVAL;
	if (!ledger_host_may_take(GUEST_FRAMES))
		return ERR_NOMEM;
	g = guest_alloc(name, definition, len);
	if (!g)
		return ERR_NOMEM;
	spin_lock(&list_lock);
	if (!name_taken(name)) {
		result = g->id = ++last_id;
		list_insert(&g->link, &guests);
	}
	spin_unlock(&list_lock);
	if (result < 0)
		guest_free(g);
	return result;
}

static bool is_off(const struct guest *g)
{
	return g->state == GUEST_OFF && !g->process;
}

int guest_redefine(struct guest *g, const char *definition, u32 len)
{
	bool off;

	spin_lock(&g->lock);
	off = is_off(g);
	if (off) {
		memcpy(g->definition, definition, len);
		g->definition_len = len;
	}
	spin_unlock(&g->lock);
	return off ? 0 : ERR_STATE;
}

int guest_undefine(struct guest *g)
{
	bool off;

	spin_lock(&list_lock);
	spin_lock(&g->lock);
	off = is_off(g);
	spin_unlock(&g->lock);
	if (off)
		list_remove(&g->link);
	spin_unlock(&list_lock);
	if (!off)
		return ERR_STATE;
	guest_free(g);
	return 0;
}

void process_gone(struct process *p)
{
	if (p->kind == PROCESS_MONITOR)
		monitor_gone(p);
	else
		guest_process_gone(p->guest, p);
}
