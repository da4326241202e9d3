/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the candidates of the adaptor (shim/candidates.txt says what they are) this
 * tree knows: all are compiled at once, a line each, those with errors are dropped, and
 * the adaptor's header is written of what is left.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktree/build.h"
#include "ktree/embedded.h"

#define CANDIDATES "candidates.txt"
#define FIRST_LINE 2		/* of the probe: the first has the #include */
#define MAX_ROUNDS 8		/* errors that show only when others are gone: two at most */

struct form {
	char *name, *text;
	bool list;
};
struct candidate {
	size_t form;
	char *name, *what;
	bool dropped;
};
struct table {
	struct form *form;
	struct candidate *cand;
	size_t nforms, ncands;
	char **why;
};

static void table_free(struct table *t)
{
	for (size_t i = 0; i < t->nforms; i++) {
		free(t->form[i].name);
		free(t->form[i].text);
	}
	for (size_t i = 0; i < t->ncands; i++) {
		free(t->cand[i].name);
		free(t->cand[i].what);
	}
	free(t->form);
	free(t->cand);
}

/* The next word of the line at *p, which ends with a blank or `stop`; NULL: there is none. */
static char *word(const char **p, char stop)
{
	const char *from = *p + strspn(*p, " \t"), *to = from;

	while (*to && *to != '\n' && *to != ' ' && *to != '\t' && *to != stop)
		to++;
	*p = to;
	return to == from ? NULL : strndup(from, (size_t)(to - from));
}

static char *rest(const char *p)
{
	p += strspn(p, " \t");
	return strndup(p, strcspn(p, "\n"));
}

static bool add_form(struct table *t, const char *p, bool list)
{
	struct form *f = realloc(t->form, (t->nforms + 1) * sizeof(*f));

	if (!f)
		return false;
	t->form = f;
	f += t->nforms;
	*f = (struct form){ .list = list, .name = word(&p, ' ') };
	f->text = rest(p);
	t->nforms++;
	return f->name && f->text && strstr(f->text, "$F");
}

/* FORM NAME: WHAT */
static bool add_candidate(struct table *t, const char *p)
{
	struct candidate *c = realloc(t->cand, (t->ncands + 1) * sizeof(*c));
	char *form;

	if (!c)
		return false;
	t->cand = c;
	c += t->ncands++;
	*c = (struct candidate){0};
	form = word(&p, ' ');
	for (c->form = 0; form && c->form < t->nforms; c->form++)
		if (!strcmp(t->form[c->form].name, form))
			break;
	free(form);
	c->name = word(&p, ':');
	c->what = *p == ':' ? rest(p + 1) : NULL;
	return c->form < t->nforms && c->name && c->what && *c->what;
}

static bool parse_line(struct table *t, const char *p)
{
	p += strspn(p, " \t");
	if (*p == '#' || *p == '\n' || !*p)
		return true;
	if (!strncmp(p, "form ", 5))
		return add_form(t, p + 5, false);
	if (!strncmp(p, "list ", 5))
		return add_form(t, p + 5, true);
	return add_candidate(t, p);
}

static const char *embedded_text(const char *name)
{
	for (const struct ktree_embedded *e = ktree_embedded; e->name; e++)
		if (!strcmp(e->name, name))
			return e->data;
	return NULL;
}

