/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recorder - names, headers, layouts, legends, and tracks writing real RRD files into a scratch folder. */
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/map.h"
#include "core/recorder/args.h"
#include "core/recorder/header.h"
#include "core/recorder/layout.h"
#include "core/recorder/figures.h"
#include "core/recorder/legend.h"
#include "core/recorder/name.h"
#include "core/recorder/retain.h"
#include "core/recorder/scale.h"
#include "core/recorder/store.h"
#include "core/recorder/track.h"
#include "tests/tap.h"

#define NOW 1763700000 /* a multiple of 300 */

static struct arena arena;
static char folder[] = "/tmp/test_recorder.XXXXXX";

/* A small generator with a seed, the same on every machine. */
static uint64_t seed = 42;
static uint32_t any(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static bool is_source_name(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= 19 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == length;
}

/* Text with few different letters, so that near collisions are many. */
static char *any_name(void)
{
    static const char *const pieces[] = {
        "a", "b", "_", "A", "2", " ", "/", ".", "%", "~", "\xC3\xA4", "memory_", "%41"
    };
    struct buf out = { 0 };
    for (uint32_t n = 1 + any(24); n > 0; n--)
        buf_text(&out, pieces[any(sizeof(pieces) / sizeof(*pieces))]);
    char *name = arena_text(&arena, out.data);
    buf_close(&out);
    return name;
}

static char *map_source(const char *name)
{
    char out[NAME_SOURCE_SIZE];
    return arena_text(&arena, name_source(out, name));
}

static char *map_part(const char *name)
{
    return name_part(&arena, name);
}

static bool is_part_file(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= NAME_PART_MAX && name[0] != '.' && !strpbrk(name, "/:\\ ");
}

/* No two of many names may get the same image; and the image of an image is again its own. */
static void check_injective(char *(*image)(const char *), bool (*is_good)(const char *), const char *what)
{
    struct map seen = { 0 };
    bool good = true, shape = true;
    for (int i = 0; i < 40000; i++) {
        char *name = any_name();
        for (int round = 0; round < 2; round++) {
            char *mapped = image(name);
            shape = shape && is_good(mapped);
            const char *other = map_get(&seen, mapped);
            if (!other)
                map_put(&seen, mapped, name);
            else if (strcmp(other, name) != 0)
                good = tap_ok(false, "'%s' and '%s' are both '%s'", name, other, mapped);
            name = mapped;
        }
    }
    tap_ok(good, "%s: 80000 names, no two the same", what);
    tap_ok(shape, "%s: every one is well formed", what);
    map_close(&seen);
    arena_reset(&arena);
}

static void test_names(void)
{
    char out[NAME_SOURCE_SIZE], again[NAME_SOURCE_SIZE];
    tap_is_text(name_source(out, "latency"), "latency", "a short name stays");
    tap_is_text(name_source(out, "abcdefghijklmnopqrs"), "abcdefghijklmnopqrs", "19 characters stay");
    name_source(out, "abcdefghijklmnopqrst");
    tap_ok(strncmp(out, "abcdefgh_", 9) == 0 && strlen(out) == 19, "20 characters are cut and hashed: %s", out);
    name_source(again, out);
    tap_ok(strcmp(out, again) != 0, "a name that looks made is hashed itself");
    tap_ok(is_source_name(name_source(out, "")), "the empty name has one, too: %s", out);
    tap_is_text(name_part(&arena, "web-1.example"), "web-1.example", "a plain part stays");
    tap_is_text(name_part(&arena, "/var"), "%2Fvar", "a slash is escaped");
    tap_is_text(name_part(&arena, "web 1%"), "web%201%25", "a blank and a percent sign are escaped");
    tap_is_text(name_part(&arena, ".."), "%2E.", "no part names a folder");
    tap_is_text(name_file(&arena, "/r", "disk/space@web1", "/var"), "/r/disk/space@web1/%2Fvar.rrd", "file of a part");
    tap_is_text(name_file(&arena, "/r", "redis/server", NULL), "/r/redis/server.rrd", "file of a check");
    tap_ok(!name_file(&arena, "/r", "../etc", NULL) && !name_file(&arena, "/r", "a/b", ""), "no file for a bad id");
    check_injective(map_source, is_source_name, "data sources");
    check_injective(map_part, is_part_file, "parts");
}

/* ---- series and tracks ------------------------------------------------------------------------------------------ */

static struct series_source sources[] = {
    { .metric = "latency", .kind = BELFRY_GAUGE, .min = 0, .max = NAN, .unit = "s", .warn = "0.1", .crit = "~:0.5" },
    { .metric = "requests since the start", .kind = BELFRY_COUNTER, .min = NAN, .max = NAN, .unit = "c" },
    { .metric = "memory", .kind = BELFRY_GAUGE, .min = NAN, .max = NAN, .unit = "B", .warn = "", .crit = "" },
};
static struct series_archive archives[] = { { 10, 3600 }, { 60, 86400 } };

static struct series make_series(const char *check, uint32_t count, uint32_t step_s)
{
    return (struct series){ .check = check,
                            .step_s = step_s,
                            .heartbeat_s = step_s * 5 / 2,
                            .sources = sources,
                            .source_count = count,
                            .archives = archives,
                            .archive_count = 2 };
}

static char reports[4096];
static int report_count;

static void on_report(void *context, enum log_level level, uint32_t slot, const char *text)
{
    (void)context;
    (void)slot;
    size_t used = strlen(reports);
    snprintf(reports + used, sizeof(reports) - used, "%d %s\n", (int)level, text);
    report_count++;
}

static void clear_reports(void)
{
    reports[0] = '\0';
    report_count = 0;
}

static struct track_room room = { .folder = folder, .report = on_report };

static struct track *open_track(const struct series *series)
{
    struct buf payload = { 0 };
    series_encode(&payload, series);
    struct track *track = track_open(7, payload.data, payload.length);
    buf_close(&payload);
    return track;
}

static void add(struct track *track, int64_t at_s, double a, double b, double c)
{
    double values[] = { a, b, c };
    track_add(track, &room, at_s * 1000 + 250, values, NOW);
}

static char *path_of(const char *check)
{
    return name_file(&arena, folder, check, NULL);
}

/* The value that the file has for the step ending at at_s. */
static double value_at(const char *path, const char *function, const char *metric, int64_t at_s, uint64_t step_s)
{
    char source[NAME_SOURCE_SIZE];
    struct store_fetch fetch = {
        .path = path, .function = function, .since_s = at_s - (int64_t)step_s, .until_s = at_s, .step_s = step_s
    };
    struct store_values values;
    struct why why;
    double found = NAN;
    if (store_fetch(&fetch, &values, &why) != 0) {
        tap_ok(false, "fetch: %s", why.text);
        return NAN;
    }
    name_source(source, metric);
    for (uint64_t i = 0; i < values.count; i++)
        for (uint64_t s = 0; s < values.source_count; s++)
            if (values.start_s + (int64_t)((i + 1) * values.step_s) == at_s && strcmp(values.sources[s], source) == 0)
                found = values.values[i * values.source_count + s];
    store_values_close(&values);
    return found;
}

static void test_write(void)
{
    struct series series = make_series("redis/server", 3, 10);
    struct track *track = open_track(&series);
    char *path = path_of("redis/server");
    struct stat st;
    clear_reports();
    tap_ok(stat(path, &st) != 0, "no file before the first flush");
    for (int i = 0; i < 60; i++)
        add(track, NOW - 600 + 10 * i, i, 1000.0 * i, 1e15 + 0.125 * i);
    track_flush(track, &room, NOW);
    tap_ok(stat(path, &st) == 0 && report_count == 1, "one flush makes the file: %s", reports);
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 300, 10), 30, "a gauge");
    tap_is_near(value_at(path, "AVERAGE", "requests since the start", NOW - 300, 10), 100, "a counter is a rate");
    tap_is_near(value_at(path, "AVERAGE", "memory", NOW - 300, 10), 1e15 + 3.75, "a large value is exact");
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 300, 60), 27.5, "a mean over a minute");
    tap_is_near(value_at(path, "MIN", "latency", NOW - 300, 60), 25, "the least of a minute");
    tap_is_near(value_at(path, "MAX", "latency", NOW - 300, 60), 30, "the greatest of a minute");
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 600, 10), 0, "the first sample counts");
    tap_is_int(room.counts.rows, 60, "60 rows");
    tap_is_int(room.counts.updates, 1, "in one update");
    track_close(&track);
    tap_ok(track == NULL, "closed");
}

