/* SPDX-License-Identifier: GPL-3.0-or-later */
/* track - one series being recorded.
 *
 * Samples gather in rows; a second sample of the same second replaces the first. A flush makes sure of the file
 * (prepare: read its header, make it, migrate it, or move a damaged one aside) and writes all rows in one update. A
 * file that was exchanged or truncated since is looked at anew. If a file cannot be written, the rows are lost and
 * counted; that is reported once, and so is its end.
 *
 * Reports: "recording 'FILE'" (made), "'FILE': migrated ..." (new metrics, interval or archives), "'FILE' moved aside
 * as ..." (not an RRD file that we could have made), "'FILE': ..." and "'FILE': written again". */
#include "core/recorder/track.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/clock.h"
#include "core/recorder/args.h"
#include "core/recorder/cached.h"
#include "core/recorder/learn.h"
#include "core/recorder/ledger.h"
#include "core/recorder/legend.h"
#include "core/recorder/past.h"
#include "core/recorder/row.h"
#include "core/recorder/store.h"

/* What a preparation works with; all of it in one arena. */
struct job {
    struct arena arena;
    struct track *track;
    struct track_room *room;
    struct series series;
    struct header header;
    struct layout layout;
    struct legend legend; /* as the file's neighbour has it; check NULL: there is none */
    const char *path;
    int64_t now_s;
    bool moved; /* the file that was there was moved aside */
    struct why why;
};

/* ---- definition ------------------------------------------------------------------------------------------------- */

static int decode(struct arena *arena, const void *payload, size_t n, struct series *out)
{
    const unsigned char *bytes = payload;
    struct wire_reader reader = { .at = bytes, .end = bytes + n };
    int code = series_decode(&reader, arena, out);
    return code < 0 ? code : wire_done(&reader);
}

struct track *track_open(uint32_t slot, const void *payload, size_t n)
{
    struct arena arena = { 0 };
    struct series series;
    struct track *track = NULL;
    if (decode(&arena, payload, n, &series) == 0 && series.source_count > 0) {
        track = heap_alloc(sizeof(*track));
        track->slot = slot;
        track->fd = -1;
        track->source_count = (uint16_t)series.source_count;
        track->kinds = heap_alloc(series.source_count);
        for (uint32_t i = 0; i < series.source_count; i++)
            track->kinds[i] = (uint8_t)series.sources[i].kind;
        track->payload = heap_alloc(n);
        track->payload_size = n;
        memcpy(track->payload, payload, n);
        track->learn = learn_open(&series);
    }
    arena_close(&arena);
    return track;
}

bool track_is_same(const struct track *a, const struct track *b)
{
    return a && a->payload_size == b->payload_size && memcmp(a->payload, b->payload, b->payload_size) == 0;
}

void track_let_go(struct track *track)
{
    if (track->fd >= 0)
        close(track->fd);
    track->fd = -1;
}

static void forget_file(struct track *track)
{
    track_let_go(track);
    free(track->path);
    free(track->sources);
    free(track->columns);
    track->path = track->sources = NULL;
    track->columns = NULL;
    track->ready = false;
}

void track_close(struct track **track)
{
    struct track *t = *track;
    *track = NULL;
    if (!t)
        return;
    forget_file(t);
    learn_close(&t->learn);
    free(t->kinds);
    free(t->payload);
    free(t->rows);
    free(t);
}

/* ---- samples ---------------------------------------------------------------------------------------------------- */

static double *row_at(const struct track *track, uint32_t i)
{
    return track->rows + (size_t)i * (track->source_count + 1u);
}

const double *track_row(const struct track *track, uint32_t i)
{
    return row_at(track, i);
}

static double *add_row(struct track *track)
{
    if (track->row_count == track->row_size) {
        track->row_size = track->row_size ? track->row_size * 2 : 1;
        track->rows = heap_grow(track->rows, track->row_size, (track->source_count + 1u) * sizeof(double));
    }
    return row_at(track, track->row_count++);
}

