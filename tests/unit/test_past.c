/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_past - what was measured hour by hour, against exact quantiles of whole data sets; its windows, its file, and
 * tracks that learn beside real RRD files. */
#include "core/recorder/past.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/recorder/name.h"
#include "core/recorder/track.h"
#include "tests/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TODAY 20700 /* days since 1970; all in UTC */
#define DAY_S ((int64_t)86400)

static struct arena arena;
static char folder[] = "/tmp/test_past.XXXXXX";

static uint64_t seed = 11;
static double any(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 33) / (double)(1u << 31);
}

/* ---- quantiles -------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void test_quantiles(void)
{
    static const struct {
        uint32_t n;
        double values[7], p5, median, p95;
    } table[] = {
        { 1, { 3 }, 3, 3, 3 },
        { 2, { 1, 2 }, 1, 1.5, 2 },
        { 3, { 10, 20, 90 }, 10, 20, 90 },
        { 4, { 1, 2, 3, 4 }, 1, 2.5, 4 },
        { 7, { 5, 5, 5, 5, 5, 5, 5 }, 5, 5, 5 },
        { 7, { -3, -2, 0, 1, 2, 2, 8 }, -3, 1, 8 },
        { 5, { 0.1, 0.1, 0.1, 0.7, 0.7 }, 0.1, 0.1, 0.7 },
    };
    struct past_moment moments[100];
    for (size_t i = 0; i < COUNT(table); i++) {
        for (uint32_t k = 0; k < table[i].n; k++)
            moments[k] = (struct past_moment){ table[i].values[k], 1 };
        tap_ok(past_quantile(moments, table[i].n, 0.05) == table[i].p5 &&
                   past_quantile(moments, table[i].n, 0.5) == table[i].median &&
                   past_quantile(moments, table[i].n, 0.95) == table[i].p95,
               "known quantiles of set %zu", i);
    }
    for (uint32_t k = 0; k < 100; k++)
        moments[k] = (struct past_moment){ k + 1, 1 };
    tap_is_near(past_quantile(moments, 100, 0.05), 5.5, "1 to 100: p5");
    tap_is_near(past_quantile(moments, 100, 0.5), 50.5, "median");
    tap_is_near(past_quantile(moments, 100, 0.95), 95.5, "p95");
    const struct past_moment heavy[] = { { 1, 10 }, { 2, 80 }, { 3, 10 } };
    tap_is_near(past_quantile(heavy, 3, 0.5), 2, "weights count");
    tap_is_near(past_quantile(heavy, 3, 0.05), 1, "at both ends");
}

/* ---- the estimate ----------------------------------------------------------------------------------------------- */

static double draw(unsigned kind)
{
    double x = any();
    switch (kind) {
    case 0:
        return x; /* even */
    case 1:
        return -log(1 - x * 0.999999); /* a long tail, as latencies have */
    case 2:
        return x < 0.3 ? 1 + any() : 9 + any(); /* two heaps */
    case 3:
        return floor(x * 4); /* few values */
    default:
        return 1e12 + 1e6 * (any() + any()); /* large numbers */
    }
}

/* The part of n ascending values that is below value; of equal ones the half. */
static double rank_of(const double *values, uint32_t n, double value)
{
    double below = 0;
    for (uint32_t i = 0; i < n; i++)
        below += values[i] < value ? 1 : values[i] == value ? 0.5 : 0;
    return below / n;
}

/* Whether the estimate stands where it should, give or take 2 % of the samples; a value that many samples have may
 * stand for all ranks that they cover. */
static bool is_close(const double *values, uint32_t n, double estimate, double share)
{
    double off = fabs(rank_of(values, n, estimate) - share), same = 0;
    for (uint32_t i = 0; i < n; i++)
        same += values[i] == estimate;
    return off <= 0.02 + same / n / 2;
}

