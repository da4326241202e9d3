/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a line: see line.h.  Readline catches no signals here: Ctrl-C is
 * answered where it waits for a key (key_read), so that the line is given up at
 * once and no key typed afterwards is lost.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_READLINE
#include <readline/history.h>
#include <readline/readline.h>
#endif

#include "repl/interrupt.h"
#include "repl/line.h"
#include "repl/status.h"

#define HISTORY_MAX 2000

#define INTERRUPTED (-2)	/* no character, and not EOF */

static bool terminal;

/*
 * The next character.  At a terminal, where stdin has no buffer, it is waited for
 * first: a Ctrl-C just before the read would otherwise go unseen until the next
 * line.
 */
static int read_char(void)
{
	while (terminal) {
		switch (interrupt_wait(STDIN_FILENO, NULL)) {
		case WAIT_INTERRUPT:
			return INTERRUPTED;
		case WAIT_SUSPEND:
			interrupt_suspend();
			continue;
		case WAIT_OTHER:
			continue;
		default:
			return getc(stdin);
		}
	}
	return getc(stdin);
}

/* A line without editing.  After Ctrl-C the terminal has thrown away what was
 * typed. */
static enum line_result read_plain(char **line)
{
	size_t len = 0, cap = 128;
	char *s = malloc(cap);
	int c = EOF;

	while (s) {
		c = read_char();
		if (c == INTERRUPTED) {
			free(s);
			putchar('\n');	/* behind the terminal's own ^C */
			return LINE_ABANDONED;
		}
		if (c == EOF && ferror(stdin) && errno == EINTR) {
			clearerr(stdin);
			if (!interrupt_pending())
				continue;
			free(s);
			return LINE_ABANDONED;
		}
		if (c == EOF || c == '\n')
			break;
		if (len + 2 > cap) {
			char *more = realloc(s, cap *= 2);

			if (!more)
				free(s);
			s = more;
			if (!s)
				break;
		}
		s[len++] = (char)c;
	}
	if (!s) {
		complain("not enough memory for a line");
		return LINE_ERROR;
	}
	s[len] = '\0';
	if (c != EOF || len) {
		*line = s;
		return LINE_OK;
	}
	free(s);
	if (!ferror(stdin))
		return LINE_END;
	complain("cannot read standard input: %s", strerror(errno));
	return LINE_ERROR;
}

#ifdef HAVE_READLINE

static bool abandoned;		/* Ctrl-C ended the line that is read */
static char *pasted;		/* the rest of what was pasted as one */
static char *history_file;	/* NULL: none is kept */

static void terminal_restore(void)
{
	rl_deprep_term_function();
}

/* A key of Ctrl-C's: ends the line as if it were empty.  In the midst of
 * something that reads keys itself (a search, an argument), that first. */
static int abandon(void)
{
	if (RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG |
		       RL_STATE_MULTIKEY | RL_STATE_MOREINPUT | RL_STATE_VIMOTION))
		return '\a';
	abandoned = true;
	fputs("^C", rl_outstream);
	rl_replace_line("", 1);
	rl_point = rl_end = 0;
	rl_done = 1;	/* whatever newline may be bound to */
	return '\n';
}

static int key_read(FILE *in)
{
	unsigned char c;
	ssize_t n;

	for (;;) {
		switch (interrupt_wait(fileno(in), terminal_restore)) {
		case WAIT_READY:
			n = read(fileno(in), &c, 1);
			if (n == 1)
				return c;
			if (n < 0 && errno == EINTR)
				continue;
			return EOF;
		case WAIT_INTERRUPT:
			return abandon();
		case WAIT_SUSPEND:
			rl_deprep_term_function();
			interrupt_suspend();
			rl_prep_term_function(1);
			rl_forced_update_display();
			continue;
		case WAIT_OTHER:
			rl_check_signals();
			continue;
		case WAIT_ERROR:
			return EOF;
		}
	}
}

/* Makes the directories above a file; true if they are there. */
static bool make_parents(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
		*p = '/';
		if (!ok)
			return false;
	}
	return true;
}

/* $XDG_STATE_HOME/srcush/history, which must be absolute, or NULL. */
static char *history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int n = -1;

	if (state && *state == '/')
		n = asprintf(&path, "%s/srcush/history", state);
	else if (home && *home == '/')
		n = asprintf(&path, "%s/.local/state/srcush/history", home);
	return n < 0 ? NULL : path;
}

/* A history that cannot be kept is no reason to complain. */
static void history_open(void)
{
	char *path = history_path();
	int fd = -1;

	using_history();
	stifle_history(HISTORY_MAX);
	if (path && make_parents(path))
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		free(path);
		return;
	}
	close(fd);
	history_file = path;
	read_history(path);
	if (history_length >= HISTORY_MAX)
		history_truncate_file(path, HISTORY_MAX);
}

void line_init(bool term)
{
	terminal = term;
	if (!terminal)
		return;
	rl_readline_name = "srcush";
	rl_catch_signals = 0;
	rl_getc_function = key_read;
	rl_instream = stdin;
	rl_outstream = stdout;
	history_open();
}

void line_release(void)
{
	free(history_file);
	free(pasted);
	history_file = pasted = NULL;
}

static enum line_result read_edited(const char *prompt, char **line)
{
	abandoned = false;
	interrupt_reading(true);
	*line = readline(prompt);
	interrupt_reading(false);
	if (!*line)
		return LINE_END;
	if (abandoned) {
		free(*line);
		return LINE_ABANDONED;
	}
	return LINE_OK;
}

enum line_result line_read(const char *prompt, char **line)
{
	enum line_result r = LINE_OK;
	char *end;

	fflush(stdout);
	if (!terminal)
		return read_plain(line);
	*line = pasted;
	pasted = NULL;
	if (!*line)
		r = read_edited(prompt, line);
	if (r != LINE_OK)
		return r;
	/* several lines that were pasted come one by one */
	end = strchr(*line, '\n');
	if (end && !end[1]) {
		*end = '\0';
	} else if (end) {
		pasted = strdup(end + 1);
		*end = '\0';
	}
	return LINE_OK;
}

/* As one entry where the lines may be joined: the file has an entry a line. */
void line_remember(const char *text)
{
	char *s;

	if (!terminal || !text[strspn(text, " \t\n")])
		return;
	s = strdup(text);
	if (!s)
		return;
	if (!strstr(s, "--") && !strstr(s, "[[") && !strstr(s, "[="))
		for (char *p = s; (p = strchr(p, '\n')); )
			*p = ' ';
	for (char *p = s, *next; p; p = next) {
		HIST_ENTRY *last = history_get(history_base + history_length - 1);

		next = strchr(p, '\n');
		if (next)
			*next++ = '\0';
		if (last && !strcmp(last->line, p))
			continue;
		add_history(p);
		if (history_file)
			append_history(1, history_file);
	}
	free(s);
}

#else

void line_init(bool term)
{
	terminal = term;
	if (term)
		setvbuf(stdin, NULL, _IONBF, 0); /* see read_char() */
}

void line_release(void)
{
}

enum line_result line_read(const char *prompt, char **line)
{
	if (terminal)
		fputs(prompt, stdout);
	fflush(stdout);
	return read_plain(line);
}

void line_remember(const char *text)
{
	(void)text;
}

#endif
