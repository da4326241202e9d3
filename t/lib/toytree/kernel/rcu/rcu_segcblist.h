/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A word about the toy's callbacks, of which there are none.
 */
long toy_callbacks(void);
