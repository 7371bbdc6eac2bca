/* SPDX-License-Identifier: GPL-3.0-or-later */
/* now - the monotonic clock in seconds, for the durations that plugins measure. */
#ifndef PLUGINS_COMMON_NOW_H
#define PLUGINS_COMMON_NOW_H

#include <time.h>

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
