/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an execution showed: its violations, of which one of each kind and place is
 * kept with the steps that lead to it, and its outcome.  Nothing is kept that a
 * second run of the same steps, with a log, does not show again.
 */
#include <config.h>

#include "explore/judge.h"

#include "check/check.h"
#include "check/trace.h"
#include "engine/driver.h"
#include "engine/internal.h"
#include "engine/plain.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERS "the scenario is not deterministic: its bodies use something that outlives " \
	"the execution (a global or an upvalue that they change, the time, random numbers)"

struct judge *judge_new(void)
{
	return calloc(1, sizeof(struct judge));
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->runs_cap; i++)
		free(j->runs[i].steps);
	for (size_t i = 0; i < j->nseen; i++)
		free(j->seen[i].key);
	free(j->runs);
	free(j->seen);
	judge_forget(j);
	free(j);
}

void judge_forget(struct judge *j)
{
	free(j->example.steps);
	free(j->shown.steps);
	j->example = j->shown = (struct run){ 0 };
	for (size_t i = 0; i < SAMPLES; i++) {
		free(j->samples[i].steps);
		j->samples[i] = (struct run){ 0 };
	}
}

static bool run_copy(struct explore *x, struct run *r, const struct exec_step *steps, size_t n)
{
	r->steps = malloc((n ? n : 1) * sizeof(*steps));
	if (!r->steps)
		return explore_oom(x);
	if (n)
		memcpy(r->steps, steps, n * sizeof(*steps));
	r->n = n;
	r->promises = promise_now(x);
	r->is = true;
	return true;
}

/* --- places --- */

/* The first sentence of a message, without the numbers that differ from run to run. */
static void put_message(FILE *f, const char *m)
{
	static const char *const before[] = { "step ", "steps ", "index " };

	while (*m && *m != '\n' && strncmp(m, ". ", 2)) {
		size_t len = 0;

		for (size_t i = 0; i < sizeof(before) / sizeof(*before) && !len; i++)
			if (!strncmp(m, before[i], strlen(before[i])))
				len = strlen(before[i]);
		fprintf(f, "%.*s", len ? (int)len : 1, m);
		m += len ? len : 1;
		while (len && isdigit((unsigned char)*m))
			m++;
	}
}

/* The site of the step that broke the rule, if it was a step of the violator. */
static void put_site(FILE *f, struct world *w, const struct violation *v)
{
	static const char *const of_the_end[] = { "deadlock", "self-deadlock", "stall", "leak" };
	const struct record *r = log_record(w, v->step);
	const struct task *t = r ? world_task(w, r->task) : NULL;
	const struct site *s;

	for (size_t i = 0; i < sizeof(of_the_end) / sizeof(*of_the_end); i++)
		if (!strcmp(v->kind, of_the_end[i]))
			return;	/* who moved last says nothing */
	if (!t || task_id(t) != v->task)
		return;
	s = site_by_id(r->site);
	if (s && s->file)
		fprintf(f, " %s:%d", site_file(s), s->line);
}

static const char *name_of(struct world *w, uint32_t id)
{
	struct task *t = id ? task_by_id(w, id) : NULL;

	return t ? task_name(t) : NULL;
}

static char *place_text(struct world *w, const struct violation *v, bool with_site)
{
	const char *thread = name_of(w, v->task), *other = name_of(w, v->other);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "%s", thread ? thread : "-");
	if (other)
		fprintf(f, "+%s", other);
	if (with_site)
		put_site(f, w, v);
	fputs(": ", f);
	put_message(f, v->message ? v->message : "");
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

char *explore_place(struct world *w, const struct violation *v)
{
	return place_text(w, v, true);
}

const struct violation *explore_find(struct world *w, const char *kind, const char *place)
{
	for (size_t i = 0; i < world_violation_count(w); i++) {
		const struct violation *v = world_violation(w, i);
		char *here = strcmp(v->kind, kind) ? NULL : explore_place(w, v);
		bool same = here && !strcmp(here, place);

		free(here);
		if (same)
			return v;
	}
	return NULL;
}

