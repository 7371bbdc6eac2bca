/* SPDX-License-Identifier: GPL-3.0-or-later */
/* minimal - what the minimal programs of tests/bench/plugins.sh share: counting, and telling what a check has cost. */
#ifndef TESTS_BENCH_MINIMAL_H
#define TESTS_BENCH_MINIMAL_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double cpu_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Checks once to warm up and then count times, one every ms milliseconds; prints microseconds of CPU per check. The
 * exit status. */
static int minimal_run(char **argv, bool (*check)(void *), void *context)
{
    long n = strtol(argv[1], NULL, 10), ms = strtol(argv[2], NULL, 10);
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
    if (n < 1 || !check(context))
        return 1;
    double begin = cpu_us();
    for (long i = 0; i < n; i++) {
        if (ms > 0)
            nanosleep(&pause, NULL);
        if (!check(context))
            return 1;
    }
    printf("%.2f\n", (cpu_us() - begin) / (double)n);
    return 0;
}

#endif
