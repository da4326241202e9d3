/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Letters of barriers: the kernel's authors have put them in comments behind the fences
 * that they are of.  They are looked up in the tree's files once an image is loaded.
 */
#include <config.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "engine/site.h"
#include "ktree/build.h"
#include "ktree/letters.h"

/* One for each letter: sites refer to them for ever. */
static const char letters[26][2] = {
	"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M",
	"N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z",
};

/* The files that fences stand in: few, and mostly the same one again. */
struct file {
	char *name, *text;
	size_t len;
};

static void forget(struct file *f)
{
	free(f->name);
	free(f->text);
	*f = (struct file){ 0 };
}

static const char *text_of(struct file *f, const char *dir, const char *name)
{
	char *path, *why = NULL;

	if (f->name && !strcmp(f->name, name))
		return f->text;
	forget(f);
	path = ktree_print(&why, "%s/%s", dir, name);
	f->name = strdup(name);
	f->text = path && f->name ? ktree_read_file(path, &f->len) : NULL;
	free(path);
	free(why);
	return f->text;
}

static const char *line_of(const char *text, int line)
{
	while (text && --line > 0) {
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return text;
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* The letter alone in a comment that follows the statement. */
static const char *letter_behind(const char *p)
{
	bool block;

	p = skip_blanks(p);
	if (*p++ != ';')
		return NULL;
	p = skip_blanks(p);
	if (*p++ != '/' || (*p != '*' && *p != '/'))
		return NULL;
	block = *p == '*';
	p = skip_blanks(p + 1);
	if (*p < 'A' || *p > 'Z')
		return NULL;
	return !strncmp(skip_blanks(p + 1), block ? "*/" : "\n", block ? 2 : 1) ? letters[*p - 'A'] : NULL;
}

static const char *letter_of(const char *text, const struct site *s)
{
	const char *line = line_of(text, s->line), *end = line ? strchr(line, '\n') : NULL;
	const char *p = line ? strstr(line, s->prim) : NULL;
	size_t n = strlen(s->prim);

	/* not a part of a longer name, nor of another line */
	if (!p || !end || p > end || (p > line && (isalnum((unsigned char)p[-1]) || p[-1] == '_')) ||
	    strncmp(p + n, "()", 2))
		return NULL;
	return letter_behind(p + n + 2);
}

void ktree_letters(const char *dir, struct site *first, struct site *end)
{
	struct file f = { 0 };

	for (struct site *s = first; s < end; s++)
		if (s->op == OP_FENCE && !s->letter && s->file && s->prim && text_of(&f, dir, s->file))
			s->letter = letter_of(f.text, s);
	forget(&f);
}
