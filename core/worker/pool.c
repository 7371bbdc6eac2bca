/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool - threads for plugins whose library blocks.
 *
 * The loop puts jobs into a queue; a thread takes one, runs it inside the bracket of its own ledger slot, and writes
 * the result's frame into the buffer of all threads, from where the loop fetches it. When the keeper is slow and that
 * buffer is long, threads wait before they take more work. A thread that a run has made way with (SCHED_IDLE, which it
 * may not leave again) takes no other: it ends, and another one has its place when it is needed. */
#include "core/worker/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/clock.h"

#define THREAD_STACK_BYTES (1u << 20)
#define OUT_HIGH_BYTES (8u << 20)
#define EMERGENCY_BYTES (32u << 10)

struct pool {
    struct pool_setup setup;
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job, or room in out, or the end */
    struct job_queue waiting;
    struct job *ended;
    struct buf out;
    unsigned started, idle, gone; /* started: places that were taken; gone: of these, whose thread has ended */
    bool closed;
    int ready_fd;
    pthread_t threads[POOL_THREADS_MAX];
    bool is_gone[POOL_THREADS_MAX];
};

struct thread_start {
    struct pool *pool;
    uint32_t slot;
};

/* Called with the lock held. */
static void announce(struct pool *pool)
{
    eventfd_write(pool->ready_fd, 1);
}

/* pthread_exit() in a plugin would leave the run without an end: this makes it a crash of that run. */
static void refuse_exit(void *argument)
{
    const struct job *job = argument;
    dprintf(STDERR_FILENO, "plugin '%s' ended its thread during a run of '%s'\n", job->run.plugin->info.name,
            job->run.id);
    abort();
}

static void execute(struct job *job)
{
    pthread_cleanup_push(refuse_exit, job);
    run_execute(&job->run);
    pthread_cleanup_pop(0);
}

static void run_job(struct pool *pool, struct job *job, uint32_t slot)
{
    book_enter(pool->setup.book, slot, job->number, clock_now_ms());
    execute(job);
    job_verify_process(job, pool->setup.book, pool->setup.epoll_fd);
    pthread_mutex_lock(&pool->lock);
    job_encode(job, &pool->out);
    book_leave(pool->setup.book, slot);
    job->next = pool->ended;
    pool->ended = job;
    announce(pool);
    pthread_mutex_unlock(&pool->lock);
}

/* The next job; NULL at the end. */
static struct job *take_job(struct pool *pool)
{
    struct job *job = NULL;
    pthread_mutex_lock(&pool->lock);
    while (!pool->closed) {
        if (pool->out.length < OUT_HIGH_BYTES && (job = job_queue_take(&pool->waiting)) != NULL)
            break;
        pool->idle++;
        pthread_cond_wait(&pool->work, &pool->lock);
        pool->idle--;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void leave(struct pool *pool, uint32_t slot)
{
    pthread_mutex_lock(&pool->lock);
    if (!pool->closed) { /* else pool_close() waits for us */
        pthread_detach(pthread_self());
        pool->is_gone[slot - 1] = true;
        pool->gone++;
        announce(pool); /* a job may wait for a thread */
    }
    pthread_mutex_unlock(&pool->lock);
}

static void *serve(void *argument)
{
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    char emergency[EMERGENCY_BYTES]; /* for signal handlers when the rest of the stack is used up */
    const stack_t stack = { .ss_sp = emergency, .ss_size = sizeof(emergency) };
    stack_t before;
    sigaltstack(&stack, &before);
    book_take_slot(start.pool->setup.book, start.slot);
    int standing = sched_getscheduler(0);
    for (struct job *job; (job = take_job(start.pool)) != NULL;) {
        run_job(start.pool, job, start.slot);
        if (sched_getscheduler(0) != standing) {
            leave(start.pool, start.slot);
            break;
        }
    }
    sigaltstack(&before, NULL); /* ours ends with this function */
    return NULL;
}

/* Called with the lock held: a place without a thread. */
static unsigned find_place(struct pool *pool)
{
    unsigned place = 0;
    while (place < pool->started && !pool->is_gone[place])
        place++;
    return place;
}

/* Called with the lock held. */
static int start_thread(struct pool *pool)
{
    pthread_attr_t attributes;
    unsigned place = find_place(pool);
    struct thread_start *start = heap_alloc(sizeof(*start));
    *start = (struct thread_start){ .pool = pool, .slot = place + 1 };
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    int rc = pthread_create(&pool->threads[place], &attributes, serve, start);
    pthread_attr_destroy(&attributes);
    if (rc != 0) {
        free(start);
        return -rc;
    }
    if (pool->is_gone[place]) {
        pool->is_gone[place] = false;
        pool->gone--;
    } else {
        pool->started++;
    }
    return 0;
}

/* Called with the lock held. */
static unsigned count_threads(const struct pool *pool)
{
    return pool->started - pool->gone;
}

int pool_submit(struct pool *pool, struct job *job)
{
    int rc = 0;
    pthread_mutex_lock(&pool->lock);
    bool queued = pool->waiting.first != NULL; /* those threads are spoken for */
    if ((pool->idle == 0 || queued) && count_threads(pool) < pool->setup.threads_max)
        rc = start_thread(pool);
    if (rc == 0 || count_threads(pool) > 0) {
        job_queue_put(&pool->waiting, job);
        pthread_cond_signal(&pool->work);
        rc = 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

struct job *pool_collect(struct pool *pool, struct buf *out)
{
    eventfd_t ignored;
    pthread_mutex_lock(&pool->lock);
    eventfd_read(pool->ready_fd, &ignored);
    if (pool->out.length > 0)
        buf_add(out, pool->out.data, pool->out.length);
    for (unsigned n = pool->gone; n > 0 && pool->waiting.first && pool->idle == 0; n--)
        start_thread(pool);
    bool was_high = pool->out.length >= OUT_HIGH_BYTES;
    buf_reset(&pool->out);
    struct job *ended = pool->ended;
    pool->ended = NULL;
    if (was_high)
        pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    return ended;
}

void pool_log(struct pool *pool, void (*encode)(struct job *job, int level, const char *line, struct buf *out),
              struct job *job, int level, const char *line)
{
    pthread_mutex_lock(&pool->lock);
    encode(job, level, line, &pool->out);
    announce(pool);
    pthread_mutex_unlock(&pool->lock);
}

int pool_fd(const struct pool *pool)
{
    return pool->ready_fd;
}

struct pool *pool_new(const struct pool_setup *setup)
{
    struct pool *pool = heap_alloc(sizeof(*pool));
    pool->setup = *setup;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    job_queue_open(&pool->waiting);
    pool->out.max_bytes = UINT32_MAX; /* bounded by what the threads can hold, each of which stops at the high mark */
    pool->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->ready_fd < 0)
        pool_close(&pool);
    return pool;
}

void pool_close(struct pool **at)
{
    struct pool *pool = *at;
    *at = NULL;
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++)
        if (!pool->is_gone[i])
            pthread_join(pool->threads[i], NULL);
    if (pool->ready_fd >= 0)
        close(pool->ready_fd);
    buf_close(&pool->out);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
