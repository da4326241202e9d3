/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a litmus test showed, in the form of herd7, so that what reads that can read this,
 * and whether it is what the test says of itself.
 */
#include <config.h>

#include "litmus/command.h"
#include "repl/json.h"
#include "repl/status.h"
#include "view/view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct { unsigned flag; const char *name; } flag_names[] = {
	{ MM_DATA_RACE, "data-race" }, { MM_UNMATCHED_LOCK, "unmatched-srcu-lock" },
	{ MM_UNMATCHED_UNLOCK, "unmatched-srcu-unlock" }, { MM_MULTIPLE_MATCHES, "multiple-srcu-matches" },
	{ MM_BAD_VALUE, "srcu-bad-value-match" }, { MM_INVALID_SLEEP, "invalid-sleep" },
	{ MM_UNMATCHED_RCU_LOCK, "unmatched-rcu-lock" }, { MM_UNMATCHED_RCU_UNLOCK, "unmatched-rcu-unlock" },
};
#define NFLAGS (sizeof(flag_names) / sizeof(*flag_names))

static const char *const kinds[] = {
	[QUANT_EXISTS] = "Allowed", [QUANT_NOT_EXISTS] = "Forbidden", [QUANT_FORALL] = "Required",
};
static const char *const quantifiers[] = {
	[QUANT_EXISTS] = "exists ", [QUANT_NOT_EXISTS] = "~exists ", [QUANT_FORALL] = "forall ",
};

static bool is_complete(const struct litmus_result *r)
{
	return !r->bound && !r->cut_loops;
}

static const char *observation(const struct litmus_result *r)
{
	if (!r->positive)
		return "Never";
	return r->negative ? "Sometimes" : "Always";
}

/* What has not been seen in a part of the executions is not "Never", nor is it "Always". */
static const char *observation_text(const struct litmus_result *r)
{
	if (is_complete(r) || (r->positive && r->negative))
		return observation(r);
	return r->positive ? "always so far, incomplete" : "not seen, incomplete";
}

static bool is_ok(const struct litmus *t, const struct litmus_result *r)
{
	switch (t->quantifier) {
	case QUANT_EXISTS:
		return r->positive;
	case QUANT_NOT_EXISTS:
		return !r->positive;
	default:
		return !r->negative;
	}
}

/* Would more executions change that? */
static bool is_ok_open(const struct litmus *t, const struct litmus_result *r)
{
	return !is_complete(r) && (t->quantifier == QUANT_FORALL ? !r->negative : !r->positive);
}

/* --- the score --- */

static enum litmus_score score(const struct litmus *t, const struct litmus_result *r)
{
	if (t->expected == EXPECT_NOTHING)
		return is_complete(r) ? SCORE_NONE : SCORE_UNDECIDED;
	/* where there is a race a verdict means nothing */
	if (r->flags & MM_DATA_RACE)
		return t->expects_race ? SCORE_AGREES : SCORE_RACE;
	if (t->expects_race)
		return is_complete(r) ? SCORE_STRONGER : SCORE_UNDECIDED;
	switch (t->expected) {
	case EXPECT_DEADLOCK:
		if (r->nstates || r->filtered)
			return SCORE_FORBIDDEN;
		return is_complete(r) ? SCORE_AGREES : SCORE_UNDECIDED;
	case EXPECT_NEVER:
		if (r->positive)
			return SCORE_FORBIDDEN;
		return is_complete(r) ? SCORE_AGREES : SCORE_UNDECIDED;
	case EXPECT_ALWAYS:
		if (r->negative)
			return SCORE_FORBIDDEN;
		if (!is_complete(r))
			return SCORE_UNDECIDED;
		return r->positive ? SCORE_AGREES : SCORE_STRONGER;
	default:
		if (r->positive && r->negative)
			return SCORE_AGREES;
		return is_complete(r) ? SCORE_STRONGER : SCORE_UNDECIDED;
	}
}

static const char *const score_texts[] = {
	[SCORE_AGREES] = "agrees", [SCORE_STRONGER] = "stronger: allowed, never seen",
	[SCORE_FORBIDDEN] = "FORBIDDEN OUTCOME SEEN", [SCORE_UNDECIDED] = "not decided: incomplete",
	[SCORE_RACE] = "not compared: there is a data race",
};
static const char *const expected_texts[] = {
	[EXPECT_NEVER] = "Never", [EXPECT_SOMETIMES] = "Sometimes", [EXPECT_ALWAYS] = "Always",
	[EXPECT_DEADLOCK] = "DEADLOCK",
};

/* --- as text --- */

