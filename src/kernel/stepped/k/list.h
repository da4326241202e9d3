/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doubly linked lists of objects, for RCU readers too: stepped.  Each access to a
 * link is a step.  Links hold the address of an object or of the list's head, not
 * of the links in it, so that they are printed by its name; each object that
 * kmalloc() makes for a script has links of its own behind its fields.
 */
#ifndef K_LIST_H
#define K_LIST_H

#include "engine/object.h"
#include "k/access.h"

/* next and prev: addresses of nodes.  0 in an object that was never on a list. */
struct list_head { u64 next, prev; };
/* What a deletion leaves in links that nobody may follow any more. */
#define LIST_POISON1 0xdead000000000100ull
#define LIST_POISON2 0xdead000000000122ull

/* The links of a list's head (kind "list_head") or of a heap object. */
struct list_head *list_links(const struct object *node);
/* Describes the links that stand behind the `offset` bytes of the object's fields. */
bool list_describe_links(struct object *o, size_t offset);

/* Where the steps of an operation stand: its plain loads, its plain stores, and the
 * store that readers see: rcu_assign_pointer() or WRITE_ONCE(). */
struct list_sites {
	const struct site *load, *store, *publish;
};

/*
 * Puts `o` behind the head, or before it with `tail`.  A list that is torn, or an object
 * that is on a list, is the violation "warning" and ends the task, as for all below.
 */
void k_list_add(struct object *o, struct object *head, bool tail, const struct list_sites *s);
/* Takes `o` off its list.  With `rcu` readers that stand on it can still go on. */
void k_list_del(struct object *o, bool rcu, const struct list_sites *s);
/* The node behind `node` as the step `s` reads it; NULL: the end.  */
struct object *k_list_next(struct object *head, struct object *node, const struct site *s);
/* Is the list empty?  A step. */
bool k_list_empty(struct object *head, const struct site *s);

#endif
