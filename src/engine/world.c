/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Worlds: making and dropping them, their settings, errors and violations.
 */
#include <config.h>

#include "engine/carrier.h"
#include "engine/guest.h"
#include "engine/internal.h"
#include "memory/history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct field clock_fields[] = {
	{ .name = "", .offset = 0, .size = 8, .flags = FIELD_TIME },
	{ 0 }
};
static const struct objtype clock_type = { .kind = "clock", .fields = clock_fields };

/* Worlds of use to anybody have a few dozen: whoever makes so many never ends. */
#define OBJECTS_MAX 1000000

struct world *world_new(enum carrier_kind carrier)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	guard_install();
	w->carrier = carrier;
	w->cpus = w->online = WORLD_CPUS_DEFAULT;
	w->model = &memory_sc;
	w->objects_max = OBJECTS_MAX;
	w->ids = idspace_new();
	if (!w->ids || !arena_init(w) || !world_init_execution(w)) {
		world_free(w);
		return NULL;
	}
	return w;
}

bool world_set_model(struct world *w, const char *name)
{
	const struct memory_model *m = memory_model_by_name(name);

	if (!m)
		return world_fail(w, "unknown memory model '%s' (sc, tso, weak)", name);
	if (m == w->model)
		return true;
	if (w->frozen)
		return world_fail(w, "the memory model is chosen before the first object is made");
	return world_change_model(w, name);
}

bool world_change_model(struct world *w, const char *name)
{
	return world_set_memory(w, memory_model_by_name(name));
}

bool world_set_memory(struct world *w, const struct memory_model *m)
{
	if (m->consistent && !w->history && !(w->history = history_new()))
		return world_oom(w);
	if (!m->consistent) {
		history_free(w->history);
		w->history = NULL;
	}
	w->model = m;
	return true;
}

const struct memory_model *world_model(const struct world *w) { return w->model; }

bool world_init_execution(struct world *w)
{
	uint32_t id = idspace_by_name(w->ids, "clock");

	if (!w->cpu_owner)
		w->cpu_owner = calloc(WORLD_CPUS_MAX, sizeof(*w->cpu_owner));
	if (!w->cpu_owner || !id)
		return world_oom(w);
	w->begun++;
	if (w->history)
		history_clear(w->history);
	guest_watch();
	w->clock_obj = object_make(w, &clock_type, "clock", id);
	if (!w->clock_obj)
		return false;
	w->clock = arena_alloc_for(w, id, 8);
	if (!w->clock)
		return false;
	w->clock_obj->base = w->clock;
	w->clock_obj->size = 8;
	return object_describe(w->clock_obj, w->clock, NULL, clock_fields, 8);
}

void violations_drop(struct world *w)
{
	for (size_t i = 0; i < w->nviolations; i++) {
		free(w->violations[i].message);
		free(w->violations[i].schedule);
	}
	free(w->violations);
	w->violations = NULL;
	w->nviolations = 0;
}

void world_drop_execution(struct world *w)
{
	tasks_drop(w, 0);
	w->nfresh = 0;
	checkpoint_release(w);
	if (w->hooks.rebuilt)
		w->hooks.rebuilt(w);
	if (w->watch.rebuilt)
		w->watch.rebuilt(w);
	objects_reset(w);
	arena_reset(w);
	awake_reset(w, 0);
	log_reset(&w->log);
	plains_reset(w);
	if (w->cpu_owner)
		memset(w->cpu_owner, 0, w->cpus * sizeof(*w->cpu_owner));
	w->clock = NULL;
	w->clock_obj = NULL;
	w->made = w->threads_made = 0;
	w->found = NULL;
	w->ghosts.n = 0;
	w->frozen = w->voluntary = false;
	w->cpus = w->online = WORLD_CPUS_DEFAULT;
	violations_drop(w);
}

