/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timeline on the screen: a lane for each thread as wide as its texts
 * want, as far as the window allows.  Where lanes would become too narrow to
 * read, one column of "thread  text" takes their place.
 */
#include <config.h>

#include "view/timeline.h"
#include "engine/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LANE_MIN 18		/* narrower ones cannot be read */
#define LANE_GAP 2
#define CUT_SHARE 5		/* where more than a fifth is cut, there are no lanes */
#define NAME_SHARE 4		/* where there are no lanes, names get a quarter */
#define INDENT 2

struct layout {
	const struct view_opts *o;
	struct sbuf *out;
	struct story *s;
	unsigned columns;	/* of the window */
	unsigned number;	/* width of the column of step numbers */
	uint32_t *lengths;	/* see length_count(); NULL: too many lanes */
	bool lanes;		/* a lane for each thread, or one column for all */
	unsigned name;		/* one column: width of the names .. */
	size_t longest;		/* .. and of the longest text */
	unsigned width;		/* of the whole, for rules */
	uint64_t lines;
	uint64_t *ring;		/* steps of the last max_lines lines */
};

/* Lines by their width: how many of a lane are wider than so many columns? */
static uint32_t *length_count(struct layout *y, size_t lane, size_t width, bool full)
{
	if (width >= y->columns)
		width = y->columns - 1;
	return &y->lengths[(lane * 2 + full) * y->columns + width];
}

/* First telling: how much room does each lane want?  How many lines are there? */
static void measure(void *arg, const struct story_line *l)
{
	struct layout *y = arg;
	size_t indent = l->depth * INDENT, full;
	struct lane *lane;

	if (y->ring)
		y->ring[y->lines % y->o->max_lines] = l->n;
	y->lines++;
	if (!l->task)
		return;
	lane = &y->s->lanes[l->lane];
	full = indent + strlen(l->text);
	if (full > lane->want)
		lane->want = full;
	if (!y->lengths)
		return;
	lane->lines++;
	(*length_count(y, l->lane, full, true))++;
	(*length_count(y, l->lane, indent + view_fit_least(l->text, l->object), false))++;
}

/* Lines of a lane that are cut at its present width. */
static void count_cut(struct layout *y, size_t lane, bool full)
{
	struct lane *l = &y->s->lanes[lane];

	l->cut = 0;
	for (size_t n = l->width + 1; n < y->columns; n++)
		l->cut += *length_count(y, lane, n, full);
}

/* How badly does a lane need room?  The threads are what is looked at. */
static uint64_t need(const struct lane *l, const struct lane *against)
{
	static const unsigned weight[] = {
		[TASK_THREAD] = 4, [TASK_IRQ] = 4, [TASK_WORKER] = 2, [TASK_TIMER] = 1,
	};

	return (uint64_t)l->cut * against->lines * weight[l->kind];
}

/*
 * Gives `room` columns, one after the other, to the lane of which the greatest
 * part is cut, until none is; what is cut is the `full` text, or only what
 * cannot be said shorter.  Returns what is left.
 */
static size_t widen(struct layout *y, size_t room, bool full)
{
	struct story *s = y->s;
	struct lane *best, *l;

	for (size_t i = 0; i < s->nlanes; i++)
		count_cut(y, i, full);
	for (; room; room--) {
		best = &s->lanes[0];
		for (l = best + 1; l < s->lanes + s->nlanes; l++)
			if (need(l, best) > need(best, l))
				best = l;
		if (!best->cut)
			break;
		best->width++;
		best->cut -= *length_count(y, best - s->lanes, best->width, full);
	}
	return room;
}

/*
 * Shares the columns among lanes that together want more.  False: they would be
 * too narrow, or too much in them would have to be cut.
 */
static bool share(struct layout *y, size_t room)
{
	struct story *s = y->s;
	uint64_t lines = 0, cut = 0;
	struct lane *l;

	for (l = s->lanes; l < s->lanes + s->nlanes; l++) {
		l->width = l->want < LANE_MIN ? l->want : LANE_MIN;
		if (l->width > room)
			return false;
		room -= l->width;
	}
	room = widen(y, room, false);
	for (l = s->lanes; l < s->lanes + s->nlanes; l++) {
		lines += l->lines;
		cut += l->cut;
	}
	widen(y, room, true);
	return cut * CUT_SHARE <= lines;
}

