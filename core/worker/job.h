/* SPDX-License-Identifier: GPL-3.0-or-later */
/* job - one run on its way through the worker: asked for by the keeper, executed by sched.c or pool.c, answered. */
#ifndef WORKER_JOB_H
#define WORKER_JOB_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/model/task.h"
#include "core/worker/book.h"
#include "core/worker/run.h"

/* A check as the keeper defined it. Runs in progress keep it when it is forgotten or defined anew. */
struct check {
    unsigned holders;
    struct arena arena;
    struct task task;
    struct values values;
    const char *refusal; /* why its options can't be run with, or NULL */
};

struct strand; /* sched.c */
struct worker; /* serve.c */

struct job {
    struct run run; /* first */
    uint64_t number;
    uint32_t slot; /* of the check */
    struct check *check;
    struct worker *worker;
    struct strand *strand;
    struct arena arena;
    struct job *next; /* in a queue */
};

struct job_queue {
    struct job *first, **last;
};

/* Writes the WIRE_RESULT frame. */
void job_encode(const struct job *job, struct buf *out);

void job_queue_open(struct job_queue *queue);
void job_queue_put(struct job_queue *queue, struct job *job);
struct job *job_queue_take(struct job_queue *queue); /* NULL when empty */

/* Ends the process, with a line that says so, when the plugin closed or replaced the worker's own descriptors (what
 * FRAMES_FD names must be what was added to the epoll set at the start), or when this is a child that the plugin forked
 * and that came back. To be called while the run is still in the ledger. */
void job_verify_process(const struct job *job, const struct book *book, int epoll_fd);

#endif
