/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A counterexample: what is wrong, the turning points on the way there (who entered
 * and left which read section, where the grace period stood, what its scans counted,
 * who took locks and freed what), and the last steps as a timeline.
 */
#include <config.h>

#include "view/object.h"
#include "engine/kapi.h"
#include "engine/log.h"
#include "srcu/rcu.h"
#include "srcu/srcu.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_STEPS 20
#define LINES_MAX 60		/* of the tale: the first ones are left out */

/* A read section that is open at the point reached. */
struct inside { uint32_t task, obj; uint64_t idx; };
#define INSIDE_MAX 64
#define HELD_MAX 256

/* What a worker has counted since it began to count. */
struct scan {
	uint32_t task;		/* 0: none under way */
	unsigned bank;
	struct object *obj;
	uint64_t n, locks, unlocks;
};

struct tale {
	struct world *w;
	const struct view_opts *o;
	struct sbuf *out;	/* NULL: lines are only counted */
	size_t lines, skip;	/* so far; to be left out */
	struct inside inside[INSIDE_MAX];
	size_t ninside;
	size_t held[HELD_MAX];	/* calls that begin with their task's next step */
	size_t nheld;
	struct scan scan;
	char last[160];		/* the last scan in words: the same one again is not told */
};

static const char *name_of(struct tale *t, uint32_t id)
{
	struct object *o = object_by_id(t->w, id);

	return o ? o->name : "?";
}

static void line(struct tale *t, uint64_t n, enum tint tint, const char *who, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void line(struct tale *t, uint64_t n, enum tint tint, const char *who, const char *fmt, ...)
{
	char text[320];
	int len = snprintf(text, sizeof(text), "%6" PRIu64 "  %s%s", n, who, *who ? ": " : "");
	va_list ap;

	if (t->lines++ < t->skip || !t->out || len < 0 || (size_t)len >= sizeof(text))
		return;
	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - (size_t)len, fmt, ap);
	va_end(ap);
	if (strlen(text) > view_columns(t->o))
		strcpy(text + view_columns(t->o) - 2, "..");
	view_paint(t->out, t->o, tint, text);
	sbuf_add(t->out, "\n");
}

/* --- sections --- */

static void enter(struct tale *t, const struct mark *m, uint32_t task, uint64_t idx)
{
	if (t->ninside < INSIDE_MAX)
		t->inside[t->ninside++] = (struct inside){ task, m->obj, idx };
}

static void leave(struct tale *t, uint32_t task, uint32_t obj, uint64_t idx, bool any_task)
{
	for (size_t i = t->ninside; i-- > 0;)
		if (t->inside[i].obj == obj && t->inside[i].idx == idx &&
		    (any_task || t->inside[i].task == task)) {
			memmove(&t->inside[i], &t->inside[i + 1],
				(--t->ninside - i) * sizeof(*t->inside));
			return;
		}
}

/* --- scans --- */

static void append(char *buf, size_t size, const char *s)
{
	size_t len = strlen(buf);

	snprintf(buf + len, size - len, "%s", s);
}

/* Who was inside while nobody was counted.  False: nobody. */
static bool name_missed(struct tale *t, char *buf, size_t size)
{
	const char *sep = "misses ";

	for (size_t i = 0; i < t->ninside; i++) {
		if (t->inside[i].obj != t->scan.obj->id)
			continue;
		append(buf, size, sep);
		append(buf, size, name_of(t, t->inside[i].task));
		sep = ", ";
	}
	return *sep == ',';
}

static void end_scan(struct tale *t)
{
	struct scan *s = &t->scan;
	bool even = s->locks == s->unlocks;
	char text[160];

	if (!s->task)
		return;
	snprintf(text, sizeof(text), "scan of bank %u, %" PRIu64 " lock%s %" PRIu64 " unlock%s: ",
		 s->bank, s->locks, s->locks == 1 ? "" : "s", s->unlocks, s->unlocks == 1 ? "" : "s");
	if (!even)
		append(text, sizeof(text), "has to wait");
	else if (!name_missed(t, text, sizeof(text)))
		append(text, sizeof(text), "nobody there");
	if (strcmp(text, t->last))
		line(t, s->n, TINT_PLAIN, name_of(t, s->task), "%s", text);
	snprintf(t->last, sizeof(t->last), "%s", text);
	s->task = 0;
}

