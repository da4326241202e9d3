/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where --json writes: standard output is for JSON alone, and everything else
 * that would go there (what scripts print, what the shell answers) goes to
 * standard error.  There is one such output in the process, as there is one
 * standard output.
 */
#ifndef SRCUSH_REPL_JSON_H
#define SRCUSH_REPL_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* Takes standard output away from everybody else.  False with errno set. */
bool json_begin(void);
bool json_active(void);
/* Writes the text and a newline; failures are kept for json_end(). */
void json_write(const char *text, size_t len);
/* Lets a reader have what has been written so far; false when it cannot be written. */
bool json_flush(void);
/* Ends the output.  0, or the errno with which writing failed first. */
int json_end(void);

#endif
