/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API calls of a trace, each with the events of its task between which it stands.
 */
#ifndef SRCUSH_CHECK_TRACE_CALLS_H
#define SRCUSH_CHECK_TRACE_CALLS_H

#include "check/trace_internal.h"

/* Finds them all, in tr->calls.  False: no memory. */
bool trace_calls(struct trace *tr);

#endif
