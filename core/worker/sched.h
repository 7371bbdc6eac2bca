/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sched - runs jobs as coroutines, all in the calling thread: who waits for which descriptors until when, and who may
 * go on. The epoll set belongs to the caller's loop; sched adds and removes what its coroutines wait for. */
#ifndef WORKER_SCHED_H
#define WORKER_SCHED_H

#include "core/worker/job.h"

struct sched;

struct sched_setup {
    int epoll_fd;
    struct book *book;
    /* Called on the loop's stack when a run has ended, while it is still in the ledger: take the result and the job
     * back. */
    void (*on_ended)(struct job *job);
};

struct sched *sched_new(const struct sched_setup *setup);
void sched_close(struct sched **sched);
/* Runs the job until it waits or ends. 0, or -errno when there is no memory for a stack. */
int sched_start(struct sched *sched, struct job *job);
/* What epoll reported for the pointer that sched put into an event. */
void sched_event(struct sched *sched, void *pointer, uint32_t events);
/* Resumes every coroutine that may go on. */
void sched_turn(struct sched *sched);
/* How long epoll may sleep: milliseconds, -1 for ever. */
int sched_timeout_ms(const struct sched *sched);

int sched_wait(struct run *run, struct pollfd *fds, size_t count, int64_t until_ns);

#endif
