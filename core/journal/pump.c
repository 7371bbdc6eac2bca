/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pump - the journal's thread.
 *
 * The queue is a list of batches. A batch belongs to one segment; when it begins one, the thread first makes the
 * segment before durable, so that only the last segment can ever be torn. All batches taken at once are one group: one
 * write each, one fdatasync for all (and one fsync of the folder when a file was created), then durable is published.
 * With an interval, durable is published when the group is written, and the fdatasync comes when it is due; what must
 * not be ahead of the disk (snapshots, tasks) waits for that all the same.
 *
 * What opening could not do is done first of all (late.c). A write that fails has lost nothing: what was not taken
 * stays in hand, is tried again each second, and stalled says why. When there is no space, the reserve is given back
 * first, and made again when there is room (low meanwhile).
 *
 * After a failed fdatasync the thread throws away what is queued and publishes nothing any more: it may have lost pages
 * that a second one would call written. The same holds when the file is not as we left it (live.c).
 *
 * Diagnostics: `journal snapshot 'PATH' can't be written: WHY` (once until it succeeds again; only the next start gets
 * slower), `N records waited for the disk and are given up: WHY` (at a stop). */
#include "core/journal/pump.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/journal/reserve.h"
#include "core/journal/snapshot.h"

#define SUBSYSTEM "journal"

/* ---- the thread: what it publishes ------------------------------------------------------------------------------ */

