/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve - the worker's loop.
 *
 *     keeper --frames--> dispatch --job--> sched (coroutines) or pool (threads) --result--> out --frames--> keeper
 *
 * One turn of the loop takes what the keeper sent, starts what it asked for, resumes what may go on, and sends
 * everything that came of it in one write. Runs beyond the concurrency wait in a queue, their deadlines running. When
 * the keeper does not read, the loop stops at OUT_HIGH_BYTES and waits for it alone: nothing is dropped, and memory
 * stays bounded. */
#include "core/worker/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/wire.h"
#include "core/worker/pool.h"
#include "core/worker/sched.h"

#define CHECKS_MAX (1u << 20)
#define READ_BYTES (256u << 10)
#define OUT_FLUSH_BYTES (128u << 10)
#define OUT_HIGH_BYTES (8u << 20)
#define EVENTS_MAX 256
/* More than every run's largest result; to reach it is a mistake of this file. */
#define OUT_MAX_BYTES (256u << 20)
#define FREE_JOBS_MAX 1024u

struct worker {
    struct serve_setup setup;
    int epoll_fd;
    struct sched *sched;
    struct pool *pool; /* of a blocking plugin, else NULL */
    struct resolver *resolver;
    const struct run_host *host;
    struct buf in, out;
    bool writable_wanted, stopping;
    struct check **checks; /* by slot */
    uint32_t check_size;
    struct job_queue waiting;
    struct job *free_jobs;
    unsigned free_count, running;
};

/* ---- checks -------------------------------------------------------------------------------------------------- */

static void drop_check(struct check *check)
{
    if (check == NULL || --check->holders > 0)
        return;
    arena_close(&check->arena);
    free(check);
}

/* The place of the slot, which is made when there is none; NULL when the number is out of bounds. */
static struct check **check_slot(struct worker *w, uint32_t slot)
{
    if (slot >= CHECKS_MAX)
        return NULL;
    if (slot >= w->check_size) {
        uint32_t size = w->check_size ? w->check_size : 64;
        while (size <= slot)
            size *= 2;
        w->checks = heap_grow(w->checks, size, sizeof(struct check *));
        memset(w->checks + w->check_size, 0, (size - w->check_size) * sizeof(struct check *));
        w->check_size = size;
    }
    return &w->checks[slot];
}

static int on_check(struct worker *w, struct wire_reader *r)
{
    uint32_t slot = wire_u32(r);
    struct check *check = heap_alloc(sizeof(*check));
    check->holders = 1;
    int rc = task_decode(r, &check->arena, &check->task);
    if (rc == 0)
        rc = wire_done(r);
    struct check **at = rc == 0 ? check_slot(w, slot) : NULL;
    if (at == NULL) {
        drop_check(check);
        return ERROR_PROTOCOL;
    }
    struct why why = { "" };
    if (values_bind(&check->arena, &w->setup.plugin->info, &check->task, &check->values, &why) < 0)
        check->refusal = arena_text(&check->arena, why.text);
    drop_check(*at);
    *at = check;
    return 0;
}

static int on_forget(struct worker *w, struct wire_reader *r)
{
    uint32_t slot = wire_u32(r);
    if (wire_done(r) != 0)
        return ERROR_PROTOCOL;
    if (slot < w->check_size) {
        drop_check(w->checks[slot]);
        w->checks[slot] = NULL;
    }
    return 0;
}

/* ---- runs ---------------------------------------------------------------------------------------------------- */

static struct job *take_job(struct worker *w)
{
    struct job *job = w->free_jobs;
    if (job == NULL) {
        job = heap_alloc(sizeof(*job));
        job->worker = w;
        return job;
    }
    w->free_jobs = job->next;
    w->free_count--;
    return job;
}

static void free_job(struct job *job)
{
    run_close(&job->run);
    arena_close(&job->arena);
    free(job);
}

static void give_back(struct job *job)
{
    struct worker *w = job->worker;
    drop_check(job->check);
    job->check = NULL;
    if (w->free_count == FREE_JOBS_MAX) {
        free_job(job);
        return;
    }
    arena_reset(&job->arena);
    job->next = w->free_jobs;
    w->free_jobs = job;
    w->free_count++;
}

/* Answers a run that can't be started. */
static void refuse_job(struct job *job, const char *why)
{
    run_refuse(&job->run.result, why);
    job_encode(job, &job->worker->out);
    give_back(job);
}

static void on_ended(struct job *job)
{
    job_encode(job, &job->worker->out);
    job->worker->running--;
    give_back(job);
}

static void start_job(struct worker *w, struct job *job)
{
    w->running++;
    int rc = w->pool ? pool_submit(w->pool, job) : sched_start(w->sched, job);
    if (rc == 0)
        return;
    w->running--;
    refuse_job(job, "the worker has no memory for another run");
}

