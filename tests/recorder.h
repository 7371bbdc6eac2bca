/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recorder - what the recorder's unit tests share: a folder of their own, series of three metrics, tracks that write
 * them into real RRD files, and the values that such a file has. */
#ifndef TESTS_RECORDER_H
#define TESTS_RECORDER_H

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/recorder/name.h"
#include "core/recorder/store.h"
#include "core/recorder/track.h"
#include "tests/tap.h"

#define NOW 1763700000 /* a multiple of 300 */

static struct arena arena;
static char folder[256];

/* A small generator with a seed, the same on every machine. */
static uint64_t seed = 42;
static inline uint32_t any(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

static inline void make_folder(void)
{
    const char *temp = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/test_recorder.XXXXXX", temp ? temp : "/tmp");
    if (!mkdtemp(folder)) {
        printf("Bail out! '%s': %s\n", folder, strerror(errno));
        exit(99);
    }
}

static inline void remove_folder(void)
{
    char command[512];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        printf("# '%s' could not be removed\n", folder);
    arena_close(&arena);
}

static inline char *read_whole(const char *path, size_t *length)
{
    char *bytes = NULL;
    if (file_read(&arena, path, 64u << 20, &bytes, length) != 0)
        *length = 0;
    return bytes;
}

/* ---- series
 * ----------------------------------------------------------------------------------------------------------- */

static struct series_source sources[] = {
    { .metric = "latency", .kind = BELFRY_GAUGE, .min = 0, .max = NAN, .unit = "s", .warn = "0.1", .crit = "~:0.5" },
    { .metric = "requests since the start", .kind = BELFRY_COUNTER, .min = NAN, .max = NAN, .unit = "c" },
    { .metric = "memory", .kind = BELFRY_GAUGE, .min = NAN, .max = NAN, .unit = "B", .warn = "", .crit = "" },
};
static struct series_archive archives[] = { { 10, 3600 }, { 60, 86400 } };

static inline struct series make_series(const char *check, uint32_t count, uint32_t step_s)
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

static inline void on_report(void *context, enum log_level level, uint32_t slot, const char *text)
{
    (void)context;
    (void)slot;
    size_t used = strlen(reports);
    snprintf(reports + used, sizeof(reports) - used, "%d %s\n", (int)level, text);
    report_count++;
}

static inline void clear_reports(void)
{
    reports[0] = '\0';
    report_count = 0;
}

static struct track_room room = { .folder = folder, .report = on_report, .hold_max = 64 };

static inline struct track *open_track(const struct series *series)
{
    struct buf payload = { 0 };
    series_encode(&payload, series);
    struct track *track = track_open(7, payload.data, payload.length);
    buf_close(&payload);
    return track;
}

static inline void add(struct track *track, int64_t at_s, double a, double b, double c)
{
    double values[] = { a, b, c };
    track_add(track, &room, at_s * 1000 + 250, values, NOW);
}

static inline char *path_of(const char *check)
{
    return name_file(&arena, folder, check, NULL);
}

/* The value that the file has for the step ending at at_s. */
static inline double value_at(const char *path, const char *function, const char *metric, int64_t at_s, uint64_t step_s)
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

/* Writes samples value(i) = i of count metrics. */
static inline void fill(const char *check, uint32_t count, uint32_t step_s, int64_t from_s, int samples)
{
    struct series series = make_series(check, count, step_s);
    struct track *track = open_track(&series);
    for (int i = 0; i < samples; i++)
        add(track, from_s + (int64_t)step_s * i, i, 10.0 * i, i);
    track_flush(track, &room, NOW);
    track_close(&track);
}

#endif