static void print_witnesses(const struct litmus *t, const struct litmus_result *r)
{
	printf("%s\nWitnesses\nPositive: %" PRIu64 " Negative: %" PRIu64 "\n",
	       is_ok_open(t, r) ? "Unknown" : is_ok(t, r) ? "Ok" : "No",
	       r->positive, r->negative);
	for (size_t i = 0; i < NFLAGS; i++)
		if (r->flags & flag_names[i].flag)
			printf("Flag %s\n", flag_names[i].name);
	printf("Condition %s%s\n", quantifiers[t->quantifier], t->cond_text);
	printf("Observation %s %s %" PRIu64 " %" PRIu64 "\n", t->name, observation_text(r), r->positive, r->negative);
}

static void print_remarks(const struct litmus *t, const struct litmus_result *r, enum litmus_score s)
{
	if (r->bound)
		printf("Incomplete %s: cut by %s\n", t->name, r->bound);
	if (r->cut_loops)
		printf("Incomplete %s: loops were cut\n", t->name);
	if (!r->nstates && r->deadlocks && is_complete(r))
		printf("Deadlock %s: no execution comes to its end\n", t->name);
	if (score_texts[s])
		printf("Result %s: %s%s expected, %s\n", t->name, expected_texts[t->expected] ? expected_texts[t->expected] :
		       "nothing", t->expects_race ? " DATARACE" : "", score_texts[s]);
}

static void print_text(const struct litmus *t, const struct litmus_opts *o, const struct litmus_result *r,
		       enum litmus_score s)
{
	if (!o->quiet) {
		printf("Test %s %s\nStates %zu\n", t->name, kinds[t->quantifier], r->nstates);
		for (size_t i = 0; i < r->nstates; i++)
			printf("%-8" PRIu64 "%c>%s\n", r->states[i].count,
			       r->states[i].positive == (t->quantifier != QUANT_FORALL) ? '*' : ':', r->states[i].text);
		print_witnesses(t, r);
	} else {
		printf("Observation %s %s %" PRIu64 " %" PRIu64 "\n", t->name, observation_text(r), r->positive, r->negative);
	}
	print_remarks(t, r, s);
	if (!o->quiet)
		printf("Time %s %.2f\n\n", t->name, r->seconds);
	fflush(stdout);
}

/* --- as JSON --- */

