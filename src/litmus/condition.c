/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a litmus test asks: locations, filter, and exists, ~exists or forall with a
 * proposition over final states.
 */
#include <config.h>

#include "litmus/litmus.h"
#include "repl/status.h"

#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 200
#define ATOMS_MAX 10000

static struct cond *implication(struct litmus *t);

static struct cond *new_cond(struct litmus *t, enum cond_kind kind, struct cond *a, struct cond *b)
{
	struct cond *c = litmus_alloc(t, sizeof(*c));

	c->kind = (uint8_t)kind;
	c->a = a;
	c->b = b;
	return c;
}

/* --- places --- */

static struct place local_place(struct litmus *t)
{
	const struct token *k = peek_token(t);
	struct place where = { .proc = (int)k->number };
	const char *name;
	int i = -1;

	t->at++;
	expect_token(t, ":", "behind the number of the process");
	if (k->number < 0 || (size_t)k->number >= t->nprocs)
		litmus_fail(t, k->line, k->column, "there is no P%lld", (long long)k->number);
	k = peek_token(t);
	name = expect_name(t, "the name of a local variable");
	for (size_t l = 0; l < t->procs[where.proc].nlocals; l++)
		if (!strcmp(t->procs[where.proc].locals[l].name, name) &&
		    (i < 0 || !t->procs[where.proc].locals[l].hidden))
			i = (int)l;
	if (i < 0) {
		complain("%s:%d:%d: warning: P%d never uses '%s', which is 0", t->file, k->line, k->column, where.proc, name);
		i = (int)add_local(t, &t->procs[where.proc], name, (struct type){ .base = BT_LONG });
	}
	where.index = (unsigned)i;
	return where;
}

static struct place global_place(struct litmus *t)
{
	bool bracket = accept_token(t, "[");
	struct place where = { .proc = -1 };
	struct token *k;
	const char *name;
	int i;

	/* x, *x, [x] */
	accept_token(t, "*");
	k = &t->tokens.v[t->at];
	name = expect_name(t, "a local (0:r1) or shared variable");
	i = find_global(t, name);
	if (i < 0)
		litmus_fail(t, k->line, k->column, "there is no shared variable '%s'", name);
	where.index = (unsigned)i;
	if (accept_token(t, "[")) {
		int64_t n = expect_number(t);

		if (n < 0 || n >= (int64_t)t->globals[i].elements)
			litmus_fail(t, k->line, k->column, "'%s' has %u element%s", name, t->globals[i].elements,
				    t->globals[i].elements == 1 ? "" : "s");
		where.element = (unsigned)n;
		expect_token(t, "]", "behind the index");
	} else {
		k->variable = !bracket;
	}
	if (bracket)
		expect_token(t, "]", "behind the name");
	return where;
}

static struct place a_place(struct litmus *t)
{
	return peek_token(t)->kind == TOK_NUMBER ? local_place(t) : global_place(t);
}

static const char *place_name(const struct litmus *t, const struct place *p)
{
	return p->proc < 0 ? t->globals[p->index].name : t->procs[p->proc].locals[p->index].name;
}

static int compare(const struct litmus *t, const struct place *a, const struct place *b)
{
	int byname;

	if ((a->proc < 0) != (b->proc < 0))
		return a->proc < 0 ? 1 : -1;
	if (a->proc != b->proc)
		return a->proc < b->proc ? -1 : 1;
	byname = strcmp(place_name(t, a), place_name(t, b));
	if (byname)
		return byname;
	return a->element < b->element ? -1 : a->element > b->element;
}

void show_place(struct litmus *t, struct place where)
{
	size_t i = 0;

	while (i < t->nshown && compare(t, &t->shown[i], &where) < 0)
		i++;
	if (i < t->nshown && !compare(t, &t->shown[i], &where))
		return;
	t->shown = litmus_grow(t, t->shown, &t->shown_cap, t->nshown + 1, sizeof(*t->shown));
	memmove(t->shown + i + 1, t->shown + i, (t->nshown - i) * sizeof(*t->shown));
	t->shown[i] = where;
	t->nshown++;
}

/* --- propositions --- */

/* Is what follows "0:r1" rather than "0"? */
static bool local_follows(struct litmus *t)
{
	return peek_token(t)->kind == TOK_NUMBER && token_is(peek_second(t), ":");
}

static void right_side(struct litmus *t, struct cond *c)
{
	const struct token *k = peek_token(t);
	size_t name;

	if (local_follows(t)) {
		c->right_is_place = true;
		c->right = local_place(t);
	} else if (k->kind == TOK_NUMBER || token_is(k, "-")) {
		c->number = expect_number(t);
	} else if (accept_token(t, "NULL")) {
		c->number = 0;
	} else if (token_is(k, "[") || accept_token(t, "*")) {
		c->right_is_place = true;
		c->right = global_place(t);
	} else {
		/* a name stands for the address, as in the initial values */
		accept_token(t, "&");
		c->right_is_address = true;
		name = t->at;
		c->right = global_place(t);
		t->tokens.v[name].variable = false;
	}
}

static struct cond *atom(struct litmus *t)
{
	const struct token *k = peek_token(t);
	struct cond *c;