static void test_estimate(unsigned kind, uint32_t samples)
{
    static struct past_metric metric;
    static double values[7 * 4000];
    uint32_t n = 0;
    struct past_hour hour = { 0 };
    struct baseline_table table;
    memset(&metric, 0, sizeof metric);
    for (int32_t day = TODAY - 7; day < TODAY; day++) {
        for (uint32_t i = 0; i < samples; i++)
            past_add(&hour, values[n++] = draw(kind));
        past_settle(&metric, (struct local_hour){ day, 9 }, &hour);
    }
    past_hour_close(&hour);
    qsort(values, n, sizeof *values, compare);
    past_compute(&metric, (struct local_hour){ TODAY, 8 }, false, &table);
    const struct baseline *got = &table.hours[9];
    tap_ok(got->samples == n && got->days == 7, "kind %u, %u an hour: all count", kind, samples);
    tap_ok(is_close(values, n, got->figures[FIGURE_P5], 0.05), "p5 %g is %.4f", got->figures[FIGURE_P5],
           rank_of(values, n, got->figures[FIGURE_P5]));
    tap_ok(is_close(values, n, got->figures[FIGURE_MEDIAN], 0.5), "the median %g is %.4f", got->figures[FIGURE_MEDIAN],
           rank_of(values, n, got->figures[FIGURE_MEDIAN]));
    tap_ok(is_close(values, n, got->figures[FIGURE_P95], 0.95), "p95 %g is %.4f", got->figures[FIGURE_P95],
           rank_of(values, n, got->figures[FIGURE_P95]));
}

static void test_estimates(void)
{
    static const uint32_t samples[] = { 12, 60, 360, 3600 };
    for (unsigned kind = 0; kind < 5; kind++)
        for (size_t i = 0; i < COUNT(samples); i++)
            test_estimate(kind, samples[i]);
}

static void test_exact(void)
{
    static struct past_metric metric;
    struct past_hour hour = { 0 };
    struct baseline_table table;
    for (int32_t day = TODAY - 7; day < TODAY; day++) {
        for (int i = 0; i < 3600; i++)
            past_add(&hour, 0.7);
        past_settle(&metric, (struct local_hour){ day, 0 }, &hour);
    }
    past_compute(&metric, (struct local_hour){ TODAY, 0 }, false, &table);
    tap_ok(table.hours[0].figures[FIGURE_MEDIAN] == 0.7 && table.hours[0].figures[FIGURE_P5] == 0.7 &&
               table.hours[0].figures[FIGURE_P95] == 0.7,
           "what is always the same is exactly that");
    metric.cells[TODAY % PAST_DAYS][5].count = 0;
    for (int i = 0; i < 3600; i++)
        past_add(&hour, i);
    past_settle(&metric, (struct local_hour){ TODAY, 5 }, &hour);
    const struct past_cell *cell = &metric.cells[TODAY % PAST_DAYS][5];
    tap_ok(cell->kept == PAST_VALUES && cell->count == 3600 && fabs(cell->values[0] - 90) < 20 &&
               fabs(cell->values[10] - 1890) < 20 && fabs(cell->values[19] - 3510) < 20,
           "early and late samples of a long hour count the same: %g, %g, %g", cell->values[0], cell->values[10],
           cell->values[19]);
    past_add(&hour, NAN);
    past_add(&hour, INFINITY);
    past_add(&hour, -1e301);
    tap_is_int(hour.seen, 0, "no sample is none");
    past_hour_close(&hour);
}

/* ---- windows ---------------------------------------------------------------------------------------------------- */

static void put(struct past_metric *metric, int32_t day, uint32_t at, double value, int times)
{
    struct past_hour hour = { 0 };
    while (times-- > 0)
        past_add(&hour, value);
    past_settle(metric, (struct local_hour){ day, at }, &hour);
    past_hour_close(&hour);
}

