/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects: what lives in a world's simulated memory, who it is and how its
 * locations are called.
 *
 * Identity is (creator, n-th thing made by it), never an address or a global
 * number, so that independent steps may be swapped without changing any name
 * (semantics.md section 1).  Identities are interned in an `idspace` that
 * outlives rebuilds of the world: the same thing gets the same small number
 * and the same addresses in every execution.
 */
#ifndef SRCUSH_ENGINE_OBJECT_H
#define SRCUSH_ENGINE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/field.h"

struct world;
struct task;
struct object;

#define IDENT_NONE  0u		/* nothing */
#define IDENT_WORLD 1u		/* what the scenario function or the prompt makes */

struct field {
	const char *name;	/* "lock_count"; printed as name or name[i] */
	uint32_t offset;	/* bytes from the start of the structure */
	uint32_t size;		/* of one element, in bytes: 1, 2, 4 or 8 */
	uint32_t count;		/* elements; 0 or 1 for a scalar */
	uint32_t stride;	/* bytes between elements; 0 means size */
	uint32_t flags;
};

/* A field of a C structure, for a static table that ends with {0}. */
#define FIELD(type, member, ...) \
	{ .name = #member, .offset = offsetof(type, member), \
	  .size = sizeof(((type *)0)->member), ##__VA_ARGS__ }

/* What the engine and the binding know of a kind of object. */
struct objtype {
	const char *kind;		/* "mutex", "srcu", "vm": tostring gives kind "name" */
	const struct field *fields;	/* of the first region, or NULL */
	void (*destroy)(struct object *o); /* frees what lives outside the arena, or NULL */
	/* for checkpoints: bytes at `impl` that lie outside the arena, kept with it; and
	 * what is to be done before the memory goes back to what it was, or NULL: drops
	 * what that holds outside of it since */
	size_t impl_size;
	void (*reset)(struct object *o);
};

enum object_state { OBJECT_LIVE, OBJECT_FREED, OBJECT_DESTROYED };

struct object {
	const struct objtype *type;
	struct world *w;
	uint32_t id;		/* interned identity, equal in every execution */
	uint32_t creator;	/* identity of the task that made it, or IDENT_WORLD */
	uint32_t nth;		/* the n-th thing of this name made by `creator` */
	uint8_t state;		/* enum object_state */
	bool heap;		/* made by kmalloc: kfree is legal */
	bool is_static;		/* kmalloc(..., {static=true}): never a leak */
	char *lock_class;	/* of a lock: given by the maker, or NULL */
	char *label;		/* as given by the maker; see object_name() */
	char *name;		/* printed: label, or label@creator.nth */
	uint32_t hash;		/* of the name */
	struct object *next_named; /* in its bucket */
	void *base;		/* first byte in the arena, or NULL (tasks, ...) */
	size_t size;
	void *impl;		/* the kind's own C structure */
	const struct field *own_fields; /* a script object's fields (malloced), or NULL */
	uint32_t freed_by;	/* task that freed it, and at which step */
	uint64_t freed_at;
};

/*
 * A run of equal structures that belongs to an object: the names of its
 * locations are NAME.field, or NAME.LABEL<i>.field when `label` is given
 * ("ss.cpu0.lock_count[0]").
 */
struct region {
	uintptr_t base;
	size_t size;		/* of the whole run */
	size_t stride;		/* of one element; 0: a single one */
	const char *label;	/* "cpu", "node" or NULL; a static string */
	const struct field *fields;
	struct object *obj;
};

/*
 * Makes an object on behalf of the current task, or of the world when none
 * runs.  `size` bytes of zeroed simulated memory, described by type->fields.
 * Among what the world makes, a name that is taken is an error.  NULL with
 * world_error() set on a clash, a bad name or exhausted memory.
 */
struct object *object_new(struct world *w, const struct objtype *type,
			  const char *label, size_t size);
/* An object that a world has one of, made when it is first asked for: its name gives
 * its identity and its place, so that it does not matter who asked first.  The name
 * must be one that name_is_valid() refuses. */
struct object *object_new_unique(struct world *w, const struct objtype *type,
				 const char *name, size_t size);
/* More memory of the same object: `n` elements of `stride` bytes each, zeroed.
 * NULL with world_error() set when memory is exhausted. */
void *object_region(struct object *o, const char *label, const struct field *fields,
		    size_t stride, size_t n);
/* Another table of fields for memory that the object already has. */
bool object_describe(struct object *o, void *base, const char *label,
		     const struct field *fields, size_t size);
/* The same for a run of n equal structures, called NAME.LABEL<i>. */
bool object_describe_run(struct object *o, void *base, const char *label,
			 const struct field *fields, size_t stride, size_t n);

/* The n-th object in order of making, and how many there are. */
struct object *world_object(struct world *w, size_t i);
size_t world_object_count(struct world *w);
struct object *object_by_id(struct world *w, uint32_t id);   /* NULL: not made (yet) */
struct object *object_by_name(struct world *w, const char *name); /* printed name */
struct object *object_at(struct world *w, const void *addr);  /* live or freed, or NULL */

/* Is the name made of [A-Za-z0-9_.:/@#-]+ and not the engine's own? */
bool name_is_valid(const char *name);

/*
 * Writes the name of a location, "kvm.srcu.cpu0.lock_count[0]", at most n
 * bytes, and says whether there is one.  *field is set to its description, or
 * NULL.
 */
bool location_name(struct world *w, const void *addr, char *buf, size_t n,
		   const struct field **field);
/* Writes a value as a person reads it, given the field it came from (or NULL). */
void value_name(struct world *w, uint64_t value, const struct field *f, char *buf, size_t n);

/* Interned identities; see the head of this file. */
struct idspace;
struct idspace *idspace_new(void);	/* NULL: out of memory */
void idspace_free(struct idspace *s);
uint32_t idspace_get(struct idspace *s, uint32_t creator, uint32_t nth);

#endif