/* --- keeping violations --- */

size_t judge_find(const struct explore_report *r, const char *kind, const char *place)
{
	size_t i = 0;

	while (i < r->nviolations && (strcmp(r->violations[i].kind, kind) ||
				      strcmp(r->violations[i].place, place)))
		i++;
	return i;
}

/* Names rather than numbers: they are the same however many processes there are.  Not
 * asked for where one process finds everything in the same order each time. */
static uint64_t hash_of(const struct explore *x, struct world *w, const struct exec_step *steps, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; x->shared && i < n; i++) {
		const struct task *t = task_by_id(w, steps[i].task);

		for (const char *c = t ? task_name(t) : ""; *c; c++)
			h = (h ^ (unsigned char)*c) * 0x100000001b3u;
		h = (h ^ (steps[i].choice + 256u)) * 0x100000001b3u;
	}
	return h;
}

void judge_drop_promised(struct explore *x)
{
	struct explore_report *r = &x->report;
	struct run *runs = x->judge->runs;
	size_t n = 0;

	for (size_t i = 0; i < r->nviolations; i++) {
		if (runs[i].promises.n) {
			violation_release(&r->violations[i]);
			free(runs[i].steps);
			continue;
		}
		r->violations[n] = r->violations[i];
		runs[n++] = runs[i];
	}
	for (size_t i = n; i < r->nviolations; i++)
		runs[i] = (struct run){ 0 };
	r->nviolations = n;
	for (size_t i = 0; i < x->judge->nseen; i++)
		free(x->judge->seen[i].key);
	x->judge->nseen = 0;
}

bool judge_take(struct explore *x, size_t i, const struct explore_violation *v, const struct run *r)
{
	struct judge *j = x->judge;

	if (i == x->report.nviolations) {
		if (!grow(&x->report.violations, &j->violations_cap, i + 1, sizeof(*v)) ||
		    !grow(&j->runs, &j->runs_cap, i + 1, sizeof(*r)))
			return explore_oom(x);
		x->report.nviolations++;
	} else {
		violation_release(&x->report.violations[i]);
		free(j->runs[i].steps);
	}
	x->report.violations[i] = *v;
	j->runs[i] = *r;
	return (v->kind && v->message && v->schedule && v->place) || explore_oom(x);
}

static char *copy_of(const char *s)
{
	return s ? strdup(s) : NULL;
}

/* Takes `place`; as the i-th. */
static bool add_violation(struct explore *x, struct world *w, const struct violation *v, size_t i,
			  char *place, const struct exec_step *steps, size_t n)
{
	struct run r = { .hash = hash_of(x, w, steps, n) };
	struct explore_violation e;

	if (!run_copy(x, &r, steps, n)) {
		free(place);
		return false;
	}
	e = (struct explore_violation){
		.kind = strdup(v->kind),
		.message = strdup(v->message ? v->message : "no memory was left to say more"),
		.thread = copy_of(name_of(w, v->task)),
		.other = copy_of(name_of(w, v->other)),
		.step = v->step,
		.schedule = v->schedule ? strdup(v->schedule) : world_schedule_upto(w, v->step),
		.place = place,
		.execution = x->unnumbered ? 0 : x->first + x->executions,
		.seed = x->seed,
	};
	if (judge_take(x, i, &e, &r))
		return true;
	if (i < x->report.nviolations)
		return false;	/* it is in there, as far as it goes */
	violation_release(&e);
	free(r.steps);
	return false;
}

/* Keeps what the world, which stands at the end of `steps` and has a log, found. */
static bool keep(struct explore *x, struct world *w, const struct exec_step *steps, size_t n)
{
	for (size_t i = 0; i < world_violation_count(w); i++) {
		const struct violation *v = world_violation(w, i);
		char *place = explore_place(w, v);
		size_t at = place ? judge_find(&x->report, v->kind, place) : 0;
		const struct run *known = x->judge->runs + at;

		if (!place)
			return explore_oom(x);
		if (at < x->report.nviolations &&
		    !(x->shared && run_is_less(n, n == known->n ? hash_of(x, w, steps, n) : 0,
					       known->n, known->hash)))
			free(place);
		else if (!add_violation(x, w, v, at, place, steps, n))
			return false;
	}
	return true;
}