static char *read_whole(const char *path, size_t *length);

/* Of the file that test_write() made: latency 0 to 59. */
static void test_figures(void)
{
    char *path = path_of("redis/server");
    const struct figures_source from[] = { { path, "latency" }, { path, "requests_LPRNSKZS6Y" }, { path, "latency" } };
    struct figures_span span = { NOW - 610, NOW - 10, 10 };
    struct figures figures[3];
    struct why why = { "" };
    double total = NAN;
    tap_is_int(figures_read(&span, from, 3, figures, &why), 0, "figures are read");
    tap_is_near(figures[0].last, 59, "the last");
    tap_is_near(figures[0].least, 0, "the least");
    tap_is_near(figures[0].mean, 29.5, "the mean");
    tap_is_near(figures[0].greatest, 59, "the greatest");
    tap_ok(isnan(figures[1].last) && isnan(figures[1].mean), "none of a source that is not there");
    tap_is_near(figures[2].greatest, 59, "and those behind it");
    tap_ok(figures_read_total(&span, from, 3, &total, &why) == 0 && fabs(total - 118) < 1e-6,
           "a stack of two is %g high", total);

    struct figures means[6] = { { .mean = 3 }, { .mean = NAN }, { .mean = 9 },
                                { .mean = 1 }, { .mean = 3 },   { .mean = 7 } };
    bool chosen[6] = { true, true, true, true, true, false };
    tap_is_int(figures_keep_greatest(means, chosen, 6, 2), 3, "of five chosen two stay");
    tap_ok(chosen[0] && !chosen[1] && chosen[2] && !chosen[3] && !chosen[4] && !chosen[5],
           "the greatest, of equal ones the first, and none that was not chosen");
}

