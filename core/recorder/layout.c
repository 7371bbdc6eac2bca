/* SPDX-License-Identifier: GPL-3.0-or-later */
/* layout - from a series to data sources and archives.
 *
 * A gauge is a GAUGE with its bounds. A counter is a DERIVE with a least value of 0: its rate per second, and a
 * counter that starts anew is a gap, not a spike; the metric's own bounds are of the total and do not apply.
 * An archive of points of P seconds consolidates P / step steps (rounded up, at least one); archives that come out
 * with the same number of steps, because the step is longer than their points, are one: the longest. */
#include "core/recorder/layout.h"

#include <math.h>
#include <string.h>

#include "belfry/plugin.h"

const char *const layout_functions[] = { "AVERAGE", "MIN", "MAX", NULL };
#define FUNCTION_COUNT 3u
/* librrd walks through a point step by step when it migrates a file */
#define POINT_MAX_S (366u * 86400u)

static void set_source(struct layout_source *out, const struct series *series, const struct series_source *source)
{
    bool counter = source->kind == BELFRY_COUNTER;
    name_source(out->name, source->metric);
    out->type = counter ? "DERIVE" : "GAUGE";
    out->heartbeat_s = series->heartbeat_s > series->step_s ? series->heartbeat_s : 2 * series->step_s;
    out->min = counter ? 0 : source->min;
    out->max = counter ? NAN : source->max;
    if (out->min >= out->max)
        out->min = out->max = NAN;
}

static const struct layout_source *find_source(const struct layout *layout, const char *name)
{
    for (uint32_t i = 0; i < layout->source_count; i++)
        if (strcmp(layout->sources[i].name, name) == 0)
            return &layout->sources[i];
    return NULL;
}

/* The sources of the file that go on under another name. */
static void take_over(const struct series *series, const struct header *header, struct layout *out)
{
    for (uint32_t i = 0; i < series->source_count; i++) {
        char was[NAME_SOURCE_SIZE];
        if (!series->sources[i].was)
            continue;
        name_source(was, series->sources[i].was);
        if (header_find(header, was) && !find_source(out, was))
            memcpy(out->sources[i].was, was, sizeof(was));
    }
}

static bool is_taken_over(const struct layout *layout, const char *name)
{
    for (uint32_t i = 0; i < layout->live_count; i++)
        if (strcmp(layout->sources[i].was, name) == 0)
            return true;
    return false;
}

static void keep_retired(const struct header *header, struct layout *out)
{
    for (uint32_t i = 0; i < header->source_count && out->source_count < SERIES_SOURCES_MAX; i++) {
        const struct header_source *old = &header->sources[i];
        if (find_source(out, old->name) || is_taken_over(out, old->name))
            continue;
        struct layout_source *kept = &out->sources[out->source_count++];
        memcpy(kept->name, old->name, sizeof(kept->name));
        kept->type = old->type;
        kept->heartbeat_s = (uint32_t)old->heartbeat_s;
        kept->min = old->min;
        kept->max = old->max;
    }
}

static void add_archive(struct layout *out, uint64_t steps, uint64_t rows)
{
    for (uint32_t i = 0; i < out->archive_count; i++) {
        struct layout_archive *same = &out->archives[i];
        if (same->steps == steps) {
            same->rows = same->rows > rows ? same->rows : (uint32_t)rows;
            return;
        }
    }
    out->archives[out->archive_count++] = (struct layout_archive){ .steps = (uint32_t)steps, .rows = (uint32_t)rows };
}

