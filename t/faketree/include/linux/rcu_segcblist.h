/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_RCU_SEGCBLIST_H
#define FAKE_RCU_SEGCBLIST_H
struct rcu_segcblist { long len; };
#endif