	if (++t->links > ATOMS_MAX)
		litmus_fail(t, k->line, k->column, "the condition compares more than %d times", ATOMS_MAX);
	if (accept_token(t, "true"))
		return new_cond(t, CO_TRUE, NULL, NULL);
	if (accept_token(t, "false"))
		return new_cond(t, CO_NOT, new_cond(t, CO_TRUE, NULL, NULL), NULL);
	if (peek_token(t)->kind == TOK_NUMBER && !local_follows(t))
		expected(t, "a comparison such as '0:r1=1' or 'x=1'");
	c = new_cond(t, CO_EQ, NULL, NULL);
	c->left = a_place(t);
	if (!t->in_cond)
		show_place(t, c->left);
	if (accept_token(t, "!=") || accept_token(t, "<>"))
		c->kind = CO_NE;
	else if (!accept_token(t, "=") && !accept_token(t, "=="))
		expected(t, "'=' or '!='");
	right_side(t, c);
	if (c->right_is_place && !t->in_cond)
		show_place(t, c->right);
	return c;
}

static struct cond *negation(struct litmus *t)
{
	const struct token *k = peek_token(t);
	struct cond *c;

	if (t->depth > NESTING_MAX)
		litmus_fail(t, k->line, k->column, "the condition nests more than %d deep", NESTING_MAX);
	t->depth++;
	if (accept_token(t, "~") || accept_token(t, "not")) {
		c = new_cond(t, CO_NOT, negation(t), NULL);
	} else if (accept_token(t, "(")) {
		c = implication(t);
		expect_token(t, ")", "in the condition");
	} else {
		c = atom(t);
	}
	t->depth--;
	return c;
}

static struct cond *conjunction(struct litmus *t)
{
	struct cond *c = negation(t);

	while (accept_token(t, "/\\") || accept_token(t, "&&"))
		c = new_cond(t, CO_AND, c, negation(t));
	return c;
}

static struct cond *disjunction(struct litmus *t)
{
	struct cond *c = conjunction(t);

	while (accept_token(t, "\\/") || accept_token(t, "||"))
		c = new_cond(t, CO_OR, c, conjunction(t));
	return c;
}

static struct cond *implication(struct litmus *t)
{
	struct cond *c = disjunction(t);

	if (accept_token(t, "=>"))
		c = new_cond(t, CO_IMPLIES, c, implication(t));
	return c;
}

bool cond_holds(const struct cond *c, const struct cond_env *env)
{
	int64_t right;

	switch (c->kind) {
	case CO_TRUE:
		return true;
	case CO_AND:
		return cond_holds(c->a, env) && cond_holds(c->b, env);
	case CO_OR:
		return cond_holds(c->a, env) || cond_holds(c->b, env);
	case CO_NOT:
		return !cond_holds(c->a, env);
	case CO_IMPLIES:
		return !cond_holds(c->a, env) || cond_holds(c->b, env);
	default:
		right = c->right_is_place ? env->value(env->arg, c->right) :
			c->right_is_address ? env->address(env->arg, c->right) : c->number;
		return (env->value(env->arg, c->left) == right) == (c->kind == CO_EQ);
	}
}

/* --- the end of a test --- */

static void locations(struct litmus *t)
{
	expect_token(t, "[", "behind locations");
	while (!accept_token(t, "]")) {
		struct type type;

		if (parse_type(t, &type))
			continue;
		show_place(t, a_place(t));
		if (!accept_token(t, ";") && !token_is(peek_token(t), "]"))
			expected(t, "';' or ']' behind a location");
	}
}

/* The words from one token to another, as they are printed. */
static const char *text_of(struct litmus *t, size_t from, size_t to)
{
	size_t len = 1;
	char *text, *p;

	for (size_t i = from; i < to; i++)
		len += strlen(t->tokens.v[i].text) + 3;
	text = p = litmus_alloc(t, len);
	for (size_t i = from; i < to; i++) {
		const struct token *k = &t->tokens.v[i];
		bool spaced = token_is(k, "/\\") || token_is(k, "\\/") || token_is(k, "=>");

		p += sprintf(p, "%s%s%s%s%s", spaced ? " " : "", k->variable ? "[" : "", k->text, k->variable ? "]" : "",
			     spaced || token_is(k, "not") ? " " : "");
	}
	return text;
}

static void question(struct litmus *t)
{
	size_t from;

	if (peek_token(t)->kind == TOK_END) {
		t->cond = new_cond(t, CO_TRUE, NULL, NULL);
		t->cond_text = "(true)";
		return;
	}
	if (accept_token(t, "forall")) {
		t->quantifier = QUANT_FORALL;
	} else if (accept_token(t, "~")) {
		expect_token(t, "exists", "behind '~'");
		t->quantifier = QUANT_NOT_EXISTS;
	} else if (accept_token(t, "exists")) {
		t->quantifier = QUANT_EXISTS;
	} else {
		expected(t, "'exists', '~exists' or 'forall' (or 'locations', 'filter' before that)");
	}
	from = t->at;
	t->cond = implication(t);
	t->cond_text = text_of(t, from, t->at);
	if (peek_token(t)->kind != TOK_END)
		expected(t, "the end of the file");
}

void parse_conditions(struct litmus *t)
{
	t->depth = t->links = 0;
	for (;;) {
		if (accept_token(t, "locations")) {
			locations(t);
		} else if (accept_token(t, "filter")) {
			t->in_cond = true;	/* what it reads is not part of the states */
			t->filter = implication(t);
			t->in_cond = false;
		} else {
			break;
		}
	}
	question(t);
}
