/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recorder_track - what becomes of samples: times, values, counters, files that can't be written, and parts that
 * vanish. */
#include <fcntl.h>
#include <float.h>
#include <locale.h>
#include <sys/stat.h>

#include "core/recorder/figures.h"
#include "core/recorder/legend.h"
#include "core/recorder/retain.h"
#include "tests/recorder.h"

/* ---- samples
 * ---------------------------------------------------------------------------------------------------------- */

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

/* Of the file that test_write() made: latency 0 to 59. */
static void test_figures(void)
{
    char *path = path_of("redis/server");
    const struct figures_source from[] = { { path, "latency" }, { path, "requests_LPRNSKZS6Y" }, { path, "latency" } };
    struct figures_span span = { NOW - 610, NOW - 10, 10 };
    struct figures figures[3];
    struct why why = { "" };
    const struct figures_sources all = { from, 3 };
    struct figures_points points;
    struct arena memory = { 0 };
    tap_is_int(figures_read(&span, from, 3, figures, &why), 0, "figures are read");
    tap_is_near(figures[0].last, 59, "the last");
    tap_is_near(figures[0].least, 0, "the least");
    tap_is_near(figures[0].mean, 29.5, "the mean");
    tap_is_near(figures[0].greatest, 59, "the greatest");
    tap_ok(isnan(figures[1].last) && isnan(figures[1].mean), "none of a source that is not there");
    tap_is_near(figures[2].greatest, 59, "and those behind it");
    tap_is_int(figures_read_points(&memory, &span, &all, &points, &why), 0, "points are read");
    tap_is_near(figures_of(&points).greatest, 118, "a stack of two is twice as high");
    tap_is_near(figures_of(&points).mean, 59, "and so is its mean");
    tap_is_near(figures_percentile(&memory, &points, 95), 112, "of sixty values the 57th is the 95th percentile");
    tap_is_near(figures_percentile(&memory, &points, 100), 118, "and the last the 100th");
    tap_is_near(figures_percentile(&memory, &points, 0.1), 0, "none is below the first");
    tap_is_int(figures_last_before(&points, NOW - 300), NOW - 300, "the last value at a time");
    tap_is_int(figures_last_before(&points, NOW + 300), NOW - 10, "behind the end: the last of all");
    tap_is_int(figures_last_before(&points, NOW - 3000), 0, "before the first there was none");
    arena_close(&memory);

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

static void add_one(struct track *track, int64_t at_s)
{
    add(track, at_s, 1, 1, 1);
    track_flush(track, &room, NOW);
}

/* A file is kept open between updates, but what stands under its name decides. */
static void test_held(void)
{
    struct series series = make_series("redis/held", 3, 10);
    struct track *track = open_track(&series);
    char *path = path_of("redis/held");
    struct stat held, there;
    memset(&room.counts, 0, sizeof(room.counts));
    tap_is_int(track->fd, -1, "nothing is open before the first flush");
    add_one(track, NOW - 100);
    int fd = track->fd;
    tap_ok(fd >= 0 && fstat(fd, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino,
           "the file stays open");
    add_one(track, NOW - 90);
    tap_is_int(track->fd, fd, "for the next update");
    tap_ok(rename(path, path_of("redis/taken")) == 0, "its file gets another name");
    add_one(track, NOW - 80);
    tap_ok(fstat(track->fd, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino,
           "then a new one is made, and held instead");
    tap_is_near(value_at(path_of("redis/taken"), "MAX", "latency", NOW - 80, 10), NAN, "the other one is left alone");
    track_let_go(track);
    tap_ok(track->fd == -1 && fcntl(fd, F_GETFD) < 0, "it can be let go");
    room.hold_max = 0;
    add_one(track, NOW - 70);
    room.hold_max = 64;
    tap_is_int(track->fd, -1, "and is not held when there are too many");
    tap_ok(room.counts.rows == 4 && room.counts.lost == 0, "every row was written");
    track_close(&track);
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

int main(void)
{
    make_folder();
    test_write();
    test_figures();
    test_times();
    test_values();
    test_counter();
    test_held();
    test_rare();
    test_unwritable();
    test_parts();
    remove_folder();
    return tap_done();
}
