/* SPDX-License-Identifier: GPL-3.0-or-later */
/* job - queues, the result frame and the check that the process is still the worker's own. */
#include "core/worker/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/base/wire.h"

static int encode_result(const struct job *job, const struct result *result, struct buf *out)
{
    size_t at = wire_begin(out, WIRE_RESULT);
    wire_put_u64(out, job->number);
    wire_put_u32(out, job->slot);
    result_encode(out, result);
    return wire_end(out, at);
}

void job_encode(const struct job *job, struct buf *out)
{
    if (encode_result(job, &job->run.result, out) == 0)
        return;
    struct result refused;
    run_refuse(&refused, "the result is larger than a frame may be");
    encode_result(job, &refused, out);
}

void job_queue_open(struct job_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

void job_queue_put(struct job_queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

struct job *job_queue_take(struct job_queue *queue)
{
    struct job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return job;
}

void job_verify_process(const struct job *job, const struct book *book, int epoll_fd)
{
    const char *plugin = job->run.plugin->info.name, *id = job->run.id;
    if (getpid() != book->process) {
        dprintf(STDERR_FILENO, "plugin '%s' forked in a run of '%s' and the child came back: ended\n", plugin, id);
        _exit(1);
    }
    /* The kernel keys the set by descriptor and open file: EEXIST says that both are what they were, and nothing else
     * gives EEXIST. One call for two descriptors, without side effects. */
    struct epoll_event event = { .events = EPOLLIN };
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, FRAMES_FD, &event) != 0 && errno == EEXIST)
        return;
    dprintf(STDERR_FILENO, "plugin '%s' closed or replaced descriptors of its worker in a run of '%s'\n", plugin, id);
    abort();
}