static void test_windows(void)
{
    static struct past_metric metric;
    struct baseline_table table;
    for (int32_t day = TODAY - 7; day <= TODAY; day++)
        put(&metric, day, 9, day, 4);
    past_compute(&metric, (struct local_hour){ TODAY, 9 }, false, &table);
    tap_ok(table.hours[9].samples == 28 && table.hours[9].days == 7 &&
               table.hours[9].figures[FIGURE_MEDIAN] == TODAY - 4,
           "while the hour lasts: the seven days before");
    past_compute(&metric, (struct local_hour){ TODAY, 10 }, false, &table);
    tap_is_near(table.hours[9].figures[FIGURE_MEDIAN], TODAY - 3, "when it is over: as of tomorrow, today counts");
    tap_is_int(table.hours[9].samples, 28, "and the oldest no more");
    tap_is_int(table.hours[8].samples + table.hours[10].samples, 0, "other hours have nothing of it");
    struct baseline then;
    past_compare(&metric, (struct local_hour){ TODAY, 9 }, false, &then);
    tap_ok(then.days == 7 && then.figures[FIGURE_MEDIAN] == TODAY - 4, "today's value is compared with days before");
    past_compare(&metric, (struct local_hour){ TODAY - 1, 9 }, false, &then);
    tap_ok(then.days == 6 && then.figures[FIGURE_MEDIAN] == TODAY - 4.5, "that of yesterday with those still known");
    past_compare(&metric, (struct local_hour){ TODAY, 8 }, false, &then);
    tap_is_int(then.days, 0, "an hour without samples with none");
    past_compare(&metric, (struct local_hour){ TODAY, 8 }, true, &then);
    tap_ok(then.rare && then.days == 7 && then.figures[FIGURE_MEDIAN] == TODAY - 3, "a rare metric with all hours");
    past_compute(&metric, (struct local_hour){ TODAY + 4, 8 }, false, &table);
    tap_ok(table.hours[9].days == 4 && table.hours[9].samples == 16, "days without samples are missing");
    past_compute(&metric, (struct local_hour){ TODAY + 20, 8 }, false, &table);
    tap_is_int(table.hours[9].samples, 0, "and in the end nothing is left");
    past_compute(&metric, (struct local_hour){ TODAY, 12 }, true, &table);
    tap_ok(table.hours[3].rare && table.hours[3].samples == 28 && table.hours[3].days == 7 &&
               table.hours[3].figures[FIGURE_MEDIAN] == TODAY - 3,
           "rare: all hours have it, with today's");
    put(&metric, TODAY, 9, TODAY, 5);
    past_compute(&metric, (struct local_hour){ TODAY, 10 }, false, &table);
    tap_is_int(table.hours[9].samples, 33, "an hour that comes in two pieces is one");
    put(&metric, TODAY + 1, 9, 1, 1);
    past_compute(&metric, (struct local_hour){ TODAY + 1, 10 }, false, &table);
    tap_is_int(table.hours[9].samples, 4 * 5 + 9 + 1, "a week later its place is taken");
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static void overwrite(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        tap_ok(false, "'%s' can't be written", path);
}

/* Bytes of somebody who knows how to hash: what is taken can be computed with. */
static void test_hostile(const char *path, const char *bytes, size_t length)
{
    char *changed = arena_alloc(&arena, length);
    uint32_t taken = 0;
    for (int i = 0; i < 5000; i++) {
        struct arena scratch = { 0 };
        struct past past;
        struct baseline_table table;
        struct buf hash = { 0 };
        memcpy(changed, bytes, length);
        for (int k = (int)(any() * 4); k >= 0; k--)
            changed[(size_t)(any() * (double)(length - 8))] = (char)(any() < 0.5 ? 255 * (any() < 0.5) : any() * 256);
        wire_put_u64(&hash, text_hash_more(0, changed, length - 8));
        memcpy(changed + length - 8, hash.data, 8);
        overwrite(path, changed, length);
        taken += past_read(&scratch, path, &past, NULL) == 0;
        for (uint32_t k = 0; k < past.count; k++)
            past_compute(&past.metrics[k], (struct local_hour){ TODAY, 9 }, k % 2, &table);
        buf_close(&hash);
        arena_close(&scratch);
    }
    tap_ok(taken > 0 && taken < 5000, "%u of 5000 changed files are taken", taken);
}

static void test_file(void)
{
    struct past_metric *metrics = arena_array(&arena, 2, sizeof *metrics);
    struct past past = { .last_s = TODAY * DAY_S, .metrics = metrics, .count = 2 }, again;
    const char *path = file_join(&arena, folder, "x.rrd.past");
    char *bytes;
    size_t length, refused = 0;
    metrics[0].name = "took";
    metrics[1].name = "50% <odd>";
    put(&metrics[0], TODAY, 9, 0.1, 400);
    put(&metrics[0], TODAY - 1, 9, 3, 2);
    tap_is_int(past_read(&arena, path, &again, NULL), -ENOENT, "there is none");
    umask(022);
    tap_is_int(past_write(path, &past, NULL), 0, "written");
    struct stat st;
    tap_ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0644, "who may read the RRD file may read it, too, to draw");
    tap_is_int(past_read(&arena, path, &again, NULL), 0, "and read");
    const struct past_metric *took = past_find(&again, "took");
    tap_ok(again.last_s == past.last_s && again.count == 2 && took && past_find(&again, "50% <odd>") &&
               !past_find(&again, "too"),
           "with its metrics");
    tap_ok(took && memcmp(took->cells, metrics[0].cells, sizeof took->cells) == 0, "and their cells");
    file_read(&arena, path, 1 << 20, &bytes, &length);
    for (size_t i = 0; i < length; i++) {
        bytes[i] ^= 0x10;
        overwrite(path, bytes, length);
        refused += past_read(&arena, path, &again, NULL) == ERROR_DAMAGED && again.count == 0;
        bytes[i] ^= 0x10;
    }
    tap_is_int(refused, length, "no byte can be changed");
    refused = 0;
    for (size_t i = 0; i < length; i++) {
        overwrite(path, bytes, i);
        refused += past_read(&arena, path, &again, NULL) == ERROR_DAMAGED;
    }
    tap_is_int(refused, length, "and nothing be cut off");
    test_hostile(path, bytes, length);
    struct why why = { "" };
    tap_ok(past_write("/proc/none/x.past", &past, &why) < 0 && strstr(why.text, "x.past"), "%s", why.text);
}

