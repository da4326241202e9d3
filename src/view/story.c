/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened, line by line: steps from the log's records, API calls from its
 * marks in the manner of the kernel's function_graph tracer ("f() {" .. "}"),
 * and what concerns all threads as rules.
 */
#include <config.h>

#include "view/timeline.h"
#include "engine/kapi.h"
#include "engine/log.h"
#include "srcu/rcu.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* An API call that is open at the point reached. */
struct open_call {
	size_t mark;		/* its begin */
	bool shown;		/* its begin has its line */
	bool lone;		/* it has but one step, whose line stands for it */
	uint64_t shown_at;	/* number of lines told before that one */
};

/* What is known of one task while the story goes on. */
struct teller {
	size_t lane;		/* SIZE_MAX: it takes no step in the window */
	uint64_t last;		/* its last step in the window */
	uint64_t before;	/* its last step before the window */
	unsigned depth;
	struct open_call calls[TASK_CALLS_MAX];
	uint64_t own_lines;	/* lines told of it */
};

/* The progress of one story_tell(). */
struct telling {
	struct story *s;
	void (*line)(void *, const struct story_line *);
	void *arg;
	uint64_t n;		/* the step reached */
	uint64_t lines;		/* told so far, of all tasks */
	size_t mark;		/* next mark to look at */
};

static struct teller *teller_of(struct story *s, unsigned task)
{
	return task < s->ntellers ? &s->tellers[task] : NULL;
}

static int lane_order(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;
	static const int rank[] = {
		[TASK_THREAD] = 0, [TASK_IRQ] = 1, [TASK_WORKER] = 2, [TASK_TIMER] = 3,
	};

	if (rank[x->kind] != rank[y->kind])
		return rank[x->kind] - rank[y->kind];
	return x->task->index < y->task->index ? -1 : x->task->index > y->task->index;
}

static bool is_engine_task(enum task_kind kind)
{
	return kind == TASK_WORKER || kind == TASK_TIMER;
}

bool story_arrange(struct story *s, bool shared)
{
	size_t i, own, engine = 0;
	struct task *t;

	s->nlanes = 0;
	for (i = 0; i < s->ntellers; i++) {
		t = world_task(s->w, i);
		s->tellers[i].lane = SIZE_MAX;
		if (s->tellers[i].last)
			s->lanes[s->nlanes++] = (struct lane){
				.task = t, .name = task_name(t), .kind = t->kind,
			};
	}
	qsort(s->lanes, s->nlanes, sizeof(*s->lanes), lane_order);
	for (own = 0; own < s->nlanes && !is_engine_task(s->lanes[own].kind);)
		own++;
	engine = s->nlanes - own;
	for (i = 0; i < s->nlanes; i++)
		s->tellers[s->lanes[i].task->index].lane = shared && i > own ? own : i;
	if (!shared)
		return true;
	if (engine < 2)
		return false;
	s->lanes[own] = (struct lane){ .name = "workers and timers", .kind = TASK_WORKER };
	s->nlanes = own + 1;
	return true;
}

bool story_init(struct story *s, struct world *w, uint64_t first, uint64_t last)
{
	size_t n = world_task_count(w);
	struct teller *t;

	*s = (struct story){ .w = w, .first = first, .last = last, .ntellers = n };
	s->tellers = calloc(n + 1, sizeof(*s->tellers));
	s->lanes = calloc(n + 1, sizeof(*s->lanes));
	if (!s->tellers || !s->lanes) {
		story_release(s);
		return false;
	}
	for (uint64_t k = 1; k <= last; k++) {
		t = teller_of(s, log_record(w, k)->task);
		if (t && k < first)
			t->before = k;
		else if (t)
			t->last = k;
	}
	return true;
}

void story_release(struct story *s)
{
	free(s->tellers);
	free(s->lanes);
	*s = (struct story){0};
}

static void tell_plainly(struct telling *g, struct story_line *l)
{
	l->n = g->n;
	g->lines++;
	g->line(g->arg, l);
}

