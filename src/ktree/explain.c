/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One sentence out of what a compiler says when it does not succeed: its first error, and
 * where that is a name that nobody knows, that srcush may be what lacks it.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ktree/build.h"

#define MAX_LINE 400
#define MAX_NAMES 5	/* of missing symbols */

/* A line of its output, without what is in `hidden`, which is a directory of ours. */
static char *clean_line(const char *p, const char *hidden)
{
	size_t n = strcspn(p, "\r\n"), skip = hidden ? strlen(hidden) : 0;
	char *s = malloc(n + 1), *o = s;

	if (!s)
		return NULL;
	for (const char *end = p + n; p < end && o - s < MAX_LINE;) {
		if (skip && (size_t)(end - p) > skip && !strncmp(p, hidden, skip) && p[skip] == '/') {
			p += skip + 1;
		} else if (!strncmp(p, "\xe2\x80\x98", 3) || !strncmp(p, "\xe2\x80\x99", 3)) {
			*o++ = '\'';	/* a quote, in UTF-8 */
			p += 3;
		} else {
			*o++ = iscntrl((unsigned char)*p) ? ' ' : *p;
			p++;
		}
	}
	*o = '\0';
	return s;
}

/* "file:12:3: error: x" without the column; "fatal error" is an error. */
static void shorten(char *s)
{
	char *error = strstr(s, ": error: "), *fatal = strstr(s, ": fatal error: "), *p;

	if (fatal && (!error || fatal < error)) {
		memmove(fatal + 2, fatal + 8, strlen(fatal + 8) + 1);
		error = fatal;
	}
	if (!error)
		return;
	for (p = error; p > s && isdigit((unsigned char)p[-1]); p--)
		;
	if (p == error || p == s || p[-1] != ':' || p - 1 == s || !isdigit((unsigned char)p[-2]))
		return;
	memmove(p - 1, error, strlen(error) + 1);
}

/* The name behind `phrase`, within quotes of any kind or none. */
static char *name_after(const char *line, const char *phrase)
{
	const char *p = strstr(line, phrase), *end;

	if (!p)
		return NULL;
	for (p += strlen(phrase); *p && strchr(" '`\"", *p); p++)
		;
	for (end = p; isalnum((unsigned char)*end) || *end == '_'; end++)
		;
	return end == p ? NULL : strndup(p, (size_t)(end - p));
}

/* The name before `phrase`: "'x' undeclared". */
static char *name_before(const char *line, const char *phrase)
{
	const char *p = strstr(line, phrase), *end = p;

	if (!p)
		return NULL;
	for (; p > line && (isalnum((unsigned char)p[-1]) || p[-1] == '_'); p--)
		;
	return end == p ? NULL : strndup(p, (size_t)(end - p));
}

/* What nobody declared, as gcc or clang say it; NULL: it is another kind of error. */
static char *missing_name(const char *line)
{
	static const char *const after[] = {
		"implicit declaration of function", "call to undeclared function",
		"call to undeclared library function", "use of undeclared identifier",
		"unknown type name", "undefined type 'struct", "incomplete type 'struct",
		"undefined type 'union", "incomplete type 'union",
	};
	char *name = NULL;

	for (size_t i = 0; !name && i < sizeof(after) / sizeof(*after); i++)
		name = name_after(line, after[i]);
	return name ? name : name_before(line, "' undeclared");
}

static const char *next_line(const char *p)
{
	p = strchr(p, '\n');
	return p && p[1] ? p + 1 : NULL;
}

static const char *find_line(const char *out, const char *a, const char *b)
{
	for (const char *p = out; p; p = next_line(p)) {
		const char *end = p + strcspn(p, "\n");
		const char *x = strstr(p, a), *y = b ? strstr(p, b) : NULL;

		if ((x && x < end) || (y && y < end))
			return p;
	}
	return NULL;
}

/* The symbols that the linker found nowhere, in its order, each once. */
static bool missing_symbols(const char *out, struct ktree_strings *names)
{
	char *why = NULL;

	for (const char *p = out; p && names->n < MAX_NAMES; p = next_line(p)) {
		char *line = clean_line(p, NULL), *name = NULL;

		if (line)
			name = name_after(line, "undefined reference to");
		if (line && !name)
			name = name_after(line, "undefined symbol:");
		if (name && !ktree_strings_have(names, name))
			ktree_strings_add(names, name, &why);
		free(name);
		free(line);
	}
	free(why);
	return names->n != 0;
}

static bool explain_link(const char *out, const char *what, char **why)
{
	struct ktree_strings names = {0};
	char *all = NULL;

	if (!missing_symbols(out, &names)) {
		ktree_strings_free(&names);
		return false;
	}
	for (size_t i = 0; i < names.n; i++) {
		char *more = ktree_print(why, "%s%s%s", all ? all : "", all ? ", " : "", names.s[i]);

		free(all);
		all = more;
	}
	ktree_fail(why, "%s does not link; a primitive is missing in srcush, or a file of the tree is "
		   "needed that it does not compile: %s", what, all ? all : "");
	free(all);
	ktree_strings_free(&names);
	return true;
}

static bool explain_output(const struct ktree_run *r, const struct ktree_cc *cc, const char *what,
			   const char *work, char **why)
{
	const char *p = find_line(r->out, ": error:", "fatal error:");
	char *line, *name;

	if (explain_link(r->out, what, why))
		return false;
	if (!p)
		p = find_line(r->out, "rror: ", "rror:");
	if (!p)
		p = r->out + strspn(r->out, "\r\n");
	line = clean_line(p, work);
	if (!line)
		return ktree_fail(why, "out of memory");
	if (!*line) {
		free(line);
		return ktree_fail(why, "%s does not compile: the C compiler '%s' failed (status %d) "
				  "without a word", what, cc->shown, r->code);
	}
	shorten(line);
	name = missing_name(line);
	if (name)
		ktree_fail(why, "%s does not compile: %s (a primitive is missing in srcush: %s; unless it "
			   "is misspelt)", what, line, name);
	else
		ktree_fail(why, "%s does not compile: %s", what, line);
	free(name);
	free(line);
	return false;
}

bool ktree_explain(const struct ktree_run *r, const struct ktree_cc *cc, const char *what,
		   const char *work, char **why)
{
	switch (r->end) {
	case KTREE_NOT_RUN:
		return ktree_fail(why, "the C compiler '%s' cannot be run: %s", cc->shown,
				  strerror(r->code));
	case KTREE_KILLED:
		return ktree_fail(why, "the C compiler '%s' was ended by signal %d (%s)", cc->shown,
				  r->code, strsignal(r->code));
	case KTREE_TIMEOUT:
		return ktree_fail(why, "the C compiler '%s' took more than %u seconds and was ended",
				  cc->shown, ktree_time_limit);
	case KTREE_INTERRUPTED:
		return ktree_fail(why, "interrupted");
	case KTREE_EXITED:
		break;
	}
	if (r->code == 127 && !what)
		return ktree_fail(why, "the C compiler '%s' cannot be run", cc->shown);
	if (!what)
		return ktree_fail(why, "'%s' is no C compiler that is known here: gcc or clang is needed "
				  "(it failed with status %d when asked what it is)", cc->shown, r->code);
	return explain_output(r, cc, what, work, why);
}
