/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in the sources each plain access stands: the compiler's assembly says with .loc
 * which line an instruction is of, so behind each call of a __tsan_* function an entry of
 * struct ktree_line is put into a section, with the address that the call returns to.
 * That is what the hook sees, so that neither debugging information nnor a reader of it has to
 * be there when the image runs.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktree/build.h"

struct files {
	char **name;		/* by number */
	size_t n;
};

struct adder {
	FILE *out;
	struct files files;
	struct ktree_strings strings;	/* each is in the output once, by its index */
	struct ktree_strings functions;	/* what .type says is one */
	const char *file;	/* of the last .loc: in `files` */
	char *func;		/* the last label that is a function */
	unsigned line, entries;
	char **why;
};

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* A string as the assembler reads it, from its opening quote; *end is behind it. */
static char *quoted(const char *p, const char **end)
{
	char *s = *p == '"' ? malloc(strlen(p) + 1) : NULL, *o = s;

	if (!s)
		return NULL;
	for (p++; *p && *p != '"'; p++) {
		if (*p != '\\' || !p[1]) {
			*o++ = *p;
		} else if (*++p >= '0' && *p <= '7') {
			unsigned v = 0;

			for (int i = 0; i < 3 && *p >= '0' && *p <= '7'; i++)
				v = v * 8 + (unsigned)(*p++ - '0');
			p--;
			*o++ = (char)v;
		} else {
			*o++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
		}
	}
	*o = '\0';
	*end = *p ? p + 1 : p;
	return s;
}

/* As people write it: "kernel/rcu/srcutree.c", not "./include/linux/srcu.h". */
static const char *undotted(const char *path)
{
	while (!strncmp(path, "./", 2))
		path += 2 + strspn(path + 2, "/");
	return path;
}

static bool set_file(struct adder *a, size_t n, char *name)
{
	struct files *f = &a->files;

	if (n >= f->n) {
		char **p = n < 100000 ? realloc(f->name, (n + 1) * sizeof(*p)) : NULL;

		if (!p) {
			free(name);
			return ktree_fail(a->why, "out of memory");
		}
		memset(p + f->n, 0, (n + 1 - f->n) * sizeof(*p));
		f->name = p;
		f->n = n + 1;
	}
	/* what .loc has named stays: numbers are not used twice */
	if (f->name[n])
		free(name);
	else
		f->name[n] = name;
	return true;
}

/*
 * .file N "name" (DWARF 4), .file N "directory" "name" [md5 ...] (DWARF 5).  The
 * directory is that of compilation, or part of the name.
 */
static bool file_directive(struct adder *a, const char *p)
{
	char *num_end, *first, *second, *name;
	unsigned long n;

	p = skip_space(p);
	if (!isdigit((unsigned char)*p))
		return true;	/* .file "name": the symbol table's */
	n = strtoul(p, &num_end, 10);
	first = quoted(skip_space(num_end), &p);
	if (!first)
		return true;
	second = quoted(skip_space(p), &p);
	if (!second)
		name = strdup(undotted(first));
	else if (*second == '/' || *first == '/' || !*first || !strcmp(first, "."))
		name = strdup(undotted(second));
	else
		name = ktree_print(a->why, "%s/%s", undotted(first), undotted(second));
	free(first);
	free(second);
	if (!name)
		return ktree_fail(a->why, "out of memory");
	return set_file(a, n, name);
}

/* .loc FILE LINE ...; line 0 is what the compiler cannot say: that of before stays. */
static void loc_directive(struct adder *a, const char *p)
{
	unsigned long file, line;
	char *end;

	file = strtoul(p, &end, 10);
	line = strtoul(end, NULL, 10);
	if (!line || file >= a->files.n || !a->files.name[file])
		return;
	a->file = a->files.name[file];
	a->line = (unsigned)line;
}

/* A symbol, perhaps in quotes, at the beginning of p. */
static char *symbol(const char *p)
{
	const char *end;

	if (*p == '"')
		return quoted(p, &end);
	for (end = p; isalnum((unsigned char)*end) || (*end && strchr("_.$", *end)); end++)
		;
	return end == p ? NULL : strndup(p, (size_t)(end - p));
}

/* .type NAME, @function or %function */
static bool type_directive(struct adder *a, const char *p)
{
	char *name = symbol(skip_space(p));
	bool ok = true;

	if (name && strstr(p, "function"))
		ok = ktree_strings_add(&a->functions, name, a->why);
	free(name);
	return ok;
}

/* A function's name in C: without what the compiler adds for one of its copies. */
static void label(struct adder *a, const char *p)
{
	char *name = strncmp(p, ".L", 2) ? symbol(p) : NULL;

	if (name && ktree_strings_have(&a->functions, name)) {
		char *dot = strchr(name, '.');

		if (dot && dot != name)
			*dot = '\0';
		free(a->func);
		a->func = name;
		return;
	}
	free(name);
}

static bool is_label(const char *p)
{
	const char *end = p;

	if (*p == '"') {
		end = strchr(p + 1, '"');
		end = end ? end + 1 : p;
	} else {
		while (isalnum((unsigned char)*end) || (*end && strchr("_.$", *end)))
			end++;
	}
	return end != p && *end == ':';
}