static void tell(struct telling *g, struct story_line *l)
{
	struct lane *lane = l->task ? &g->s->lanes[l->lane] : NULL;
	char text[128];

	if (lane && !lane->task) {
		if (lane->actor != l->task) {
			struct story_line who = {
				.kind = STORY_CALL, .tint = TINT_HEAD, .task = l->task,
				.lane = l->lane, .text = text,
			};

			snprintf(text, sizeof(text), "%s:", task_name(l->task));
			lane->actor = l->task;
			teller_of(g->s, l->task->index)->own_lines++;
			tell_plainly(g, &who);
		}
		l->depth++;
	}
	tell_plainly(g, l);
}

/* `object`: what the call is on, if the text says it. */
static void tell_call(struct telling *g, struct task *task, unsigned depth, const char *text,
		      const char *object)
{
	struct teller *t = teller_of(g->s, task->index);
	struct story_line l = {
		.kind = STORY_CALL, .tint = TINT_CALL, .task = task,
		.lane = t->lane, .depth = depth, .text = text, .object = object,
	};

	t->own_lines++;
	tell(g, &l);
}

static void tell_rule(struct telling *g, enum tint tint, const char *text, bool numbered)
{
	struct story_line l = {
		.kind = STORY_RULE, .tint = tint, .text = text, .numbered = numbered,
	};

	tell(g, &l);
}

/* --- calls --- */

static const struct field pointer = { .name = "", .size = 8, .flags = FIELD_PTR };

/* Plain RCU's calls name no domain, and no index. */
static bool is_rcu_call(struct world *w, const struct mark *m)
{
	struct object *o = m->obj ? object_by_id(w, m->obj) : NULL;

	return o && o->type == &rcu_objtype;
}

/* The name of what a call is on, or "". */
static const char *call_object(struct world *w, const struct mark *m)
{
	struct object *o = m->obj ? object_by_id(w, m->obj) : NULL;

	return o && !is_rcu_call(w, m) ? o->name : "";
}

/* "srcu_read_unlock(ss, 0)" */
static void call_text(struct world *w, const struct mark *m, char *buf, size_t n)
{
	const struct kapi *api = kapi_by_id(m->api);
	const char *object = call_object(w, m);
	char arg[64] = "";

	switch (api ? api->kind : KAPI_PLAIN) {
	case KAPI_READ_UNLOCK:
		if (is_rcu_call(w, m))
			break;
		/* fall through */
	case KAPI_UP_READ:
	case KAPI_POLL:
		snprintf(arg, sizeof(arg), "%" PRIu64, m->arg);
		break;
	case KAPI_CALL:
	case KAPI_CALLBACK:
		value_name(w, m->arg, &pointer, arg, sizeof(arg));
		break;
	default:
		break;
	}
	snprintf(buf, n, "%s(%s%s%s)", api ? api->name : "?", object,
		 *object && *arg ? ", " : "", arg);
}

/* " = 0" where the call gives something back, else "". */
static void result_text(struct world *w, const struct mark *begin, const struct mark *end, char *buf, size_t n)
{
	const struct kapi *api = kapi_by_id(begin->api);

	*buf = '\0';
	switch (api ? api->kind : KAPI_PLAIN) {
	case KAPI_READ_LOCK:
		if (is_rcu_call(w, begin))
			break;
		/* fall through */
	case KAPI_DOWN_READ:
	case KAPI_GET_STATE:
		snprintf(buf, n, " = %" PRIu64, end->arg);
		break;
	case KAPI_POLL:
		snprintf(buf, n, " = %s", end->arg ? "true" : "false");
		break;
	default:
		break;
	}
}

/* The begins of all calls around the next line of `task` that have none yet. */
static void show_begins(struct telling *g, struct task *task)
{
	struct teller *t = teller_of(g->s, task->index);
	char text[256], line[280];

	for (unsigned i = 0; i < t->depth; i++) {
		struct open_call *c = &t->calls[i];
		const struct mark *m = log_mark(g->s->w, c->mark);

		if (c->shown)
			continue;
		call_text(g->s->w, m, text, sizeof(text));
		/* begun before the window: only its rest is seen here */
		snprintf(line, sizeof(line), "%s%s {", m->step < t->before ? ".. " : "", text);
		c->shown = true;
		c->shown_at = g->lines - t->own_lines;
		tell_call(g, task, i, line, call_object(g->s->w, m));
	}
}

