/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists: the order of accesses is that of Linux 6.12, and what CONFIG_DEBUG_LIST
 * would find is found.  The kernel then warns and leaves the list alone; here the
 * task ends, because whatever follows rests on a list that is torn.
 */
#include <config.h>

#include "engine/internal.h"
#include "k/kernel.h"
#include "k/list.h"
#include "k/objtypes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct field link_fields[] = {
	FIELD(struct list_head, next, .flags = FIELD_PTR | FIELD_LINK),
	FIELD(struct list_head, prev, .flags = FIELD_PTR | FIELD_LINK),
	{0}
};

struct list_head *list_links(const struct object *node)
{
	char *base = node->base;

	return (struct list_head *)(node->type == &list_objtype ? base :
				    base + node->size - sizeof(struct list_head));
}

bool list_describe_links(struct object *o, size_t offset)
{
	return object_describe(o, (char *)o->base + offset, "list", link_fields,
			       sizeof(struct list_head));
}

/* What DEBUG_LIST does with its findings. */
#define WARNS "the kernel with CONFIG_DEBUG_LIST would warn and leave the list alone"

/* "list_del corruption: why. This is t in list_del_rcu() (x.lua:7) after step 3; what
 * the kernel would do." */
static _Noreturn void corrupt(const struct site *s, const char *then, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static _Noreturn void corrupt(const struct site *s, const char *then, const char *fmt, ...)
{
	struct task *t = task_current();
	char *what = NULL, *msg = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	if (asprintf(&msg, "%s This is %s in %s() (%s:%d) after step %" PRIu64 "; %s.", what ? what : "",
		     task_name(t), s->prim, site_file(s), s->line, t->w->log.n, then) < 0)
		msg = NULL;
	free(what);
	world_violate(t->w, "warning", msg, t, NULL);
	task_fail();
}

/* The object whose address a link holds; NULL: nothing that may be followed. */
static struct object *node_at(u64 link)
{
	struct world *w = task_current()->w;

	return arena_contains(w, (void *)(uintptr_t)link) ?
		       object_at(w, (void *)(uintptr_t)link) : NULL;
}

static const char *node_name(u64 link)
{
	struct object *o = node_at(link);

	return o ? o->name : link == LIST_POISON1 ? "LIST_POISON1" :
	       link == LIST_POISON2 ? "LIST_POISON2" : link ? "?" : "NULL";
}

static u64 address(const struct object *o)
{
	return (uintptr_t)o->base;
}

static u64 load(u64 *link, const struct list_sites *s)
{
	return task_event((struct event){ .site = s->load, .op = s->load->op,
					  .order = s->load->order, .loc = link, .size = 8 });
}

static void store(u64 *link, u64 v, const struct site *s)
{
	task_event((struct event){ .site = s, .op = s->op, .order = s->order, .loc = link,
				   .size = 8, .a = v });
}

/* The oracle looks at the links at the moment of the task's last load; it costs no
 * step, and nothing but a violation comes of it. */
static void check_add(const struct object *o, u64 prev, u64 next, const struct site *s)
{
	const struct list_head *mine = list_links(o);
	struct object *before = node_at(prev), *after = node_at(next);

	if (mine->prev && mine->prev != LIST_POISON2)
		corrupt(s, WARNS, "list_add corruption: %s is on a list already, behind %s: to add it "
			"again tears that list.", o->name, node_name(mine->prev));
	if (!before || !after || list_links(after)->prev != prev || list_links(before)->next != next)
		corrupt(s, WARNS, "list_add corruption: %s was to come between %s and %s, which are no "
			"neighbours any more: somebody else changes the list at the same time.",
			o->name, node_name(prev), node_name(next));
}

void k_list_add(struct object *o, struct object *head, bool tail, const struct list_sites *s)
{
	struct list_head *at = list_links(head), *mine = list_links(o);
	u64 prev = address(head), next = prev;

	if (tail)
		prev = load(&at->prev, s);
	else
		next = load(&at->next, s);
	check_add(o, prev, next, s->publish);
	store(&mine->next, next, s->store);
	store(&mine->prev, prev, s->store);
	/* from here on readers find it: its own links must be there before */
	store(&list_links(node_at(prev))->next, address(o), s->publish);
	store(&list_links(node_at(next))->prev, address(o), s->store);
}

static void check_del(const struct object *o, u64 prev, u64 next, const struct site *s)
{
	struct object *before = node_at(prev), *after = node_at(next);

	if (!prev)
		corrupt(s, WARNS, "list_del corruption: %s was never on a list.", o->name);
	if (prev == LIST_POISON2)
		corrupt(s, WARNS, "list_del corruption: %s has been deleted already.", o->name);
	if (!before || !after || list_links(before)->next != address(o) ||
	    list_links(after)->prev != address(o))
		corrupt(s, WARNS, "list_del corruption: %s stands between %s and %s no longer: somebody "
			"else changes the list at the same time.", o->name, node_name(prev),
			node_name(next));
}

void k_list_del(struct object *o, bool rcu, const struct list_sites *s)
{
	struct list_head *mine = list_links(o);
	u64 next = load(&mine->next, s), prev = load(&mine->prev, s);

	check_del(o, prev, next, s->publish);
	store(&list_links(node_at(next))->prev, prev, s->store);
	store(&list_links(node_at(prev))->next, next, s->publish);
	/* a reader may stand on it: with RCU its way on stays open */
	if (!rcu)
		store(&mine->next, LIST_POISON1, s->store);
	store(&mine->prev, LIST_POISON2, s->store);
}

struct object *k_list_next(struct object *head, struct object *node, const struct site *s)
{
	u64 next = task_event((struct event){ .site = s, .op = s->op, .order = s->order,
					      .loc = &list_links(node)->next, .size = 8 });
	struct object *o = node_at(next);

	if (!o)
		corrupt(s, "the kernel would crash", "list corruption: the link of %s leads nowhere (%s): it was deleted by "
			"list_del(), which leaves a reader no way on, or is on no list.",
			node->name, node_name(next));
	return o == head ? NULL : o;
}

bool k_list_empty(struct object *head, const struct site *s)
{
	return task_event((struct event){ .site = s, .op = s->op, .order = s->order,
					  .loc = &list_links(head)->next, .size = 8 }) ==
	       address(head);
}