void world_free(struct world *w)
{
	if (!w)
		return;
	world_drop_execution(w);
	if (w->hooks.release)
		w->hooks.release(w);
	if (w->watch.release)
		w->watch.release(w);
	for (size_t i = 0; i < w->njournal; i++)
		if (w->journal[i].release)
			w->journal[i].release(w->journal[i].arg);
	free(w->journal);
	promises_forget(w);
	free(w->ghosts.v);
	free(w->plains.v);
	free(w->cpu_owner);
	tasks_release(w);
	objects_release(w);
	log_release(&w->log);
	arena_release(w);
	history_free(w->history);
	idspace_free(w->ids);
	free(w);
}

const char *world_error(struct world *w)
{
	return w->error;
}

bool world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->error, sizeof(w->error), fmt, ap);
	va_end(ap);
	return false;
}

bool world_oom(struct world *w)
{
	return world_fail(w, "out of memory");
}

bool world_set_cpus(struct world *w, unsigned n)
{
	if (n < 1 || n > WORLD_CPUS_MAX)
		return world_fail(w, "1 to %d CPUs can be had, not %u", WORLD_CPUS_MAX, n);
	if (w->frozen)
		return world_fail(w, "the number of CPUs must be set before the first object is made");
	w->cpus = w->online = n;
	return true;
}

bool world_set_online(struct world *w, unsigned m)
{
	if (m < 1 || m > w->cpus)
		return world_fail(w, "1 to %u of %u CPUs can be online, not %u", w->cpus,
				  w->cpus, m);
	if (w->frozen)
		return world_fail(w, "which CPUs are online must be set before the first object is made");
	w->online = m;
	return true;
}

unsigned world_cpus(struct world *w) { return w->cpus; }
unsigned world_online(struct world *w) { return w->online; }
void world_set_voluntary(struct world *w) { w->voluntary = true; }
uint64_t world_clock(struct world *w) { return w->clock ? *w->clock : 0; }
uint64_t world_steps(struct world *w) { return w->log.n; }
uint64_t world_progress(struct world *w) { return w->begun << 32 | (w->log.n & UINT32_MAX); }
bool world_muted(struct world *w) { return w->muted; }
void world_set_objects_max(struct world *w, size_t n) { w->objects_max = n; }
void world_set_muted(struct world *w, bool muted) { w->muted = muted; }
const struct srcu_ops **world_srcu_ops(struct world *w) { return w->srcu_instead; }
void *world_check_data(struct world *w) { return w->check_data; }

void world_set_hooks(struct world *w, const struct engine_hooks *h, void *data)
{
	w->hooks = *h;
	w->check_data = data;
}

void world_set_watch(struct world *w, const struct engine_watch *watch, void *data)
{
	w->watch = *watch;
	w->watch_data = data;
}

void *world_watch_data(struct world *w) { return w->watch_data; }

void world_set_interrupt(struct world *w, bool (*fn)(void *), void *arg)
{
	w->interrupt = fn;
	w->interrupt_arg = arg;
}

bool world_interrupted(struct world *w)
{
	return w->interrupt && w->interrupt(w->interrupt_arg);
}

void world_violate(struct world *w, const char *kind, char *message,
		   struct task *t, struct task *other)
{
	struct violation *v = realloc(w->violations, (w->nviolations + 1) * sizeof(*v));

	if (!v) {
		/* what cannot be kept must still not look like ok */
		fprintf(stderr, "srcush: out of memory while reporting a violation: %s: %s\n",
			kind, message ? message : "");
		exit(EXIT_FAILURE);
	}
	w->violations = v;
	v[w->nviolations++] = (struct violation){
		.kind = kind,
		.message = message,
		.task = t ? task_id(t) : 0,
		.other = other ? task_id(other) : 0,
		.step = w->log.n,
		.schedule = world_schedule(w),
	};
}

size_t world_violation_count(struct world *w) { return w->nviolations; }

const struct violation *world_violation(struct world *w, size_t i)
{
	return i < w->nviolations ? &w->violations[i] : NULL;
}