static int set_archives(const struct series *series, struct layout *out, struct why *why)
{
    if (series->archive_count == 0 || series->archive_count > SERIES_ARCHIVES_MAX)
        return why_say(why, ERROR_SYNTAX, "the series has %u archives", series->archive_count);
    for (uint32_t i = 0; i < series->archive_count; i++) {
        uint64_t steps = ((uint64_t)series->archives[i].point_s + out->step_s - 1) / out->step_s;
        steps = steps ? steps : 1;
        uint64_t rows = (series->archives[i].length_s + steps * out->step_s - 1) / (steps * out->step_s);
        rows = rows ? rows : 1;
        if (steps * out->step_s > POINT_MAX_S && steps > 1)
            return why_say(why, ERROR_LIMIT, "an archive has points of %llu s, more than a year: give it shorter ones",
                           (unsigned long long)(steps * out->step_s));
        if (rows > HEADER_ROWS_MAX || steps > INT32_MAX)
            return why_say(why, ERROR_LIMIT, "an archive has %llu points, more than %u: give it longer ones",
                           (unsigned long long)rows, HEADER_ROWS_MAX);
        add_archive(out, steps, rows);
    }
    return 0;
}

static int set_sources(const struct series *series, struct layout *out, struct why *why)
{
    for (uint32_t i = 0; i < series->source_count; i++) {
        struct layout_source source = { .was = "" };
        set_source(&source, series, &series->sources[i]);
        if (find_source(out, source.name))
            return why_say(why, ERROR_SYNTAX, "the metric '%s' is there twice", series->sources[i].metric);
        out->sources[out->source_count++] = source;
    }
    out->live_count = out->source_count;
    return 0;
}

int layout_make(struct arena *arena, const struct series *series, const struct header *header, struct layout *out,
                struct why *why)
{
    memset(out, 0, sizeof(*out));
    out->step_s = series->step_s ? series->step_s : 1;
    out->sources = arena_array(arena, SERIES_SOURCES_MAX, sizeof(*out->sources));
    if (series->source_count == 0 || series->source_count > SERIES_SOURCES_MAX)
        return why_say(why, ERROR_SYNTAX, "the series has %u metrics", series->source_count);
    int code = set_sources(series, out, why);
    if (code == 0)
        code = set_archives(series, out, why);
    if (code < 0)
        return code;
    if (header) {
        take_over(series, header, out);
        keep_retired(header, out);
    }
    uint64_t rows = 0;
    for (uint32_t i = 0; i < out->archive_count; i++)
        rows += FUNCTION_COUNT * (uint64_t)out->archives[i].rows;
    out->size_bytes = header_file_size(out->source_count, (uint64_t)FUNCTION_COUNT * out->archive_count, rows);
    if (out->size_bytes > LAYOUT_BYTES_MAX)
        return why_say(why, ERROR_LIMIT, "its file would be %llu MiB: give its archives fewer points",
                       (unsigned long long)(out->size_bytes >> 20));
    return 0;
}

/* Bounds pass through a text of 11 digits when a file is made. */
static bool is_same_bound(double a, double b)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * fabs(a);
}

static bool has_source(const struct header *header, const struct layout_source *want)
{
    const struct header_source *has = header_find(header, want->name);
    return has && strcmp(has->type, want->type) == 0 && has->heartbeat_s == want->heartbeat_s &&
           is_same_bound(want->min, has->min) && is_same_bound(want->max, has->max);
}

static bool has_archive(const struct header *header, const char *function, const struct layout_archive *want)
{
    for (uint32_t i = 0; i < header->archive_count; i++) {
        const struct header_archive *has = &header->archives[i];
        if (strcmp(has->function, function) == 0 && has->steps == want->steps && has->rows == want->rows)
            return true;
    }
    return false;
}

bool layout_matches(const struct layout *layout, const struct header *header)
{
    if (header->step_s != layout->step_s || header->source_count != layout->source_count ||
        header->archive_count != FUNCTION_COUNT * layout->archive_count)
        return false;
    for (uint32_t i = 0; i < layout->source_count; i++)
        if (!has_source(header, &layout->sources[i]))
            return false;
    for (uint32_t i = 0; i < layout->archive_count; i++)
        for (const char *const *function = layout_functions; *function; function++)
            if (!has_archive(header, *function, &layout->archives[i]))
                return false;
    return true;
}