static void test_times(void)
{
    struct series_archive seconds[] = { { 1, 600 } };
    struct series series = make_series("redis/times", 3, 1);
    series.archives = seconds;
    series.archive_count = 1;
    struct track *track = open_track(&series);
    memset(&room.counts, 0, sizeof(room.counts));
    add(track, NOW - 20, 1, 1, 1);
    add(track, NOW - 19, 1, 1, 1);
    add(track, NOW - 19, 5, 1, 1);
    tap_is_int(room.counts.coalesced, 1, "the same second is coalesced");
    add(track, NOW - 30, 9, 9, 9);
    tap_is_int(room.counts.late, 1, "a time before the last waiting one is skipped");
    track_flush(track, &room, NOW);
    tap_is_near(value_at(path_of("redis/times"), "AVERAGE", "latency", NOW - 19, 1), 5, "the last of a second wins");
    add(track, NOW - 19, 7, 7, 7);
    add(track, NOW - 25, 7, 7, 7);
    tap_is_int(room.counts.late, 3, "what the file has already is skipped");
    add(track, 5, 1, 1, 1);
    add(track, -1, 1, 1, 1);
    add(track, NOW + 7200, 1, 1, 1);
    add(track, INT64_MAX / 1000 - 1, 1, 1, 1);
    tap_is_int(room.counts.refused, 4, "absurd times are refused");
    tap_is_int(track->row_count, 0, "and nothing of them waits");
    track_close(&track);
    track = open_track(&series);
    add(track, NOW - 40, 3, 3, 3);
    add(track, NOW - 18, 4, 4, 4);
    track_flush(track, &room, NOW);
    tap_is_int(room.counts.late, 4, "a new track skips what the file has");
    tap_is_near(value_at(path_of("redis/times"), "AVERAGE", "latency", NOW - 18, 1), 4, "and writes what is newer");
    tap_is_int(room.counts.lost, 0, "nothing was lost");
    track_close(&track);
}

static void test_values(void)
{
    struct series series = make_series("redis/values", 3, 10);
    struct track *track = open_track(&series);
    static const double good[] = { 0, -0.0, 1e-300, 5e-324, 1e299, 0.1, 123456789.123456789, 1e22 };
    static const double bad[] = { NAN, INFINITY, -INFINITY, DBL_MAX };
    int64_t at = NOW - 1000;
    memset(&room.counts, 0, sizeof(room.counts));
    setlocale(LC_ALL, "");
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        printf("# no German locale here\n");
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++, at += 10)
        add(track, at, (double)i, 10.0 * (double)i, good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++, at += 10)
        add(track, at, 1, 1e25, bad[i]);
    add(track, at, -5, 1, 1);
    track_flush(track, &room, NOW);
    setlocale(LC_ALL, "C");
    tap_is_int(room.counts.lost, 0, "every value can be written");
    if (room.counts.lost)
        printf("# %s\n", reports);
    at = NOW - 1000;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++, at += 10)
        tap_is_near(value_at(path_of("redis/values"), "AVERAGE", "memory", at, 10), good[i], "a number survives");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++, at += 10)
        tap_ok(isnan(value_at(path_of("redis/values"), "AVERAGE", "memory", at, 10)), "what is no number is unknown");
    tap_ok(isnan(value_at(path_of("redis/values"), "AVERAGE", "latency", at, 10)), "what is out of bounds is unknown");
    track_close(&track);
}

static void test_counter(void)
{
    struct series series = make_series("redis/counter", 3, 10);
    struct track *track = open_track(&series);
    static const double totals[] = { 1e6, 1e6 + 50, 1e6 + 150, 20, 120 };
    for (int i = 0; i < 5; i++)
        add(track, NOW - 100 + 10 * i, 1, totals[i], 1);
    track_flush(track, &room, NOW);
    char *path = path_of("redis/counter");
    const char *metric = sources[1].metric;
    tap_is_near(value_at(path, "AVERAGE", metric, NOW - 80, 10), 10, "a rate");
    tap_ok(isnan(value_at(path, "AVERAGE", metric, NOW - 70, 10)), "a counter that starts anew is a gap");
    tap_is_near(value_at(path, "AVERAGE", metric, NOW - 60, 10), 10, "and goes on behind it");
    track_close(&track);
}

/* ---- migration -------------------------------------------------------------------------------------------------- */

