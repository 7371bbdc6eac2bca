/* SPDX-License-Identifier: GPL-3.0-or-later */
/* learn - see learn.h.
 *
 * In memory stand only the samples of the hour that lasts. When another hour begins FILE.rrd.past is read, the hour
 * goes into its cells, the baselines of all hours are computed and told, and the file is written: once an hour, with
 * each sample of a metric that is measured rarely, and when the track is closed.
 *
 * What the file lacks is taken from the RRD file's archives: all of seven days when it is missing or damaged, or when a
 * metric is new in it; the samples since it was written when the recorder was killed. Those are means of an archive's
 * points then, each of which counts as a sample.
 *
 * Reports: "'FILE.past': ..." when it can't be written, once. */
#include "core/recorder/learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/recorder/ledger.h"
#include "core/recorder/name.h"
#include "core/recorder/past.h"
#include "core/recorder/store.h"
#include "core/recorder/track.h"

#define REFILL_S (PAST_DAYS * 86400)
#define QUARTER_S 900 /* the local clock shows another hour at quarters only */

struct pupil {
    char *name, *was; /* was may be NULL */
    uint16_t column;  /* in a row */
    struct past_hour hour;
};

struct learn {
    struct pupil *pupils;
    uint32_t count;
    bool rare;
    bool ready;  /* what the file has was seen, and last_s holds */
    bool untold; /* the keeper does not know the last numbers */
    bool failing;
    int64_t last_s;         /* of the youngest sample */
    struct local_hour hour; /* that lasts */
    int64_t quarter;        /* in it */
};

/* What one call works with. */
struct lesson {
    struct arena arena;
    struct track *track;
    struct track_room *room;
    struct learn *learn;
    struct past past; /* metrics in the order of the pupils; NULL: not read yet */
    const char *path;
    int64_t until_s; /* when the waiting rows begin */
    bool changed;    /* to be written */
    bool turned;     /* another hour began */
};

/* ---- pupils ----------------------------------------------------------------------------------------------------- */

struct learn *learn_open(const struct series *series)
{
    struct learn *learn = heap_alloc(sizeof(*learn));
    learn->pupils = heap_array(series->source_count, sizeof(*learn->pupils));
    learn->rare = series->step_s > BASELINE_RARE_S;
    for (uint32_t i = 0; i < series->source_count; i++) {
        const struct series_source *source = &series->sources[i];
        if (source->baseline && source->kind != BELFRY_COUNTER)
            learn->pupils[learn->count++] = (struct pupil){ .name = heap_text(source->metric),
                                                            .was = source->was ? heap_text(source->was) : NULL,
                                                            .column = (uint16_t)i };
    }
    if (learn->count == 0)
        learn_close(&learn);
    return learn;
}

void learn_close(struct learn **learn)
{
    struct learn *l = *learn;
    *learn = NULL;
    if (!l)
        return;
    for (uint32_t i = 0; i < l->count; i++) {
        free(l->pupils[i].name);
        free(l->pupils[i].was);
        past_hour_close(&l->pupils[i].hour);
    }
    free(l->pupils);
    free(l);
}

/* ---- samples ---------------------------------------------------------------------------------------------------- */

static void read_past(struct lesson *lesson);

static void settle(struct lesson *lesson)
{
    struct learn *learn = lesson->learn;
    read_past(lesson);
    for (uint32_t i = 0; i < learn->count; i++)
        past_settle(&lesson->past.metrics[i], learn->hour, &learn->pupils[i].hour);
    lesson->past.last_s = learn->last_s;
    lesson->changed = true;
}

