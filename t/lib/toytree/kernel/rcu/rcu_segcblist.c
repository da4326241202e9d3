/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/types.h>

#include "rcu_segcblist.h"

long toy_callbacks(void)
{
	return 0;
}