/* Is this a worker's read of a reader counter?  Then it belongs to a scan. */
static bool is_count(struct tale *t, const struct record *r, unsigned *bank, bool *lock)
{
	const struct field *f;
	char name[96];
	size_t len;

	if (r->loc == LOC_NONE || world_task(t->w, r->task)->kind != TASK_WORKER ||
	    site_by_id(r->site)->op != OP_LOAD ||
	    !location_name(t->w, arena_addr(t->w, r->loc), name, sizeof(name), &f) || !f)
		return false;
	*lock = strstr(f->name, "lock_count") && !strstr(f->name, "unlock_count");
	if (!*lock && !strstr(f->name, "unlock_count"))
		return false;
	len = strlen(name);
	if (len < 3 || name[len - 1] != ']')
		return false;
	*bank = (unsigned)(name[len - 2] - '0');
	return true;
}

static bool follow_scan(struct tale *t, uint64_t n, const struct record *r)
{
	struct scan *s = &t->scan;
	uint32_t task = task_id(world_task(t->w, r->task));
	struct object *o;
	unsigned bank;
	bool lock;

	if (!is_count(t, r, &bank, &lock)) {
		if (s->task == task)
			end_scan(t);
		return false;
	}
	o = object_at(t->w, arena_addr(t->w, r->loc));
	if (s->task != task || s->bank != bank || s->obj != o)
		end_scan(t);
	if (!s->task)
		*s = (struct scan){ .task = task, .bank = bank, .obj = o };
	s->n = n;
	*(lock ? &s->locks : &s->unlocks) += r->value;
	return true;
}

/* --- steps --- */

static const char *const gp_states[] = { "IDLE", "SCAN1", "SCAN2", "?" };

/* Of grace periods themselves: gp_seq_needed and the like are numbers of the same kind. */
static bool is_gp_seq(const struct field *f)
{
	size_t n = strlen(f->name);

	return (f->flags & FIELD_GP_SEQ) && n >= 6 && !strcmp(f->name + n - 6, "gp_seq");
}

static void tell_word(struct tale *t, uint64_t n, const struct record *r)
{
	const struct field *f;
	struct object *o;
	char name[96];

	if (r->loc == LOC_NONE || r->value == r->stored ||
	    !location_name(t->w, arena_addr(t->w, r->loc), name, sizeof(name), &f) || !f || !f->name)
		return;
	o = object_at(t->w, arena_addr(t->w, r->loc));
	if (is_gp_seq(f) && ((r->value ^ r->stored) & 3))
		line(t, n, TINT_RULE, o ? o->name : "?", "%s -> %s", gp_states[r->value & 3],
		     gp_states[r->stored & 3]);
	else if (!strcmp(f->name, "srcu_idx") && o)
		line(t, n, TINT_RULE, o->name, "flip: new readers count in bank %u",
		     (unsigned)(r->stored & 1));
}

static bool changes_pointer(struct world *w, const struct record *r)
{
	const struct field *f;
	char name[96];

	return r->loc != LOC_NONE && r->value != r->stored &&
	       location_name(w, arena_addr(w, r->loc), name, sizeof(name), &f) && f &&
	       f->flags & (FIELD_PTR | FIELD_DYNAMIC) && arena_contains(w, (void *)(uintptr_t)r->stored);
}

/* What the script itself locks, frees and publishes. */
static void tell_script(struct tale *t, uint64_t n, const struct record *r, const struct site *s)
{
	const char *who = task_name(world_task(t->w, r->task));
	struct event_view v;

	switch ((enum ev_op)s->op) {
	case OP_LOCK:
	case OP_UNLOCK:
	case OP_LOCK_READ:
	case OP_UNLOCK_READ:
	case OP_FREE:
		break;
	default:
		if (!(r->flags & REC_REFUSED) && !changes_pointer(t->w, r))
			return;
	}
	if (event_view(t->w, n, &v))
		line(t, n, r->flags & REC_REFUSED ? TINT_BAD : TINT_PLAIN, who, "%s%s%s", v.text, *v.note ? ", " : "", v.note);
}

static void tell_held(struct tale *t, unsigned task, uint64_t n);

static void tell_step(struct tale *t, uint64_t n)
{
	const struct record *r = log_record(t->w, n);
	const struct site *s = site_by_id(r->site);

	if (!world_task(t->w, r->task)) {
		line(t, n, TINT_PLAIN, "", "the clock is moved on");
		return;
	}
	tell_held(t, r->task, n);
	if (follow_scan(t, n, r))
		return;
	tell_word(t, n, r);
	if (s->flags & SITE_LUA || s->op == OP_FREE)
		tell_script(t, n, r, s);
}

