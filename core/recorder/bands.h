/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bands - where on an axis values are WARNING or CRITICAL, from a metric's ranges. Pure. */
#ifndef RECORDER_BANDS_H
#define RECORDER_BANDS_H

#include <stdint.h>

#include "core/model/state.h"

#define BANDS_MAX 8

struct band {
    double from, to;
    enum belfry_state state;
};

/* Warning and critical are Nagios ranges; NULL, or what is no range, gives no band. CRITICAL covers WARNING. Between
 * low and high of the axis, from low to high, touching ones of one state joined; returns how many. */
uint32_t bands_find(const char *warn, const char *crit, double low, double high, struct band out[BANDS_MAX]);

#endif
