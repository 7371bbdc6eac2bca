/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scale - readable units for an axis: bytes in powers of 1024, seconds in the units of a clock, the rest with k, M, G;
 * percentages stay. */
#include "core/recorder/scale.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "belfry/plugin.h"

/* For a greatest value of at least `from`. */
struct rung {
    double from, size;
    const char *unit;
};

static const struct rung seconds[] = {
    { 2 * 86400., 86400, "d" }, { 3 * 3600., 3600, "h" }, { 600, 60, "min" }, { 1, 1, "s" },
    { 1e-3, 1e-3, "ms" },       { 0, 1e-6, "\xC2\xB5s" },
};
static const struct rung bytes[] = {
    { 0x1p50, 0x1p50, "PiB" }, { 0x1p40, 0x1p40, "TiB" }, { 0x1p30, 0x1p30, "GiB" },
    { 0x1p20, 0x1p20, "MiB" }, { 0x1p10, 0x1p10, "KiB" }, { 0, 1, "B" },
};
static const struct rung thousands[] = {
    { 1e13, 1e12, "T" }, { 1e10, 1e9, "G" }, { 1e7, 1e6, "M" }, { 1e4, 1e3, "k" }, { 0, 1, "" },
};

static const struct rung *climb(const struct rung *rung, double greatest)
{
    while (rung->from > 0 && !(greatest >= rung->from))
        rung++;
    return rung;
}

struct scale scale_choose(const char *unit, double greatest)
{
    struct scale scale = { .size = 1 };
    bool known = greatest > 0;
    if (strcmp(unit, "s") == 0) {
        const struct rung *rung = climb(seconds, known ? greatest : 1);
        scale.size = rung->size;
        snprintf(scale.unit, sizeof(scale.unit), "%s", rung->unit);
    } else if (strcmp(unit, "B") == 0 || strcmp(unit, "B/s") == 0) {
        const struct rung *rung = climb(bytes, greatest);
        scale.size = rung->size;
        snprintf(scale.unit, sizeof(scale.unit), "%s%s", rung->unit, unit + 1);
    } else if (strcmp(unit, "%") == 0) {
        snprintf(scale.unit, sizeof(scale.unit), "%%");
    } else {
        const struct rung *rung = climb(thousands, greatest);
        scale.size = rung->size;
        snprintf(scale.unit, sizeof(scale.unit), "%s%.20s", rung->unit, unit);
    }
    return scale;
}
