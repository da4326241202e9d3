/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing string.  Running out of memory is remembered in the string itself,
 * so that whoever builds a text checks once, at its end.
 */
#include <config.h>

#include "view/paint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SBUF_FAILED SIZE_MAX	/* as `cap`: memory ran out */

bool sbuf_failed(const struct sbuf *b)
{
	return b->cap == SBUF_FAILED;
}

void sbuf_fail(struct sbuf *b)
{
	free(b->s);
	b->s = NULL;
	b->len = 0;
	b->cap = SBUF_FAILED;
}

/* Makes room for n more bytes and the terminating NUL. */
static bool sbuf_reserve(struct sbuf *b, size_t n)
{
	size_t cap = b->cap;
	char *s;

	if (sbuf_failed(b))
		return false;
	if (n >= SIZE_MAX / 4 - b->len) {
		sbuf_fail(b);
		return false;
	}
	if (b->len + n + 1 <= cap)
		return true;
	while (cap < b->len + n + 1)
		cap = cap ? 2 * cap : 128;
	s = realloc(b->s, cap);
	if (!s) {
		sbuf_fail(b);
		return false;
	}
	b->s = s;
	b->cap = cap;
	return true;
}

void sbuf_addn(struct sbuf *b, const char *s, size_t n)
{
	if (!sbuf_reserve(b, n))
		return;
	memcpy(b->s + b->len, s, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void sbuf_add(struct sbuf *b, const char *s)
{
	sbuf_addn(b, s, strlen(s));
}

void sbuf_fill(struct sbuf *b, char c, size_t n)
{
	if (!sbuf_reserve(b, n))
		return;
	memset(b->s + b->len, c, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void sbuf_addf(struct sbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !sbuf_reserve(b, n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
}

void sbuf_release(struct sbuf *b)
{
	free(b->s);
	*b = (struct sbuf){0};
}
