/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clock - clock_gettime() on the two clocks; both are read without entering the kernel. */
#include "core/base/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec now = { 0 };
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_now_ms(void)
{
    return read_ns(CLOCK_BOOTTIME) / 1000000;
}

int64_t clock_now_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

struct instant clock_instant(void)
{
    return (struct instant){ .mono_ms = clock_now_ms(), .wall_ms = clock_wall_ms() };
}