/* ---- tracks ----------------------------------------------------------------------------------------------------- */

static struct {
    bool deaf;
    uint32_t count; /* of tables that were told */
    char metric[80];
    struct baseline_table table;
} told;

static bool on_learnt(void *context, uint32_t slot, const char *metric, const struct baseline_table *table)
{
    (void)context;
    if (told.deaf || slot != 3)
        return false;
    told.count++;
    text_copy(told.metric, sizeof told.metric, metric);
    told.table = *table;
    return true;
}

static void on_report(void *context, enum log_level level, uint32_t slot, const char *text)
{
    (void)context;
    (void)slot;
    if (level == LOG_LEVEL_ERROR)
        tap_ok(false, "%s", text);
}

static struct track_room room = { .folder = folder, .report = on_report, .learnt = on_learnt };

static struct track *open_track(const char *check, uint32_t step_s, const char *metric, const char *was, bool baseline)
{
    struct series_source sources[] = {
        { .metric = "other", .min = NAN, .max = NAN, .unit = "" },
        { .metric = metric, .min = NAN, .max = NAN, .unit = "s", .was = was, .baseline = baseline },
        { .metric = "count", .kind = BELFRY_COUNTER, .min = NAN, .max = NAN, .unit = "c", .baseline = baseline },
    };
    struct series_archive archives[] = { { step_s, 2 * 86400 }, { 300, 14 * 86400 } };
    const struct series series = { .check = check,
                                   .step_s = step_s,
                                   .heartbeat_s = 5 * step_s / 2,
                                   .sources = sources,
                                   .source_count = 3,
                                   .archives = archives,
                                   .archive_count = 2 };
    struct buf payload = { 0 };
    series_encode(&payload, &series);
    struct track *track = track_open(3, payload.data, payload.length);
    buf_close(&payload);
    return track;
}

/* From since on for so long, each step: the day since TODAY - 8 in hour 9, else 1000. */
static void feed(struct track *track, int64_t since_s, int64_t span_s, uint32_t step_s)
{
    for (int64_t t = since_s; t < since_s + span_s; t += step_s) {
        bool nine = t % DAY_S / 3600 == 9;
        double values[] = { 5, nine ? (double)(t / DAY_S - TODAY + 8) : 1000, (double)(t - since_s) };
        track_add(track, &room, t * 1000, values, t);
        if (t % 300 == 0)
            track_flush(track, &room, t);
    }
    track_flush(track, &room, since_s + span_s);
}

static const char *past_of(const char *check)
{
    return arena_print(&arena, "%s" PAST_SUFFIX, name_file(&arena, folder, check, NULL));
}

static bool has_metric(const char *check, const char *metric)
{
    struct past past;
    return past_read(&arena, past_of(check), &past, NULL) == 0 && past_find(&past, metric) && past.count == 1;
}

