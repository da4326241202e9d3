/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiled twice, as the first and the last of what is linked together: between the two
 * lies the static data of what is linked in between.
 */
char KTREE_BOUND __attribute__((section(".data"), aligned(64))) = 1;