/* Gives everything its width.  False: not as lanes. */
static bool lay_out(struct layout *y)
{
	struct story *s = y->s;
	size_t gaps = y->number + s->nlanes * LANE_GAP, sum = 0, n;

	y->name = y->longest = 0;
	for (struct lane *l = s->lanes; l < s->lanes + s->nlanes; l++) {
		n = strlen(l->name);
		if (n > y->name)
			y->name = n;
		if (l->want > y->longest)
			y->longest = l->want;
		if (n > l->want)
			l->want = n;
		l->width = l->want;
		sum += l->want;
	}
	if (gaps + sum > y->columns &&
	    (!y->lengths || gaps >= y->columns || !share(y, y->columns - gaps)))
		return false;
	y->width = gaps;
	for (size_t i = 0; i < s->nlanes; i++)
		y->width += s->lanes[i].width;
	return true;
}

/* One column for all.  Names are cut only where texts would be. */
static void lay_out_list(struct layout *y)
{
	size_t rest = y->number + LANE_GAP + LANE_GAP + y->longest;
	size_t name = rest < y->columns ? y->columns - rest : 0;

	if (name < y->columns / NAME_SHARE)
		name = y->columns / NAME_SHARE;
	if (y->name > name)
		y->name = name;
	y->width = y->name + rest < y->columns ? y->name + rest : y->columns;
}

/* The column at which a line's text begins, and how wide it may be. */
static unsigned place(const struct layout *y, const struct story_line *l, unsigned *width)
{
	unsigned at = y->number + LANE_GAP;

	if (!y->lanes) {
		at += y->name + LANE_GAP;
		*width = y->columns > at ? y->columns - at : 1;
		return at;
	}
	for (size_t i = 0; i < l->lane; i++)
		at += y->s->lanes[i].width + LANE_GAP;
	*width = y->s->lanes[l->lane].width;
	return at;
}

static void print_number(struct layout *y, const struct story_line *l)
{
	char number[24];

	if (!l->numbered) {
		sbuf_fill(y->out, ' ', y->number);
		return;
	}
	snprintf(number, sizeof(number), "%*" PRIu64, (int)y->number, l->n);
	view_paint(y->out, y->o, TINT_DIM, number);
}

/* "---- ss: IDLE -> SCAN1 (gp_seq 4 -> 5) ------", from edge to edge; from its
 * number on if it is a step itself. */
static void print_rule(struct layout *y, const struct story_line *l)
{
	unsigned used = l->numbered ? y->number + 1 : 0;
	struct sbuf b = {0};

	if (l->numbered) {
		print_number(y, l);
		sbuf_add(y->out, " ");
	}
	sbuf_addf(&b, "---- %s ", l->text);
	sbuf_fill(&b, '-', b.len + used + 4 < y->width ? y->width - used - b.len : 4);
	if (sbuf_failed(&b))
		sbuf_fail(y->out);
	else
		view_fit(y->out, y->o, l->tint, b.s, NULL, y->columns - used);
	sbuf_add(y->out, "\n");
	sbuf_release(&b);
}

static void print_line(void *arg, const struct story_line *l)
{
	struct layout *y = arg;
	unsigned width, at, indent = l->depth * INDENT, col = y->number;

	if (l->kind == STORY_RULE) {
		print_rule(y, l);
		return;
	}
	at = place(y, l, &width);
	/* deep calls must not push their text out of a narrow lane */
	if (indent > width / 3)
		indent = width / 3;
	print_number(y, l);
	if (!y->lanes) {
		sbuf_fill(y->out, ' ', LANE_GAP);
		col += LANE_GAP;
		col += view_fit_name(y->out, y->o, TINT_PLAIN, task_name(l->task), y->name);
	}
	sbuf_fill(y->out, ' ', at + indent - col);
	view_fit(y->out, y->o, l->tint, l->text, l->object, width - indent);
	sbuf_add(y->out, "\n");
}