/* Writes samples value(i) = i of count metrics. */
static void fill(const char *check, uint32_t count, uint32_t step_s, int64_t from_s, int samples)
{
    struct series series = make_series(check, count, step_s);
    struct track *track = open_track(&series);
    for (int i = 0; i < samples; i++)
        add(track, from_s + (int64_t)step_s * i, i, 10.0 * i, i);
    track_flush(track, &room, NOW);
    track_close(&track);
}

static void test_migration(void)
{
    char *path = path_of("redis/grow");
    struct header header;
    struct legend legend;
    fill("redis/grow", 2, 10, NOW - 1200, 60);
    double before = value_at(path, "AVERAGE", "latency", NOW - 900, 10);
    double before_minute = value_at(path, "MAX", "latency", NOW - 900, 60);
    tap_is_near(before, 30, "a value before");
    clear_reports();
    fill("redis/grow", 3, 10, NOW - 600, 20);
    tap_ok(strstr(reports, "migrated to 3 sources") != NULL, "a new metric migrates the file: %s", reports);
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 900, 10), before, "the history is still there");
    tap_is_near(value_at(path, "MAX", "latency", NOW - 900, 60), before_minute, "in every archive");
    tap_ok(isnan(value_at(path, "AVERAGE", "memory", NOW - 900, 10)), "the new metric has none");
    tap_is_near(value_at(path, "AVERAGE", "memory", NOW - 500, 10), 10, "but values now");
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 500, 10), 10, "as the old one goes on");
    clear_reports();
    fill("redis/grow", 1, 10, NOW - 400, 20);
    tap_is_int(report_count, 0, "a metric that went does not change the file");
    tap_is_near(value_at(path, "AVERAGE", "memory", NOW - 500, 10), 10, "and its history stays");
    tap_ok(legend_read(&arena, path, &legend, NULL) == 0 && legend.metric_count == 3 && legend.metrics[0].live &&
               !legend.metrics[2].live && strcmp(legend.metrics[2].name, "memory") == 0,
           "the legend says that it went");
    fill("redis/grow", 3, 10, NOW - 190, 5);
    tap_is_int(report_count, 0, "nor does its return");
    clear_reports();
    fill("redis/grow", 3, 20, NOW - 120, 5);
    tap_ok(strstr(reports, "migrated") != NULL, "a changed interval migrates the file: %s", reports);
    tap_ok(header_read(&arena, path, NOW, &header, NULL) == 0 && header.step_s == 20, "its step is the new one");
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 900, 20), 29.5, "the history is there at the new step");
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 60, 20), 3, "and it goes on");
}

/* What an archive has from since_s on. */
struct summary {
    double mean, least, greatest;
    uint64_t known;
};

static struct summary summarize(const char *path, const char *metric, int64_t since_s, int64_t until_s, uint64_t step_s)
{
    static const char *const functions[] = { "AVERAGE", "MIN", "MAX" };
    struct summary out = { NAN, INFINITY, -INFINITY, 0 };
    char source[NAME_SOURCE_SIZE];
    double sum = 0;
    name_source(source, metric);
    for (int f = 0; f < 3; f++) {
        struct store_fetch fetch = { path, functions[f], since_s, until_s, step_s };
        struct store_values values;
        uint64_t column = 0;
        if (store_fetch(&fetch, &values, NULL) != 0)
            return out;
        while (column < values.source_count && strcmp(values.sources[column], source) != 0)
            column++;
        for (uint64_t i = 0; column < values.source_count && i < values.count; i++) {
            double value = values.values[i * values.source_count + column];
            if (isnan(value))
                continue;
            out.known += f == 0;
            sum += f == 0 ? value : 0;
            out.least = f == 1 ? fmin(out.least, value) : out.least;
            out.greatest = f == 2 ? fmax(out.greatest, value) : out.greatest;
        }
        store_values_close(&values);
    }
    out.mean = sum / (double)out.known;
    return out;
}

static struct series_archive year_archives[] = {
    { 1, 2 * 86400 }, { 300, 14 * 86400 }, { 1800, 61 * 86400 }, { 21600, 2 * 365 * 86400 }
};

static double year_value(int64_t t)
{
    return 50 + 30 * sin((double)t * 6.283185307 / 86400) + 20 * (double)(t - (NOW - 365 * 86400)) / (365.0 * 86400);
}

/* Samples of (from_s, until_s], under whatever name the metric has. */
static void live_through(const char *name, const char *was, uint32_t step_s, int64_t from_s, int64_t until_s)
{
    struct series_source source = { .metric = name, .was = was, .min = NAN, .max = NAN, .unit = "" };
    struct series series = { .check = "redis/year",
                             .step_s = step_s,
                             .heartbeat_s = step_s * 5 / 2,
                             .sources = &source,
                             .source_count = 1,
                             .archives = year_archives,
                             .archive_count = 4 };
    struct track *track = open_track(&series);
    for (int64_t t = from_s + step_s; t <= until_s; t += step_s) {
        double value = year_value(t);
        track_add(track, &room, t * 1000, &value, NOW);
    }
    track_flush(track, &room, NOW);
    track_close(&track);
}