static bool parse(struct table *t)
{
	const char *text = embedded_text(CANDIDATES);
	unsigned line = 1;

	if (!text)
		return ktree_fail(t->why, "%s is missing in srcush", CANDIDATES);
	for (const char *p = text; *p; line++) {
		if (!parse_line(t, p))
			return ktree_fail(t->why, "%s:%u: no form, list or candidate", CANDIDATES, line);
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return true;
}

/* TEXT with $F and $X replaced. */
static void put_text(FILE *f, const char *text, const char *function, const char *what)
{
	for (const char *p = text; *p; p++) {
		if (p[0] == '$' && (p[1] == 'F' || p[1] == 'X'))
			fputs(*++p == 'F' ? function : what, f);
		else
			putc(*p, f);
	}
	putc('\n', f);
}

/* Lines of those that are dropped stay, empty, so that numbers mean the same. */
static bool write_probe(struct table *t, const char *path)
{
	FILE *f = fopen(path, "we");
	char name[48];

	if (!f)
		return false;
	fputs("#include \"tree.h\"\n", f);
	for (size_t i = 0; i < t->ncands; i++) {
		const struct candidate *c = &t->cand[i];

		snprintf(name, sizeof(name), "ktree_probe_%zu", i);
		if (c->dropped)
			putc('\n', f);
		else
			put_text(f, t->form[c->form].text, name, c->what);
	}
	return !(ferror(f) | fclose(f));
}

/* How many are dropped because of an error that stands in their line. */
static size_t drop(struct table *t, const char *out, const char *path)
{
	size_t n = 0, len = strlen(path);

	for (const char *p = out; (p = strstr(p, path)); p += len) {
		unsigned long line, at;
		const char *eol = p + strcspn(p, "\n"), *error;
		char *end;

		if (p[len] != ':' || !isdigit((unsigned char)p[len + 1]))
			continue;
		line = strtoul(p + len + 1, &end, 10);
		error = strstr(end, "error:");
		at = line - FIRST_LINE;
		if (!error || error > eol || line < FIRST_LINE || at >= t->ncands ||
		    t->cand[at].dropped)
			continue;
		t->cand[at].dropped = true;
		n++;
	}
	return n;
}

static bool probe_argv(const struct ktree_probe *p, const char *path, struct ktree_strings *argv,
		       char **why)
{
	const struct ktree_strings *words = &p->cc->words;
	bool ok = true;

	for (size_t i = 0; ok && i < words->n; i++)
		ok = ktree_strings_add(argv, words->s[i], why);
	for (size_t i = 0; ok && i < p->flags->n; i++)
		ok = ktree_strings_add(argv, p->flags->s[i], why);
	return ok && ktree_strings_add(argv, "-fsyntax-only", why) &&
	       ktree_strings_add(argv, p->cc->clang ? "-ferror-limit=0" : "-ftrack-macro-expansion=0",
				 why) &&
	       ktree_strings_add(argv, path, why);
}

/* Once: *again where there were errors, and lines to drop for them. */
static bool probe_once(struct table *t, const struct ktree_probe *p, const char *path, bool *again)
{
	struct ktree_strings argv = {0};
	struct ktree_run r = {0};
	char *what;
	bool ok;

	*again = false;
	if (!write_probe(t, path))
		return ktree_fail(t->why, "cannot write '%s': %s", path, strerror(errno));
	ok = probe_argv(p, path, &argv, t->why);
	r.argv = argv.s;
	ok = ok && ktree_run(&r, 1, p->dir, p->work, t->why);
	if (ok && (r.end != KTREE_EXITED || r.code)) {
		*again = r.end == KTREE_EXITED && drop(t, r.out, path);
		what = *again ? NULL : ktree_print(t->why, "'%s'", p->dir);
		if (!*again)
			ok = what && ktree_explain(&r, p->cc, what, p->work, t->why);
		free(what);
	}
	ktree_run_free(&r, 1);
	ktree_strings_free(&argv);
	return ok;
}

/* Is it the first of its name that is left? */
static bool is_first(const struct table *t, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (!t->cand[j].dropped && t->cand[j].form == t->cand[i].form &&
		    !strcmp(t->cand[j].name, t->cand[i].name))
			return false;
	return !t->cand[i].dropped;
}

static void put_list(const struct table *t, FILE *f, size_t form)
{
	fprintf(f, "#define KTREE_LIST_%s(E)", t->form[form].name);
	for (size_t i = 0; i < t->ncands; i++)
		if (t->cand[i].form == form && is_first(t, i))
			fprintf(f, " E(\"%s\", %s)", t->cand[i].name, t->cand[i].what);
	putc('\n', f);
}

static void put_form(const struct table *t, FILE *f, size_t form)
{
	for (size_t i = 0; i < t->ncands; i++) {
		const struct candidate *c = &t->cand[i];
		char name[128];

		if (c->form != form || !is_first(t, i))
			continue;
		fprintf(f, "#define KTREE_HAS_%s 1\n", c->name);
		snprintf(name, sizeof(name), "ktree_%s", c->name);
		put_text(f, t->form[form].text, name, c->what);
	}
}

static bool write_adaptor(const struct table *t, const struct ktree_probe *p)
{
	char *path = ktree_print(t->why, "%s/include/adaptor.h", p->work);
	FILE *f;
	bool ok;

	if (!path)
		return false;
	f = fopen(path, "we");
	for (size_t i = 0; f && i < t->nforms; i++)
		if (t->form[i].list)
			put_list(t, f, i);
		else
			put_form(t, f, i);
	ok = f && !(ferror(f) | fclose(f));
	if (!ok)
		ktree_fail(t->why, "cannot write '%s': %s", path, strerror(errno));
	free(path);
	return ok;
}

bool ktree_probe(const struct ktree_probe *p, char **why)
{
	char *path = ktree_print(why, "%s/probe.c", p->work);
	struct table t = { .why = why };
	bool again = true, ok = path && parse(&t);

	for (int i = 0; ok && again && i < MAX_ROUNDS; i++)
		ok = probe_once(&t, p, path, &again);
	if (ok && again)
		ok = ktree_fail(why, "it cannot be found out what the tree has");
	ok = ok && write_adaptor(&t, p);
	table_free(&t);
	free(path);
	return ok;
}
