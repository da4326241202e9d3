/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/rcu_node_tree.h>

struct srcu_data {
	atomic_long_t srcu_lock_count[2];
	atomic_long_t srcu_unlock_count[2];
	spinlock_t __private lock ____cacheline_internodealigned_in_smp;
	int cpu;
};

struct everything {
	struct mutex mutex;
	raw_spinlock_t raw;
	struct completion done;
	struct work_struct work;
	struct delayed_work delayed;
	struct timer_list timer;
	atomic_t atomic;
	atomic_long_t along;
	unsigned long word;
	u64 bits[2];
	short small;
	bool flag;
	u8 byte;
	enum { RED, GREEN = 7 } colour;
	void *pointer;
};

struct srcu_struct {
	unsigned int srcu_idx;
	struct srcu_data __percpu *sda;
	unsigned long srcu_gp_seq;
	struct lockdep_map dep_map;
	struct everything e;
};
