/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The toy's updaters: flip the index and wait for the readers of the old one, twice.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/srcu.h>

#include "rcu.h"
#include "rcu_segcblist.h"

static ulong toy_flips = 2;
module_param(toy_flips, ulong, 0444);
static bool toy_wary;
module_param(toy_wary, bool, 0444);
static short toy_depth = -3;
module_param(toy_depth, short, 0444);
static char *toy_name = "toy";
module_param(toy_name, charp, 0444);

int init_srcu_struct(struct srcu_struct *ssp)
{
	ssp->srcu_idx = 0;
	atomic_long_set(&ssp->toy_readers[0], 0);
	atomic_long_set(&ssp->toy_readers[1], toy_callbacks());
	mutex_init(&ssp->srcu_gp_mutex);
	init_swait_queue_head(&ssp->toy_wq);
	return 0;
}

void cleanup_srcu_struct(struct srcu_struct *ssp)
{
	WARN_ON(atomic_long_read(&ssp->toy_readers[0]) || atomic_long_read(&ssp->toy_readers[1]));
}

static void toy_flip(struct srcu_struct *ssp)
{
	int idx = ssp->srcu_idx & 1;

	smp_mb();
	WRITE_ONCE(ssp->srcu_idx, ssp->srcu_idx + 1);
	smp_mb();
	swait_event_exclusive(ssp->toy_wq, !atomic_long_read(&ssp->toy_readers[idx]));
}

void synchronize_srcu(struct srcu_struct *ssp)
{
	mutex_lock(&ssp->srcu_gp_mutex);
	for (ulong i = 0; i < toy_flips; i++)
		toy_flip(ssp);
	ssp->toy_count++;
	mutex_unlock(&ssp->srcu_gp_mutex);
}
EXPORT_SYMBOL_GPL(synchronize_srcu);