static void print_head(struct layout *y)
{
	struct sbuf top = {0}, line = {0};
	struct story *s = y->s;
	static const struct view_opts plain = {0};
	size_t n;

	sbuf_fill(&top, ' ', y->number - 4);
	sbuf_add(&top, "step");
	sbuf_fill(&line, '=', y->number);
	if (!y->lanes) {
		sbuf_addf(&top, "  %-*s  %s", (int)y->name, "thread", "event");
		sbuf_fill(&line, ' ', LANE_GAP);
		sbuf_fill(&line, '=', y->name);
		sbuf_fill(&line, ' ', LANE_GAP);
		sbuf_fill(&line, '=', y->width > line.len ? y->width - line.len : 5);
	}
	for (size_t i = 0; y->lanes && i < s->nlanes; i++) {
		sbuf_fill(&top, ' ', LANE_GAP);
		sbuf_fill(&line, ' ', LANE_GAP);
		n = view_fit_name(&top, &plain, TINT_PLAIN, s->lanes[i].name,
				  s->lanes[i].width);
		if (i + 1 < s->nlanes)
			sbuf_fill(&top, ' ', s->lanes[i].width - n);
		sbuf_fill(&line, '=', s->lanes[i].width);
	}
	if (sbuf_failed(&top) || sbuf_failed(&line)) {
		sbuf_fail(y->out);
	} else {
		view_paint(y->out, y->o, TINT_HEAD, top.s);
		sbuf_add(y->out, "\n");
		view_paint(y->out, y->o, TINT_DIM, line.s);
		sbuf_add(y->out, "\n");
	}
	sbuf_release(&top);
	sbuf_release(&line);
}

/* False: out of memory. */
static bool layout_init(struct layout *y)
{
	const struct view_opts *o = y->o;
	size_t n = y->s->nlanes;

	y->columns = view_columns(o);
	y->number = snprintf(NULL, 0, "%" PRIu64, y->s->last);
	if (y->number < 4)
		y->number = 4;
	if (n * LANE_GAP < y->columns)
		y->lengths = calloc(2 * n * y->columns + 1, sizeof(*y->lengths));
	if (o->max_lines)
		y->ring = calloc(o->max_lines, sizeof(*y->ring));
	return (y->lengths || n * LANE_GAP >= y->columns) && (y->ring || !o->max_lines);
}

/* How it may be laid out, the best first. */
enum arrangement { LANES, SHARED_LANE, LIST };

/* False: too many lines; then *first is where to try again. */
static bool arrange(struct layout *y, uint64_t *first)
{
	struct story *s = y->s;

	for (int a = LANES; a <= LIST; a++) {
		if (!story_arrange(s, a == SHARED_LANE))
			continue;
		y->lines = 0;
		if (y->lengths)
			memset(y->lengths, 0, 2 * s->nlanes * y->columns * sizeof(*y->lengths));
		story_tell(s, measure, y);
		if (y->o->max_lines && y->lines > y->o->max_lines && s->first < s->last) {
			/* the oldest line that fits may not be the first of its step */
			*first = y->ring[y->lines % y->o->max_lines] + 1;
			if (*first > s->last)
				*first = s->last;
			return false;
		}
		y->lanes = lay_out(y) && a != LIST;
		if (y->lanes)
			return true;
	}
	lay_out_list(y);
	return true;
}

/* Prints the steps *first..last.  False if they are too many lines: nothing has
 * been printed, and *first is where to try again. */
static bool timeline_from(struct world *w, const struct view_opts *o, uint64_t *first,
			  uint64_t last, uint64_t asked, struct sbuf *out)
{
	struct story s;
	struct layout y = { .o = o, .out = out, .s = &s };
	bool fits = true;

	if (!story_init(&s, w, *first, last)) {
		sbuf_fail(out);
		return true;
	}
	story_arrange(&s, false);
	if (!layout_init(&y)) {
		sbuf_fail(out);
	} else if (!arrange(&y, first)) {
		fits = false;
	} else {
		print_head(&y);
		if (*first > asked)
			view_line(out, o, "%*s  (%" PRIu64 " steps are left out)", (int)y.number,
				  "..", *first - asked);
		story_tell(&s, print_line, &y);
	}
	free(y.lengths);
	free(y.ring);
	story_release(&s);
	return fits;
}

void view_timeline(struct world *w, const struct view_opts *o, struct sbuf *out)
{
	uint64_t asked = o->first ? o->first : 1, last = world_steps(w), first;

	if (o->last && o->last < last)
		last = o->last;
	if (!last || asked > last) {
		sbuf_add(out, world_steps(w) ? "(no such steps)\n" : "(no steps yet)\n");
		return;
	}
	first = asked;
	/* a step has one line at least */
	if (o->max_lines && last - first >= o->max_lines)
		first = last - o->max_lines + 1;
	while (!timeline_from(w, o, &first, last, asked, out))
		;
}
