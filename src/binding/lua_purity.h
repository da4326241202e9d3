/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No hidden order: Lua variables and tables that one body changes and another one
 * sees would order steps in a way that no explorer knows of.  Such scenarios are
 * found and refused, with the variable's name; what only one body changes is put back
 * before each execution, so that none sees what another left.
 */
#ifndef SRCUSH_BINDING_LUA_PURITY_H
#define SRCUSH_BINDING_LUA_PURITY_H

#include "binding/binding.h"

struct purity;

/*
 * One exploration of the session's world.  All that say bool: false means that the
 * scenario cannot be explored, for the reason that is in s->unexplorable from then on.
 * NULL: no memory.
 */
struct purity *purity_new(struct session *s);
void purity_free(struct purity *p);	/* NULL is allowed */

/* The scenario function has built the world, and no thread has run: looks at what its
 * bodies and claims can reach and assign, and remembers what they might change. */
bool purity_built(struct purity *p);
/* May the next execution begin without calling the scenario function?  Not where bodies
 * use a coroutine, whose state cannot be put back. */
bool purity_warm(const struct purity *p);
/* An execution is about to begin, before its world is put back or built: Lua variables
 * and tables that bodies changed become what they were. */
bool purity_begin(struct purity *p);
/* The same for an execution whose bodies go on where they stand.  False: not now, for they
 * might have changed what is to be put back, or it is time to look closely. */
bool purity_may_go_on(struct purity *p);
/* t has stepped; NULL: fresh threads have run to their first step. */
bool purity_stepped(struct purity *p, struct task *t);
/* Nobody moves any more, and no claim has been called. */
bool purity_end(struct purity *p);

/* --- for those who take functions (each does nothing unless an exploration runs) --- */

/* The current task has handed the function at idx to somebody who runs it in another
 * task: `kind` is what that is ("callback", "thread", "irq", "work"), `name` its name
 * or NULL. */
void purity_adopt(lua_State *L, int idx, const char *kind, const char *name);
/* The function at idx is the current task's condition to wait for. */
void purity_condition(lua_State *L, int idx);

#endif
