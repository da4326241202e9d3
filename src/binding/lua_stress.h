/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stress run, in which the vocabulary's functions are those of lua/stress.lua.
 */
#ifndef SRCUSH_BINDING_LUA_STRESS_H
#define SRCUSH_BINDING_LUA_STRESS_H

#include "binding/binding.h"

/* While s->stress is set: what any function of the vocabulary is called for. */
int lb_stress_call(lua_State *L, const struct lb_func *f);
void lb_open_stress(lua_State *L);	/* stress() */

#endif
