/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel trees as scripts see them (ktree/ktree.h): a K of srcu.load_kernel() is a
 * handle, behind which reloading puts another image.  A world stays with the image
 * that it began with, however often it is built again.
 */
#ifndef SRCUSH_BINDING_LUA_KTREE_H
#define SRCUSH_BINDING_LUA_KTREE_H

#include "binding/binding.h"
#include "ktree/ktree.h"

/* What a K stands for: a directory and how it is compiled.  Until the
 * session goes: recipes point to it. */
struct lb_kernel {
	struct session *s;
	char *dir;			/* as it was given */
	struct lb_image {
		struct ktree *k;
		uint32_t from;		/* for worlds of this generation, and later ones */
	} *images;			/* in this order; at least one */
	size_t nimages;
	struct lb_setting { char *name; long value; uint32_t from; } *settings; /* parameters, likewise */
	size_t nsettings;
	struct lb_kernel *next;		/* loaded before */
};
/* The session goes, and its worlds are gone. */
void lb_kernels_close(struct session *s);

/* The newest image; that of the world of a generation. */
struct ktree *lb_kernel_newest(const struct lb_kernel *kn);
struct ktree *lb_kernel_of(const struct lb_kernel *kn, uint32_t generation);
/* The generation of the first world that is not under way yet: what is loaded and set now
 * is for that one and later ones. */
uint32_t lb_kernel_from(const struct session *s);
/* The session's world is about to get a domain. */
void lb_kernels_settle(const struct world *w);
/* The K at `idx`, or NULL. */
struct lb_kernel *lb_test_kernel(lua_State *L, int idx);
void lb_push_kernel(lua_State *L, struct lb_kernel *kn);

/* From now on domains of the tree flavor are made of the tree in `dir`, in this world
 * and in all that follow: --kernel.  Raises what ktree_load() says. */
void lb_kernel_default(lua_State *L, const char *dir);
/* What a domain of `flavor` ("tree", "tiny") is made of by that, or NULL: our own.  The tiny
 * one is compiled when it is first asked for; raises if that fails. */
struct lb_kernel *lb_kernel_for(lua_State *L, const char *flavor);
/* A world of `generation` makes the domains that C code asks for of --kernel's tree. */
void lb_kernel_world(struct session *s, struct world *w, uint32_t generation);

/* The world of the session goes over to the newest images; and back to those that it
 * had before.  It has to be built again then.  False: no memory. */
bool lb_kernels_adopt(struct session *s);
void lb_kernels_abandon(struct session *s);
/* Pushes the list of all Ks of this lua_State, in the order in which they were loaded. */
int lb_push_kernels(lua_State *L);

/* lua_ktree_opts.c: takes the table at 2.  What they refer to is there, and in the table
 * at LB_KERNEL_KEPT. */
#define LB_KERNEL_KEPT 3
void lb_check_kernel_opts(lua_State *L, struct ktree_opts *o);

/* lua_ktree_params.c: pushes K.params. */
void lb_push_params(lua_State *L, struct lb_kernel *kn);
/* The session's world is about to get a domain: its image has the parameters that this
 * world began with. */
void lb_params_settle(const struct lb_kernel *kn);

#endif