/* --- judging --- */

static const char *judge_end(struct explore *x, struct world *w, enum exec_end how)
{
	if (how == EXEC_COMPLETE)
		check_stuck(w);
	return x->src.end ? x->src.end(x->src.arg, w, how) : NULL;
}

static bool stands_still(struct world *w)
{
	for (size_t i = 0; i < world_task_count(w); i++)
		if (task_enabled(world_task(w, i)))
			return false;
	return true;
}

void explore_judge(struct explore *x, struct world *w)
{
	struct trace_finding f = { 0 };

	judge_end(x, w, stands_still(w) ? explore_end_of(w) : EXEC_CUT);
	if (trace_judge(w, &f))
		trace_finding_release(&f);
}

static struct world *again(struct explore *x, const struct exec_step *steps, size_t n)
{
	size_t at = 0;
	struct world *w = explore_rerun(x, steps, n, &at);

	if (!w && !x->report.error)
		explore_fail(x, "step %zu of an execution could not be made when it was repeated: "
			     DIFFERS, at + 1);
	return w;
}

/* Has a violation that looks like this one been repeated before?  Else it is noted. */
static bool was_seen(struct explore *x, struct world *w, const struct violation *v,
		     size_t n, uint64_t hash)
{
	struct judge *j = x->judge;
	char *place = place_text(w, v, false), *key = NULL;

	if (place && asprintf(&key, "%s %s", v->kind, place) < 0)
		key = NULL;
	free(place);
	for (size_t i = 0; key && i < j->nseen; i++)
		if (!strcmp(j->seen[i].key, key)) {
			free(key);
			if (!x->shared || !run_is_less(n, hash, j->seen[i].n, j->seen[i].hash))
				return true;
			j->seen[i].n = n;
			j->seen[i].hash = hash;
			return false;
		}
	if (!key || !grow(&j->seen, &j->seen_cap, j->nseen + 1, sizeof(*j->seen))) {
		free(key);
		explore_oom(x);
		return true;
	}
	j->seen[j->nseen++] = (struct seen){ .key = key, .n = n, .hash = hash };
	return false;
}

struct essence { const char *kind; uint32_t task; };

static bool shows(struct world *w, struct essence e)
{
	for (size_t i = 0; i < world_violation_count(w); i++) {
		const struct violation *v = world_violation(w, i);

		if (!strcmp(v->kind, e.kind) && v->task == e.task)
			return true;
	}
	return false;
}

/* The world kept no log: another run of the same steps has the official words. */
static bool keep_lean(struct explore *x, struct world *w, enum exec_end how,
		      const struct exec_step *steps, size_t n)
{
	struct essence news = { 0 };
	uint64_t hash = hash_of(x, w, steps, n);

	for (size_t i = 0; i < world_violation_count(w); i++) {
		const struct violation *v = world_violation(w, i);

		if (!was_seen(x, w, v, n, hash))
			news = (struct essence){ .kind = v->kind, .task = v->task };
	}
	if (!news.kind || x->report.error)
		return !x->report.error;
	w = again(x, steps, n);
	if (!w)
		return false;
	judge_end(x, w, how);
	if (!shows(w, news))
		return explore_fail(x, "an execution that showed \"%s\" did not when it was repeated: "
				    DIFFERS, news.kind);
	return keep(x, w, steps, n);
}