/* The length of the UTF-8 sequence at s; 0: there is none. */
static size_t utf8_length(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 :
		   *p >= 0xf0 && *p < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* longer than they have to be, surrogates, beyond U+10FFFF */
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
	    (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void put_string(struct sbuf *b, const char *s)
{
	size_t n;

	sbuf_add(b, "\"");
	for (; *s; s += n ? n : 1) {
		n = utf8_length(s);
		if (*s == '"' || *s == '\\')
			sbuf_addf(b, "\\%c", *s);
		else if ((unsigned char)*s < 32)
			sbuf_addf(b, "\\u%04x", (unsigned char)*s);
		else if (n)
			sbuf_addn(b, s, n);
		else
			sbuf_add(b, "\\ufffd");	/* no character */
	}
	sbuf_add(b, "\"");
}

static const char *const score_names[SCORE_COUNT] = {
	[SCORE_NONE] = "none", [SCORE_AGREES] = "agrees", [SCORE_STRONGER] = "stronger",
	[SCORE_FORBIDDEN] = "forbidden", [SCORE_UNDECIDED] = "undecided", [SCORE_RACE] = "race",
	[SCORE_SKIPPED] = "skipped", [SCORE_BAD] = "bad",
};

static void print_json(const struct litmus *t, const struct litmus_opts *o, const struct litmus_result *r,
		       enum litmus_score s)
{
	struct sbuf b = { 0 };
	const char *sep = "";

	sbuf_addf(&b, "{\"type\":\"litmus\",\"file\":");
	put_string(&b, t->file);
	sbuf_addf(&b, ",\"test\":");
	put_string(&b, t->name);
	sbuf_addf(&b, ",\"model\":\"%s\",\"srcu\":\"%s\",\"observation\":\"%s\",\"complete\":%s,\"positive\":%" PRIu64
		    ",\"negative\":%" PRIu64 ",\"ok\":%s,\"score\":\"%s\",\"deadlock\":%s,\"seconds\":%.3f,\"flags\":[",
		    o->model, o->ideal ? "ideal" : "tree", observation(r), is_complete(r) ? "true" : "false",
		    r->positive, r->negative, is_ok_open(t, r) ? "null" : is_ok(t, r) ? "true" : "false", score_names[s],
		    !r->nstates && r->deadlocks ? "true" : "false", r->seconds);
	for (size_t i = 0; i < NFLAGS; i++)
		if (r->flags & flag_names[i].flag) {
			sbuf_addf(&b, "%s\"%s\"", sep, flag_names[i].name);
			sep = ",";
		}
	sbuf_addf(&b, "]");
	if (o->kernel) {
		sbuf_addf(&b, ",\"kernel\":");
		put_string(&b, o->kernel_version);
	}
	sbuf_addf(&b, ",\"states\":[");
	for (size_t i = 0; i < r->nstates; i++) {
		sbuf_addf(&b, "%s{\"state\":", i ? "," : "");
		put_string(&b, r->states[i].text);
		sbuf_addf(&b, ",\"count\":%" PRIu64 ",\"positive\":%s}", r->states[i].count,
			    r->states[i].positive ? "true" : "false");
	}
	sbuf_addf(&b, "]}");
	if (!sbuf_failed(&b))
		json_write(b.s, b.len);
	else
		complain("not enough memory to print this");
	sbuf_release(&b);
}

static enum litmus_score refused(const struct litmus *t, const char *error, bool skipped)
{
	struct sbuf b = { 0 };

	complain("%s%s", error, skipped ? " (skipped)" : "");
	if (json_active()) {
		sbuf_addf(&b, "{\"type\":\"litmus\",\"file\":");
		put_string(&b, t->file);
		sbuf_addf(&b, ",\"score\":\"%s\",\"message\":", score_names[skipped ? SCORE_SKIPPED : SCORE_BAD]);
		put_string(&b, error);
		sbuf_add(&b, "}");
		if (!sbuf_failed(&b))
			json_write(b.s, b.len);
		sbuf_release(&b);
	}
	return skipped ? SCORE_SKIPPED : SCORE_BAD;
}

/* What is wrong with a test's sections and grace periods shows with the ideal SRCU: the marks
 * of the real one are its own affair.  The weakest model shows most. */
static void add_flags(const struct litmus *t, const struct litmus_opts *o, struct litmus_result *r)
{
	struct litmus_opts ideal = *o;
	struct litmus_result more;

	if (o->ideal || !t->uses_srcu)
		return;
	ideal.ideal = true;
	ideal.model = "weak";
	if (litmus_run(t, &ideal, &more))
		r->flags |= more.flags;
	litmus_result_release(&more);
}

void litmus_header(void)
{
	static const char text[] = "{\"srcush\":\"" PACKAGE_VERSION "\",\"format\":1,\"type\":\"header\",\"command\":\"litmus\"}";

	if (json_active())
		json_write(text, sizeof(text) - 1);
}

void litmus_summary(const size_t counts[SCORE_COUNT])
{
	static const struct { enum litmus_score score; const char *text; } parts[] = {
		{ SCORE_AGREES, "agreed" }, { SCORE_STRONGER, "stronger" }, { SCORE_FORBIDDEN, "forbidden" },
		{ SCORE_UNDECIDED, "undecided" }, { SCORE_RACE, "not compared" }, { SCORE_NONE, "nothing expected" },
		{ SCORE_SKIPPED, "skipped" }, { SCORE_BAD, "malformed" },
	};
	struct sbuf b = { 0 };

	sbuf_add(&b, json_active() ? "{\"type\":\"summary\"" : "Summary");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (json_active())
			sbuf_addf(&b, ",\"%s\":%zu", score_names[parts[i].score], counts[parts[i].score]);
		else
			sbuf_addf(&b, "%s %s %zu", i ? "," : ":", parts[i].text, counts[parts[i].score]);
	if (json_active())
		sbuf_add(&b, "}");
	if (sbuf_failed(&b))
		complain("not enough memory to print this");
	else if (json_active())
		json_write(b.s, b.len);
	else
		printf("%s\n", b.s);
	sbuf_release(&b);
}

enum litmus_score litmus_file(const char *file, const struct litmus_opts *o, bool (*interrupted)(void *), bool *cut)
{
	struct litmus t;
	struct litmus_result r = { 0 };
	enum litmus_score s;

	litmus_interrupted = interrupted;
	if (!litmus_read(&t, file)) {
		s = refused(&t, t.error, t.skipped);
	} else if (!litmus_run(&t, o, &r)) {
		s = refused(&t, r.error, r.skipped);
	} else {
		add_flags(&t, o, &r);
		s = score(&t, &r);
		*cut |= !is_complete(&r);
		if (json_active())
			print_json(&t, o, &r, s);
		else
			print_text(&t, o, &r, s);
	}
	litmus_result_release(&r);
	litmus_release(&t);
	return s;
}
