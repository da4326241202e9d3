/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exit statuses of srcush, which scripts rely on, and the one way in which
 * it complains: a line on standard error that begins with its name.
 */
#ifndef SRCUSH_REPL_STATUS_H
#define SRCUSH_REPL_STATUS_H

enum status {
	STATUS_OK = 0,		/* all well */
	STATUS_ERROR = 1,	/* a script or a command failed with an uncaught error */
	STATUS_USAGE = 2,	/* usage; unreadable or malformed input */
	STATUS_VIOLATION = 3,	/* a violation was found */
	STATUS_BOUND = 4,	/* none was found, but a bound was hit */
	STATUS_INTERRUPTED = 130, /* Ctrl-C */
};

/* "srcush: ..." to standard error, after what standard output still holds. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
