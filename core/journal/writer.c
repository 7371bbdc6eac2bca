/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer - appending. The caller's side numbers, chains and composes each record and puts it into the queue; the
 * journal thread writes what is queued and makes it durable. They share the queue under one lock, which neither holds
 * while it computes or waits for the disk, and three numbers that the thread publishes.
 *
 * The queue is a list of batches. A batch belongs to one segment; when it begins one, the thread first makes the
 * segment before durable, so that only the last segment can ever be torn. All batches taken at once are one group: one
 * write each, one fdatasync for all (and one fsync of the folder when a file was created), then durable is published.
 *
 * After the first error the thread throws away what is queued and publishes nothing any more: fdatasync may have lost
 * pages that a second one would call written. Before each group the file must have exactly the length that we gave it
 * and still have its name: another writer, or somebody who deletes the live file, is such an error too.
 *
 * Diagnostics: `journal snapshot 'PATH' can't be written: WHY` (once until it succeeds again; only the next start gets
 * slower). */
#include "core/journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/journal/record.h"
#include "core/journal/recover.h"
#include "core/journal/segment.h"
#include "core/journal/snapshot.h"
#include "core/journal/tend.h"

#define SEGMENT_BYTES (16u << 20)
#define BATCH_BYTES (1u << 20) /* a batch that is larger gets no more records */
#define SUBSYSTEM "journal"

struct batch {
    struct batch *next;
    struct buf bytes;
    uint64_t last_seq;
    uint64_t begins; /* not 0: the segment that begins with this record */
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
    const struct journal_disk *disk;
    int folder, event_fd;

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
    _Atomic int error;

    /* the thread's side */
    pthread_t thread;
    bool started;
    int fd;
    uint64_t size; /* of the file */
    bool snapshot_failed;
    struct tend *tend; /* or NULL */
};

/* ---- the thread: files ----------------------------------------------------------------------------------------- */

/* The file is still ours alone. */
static int check_file(const struct journal *j)
{
    struct stat st;
    if (fstat(j->fd, &st) < 0)
        return -errno;
    return st.st_nlink > 0 && (uint64_t)st.st_size == j->size ? 0 : ERROR_REFUSED;
}

static int create_segment(struct journal *j, uint64_t first_seq)
{
    char name[SEGMENT_NAME_SIZE];
    if (j->fd >= 0)
        close(j->fd);
    j->size = 0;
    if (j->tend != NULL)
        tend_wake(j->tend);
    j->fd =
        j->disk->open(j->disk->self, j->folder, segment_name(name, first_seq), O_RDWR | O_APPEND | O_CREAT | O_EXCL);
    return j->fd < 0 ? j->fd : 0;
}

static int write_bytes(struct journal *j, const struct buf *bytes)
{
    int code = check_file(j);
    if (code == 0)
        code = disk_write_all(j->disk, j->fd, bytes->data, bytes->length);
    if (code == 0)
        j->size += bytes->length;
    return code;
}

static int make_durable(struct journal *j, bool created)
{
    int code = j->disk->sync(j->disk->self, j->fd);
    if (code == 0 && created)
        code = j->disk->sync_folder(j->disk->self, j->folder);
    return code;
}

/* ---- the thread: groups ---------------------------------------------------------------------------------------- */

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

/* A group on its way to the disk. */
struct group {
    bool dirty, created;
    uint64_t written_seq;
};

static int finish(struct journal *j, struct group *group)
{
    if (!group->dirty)
        return 0;
    int code = make_durable(j, group->created);
    if (code == 0)
        publish(j, group->written_seq);
    *group = (struct group){ 0 };
    return code;
}

static int write_batch(struct journal *j, struct group *group, const struct batch *batch)
{
    int code = 0;
    if (batch->begins != 0) {
        code = finish(j, group);
        if (code == 0)
            code = create_segment(j, batch->begins);
        group->created = true;
    }
    if (code == 0)
        code = write_bytes(j, &batch->bytes);
    group->dirty = true;
    group->written_seq = batch->last_seq;
    return code;
}