static void signal_event(const struct journal *j)
{
    static const uint64_t one = 1;
    ssize_t n;
    do
        n = write(j->event_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

static void publish(struct journal *j, uint64_t seq)
{
    atomic_store(&j->durable, seq);
    signal_event(j);
}

/* 0, or why nothing can be written just now. */
static void publish_stall(struct journal *j, int code)
{
    if (atomic_exchange(&j->stalled, code) != code)
        signal_event(j);
}

static void publish_low(struct journal *j, bool low)
{
    if (atomic_exchange(&j->low, low) != low)
        signal_event(j);
}

/* ---- the thread: groups ---------------------------------------------------------------------------------------- */

static void free_batch(struct batch *batch)
{
    buf_close(&batch->bytes);
    free(batch);
}

/* Nothing is written or published any more. */
static int fail(struct journal *j, int code)
{
    atomic_store(&j->error, code);
    signal_event(j);
    return code;
}

/* What was written is on disk. */
static int settle(struct journal *j)
{
    if (!j->live.dirty)
        return 0;
    int code = live_sync(&j->live);
    if (code < 0)
        return fail(j, code);
    j->synced = j->written;
    publish(j, j->written);
    return 0;
}

static int write_batch(struct journal *j, struct batch *batch)
{
    int code = 0;
    if (batch->begins != 0) {
        char name[SEGMENT_NAME_SIZE];
        code = settle(j);
        if (code == 0)
            code = live_create(&j->live, segment_name(name, batch->begins));
        if (code == 0) {
            batch->begins = 0;
            if (j->tend != NULL)
                tend_wake(j->tend);
        }
    }
    return code == 0 ? live_write(&j->live, batch->bytes.data, batch->bytes.length, &batch->done) : code;
}

static int write_batches(struct journal *j)
{
    int complete = late_complete(j);
    if (complete < 0)
        return complete;
    while (j->todo != NULL) {
        struct batch *batch = j->todo;
        int code = write_batch(j, batch);
        if (code < 0)
            return code;
        j->written = batch->last_seq;
        j->todo = batch->next;
        atomic_fetch_sub(&j->queued_bytes, batch->bytes.length);
        free_batch(batch);
    }
    return 0;
}

static bool is_full(int code)
{
    return code == -ENOSPC || code == -EDQUOT;
}

/* The error that no repetition heals, or 0: then what is not written waits, and publish_stall() was told why. */
static int write_what_goes(struct journal *j)
{
    int code = write_batches(j);
    if (is_full(code) && reserve_release(j->live.folder)) {
        publish_low(j, true);
        code = write_batches(j);
    }
    if (atomic_load(&j->error) != 0)
        return atomic_load(&j->error);
    if (code == ERROR_REFUSED || code == -EEXIST)
        return fail(j, code);
    if (code < 0 && is_full(code))
        publish_low(j, atomic_load(&j->reserve_bytes) > 0);
    publish_stall(j, code);
    return 0;
}

static void drop_batches(struct journal *j)
{
    while (j->todo != NULL) {
        struct batch *batch = j->todo;
        j->todo = batch->next;
        atomic_fetch_sub(&j->queued_bytes, batch->bytes.length);
        free_batch(batch);
    }
}

static void write_group(struct journal *j, bool stopping)
{
    int code = atomic_load(&j->error);
    if (code == 0 && (j->todo != NULL || late_waits(j)))
        code = write_what_goes(j);
    if (code == 0 && (stopping || clock_now_ms() >= j->sync_ms)) {
        code = settle(j);
        j->sync_ms = clock_now_ms() + atomic_load(&j->sync_every_ms);
    }
    if (code == 0 && j->written > atomic_load(&j->durable))
        publish(j, j->written); /* as the policy has it: written, and synced in a while */
    if (code != 0)
        drop_batches(j);
}

/* ---- the thread: space ----------------------------------------------------------------------------------------- */

/* Makes it again when there is room, and when another size is wanted. */
static void refill_reserve(struct journal *j)
{
    uint64_t bytes = atomic_load(&j->reserve_bytes);
    if (atomic_load(&j->stalled) != 0 || (bytes == j->reserve_made && !atomic_load(&j->low)))
        return;
    if (bytes == 0 && j->reserve_made != 0)
        reserve_release(j->live.folder);
    j->reserve_made = bytes;
    publish_low(j, reserve_fill(j->live.folder, bytes) != 0);
}

/* ---- the thread: snapshots ------------------------------------------------------------------------------------- */

void pump_free_snapshot(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    buf_close(&snapshot->json);
    free(snapshot);
}

static void store_snapshot(struct journal *j, struct snapshot *snapshot)
{
    int code = snapshot_write(j->live.disk, snapshot->path, snapshot->seq, &snapshot->json);
    if (code < 0 && !j->snapshot_failed)
        log_warn(SUBSYSTEM, "snapshot '%s' can't be written: %s", snapshot->path, error_text(code));
    j->snapshot_failed = code < 0;
    pump_free_snapshot(snapshot);
}

/* The waiting one when its records are on disk. Under the lock. */
static struct snapshot *take_snapshot(struct journal *j)
{
    struct snapshot *snapshot = j->waiting;
    if (snapshot == NULL || snapshot->seq > j->synced || atomic_load(&j->error) != 0)
        return NULL;
    j->waiting = NULL;
    return snapshot;
}

/* ---- the thread: tasks ----------------------------------------------------------------------------------------- */

/* The first one when its record is on disk. Under the lock. */
static struct task *take_task(struct journal *j)
{
    struct task *task = j->tasks;
    if (task == NULL || task->seq > j->synced || atomic_load(&j->error) != 0)
        return NULL;
    j->tasks = task->next;
    return task;
}

static void run_task(struct task *task, bool durable)
{
    task->run(task->context, durable);
    free(task);
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

/* Behind what the thread has: a segment is begun by the first of a batch only. */
static void take_queue(struct journal *j)
{
    struct batch **at = &j->todo;
    while (*at != NULL)
        at = &(*at)->next;
    *at = j->first;
    j->first = j->last = NULL;
}

/* When the thread has to look again though nobody wakes it; INT64_MAX: never. */
static int64_t next_look(const struct journal *j)
{
    int64_t at_ms = INT64_MAX;
    if (atomic_load(&j->error) != 0)
        return at_ms;
    if (j->todo != NULL || late_waits(j) || atomic_load(&j->low))
        at_ms = clock_now_ms() + j->retry_ms;
    else if (atomic_load(&j->reserve_bytes) != j->reserve_made)
        return 0;
    if (j->live.dirty && j->sync_ms < at_ms)
        at_ms = j->sync_ms;
    return at_ms;
}

/* Under the lock. */
static void wait_until(struct journal *j, int64_t at_ms)
{
    if (at_ms == INT64_MAX) {
        pthread_cond_wait(&j->wake, &j->lock);
        return;
    }
    int64_t wait_ms =
        at_ms - clock_now_ms(); /* our clock goes on while the machine sleeps, that of the wait does not */
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + (wait_ms > 0 ? wait_ms : 0) * 1000000;
    at.tv_sec += ns / 1000000000;
    at.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&j->wake, &j->lock, &at);
}

/* While nothing is to be written: finished segments are tended, step by step. False when there is nothing to do there
 * either. Under the lock, which is open meanwhile. */
static bool tend(struct journal *j)
{
    uint64_t last_seq;
    if (j->tend == NULL || atomic_load(&j->error) != 0 || atomic_load(&j->stalled) != 0)
        return false;
    pthread_mutex_unlock(&j->lock);
    bool busy = tend_step(j->tend);
    if (busy && journal_ripe(j, &last_seq))
        signal_event(j);
    pthread_mutex_lock(&j->lock);
    return busy;
}

static void give_up(struct journal *j)
{
    const struct batch *last = j->todo;
    int code = atomic_load(&j->stalled);
    char text[TEXT_COUNT_SIZE];
    while (last->next != NULL)
        last = last->next;
    uint64_t count = last->last_seq - j->written;
    log_error(SUBSYSTEM, "%s waited for the disk and %s given up: %s", text_count(text, count, "record"),
              count == 1 ? "is" : "are", error_text(code));
    fail(j, code);
}

static void *run(void *context)
{
    struct journal *j = context;
    bool stopping = false;
    pthread_mutex_lock(&j->lock);
    for (;;) {
        struct snapshot *snapshot = NULL;
        struct task *task = NULL;
        bool idle = false;
        int64_t look_ms = next_look(j);
        while ((task = take_task(j)) == NULL && (snapshot = take_snapshot(j)) == NULL && !j->stop &&
               (j->first == NULL || atomic_load(&j->stalled) != 0) && clock_now_ms() < look_ms) {
            if (idle)
                wait_until(j, look_ms);
            idle = !idle && !tend(j);
            look_ms = next_look(j) < look_ms ? next_look(j) : look_ms;
        }
        if (stopping && j->first == NULL && snapshot == NULL && task == NULL)
            break;
        stopping = j->stop;
        take_queue(j);
        pthread_mutex_unlock(&j->lock);
        write_group(j, stopping);
        refill_reserve(j);
        if (task != NULL)
            run_task(task, true);
        if (snapshot != NULL)
            store_snapshot(j, snapshot);
        pthread_mutex_lock(&j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    if (j->todo != NULL && atomic_load(&j->error) == 0) /* what still waits is lost, and the caller gets to know */
        give_up(j);
    drop_batches(j);
    return NULL;
}

int pump_start(struct journal *j)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the caller's */
    int code = pthread_create(&j->thread, NULL, run, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    j->started = code == 0;
    if (j->started)
        pthread_setname_np(j->thread, "journal");
    return -code;
}

void pump_stop(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
}

void pump_close(struct journal *j)
{
    while (j->tasks != NULL) {
        struct task *task = j->tasks;
        j->tasks = task->next;
        run_task(task, false);
    }
    pump_free_snapshot(j->waiting);
}