/* What only another linearisation of the trace shows is shown by a run of that. */
static bool keep_finding(struct explore *x, const struct trace_finding *f)
{
	struct exec_step *steps = calloc(f->n ? f->n : 1, sizeof(*steps));
	struct world *w;
	bool found = false, ok;

	if (!steps)
		return explore_oom(x);
	for (size_t i = 0; i < f->n; i++)
		steps[i] = (struct exec_step){ .task = f->steps[i].task, .choice = f->steps[i].choice };
	w = again(x, steps, f->n);
	for (size_t i = 0; w && i < world_violation_count(w); i++)
		found |= !strcmp(world_violation(w, i)->kind, f->kind);
	if (w && !found)
		explore_fail(x, "another order of independent steps should have shown \"%s\" and did "
			     "not: " DIFFERS, f->kind);
	ok = found && keep(x, w, steps, f->n);
	free(steps);
	return ok;
}

/* --- outcomes --- */

static bool outcome_add(struct explore *x, size_t at, const char *text)
{
	struct explore_report *r = &x->report;
	char *copy = strdup(text);

	if (!copy || !grow(&r->outcomes, &x->judge->outcomes_cap, r->noutcomes + 1,
			   sizeof(*r->outcomes))) {
		free(copy);
		return explore_oom(x);
	}
	memmove(&r->outcomes[at + 1], &r->outcomes[at], (r->noutcomes++ - at) * sizeof(*r->outcomes));
	r->outcomes[at] = (struct explore_outcome){ .text = copy };
	return true;
}

bool judge_tally(struct explore *x, const char *text, uint64_t times)
{
	struct explore_report *r = &x->report;
	size_t low = 0, high = r->noutcomes, last = x->judge->last_outcome;

	if (last < high && !strcmp(r->outcomes[last].text, text)) {
		r->outcomes[last].count += times;
		return true;
	}
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(r->outcomes[mid].text, text) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if ((low == r->noutcomes || strcmp(r->outcomes[low].text, text)) &&
	    !outcome_add(x, low, text))
		return false;
	r->outcomes[low].count += times;
	x->judge->last_outcome = low;
	return true;
}

/* --- the end of an execution --- */

static void count(struct explore *x, enum exec_end how, size_t n)
{
	struct explore_report *r = &x->report;

	x->executions++;
	r->steps += n;
	if (n > r->deepest)
		r->deepest = n;
	if (how == EXEC_COMPLETE)
		r->complete++;
	else if (how == EXEC_BLOCKED)
		r->blocked++;
	else
		r->cut++;
	if (how == EXEC_CUT && n >= x->opts.max_steps)
		explore_bound(x, "max_steps %" PRIu64, x->opts.max_steps);
}

static bool keep_sample(struct explore *x, const struct exec_step *steps, size_t n)
{
	struct run *r = x->judge->samples;

	for (uint64_t i = 1; r < x->judge->samples + SAMPLES; i *= SAMPLE_FACTOR, r++)
		if (i == x->report.complete)
			return r->is || run_copy(x, r, steps, n);
	return true;
}

static bool keep_examples(struct explore *x, bool violating, const struct exec_step *steps, size_t n)
{
	struct judge *j = x->judge;

	if (!violating && !j->example.is && !run_copy(x, &j->example, steps, n))
		return false;
	if (!keep_sample(x, steps, n))
		return false;
	return j->shown.is || x->opts.show != x->report.complete ||
	       run_copy(x, &j->shown, steps, n);
}

/* Plain accesses were made and nothing kept of them: no judgement without a log.  The
 * world in which it was made again, standing at the end. */
static struct world *outgrown(struct explore *x, struct world *w, const struct exec_step *steps,
			      size_t n)
{
	if (!x->lean || !world_has_plains(w))
		return w;
	x->lean = false;
	return again(x, steps, n);
}

/* Plain accesses that nothing orders had one order here: has that been all? */
static void note_open(struct explore *x, struct world *w)
{
	unsigned open = w->voluntary ? 0 : world_plains_open(w);

	if (x->opts.strategy == EXPLORE_NAIVE)
		open &= ~PLAIN_APART;	/* where none is preempted that is the order of steps */
	if (open)
		explore_bound(x, open & PLAIN_MEANT ? "the orders of what data_race() reads" :
			      "the orders of plain accesses that only their CPU keeps apart");
}

