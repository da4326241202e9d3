/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a line: with readline and a history on a terminal, plainly otherwise.
 */
#ifndef SRCUSH_REPL_LINE_H
#define SRCUSH_REPL_LINE_H

#include <stdbool.h>

/* A person types: prompts, editing and history.  False: neither. */
void line_init(bool terminal);
void line_release(void);

enum line_result {
	LINE_OK,
	LINE_END,	/* Ctrl-D, or no more input */
	LINE_ABANDONED,	/* Ctrl-C */
	LINE_ERROR,	/* cannot be read, or out of memory: reported */
};
/* The next line without its newline, malloced. */
enum line_result line_read(const char *prompt, char **line);

/* Puts a statement (one or more lines) into the history. */
void line_remember(const char *text);

#endif
