/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where plain accesses stand, over all images that are loaded.
 */
#ifndef SRCUSH_KTREE_PLACE_H
#define SRCUSH_KTREE_PLACE_H

#include "ktree/abi.h"

/* Those of one image, whose code lies in [text, text_end): sorted in place. */
bool ktree_places_add(const struct ktree_line *lines, const struct ktree_line *end,
		      const void *text, const void *text_end, char **why);
/* The site of the access whose hook returns to `pc`, always the same; NULL: nobody knows. */
const struct site *ktree_place(const void *pc);
/* The site nearest to `pc`, at or before it in the same image; NULL: nobody knows. */
const struct site *ktree_place_near(const void *pc);

#endif