static void start_waiting(struct worker *w)
{
    while (w->running < w->setup.concurrency && w->out.length < OUT_HIGH_BYTES) {
        struct job *job = job_queue_take(&w->waiting);
        if (job == NULL)
            return;
        start_job(w, job);
    }
}

static void prepare_job(struct worker *w, struct job *job, const struct kept *kept, uint32_t timeout_ms)
{
    int64_t now = clock_now_ns();
    struct run_order order = { .plugin = w->setup.plugin,
                               .values = &job->check->values,
                               .id = job->check->task.id,
                               .kept = kept,
                               .arena = &job->arena,
                               .resolver = w->resolver,
                               .host = w->host,
                               .start_ns = now,
                               .deadline_ns = now + (int64_t)timeout_ms * 1000000 };
    run_begin(&job->run, &order);
}

static int on_run(struct worker *w, struct wire_reader *r)
{
    struct job *job = take_job(w);
    struct kept kept = { 0 };
    job->number = wire_u64(r);
    job->slot = wire_u32(r);
    uint32_t timeout_ms = wire_u32(r);
    int rc = kept_decode(r, &job->arena, &kept);
    if (rc != 0 || wire_done(r) != 0 || job->number == 0) {
        give_back(job);
        return ERROR_PROTOCOL;
    }
    struct check *check = job->slot < w->check_size ? w->checks[job->slot] : NULL;
    job->check = check;
    if (check == NULL || check->refusal != NULL) {
        if (check != NULL)
            check->holders++;
        refuse_job(job, check ? check->refusal : "the worker does not know this check");
        return 0;
    }
    check->holders++;
    prepare_job(w, job, &kept, timeout_ms);
    job_queue_put(&w->waiting, job);
    start_waiting(w);
    return 0;
}

static int on_stop(struct worker *w, struct wire_reader *r)
{
    w->stopping = true;
    return wire_done(r);
}

static int on_ping(struct worker *w, struct wire_reader *r)
{
    uint64_t number = wire_u64(r);
    if (wire_done(r) != 0)
        return ERROR_PROTOCOL;
    size_t at = wire_begin(&w->out, WIRE_PONG);
    wire_put_u64(&w->out, number);
    return wire_end(&w->out, at);
}

static void encode_log(struct job *job, int level, const char *line, struct buf *out)
{
    size_t at = wire_begin(out, WIRE_LOG);
    wire_put_u8(out, (uint8_t)level);
    wire_put_text(out, job->run.id);
    wire_put_text(out, line);
    wire_end(out, at);
}

static void log_from_coroutine(struct run *run, int level, const char *line)
{
    struct job *job = (struct job *)(void *)run;
    encode_log(job, level, line, &job->worker->out);
}

static void log_from_thread(struct run *run, int level, const char *line)
{
    struct job *job = (struct job *)(void *)run;
    pool_log(job->worker->pool, encode_log, job, level, line);
}

static const struct run_host coroutine_host = { .wait = sched_wait, .log = log_from_coroutine };
static const struct run_host thread_host = { .wait = run_wait_poll, .log = log_from_thread };

/* ---- frames -------------------------------------------------------------------------------------------------- */

static int (*const handlers[])(struct worker *w, struct wire_reader *r) = {
    [WIRE_CHECK] = on_check, [WIRE_FORGET] = on_forget, [WIRE_RUN] = on_run,
    [WIRE_STOP] = on_stop,   [WIRE_PING] = on_ping,
};