static void is_same_history(const char *now, int64_t until_s, const struct summary before[4])
{
    static const struct {
        int64_t span_s;
        uint64_t step_s;
    } views[] = { { 86400, 900 }, { 10 * 86400, 900 }, { 50 * 86400, 1800 }, { 365 * 86400, 21600 } };
    static const char *const names[] = { "a day", "ten days", "fifty days", "the year" };
    for (int i = 0; i < 4; i++) {
        struct summary after =
            summarize(path_of("redis/year"), now, until_s - views[i].span_s, until_s - 21600, views[i].step_s);
        tap_ok(fabs(after.mean - before[i].mean) < (i == 0 ? 0.01 : 0.002) * before[i].mean &&
                   fabs(after.greatest - before[i].greatest) < 0.2 && fabs(after.least - before[i].least) < 0.2,
               "%s: mean %.4f was %.4f, greatest %.3f was %.3f, least %.3f was %.3f", names[i], after.mean,
               before[i].mean, after.greatest, before[i].greatest, after.least, before[i].least);
    }
}

static void take_history(const char *name, int64_t until_s, struct summary out[4])
{
    const int64_t spans[] = { 86400, 10 * 86400, 50 * 86400, 365 * 86400 };
    const uint64_t steps[] = { 900, 900, 1800, 21600 };
    for (int i = 0; i < 4; i++)
        out[i] = summarize(path_of("redis/year"), name, until_s - spans[i], until_s - 21600, steps[i]);
}

/* A year with three interval changes and a renamed metric. */
static void test_year(void)
{
    static const uint32_t steps[] = { 300, 60, 900, 120 };
    const int64_t begin_s = NOW - NOW % 21600 - 364 * 86400;
    int64_t at_s = begin_s;
    struct summary before[4];
    double sum = 0;
    uint64_t count = 0;
    for (int phase = 0; phase < 4; phase++, at_s += 91 * 86400) {
        const char *name = phase < 2 ? "used" : "memory used by the server";
        if (phase > 0) {
            take_history(phase < 3 ? "used" : name, at_s, before);
            clear_reports();
            live_through(name, phase == 2 ? "used" : NULL, steps[phase], at_s, at_s + steps[phase]);
            tap_ok(strstr(reports, "migrated") != NULL, "every %u s from now on%s", steps[phase],
                   phase == 2 ? ", and another name" : "");
            is_same_history(name, at_s, before);
        }
        live_through(name, NULL, steps[phase], at_s, at_s + 91 * 86400);
    }
    for (int64_t t = begin_s + 60; t <= at_s; t += 60, count++)
        sum += year_value(t);
    struct summary year = summarize(path_of("redis/year"), "memory used by the server", begin_s, at_s, 21600);
    tap_ok(fabs(year.mean - sum / (double)count) < 0.01 && year.known >= 4 * 364 - 2,
           "the year's mean is %.4f, of what was measured it is %.4f (%llu points)", year.mean, sum / (double)count,
           (unsigned long long)year.known);
}

/* The new name was recorded for a while before anybody said that it is one. */
static void test_late_rename(void)
{
    static struct series_source was = { .metric = "before", .min = NAN, .max = NAN };
    static struct series_source is = { .metric = "after", .min = NAN, .max = NAN };
    struct header header;
    struct series series = make_series("redis/renamed", 1, 10);
    for (int phase = 0; phase < 3; phase++) {
        is.was = phase == 2 ? "before" : NULL;
        series.sources = phase == 0 ? &was : &is;
        struct track *track = open_track(&series);
        for (int i = 0; i < 40; i++)
            add(track, NOW - 1200 + phase * 400 + 10 * i, 100 * phase + i, 0, 0);
        track_flush(track, &room, NOW);
        track_close(&track);
    }
    char *path = path_of("redis/renamed");
    tap_ok(header_read(&arena, path, NOW, &header, NULL) == 0 && header.source_count == 1, "one source is left of two");
    tap_is_near(value_at(path, "AVERAGE", "after", NOW - 1000, 10), 20, "with the values of the old name");
    tap_is_near(value_at(path, "AVERAGE", "after", NOW - 600, 10), 120, "of the new one since");
    tap_is_near(value_at(path, "AVERAGE", "after", NOW - 200, 10), 220, "and now");
    tap_ok(access(arena_print(&arena, "%s.was", path), F_OK) != 0, "nothing is left of the making");
}

