/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks that make a store before its turn (memory/promise.c): one store each, on a CPU that
 * nobody else has.  Their names say what and where, so that a schedule in which they occur
 * needs nothing else: "promise/ss.cpu0.lock_count[0]:1".
 */
#include <config.h>

#include "engine/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "promise/"

static struct site site = { .op = OP_STORE, .order = ORD_ONCE, .flags = SITE_PROMISE, .prim = "promise",
			    .expr = "", .func = "", .file = "" };

static void body(void *arg)
{
	const struct promise_store *p = arg;

	task_event((struct event){ .site = &site, .op = OP_STORE, .order = ORD_ONCE, .size = (uint8_t)p->size,
				   .loc = arena_addr(task_current()->w, p->loc), .a = p->value });
}

void promise_name(struct world *w, const struct promise_store *p, unsigned nth, char *buf, size_t n)
{
	char name[80] = "";

	/* of what is not there (yet), and of what a schedule could not spell, the place */
	if (!location_name(w, arena_addr(w, p->loc), name, sizeof(name), NULL) || strpbrk(name, "*=+ \t#"))
		snprintf(name, sizeof(name), "@%" PRIu32 ".%" PRIu32, p->loc, p->size);
	snprintf(buf, n, nth > 1 ? PREFIX "%s:%" PRId64 "#%u" : PREFIX "%s:%" PRId64, name, (int64_t)p->value, nth);
}

struct task *promise_task(struct world *w, const struct promise_store *p, const char *name)
{
	struct promise_store *arg = malloc(sizeof(*arg));
	struct task *t = NULL;

	if (w->cpus == WORLD_CPUS_MAX)
		world_fail(w, "promises need one CPU less than the most that a world can have");
	else if (!arg)
		world_oom(w);
	else
		t = task_new_engine(w, TASK_THREAD, name, w->cpus, body, arg);
	if (!t) {
		free(arg);
		return NULL;
	}
	*arg = *p;
	t->promise = true;
	t->release = free;
	return t;
}

/* The location of that name in the object. */
static bool find_in(struct world *w, const struct object *o, const char *name, struct promise_store *p)
{
	char here[80];

	for (size_t at = 0; o->base && at < o->size; at++) {
		const struct field *f = NULL;
		void *addr = (char *)o->base + at;

		if (!location_name(w, addr, here, sizeof(here), &f) || strcmp(here, name))
			continue;
		p->loc = arena_offset(w, addr);
		p->size = f ? f->size : 8;
		return true;
	}
	return false;
}

static bool find(struct world *w, const char *name, struct promise_store *p)
{
	char end;

	if (*name == '@') {
		if (sscanf(name, "@%" SCNu32 ".%" SCNu32 "%c", &p->loc, &p->size, &end) != 2)
			return false;
		return p->size && p->size <= 8 && !(p->size & (p->size - 1)) && p->loc % p->size == 0 &&
		       p->loc < world_arena_size(w) - 8;
	}
	for (size_t i = 0; i < world_object_count(w); i++)
		if (find_in(w, world_object(w, i), name, p))
			return true;
	return false;
}

/* So that whoever goes back in time meets it again. */
static bool remember(struct world *w, const char *name)
{
	char *copy = strdup(name);

	if (!copy || !grow(&w->promised, &w->promised_cap, w->npromised + 1, sizeof(*w->promised))) {
		free(copy);
		return world_oom(w);
	}
	w->promised[w->npromised++] = (struct promised){ copy, (uint32_t)w->ntasks, w->log.n };
	return true;
}

void promises_forget(struct world *w)
{
	while (w->npromised)
		free(w->promised[--w->npromised].name);
	free(w->promised);
	w->promised = NULL;
	w->promised_cap = 0;
}

bool promises_again(struct world *w)
{
	size_t n = w->npromised;
	bool ok = true;

	for (size_t i = 0; ok && i < n; i++) {
		const struct promised *p = &w->promised[i];

		if (p->step == w->log.n && p->index == w->ntasks)
			ok = promise_by_name(w, p->name) && world_prime(w);
	}
	return ok;
}

struct task *promise_by_name(struct world *w, const char *name)
{
	struct promise_store p = { 0 };
	const char *colon = strrchr(name, ':');
	struct task *t = NULL;
	char *where, *end;
	bool known = false;

	if (!w->history || strncmp(name, PREFIX, strlen(PREFIX)) || !colon)
		return NULL;
	p.value = (uint64_t)strtoll(colon + 1, &end, 10);
	if (end == colon + 1 || (*end && *end != '#'))
		return NULL;
	where = strndup(name + strlen(PREFIX), (size_t)(colon - name) - strlen(PREFIX));
	for (size_t i = 0; i < w->npromised && !known; i++)
		known = !strcmp(w->promised[i].name, name);
	if (where && find(w, where, &p) && (known || remember(w, name)))
		t = promise_task(w, &p, name);
	free(where);
	return t;
}