#define START ((TODAY - 8) * DAY_S)
#define NOON (TODAY * DAY_S + 12 * 3600)

static void test_learning(void)
{
    struct past past;
    struct track *track = open_track("a/frequent", 60, "took", NULL, true);
    told.count = 0;
    feed(track, START, NOON - START, 60);
    tap_is_int(told.count, (NOON - START) / 3600, "told when an hour begins");
    tap_is_text(told.metric, "took", "of the one metric that asks for it and is no counter");
    const struct baseline *nine = &told.table.hours[9], *noon = &told.table.hours[11];
    tap_ok(nine->samples == 7 * 60 && nine->days == 7 && nine->figures[FIGURE_MEDIAN] == 5 && !nine->rare,
           "nine o'clock is the median of its seven days: %g", nine->figures[FIGURE_MEDIAN]);
    tap_ok(nine->figures[FIGURE_P5] == 2 && nine->figures[FIGURE_P95] == 8, "and their percentiles");
    tap_is_near(noon->figures[FIGURE_MEDIAN], 1000, "another hour has its own");
    tap_ok(told.table.at_s >= NOON - 3600 && told.table.at_s < NOON, "as of the last sample");
    tap_ok(access(past_of("a/frequent"), F_OK) == 0, "it stands beside the RRD file");

    /* a clean end in the middle of an hour, and a new beginning */
    track_settle(track, &room, NOON);
    track_close(&track);
    told.count = 0;
    track = open_track("a/frequent", 60, "took", NULL, true);
    feed(track, NOON, 60, 60);
    tap_is_int(told.count, 1, "told at the first sample");
    feed(track, NOON + 60, 3600, 60);
    tap_is_int(told.table.hours[11].samples, 7 * 60, "a restart costs no sample");
    tap_is_int(told.table.hours[12].samples, 7 * 60, "also of the hour after it");

    /* what the write-ahead file brings once more */
    track_settle(track, &room, NOON + 3660);
    track_close(&track);
    track = open_track("a/frequent", 60, "took", NULL, true);
    for (int64_t t = NOON + 1800; t <= NOON + 3600; t += 60)
        track_add(track, &room, t * 1000, (const double[]){ 5, 1000, 0 }, t);
    track_flush(track, &room, NOON + 3660);
    past_read(&arena, past_of("a/frequent"), &past, NULL);
    tap_is_int(past_find(&past, "took")->cells[TODAY % PAST_DAYS][12].count, 60, "no sample counts twice");

    /* a kill: what the file does not have is in the archives */
    feed(track, NOON + 3660, 1800, 60);
    track_close(&track);
    track = open_track("a/frequent", 60, "took", NULL, true);
    told.count = 0;
    feed(track, NOON + 5460, 3600, 60);
    tap_ok(told.table.hours[13].samples >= 7 * 60 - 1 && told.table.hours[13].samples <= 7 * 60,
           "nor does a kill, but that a mean is of the hour before it: %u", told.table.hours[13].samples);
    track_settle(track, &room, NOON + 9060);
    track_close(&track);
}

static void test_rebuilding(void)
{
    const char *path = past_of("a/frequent");
    struct track *track = open_track("a/frequent", 60, "took", NULL, true);
    tap_is_int(truncate(path, 100), 0, "the file is damaged");
    told.count = 0;
    feed(track, NOON + 9060, 60, 60);
    const struct baseline *nine = &told.table.hours[9];
    tap_ok(nine->days == 7 && nine->samples >= 7 * 11 && nine->samples <= 7 * 13,
           "a damaged file is made again from five-minute means: %u samples", nine->samples);
    tap_ok(fabs(nine->figures[FIGURE_MEDIAN] - 5) < 0.01, "with the same median: %g", nine->figures[FIGURE_MEDIAN]);
    feed(track, NOON + 9120, 60, 60);
    unlink(path);
    feed(track, NOON + 9180, 3600, 60);
    tap_ok(told.table.hours[9].days == 7 && access(path, F_OK) == 0, "one that vanishes while it runs, too");
    told.deaf = true;
    told.count = 0;
    feed(track, NOON + 12780, 3600, 60);
    told.deaf = false;
    feed(track, NOON + 16380, 60, 60);
    tap_is_int(told.count, 1, "who did not listen is told again");
    track_settle(track, &room, NOON + 16440);
    track_close(&track);
}

