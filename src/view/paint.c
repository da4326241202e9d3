/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tints, cutting and tables: the craft that all views share.  Widths are
 * counted in bytes, which are characters: names are ASCII by construction.
 */
#include <config.h>

#include "view/paint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN 40
#define TABLE_LAST_MIN 12	/* what the last column always gets */
#define TABLE_CELL_MIN 4
#define TABLE_GAP 2
#define NAME_CUT_MAX 256
#define VERB_MIN 6		/* what is left of a verb that is cut */

static const char *const tints[] = {
	[TINT_HEAD] = "\033[1m",
	[TINT_DIM] = "\033[2m",
	[TINT_CALL] = "\033[36m",
	[TINT_CHANGE] = "\033[1m",
	[TINT_RULE] = "\033[33m",
	[TINT_BAD] = "\033[1;31m",
};

void view_paintn(struct sbuf *b, const struct view_opts *o, enum tint t, const char *s, size_t n)
{
	bool color = o->color && t != TINT_PLAIN && n;

	if (color)
		sbuf_add(b, tints[t]);
	sbuf_addn(b, s, n);
	if (color)
		sbuf_add(b, "\033[0m");
}

void view_paint(struct sbuf *b, const struct view_opts *o, enum tint t, const char *s)
{
	view_paintn(b, o, t, s, strlen(s));
}

unsigned view_columns(const struct view_opts *o)
{
	unsigned n = o->columns ? o->columns : COLUMNS_DEFAULT;

	return n < COLUMNS_MIN ? COLUMNS_MIN : n;
}

/*
 * The next part of a dotted name, or NULL.  The dot of "new@writer.2" belongs
 * to an identity and separates nothing.
 */
static const char *next_part(const char *s)
{
	bool ident = false;

	for (; *s; s++) {
		if (*s == '@')
			ident = true;
		if (*s == '.' && !ident)
			return s + 1;
		if (*s == '.')
			ident = false;
	}
	return NULL;
}

/* What stays of a text: its verb or not, and the last parts of the name in it. */
struct cut {
	const char *text;
	size_t verb;		/* bytes before the name that stay */
	const char *object, *part; /* the name, and its first part that stays */
	const char *rest;	/* what follows the name */
};

/* False: the object's name does not stand in the text. */
static bool cut_init(struct cut *c, const char *text, const char *object)
{
	const char *at = object && *object ? strstr(text, object) : NULL;

	/* "ss" is not to be found in "process_work(ss)" at once */
	while (at && at > text && !strchr(" (", at[-1]))
		at = strstr(at + 1, object);
	if (!at)
		return false;
	*c = (struct cut){ .text = text, .verb = at - text, .object = object, .part = object,
			   .rest = at + strlen(object) };
	return true;
}

static size_t cut_width(const struct cut *c)
{
	return c->verb + (c->part == c->object ? 0 : 2) + strlen(c->part) + strlen(c->rest);
}

/* "READ_ONCE ss.x = 0": what follows the name tells reads from writes, so the
 * verb may go.  "mutex_lock(m)" must stay. */
static bool verb_can_go(const struct cut *c)
{
	return c->verb && c->text[c->verb - 1] == ' ';
}

/* Drops first parts of the name while two remain. */
static void cut_parts(struct cut *c, size_t width)
{
	const char *next;

	c->part = c->object;
	while (cut_width(c) > width && (next = next_part(c->part)) && next_part(next))
		c->part = next;
}

static void cut_to(struct cut *c, size_t width)
{
	cut_parts(c, width);
	if (cut_width(c) > width && verb_can_go(c)) {
		c->verb = 0;
		cut_parts(c, width);
	}
	if (cut_width(c) > width && next_part(c->part))
		c->part = next_part(c->part);
}

/* Adds the verb; "spin_unlock_irqrestore(" gives up its end before the name does. */
static void cut_verb(const struct cut *c, size_t width, struct sbuf *out)
{
	size_t over = cut_width(c) > width ? cut_width(c) - width : 0;

	if (!over || c->verb < over + 3 + VERB_MIN) {
		sbuf_addn(out, c->text, c->verb);
		return;
	}
	sbuf_addn(out, c->text, c->verb - over - 3);
	sbuf_add(out, "..");
	sbuf_addn(out, c->text + c->verb - 1, 1);
}

size_t view_fit_least(const char *text, const char *object)
{
	struct cut c;

	if (!cut_init(&c, text, object))
		return strlen(text);
	cut_parts(&c, 0);
	if (verb_can_go(&c))
		c.verb = 0;
	else if (next_part(c.part))
		c.part = next_part(c.part);
	return cut_width(&c);
}

