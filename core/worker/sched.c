/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sched - a coroutine per job, on epoll and a heap of wake-up times.
 *
 * A strand is a fiber and what it waits for. It is in exactly one place: running, in the heap (waiting until wake_ns,
 * its descriptors in the epoll set), in the queue of those that may go on, or idle. A wait adds its descriptors to the
 * set and removes them when it is over; but EPOLLONESHOT has disarmed the single descriptor whose event ended it, so
 * that one stays, noted in `left`, and is armed again by the next wait for it: most waits of a run are for the same
 * socket, and closing it takes it out of the set. So nothing that is armed ever points to a strand that does not wait.
 * EPOLLONESHOT also keeps a descriptor that a plugin closed while another run waited for it from waking the loop for
 * ever. A wait that
 * needs no waiting goes through the queue too, so that a run that always has something to read does not starve the
 * others.
 *
 * Times of waiting runs stand still while another run holds the thread (a plugin that computes or blocks where it
 * should wait): a stretch of HELD_MIN_NS or more is added to held_ns, the heap is ordered by time less held_ns, and a
 * run's deadline moves by what was held while it waited. So a run that does not yield costs the others time, but not
 * their deadlines.
 *
 * Idle strands are reused, last one first. A few keep their stacks as they are; after a burst the memory of the others
 * is given back. */
#include "core/worker/sched.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/base/clock.h"
#include "core/worker/fiber.h"

#define WARM_MAX 64u
#define HELD_MIN_NS 10000000

struct strand {
    struct fiber fiber; /* first */
    struct sched *sched;
    struct job *job; /* NULL: idle */
    bool ended;
    int64_t wake_ns;     /* less held_ns */
    int64_t held_ns;     /* the scheduler's, when it began to wait */
    size_t heap_at;      /* place in the heap + 1; 0: not in it */
    uint32_t events;     /* what epoll reported */
    int left_fd;         /* the descriptor that its last wait left in the set, or any other */
    struct strand *next; /* in the queue or the list of idle ones */
    struct strand *next_of_all;
};

struct sched {
    struct sched_setup setup;
    struct fiber_home home;
    struct strand **heap;
    size_t heap_count, heap_size;
    struct strand *ready, **ready_last;
    struct strand *warm, *cold, *all;
    unsigned warm_count;
    int64_t held_ns; /* how long runs have held the thread, in stretches */
    bool *left;      /* by descriptor: may still be in the set, disarmed */
    size_t left_size;
};

/* ---- heap ---------------------------------------------------------------------------------------------------- */

static void place(struct sched *s, size_t at, struct strand *strand)
{
    s->heap[at] = strand;
    strand->heap_at = at + 1;
}

static void sift_up(struct sched *s, size_t at, struct strand *strand)
{
    for (; at > 0 && s->heap[(at - 1) / 2]->wake_ns > strand->wake_ns; at = (at - 1) / 2)
        place(s, at, s->heap[(at - 1) / 2]);
    place(s, at, strand);
}

static void sift_down(struct sched *s, size_t at, struct strand *strand)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < s->heap_count && s->heap[child + 1]->wake_ns < s->heap[child]->wake_ns)
            child++;
        if (child >= s->heap_count || s->heap[child]->wake_ns >= strand->wake_ns)
            break;
        place(s, at, s->heap[child]);
        at = child;
    }
    place(s, at, strand);
}

static void heap_add(struct sched *s, struct strand *strand)
{
    if (s->heap_count == s->heap_size) {
        s->heap_size = s->heap_size ? s->heap_size * 2 : 64;
        s->heap = heap_grow(s->heap, s->heap_size, sizeof(struct strand *));
    }
    sift_up(s, s->heap_count++, strand);
}