/* Sound files that are not ours. */
static void test_foreign(void)
{
    static struct series_source other = { .metric = "other", .min = NAN, .max = NAN };
    struct legend legend;
    struct series series = make_series("redis/foreign", 1, 10);
    char *path = path_of("redis/foreign"), *map = arena_print(&arena, "%s" LEGEND_SUFFIX, path), *bytes;
    size_t n;
    series.sources = &other;
    struct track *track = open_track(&series);
    add(track, NOW - 500, 1, 1, 1);
    track_flush(track, &room, NOW);
    track_close(&track);
    bytes = read_whole(path, &n);
    unlink(map);
    clear_reports();
    fill("redis/foreign", 3, 10, NOW - 300, 20);
    tap_ok(strstr(reports, "none of the check's metrics") != NULL, "a file with other sources: %s", reports);
    tap_ok(legend_read(&arena, path, &legend, NULL) == 0 && legend.moved_s == NOW,
           "its neighbour tells that it is new");
    unlink(map);
    clear_reports();
    fill("redis/foreign", 3, 10, NOW - 100, 2);
    tap_is_int(report_count, 0, "a file whose neighbour was lost is still ours");
    fill("redis/step", 3, 20, NOW - 600, 20);
    bytes = read_whole(path_of("redis/step"), &n);
    file_replace(path, bytes, n, 0644);
    clear_reports();
    fill("redis/foreign", 3, 30, NOW - 60, 2);
    tap_ok(strstr(reports, "its step is 20 s, and it was made with 10 s") != NULL, "a file with another step: %s",
           reports);
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

static char *read_whole(const char *path, size_t *length)
{
    char *bytes = NULL;
    if (file_read(&arena, path, 64u << 20, &bytes, length) != 0)
        *length = 0;
    return bytes;
}

static void check_set_aside(const char *what, const void *bytes, size_t n)
{
    char *path = path_of("redis/bad");
    file_replace(path, bytes, n, 0644);
    clear_reports();
    fill("redis/bad", 3, 10, NOW - 300, 20);
    tap_ok(strstr(reports, "moved aside") && report_count == 2, "%s: moved aside and made anew", what);
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 200, 10), 10, what);
}

/* A check that runs less often than its archive is long. */
static void test_rare(void)
{
    struct series series = make_series("redis/rare", 1, 3 * 86400);
    struct track *track = open_track(&series);
    if (!tap_ok(track != NULL, "a series with points longer than its archives"))
        return;
    memset(&room.counts, 0, sizeof(room.counts));
    add(track, NOW - 3 * 86400, 1, 1, 1);
    add(track, NOW, 2, 2, 2);
    track_flush(track, &room, NOW);
    tap_is_int(room.counts.rows, 2, "is recorded");
    track_close(&track);
}

static void test_damage(void)
{
    size_t n;
    fill("redis/bad", 3, 10, NOW - 300, 20);
    char *bytes = read_whole(path_of("redis/bad"), &n);
    tap_ok(n > 1000, "a sound file to begin with, %zu bytes", n);
    check_set_aside("an empty file", "", 0);
    check_set_aside("a foreign file", "not at all an RRD file", 22);
    check_set_aside("a truncated file", bytes, n - 8);
    check_set_aside("only a header", bytes, 128);
    char *longer = arena_alloc(&arena, n + 8);
    memcpy(longer, bytes, n);
    check_set_aside("a file that is too long", longer, n + 8);
    memset(longer + 24, 0xFF, 8);
    check_set_aside("a file with too many sources", longer, n);
    unlink(path_of("redis/bad"));
    if (symlink("/etc/passwd", path_of("redis/bad")) == 0) {
        clear_reports();
        fill("redis/bad", 3, 10, NOW - 300, 20);
        tap_ok(strstr(reports, "moved aside") != NULL, "a symbolic link is moved aside");
    }
    struct series series = make_series("redis/bad", 3, 10);
    struct track *track = open_track(&series);
    add(track, NOW - 50, 1, 1, 1);
    track_flush(track, &room, NOW);
    tap_ok(truncate(path_of("redis/bad"), 500) == 0, "truncated while it is written");
    memset(&room.counts, 0, sizeof(room.counts));
    clear_reports();
    add(track, NOW - 40, 1, 1, 1);
    track_flush(track, &room, NOW);
    tap_ok(strstr(reports, "moved aside") && room.counts.lost == 0 && room.counts.rows == 1, "is noticed in time");
    unlink(path_of("redis/bad"));
    add(track, NOW - 30, 1, 1, 1);
    track_flush(track, &room, NOW);
    tap_is_int(room.counts.rows, 2, "a file that was removed is made again");
    track_close(&track);
}

/* Flips bytes of a header; header_read() must say something, and what it takes must be within its bounds. */
static void test_flipped_headers(void)
{
    size_t n;
    char *path = path_of("redis/flip");
    fill("redis/flip", 3, 10, NOW - 300, 20);
    char *bytes = read_whole(path, &n);
    char *flipped = arena_alloc(&arena, n);
    bool good = true;
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        struct header header;
        struct arena own = { 0 };
        memcpy(flipped, bytes, n);
        for (uint32_t k = 1 + any(3); k > 0; k--)
            flipped[any(1700)] = (char)any(256);
        size_t length = any(4) ? n : any((uint32_t)n);
        FILE *file = fopen(path, "w");
        if (!file || fwrite(flipped, 1, length, file) != length || fclose(file) != 0)
            break;
        int code = header_read(&own, path, NOW, &header, NULL);
        refused += code != 0;
        good = good && (code == ERROR_DAMAGED || (code == 0 && header.source_count == 3 && header.archive_count == 6));
        arena_close(&own);
    }
    tap_ok(good && refused > 500, "3000 damaged headers: %d refused, the rest within bounds", refused);
}

