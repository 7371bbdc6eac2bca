/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer - appending. The caller's side numbers, chains and composes each record and puts it into the queue; the
 * journal thread writes what is queued and makes it durable. They share the queue under one lock, which neither holds
 * while it computes or waits for the disk, and three numbers that the thread publishes. */
#include "core/journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/journal/pump.h"
#include "core/journal/record.h"
#include "core/journal/recover.h"
#include "core/journal/reserve.h"
#include "core/journal/tend.h"

#define SEGMENT_BYTES (16u << 20)
#define BATCH_BYTES (1u << 20) /* a batch that is larger gets no more records */
#define RETRY_MS 1000          /* a disk that took nothing is asked again, and room for the reserve looked for */

/* ---- the caller's side ----------------------------------------------------------------------------------------- */

/* Composes the next record into j->line and moves the chain on. */
static void compose(struct journal *j, const struct journal_entry *entry)
{
    char hash[DIGEST_HEX_SIZE];
    buf_reset(&j->line);
    record_compose(&j->line, j->last_seq + 1, j->last_hash, entry, hash);
    memcpy(j->last_hash, hash, sizeof hash);
    j->last_seq++;
}

/* Puts j->line into the queue and wakes the thread. */
static void push(struct journal *j, uint64_t begins)
{
    pthread_mutex_lock(&j->lock);
    struct batch *batch = j->last;
    if (batch == NULL || begins != 0 || batch->bytes.length >= BATCH_BYTES) {
        batch = heap_alloc(sizeof *batch);
        *batch = (struct batch){ .begins = begins };
        if (j->last != NULL)
            j->last->next = batch;
        else
            j->first = batch;
        j->last = batch;
    }
    buf_add(&batch->bytes, j->line.data, j->line.length);
    batch->last_seq = j->last_seq;
    atomic_fetch_add(&j->queued_bytes, j->line.length);
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    j->composed_bytes += j->line.length;
}

/* Composes the first record of the next segment; its number. */
static uint64_t compose_segment(struct journal *j, int64_t wall_ms)
{
    struct buf members = { 0 };
    buf_print(&members, "\"version\":%u,\"journal\":\"%s\",\"previous\":", SEGMENT_VERSION, j->id);
    if (j->segment[0] == '\0')
        buf_text(&members, "null,\"end\":null");
    else
        buf_print(&members, "\"%s\",\"end\":\"%s\"", j->segment, j->last_hash);
    compose(j, &(struct journal_entry){ wall_ms, RECORD_SEGMENT, "journal", members.data, NULL, NULL });
    buf_close(&members);
    segment_name(j->segment, j->last_seq);
    j->composed_bytes = 0;
    return j->last_seq;
}

uint64_t journal_append_entry(struct journal *j, const struct journal_entry *entry)
{
    if (j->composed_bytes >= j->segment_bytes) {
        uint64_t begins = compose_segment(j, entry->wall_ms);
        push(j, begins);
    }
    compose(j, entry);
    push(j, 0);
    return j->last_seq;
}

uint64_t journal_append(struct journal *j, int64_t wall_ms, const char *type, const char *who, const char *members)
{
    return journal_append_entry(j, &(struct journal_entry){ wall_ms, type, who, members, NULL, NULL });
}

const char *journal_id(const struct journal *j)
{
    return j->id;
}

const char *journal_head(const struct journal *j)
{
    return j->last_hash;
}