bool track_add(struct track *track, struct track_room *room, int64_t wall_ms, const double *values, int64_t now_s)
{
    int64_t at_s = wall_ms / 1000;
    room->counts.samples++;
    if (at_s < TRACK_EARLIEST_S || at_s > now_s + TRACK_AHEAD_S) {
        room->counts.refused++;
        return false;
    }
    double *last = track->row_count ? row_at(track, track->row_count - 1) : NULL;
    int64_t last_s = last ? (int64_t)last[0] : track->ready ? track->last_s : 0;
    if (last && last_s == at_s) {
        room->counts.coalesced++;
    } else if (at_s <= last_s) {
        room->counts.late++;
        return false;
    } else {
        if (track->row_count >= TRACK_ROWS_MAX)
            track_settle(track, room, now_s);
        last = add_row(track);
    }
    last[0] = (double)at_s;
    memcpy(last + 1, values, track->source_count * sizeof(double));
    return true;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static void report(struct job *job, enum log_level level, const char *text)
{
    job->room->report(job->room->context, level, job->track->slot, text);
}

static int make_folders(struct job *job)
{
    char *folder = arena_text(&job->arena, job->path);
    *strrchr(folder, '/') = '\0';
    int code = file_make_folders(folder, 0755);
    return code < 0 ? why_say(&job->why, code, "'%s': %s", folder, error_text(code)) : 0;
}

/* Makes the file; with history, from the file that is there. */
static int make(struct job *job, bool history)
{
    char count[TEXT_COUNT_SIZE];
    struct store_make make = { .path = job->path,
                               .layout = &job->layout,
                               .start_s = (int64_t)row_at(job->track, 0)[0] - job->layout.step_s,
                               .history = history ? job->path : NULL,
                               .last_s = job->header.last_s,
                               .now_s = job->now_s };
    int code = make_folders(job);
    ledger_enter(job->room->ledger, job->path, -1, 0, 0);
    if (code == 0)
        code = store_make(&job->arena, &make, &job->why);
    ledger_leave(job->room->ledger);
    job->room->counts.migrated += code == 0 && history;
    if (code == 0)
        report(job, LOG_LEVEL_INFO,
               arena_print(&job->arena, history ? "'%s': migrated to %s every %u s" : "recording '%s': %s every %u s",
                           job->path, text_count(count, job->layout.source_count, "source"), job->layout.step_s));
    return code;
}

int track_set_aside(const char *path, int64_t now_s, char *aside, size_t size, struct why *why)
{
    snprintf(aside, size, "%s.bad-%" PRId64, path, now_s);
    for (int i = 2; access(aside, F_OK) == 0; i++)
        snprintf(aside, size, "%s.bad-%" PRId64 "-%d", path, now_s, i);
    return rename(path, aside) == 0 ? 0 : why_say(why, -errno, "can't move '%s' aside: %s", path, error_text(-errno));
}

static int set_aside(struct job *job)
{
    struct why reason = job->why;
    char aside[4096];
    int code = track_set_aside(job->path, job->now_s, aside, sizeof(aside), &job->why);
    job->moved = code == 0;
    job->room->counts.aside += job->moved;
    if (code == 0 && job->room->moved)
        job->room->moved(job->room->context, job->path,
                         arena_print(&job->arena, "%s; moved aside as '%s'", reason.text, aside));
    else if (code == 0)
        report(
            job, LOG_LEVEL_WARN,
            arena_print(&job->arena, "'%s' moved aside as '%s', a new one is made: %s", job->path, aside, reason.text));
    return code;
}

/* Whether a source of the file is one of the series, or one that we once gave it. */
static bool knows(const struct job *job, const char *source)
{
    char name[NAME_SOURCE_SIZE];
    for (uint32_t i = 0; i < job->legend.metric_count; i++)
        if (strcmp(job->legend.metrics[i].source, source) == 0)
            return true;
    for (uint32_t i = 0; i < job->series.source_count; i++) {
        const struct series_source *has = &job->series.sources[i];
        if (strcmp(name_source(name, has->metric), source) == 0 ||
            (has->was && strcmp(name_source(name, has->was), source) == 0))
            return true;
    }
    return false;
}

/* A sound file that is not ours: of other sources, or with a step that we did not give it. (When a migration is cut
 * short the file has the new step and its neighbour the old one.) */
static int check_origin(struct job *job)
{
    const struct header *header = &job->header;
    uint32_t known = 0;
    for (uint32_t i = 0; i < header->source_count; i++)
        known += knows(job, header->sources[i].name);
    if (known == 0)
        return why_say(&job->why, ERROR_DAMAGED, "it has none of the check's metrics");
    if (job->legend.check && header->step_s != job->legend.step_s && header->step_s != job->series.step_s)
        return why_say(&job->why, ERROR_DAMAGED, "its step is %llu s, and it was made with %u s",
                       (unsigned long long)header->step_s, job->legend.step_s);
    return 0;
}

/* Reads the file that is there; afterwards job->header is sound, or empty when a file must be made. */
static int look(struct job *job)
{
    int code = header_read(&job->arena, job->path, job->now_s, &job->header, &job->why);
    if (legend_read(&job->arena, job->path, &job->legend, NULL) != 0)
        memset(&job->legend, 0, sizeof(job->legend));
    if (code == 0)
        code = check_origin(job);
    if (code == ERROR_DAMAGED)
        code = set_aside(job);
    else if (code == -ENOENT || code == -ENOTDIR)
        code = 0;
    else if (code == 0)
        return 0;
    memset(&job->header, 0, sizeof(job->header));
    return code;
}

static int describe(struct job *job)
{
    struct legend fresh;
    legend_make(&job->arena, &job->series, &job->layout, job->legend.check ? &job->legend : NULL, &fresh);
    if (job->moved)
        fresh.moved_s = job->now_s;
    return legend_write(&job->arena, job->path, &fresh, &job->why);
}

static int16_t *find_columns(const struct job *job)
{
    int16_t *columns = heap_alloc(job->header.source_count * sizeof(*columns));
    for (uint32_t i = 0; i < job->header.source_count; i++) {
        columns[i] = -1;
        for (uint32_t k = 0; k < job->layout.live_count && columns[i] < 0; k++)
            if (strcmp(job->header.sources[i].name, job->layout.sources[k].name) == 0)
                columns[i] = (int16_t)k;
    }
    return columns;
}

/* The file has exactly the series' sources, in its order. */
static bool is_in_order(const struct job *job)
{
    bool same = job->header.source_count == job->layout.live_count;
    for (uint32_t i = 0; same && i < job->layout.live_count; i++)
        same = strcmp(job->header.sources[i].name, job->layout.sources[i].name) == 0;
    return same;
}

static void remember(struct job *job)
{
    struct track *track = job->track;
    struct buf sources = { 0 };
    for (uint32_t i = 0; i < job->layout.live_count; i++)
        buf_print(&sources, "%s%s", i ? ":" : "", job->layout.sources[i].name);
    forget_file(track);
    track->path = heap_text(job->path);
    track->sources = is_in_order(job) ? NULL : heap_text(sources.data);
    track->last_s = job->header.last_s;
    track->size_bytes = job->header.size_bytes;
    track->inode = job->header.inode;
    track->file_sources = job->header.source_count;
    track->file_archives = job->header.archive_count;
    track->columns = find_columns(job);
    track->head_bytes = header_file_size(job->header.source_count, job->header.archive_count, 0);
    track->ready = true;
    buf_close(&sources);
}

/* Before a file is replaced rrdcached writes what it has of it, and forgets it. */
static int take_back(struct job *job)
{
    struct cached *cached = job->room->cached;
    if (!cached || !cached_is_there(cached, clock_now_ms()))
        return 0;
    int code = cached_release(cached, job->path, &job->why);
    if (code == 0)
        code = header_read(&job->arena, job->path, job->now_s, &job->header, &job->why);
    return code;
}

static int prepare_in(struct job *job)
{
    struct track *track = job->track;
    int code = decode(&job->arena, track->payload, track->payload_size, &job->series);
    if (code < 0)
        return why_say(&job->why, code, "the definition of the series is damaged");
    job->path = name_file(&job->arena, job->room->folder, job->series.check, job->series.part);
    if (!job->path)
        return why_say(&job->why, ERROR_SYNTAX, "'%s' can't be a file's name", job->series.check);
    code = look(job);
    bool there = job->header.source_count > 0;
    if (code == 0)
        code = layout_make(&job->arena, &job->series, there ? &job->header : NULL, &job->layout, &job->why);
    if (code < 0)
        return code;
    if (!there || !layout_matches(&job->layout, &job->header)) {
        code = there ? take_back(job) : 0;
        if (code == 0)
            code = make(job, there);
        if (code == 0)
            code = header_read(&job->arena, job->path, job->now_s, &job->header, &job->why);
    }
    if (code == 0)
        code = describe(job);
    if (code == 0 && !track->learn)
        unlink(arena_print(&job->arena, "%s" PAST_SUFFIX, job->path));
    if (code == 0)
        remember(job);
    return code;
}

static bool is_same(const struct track *track, const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_ino == track->inode && st->st_size == track->size_bytes;
}

/* Whether the file is still the one that was prepared. */
static bool is_unchanged(const struct track *track)
{
    struct stat st;
    return track->ready && lstat(track->path, &st) == 0 && is_same(track, &st);
}

/* Makes sure of the file: 0 or a negative code. */
static int prepare(struct track *track, struct track_room *room, int64_t now_s, struct why *why)
{
    if (is_unchanged(track))
        return 0;
    struct job job = { .track = track, .room = room, .now_s = now_s };
    forget_file(track);
    int code = prepare_in(&job);
    *why = job.why;
    arena_close(&job.arena);
    if (code == 0 && !is_unchanged(track))
        code = why_say(why, -ESTALE, "'%s': is not what was made", track->path);
    return code;
}

/* The file that was prepared, open for reading; -1 when that can't be. */
static int hold(struct track *track)
{
    struct stat st;
    if (track->fd < 0) {
        track->fd = open(track->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (track->fd >= 0 && (fstat(track->fd, &st) != 0 || !is_same(track, &st)))
            track_let_go(track);
    }
    return track->fd;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static int write_rows(struct track *track, struct track_room *room, struct why *why)
{
    struct args args = { .arena = &room->scratch };
    int code = 0;
    arena_reset(&room->scratch);
    for (uint32_t i = 0; i < track->row_count; i++) {
        const double *row = row_at(track, i);
        if ((int64_t)row[0] > track->last_s)
            row_add(&args, track, row, false);
        else
            room->counts.late++;
    }
    if (args.count > 0) {
        int fd = hold(track);
        ledger_enter(room->ledger, track->path, fd, track->inode, track->head_bytes);
        code = store_update(track->path, track->sources, &args, why);
        ledger_leave(room->ledger);
        if (fd >= room->hold_max)
            track_let_go(track);
    }
    if (code == 0 && args.count > 0) {
        track->last_s = (int64_t)row_at(track, track->row_count - 1)[0];
        room->counts.updates++;
        room->counts.rows += (uint64_t)args.count;
    }
    return code;
}

static void drop_rows(struct track *track, uint32_t n)
{
    track->row_count -= n;
    track->sent_count = track->sent_count > n ? track->sent_count - n : 0;
    if (track->row_count > 0)
        memmove(track->rows, row_at(track, n), track->row_count * (track->source_count + 1u) * sizeof(double));
}

/* ---- by rrdcached ----------------------------------------------------------------------------------------------- */

/* rrdcached reads lines of up to 4096 bytes; the few files of which a row is longer are written by us alone. */
#define CACHED_SOURCES_MAX 150
static bool is_cached(const struct track *track, const struct track_room *room)
{
    return room->cached && track->file_sources <= CACHED_SOURCES_MAX;
}

/* Rows that the file has by now need not wait any more. */
static void drop_written(struct track *track, struct track_room *room)
{
    int64_t last_s = header_read_last(track->path, track->file_sources, track->file_archives);
    uint32_t n = 0;
    while (n < track->row_count && (int64_t)row_at(track, n)[0] <= last_s)
        n++;
    uint32_t sent = n < track->sent_count ? n : track->sent_count;
    room->counts.rows += sent;
    room->counts.late += n - sent;
    drop_rows(track, n);
}

static bool is_there(struct track_room *room)
{
    char text[256];
    bool away = !cached_is_there(room->cached, clock_now_ms());
    snprintf(text, sizeof(text), "rrdcached at '%.200s' %s", room->cached->socket_path,
             away ? "does not answer: samples wait" : "answers again");
    if (away != room->cached_is_away)
        room->report(room->context, away ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, 0, text);
    room->cached_is_away = away;
    return !away;
}

/* Sends what was not sent, or was sent to a daemon that may have been ended since. */
static int send_rows(struct track *track, struct track_room *room, struct why *why)
{
    struct arena arena = { 0 };
    struct args args = { .arena = &arena };
    drop_written(track, room);
    if (!is_there(room))
        return 0;
    if (track->sent_to != room->cached->generation)
        track->sent_count = 0;
    track->sent_to = room->cached->generation;
    for (uint32_t i = track->sent_count; i < track->row_count; i++)
        row_add(&args, track, row_at(track, i), true);
    int code = args.count > 0 ? cached_update(room->cached, track->path, &args, why) : 0;
    if (code == 0 && args.count > 0) {
        track->sent_count = track->row_count;
        room->counts.updates++;
    }
    arena_close(&arena);
    return room->cached->fd < 0 ? 0 : code; /* when it is away they wait */
}

/* ---- either way ------------------------------------------------------------------------------------------------- */

static void tell(struct track *track, struct track_room *room, int code, const struct why *why)
{
    char text[sizeof(why->text) + 64];
    if (code < 0 && !track->failing)
        room->report(room->context, LOG_LEVEL_ERROR, track->slot, why->text);
    if (code == 0 && track->failing) {
        snprintf(text, sizeof(text), "'%.400s': written again", track->path);
        room->report(room->context, LOG_LEVEL_INFO, track->slot, text);
    }
    track->failing = code < 0;
}

static int write_out(struct track *track, struct track_room *room, struct why *why)
{
    if (is_cached(track, room))
        drop_written(track, room);
    int code = write_rows(track, room, why);
    if (code < 0)
        room->counts.lost += track->row_count;
    track->row_count = track->sent_count = 0;
    return code;
}

static void flush(struct track *track, struct track_room *room, int64_t now_s, bool directly)
{
    struct why why = { "" };
    if (track->row_count == 0)
        return;
    int code = prepare(track, room, now_s, &why);
    if (code == 0 && track->learn)
        learn_rows(track, room);
    if (code < 0) {
        room->counts.lost += track->row_count;
        track->row_count = track->sent_count = 0;
    } else if (!directly && is_cached(track, room)) {
        code = send_rows(track, room, &why);
    } else {
        code = write_out(track, room, &why);
    }
    tell(track, room, code, &why);
    if (code < 0)
        forget_file(track); /* to look at it anew */
}

void track_flush(struct track *track, struct track_room *room, int64_t now_s)
{
    flush(track, room, now_s, false);
}

bool track_is_pending(const struct track *track)
{
    return track->row_count > track->sent_count;
}

void track_settle(struct track *track, struct track_room *room, int64_t now_s)
{
    struct why why = { "" };
    flush(track, room, now_s, false);
    if (track->row_count > 0 && !track_is_pending(track) && cached_flush(room->cached, track->path, &why) == 0)
        drop_written(track, room);
    flush(track, room, now_s, true);
    if (track->learn)
        learn_save(track, room);
}
