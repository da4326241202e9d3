/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the views share: tints, cutting of long texts, tables with aligned
 * columns.
 */
#ifndef SRCUSH_VIEW_PAINT_H
#define SRCUSH_VIEW_PAINT_H

#include "view/view.h"

enum tint {
	TINT_PLAIN,
	TINT_HEAD,	/* names of columns and objects */
	TINT_DIM,	/* what is there for orientation only */
	TINT_CALL,	/* where API calls begin and end */
	TINT_CHANGE,	/* memory changed */
	TINT_RULE,	/* the grace period moved */
	TINT_BAD,	/* a rule was broken */
};

/* Adds `s`, tinted if o->color. */
void view_paint(struct sbuf *b, const struct view_opts *o, enum tint t, const char *s);
/* The same for the first n bytes of `s`. */
void view_paintn(struct sbuf *b, const struct view_opts *o, enum tint t, const char *s, size_t n);

/* What a violation is: its kind, and what it says.  False: no memory. */
bool view_headline(struct world *w, const struct violation *v, const struct view_opts *o, struct sbuf *out);
/* Of the timeline up to step `last`: so many steps. */
struct view_opts view_tail(const struct view_opts *o, uint64_t last, uint64_t n);

/* The width to fill: o->columns, or its default, never under 40. */
unsigned view_columns(const struct view_opts *o);

/* Memory ran out: drops all text, see sbuf_failed(). */
void sbuf_fail(struct sbuf *b);

/*
 * Adds `text`, cut to `width` characters.  Where it names `object`, the name
 * loses its first parts while two remain, then the verb before it goes, then
 * the name keeps its last part only:
 * "READ_ONCE kvm.srcu.cpu0.lock_count[0] = 1", "READ_ONCE ..cpu0.lock_count[0] = 1",
 * "..cpu0.lock_count[0] = 1", "..lock_count[0] = 1".  After that the end is cut.
 * Returns the length added.
 */
size_t view_fit(struct sbuf *b, const struct view_opts *o, enum tint t,
		const char *text, const char *object, unsigned width);
/* The width from which on nothing is lost but a verb and first parts of the name. */
size_t view_fit_least(const char *text, const char *object);

/* Adds a name, cut in the middle: both its kind and its number tell it from others. */
size_t view_fit_name(struct sbuf *b, const struct view_opts *o, enum tint t,
		     const char *name, unsigned width);

/* Adds a line of its own, cut to the view's columns. */
void view_line(struct sbuf *b, const struct view_opts *o, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds `text` broken at spaces into lines of at most the view's columns, each
 * indented by `indent`, the first not if `hang`. */
void view_wrap(struct sbuf *b, const struct view_opts *o, const char *text,
	       unsigned indent, bool hang);

/*
 * A table: cells are added row by row, then printed with the columns as wide
 * as they must be.  The last column takes what is left and is cut.
 */
#define TABLE_COLS_MAX 8
struct table {
	unsigned ncols;
	unsigned right;			/* bit i: column i is aligned to the right */
	unsigned width[TABLE_COLS_MAX];
	unsigned col;			/* of the next cell */
	struct sbuf cells;		/* each: its tint, its text, NUL */
};
void table_init(struct table *t, unsigned ncols, unsigned right);
void table_cell(struct table *t, enum tint tint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints it, each line indented, and releases it. */
void table_print(struct table *t, const struct view_opts *o, unsigned indent, struct sbuf *out);

#endif