static int write_some(struct worker *w)
{
    size_t done = 0;
    while (done < w->out.length) {
        ssize_t n = send(FRAMES_FD, w->out.data + done, w->out.length - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    if (done == w->out.length)
        buf_reset(&w->out);
    else
        buf_consume(&w->out, done);
    return 0;
}

/* Sends what there is; waits for the keeper when it is far behind. */
static int flush(struct worker *w)
{
    int rc = w->out.overflowed ? ERROR_LIMIT : write_some(w);
    while (rc == 0 && w->out.length >= OUT_HIGH_BYTES) {
        struct pollfd keeper = { .fd = FRAMES_FD, .events = POLLOUT };
        poll(&keeper, 1, -1);
        rc = write_some(w);
    }
    bool wanted = w->out.length > 0;
    if (rc == 0 && wanted != w->writable_wanted) {
        struct epoll_event event = { .events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN };
        rc = epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, FRAMES_FD, &event) != 0 ? -errno : 0;
        w->writable_wanted = wanted;
    }
    return rc;
}

/* Handles one frame at `at`: its size, 0 when it is not complete, or a negative code. */
static int take_frame(struct worker *w, size_t at)
{
    struct wire_frame frame;
    int size = wire_next(w->in.data + at, w->in.length - at, &frame);
    if (size <= 0)
        return size;
    size_t type = (size_t)frame.type;
    if (type >= sizeof(handlers) / sizeof(handlers[0]) || handlers[type] == NULL)
        return ERROR_PROTOCOL;
    int rc = handlers[type](w, &frame.payload);
    if (rc == 0 && w->out.length >= OUT_FLUSH_BYTES)
        rc = flush(w);
    return rc < 0 ? rc : size;
}

static int take_frames(struct worker *w)
{
    size_t at = 0;
    int size;
    while ((size = take_frame(w, at)) > 0)
        at += (size_t)size;
    buf_consume(&w->in, at);
    return size;
}

static int read_frames(struct worker *w)
{
    char *room = buf_room(&w->in, READ_BYTES);
    if (room == NULL)
        return ERROR_PROTOCOL;
    ssize_t n = recv(FRAMES_FD, room, READ_BYTES, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        _exit(0); /* the keeper is gone, and with it everybody who wants these runs */
    w->in.length += (size_t)n;
    return take_frames(w);
}

/* ---- loop ---------------------------------------------------------------------------------------------------- */

static void collect_pool(struct worker *w)
{
    struct job *job = pool_collect(w->pool, &w->out);
    while (job != NULL) {
        struct job *next = job->next;
        w->running--;
        give_back(job);
        job = next;
    }
}

static int handle_events(struct worker *w, const struct epoll_event *events, int n)
{
    bool readable = false;
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL)
            readable = (events[i].events & (uint32_t)~EPOLLOUT) != 0;
        else if (events[i].data.ptr == w->pool)
            collect_pool(w);
        else
            sched_event(w->sched, events[i].data.ptr, events[i].events);
    }
    return readable ? read_frames(w) : 0;
}

static bool is_done(const struct worker *w)
{
    return w->stopping && w->running == 0 && w->waiting.first == NULL && w->out.length == 0;
}

static int turn(struct worker *w)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(w->epoll_fd, events, EVENTS_MAX, sched_timeout_ms(w->sched));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    int rc = handle_events(w, events, n);
    if (rc < 0)
        return rc;
    sched_turn(w->sched);
    start_waiting(w);
    return flush(w);
}

static int open_worker(struct worker *w)
{
    struct epoll_event frames = { .events = EPOLLIN }, pool = { .events = EPOLLIN };
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll_fd < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, FRAMES_FD, &frames) != 0)
        return -errno;
    const struct sched_setup sched = { .epoll_fd = w->epoll_fd, .book = w->setup.book, .on_ended = on_ended };
    w->sched = sched_new(&sched);
    w->host = &coroutine_host;
    if (!w->setup.plugin->info.blocking)
        return 0;
    const struct pool_setup threads = { .epoll_fd = w->epoll_fd,
                                        .book = w->setup.book,
                                        .threads_max = w->setup.concurrency };
    w->host = &thread_host;
    w->pool = pool_new(&threads);
    if (w->pool == NULL)
        return -EMFILE;
    pool.data.ptr = w->pool;
    return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, pool_fd(w->pool), &pool) != 0 ? -errno : 0;
}

static void close_worker(struct worker *w)
{
    pool_close(&w->pool);
    sched_close(&w->sched);
    resolver_close(&w->resolver);
    for (uint32_t i = 0; i < w->check_size; i++)
        drop_check(w->checks[i]);
    free(w->checks);
    while (w->free_jobs != NULL) {
        struct job *job = w->free_jobs;
        w->free_jobs = job->next;
        free_job(job);
    }
    buf_close(&w->in);
    buf_close(&w->out);
    if (w->epoll_fd >= 0)
        close(w->epoll_fd);
}

static void announce(struct worker *w)
{
    size_t at = wire_begin(&w->out, WIRE_READY);
    plugin_info_encode(&w->out, &w->setup.plugin->info);
    wire_put_text(&w->out, w->setup.standing);
    wire_end(&w->out, at);
}

int serve_run(const struct serve_setup *setup)
{
    struct worker w = { .setup = *setup, .epoll_fd = -1, .resolver = resolver_new() };
    w.out.max_bytes = OUT_MAX_BYTES;
    w.in.max_bytes = WIRE_FRAME_MAX + WIRE_HEADER_SIZE + READ_BYTES;
    job_queue_open(&w.waiting);
    int rc = open_worker(&w);
    if (rc == 0) {
        announce(&w);
        rc = flush(&w);
    }
    while (rc == 0 && !is_done(&w))
        rc = turn(&w);
    if (rc == 0) /* else runs may be in progress on what would be freed */
        close_worker(&w);
    return rc;
}