static void heap_remove(struct sched *s, struct strand *strand)
{
    if (strand->heap_at == 0)
        return;
    size_t at = strand->heap_at - 1;
    strand->heap_at = 0;
    struct strand *moved = s->heap[--s->heap_count];
    if (moved == strand)
        return;
    if (at > 0 && s->heap[(at - 1) / 2]->wake_ns > moved->wake_ns)
        sift_up(s, at, moved);
    else
        sift_down(s, at, moved);
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

static void make_ready(struct sched *s, struct strand *strand)
{
    heap_remove(s, strand);
    strand->next = NULL;
    *s->ready_last = strand;
    s->ready_last = &strand->next;
}

static bool *left_of(struct sched *s, int fd)
{
    size_t at = (size_t)fd;
    if (at >= s->left_size) {
        size_t size = s->left_size;
        s->left_size = at * 2 + 64;
        s->left = heap_grow(s->left, s->left_size, sizeof(bool));
        memset(s->left + size, 0, (s->left_size - size) * sizeof(bool));
    }
    return &s->left[at];
}

static void unwatch(struct sched *s, const struct pollfd *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i].fd >= 0)
            epoll_ctl(s->setup.epoll_fd, EPOLL_CTL_DEL, fds[i].fd, NULL);
    }
}

/* Into the set, armed: 0 or -errno. */
static int arm(struct sched *s, struct strand *strand, const struct pollfd *one)
{
    struct epoll_event event = { .events = (uint16_t)one->events | (uint32_t)EPOLLONESHOT, .data.ptr = strand };
    bool *left = left_of(s, one->fd), was = *left;
    bool mine = was && strand->left_fd == one->fd;
    *left = false;
    int rc = epoll_ctl(s->setup.epoll_fd, mine ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, one->fd, &event);
    if (rc != 0 && was && errno == (mine ? ENOENT : EEXIST)) /* it was closed, or another run left it */
        rc = epoll_ctl(s->setup.epoll_fd, mine ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, one->fd, &event);
    return rc == 0 ? 0 : -errno;
}

/* Adds the descriptors to the set: 0, 1 when one of them never blocks (a regular file), or -errno: -EBADF when one is
 * not open, -EEXIST when another run waits for it. */
static int watch(struct sched *s, struct strand *strand, const struct pollfd *fds, size_t n)
{
    int never_blocks = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = fds[i].fd < 0 ? 0 : arm(s, strand, &fds[i]);
        if (rc == -EPERM)
            never_blocks = 1;
        if (rc == 0 || rc == -EPERM)
            continue;
        unwatch(s, fds, i);
        return rc;
    }
    return never_blocks;
}

/* Takes the descriptors out of the set, or leaves the one there that its own event has disarmed. */
static void end_watch(struct sched *s, struct strand *strand, const struct pollfd *fds, size_t n)
{
    if (n == 1 && fds[0].fd >= 0 && strand->events != 0)
        *left_of(s, strand->left_fd = fds[0].fd) = true;
    else
        unwatch(s, fds, n);
}

/* What poll() would say now. A single descriptor needs no asking. */
static int collect(const struct strand *strand, struct pollfd *fds, size_t n)
{
    if (n == 0)
        return 0;
    if (n == 1 && strand->events != 0) {
        fds[0].revents = (short)(strand->events & 0xFFFF);
        return 1;
    }
    int rc = poll(fds, n, 0);
    return rc < 0 ? -errno : rc;
}

int sched_wait(struct run *run, struct pollfd *fds, size_t n, int64_t until_ns)
{
    struct strand *strand = ((struct job *)(void *)run)->strand;
    struct sched *s = strand->sched;
    int rc = watch(s, strand, fds, n);
    if (rc < 0)
        return rc;
    strand->events = 0;
    strand->wake_ns = until_ns - s->held_ns;
    strand->held_ns = s->held_ns;
    if (rc > 0 || until_ns <= clock_now_ns())
        make_ready(s, strand);
    else
        heap_add(s, strand);
    fiber_suspend(&strand->fiber);
    run->deadline_ns += s->held_ns - strand->held_ns;
    rc = collect(strand, fds, n);
    end_watch(s, strand, fds, n);
    return rc;
}

void sched_event(struct sched *s, void *pointer, uint32_t events)
{
    struct strand *strand = pointer;
    strand->events |= events;
    if (strand->heap_at != 0)
        make_ready(s, strand);
}

/* ---- running ------------------------------------------------------------------------------------------------- */