static void test_names(void)
{
    struct track *track = open_track("a/frequent", 60, "took", NULL, true);
    unlink(past_of("a/frequent"));
    feed(track, NOON + DAY_S, 7 * DAY_S, 60);
    track_settle(track, &room, NOON + 8 * DAY_S);
    track_close(&track);
    track = open_track("a/frequent", 60, "duration", "took", true);
    told.count = 0;
    feed(track, NOON + 8 * DAY_S, 3600, 60);
    tap_ok(told.table.hours[9].samples == 7 * 60 && told.table.hours[9].figures[FIGURE_MEDIAN] == 13,
           "a new name takes over what the old one had");
    tap_is_text(told.metric, "duration", "under its own");
    track_settle(track, &room, NOON + 8 * DAY_S + 3600);
    tap_ok(has_metric("a/frequent", "duration"), "and the old one is gone from the file");
    track_close(&track);
    track = open_track("a/frequent", 60, "duration", "took", false);
    feed(track, NOON + 8 * DAY_S + 3600, 60, 60);
    tap_ok(access(past_of("a/frequent"), F_OK) != 0, "when nobody asks any more there is no file");
    track_close(&track);
    track = open_track("a/frequent", 60, "duration", "took", true);
    feed(track, NOON + 8 * DAY_S + 3660, 60, 60);
    tap_ok(told.table.hours[9].days == 7, "when somebody asks again the past is known at once");
    track_settle(track, &room, NOON + 8 * DAY_S + 3720);
    track_close(&track);
}

static void test_rare(void)
{
    struct track *track = open_track("a/rare", 86400, "took", NULL, true);
    told.count = 0;
    for (int64_t day = 0; day < 4; day++) {
        double values[] = { 0, 10 + (double)day, 0 };
        int64_t at_s = START + day * DAY_S + 3 * 3600;
        track_add(track, &room, at_s * 1000, values, at_s);
        track_flush(track, &room, at_s);
        tap_is_int(told.table.hours[17].samples, day + 1, "each run of a rare job counts at once");
        tap_ok(baseline_tells(&told.table.hours[17]) == (day >= 2), "three are enough");
        track_close(&track); /* killed */
        track = open_track("a/rare", 86400, "took", NULL, true);
    }
    tap_is_near(told.table.hours[17].figures[FIGURE_MEDIAN], 11.5, "at all hours the median of the runs");
    track_close(&track);
    track = open_track("a/half", 1800, "took", NULL, true);
    for (int64_t at_s = NOON; at_s < NOON + 3600; at_s += 1800) {
        double values[] = { 0, 1, 0 };
        track_add(track, &room, at_s * 1000, values, at_s);
        track_flush(track, &room, at_s);
    }
    tap_is_int(told.table.hours[0].samples, 2, "also two in one hour");
    track_close(&track);
}

/* A file of before a clock was set back must not stop the learning. */
static void test_future(void)
{
    struct past_metric *metric = arena_array(&arena, 1, sizeof *metric);
    metric->name = "took";
    put(metric, TODAY, 9, 1, 50);
    struct track *track = open_track("a/future", 60, "took", NULL, true);
    feed(track, NOON, 60, 60);
    track_settle(track, &room, NOON);
    track_close(&track);
    past_write(past_of("a/future"), &(struct past){ .last_s = NOON + 400 * DAY_S, .metrics = metric, .count = 1 },
               NULL);
    track = open_track("a/future", 60, "took", NULL, true);
    feed(track, NOON + 60, 3600, 60);
    tap_ok(told.table.hours[12].samples >= 59 && told.table.hours[9].samples == 0, "a past from the future is none");
    track_close(&track);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    if (!mkdtemp(folder))
        return 1;
    test_quantiles();
    test_exact();
    test_estimates();
    test_windows();
    test_file();
    test_learning();
    test_rebuilding();
    test_names();
    test_rare();
    test_future();
    arena_close(&arena);
    arena_close(&room.scratch);
    if (system(arena_print(&arena, "rm -rf %s", folder)) != 0)
        return 1;
    arena_close(&arena);
    return tap_done();
}
