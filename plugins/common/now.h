/* SPDX-License-Identifier: GPL-3.0-or-later */
/* now - the monotonic clock in seconds, for the durations that plugins measure, and limits on it. */
#ifndef PLUGINS_COMMON_NOW_H
#define PLUGINS_COMMON_NOW_H

#include <stdint.h>
#include <time.h>

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Milliseconds until a time of now_s(), rounded up and never negative; -1 when until is 0: no limit. */
static inline int64_t now_left_ms(double until)
{
    double left = (until - now_s()) * 1000;
    if (until <= 0)
        return -1;
    return left > 0 ? (int64_t)left + 1 : 0;
}

#endif