/* --- API calls --- */

static void tell_mark(struct tale *t, const struct mark *m, uint64_t n)
{
	const struct kapi *api = kapi_by_id(m->api);
	struct task *task = world_task(t->w, m->task);
	struct object *o = m->obj ? object_by_id(t->w, m->obj) : NULL;
	const char *who = task_name(task), *ss = o && o->type == &srcu_objtype ? o->name : "RCU";
	uint32_t id = task_id(task);

	switch (api ? api->kind : KAPI_PLAIN) {
	case KAPI_READ_LOCK:
	case KAPI_DOWN_READ:
		if (!m->end)
			return;
		enter(t, m, id, m->arg);
		line(t, n, TINT_CALL, who, "is inside %s, index %" PRIu64, ss, m->arg);
		return;
	case KAPI_READ_UNLOCK:
	case KAPI_UP_READ:
		if (m->end)
			return;
		leave(t, id, m->obj, m->arg, api->kind == KAPI_UP_READ);
		line(t, n, TINT_CALL, who, "leaves %s, index %" PRIu64, ss, m->arg);
		return;
	case KAPI_SYNCHRONIZE:
	case KAPI_BARRIER:
		line(t, n, TINT_CALL, who, "%s(%s)%s", api->name, ss, m->end ? " returns" : "");
		return;
	case KAPI_CALL:
		if (!m->end)
			line(t, n, TINT_CALL, who, "%s(%s)", api->name, ss);
		return;
	case KAPI_CALLBACK:
		line(t, n, TINT_CALL, who, "callback %s", m->end ? "is over" : "begins");
		return;
	case KAPI_GET_STATE:
		if (m->end)
			line(t, n, TINT_CALL, who, "%s(%s) = %" PRIu64, api->name, ss, m->arg);
		return;
	case KAPI_POLL:
		if (m->end)
			line(t, n, TINT_CALL, who, "%s(%s) = %s", api->name, ss,
			     m->arg ? "true" : "false");
		return;
	default:
		return;
	}
}

/* Calls of the task's that have not begun yet do so now. */
static void tell_held(struct tale *t, unsigned task, uint64_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->nheld; i++) {
		const struct mark *m = log_mark(t->w, t->held[i]);

		if (m->task == task)
			tell_mark(t, m, n);
		else
			t->held[kept++] = t->held[i];
	}
	t->nheld = kept;
}

/* A task runs on to its next step at once, and its mark stands there; for whoever reads,
 * the call begins when that step is made. */
static void follow_mark(struct tale *t, size_t i)
{
	const struct mark *m = log_mark(t->w, i);

	if (!m->end && t->nheld < HELD_MAX) {
		t->held[t->nheld++] = i;
		return;
	}
	tell_held(t, m->task, m->step);
	tell_mark(t, m, m->step);
}

static void tell(struct tale *t, uint64_t last)
{
	size_t mark = 0, marks = log_mark_count(t->w);

	t->lines = t->ninside = t->nheld = 0;
	t->scan.task = 0;
	*t->last = '\0';
	for (uint64_t n = 0; n <= last; n++) {
		if (n)
			tell_step(t, n);
		for (; mark < marks && log_mark(t->w, mark)->step <= n; mark++)
			follow_mark(t, mark);
	}
	end_scan(t);
}

/* --- all of it --- */

static void add_tale(struct world *w, uint64_t last, const struct view_opts *o, struct sbuf *out)
{
	struct tale t = { .w = w, .o = o };

	tell(&t, last);
	/* a run of steps that no API call gives a meaning is told by its timeline */
	if (!t.lines || !log_mark_count(w))
		return;
	t.skip = t.lines > LINES_MAX ? t.lines - LINES_MAX : 0;
	t.out = out;
	sbuf_add(out, "\nThe story:\n");
	if (t.skip)
		sbuf_addf(out, "   ...  (%zu lines before)\n", t.skip);
	tell(&t, last);
}

void view_counterexample(struct world *w, const struct violation *v, const struct view_opts *o,
			 struct sbuf *out)
{
	struct view_opts tail = view_tail(o, v->step, LAST_STEPS);

	if (!view_headline(w, v, o, out) || !v->step || o->brief)
		return;
	add_tale(w, v->step, o, out);
	sbuf_addf(out, "\nThe %ssteps:\n", tail.first > 1 ? "last " : "");
	view_timeline(w, &tail, out);
}
