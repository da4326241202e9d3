/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The output of --json: see json.h.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "repl/json.h"

static FILE *out;
static int failed;		/* the first errno of writing */

bool json_begin(void)
{
	int fd;

	fflush(stdout);
	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return false;
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		return false;
	}
	return dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
}

bool json_active(void)
{
	return out != NULL;
}

static void keep(bool ok)
{
	if (!ok && !failed)
		failed = errno ? errno : EIO;
}

void json_write(const char *text, size_t len)
{
	errno = 0;
	keep(fwrite(text, 1, len, out) == len && putc('\n', out) != EOF);
}

bool json_flush(void)
{
	errno = 0;
	keep(fflush(out) == 0);
	return !failed;
}

int json_end(void)
{
	FILE *f = out;

	out = NULL;
	if (f) {
		errno = 0;
		keep(fclose(f) == 0);
	}
	return failed;
}
