/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of the views of objects: one line about one, and lines of "name  value".
 */
#ifndef SRCUSH_VIEW_OBJECT_H
#define SRCUSH_VIEW_OBJECT_H

#include "view/paint.h"

struct srcu;

/*
 * The state of a small object in words, "held by writer since step 12", "-> f1",
 * "3"; at most n bytes.  False: it has more to it than fits a line.
 */
bool object_brief(struct object *obj, char *buf, size_t n);
/* "held by writer since step 12" or "free", of a lock whose second word is the
 * step of its acquisition. */
void lock_brief(struct world *w, const uint64_t *lock, char *buf, size_t n);
/* "on mutex vm.lock, held by ..": why t is where it is, with its state. */
void task_state_text(struct task *t, const char **state, char *why, size_t n);
/* What t would do next, "srcu_read_lock: ss.srcu_idx: 0", or "". */
void task_next_text(struct task *t, char *buf, size_t n);

/* A line "  name      value", cut to the window. */
void view_pair(struct sbuf *out, const struct view_opts *o, const char *name,
	       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The table of an srcu_struct (srcu.c). */
void view_srcu(struct world *w, struct srcu *ss, const struct view_opts *o, struct sbuf *out);
/* "SCAN1, gp_seq 5, index 1, readers 1 + 0": a line for the world's view. */
void srcu_brief(struct srcu *ss, char *buf, size_t n);
/* The srcu_struct that an object is, or plain RCU's domain, or NULL. */
struct srcu *object_srcu(struct object *obj);

#endif
