/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tokens of a litmus test.  Two languages meet in one file: outside the bodies of
 * processes a comment is between (* and *), inside them it is C's, and there "(*x)" is an
 * expression.
 */
#include <config.h>

#include "litmus/litmus.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lexer {
	struct litmus *t;
	const char *p;
	const char *line_start;
	int line;
	int braces;
	bool init_seen, in_body;	/* the first pair of braces holds the initial values */
};

static int column_of(const struct lexer *l) { return (int)(l->p - l->line_start) + 1; }

static void advance(struct lexer *l, size_t n)
{
	for (; n && *l->p; n--, l->p++)
		if (*l->p == '\n') {
			l->line++;
			l->line_start = l->p + 1;
		}
}

/* "Result: Never" in a comment says what is expected. */
static void note_result(struct litmus *t, const char *from, const char *to)
{
	static const struct { const char *word; enum expected expected; } words[] = {
		{ "Never", EXPECT_NEVER }, { "Sometimes", EXPECT_SOMETIMES }, { "Always", EXPECT_ALWAYS },
		{ "DEADLOCK", EXPECT_DEADLOCK },
	};

	for (; from + 7 < to && t->expected == EXPECT_NOTHING; from++) {
		const char *end = memchr(from, '\n', (size_t)(to - from));

		if (strncmp(from, "Result:", 7) || (from > t->text && isalnum((unsigned char)from[-1])))
			continue;
		end = end ? end : to;
		from += 7 + strspn(from + 7, " \t*");
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (!strncmp(from, words[i].word, strlen(words[i].word)))
				t->expected = words[i].expected;
		for (; from + 8 <= end; from++)
			t->expects_race |= !strncmp(from, "DATARACE", 8);
		return;
	}
}

/* A comment that ends with `end`, nested ones included where `nests`. */
static void comment(struct lexer *l, const char *begin, const char *end, bool nests)
{
	const char *from = l->p;
	int line = l->line, column = column_of(l), depth = 1;

	advance(l, 2);
	while (depth && *l->p) {
		if (!strncmp(l->p, end, 2)) {
			depth--;
			advance(l, 2);
		} else if (nests && !strncmp(l->p, begin, 2)) {
			depth++;
			advance(l, 2);
		} else {
			advance(l, 1);
		}
	}
	if (depth)
		litmus_fail(l->t, line, column, "the comment that begins here has no end ('%s')", end);
	note_result(l->t, from, l->p);
}

static bool skip_space(struct lexer *l)
{
	if (isspace((unsigned char)*l->p)) {
		advance(l, 1);
		return true;
	}
	if (!strncmp(l->p, "/*", 2)) {
		comment(l, "/*", "*/", false);
		return true;
	}
	if (!strncmp(l->p, "//", 2)) {
		advance(l, strcspn(l->p, "\n"));
		return true;
	}
	if (!strncmp(l->p, "(*", 2) && !l->in_body) {
		comment(l, "(*", "*)", true);
		return true;
	}
	return false;
}

static struct token *add(struct lexer *l, enum tok_kind kind, size_t len)
{
	struct litmus *t = l->t;
	struct token *k;
	char *text = litmus_alloc(t, len + 1);

	memcpy(text, l->p, len);
	t->tokens.v = litmus_grow(t, t->tokens.v, &t->tokens.cap, t->tokens.n + 1, sizeof(*t->tokens.v));
	k = &t->tokens.v[t->tokens.n++];
	*k = (struct token){ .kind = (uint8_t)kind, .line = l->line, .column = column_of(l), .text = text };
	advance(l, len);
	return k;
}

static void number(struct lexer *l)
{
	int line = l->line, column = column_of(l);
	char *end;
	struct token *k;
	unsigned long long v;

	errno = 0;
	v = strtoull(l->p, &end, 0);
	if (errno)
		litmus_fail(l->t, line, column, "the number is too large");
	end += strspn(end, "uUlL");
	if (isalnum((unsigned char)*end) || *end == '_' || *end == '.')
		litmus_fail(l->t, line, column, "malformed number");
	k = add(l, TOK_NUMBER, (size_t)(end - l->p));
	k->number = (int64_t)v;
}

static size_t punct_length(const char *p)
{
	static const char *const long_ones[] = {
		"<<=", ">>=", "/\\", "\\/", "=>", "==", "!=", "<>", "<=", ">=", "<<", ">>", "&&", "||", "++", "--",
		"+=", "-=", "*=", "%=", "&=", "|=", "^=", "->", "/=",
	};

	for (size_t i = 0; i < sizeof(long_ones) / sizeof(*long_ones); i++)
		if (!strncmp(p, long_ones[i], strlen(long_ones[i])))
			return strlen(long_ones[i]);
	return 1;
}

static void punct(struct lexer *l)
{
	int line = l->line, column = column_of(l);
	char c = *l->p;

	if (!strchr("(){}[];:,=+-*/%&|^~!<>?.\\\"", c)) {
		if (isprint((unsigned char)c))
			litmus_fail(l->t, line, column, "unexpected character '%c'", c);
		litmus_fail(l->t, line, column, "unexpected byte 0x%02x", (unsigned char)c);
	}
	add(l, TOK_PUNCT, punct_length(l->p));
	if (c == '{') {
		if (!l->braces++)
			l->in_body = l->init_seen;
	} else if (c == '}' && l->braces && !--l->braces) {
		l->init_seen = true;
		l->in_body = false;
	}
}

/* The word of the first line, whatever it is made of. */
static void test_name(struct lexer *l)
{
	if (!strncmp(l->p, "\xef\xbb\xbf", 3))	/* a byte order mark */
		l->line_start = l->p += 3;
	while (skip_space(l))
		;
	if (*l->p != 'C' || !isspace((unsigned char)l->p[1]))
		litmus_fail(l->t, l->line, column_of(l), "a litmus test in C begins with 'C NAME'");
	advance(l, 1);
	l->p += strspn(l->p, " \t");
	if (!*l->p || isspace((unsigned char)*l->p))
		litmus_fail(l->t, l->line, column_of(l), "the name of the test is expected behind 'C'");
	add(l, TOK_NAME, strcspn(l->p, " \t\r\n"));
}

/* "Cycle=...", "Orig=...": what the test was made from, before the initial values. */
static bool info_line(struct lexer *l)
{
	size_t len = 0;

	if (l->init_seen || l->braces)
		return false;
	while (isalpha((unsigned char)l->p[len]))
		len++;
	if (!len || l->p[len] != '=')
		return false;
	advance(l, strcspn(l->p, "\n"));
	return true;
}

static void quoted(struct lexer *l)
{
	size_t len = strcspn(l->p + 1, "\"");

	if (!l->p[1 + len])
		litmus_fail(l->t, l->line, column_of(l), "the string that begins here has no end");
	advance(l, len + 2);	/* a description: of no use here */
}

void lex(struct litmus *t)
{
	struct lexer l = { .t = t, .p = t->text, .line_start = t->text, .line = 1 };

	test_name(&l);
	while (*l.p) {
		size_t len = 0;

		if (skip_space(&l) || info_line(&l))
			continue;
		while (isalnum((unsigned char)l.p[len]) || l.p[len] == '_')
			len++;
		if (isdigit((unsigned char)*l.p))
			number(&l);
		else if (len)
			add(&l, TOK_NAME, len);
		else if (*l.p == '"')
			quoted(&l);
		else
			punct(&l);
	}
	add(&l, TOK_END, 0);
}
