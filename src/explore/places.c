/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks and locations as small numbers.  Both are known by identities that are the
 * same in every execution, so that what is learnt of one holds for all.
 */
#include <config.h>

#include "explore/dpor.h"

#include <stdlib.h>
#include <string.h>

static struct loc_entry *find(const struct loc_table *t, uint32_t loc)
{
	size_t i = (loc >> 3) * 0x9e3779b1u & (t->cap - 1);

	while (t->v[i].loc && t->v[i].loc != loc)
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

static bool widen(struct loc_table *t)
{
	struct loc_table old = *t;

	if (t->n * 2 < t->cap)
		return true;
	t->cap = old.cap ? old.cap * 2 : 256;
	t->v = calloc(t->cap, sizeof(*t->v));
	if (!t->v) {
		*t = old;
		return false;
	}
	for (size_t i = 0; i < old.cap; i++)
		if (old.v[i].loc)
			*find(t, old.v[i].loc) = old.v[i];
	free(old.v);
	return true;
}

static uint16_t root(const struct loc_table *t, uint16_t c)
{
	while (t->parent[c] != c)
		c = t->parent[c];
	return c;
}

static bool class_new(struct dpor *d)
{
	unsigned n = d->nclasses;

	if (n == d->classes_cap) {
		size_t cap = n ? 2 * n : 64, clock = d->stride * sizeof(uint16_t);

		if (!visit_resize(&d->classes, cap * sizeof(*d->classes)) ||
		    !visit_resize(&d->cls, cap * sizeof(*d->cls)) || !visit_resize(&d->written, cap * clock) ||
		    !visit_resize(&d->touched, cap * clock) ||
		    !visit_resize(&d->locs->parent, cap * sizeof(*d->locs->parent)) ||
		    !visit_resize(&d->loose, cap))
			return false;
		d->classes_cap = (unsigned)cap;
	}
	d->classes[n] = (struct gclass){ 0 };
	d->cls[n] = (struct dclass){ .lock = true };
	d->locs->parent[n] = (uint16_t)n;
	memset(d->written + (size_t)n * d->stride, 0, d->stride * sizeof(uint16_t));
	memset(d->touched + (size_t)n * d->stride, 0, d->stride * sizeof(uint16_t));
	d->nclasses++;
	return true;
}

/*
 * An object that is freed is one location: kfree() conflicts with every access.  That costs
 * little, for in a program that is right they are ordered anyway.  Where all see one order of
 * everything, each that can be freed is one from the beginning; under other models, where a
 * field may be stale, it is one from the moment on that somebody is met who frees it.
 */
static uint32_t freeable(const struct dpor *d, uint32_t loc)
{
	const struct object *o = object_at(d->w, arena_addr(d->w, loc));

	return o && o->heap ? arena_offset(d->w, o->base) : LOC_NONE;
}

/* Is the object that begins there one location? */
static bool is_one(const struct dpor *d, uint32_t base)
{
	const struct loc_entry *e = find(d->locs, base);

	return !d->weak || (e->loc && d->cls[e->cls].freed);
}

static void join_freed(struct dpor *d, const struct loc_entry *e)
{
	const struct loc_entry *first = e->base == LOC_NONE ? NULL : find(d->locs, e->base);

	if (first && first->loc && first != e && d->cls[first->cls].freed)
		place_join(d, root(d->locs, first->cls), root(d->locs, e->cls));
}

void places_join_freed(struct dpor *d)
{
	for (size_t i = 0; i < d->locs->cap; i++)
		if (d->locs->v[i].loc)
			join_freed(d, &d->locs->v[i]);
}

bool place_freed(struct dpor *d, uint32_t loc)
{
	uint32_t base = freeable(d, loc);
	struct loc_entry *e;
	int cls;

	if (!d->weak || base == LOC_NONE)
		return true;
	cls = place_loc(d, base);
	if (cls < 0)
		return false;
	e = find(d->locs, base);
	if (d->cls[e->cls].freed)
		return true;
	d->cls[e->cls].freed = true;
	d->cls[cls].chain = true;
	d->cls[cls].lock = false;
	d->cls[cls].shared_wait = true;
	places_join_freed(d);
	d->anew = true;
	return false;
}

/* What an invariant reads is looked at after every step: the order of any two writes there
 * can be seen. */
static bool is_watched(const struct dpor *d, uint32_t loc)
{
	return d->x->src.watched && d->x->src.watched(d->x->src.arg, d->w, loc);
}

bool places_watch(struct dpor *d)
{
	int first = -1;

	if (!d->x->src.nwatched || d->nwatched == d->x->src.nwatched(d->x->src.arg))
		return false;
	d->nwatched = d->x->src.nwatched(d->x->src.arg);
	d->watch = LOC_NONE;
	for (size_t i = 0; i < d->locs->cap; i++) {
		struct loc_entry *e = &d->locs->v[i];

		if (!e->loc || !is_watched(d, e->loc))
			continue;
		if (first < 0) {
			d->watch = e->loc;
			first = root(d->locs, e->cls);
			d->cls[first].chain = true;
			d->cls[first].lock = false;
		}
		place_join(d, root(d->locs, (uint16_t)first), root(d->locs, e->cls));
		e->user = 0;
	}
	d->anew = true;
	return true;
}

/* What invariants read is one class. */
static void join_watched(struct dpor *d, uint32_t loc)
{
	uint16_t cls = root(d->locs, find(d->locs, loc)->cls);

	if (!is_watched(d, loc))
		return;
	d->cls[cls].chain = true;
	d->cls[cls].lock = false;
	if (d->watch == LOC_NONE)
		d->watch = loc;
	else if (d->watch != loc)
		place_join(d, root(d->locs, find(d->locs, d->watch)->cls), cls);
}

enum { PLACE_NEW = 1, PLACE_HEAP = 2 };	/* of the record: its own class, of what can be freed */

enum { PLACE_WORDS = 5 };

/* A location into the tables; v: loc, class, flags, user, base. */
static bool put_entry(struct dpor *d, const uint32_t v[PLACE_WORDS])
{
	if (v[2] & PLACE_NEW && (d->nclasses == GNONE - 1 || !class_new(d)))
		return visit_oom(d);
	if (v[2] & PLACE_HEAP) {
		d->cls[v[1]].chain = true;
		d->cls[v[1]].lock = false;
		d->cls[v[1]].shared_wait = true;
	}
	if (!widen(d->locs))
		return visit_oom(d);
	*find(d->locs, v[0]) = (struct loc_entry){ .loc = v[0], .cls = (uint16_t)v[1],
						   .user = (uint16_t)v[3], .base = v[4] };
	d->locs->n++;
	join_freed(d, find(d->locs, v[0]));
	join_watched(d, v[0]);
	return true;
}

bool places_tell(struct dpor *d, enum agree_kind kind, const void *v, size_t len)
{
	size_t at = d->agreed;

	if (!d->agree)
		return true;
	if (!agree_add(d->agree, kind, v, len))
		return visit_oom(d);
	agree_next(d->agree, &at);
	d->agreed = at;
	return true;
}

bool places_ask(struct dpor *d)
{
	if (!d->agree)
		return true;
	agree_lock(d->agree);
	if (places_sync(d) || (d->anew && !d->failed))
		return true;
	agree_unlock(d->agree);
	return false;
}

bool places_told(struct dpor *d, bool ok)
{
	if (d->agree)
		agree_unlock(d->agree);
	return ok;
}

static bool entry_new(struct dpor *d, uint32_t loc, unsigned user)
{
	uint32_t base = freeable(d, loc), v[PLACE_WORDS] = { loc, 0, 0, user, base };
	bool one = base != LOC_NONE && is_one(d, base);
	int cls = -1;

	if (one && base != loc) {
		cls = place_loc(d, base);
		if (cls < 0)
			return false;
	}
	if (!places_ask(d))
		return false;
	if (find(d->locs, loc)->loc)
		return places_told(d, true);
	v[1] = cls < 0 ? d->nclasses : (uint32_t)cls;
	v[2] = cls >= 0 ? 0 : one ? PLACE_NEW | PLACE_HEAP : PLACE_NEW;
	return places_told(d, put_entry(d, v) && places_tell(d, AGREE_PLACE, v, sizeof(v)));
}

int place_loc(struct dpor *d, uint32_t loc)
{
	struct loc_entry *e;

	if (!widen(d->locs)) {
		visit_oom(d);
		return -1;
	}
	e = find(d->locs, loc);
	if (!e->loc) {
		if (!entry_new(d, loc, 0))
			return -1;
		e = find(d->locs, loc);
	}
	return root(d->locs, e->cls);
}

int place_seen(struct dpor *d, uint32_t loc)
{
	int cls = place_loc(d, loc);
	struct loc_entry *e = cls < 0 ? NULL : find(d->locs, loc);

	if (e && e->user) {
		e->user = 0;
		d->anew = true;
	}
	return cls;
}

int place_ghost(struct dpor *d, uint32_t loc, unsigned slot)
{
	struct loc_entry *e;

	if (!widen(d->locs)) {
		visit_oom(d);
		return -1;
	}
	if (!find(d->locs, loc)->loc && !entry_new(d, loc, is_watched(d, loc) ? 0 : slot + 1))
		return -1;
	e = find(d->locs, loc);
	if (!e->user)
		return root(d->locs, e->cls);
	if (e->user == slot + 1)
		return PLACE_PRIVATE;
	e->user = 0;
	d->anew = true;
	return -1;
}

bool place_waiter(struct dpor *d, int cls, unsigned slot)
{
	uint32_t v[2] = { (uint32_t)cls, slot + 1 };

	if (!places_ask(d))
		return false;
	if (d->cls[cls].waiter)
		return places_told(d, true);
	d->cls[cls].waiter = slot + 1;
	return places_told(d, places_tell(d, AGREE_WAITER, v, sizeof(v)));
}

static void put_timer(struct dpor *d, uint32_t cls, bool timer, bool disarmed)
{
	struct dclass *c = &d->cls[cls];
	bool before = c->timer && c->disarmed;

	c->timer |= timer;
	c->disarmed |= disarmed;
	d->anew |= c->timer && c->disarmed && !before;
}

bool place_timer(struct dpor *d, int cls, bool timer, bool disarmed)
{
	uint32_t v[3] = { (uint32_t)cls, timer, disarmed };

	if (!places_ask(d))
		return false;
	put_timer(d, v[0], timer, disarmed);
	return places_told(d, places_tell(d, AGREE_TIMER, v, sizeof(v)));
}

uint16_t class_root(const struct dpor *d, uint16_t cls)
{
	return root(d->locs, cls);
}

void place_share(struct dpor *d, uint32_t loc)
{
	struct loc_entry *e = d->locs->cap ? find(d->locs, loc) : NULL;

	if (e && e->loc)
		e->user = 0;
}

bool place_join(struct dpor *d, int x, int y)
{
	if (x < 0 || y < 0 || x == y)
		return false;
	if (x > y) {
		int swap = x;

		x = y;
		y = swap;
	}
	d->locs->parent[y] = (uint16_t)x;
	d->cls[x].chain = true;
	d->cls[x].lock = false;
	d->cls[x].shared_wait = true;
	d->anew = true;
	return true;
}

bool place_unite(struct dpor *d, uint32_t a, uint32_t b)
{
	return place_join(d, place_loc(d, a), place_loc(d, b));
}

/* The order of turns: what the scenario made as it made it, then by name.  A function of
 * who is there, not of who was met first. */
static bool comes_before(const struct dslot *a, const struct dslot *b)
{
	if (a->initial != b->initial)
		return a->initial < b->initial;
	return strcmp(a->name, b->name) < 0;
}

static bool slot_put(struct dpor *d, uint32_t id, uint32_t initial, enum task_kind kind, const char *task)
{
	unsigned n = d->nslots, i;
	char *name;

	if (n == UINT8_MAX - 1)
		return explore_fail(d->x, "more than %d tasks in one execution cannot be explored", UINT8_MAX - 1);
	if (n == d->slots_cap) {
		unsigned cap = n ? 2 * n : 16;

		if (!visit_resize(&d->slots, cap * sizeof(*d->slots)) || !visit_resize(&d->turn, cap))
			return visit_oom(d);
		d->slots_cap = cap;
	}
	if (!grow(&d->slot_of, &d->slot_of_cap, (size_t)id + 1, sizeof(*d->slot_of)))
		return visit_oom(d);
	name = strdup(task);
	if (!name)
		return visit_oom(d);
	d->slots[n] = (struct dslot){ .id = id, .name = name, .kind = kind, .last = GNONE,
				      .maker = GNONE, .initial = initial, .done = id };
	d->slot_of[id] = (uint16_t)++d->nslots;
	for (i = n; i && comes_before(&d->slots[n], &d->slots[d->turn[i - 1]]); i--)
		d->turn[i] = d->turn[i - 1];
	d->turn[i] = (uint8_t)n;
	d->anew |= d->nslots > d->stride;	/* with wider clocks */
	return true;
}

static bool slot_new(struct dpor *d, struct task *t)
{
	uint32_t v[64], id = task_id(t);
	uint32_t initial = t->obj->creator == IDENT_WORLD && t->kind != TASK_WORKER &&
			   t->kind != TASK_TIMER ? t->index : UINT32_MAX;
	size_t len = strlen(task_name(t)) + 1;

	if (!places_ask(d))
		return false;
	if (d->slot_of[id])
		return places_told(d, true);
	if (3 * sizeof(*v) + len > sizeof(v))
		return places_told(d, explore_fail(d->x, "the name of a thread is too long to be explored: %s",
					    task_name(t)));
	v[0] = id;
	v[1] = initial;
	v[2] = t->kind;
	memcpy(&v[3], task_name(t), len);
	return places_told(d, slot_put(d, id, initial, t->kind, task_name(t)) &&
		    places_tell(d, AGREE_TASK, v, 3 * sizeof(*v) + len));
}

int place_task(struct dpor *d, struct task *t)
{
	uint32_t id = task_id(t);

	if (!grow(&d->slot_of, &d->slot_of_cap, (size_t)id + 1, sizeof(*d->slot_of))) {
		visit_oom(d);
		return -1;
	}
	if (!d->slot_of[id]) {
		if (!slot_new(d, t)) {
			d->failed = true;
			return -1;
		}
		if (d->nslots > d->stride)
			return -1;
	}
	d->slots[d->slot_of[id] - 1].promise = t->promise;
	return d->slot_of[id] - 1;
}

bool places_sync(struct dpor *d)
{
	const struct agree_record *r;
	bool ok = true;

	while (ok && d->agree && (r = agree_next(d->agree, &d->agreed)))
		switch (r->kind) {
		case AGREE_TASK:
			ok = slot_put(d, r->v[0], r->v[1], (enum task_kind)r->v[2],
				      (const char *)&r->v[3]);
			break;
		case AGREE_PLACE:
			ok = put_entry(d, r->v);
			break;
		case AGREE_WAITER:
			if (!d->cls[r->v[0]].waiter)
				d->cls[r->v[0]].waiter = r->v[1];
			break;
		case AGREE_TIMER:
			put_timer(d, r->v[0], r->v[1], r->v[2]);
			break;
		case AGREE_USE: case AGREE_NEST:
			ok = snare_put(d, r);
			break;
		default:
			break;
		}
	d->failed |= !ok;
	return ok && !d->anew;
}

bool places_init(struct dpor *d)
{
	d->locs = calloc(1, sizeof(*d->locs));
	return d->locs || visit_oom(d);
}

void places_release(struct dpor *d)
{
	for (unsigned i = 0; i < d->nslots; i++)
		free(d->slots[i].name);
	for (unsigned i = 0; i < d->nclasses; i++)
		free(d->classes[i].w);
	free(d->slots);
	free(d->turn);
	free(d->slot_of);
	free(d->classes);
	free(d->cls);
	free(d->written);
	free(d->touched);
	if (d->locs) {
		free(d->locs->v);
		free(d->locs->parent);
	}
	free(d->locs);
}