static void test_unwritable(void)
{
    struct series series = make_series("blocked/check", 3, 10);
    struct track *track = open_track(&series);
    file_replace(file_join(&arena, folder, "blocked"), "x", 1, 0644);
    memset(&room.counts, 0, sizeof(room.counts));
    clear_reports();
    for (int i = 0; i < 3; i++) {
        add(track, NOW - 100 + 10 * i, 1, 1, 1);
        track_flush(track, &room, NOW);
    }
    tap_is_int(room.counts.lost, 3, "what can't be written is lost and counted");
    tap_is_int(report_count, 1, "and reported once");
    unlink(file_join(&arena, folder, "blocked"));
    clear_reports();
    add(track, NOW - 50, 1, 1, 1);
    track_flush(track, &room, NOW);
    tap_ok(strstr(reports, "written again") != NULL, "so is the end of it");
    track_close(&track);
}

/* ---- parts ------------------------------------------------------------------------------------------------------ */

static void fill_part(const char *part, int64_t at_s)
{
    struct series series = make_series("docker/all", 3, 10);
    series.part = part;
    struct track *track = open_track(&series);
    add(track, at_s, 1, 1, 1);
    track_flush(track, &room, NOW);
    track_close(&track);
}

static bool has_part(const char *part)
{
    return access(name_file(&arena, folder, "docker/all", part), F_OK) == 0;
}

static int64_t gone_since(const char *part)
{
    struct legend legend = { 0 };
    legend_read(&arena, name_file(&arena, folder, "docker/all", part), &legend, NULL);
    return legend.gone_s;
}

static void look_at_parts(int64_t keep_s)
{
    struct retain retain;
    retain_open(&retain, keep_s, 1000, 0);
    tap_ok(retain_wait_ms(&retain, 400) == 600, "it waits for its time");
    do
        retain_step(&retain, &room, 5000, NOW);
    while (retain_wait_ms(&retain, 5000) == 0);
    retain_close(&retain);
}

static void test_parts(void)
{
    fill_part("web", NOW - 10);
    fill_part("short", NOW - 3000);
    fill_part("gone", NOW - 50 * 86400);
    fill_part("long gone", NOW - 100 * 86400);
    clear_reports();
    look_at_parts(90 * 86400);
    tap_ok(has_part("web") && !gone_since("web"), "a part that is there stays");
    tap_ok(has_part("short") && !gone_since("short"), "so does one that was there an hour ago");
    tap_ok(has_part("gone") && gone_since("gone") == NOW - 50 * 86400, "one that is gone stays and is marked");
    tap_ok(!has_part("long gone") && strstr(reports, "'long gone' is gone since") != NULL,
           "one that is gone for long is removed: %s", reports);
    fill_part("gone", NOW - 5);
    tap_ok(has_part("gone") && !gone_since("gone"), "one that comes back is no longer marked");
    unlink(name_file(&arena, folder, "docker/all", "web"));
    unlink(name_file(&arena, folder, "docker/all", "gone"));
    unlink(name_file(&arena, folder, "docker/all", "short"));
    fill_part("old", NOW - 300 * 86400);
    look_at_parts(90 * 86400);
    tap_ok(has_part("old") && !gone_since("old"), "while a check does not run its parts do not age");
}

/* ---- layouts, legends, scales ----------------------------------------------------------------------------------- */

static void test_layout(void)
{
    struct layout layout;
    struct why why;
    struct series series = make_series("a/b", 3, 60);
    tap_ok(layout_make(&arena, &series, NULL, &layout, &why) == 0, "a layout");
    tap_is_int(layout.archive_count, 1, "two archives of one resolution are one");
    tap_is_int(layout.archives[0].rows, 1440, "the longer one");
    tap_is_int(layout.sources[0].heartbeat_s, 150, "the heartbeat is the series'");
    tap_is_text(layout.sources[1].type, "DERIVE", "a counter");
    series.heartbeat_s = 0;
    layout_make(&arena, &series, NULL, &layout, &why);
    tap_is_int(layout.sources[0].heartbeat_s, 120, "a heartbeat below the step becomes two steps");
    struct series_archive huge[] = { { 1, UINT32_MAX } };
    series = make_series("a/b", 3, 1);
    series.archives = huge;
    series.archive_count = 1;
    tap_is_int(layout_make(&arena, &series, NULL, &layout, &why), ERROR_LIMIT, why.text);
    series = make_series("a/b", 2, 1);
    struct series_source twice[] = { sources[0], sources[0] };
    series.sources = twice;
    tap_is_int(layout_make(&arena, &series, NULL, &layout, &why), ERROR_SYNTAX, why.text);
}