/* "}" and what it gives back; a call that made no step has its only line here. */
static void show_end(struct telling *g, struct task *task, const struct open_call *c,
		     const struct mark *end)
{
	struct teller *t = teller_of(g->s, task->index);
	const struct mark *begin = log_mark(g->s->w, c->mark);
	const struct kapi *api = kapi_by_id(begin->api);
	char text[256], result[40], line[320];
	bool apart;

	if (c->lone)
		return;
	result_text(g->s->w, begin, end, result, sizeof(result));
	if (!c->shown) {
		call_text(g->s->w, begin, text, sizeof(text));
		snprintf(line, sizeof(line), "%s%s", text, result);
	} else {
		/* other threads' lines stand between: say again whose end it is */
		apart = g->lines - t->own_lines != c->shown_at;
		snprintf(line, sizeof(line), "}%s%s%s%s", result, apart ? " /* " : "",
			 apart && api ? api->name : "", apart ? " */" : "");
	}
	tell_call(g, task, t->depth, line, call_object(g->s->w, begin));
}

static void follow_mark(struct telling *g, size_t i, bool quiet)
{
	const struct mark *m = log_mark(g->s->w, i);
	struct teller *t = teller_of(g->s, m->task);
	struct task *task = world_task(g->s->w, m->task);

	if (!t)
		return;
	if (!m->end) {
		if (t->depth < TASK_CALLS_MAX)
			t->calls[t->depth++] = (struct open_call){ .mark = i };
		return;
	}
	if (!t->depth)
		return;
	t->depth--;
	if (quiet || t->lane == SIZE_MAX)
		return;
	show_begins(g, task);
	show_end(g, task, &t->calls[t->depth], m);
}

/* Marks made when step g->n had been performed. */
static void follow_marks(struct telling *g, bool quiet)
{
	while (g->mark < log_mark_count(g->s->w) &&
	       log_mark(g->s->w, g->mark)->step <= g->n)
		follow_mark(g, g->mark++, quiet);
}

/* --- rules --- */

static const char *const gp_states[] = { "IDLE", "SCAN1", "SCAN2", "?" };

static bool is_gp_seq(const struct field *f)
{
	size_t n = f && f->name ? strlen(f->name) : 0;

	/* gp_seq_needed and the like are numbers of the same kind */
	return f && (f->flags & FIELD_GP_SEQ) && n >= 6 && !strcmp(f->name + n - 6, "gp_seq");
}

/* A kernel tree has the updater's side of "ss" in an object of its own, "ss.sup". */
static int domain_name_len(const struct object *o)
{
	size_t n = o ? strlen(o->name) : 1;

	return (int)(n > 4 && !strcmp(o->name + n - 4, ".sup") ? n - 4 : n);
}

/* "---- ss: IDLE -> SCAN1 (gp_seq 4 -> 5)" */
static void tell_gp_state(struct telling *g, const struct record *r)
{
	struct world *w = g->s->w;
	const struct field *f;
	struct object *o;
	char name[96], text[192];
	void *addr;

	if (r->loc == LOC_NONE || !((r->value ^ r->stored) & 3))
		return;
	addr = arena_addr(w, r->loc);
	if (!location_name(w, addr, name, sizeof(name), &f) || !is_gp_seq(f))
		return;
	o = object_at(w, addr);
	snprintf(text, sizeof(text), "%.*s: %s -> %s (gp_seq %" PRId64 " -> %" PRId64 ")",
		 domain_name_len(o), o ? o->name : "?", gp_states[r->value & 3],
		 gp_states[r->stored & 3], (int64_t)r->value, (int64_t)r->stored);
	tell_rule(g, TINT_RULE, text, false);
}

static void tell_violations(struct telling *g)
{
	struct world *w = g->s->w;
	const struct violation *v;
	struct object *o;
	char text[256];

	for (size_t i = 0; i < world_violation_count(w); i++) {
		v = world_violation(w, i);
		if (v->step != g->n)
			continue;
		o = v->task ? object_by_id(w, v->task) : NULL;
		snprintf(text, sizeof(text), "violation: %s%s%s", v->kind, o ? " in " : "",
			 o ? o->name : "");
		tell_rule(g, TINT_BAD, text, false);
	}
}