bool explore_raced(struct explore *x, struct world *w, const struct exec_step *steps, size_t n)
{
	if (!world_has_plains(w) || w->lean)
		return false;
	trace_judge(w, NULL);
	if (world_violation_count(w) && !keep(x, w, steps, n))
		return false;
	for (size_t i = 0; i < x->report.nviolations; i++)
		if (!strcmp(x->report.violations[i].kind, "data-race"))
			return true;
	return world_plains_open(w);
}

bool explore_end(struct explore *x, struct world *w, enum exec_end how,
		 const struct exec_step *steps, size_t n)
{
	struct trace_finding f = { 0 };
	bool finding, violating, ok = true;
	const char *text;

	if (how == EXEC_FAILED)
		return explore_fail(x, "%s", world_error(w));
	if (x->opts.unjudged) {
		count(x, how, n);
		text = x->src.end(x->src.arg, w, how);
		return !text || how != EXEC_COMPLETE || judge_tally(x, text, 1);
	}
	w = outgrown(x, w, steps, n);
	if (!w)
		return false;
	count(x, how, n);
	text = judge_end(x, w, how);
	if (explore_refused(x))
		return explore_fail(x, "%s", explore_refused(x));
	if (text && how == EXEC_COMPLETE && !judge_tally(x, text, 1))
		return false;
	finding = !x->lean && trace_judge(w, &f);
	note_open(x, w);
	violating = finding || world_violation_count(w);
	x->report.violating += violating;
	if (how == EXEC_COMPLETE)
		ok = keep_examples(x, violating, steps, n);
	if (ok && world_violation_count(w))
		ok = x->lean ? keep_lean(x, w, how, steps, n) : keep(x, w, steps, n);
	if (finding) {
		ok = ok && keep_finding(x, &f);
		trace_finding_release(&f);
	}
	return ok && (x->opts.keep_going || !x->report.nviolations);
}

/* --- the end of the exploration --- */

static bool schedule_of(struct explore *x, const struct run *r, char **schedule)
{
	struct world *w;

	if (!r->is)
		return true;
	promise_use(x, &r->promises);
	w = again(x, r->steps, r->n);
	if (!w)
		return false;
	*schedule = world_schedule(w);
	return *schedule || explore_oom(x);
}

/* What is reported is what a plain run of these steps shows, however it was found. */
static bool verify(struct explore *x, const struct explore_violation *v, const struct run *r)
{
	struct world *w;

	promise_use(x, &r->promises);
	w = again(x, r->steps, r->n);
	if (!w)
		return false;
	explore_judge(x, w);
	return explore_find(w, v->kind, v->place) ||
	       explore_fail(x, "\"%s\" was not seen again when its execution was repeated: " DIFFERS,
			    v->kind);
}

/* Of what other processes have executed only the example is known. */
static void repeat_samples(struct explore *x)
{
	struct judge *j = x->judge;

	promise_use(x, &j->example.promises);
	if (!j->samples[0].is && j->example.is)
		repeat_check(x, j->example.steps, j->example.n);
	for (size_t i = 0; i < SAMPLES && !x->report.error; i++)
		if (j->samples[i].is)
			repeat_check(x, j->samples[i].steps, j->samples[i].n);
}

bool judge_conclude(struct explore *x)
{
	struct judge *j = x->judge;

	if (x->opts.unjudged)
		return true;
	repeat_samples(x);
	for (size_t i = 0; i < x->report.nviolations && !x->report.error; i++)
		/* another way might keep no promise */
		if (verify(x, &x->report.violations[i], &j->runs[i]) && !j->runs[i].promises.n)
			explore_minimise(x, &x->report.violations[i], j->runs[i].steps, j->runs[i].n);
	return !x->report.error && schedule_of(x, &j->example, &x->report.example) &&
	       schedule_of(x, &j->shown, &x->report.shown);
}
