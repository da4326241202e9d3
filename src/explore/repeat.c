/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same steps have to give the same: some executions are repeated when all is over,
 * twice, and compared step by step.  The strategies notice most of what is not
 * deterministic by themselves; not what is done once only.  finally() and outcome() are
 * left alone: scripts count executions in them.
 */
#include <config.h>

#include "explore/judge.h"

#include "engine/driver.h"
#include "engine/internal.h"
#include "engine/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERS "the scenario is not deterministic: "

/* What is compared of a step. */
struct did { uint64_t value, stored; uint32_t loc, site; };

struct repeat {
	struct did *steps;
	size_t violations;
};

/* The execution once more, in *r; finally() has no part in it. */
static struct world *run(struct explore *x, const struct exec_step *steps, size_t n,
			 struct repeat *r, size_t *at)
{
	struct world *w = explore_rerun(x, steps, n, at);

	if (!w)
		return NULL;
	r->steps = calloc(n + 1, sizeof(*r->steps));
	if (!r->steps) {
		explore_oom(x);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		const struct record *rec = log_record(w, i + 1);

		r->steps[i] = (struct did){ rec->value, rec->stored, rec->loc, rec->site };
	}
	r->violations = world_violation_count(w);
	return w;
}

static bool differ_at(struct explore *x, struct world *w, size_t step, uint32_t task)
{
	struct task *t = task_by_id(w, task);
	struct event_view v;
	char where[160] = "";

	if (!t || !event_view(w, step, &v))
		return explore_fail(x, DIFFERS "step %zu is not the same when the same steps are made "
				    "again. " EXPLORE_RULE, step);
	if (v.line)
		snprintf(where, sizeof(where), " (%s:%d)", v.file, v.line);
	return explore_fail(x, DIFFERS "step %zu, %s(%s) of \"%s\"%s, is not the same when the same "
			    "steps are made again. " EXPLORE_RULE, step, v.prim, v.object, task_name(t), where);
}

static bool compare(struct explore *x, struct world *w, const struct exec_step *steps, size_t n,
		    const struct repeat *a, const struct repeat *b)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(&a->steps[i], &b->steps[i], sizeof(*a->steps)))
			return differ_at(x, w, i + 1, steps[i].task);
	if (a->violations != b->violations)
		return explore_fail(x, DIFFERS "an assertion holds, and does not when the same "
				    "steps are made again. " EXPLORE_RULE);
	return true;
}

/* It could be made before, and cannot be made again. */
static bool stopped_at(struct explore *x, size_t at)
{
	return explore_fail(x, DIFFERS "step %zu cannot be made when the same steps are made again. "
			    EXPLORE_RULE, at + 1);
}

bool repeat_check(struct explore *x, const struct exec_step *steps, size_t n)
{
	struct repeat a = { 0 }, b = { 0 };
	size_t at = 0;
	struct world *w = run(x, steps, n, &a, &at);
	bool ok;

	if (w)
		w = run(x, steps, n, &b, &at);
	ok = w ? compare(x, w, steps, n, &a, &b) : stopped_at(x, at);
	free(a.steps);
	free(b.steps);
	return ok;
}