/* Does the instruction call a hook for an access?  x86: call, callq; AArch64: bl. */
static const char *hook_called(const char *p)
{
	size_t n = strcspn(p, " \t");
	const char *hook;

	if (!((n == 4 && !strncmp(p, "call", 4)) || (n == 5 && !strncmp(p, "callq", 5)) ||
	      (n == 2 && !strncmp(p, "bl", 2))))
		return NULL;
	hook = strstr(p + n, "__tsan_");
	if (!hook || !strncmp(hook, "__tsan_func_", 12) || !strncmp(hook, "__tsan_init", 11))
		return NULL;
	return hook + strlen("__tsan_");
}

static bool hook_writes(const char *hook)
{
	return strstr(hook, "write") || (!strncmp(hook, "mem", 3) && strncmp(hook, "memcmp", 6)) ||
	       (strstr(hook, "atomic") && !strstr(hook, "_load"));
}

/* Its index among the strings; SIZE_MAX: memory. */
static size_t string_index(struct adder *a, const char *s)
{
	for (size_t i = 0; i < a->strings.n; i++)
		if (!strcmp(a->strings.s[i], s))
			return i;
	return ktree_strings_add(&a->strings, s, a->why) ? a->strings.n - 1 : (size_t)-1;
}

static bool add_entry(struct adder *a, const char *hook)
{
	size_t file, func;

	if (!a->file)
		return true;	/* nobody can say */
	file = string_index(a, a->file);
	func = string_index(a, a->func ? a->func : "");
	if (file == (size_t)-1 || func == (size_t)-1)
		return false;
	fprintf(a->out, ".Lktree_pc%u:\n", a->entries);
	fprintf(a->out, "\t.pushsection ktree_lines,\"aw\",%%progbits\n\t.balign 8\n");
	fprintf(a->out, "\t.quad .Lktree_pc%u, .Lktree_str%zu, .Lktree_str%zu\n", a->entries, file,
		func);
	fprintf(a->out, "\t.long %u, %d\n\t.popsection\n", a->line,
		hook_writes(hook));
	a->entries++;
	return true;
}

/* A statement: a line, or one of several in it.  What is in comments does not matter. */
static bool statement(struct adder *a, const char *p)
{
	const char *hook;

	p = skip_space(p);
	if (is_label(p)) {
		label(a, p);
		return true;
	}
	if (!strncmp(p, ".file", 5) && (p[5] == ' ' || p[5] == '\t'))
		return file_directive(a, p + 5);
	if (!strncmp(p, ".loc", 4) && (p[4] == ' ' || p[4] == '\t'))
		loc_directive(a, p + 4);
	else if (!strncmp(p, ".type", 5) && (p[5] == ' ' || p[5] == '\t'))
		return type_directive(a, p + 5);
	else if ((hook = hook_called(p)))
		return add_entry(a, hook);
	return true;
}

static void put_strings(struct adder *a)
{
	if (!a->strings.n)
		return;
	fprintf(a->out, "\t.section .rodata.ktree_lines,\"a\",%%progbits\n");
	for (size_t i = 0; i < a->strings.n; i++) {
		fprintf(a->out, ".Lktree_str%zu:\n\t.asciz \"", i);
		for (const char *p = a->strings.s[i]; *p; p++)
			if (isalnum((unsigned char)*p) || strchr("/._-+ ", *p))
				putc(*p, a->out);
			else
				fprintf(a->out, "\\%03o", (unsigned char)*p);
		fprintf(a->out, "\"\n");
	}
}

/*
 * Assembly that the tree brings itself, between the marks that compilers put around it.
 * The compiler tells nobody of what that does to memory, so nothing could be concluded.
 * Without instructions it orders the compiler only: barrier() and the like.
 */
static bool own_assembly(struct adder *a, const char *p, bool *inside)
{
	p = skip_space(p);
	if (!strncmp(p, "#APP", 4))
		*inside = true;
	else if (!strncmp(p, "#NO_APP", 7))
		*inside = false;
	else if (*inside && *p && *p != '#' && strncmp(p, "//", 2))
		return ktree_fail(a->why, "%s:%u: inline assembly, and nobody tells what it does to "
				  "memory (plain=false loads the tree without looking at plain accesses)",
				  a->file ? a->file : "?", a->line);
	return true;
}

static bool add_lines(struct adder *a, char *text)
{
	bool ok = true, inside = false;

	for (char *p = text, *end; ok && *p; p = end) {
		end = strchr(p, '\n');
		if (end)
			*end++ = '\0';
		else
			end = p + strlen(p);
		fputs(p, a->out);
		putc('\n', a->out);
		ok = own_assembly(a, p, &inside) && statement(a, p);
	}
	if (ok)
		put_strings(a);
	return ok;
}

static void adder_end(struct adder *a)
{
	for (size_t i = 0; i < a->files.n; i++)
		free(a->files.name[i]);
	free(a->files.name);
	free(a->func);
	ktree_strings_free(&a->strings);
	ktree_strings_free(&a->functions);
}

bool ktree_add_lines(const char *s_in, const char *s_out, char **why)
{
	struct adder a = { .why = why };
	size_t len;
	char *text = ktree_read_file(s_in, &len);
	bool ok;

	if (!text)
		return ktree_fail(why, "cannot read '%s': %s", s_in, strerror(errno));
	a.out = fopen(s_out, "we");
	if (!a.out) {
		free(text);
		return ktree_fail(why, "cannot write '%s': %s", s_out, strerror(errno));
	}
	ok = add_lines(&a, text);
	if (ferror(a.out) | fclose(a.out))
		ok = ktree_fail(why, "cannot write '%s': %s", s_out, strerror(errno));
	adder_end(&a);
	free(text);
	return ok;
}