static void work(struct fiber *fiber)
{
    struct strand *strand = (struct strand *)(void *)fiber;
    run_execute(&strand->job->run);
    strand->ended = true;
}

static struct strand *take_strand(struct sched *s)
{
    struct strand *strand = s->warm ? s->warm : s->cold;
    if (strand == NULL) {
        strand = heap_alloc(sizeof(*strand));
        if (fiber_open(&strand->fiber, &s->home, work) < 0) {
            free(strand);
            return NULL;
        }
        strand->sched = s;
        strand->next_of_all = s->all;
        s->all = strand;
        return strand;
    }
    if (strand == s->warm) {
        s->warm = strand->next;
        s->warm_count--;
    } else {
        s->cold = strand->next;
    }
    return strand;
}

static void put_back(struct sched *s, struct strand *strand)
{
    struct strand **list = &s->warm;
    strand->job = NULL;
    if (s->warm_count == WARM_MAX) {
        fiber_shrink(&strand->fiber);
        list = &s->cold;
    } else {
        s->warm_count++;
    }
    strand->next = *list;
    *list = strand;
}

/* The strand held the thread from then on: not its own times, but everybody else's stand still. */
static void hold(struct sched *s, struct strand *strand, int64_t from_ns)
{
    int64_t held_ns = clock_now_ns() - from_ns;
    if (held_ns < HELD_MIN_NS)
        return;
    s->held_ns += held_ns;
    strand->held_ns = s->held_ns;
    if (strand->heap_at != 0) {
        heap_remove(s, strand);
        strand->wake_ns -= held_ns;
        heap_add(s, strand);
    }
}

/* All code of the plugin runs inside of this function's bracket of the ledger. */
static void resume(struct sched *s, struct strand *strand)
{
    struct job *job = strand->job;
    int64_t from_ns = clock_now_ns();
    book_enter(s->setup.book, 0, job->number, from_ns / 1000000);
    fiber_resume(&strand->fiber);
    bool ended = strand->ended;
    hold(s, strand, from_ns);
    job_verify_process(job, s->setup.book, s->setup.epoll_fd);
    if (ended)
        s->setup.on_ended(job);
    book_leave(s->setup.book, 0);
    if (ended)
        put_back(s, strand);
}

int sched_start(struct sched *s, struct job *job)
{
    struct strand *strand = take_strand(s);
    if (strand == NULL)
        return -ENOMEM;
    strand->job = job;
    strand->ended = false;
    strand->left_fd = -1; /* the run before has closed it, most likely */
    job->strand = strand;
    resume(s, strand);
    return 0;
}

static void expire(struct sched *s, int64_t now_ns)
{
    while (s->heap_count > 0 && s->heap[0]->wake_ns <= now_ns - s->held_ns)
        make_ready(s, s->heap[0]);
}

void sched_turn(struct sched *s)
{
    expire(s, clock_now_ns());
    /* those that become ready meanwhile have their turn after the next look at the descriptors */
    struct strand *strand = s->ready;
    s->ready = NULL;
    s->ready_last = &s->ready;
    while (strand != NULL) {
        struct strand *next = strand->next;
        resume(s, strand);
        strand = next;
    }
}

int sched_timeout_ms(const struct sched *s)
{
    if (s->ready != NULL)
        return 0;
    if (s->heap_count == 0)
        return -1;
    int64_t left = s->heap[0]->wake_ns + s->held_ns - clock_now_ns();
    if (left <= 0)
        return 0;
    int64_t ms = (left + 999999) / 1000000;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

struct sched *sched_new(const struct sched_setup *setup)
{
    struct sched *s = heap_alloc(sizeof(*s));
    s->setup = *setup;
    s->ready_last = &s->ready;
    return s;
}

void sched_close(struct sched **at)
{
    struct sched *s = *at;
    *at = NULL;
    if (s == NULL)
        return;
    while (s->all != NULL) {
        struct strand *strand = s->all;
        s->all = strand->next_of_all;
        fiber_close(&strand->fiber);
        free(strand);
    }
    free(s->heap);
    free(s->left);
    free(s);
}
