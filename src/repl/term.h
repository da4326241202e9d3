/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal's properties: is there one, may it be coloured.
 */
#ifndef SRCUSH_REPL_TERM_H
#define SRCUSH_REPL_TERM_H

#include <stdbool.h>
#include "repl/options.h"

/* --color, NO_COLOR and what standard output is, taken together. */
bool term_color(enum color_when when);
/* Does a person sit at both ends? */
bool term_interactive(void);

#endif