/* values: one for each pupil. */
static void take(struct lesson *lesson, int64_t at_s, const double *values)
{
    struct learn *learn = lesson->learn;
    if (at_s / QUARTER_S != learn->quarter) {
        struct local_hour hour = baseline_hour(at_s);
        if (hour.day != learn->hour.day || hour.hour != learn->hour.hour) {
            settle(lesson);
            learn->hour = hour;
            lesson->turned = true;
        }
        learn->quarter = at_s / QUARTER_S;
    }
    for (uint32_t i = 0; i < learn->count; i++)
        past_add(&learn->pupils[i].hour, values[i]);
    learn->last_s = at_s;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static void take_points(struct lesson *lesson, const struct store_values *points, const int64_t *since_s,
                        int64_t until_s)
{
    const struct learn *learn = lesson->learn;
    uint64_t *columns = arena_array(&lesson->arena, learn->count, sizeof(*columns));
    double *values = arena_array(&lesson->arena, learn->count, sizeof(*values));
    for (uint32_t i = 0; i < learn->count; i++) {
        char source[NAME_SOURCE_SIZE];
        name_source(source, learn->pupils[i].name);
        while (columns[i] < points->source_count && strcmp(points->sources[columns[i]], source) != 0)
            columns[i]++;
    }
    for (uint64_t p = 0; p < points->count; p++) {
        int64_t end_s = points->start_s + (int64_t)((p + 1) * points->step_s);
        if (end_s >= until_s)
            break;
        for (uint32_t i = 0; i < learn->count; i++) {
            bool has = columns[i] < points->source_count && end_s > since_s[i];
            values[i] = has ? points->values[p * points->source_count + columns[i]] : (double)NAN;
        }
        take(lesson, end_s - 1, values);
    }
}

/* From the archives: of each pupil what is younger than since_s[] and older than until_s. */
static void refill(struct lesson *lesson, const int64_t *since_s, int64_t until_s)
{
    struct track *track = lesson->track;
    struct store_values points;
    int64_t first_s = until_s;
    for (uint32_t i = 0; i < lesson->learn->count; i++)
        if (since_s[i] < first_s)
            first_s = since_s[i];
    if (first_s < until_s - REFILL_S)
        first_s = until_s - REFILL_S;
    if (track->last_s <= first_s)
        return;
    const struct store_fetch fetch = { track->path, "AVERAGE", first_s, until_s, 1 };
    ledger_enter(lesson->room->ledger, track->path, -1, 0, 0);
    int code = store_fetch(&fetch, &points, NULL);
    ledger_leave(lesson->room->ledger);
    if (code < 0)
        return;
    take_points(lesson, &points, since_s, until_s);
    store_values_close(&points);
}

/* Puts what the file has of each pupil, under its name or the earlier one, into lesson->past, and since when it has no
 * more into since_s[]; returns whether all were there. */
static bool find_all(struct lesson *lesson, const struct past *file, int64_t *since_s)
{
    const struct learn *learn = lesson->learn;
    bool all = true;
    for (uint32_t i = 0; i < learn->count; i++) {
        const struct past_metric *found = past_find(file, learn->pupils[i].name);
        if (!found && learn->pupils[i].was)
            found = past_find(file, learn->pupils[i].was);
        since_s[i] = found ? file->last_s : 0;
        all = all && found;
        if (found)
            lesson->past.metrics[i] = *found;
        lesson->past.metrics[i].name = learn->pupils[i].name;
    }
    return all;
}

static void read_past(struct lesson *lesson)
{
    struct learn *learn = lesson->learn;
    struct past file;
    if (lesson->past.metrics)
        return;
    int64_t *since_s = arena_array(&lesson->arena, learn->count, sizeof(*since_s));
    past_read(&lesson->arena, lesson->path, &file, NULL);
    if (file.last_s > lesson->until_s + TRACK_AHEAD_S) /* of a clock that was wrong */
        file = (struct past){ 0 };
    lesson->past.count = learn->count;
    lesson->past.metrics = arena_array(&lesson->arena, learn->count, sizeof(*lesson->past.metrics));
    bool all = find_all(lesson, &file, since_s);
    if (learn->ready && all)
        return;
    for (uint32_t i = 0; i < learn->count; i++) /* it vanished: the hour is in the RRD file, too */
        past_hour_close(&learn->pupils[i].hour);
    learn->ready = true;
    learn->untold = true;
    learn->last_s = file.last_s;
    learn->hour = baseline_hour(file.last_s); /* no sample may be younger, after a quick start */
    learn->quarter = file.last_s / QUARTER_S;
    refill(lesson, since_s, lesson->until_s);
}

/* ---- what comes of it ------------------------------------------------------------------------------------------- */

static void tell(struct lesson *lesson)
{
    struct learn *learn = lesson->learn;
    struct track_room *room = lesson->room;
    bool told = room->learnt != NULL;
    read_past(lesson);
    for (uint32_t i = 0; i < learn->count && told; i++) {
        struct baseline_table table = { .at_s = learn->last_s };
        past_compute(&lesson->past.metrics[i], learn->hour, learn->rare, &table);
        told = room->learnt(room->context, lesson->track->slot, learn->pupils[i].name, &table);
    }
    learn->untold = !told;
}

static void write_past(struct lesson *lesson)
{
    struct learn *learn = lesson->learn;
    struct why why = { "" };
    int code = past_write(lesson->path, &lesson->past, &why);
    if (code < 0 && !learn->failing)
        lesson->room->report(lesson->room->context, LOG_LEVEL_ERROR, lesson->track->slot, why.text);
    learn->failing = code < 0;
}

static struct lesson begin(struct track *track, struct track_room *room)
{
    struct lesson lesson = { .track = track, .room = room, .learn = track->learn };
    lesson.path = arena_print(&lesson.arena, "%s" PAST_SUFFIX, track->path);
    lesson.until_s = track->row_count > 0 ? (int64_t)track_row(track, 0)[0] : track->last_s + 1;
    return lesson;
}

static void end(struct lesson *lesson)
{
    if (lesson->changed)
        write_past(lesson);
    arena_close(&lesson->arena);
}

void learn_rows(struct track *track, struct track_room *room)
{
    struct learn *learn = track->learn;
    struct lesson lesson = begin(track, room);
    double *values = arena_array(&lesson.arena, learn->count, sizeof(*values));
    if (!learn->ready)
        read_past(&lesson);
    for (uint32_t k = 0; k < track->row_count; k++) {
        const double *row = track_row(track, k);
        if ((int64_t)row[0] <= learn->last_s)
            continue;
        for (uint32_t i = 0; i < learn->count; i++)
            values[i] = row[learn->pupils[i].column + 1];
        take(&lesson, (int64_t)row[0], values);
        lesson.turned = lesson.turned || learn->rare;
    }
    if (learn->rare && lesson.turned)
        settle(&lesson);
    if (lesson.turned || learn->untold)
        tell(&lesson);
    end(&lesson);
}

void learn_save(struct track *track, struct track_room *room)
{
    struct learn *learn = track->learn;
    bool waiting = false;
    for (uint32_t i = 0; i < learn->count; i++)
        waiting = waiting || learn->pupils[i].hour.count > 0;
    if (!waiting || !track->path)
        return;
    struct lesson lesson = begin(track, room);
    settle(&lesson);
    end(&lesson);
}