static void test_legend(void)
{
    char *path = path_of("redis/legend");
    struct legend legend;
    struct why why;
    fill("redis/legend", 3, 10, NOW - 300, 3);
    tap_ok(legend_read(&arena, path, &legend, &why) == 0 && legend.metric_count == 3, "read back");
    tap_is_text(legend.check, "redis/legend", "check");
    tap_is_text(legend.metrics[1].name, sources[1].metric, "the metric's whole name");
    tap_is_text(legend.metrics[0].unit, "s", "unit");
    tap_is_text(legend.metrics[0].warn, "0.1", "warn");
    tap_ok(legend.metrics[2].crit == NULL, "no threshold");
    tap_is_int(legend.metrics[1].kind, BELFRY_COUNTER, "kind");
    static const char *const hostile[] = { "",
                                           "[]",
                                           "{",
                                           "{ \"version\": 2 }",
                                           "{ \"version\": 1, \"check\": \"a/b\", \"step\": 10, \"metrics\": [ 5 ] }",
                                           "{ \"version\": 1, \"check\": \"a/b\", \"step\": 10, \"metrics\": [ { "
                                           "\"name\": \"x\", \"unit\": \"\", \"source\": "
                                           "\"a:b\" } ] }",
                                           "{ \"version\": 1, \"check\": \"a/b\", \"step\": -1, \"metrics\": [] }" };
    char *map = arena_print(&arena, "%s" LEGEND_SUFFIX, path);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
        file_replace(map, hostile[i], strlen(hostile[i]), 0644);
        tap_is_int(legend_read(&arena, path, &legend, &why), ERROR_DAMAGED, why.text);
    }
}

static void test_args(void)
{
    struct args args = { .arena = &arena };
    tap_is_text(args_number(&arena, -1234.5), "-1.2345000000e+03", "a number");
    tap_is_text(args_number(&arena, 0.1), "1.0000000000e-01", "another");
    tap_is_text(args_number(&arena, NAN), "U", "no number");
    if (setlocale(LC_ALL, "de_DE.UTF-8"))
        tap_is_text(args_number(&arena, 0.5), "5.0000000000e-01", "a number in a locale with commas");
    else
        tap_skip("a number in a locale with commas", "there is none here");
    setlocale(LC_ALL, "C");
    for (int i = 0; i < 100; i++)
        args_add(&args, "x%d", i);
    args_escaped(&args, "COMMENT:", "a:b\\c %s\n\x1b");
    tap_ok(strncmp(args.v[100], "COMMENT:a\\:b/c %s", 17) == 0 && !strpbrk(args.v[100], "\n\x1b"),
           "a text is escaped: %s", args.v[100]);
    args_plain(&args, "--title=", "a:b\\c");
    args_append(&args, "!");
    tap_is_text(args.v[101], "--title=a:b\\c!", "an option's value is not");
    tap_ok(args.count == 102 && args.v[102] == NULL && strcmp(args.v[99], "x99") == 0, "the list has its end");
}

static void test_scale(void)
{
    static const struct {
        const char *unit;
        double greatest;
        const char *shown;
        double size;
    } rows[] = { { "s", 0.004, "ms", 1e-3 },
                 { "s", 2e-5, "\xC2\xB5s", 1e-6 },
                 { "s", 30, "s", 1 },
                 { "s", 90000, "h", 3600 },
                 { "B", 3e9, "GiB", 0x1p30 },
                 { "B/s", 5000, "KiB/s", 1024 },
                 { "%", 99, "%", 1 },
                 { "/s", 250000, "k/s", 1e3 },
                 { "", 7, "", 1 },
                 { "s", NAN, "s", 1 },
                 { "B", 0, "B", 1 } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct scale scale = scale_choose(rows[i].unit, rows[i].greatest);
        tap_is_text(scale.unit, rows[i].shown, rows[i].unit);
        tap_is_near(scale.size, rows[i].size, "its size");
    }
    char unit[SCALE_UNIT_SIZE];
    plugin_recorded_unit(unit, "B", BELFRY_COUNTER);
    tap_is_text(unit, "B/s", "a counter of bytes");
    plugin_recorded_unit(unit, "c", BELFRY_COUNTER);
    tap_is_text(unit, "/s", "a plain counter");
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        printf("# '%s' could not be removed\n", folder);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    test_names();
    test_write();
    test_figures();
    test_times();
    test_values();
    test_counter();
    test_migration();
    test_year();
    test_late_rename();
    test_foreign();
    test_rare();
    test_damage();
    test_flipped_headers();
    test_unwritable();
    test_parts();
    test_layout();
    test_legend();
    test_args();
    test_scale();
    arena_close(&arena);
    remove_folder();
    return tap_done();
}
