/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bands - the ends of the ranges cut the axis into pieces; what the middle of a piece is, all of it is. */
#include "core/recorder/bands.h"

#include <math.h>
#include <stddef.h>

#include "core/model/range.h"

#define CUTS_MAX 6 /* the ends of two ranges and of the axis */

static void add_cut(double cuts[CUTS_MAX], int *count, double cut, double high)
{
    int at = *count;
    if (!isfinite(cut) || cut <= cuts[0] || cut >= high)
        return;
    for (; at > 1 && cuts[at - 1] > cut; at--)
        cuts[at] = cuts[at - 1];
    cuts[at] = cut;
    ++*count;
}

static enum belfry_state judge(const struct range ranges[2], double value)
{
    if (range_alerts(&ranges[1], value))
        return BELFRY_CRITICAL;
    return range_alerts(&ranges[0], value) ? BELFRY_WARNING : BELFRY_OK;
}

static uint32_t add_band(struct band *out, uint32_t count, const struct band *band)
{
    if (count && out[count - 1].state == band->state && out[count - 1].to >= band->from) {
        out[count - 1].to = band->to;
        return count;
    }
    out[count] = *band;
    return count + 1;
}

uint32_t bands_find(const char *warn, const char *crit, double low, double high, struct band out[BANDS_MAX])
{
    const char *const texts[2] = { warn, crit };
    struct range ranges[2] = { { 0 }, { 0 } };
    double cuts[CUTS_MAX] = { low };
    int cut_count = 1;
    uint32_t count = 0;
    for (int i = 0; i < 2; i++) {
        if (!texts[i] || range_parse(texts[i], &ranges[i], NULL) != 0)
            continue;
        add_cut(cuts, &cut_count, ranges[i].start, high);
        add_cut(cuts, &cut_count, ranges[i].end, high);
    }
    for (int i = 0; i < cut_count; i++) {
        double to = i + 1 < cut_count ? cuts[i + 1] : high;
        struct band band = { cuts[i], to, judge(ranges, cuts[i] / 2 + to / 2) };
        if (band.state != BELFRY_OK && to > cuts[i])
            count = add_band(out, count, &band);
    }
    return count;
}
