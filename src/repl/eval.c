/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines as Lua: an expression's values are printed, anything else is executed.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "binding/binding.h"
#include "repl/chunk.h"
#include "repl/interrupt.h"
#include "repl/json.h"
#include "repl/shell.h"

/* Does the message on top say that the text ends too early? */
static bool is_incomplete(lua_State *L)
{
	static const char mark[] = "<eof>";
	size_t len;
	const char *msg = lua_tolstring(L, -1, &len);

	return len >= sizeof(mark) - 1 && !strcmp(msg + len - (sizeof(mark) - 1), mark);
}

/* Pushes the function; or a message, EVAL_FAILED; or nothing, EVAL_INCOMPLETE. */
static enum eval compile(lua_State *L, const char *text)
{
	bool incomplete;

	lua_pushfstring(L, "return %s\n", text);	/* a comment may end the text */
	if (chunk_load_text(L, lua_tostring(L, -1), lua_rawlen(L, -1), "=prompt")) {
		lua_remove(L, -2);
		return EVAL_OK;
	}
	incomplete = is_incomplete(L);
	lua_pop(L, 2);
	if (chunk_load_text(L, text, strlen(text), "=prompt"))
		return EVAL_OK;
	if (!incomplete && !is_incomplete(L))
		return EVAL_FAILED;
	lua_pop(L, 1);
	return EVAL_INCOMPLETE;
}

/* Reports the message on top as the shell does: srcush's name says nothing to
 * who sits in it. */
enum eval eval_report(struct shell *sh, enum status status)
{
	if (status == STATUS_INTERRUPTED) {
		lua_pop(sh->L, 1);
		return EVAL_INTERRUPTED;
	}
	if (lua_type(sh->L, -1) == LUA_TSTRING) {
		lua_pushvalue(sh->L, -1);
		lua_pushstring(sh->L, sh->line);
		if (shell_ask(sh, "explain", 2, 1))
			lua_replace(sh->L, -2);
		shell_json_text(sh, "error");
	}
	if (sh->terminal) {
		const char *msg = lua_tostring(sh->L, -1);

		fflush(stdout);
		fprintf(stderr, "%s\n", msg ? msg : "(error object is not a string)");
		lua_pop(sh->L, 1);
	} else {
		chunk_complain(sh->L, STATUS_ERROR);
	}
	return EVAL_FAILED;
}

enum eval eval_print(struct shell *sh, int n)
{
	lua_State *L = sh->L;
	unsigned columns = lb_columns(L);
	enum status r;

	if (!n)
		return EVAL_OK;
	lua_rawgeti(L, LUA_REGISTRYINDEX, sh->lua_pretty);
	lua_pushinteger(L, columns ? columns : 80);
	lua_rotate(L, -n - 2, 2);
	r = chunk_call(L, n + 1, 1);
	if (r != STATUS_OK)
		return eval_report(sh, r);
	size_t len;
	const char *s = lua_tolstring(L, -1, &len);
	if (s && json_active()) {
		shell_json_text(sh, "result");
	} else if (s) {
		fwrite(s, 1, len, stdout);
		putchar('\n');
	}
	lua_pop(L, 1);
	return EVAL_OK;
}

/* A dot-command; an empty line repeats the ones that ask for it. */
static enum eval eval_command(struct shell *sh, const char *line)
{
	lua_State *L = sh->L;

	lua_rawgeti(L, LUA_REGISTRYINDEX, sh->lua_shell);
	lua_getfield(L, -1, "command");
	lua_remove(L, -2);
	lua_pushstring(L, line);
	/* what is wrong is in the line, not in the code of the command: no traceback */
	if (lua_pcall(L, 1, 1, 0) != LUA_OK)
		return eval_report(sh, interrupt_pending() ? STATUS_INTERRUPTED : STATUS_ERROR);
	shell_repeat(sh, lua_toboolean(L, -1) ? line : NULL);
	lua_pop(L, 1);
	return EVAL_OK;
}

/* A name alone whose value, on top, says little: replaces it by what it stands
 * for.  How many values are there now: none where all has been said. */
static int describe(struct shell *sh, const char *text)
{
	lua_State *L = sh->L;

	if (!lua_isfunction(L, -1) && !lua_isnil(L, -1))
		return 1;
	lua_pushstring(L, text);
	lua_pushvalue(L, -2);
	if (!shell_ask(sh, "describe", 2, 1))
		return 1;
	if (lua_isnil(L, -1))
		lua_pop(L, 1);
	else
		lua_replace(L, -2);
	if (lua_type(L, -1) != LUA_TBOOLEAN)
		return 1;
	lua_pop(L, 1);
	return 0;
}

static enum eval eval_here(struct shell *sh, const char *text)
{
	int base = lua_gettop(sh->L);	/* the function */
	enum status r = chunk_call(sh->L, 0, LUA_MULTRET);
	int n = lua_gettop(sh->L) - base + 1;

	if (r != STATUS_OK)
		return eval_report(sh, r);
	if (n == 1)
		n = describe(sh, text);
	return eval_print(sh, n);
}

/* step(...) and step_over(...), like the commands of these names, are made again
 * by an empty line. */
static bool is_step(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");

	text += n;
	return ((n == 4 && !strncmp(text - n, "step", n)) ||
		(n == 9 && !strncmp(text - n, "step_over", n))) &&
	       strchr("('\"", text[strspn(text, " ")]) && *text;
}

enum eval eval_text(struct shell *sh, const char *text)
{
	bool outside = *text == '!';
	enum eval e;

	text += outside;
	text += strspn(text, " \t");
	sh->line = text;
	if (*text == '.' && text[1] != '.')
		return eval_command(sh, text);
	shell_repeat(sh, is_step(text) ? text : NULL);
	e = compile(sh->L, text);
	if (e == EVAL_FAILED)
		return eval_report(sh, STATUS_ERROR);
	if (e != EVAL_OK)
		return e;
	if (!sh->session->focus || outside)
		return eval_here(sh, text);
	return focus_call(sh);
}
