/* SPDX-License-Identifier: GPL-3.0-or-later */
/* track - one series being recorded: its definition, the samples that wait, and its file. A track touches the disk only
 * in track_flush(): a recorder with thousands of series starts without looking at one file. */
#ifndef RECORDER_TRACK_H
#define RECORDER_TRACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/wire.h"
#include "core/model/series.h"

#define TRACK_ROWS_MAX 256 /* waiting samples of one series; more are flushed at once */
/* Samples outside of this are absurd: before 2000, or more than an hour ahead of the clock. */
#define TRACK_EARLIEST_S 946684800
#define TRACK_AHEAD_S 3600

/* What was done, for the log. */
struct track_counts {
    uint64_t samples;   /* received */
    uint64_t rows;      /* written */
    uint64_t updates;   /* of files */
    uint64_t coalesced; /* replaced by a later one of the same second */
    uint64_t late;      /* not later than what the file has */
    uint64_t refused;   /* absurd times, unknown slots */
    uint64_t lost;      /* the file could not be written */
    uint64_t migrated;  /* files */
    uint64_t aside;     /* files */
};

struct baseline_table;
struct cached;
struct learn;
struct ledger;

/* What all tracks share. */
struct track_room {
    const char *folder;    /* of the RRD files */
    struct ledger *ledger; /* or NULL */
    struct cached *cached; /* rrdcached, which writes instead of us; or NULL */
    bool cached_is_away;   /* reported */
    struct arena scratch;  /* of one update */
    int hold_max;          /* files whose descriptor is below are kept open from one update to the next */
    struct track_counts counts;
    /* Something that people should know: a file moved aside, migrated, or not writable. */
    void (*report)(void *context, enum log_level level, uint32_t slot, const char *text);
    /* A file was moved aside, for the journal; NULL: that is only reported. */
    void (*moved)(void *context, const char *path, const char *text);
    /* The baselines of a metric are known anew; false: nobody listens now, it is told again. NULL: nobody wants them.
     */
    bool (*learnt)(void *context, uint32_t slot, const char *metric, const struct baseline_table *table);
    void *context;
};

struct track {
    uint32_t slot;
    uint16_t source_count;
    bool ready;             /* the file is there and looks as it shall */
    bool failing;           /* the last flush failed, and that was reported */
    uint8_t *kinds;         /* enum belfry_metric_kind, of each source */
    unsigned char *payload; /* the series as it came over the wire */
    size_t payload_size;
    char *path, *sources; /* when ready: the file, and "a:b:c"; NULL: the file's own order */
    int64_t last_s;       /* when ready: the file's last update */
    off_t size_bytes;     /* when ready: what the file must still be */
    ino_t inode;
    int fd;              /* the file, open for reading, when it is kept open; else -1 */
    uint64_t head_bytes; /* of the file, before its rows */
    uint32_t file_sources, file_archives;
    int16_t *columns;    /* of the file's sources: the place in a row; -1: not of the series */
    uint32_t sent_count; /* of the waiting rows, from the first: rrdcached has them, the file not yet */
    uint32_t sent_to;    /* generation of the connection by which they were sent */
    double *rows;        /* waiting: seconds and values, source_count + 1 numbers each */
    uint32_t row_count, row_size;
    struct learn *learn; /* baselines; NULL: none are wanted */
    uint32_t generation; /* of the write-ahead file that has this series; 0: none */
    int64_t due_ms;      /* of the queue (queue.c) */
    struct track *next;
    bool queued;
};

/* A track for a series whose encoding is the n bytes at payload; NULL when they are no series (ERROR_PROTOCOL). */
struct track *track_open(uint32_t slot, const void *payload, size_t n);
/* Whether it is the same series; a may be NULL. */
bool track_is_same(const struct track *a, const struct track *b);
/* Frees it; what waits is dropped. NULL is fine. */
void track_close(struct track **track);

/* Takes one sample of source_count values. Returns whether it now waits to be flushed: it is neither late nor absurd.
 */
bool track_add(struct track *track, struct track_room *room, int64_t wall_ms, const double *values, int64_t now_s);
/* The second and the source_count values of a waiting row. */
const double *track_row(const struct track *track, uint32_t i);
/* Writes what waits, after making or migrating the file if need be. Afterwards nothing waits, whatever happened; with
 * rrdcached rows wait until the file has them, and track_is_pending() says whether there are some to be sent again. */
void track_flush(struct track *track, struct track_room *room, int64_t now_s);
bool track_is_pending(const struct track *track);
/* The same, but afterwards the file has everything and nothing waits: rrdcached is asked to write, or, when it does not
 * answer, written without it. */
void track_settle(struct track *track, struct track_room *room, int64_t now_s);

/* The file is not kept open any more, until the next update. */
void track_let_go(struct track *track);

/* Renames the file at path to PATH.bad-SECONDS, which is left in aside; 0 or a negative code. */
int track_set_aside(const char *path, int64_t now_s, char *aside, size_t size, struct why *why);

#endif
