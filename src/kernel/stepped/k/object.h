/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Named and described structures, and calls that are seen as such: stepped. */
#ifndef K_OBJECT_H
#define K_OBJECT_H

#include "engine/kapi.h"
#include "engine/object.h"

#endif
