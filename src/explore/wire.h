/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes on their way from one process to another of the same program: values as they
 * are in memory, texts with their length.  What was cut short reads as zeros, and `bad`
 * says so.
 */
#ifndef SRCUSH_EXPLORE_WIRE_H
#define SRCUSH_EXPLORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	unsigned char *v;
	size_t n, cap;
	size_t at;	/* read so far */
	bool bad;	/* no memory while writing; nothing there while reading */
};

void wire_put(struct wire *w, const void *v, size_t n);
void wire_put_number(struct wire *w, uint64_t v);
void wire_put_text(struct wire *w, const char *s);	/* or NULL */
/* Reads n bytes in place; NULL: there are not so many. */
const void *wire_get(struct wire *w, size_t n);
uint64_t wire_get_number(struct wire *w);
char *wire_get_text(struct wire *w);		/* malloced; NULL: none, or w->bad */
void wire_clear(struct wire *w);
void wire_release(struct wire *w);

#endif