size_t view_fit(struct sbuf *b, const struct view_opts *o, enum tint t,
		const char *text, const char *object, unsigned width)
{
	size_t len = strlen(text);
	struct sbuf cut = {0};
	struct cut c;

	if (len <= width) {
		view_paint(b, o, t, text);
		return len;
	}
	if (cut_init(&c, text, object)) {
		cut_to(&c, width);
		cut_verb(&c, width, &cut);
		sbuf_add(&cut, c.part == object ? "" : "..");
		sbuf_add(&cut, c.part);
		sbuf_add(&cut, c.rest);
	} else {
		sbuf_add(&cut, text);
	}
	if (cut.len > width) {
		cut.len = width < 2 ? 0 : width - 2;
		sbuf_addn(&cut, "..", width < 2 ? width : 2);
	}
	if (sbuf_failed(&cut))
		sbuf_fail(b);
	else
		view_paintn(b, o, t, cut.s, cut.len);
	len = cut.len;
	sbuf_release(&cut);
	return len;
}

size_t view_fit_name(struct sbuf *b, const struct view_opts *o, enum tint t,
		     const char *name, unsigned width)
{
	size_t len = strlen(name), head = width > 8 ? width / 3 : 0;
	char cut[NAME_CUT_MAX];

	if (len > width && width >= 4 && width < sizeof(cut)) {
		snprintf(cut, sizeof(cut), "%.*s..%s", (int)head, name,
			 name + len - (width - head - 2));
		name = cut;
		len = width;
	}
	if (len > width)
		len = width;
	view_paintn(b, o, t, name, len);
	return len;
}

void view_line(struct sbuf *b, const struct view_opts *o, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	view_fit(b, o, TINT_PLAIN, text, NULL, view_columns(o));
	sbuf_add(b, "\n");
}

void view_wrap(struct sbuf *b, const struct view_opts *o, const char *text,
	       unsigned indent, bool hang)
{
	unsigned width = view_columns(o);
	size_t col = hang ? indent : 0, n;

	while (*text) {
		if (*text == '\n') {
			sbuf_add(b, "\n");
			col = 0;
			text++;
			continue;
		}
		if (*text == ' ') {
			text++;
			continue;
		}
		n = strcspn(text, " \n");
		if (col > indent && col + 1 + n > width) {
			sbuf_add(b, "\n");
			col = 0;
		}
		if (!col) {
			sbuf_fill(b, ' ', indent);
			col = indent;
		} else if (col > indent) {
			sbuf_add(b, " ");
			col++;
		}
		sbuf_addn(b, text, n);
		col += n;
		text += n;
	}
	sbuf_add(b, "\n");
}

void table_init(struct table *t, unsigned ncols, unsigned right)
{
	*t = (struct table){ .ncols = ncols, .right = right };
}

void table_cell(struct table *t, enum tint tint, const char *fmt, ...)
{
	char buf[512], mark = (char)('0' + tint);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = buf[0] = '\0';
	if ((size_t)n >= sizeof(buf))
		n = sizeof(buf) - 1;
	sbuf_addn(&t->cells, &mark, 1);
	sbuf_addn(&t->cells, buf, (size_t)n + 1);
	if (t->width[t->col] < (unsigned)n)
		t->width[t->col] = n;
	t->col = (t->col + 1) % t->ncols;
}

/* Narrows columns, the widest first, until the last one has its minimum. */
static void table_narrow(struct table *t, unsigned columns, unsigned indent)
{
	unsigned used, i, widest, last = t->width[t->ncols - 1];

	if (last > TABLE_LAST_MIN)
		last = TABLE_LAST_MIN;
	for (;;) {
		used = indent;
		widest = 0;
		for (i = 0; i + 1 < t->ncols; i++) {
			used += t->width[i] + TABLE_GAP;
			if (t->width[i] > t->width[widest])
				widest = i;
		}
		if (used + last <= columns || t->width[widest] <= TABLE_CELL_MIN)
			break;
		t->width[widest]--;
	}
	if (used + t->width[i] > columns)
		t->width[i] = used < columns ? columns - used : TABLE_CELL_MIN;
}

void table_print(struct table *t, const struct view_opts *o, unsigned indent, struct sbuf *out)
{
	const char *s = t->cells.s, *end = s ? s + t->cells.len : s;
	unsigned i, pad = 0, len;

	if (sbuf_failed(&t->cells))
		sbuf_fail(out);
	table_narrow(t, view_columns(o), indent);
	while (s < end) {
		pad = indent;
		for (i = 0; i < t->ncols && s < end; i++) {
			enum tint tint = (enum tint)(*s++ - '0');

			len = strlen(s);
			if (len > t->width[i])
				len = t->width[i];
			if (t->right & (1u << i))
				pad += t->width[i] - len;
			/* no blanks at the ends of lines */
			if (len)
				sbuf_fill(out, ' ', pad);
			if (len)
				pad = 0;
			if (i + 1 < t->ncols)
				view_fit_name(out, o, tint, s, t->width[i]);
			else
				view_fit(out, o, tint, s, NULL, t->width[i]);
			if (!(t->right & (1u << i)))
				pad += t->width[i] - len;
			pad += TABLE_GAP;
			s += strlen(s) + 1;
		}
		sbuf_add(out, "\n");
	}
	sbuf_release(&t->cells);
}
