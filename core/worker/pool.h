/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool - runs the jobs of a `.blocking` plugin on threads. Threads are started as they are needed and stay, but
 * for those that a run has made way with. */
#ifndef WORKER_POOL_H
#define WORKER_POOL_H

#include "core/worker/job.h"

#define POOL_THREADS_MAX (LEDGER_SLOTS - 1u)

struct pool;

struct pool_setup {
    int epoll_fd; /* to verify descriptors with */
    struct book *book;
    unsigned threads_max; /* at most POOL_THREADS_MAX */
};

struct pool *pool_new(const struct pool_setup *setup);
/* Every job must have ended. */
void pool_close(struct pool **pool);
/* Becomes readable when there is something to collect. */
int pool_fd(const struct pool *pool);
/* 0, or a negative code when not a single thread can be started. */
int pool_submit(struct pool *pool, struct job *job);
/* Appends the frames made meanwhile; the jobs that have ended, linked by next. */
struct job *pool_collect(struct pool *pool, struct buf *out);
/* A line of the log from inside a run. */
void pool_log(struct pool *pool, void (*encode)(struct job *job, int level, const char *line, struct buf *out),
              struct job *job, int level, const char *line);

#endif