/* Writes the group, or throws it away after an error, and frees it. */
static void write_group(struct journal *j, struct batch *batch)
{
    struct group group = { 0 };
    int code = atomic_load(&j->error);
    bool failed_before = code != 0;
    while (batch != NULL) {
        struct batch *next = batch->next;
        if (code == 0)
            code = write_batch(j, &group, batch);
        atomic_fetch_sub(&j->queued_bytes, batch->bytes.length);
        buf_close(&batch->bytes);
        free(batch);
        batch = next;
    }
    if (code == 0)
        code = finish(j, &group);
    if (code != 0 && !failed_before) {
        atomic_store(&j->error, code);
        signal_event(j);
    }
}

/* ---- the thread: snapshots ------------------------------------------------------------------------------------- */

static void free_snapshot(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    buf_close(&snapshot->json);
    free(snapshot);
}

static void store_snapshot(struct journal *j, struct snapshot *snapshot)
{
    int code = snapshot_write(j->disk, snapshot->path, snapshot->seq, &snapshot->json);
    if (code < 0 && !j->snapshot_failed)
        log_warn(SUBSYSTEM, "snapshot '%s' can't be written: %s", snapshot->path, error_text(code));
    j->snapshot_failed = code < 0;
    free_snapshot(snapshot);
}

/* The waiting one when its records are on disk. Under the lock. */
static struct snapshot *take_snapshot(struct journal *j)
{
    struct snapshot *snapshot = j->waiting;
    if (snapshot == NULL || snapshot->seq > atomic_load(&j->durable) || atomic_load(&j->error) != 0)
        return NULL;
    j->waiting = NULL;
    return snapshot;
}

/* ---- the thread: tasks ----------------------------------------------------------------------------------------- */

