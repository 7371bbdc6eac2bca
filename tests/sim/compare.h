/* SPDX-License-Identifier: GPL-3.0-or-later */
/* compare - whether two snapshots of a schedule say the same, apart from what is only convenience: last texts,
 * counters and the bits of flapping, the failures of a closed breaker, and the end of a pause (it is told by the wall
 * clock, which may have been set meanwhile). */
#ifndef TESTS_SIM_COMPARE_H
#define TESTS_SIM_COMPARE_H

#include <stdbool.h>

#include "core/base/buf.h"

/* On a difference, where the first one is goes to *where. */
bool compare_snapshots(const struct buf *a, const struct buf *b, struct buf *where);

#endif
