/* Doubly linked circular lists through a link in the object; a head is a link too. */
#ifndef KERNEL_LIB_LIST_H
#define KERNEL_LIB_LIST_H

#include "kernel/lib/types.h"

struct link {
	struct link *next, *prev;
};

static inline void list_init(struct link *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct link *head) { return head->next == head; }
static inline bool list_linked(const struct link *l) { return l->next; }

static inline void list_insert(struct link *l, struct link *before)
{
	l->next = before;
	l->prev = before->prev;
	before->prev->next = l;
	before->prev = l;
}

static inline void list_remove(struct link *l)
{
	l->next->prev = l->prev;
	l->prev->next = l->next;
	l->next = l->prev = NULL;
}

#define LIST_ITEM(l, type, member) CONTAINER_OF(l, type, member)

#endif