/* The first one when its record is on disk. Under the lock. */
static struct task *take_task(struct journal *j)
{
    struct task *task = j->tasks;
    if (task == NULL || task->seq > atomic_load(&j->durable) || atomic_load(&j->error) != 0)
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

/* While nothing is to be written: finished segments are tended, step by step. False when there is nothing to do there
 * either. Under the lock, which is open meanwhile. */
static bool tend(struct journal *j)
{
    uint64_t last_seq;
    if (j->tend == NULL || atomic_load(&j->error) != 0)
        return false;
    pthread_mutex_unlock(&j->lock);
    bool busy = tend_step(j->tend);
    if (busy && journal_ripe(j, &last_seq))
        signal_event(j);
    pthread_mutex_lock(&j->lock);
    return busy;
}

static void *run(void *context)
{
    struct journal *j = context;
    pthread_mutex_lock(&j->lock);
    for (;;) {
        bool idle = false;
        struct snapshot *snapshot = NULL;
        struct task *task = NULL;
        while ((task = take_task(j)) == NULL && (snapshot = take_snapshot(j)) == NULL && j->first == NULL && !j->stop)
            if (!idle)
                idle = !tend(j);
            else if (pthread_cond_wait(&j->wake, &j->lock) == 0)
                idle = false;
        struct batch *batch = j->first;
        if (batch == NULL && snapshot == NULL && task == NULL)
            break;
        j->first = j->last = NULL;
        pthread_mutex_unlock(&j->lock);
        write_group(j, batch);
        if (task != NULL)
            run_task(task, true);
        if (snapshot != NULL)
            store_snapshot(j, snapshot);
        pthread_mutex_lock(&j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static int start_thread(struct journal *j)
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
    free_snapshot(old);
}

/* ---- open and close -------------------------------------------------------------------------------------------- */

/* The first segment of a journal, or the one behind a damaged one: at once, so that trouble is told by open. */
static int begin_segment(struct journal *j)
{
    uint64_t seq = compose_segment(j, clock_wall_ms());
    int code = create_segment(j, seq);
    if (code == 0)
        code = write_bytes(j, &j->line);
    if (code == 0)
        code = make_durable(j, true);
    j->composed_bytes = j->line.length;
    return code;
}

static int go_on(struct journal *j, uint64_t size)
{
    j->fd = j->disk->open(j->disk->self, j->folder, j->segment, O_RDWR | O_APPEND);
    if (j->fd < 0)
        return j->fd;
    j->size = j->composed_bytes = size;
    return check_file(j);
}

static void draw_id(struct journal *j)
{
    unsigned char bytes[(SEGMENT_ID_SIZE - 1) / 2];
    digest_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(j->id + 2 * i, 3, "%02x", bytes[i]);
}

/* A folder that was just made must still be there after a power cut. */
static int sync_parent(const struct journal *j)
{
    int parent = openat(j->folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -errno;
    int code = j->disk->sync_folder(j->disk->self, parent);
    close(parent);
    return code;
}

static int continue_from(struct journal *j, const struct recover_end *end, struct why *why)
{
    memcpy(j->id, end->journal, sizeof j->id);
    memcpy(j->segment, end->segment, sizeof j->segment);
    memcpy(j->last_hash, end->hash, sizeof j->last_hash);
    j->last_seq = end->seq;
    if (j->id[0] == '\0')
        draw_id(j);
    int code = end->segment[0] == '\0' ? sync_parent(j) : 0;
    if (code == 0)
        code = end->segment[0] == '\0' || end->new_segment ? begin_segment(j) : go_on(j, end->size);
    if (code < 0)
        return why_say(why, code, "the journal's segment '%s' can't be written: %s", j->segment, error_text(code));
    atomic_store(&j->durable, j->last_seq);
    return 0;
}

static int open_folder(struct journal *j, const char *folder, struct why *why)
{
    int code = file_make_folders(folder, 0700);
    if (code < 0)
        return why_say(why, code, "the journal's folder '%s' can't be made: %s", folder, error_text(code));
    j->folder = segment_open_folder(folder, why);
    return j->folder < 0 ? j->folder : 0;
}

static int prepare(struct journal *j, const struct writer_open *request, struct journal_recovery *recovery,
                   struct why *why)
{
    int code = open_folder(j, request->options->folder, why);
    if (code < 0)
        return code;
    struct recover_request what = { request->disk, j->folder, request->after, request->visit, request->context };
    struct recover_end end;
    code = recover_end(&what, &end, recovery, why);
    if (code == 0)
        code = continue_from(j, &end, why);
    if (code != 0)
        return code;
    if (request->options->tend)
        j->tend = tend_open(j->disk, j->folder);
    j->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (j->event_fd < 0)
        return why_say(why, -errno, "no event descriptor: %s", error_text(-errno));
    code = start_thread(j);
    return code < 0 ? why_say(why, code, "no thread for the journal: %s", error_text(code)) : 0;
}

struct tend *writer_tend(const struct journal *j)
{
    return j->tend;
}

int writer_open(const struct writer_open *request, struct journal **out, struct journal_recovery *recovery,
                struct why *why)
{
    struct journal *j = heap_alloc(sizeof *j);
    *j = (struct journal){ .disk = request->disk, .folder = -1, .event_fd = -1, .fd = -1 };
    j->segment_bytes = request->options->segment_bytes != 0 ? request->options->segment_bytes : SEGMENT_BYTES;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->wake, NULL);
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
    struct writer_open request = { &disk_system, options, after, visit, context };
    return writer_open(&request, out, recovery, why);
}

static void stop_thread(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
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
        stop_thread(j);
    int code = atomic_load(&j->error);
    while (j->tasks != NULL) {
        struct task *task = j->tasks;
        j->tasks = task->next;
        run_task(task, false);
    }
    tend_close(&j->tend);
    close_fd(j->fd);
    close_fd(j->event_fd);
    close_fd(j->folder);
    free_snapshot(j->waiting);
    buf_close(&j->line);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
    free(j);
    *journal = NULL;
    return code;
}
