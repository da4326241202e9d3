/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that look alike: see nearest.h.
 */
#include <config.h>

#include <string.h>

#include "repl/nearest.h"

#define NAME_MAX_LEN 32

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters must change to make one of the other, two that have changed
 * places counting as one; both are short. */
static size_t distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];

	for (size_t i = 0; i <= alen; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= blen; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= alen; i++)
		for (size_t j = 1; j <= blen; j++) {
			d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1,
					d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1, d[i][j]);
		}
	return d[alen][blen];
}

const char *nearest(const char *name, size_t len, const char *const *names, size_t n)
{
	size_t best = len / 3 ? len / 3 : 1, d;
	const char *found = NULL;

	if (len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (strlen(names[i]) > NAME_MAX_LEN)
			continue;
		d = distance(name, len, names[i], strlen(names[i]));
		if (d < best || (d == best && !found)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
