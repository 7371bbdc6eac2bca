/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clock - the two times. Durations and deadlines are monotonic (CLOCK_BOOTTIME: suspend counts); what is shown or
 * recorded is wall time. Pure rooms never call these: they take the time as an argument. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds on CLOCK_BOOTTIME. */
int64_t clock_now_ms(void);
int64_t clock_now_ns(void);
/* Milliseconds since 1970 on CLOCK_REALTIME. */
int64_t clock_wall_ms(void);

/* Both at one instant, as pure functions take them. */
struct instant {
    int64_t mono_ms;
    int64_t wall_ms;
};
struct instant clock_instant(void);

#endif
