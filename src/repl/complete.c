/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion with the Tab key: readline asks here, lua/shell.lua knows.  File
 * names are readline's own.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "repl/shell.h"

#ifdef HAVE_READLINE
#include <readline/readline.h>

static struct shell *shell;	/* readline's callbacks take no argument */

/* In quotes and behind dot-commands, names have characters that end a word of
 * Lua ("kworker/ss:gp").  A path such as `a.b` is one word. */
static char *word_breaks(void)
{
	static char lua[] = " \t\n\"'`@$><=;|&{}()[]+-*/%^~#,", quoted[] = "\"'", words[] = " \t@";
	const char *p = rl_line_buffer + strspn(rl_line_buffer, " \t!");
	char quote = 0;

	if (*p == '.')		/* with .replay, @ stands before a file */
		return words;
	for (int i = 0; i < rl_point; i++) {
		char c = rl_line_buffer[i];

		if (!quote && (c == '"' || c == '\''))
			quote = c;
		else if (c == quote)
			quote = 0;
	}
	return quote ? quoted : lua;
}

/* complete(text, start) of lua/shell.lua: the words, and what may follow a word
 * that is the only one. */
static int ask(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, shell->lua_shell);
	lua_getfield(L, -1, "complete");
	lua_replace(L, -2);
	lua_pushlstring(L, rl_line_buffer, (size_t)rl_point);
	lua_pushvalue(L, 1);
	lua_call(L, 2, 2);
	return 2;
}

/* The words of the list at `idx` as readline wants them: first what all have in
 * common, then each.  NULL: none, or no memory. */
static char **matches(lua_State *L, int idx)
{
	size_t n = lua_rawlen(L, idx), common;
	char **list;

	if (!n || !(list = calloc(n + 2, sizeof(*list))))
		return NULL;
	for (size_t i = 1; i <= n; i++) {
		lua_rawgeti(L, idx, (lua_Integer)i);
		list[i] = strdup(lua_tostring(L, -1));
		lua_pop(L, 1);
		if (!list[i])
			goto fail;
	}
	common = strlen(list[1]);
	for (size_t i = 2; i <= n; i++)
		for (size_t k = 0; k < common; k++)
			if (list[i][k] != list[1][k])
				common = k;
	list[0] = strndup(list[1], common);
	if (!list[0])
		goto fail;
	if (n == 1) {
		free(list[1]);
		list[1] = NULL;
	}
	return list;
fail:
	for (size_t i = 0; i <= n; i++)
		free(list[i]);
	free(list);
	return NULL;
}

static char **complete(const char *word, int start, int end)
{
	lua_State *L = shell->L;
	int top = lua_gettop(L);
	char **list = NULL;

	(void)word;
	(void)end;
	rl_attempted_completion_over = 1;
	rl_completion_append_character = '\0';
	lua_pushcfunction(L, ask);
	lua_pushinteger(L, start + 1);
	if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
		/* nothing can be said in the midst of a line */
	} else if (lua_isnil(L, top + 1)) {
		rl_attempted_completion_over = 0;	/* file names */
	} else {
		rl_completion_append_character = *lua_tostring(L, top + 2);
		list = matches(L, top + 1);
	}
	lua_settop(L, top);
	return list;
}

void complete_init(struct shell *sh)
{
	shell = sh;
	if (!sh->terminal)
		return;
	rl_completion_word_break_hook = word_breaks;
	rl_attempted_completion_function = complete;
}

#else

void complete_init(struct shell *sh)
{
	(void)sh;
}

#endif