/* --- steps --- */

/*
 * Does step g->n stand alone in a call that gives nothing back?  Then the call
 * needs no lines of its own.
 */
static bool lone_step(struct telling *g, const struct teller *t)
{
	const struct open_call *c = t->depth ? &t->calls[t->depth - 1] : NULL;
	const struct mark *begin = c ? log_mark(g->s->w, c->mark) : NULL, *next;
	char result[40];

	if (!c || c->shown || begin->step < t->before)
		return false;
	next = log_mark(g->s->w, g->mark);
	if (!next || !next->end || next->step != g->n || next->task != begin->task)
		return false;
	result_text(g->s->w, begin, next, result, sizeof(result));
	return !*result;
}

/* What the memory model made of a step, below it: in its line it would push out what the step
 * was.  Which store was read stands above those that were missed, for lanes are narrow. */
static void tell_note(struct telling *g, const struct event_view *v, const struct story_line *step)
{
	const char *missed = strstr(v->note, " missed ");
	int first = missed ? (int)(missed - v->note) : (int)strlen(v->note);
	struct story_line l = *step;
	char text[sizeof(v->note) + 4];

	if (!*v->note)
		return;
	snprintf(text, sizeof(text), missed ? "(%.*s" : "(%.*s)", first, v->note);
	l.numbered = false;
	l.tint = TINT_RULE;
	l.text = text;
	l.object = NULL;
	l.depth++;
	tell(g, &l);
	if (!missed)
		return;
	snprintf(text, sizeof(text), "%s)", missed);
	tell(g, &l);
}

static void tell_step(struct telling *g, const struct event_view *v)
{
	struct teller *t = v->task ? teller_of(g->s, v->task->index) : NULL;
	struct story_line l = {
		.kind = STORY_STEP, .tint = v->changed ? TINT_CHANGE : TINT_PLAIN,
		.task = v->task, .numbered = true, .text = v->text, .object = v->object,
	};
	char text[320];

	if (!t) {		/* advance(): nobody's step */
		tell_rule(g, TINT_RULE, v->text, true);
		return;
	}
	l.lane = t->lane;
	l.depth = t->depth;
	if (lone_step(g, t)) {
		t->calls[t->depth - 1].shown = t->calls[t->depth - 1].lone = true;
		l.depth--;
		if (strncmp(v->text, v->call, strlen(v->call))) {
			snprintf(text, sizeof(text), "%s: %s", v->call, v->text);
			l.text = text;
		}
	}
	if (log_record(g->s->w, g->n)->flags & REC_REFUSED)
		l.tint = TINT_BAD;
	show_begins(g, v->task);
	t->own_lines++;
	tell(g, &l);
	tell_note(g, v, &l);
}

static void story_begin(struct telling *g)
{
	struct story *s = g->s;

	for (size_t i = 0; i < s->ntellers; i++) {
		s->tellers[i].depth = 0;
		s->tellers[i].own_lines = 0;
	}
	for (size_t i = 0; i < s->nlanes; i++)
		s->lanes[i].actor = NULL;
	if (s->first > 1) {
		g->n = s->first - 1;
		follow_marks(g, true);
	} else {
		follow_marks(g, false);	/* n = 0: before the first step */
		tell_violations(g);
	}
}

void story_tell(struct story *s, void (*line)(void *, const struct story_line *), void *arg)
{
	struct telling g = { .s = s, .line = line, .arg = arg };
	struct event_view v;
	struct teller *t;

	story_begin(&g);
	for (uint64_t n = s->first; n <= s->last; n++) {
		g.n = n;
		if (!event_view(s->w, n, &v))
			continue;
		tell_step(&g, &v);
		tell_gp_state(&g, log_record(s->w, n));
		follow_marks(&g, false);
		t = v.task ? teller_of(s, v.task->index) : NULL;
		if (t && t->last == n && s->last == world_steps(s->w) &&
		    v.task->state == TASK_DONE)
			tell_call(&g, v.task, 0, "(done)", NULL);
		tell_violations(&g);
	}
}
