/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flavour of liburcu: what its names are put together to by its file, which defines
 * FLAVOUR (memb ...) and includes this once.  The flavours' headers exclude each other.
 */
#include "bench/peer.h"

#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c) PASTE_(a, b, c)
#define QUOTE_(a) #a
#define QUOTE(a) QUOTE_(a)
#define URCU(what) PASTE(urcu_, FLAVOUR, what)

_Static_assert(sizeof(struct rcu_head) <= sizeof(struct peer_head), "heads fit");

#ifndef QUIESCENT
#define QUIESCENT ((void)0)
#endif
PEER_PAIRS(pairs, URCU(_read_lock)(), URCU(_read_unlock)(); QUIESCENT)

static void gp(void)
{
	URCU(_synchronize_rcu)();
}

static void invoked(struct rcu_head *head)
{
	(void)head;
	peer_count_invoked();
}

static void post(struct peer_head *heads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		URCU(_call_rcu)((struct rcu_head *)(void *)&heads[i], invoked);
}

static void drain(void)
{
	URCU(_barrier)();
}

static void enter(void)
{
	URCU(_register_thread)();
}

static void leave(void)
{
	URCU(_unregister_thread)();
}

#ifdef OFFLINE
static void rest(void)
{
	OFFLINE;
}

static void wake(void)
{
	ONLINE;
}
#endif

const struct peer PASTE(peer_, FLAVOUR, ) = {
	.name = "liburcu " QUOTE(FLAVOUR), .pairs = pairs, .gp = gp, .post = post, .drain = drain,
	.enter = enter, .leave = leave,
#ifdef OFFLINE
	.rest = rest, .wake = wake,
#endif
};
