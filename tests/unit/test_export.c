/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_export - which archive is read for a span and a step, and how its points become those of the step. */
#include "core/recorder/export.h"
#include "tests/tap.h"

#define DAY 86400
#define LAST (20000ll * DAY + 1234) /* of the file */

static struct arena arena;

/* 2 days of 60 s, 2 weeks of 300 s, 2 months of 1800 s, 2 years of 6 hours */
static struct header_archive archives[] = {
    { "AVERAGE", 2880, 1, 0.5 },   { "AVERAGE", 4032, 5, 0.5 }, { "AVERAGE", 2928, 30, 0.5 },
    { "AVERAGE", 2920, 360, 0.5 }, { "MAX", 2880, 1, 0.5 },
};
static const struct header header = { .step_s = 60, .last_s = LAST, .archives = archives, .archive_count = 5 };

static void test_choose(void)
{
    static const struct {
        int64_t age_s;
        uint64_t step_s, steps;
        const char *what;
    } rows[] = {
        { DAY, 0, 1, "the finest for a day" },
        { 2 * DAY, 0, 1, "and for just as long as it reaches" },
        { 3 * DAY, 0, 5, "the finest that reaches so far" },
        { 30 * DAY, 0, 30, "likewise of a month" },
        { 3000ll * DAY, 0, 360, "the one that reaches farthest for what is older" },
        { DAY, 299, 1, "for a step below the next archive's the finest" },
        { DAY, 300, 5, "for one as long that archive" },
        { DAY, 3600, 30, "for an hour the coarsest that is not coarser" },
        { 30 * DAY, 60, 30, "what is too coarse for the step, when nothing finer reaches" },
        { 30 * DAY, 7 * DAY, 360, "a week from quarters of days" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct header_archive *archive = export_choose(&header, "AVERAGE", LAST - rows[i].age_s, rows[i].step_s);
        tap_is_int(archive ? archive->steps : 0, rows[i].steps, rows[i].what);
    }
    tap_ok(export_choose(&header, "MAX", LAST - 30 * DAY, 0) == &archives[4], "only of its function");
    tap_ok(export_choose(&header, "MIN", LAST - DAY, 0) == NULL, "none of a function that is not kept");
}

/* Two sources, a point each 60 s from 600 on: 1, 2, 3, ...; and nothing. */
static struct store_values values = { .start_s = 600, .step_s = 60, .count = 12, .source_count = 2 };
static double cells[24];

static void fill(void)
{
    for (size_t i = 0; i < 12; i++) {
        cells[2 * i] = (double)(i + 1);
        cells[2 * i + 1] = NAN;
    }
    cells[2 * 9] = NAN; /* at 1200 */
    values.values = cells;
}

static struct export_points consolidate(const char *function, int64_t since_s, int64_t until_s, uint64_t step_s)
{
    struct export_points points;
    const struct export export = { .function = function, .since_s = since_s, .until_s = until_s, .step_s = step_s };
    export_consolidate(&arena, &export, &values, 0, &points);
    return points;
}

static void test_consolidate(void)
{
    struct export_points points = consolidate("average", 600, 1320, 0);
    tap_ok(points.first_s == 660 && points.step_s == 60 && points.count == 12, "without a step the archive's own");
    tap_ok(points.values[0] == 1 && points.values[8] == 9 && isnan(points.values[9]) && points.values[11] == 12,
           "each value at the end of its time, unknown ones too");
    points = consolidate("average", 659, 779, 0);
    tap_ok(points.first_s == 660 && points.count == 2 && points.values[1] == 2, "only those that end in the time");
    points = consolidate("average", 600, 1319, 180);
    tap_ok(points.first_s == 720 && points.count == 4, "three in one, at multiples of the step");
    tap_is_near(points.values[0], 1.5, "a mean of what there is");
    tap_is_near(points.values[2], 7, "of three");
    tap_is_near(points.values[3], 10, "of what is known of three");
    tap_is_near(consolidate("min", 600, 1260, 180).values[1], 3, "the least");
    tap_is_near(consolidate("max", 600, 1260, 180).values[1], 5, "the greatest");
    points = consolidate("average", 600, 1320, 100);
    tap_ok(points.step_s == 120 && points.first_s == 720, "a step becomes a multiple of the archive's");
    tap_is_int(consolidate("average", 700, 719, 0).count, 0, "a time in which no step ends");
    points = consolidate("average", 0, 2000, 600);
    tap_ok(points.count == 3 && isnan(points.values[0]) && isfinite(points.values[2]),
           "before the first value nothing");
}

int main(void)
{
    fill();
    test_choose();
    test_consolidate();
    tap_is_text(export_function("average"), "AVERAGE", "librrd's word");
    tap_is_text(export_function("median"), NULL, "of no other function");
    arena_close(&arena);
    return tap_done();
}
