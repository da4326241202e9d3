/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What both kinds of readers of libsrcu have in common as peers: grace periods and callbacks
 * of `domain`.  Their files define PEER and NAME and include this once.
 */
_Static_assert(sizeof(struct srcu_head) <= sizeof(struct peer_head), "heads fit");

static void gp(void)
{
	srcu_synchronize(&domain);
}

static void invoked(struct srcu_head *head)
{
	(void)head;
	peer_count_invoked();
}

/* What srcu_call() refuses is missing when invoked callbacks are counted. */
static void post(struct peer_head *heads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)srcu_call(&domain, (struct srcu_head *)(void *)&heads[i], invoked);
}

static void drain(void)
{
	(void)srcu_barrier(&domain);
}

const struct peer PEER = {
	.name = NAME, .pairs = pairs, .gp = gp, .post = post, .drain = drain,
};
