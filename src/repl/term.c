/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal's properties: see term.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "repl/term.h"

bool term_color(enum color_when when)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when != COLOR_AUTO)
		return when == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

bool term_interactive(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}
