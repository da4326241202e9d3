/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the description of a field says of how it is printed.  A header of its own because
 * code that is compiled from a kernel tree describes its fields too (ktree/).
 */
#ifndef SRCUSH_ENGINE_FIELD_H
#define SRCUSH_ENGINE_FIELD_H

/* How one field of a C structure (or of a script's object) is printed. */
enum field_flags {
	FIELD_PTR      = 1u << 0, /* holds an address: print the object's name */
	FIELD_STAT     = 1u << 1, /* a statistic: does not count for an idle pass */
	FIELD_TIME     = 1u << 2, /* nanoseconds or jiffies */
	FIELD_HEX      = 1u << 3,
	FIELD_GP_SEQ   = 1u << 4, /* a grace-period sequence number (counter << 2 | state) */
	FIELD_OWNER    = 1u << 5, /* task id + 1, or 0 */
	FIELD_DYNAMIC  = 1u << 6, /* a script's field: integer or object, by value */
	FIELD_LINK     = 1u << 7, /* a link of a list: not worth a line while it is unused */
};

#endif
