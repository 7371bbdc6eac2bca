/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recorder_history - files that migrate to another interval, to other metrics, to other names: what they had is
 * still there. */
#include "core/recorder/header.h"
#include "core/recorder/legend.h"
#include "tests/recorder.h"

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

int main(void)
{
    make_folder();
    test_migration();
    test_year();
    test_late_rename();
    remove_folder();
    return tap_done();
}
