/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One exploration as explore() (lua_explore.c) knows it, and the report that is
 * made of it (lua_report.c).
 */
#ifndef SRCUSH_BINDING_LUA_EXPLORE_H
#define SRCUSH_BINDING_LUA_EXPLORE_H

#include "binding/binding.h"
#include "binding/lua_source.h"
#include "explore/explore.h"
#include "view/view.h"

/* Released with its userdata, whatever is raised. */
struct exploring {
	struct explore x;
	struct session *s;
	struct lb_source *src;
	char title[256];	/* of the scenario */
	struct sbuf scope;	/* what the verdict is about */
	bool progress;		/* a line on the terminal, while it runs */
	size_t shown;		/* characters of it that stand there */
};

/* Pushes one, empty, which is released when the C function that calls it is left. */
struct exploring *lb_new_exploring(lua_State *L, struct session *s);

extern const char *const lb_strategies[];	/* by enum explore_strategy; ends with NULL */

/* Pushes the report.  The scenario is at stack index `scenario`. */
void lb_push_report(lua_State *L, const struct exploring *e, int scenario);

int lb_report_show(lua_State *L);
int lb_report_example(lua_State *L);
/* Pushes the reports' metatable. */
void lb_report_kind(lua_State *L);

/* A number with its thousands apart ("12,345"), in buf, which is returned. */
#define LB_NUMBER_SIZE 32
const char *lb_number(char *buf, double v);

#endif
