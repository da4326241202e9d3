/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guards: what is taken where a variable is made and given back where it goes out of
 * scope.  The classes that SRCU's headers define, and those that its files may use.
 */
#ifndef KTREE_GUARD_H
#define KTREE_GUARD_H

#define DEFINE_LOCK_GUARD_1(name, type, take, give, ...)			\
	typedef struct { type *lock; __VA_ARGS__; } class_##name##_t;		\
	static inline void class_##name##_destructor(class_##name##_t *_T)	\
	{									\
		if (_T->lock) { give; }						\
	}									\
	static inline class_##name##_t class_##name##_constructor(type *lock)	\
	{									\
		class_##name##_t guard_ = { .lock = lock }, *_T = &guard_;	\
										\
		take;								\
		return guard_;							\
	}
#define DEFINE_LOCK_GUARD_0(name, take, give, ...)				\
	typedef struct { void *lock; __VA_ARGS__; } class_##name##_t;		\
	static inline void class_##name##_destructor(class_##name##_t *_T)	\
	{									\
		give;								\
	}									\
	static inline class_##name##_t class_##name##_constructor(void)		\
	{									\
		class_##name##_t guard_ = { 0 }, *_T = &guard_;			\
										\
		(void)_T;							\
		take;								\
		return guard_;							\
	}
#define DECLARE_LOCK_GUARD_0_ATTRS(...)
#define DECLARE_LOCK_GUARD_1_ATTRS(...)
#define WITH_LOCK_GUARD_1_ATTRS(name, lock) class_##name##_constructor(lock)

#define CLASS(name, var)							\
	class_##name##_t var __attribute__((cleanup(class_##name##_destructor))) = \
		class_##name##_constructor
#define guard(name)		CLASS(name, __UNIQUE_ID(guard))
#define scoped_guard(name, ...)							\
	for (CLASS(name, k_scope)(__VA_ARGS__), *k_once = (void *)&k_scope;	\
	     k_once; k_once = NULL)

DEFINE_LOCK_GUARD_1(mutex, struct mutex, mutex_lock(_T->lock), mutex_unlock(_T->lock))
DEFINE_LOCK_GUARD_1(spinlock, spinlock_t, spin_lock(_T->lock), spin_unlock(_T->lock))
DEFINE_LOCK_GUARD_1(spinlock_irq, spinlock_t, spin_lock_irq(_T->lock), spin_unlock_irq(_T->lock))
DEFINE_LOCK_GUARD_1(spinlock_irqsave, spinlock_t, spin_lock_irqsave(_T->lock, _T->flags),
		    spin_unlock_irqrestore(_T->lock, _T->flags), unsigned long flags)
DEFINE_LOCK_GUARD_1(raw_spinlock, raw_spinlock_t, raw_spin_lock(_T->lock),
		    raw_spin_unlock(_T->lock))
DEFINE_LOCK_GUARD_1(raw_spinlock_irq, raw_spinlock_t, raw_spin_lock_irq(_T->lock),
		    raw_spin_unlock_irq(_T->lock))
DEFINE_LOCK_GUARD_1(raw_spinlock_irqsave, raw_spinlock_t,
		    raw_spin_lock_irqsave(_T->lock, _T->flags),
		    raw_spin_unlock_irqrestore(_T->lock, _T->flags), unsigned long flags)
DEFINE_LOCK_GUARD_0(preempt, preempt_disable(), preempt_enable())
DEFINE_LOCK_GUARD_0(irqsave, local_irq_disable(), local_irq_enable())
DEFINE_LOCK_GUARD_0(rcu, rcu_read_lock(), rcu_read_unlock())

#endif