void journal_after(struct journal *j, uint64_t seq, journal_task run_it, void *context)
{
    struct task *task = heap_alloc(sizeof *task), **at = &j->tasks;
    *task = (struct task){ .seq = seq, .run = run_it, .context = context };
    pthread_mutex_lock(&j->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = task;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
}

uint64_t journal_last(const struct journal *j)
{
    return j->last_seq;
}

uint64_t journal_durable(const struct journal *j)
{
    return atomic_load(&j->durable);
}

int journal_event_fd(const struct journal *j)
{
    return j->event_fd;
}

int journal_error(const struct journal *j)
{
    return atomic_load(&j->error);
}

int journal_stalled(const struct journal *j)
{
    return atomic_load(&j->stalled);
}

bool journal_is_low(const struct journal *j)
{
    return atomic_load(&j->low);
}

uint64_t journal_queued_bytes(const struct journal *j)
{
    return atomic_load(&j->queued_bytes);
}

void journal_snapshot(struct journal *j, const char *path, uint64_t seq, const char *json, size_t length)
{
    struct snapshot *snapshot = heap_alloc(sizeof *snapshot);
    text_copy(snapshot->path, sizeof snapshot->path, path);
    snapshot->seq = seq;
    snapshot->json = (struct buf){ .max_bytes = length + 1 };
    buf_add(&snapshot->json, json, length);
    pthread_mutex_lock(&j->lock);
    struct snapshot *old = j->waiting;
    j->waiting = snapshot;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pump_free_snapshot(old);
}

/* ---- open and close -------------------------------------------------------------------------------------------- */

/* The first segment of a journal, or the one behind a damaged one: at once, so that trouble is told by open. */
static int begin_segment(struct journal *j)
{
    char name[SEGMENT_NAME_SIZE];
    size_t done = 0;
    int code = live_create(&j->live, segment_name(name, compose_segment(j, clock_wall_ms())));
    if (code == 0)
        code = live_write(&j->live, j->line.data, j->line.length, &done);
    if (code == 0) {
        code = live_sync(&j->live);
        atomic_store(&j->error, code);
    }
    j->composed_bytes = j->line.length;
    return code;
}

static void draw_id(struct journal *j)
{
    unsigned char bytes[(SEGMENT_ID_SIZE - 1) / 2];
    digest_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(j->id + 2 * i, 3, "%02x", bytes[i]);
}

static void take_end(struct journal *j, const struct recover_end *end)
{
    memcpy(j->id, end->journal, sizeof j->id);
    memcpy(j->segment, end->segment, sizeof j->segment);
    memcpy(j->last_hash, end->hash, sizeof j->last_hash);
    j->last_seq = end->seq;
    if (j->id[0] == '\0')
        draw_id(j);
}

/* A folder that was just made must still be there after a power cut. */
static int continue_from(struct journal *j, const struct recover_end *end, struct why *why)
{
    take_end(j, end);
    int code = end->segment[0] == '\0' ? live_sync_parent(&j->live) : 0;
    if (code == 0)
        code =
            end->segment[0] == '\0' || end->new_segment ? begin_segment(j) : live_open(&j->live, j->segment, end->size);
    if (code < 0)
        return why_say(why, code, "the journal's segment '%s' can't be written: %s", j->segment, error_text(code));
    if (j->composed_bytes == 0)
        j->composed_bytes = end->size;
    j->written = j->synced = j->last_seq;
    atomic_store(&j->durable, j->last_seq);
    return 0;
}

static int open_folder(struct journal *j, const char *folder, struct why *why)
{
    int code = file_make_folders(folder, 0700);
    if (code < 0)
        return why_say(why, code, "the journal's folder '%s' can't be made: %s", folder, error_text(code));
    j->live.folder = segment_open_folder(folder, why);
    return j->live.folder < 0 ? j->live.folder : 0;
}

/* One try; *after moves with the records that were visited. */
static int open_segments(struct journal *j, struct recover_request *what, struct journal_recovery *recovery,
                         struct why *why)
{
    struct recover_end end;
    int code = recover_end(what, &end, recovery, why);
    what->after = end.visited;
    return code == 0 ? continue_from(j, &end, why) : code;
}

/* The disk takes nothing, for this reason: when the journal can be read, the thread does later what is to be written.
 */
static int open_late(struct journal *j, struct recover_request *what, int reason, struct journal_recovery *recovery)
{
    struct recover_end end;
    struct why unused;
    what->dry = true;
    if (recover_end(what, &end, recovery, &unused) != 0)
        return reason;
    live_close(&j->live);
    j->live.dirty = j->live.created = false;
    take_end(j, &end);
    j->written = j->synced = 0;
    atomic_store(&j->durable, 0);
    j->composed_bytes = end.size;
    late_begin(j, &end, reason);
    if (end.segment[0] == '\0' || end.new_segment)
        push(j, compose_segment(j, clock_wall_ms()));
    return 0;
}

static int prepare(struct journal *j, const struct writer_open *request, struct journal_recovery *recovery,
                   struct why *why)
{
    int code = open_folder(j, request->options->folder, why);
    if (code < 0)
        return code;
    struct recover_request what = { .disk = request->disk,
                                    .folder = j->live.folder,
                                    .after = request->after,
                                    .visit = request->visit,
                                    .context = request->context };
    code = open_segments(j, &what, recovery, why);
    if ((code == -ENOSPC || code == -EDQUOT) && reserve_release(j->live.folder)) { /* this is what it is for */
        live_close(&j->live);
        code = open_segments(j, &what, recovery, why);
    }
    if (late_heals(code) && atomic_load(&j->error) == 0) /* a sync that failed is not repeated */
        code = open_late(j, &what, code, recovery);
    if (code != 0)
        return code;
    if (request->options->tend)
        j->tend = tend_open(j->live.disk, j->live.folder);
    j->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (j->event_fd < 0)
        return why_say(why, -errno, "no event descriptor: %s", error_text(-errno));
    code = pump_start(j);
    return code < 0 ? why_say(why, code, "no thread for the journal: %s", error_text(code)) : 0;
}

void journal_configure(struct journal *j, const struct journal_options *options)
{
    j->segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_BYTES;
    atomic_store(&j->reserve_bytes, options->reserve_bytes);
    atomic_store(&j->sync_every_ms, options->sync_every_ms);
    pthread_mutex_lock(&j->lock);
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
}

/* The thread's waits end by the monotonic clock. */
static void init_lock(struct journal *j)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct tend *writer_tend(const struct journal *j)
{
    return j->tend;
}

int writer_open(const struct writer_open *request, struct journal **out, struct journal_recovery *recovery,
                struct why *why)
{
    struct journal *j = heap_alloc(sizeof *j);
    const struct journal_options *options = request->options;
    *j = (struct journal){ .event_fd = -1, .live = { .disk = request->disk, .folder = -1, .fd = -1 } };
    j->retry_ms = request->retry_ms != 0 ? request->retry_ms : RETRY_MS;
    init_lock(j);
    journal_configure(j, options);
    *recovery = (struct journal_recovery){ 0 };
    *out = NULL;
    int code = prepare(j, request, recovery, why);
    if (code == 0)
        *out = j;
    else
        journal_close(&j);
    return code;
}

int journal_open(const struct journal_options *options, uint64_t after, journal_visit visit, void *context,
                 struct journal **out, struct journal_recovery *recovery, struct why *why)
{
    struct writer_open request = { &disk_system, options, after, visit, context, 0 };
    return writer_open(&request, out, recovery, why);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

int journal_close(struct journal **journal)
{
    struct journal *j = *journal;
    if (j == NULL)
        return 0;
    if (j->started)
        pump_stop(j);
    int code = atomic_load(&j->error);
    pump_close(j);
    tend_close(&j->tend);
    live_close(&j->live);
    close_fd(j->event_fd);
    close_fd(j->live.folder);
    buf_close(&j->line);
    free(j->late);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
    free(j);
    *journal = NULL;
    return code;
}
