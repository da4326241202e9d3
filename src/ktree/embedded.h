/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image is compiled with beside the tree's own files, as text: the shim, the
 * glue, and those of our own headers that they include.  It is part of the program, which
 * so needs no files of its own wherever it is copied; build-aux/embed.sh writes the
 * definition.
 */
#ifndef SRCUSH_KTREE_EMBEDDED_H
#define SRCUSH_KTREE_EMBEDDED_H

#include <stddef.h>

struct ktree_embedded {
	const char *name;	/* as it is included: "k/access.h", "ktree_shim.h" */
	const char *data;	/* the file's text; a NUL follows it */
	size_t len;		/* without that NUL */
};

/* Ordered as KTREE_EMBEDDED in Makefile.am; ends with an entry whose name is NULL. */
extern const struct ktree_embedded ktree_embedded[];

#endif
