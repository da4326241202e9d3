/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chunks of Lua: see chunk.h.  Files are read whole before they are compiled,
 * so that what is wrong with a file is told apart from what is wrong in it.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lauxlib.h>

#include "repl/chunk.h"
#include "repl/interrupt.h"

void complain(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("srcush: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* Pushes the whole of f as a string; false: errno says why not. */
static bool read_all(lua_State *L, FILE *f)
{
	luaL_Buffer b;
	size_t n;

	luaL_buffinit(L, &b);
	do {
		char *p = luaL_prepbuffsize(&b, 16384);
		n = fread(p, 1, 16384, f);
		luaL_addsize(&b, n);
	} while (n > 0);
	int err = errno;
	luaL_pushresult(&b);
	if (!ferror(f))
		return true;
	lua_pop(L, 1);
	errno = err;
	return false;
}

/* Pushes the file's contents, or a message. */
static bool read_file(lua_State *L, const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "rb");

	if (!f) {
		lua_pushfstring(L, "cannot open '%s': %s", path, strerror(errno));
		return false;
	}
	if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (read_all(L, f))
		return fclose(f), true;
	lua_pushfstring(L, "cannot read '%s': %s", path, strerror(errno));
	fclose(f);
	return false;
}

/* Lua's own binary chunks begin with ESC, everything else that is binary has a
 * NUL early on. */
static bool is_binary(const char *s, size_t len)
{
	return len && (s[0] == '\033' || memchr(s, '\0', len < 512 ? len : 512));
}

/* A byte-order mark is skipped, and so is the first line when it begins with #
 * (its newline stays, for the line numbers). */
static const char *skip_head(const char *s, size_t *len)
{
	const char *end = s + *len;

	if (*len >= 3 && !memcmp(s, "\xEF\xBB\xBF", 3))
		s += 3;
	if (s < end && *s == '#')
		while (s < end && *s != '\n')
			s++;
	*len = end - s;
	return s;
}

bool chunk_load_text(lua_State *L, const char *text, size_t len, const char *name)
{
	return luaL_loadbufferx(L, text, len, name, "t") == LUA_OK;
}

bool chunk_load_file(lua_State *L, const char *path)
{
	bool is_stdin = !path || !strcmp(path, "-");
	bool ok = false;
	const char *s;
	size_t len;

	if (is_stdin) {
		if (!read_all(L, stdin)) {
			lua_pushfstring(L, "cannot read standard input: %s", strerror(errno));
			return false;
		}
		path = "stdin";
		lua_pushliteral(L, "=stdin");
	} else {
		if (!read_file(L, path))
			return false;
		lua_pushfstring(L, "@%s", path);
	}
	s = lua_tolstring(L, -2, &len);
	if (is_binary(s, len)) {
		lua_pushfstring(L, "cannot read '%s': it is a binary file, not a Lua script", path);
	} else {
		s = skip_head(s, &len);
		ok = chunk_load_text(L, s, len, lua_tostring(L, -1));
	}
	lua_replace(L, -3);	/* the text */
	lua_pop(L, 1);		/* the chunk's name */
	return ok;
}

/* Cuts the outermost lines of a traceback's list that are of Lua code of our own, with
 * the C functions among them. */
static void cut_own(char *list)
{
	static const char own[] = "\n\t(lua/", in_c[] = "\n\t[C]: ";
	char *cut = NULL;
	bool ours = false;

	for (char *l = *list ? list : NULL; l; l = strchr(l + 1, '\n')) {
		bool is_own = !strncmp(l, own, sizeof(own) - 1);

		if (!is_own && strncmp(l, in_c, sizeof(in_c) - 1)) {
			cut = NULL;
			ours = false;
			continue;
		}
		cut = cut ? cut : l;
		ours |= is_own;
	}
	if (cut && ours)
		*cut = '\0';
}

/* Cuts what a traceback ends with and nobody wants to read: the C function that
 * called the script.  What is then only "in main chunk", perhaps with the C
 * function above it that raised the error, says nothing that the message does
 * not, and goes too. */
static void shorten(char *tb)
{
	static const char tail[] = "\n\t[C]: in ?", head[] = "\nstack traceback:";
	static const char in_c[] = "\n\t[C]: in ", in_main[] = ": in main chunk";
	char *list = strstr(tb, head), *first, *second;
	size_t n;

	if (!list)
		return;
	cut_own(list + sizeof(head) - 1);
	n = strlen(tb);
	while (n > sizeof(tail) - 1 && !strcmp(tb + n - (sizeof(tail) - 1), tail))
		tb[n -= sizeof(tail) - 1] = '\0';
	first = list + sizeof(head) - 1;
	second = *first ? strchr(first + 1, '\n') : NULL;
	if (second && !strncmp(first, in_c, sizeof(in_c) - 1)) {
		first = second;
		second = strchr(first + 1, '\n');
	}
	if (!*first || (!second && strstr(first, in_main)))
		*list = '\0';
}

void chunk_shorten(lua_State *L)
{
	size_t len;
	const char *full = lua_tolstring(L, -1, &len);
	char *copy;

	if (!full)
		return;
	copy = lua_newuserdatauv(L, len + 1, 0);
	memcpy(copy, full, len + 1);
	shorten(copy);
	lua_pushstring(L, copy);
	lua_replace(L, -3);
	lua_pop(L, 1);
}

int chunk_traceback(lua_State *L)
{
	const char *msg = lua_tostring(L, 1);

	/* the innermost pcall is our own: nothing can hold the error up any more */
	if (interrupt_pending())
		interrupt_unhook();
	if (!msg) {
		if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
			return 1;
		msg = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	}
	luaL_traceback(L, L, msg, 1);
	chunk_shorten(L);
	return 1;
}

enum status chunk_call(lua_State *L, int nargs, int nresults)
{
	int base = lua_gettop(L) - nargs;

	lua_pushcfunction(L, chunk_traceback);
	lua_insert(L, base);
	int r = lua_pcall(L, nargs, nresults, base);
	lua_remove(L, base);
	if (r == LUA_OK)
		return STATUS_OK;
	if (!interrupt_pending())
		return STATUS_ERROR;
	/* a loop of steps says it in its own words */
	lua_pop(L, 1);
	lua_pushliteral(L, "interrupted");
	return STATUS_INTERRUPTED;
}

enum status chunk_complain(lua_State *L, enum status status)
{
	const char *msg = lua_tostring(L, -1);

	complain("%s", msg ? msg : "(error object is not a string)");
	lua_pop(L, 1);
	return status;
}
