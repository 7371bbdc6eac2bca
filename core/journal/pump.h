/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pump - the journal's thread: takes what writer.c has put into the queue to the disk. This is the whole of a journal
 * that is being written, shared by these two files and no other. */
#ifndef JOURNAL_PUMP_H
#define JOURNAL_PUMP_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/digest.h"
#include "core/journal/journal.h"
#include "core/journal/late.h"
#include "core/journal/live.h"
#include "core/journal/segment.h"
#include "core/journal/tend.h"

struct batch {
    struct batch *next;
    struct buf bytes;
    size_t done; /* of them is written */
    uint64_t last_seq;
    uint64_t begins; /* not 0: the segment that begins with this record, to be created */
};

/* Waits for its record. */
struct task {
    struct task *next;
    uint64_t seq;
    journal_task run;
    void *context;
};

struct snapshot {
    char path[PATH_MAX];
    uint64_t seq;
    struct buf json;
};

struct journal {
    int event_fd;
    int64_t retry_ms;
    _Atomic uint64_t reserve_bytes; /* wanted */
    _Atomic int64_t sync_every_ms;  /* 0: always */

    /* the caller's side */
    uint64_t last_seq, segment_bytes, composed_bytes; /* composed: of the segment that last_seq is in */
    char id[SEGMENT_ID_SIZE], segment[SEGMENT_NAME_SIZE], last_hash[DIGEST_HEX_SIZE];
    struct buf line;

    /* shared, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct batch *first, *last;
    struct snapshot *waiting;
    struct task *tasks; /* in the order of their records */
    bool stop;

    /* published by the thread (queued_bytes by both) */
    _Atomic uint64_t durable, queued_bytes;
    _Atomic int error, stalled;
    _Atomic bool low;

    /* the thread's side */
    pthread_t thread;
    bool started;
    struct live live;
    struct late *late;        /* what opening has left to the thread, or NULL */
    struct batch *todo;       /* taken from the queue */
    uint64_t written, synced; /* numbers of records */
    int64_t sync_ms;          /* when the next sync is due, unless always */
    bool snapshot_failed;
    uint64_t reserve_made; /* what was wanted when the reserve was looked after */
    struct tend *tend;     /* of finished segments, or NULL */
};

/* 0 or a negative code. */
int pump_start(struct journal *journal);
/* Writes what is queued, or what of it can be, and ends the thread. */
void pump_stop(struct journal *journal);
/* Runs the tasks that are left, and frees what was never taken. After pump_stop(). */
void pump_close(struct journal *journal);
/* May be NULL. */
void pump_free_snapshot(struct snapshot *snapshot);

#endif
