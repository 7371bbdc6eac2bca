/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scale - which unit an axis is written in: 0.004 s as 4 ms, 3221225472 B as 3 GiB. Pure. */
#ifndef RECORDER_SCALE_H
#define RECORDER_SCALE_H

#define SCALE_UNIT_SIZE 32

struct scale {
    double size;                /* of one shown unit: shown = value / size */
    char unit[SCALE_UNIT_SIZE]; /* "ms", "GiB", "k/s", "%" */
};

/* For values up to greatest (absolute; NaN or 0: unknown) of a recorded unit. */
struct scale scale_choose(const char *unit, double greatest);

#endif
