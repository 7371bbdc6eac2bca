/* SPDX-License-Identifier: GPL-3.0-or-later */
/* timers - see the header. positions[] holds index + 1, so that zeroed memory means "not in the heap". */
#include "core/schedule/timers.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"

static bool precedes(struct timer a, struct timer b)
{
    return a.due_ms != b.due_ms ? a.due_ms < b.due_ms : a.item < b.item;
}

static void place(struct timers *t, uint32_t i, struct timer timer)
{
    t->heap[i] = timer;
    t->positions[timer.item] = i + 1;
}

static void sift_up(struct timers *t, uint32_t i, struct timer timer)
{
    while (i > 0 && precedes(timer, t->heap[(i - 1) / 2])) {
        place(t, i, t->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(t, i, timer);
}

static void sift_down(struct timers *t, uint32_t i, struct timer timer)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < t->count && precedes(t->heap[child + 1], t->heap[child]))
            child++;
        if (child >= t->count || !precedes(t->heap[child], timer))
            break;
        place(t, i, t->heap[child]);
        i = child;
    }
    place(t, i, timer);
}

/* Puts the timer where there is a hole at i. */
static void settle(struct timers *t, uint32_t i, struct timer timer)
{
    if (i > 0 && precedes(timer, t->heap[(i - 1) / 2]))
        sift_up(t, i, timer);
    else
        sift_down(t, i, timer);
}

static void make_room(struct timers *t, uint32_t item)
{
    if (item >= t->position_count) {
        uint32_t count = item < 32 ? 64 : item * 2;
        t->positions = heap_grow(t->positions, count, sizeof *t->positions);
        memset(t->positions + t->position_count, 0, (count - t->position_count) * sizeof *t->positions);
        t->position_count = count;
    }
    if (t->count == t->size) {
        t->size = t->size ? t->size * 2 : 64;
        t->heap = heap_grow(t->heap, t->size, sizeof *t->heap);
    }
}

void timers_set(struct timers *timers, uint32_t item, int64_t due_ms)
{
    make_room(timers, item);
    uint32_t at = timers->positions[item];
    struct timer timer = { due_ms, item };
    if (at)
        settle(timers, at - 1, timer);
    else
        sift_up(timers, timers->count++, timer);
}

void timers_clear(struct timers *timers, uint32_t item)
{
    uint32_t at = item < timers->position_count ? timers->positions[item] : 0;
    if (!at)
        return;
    timers->positions[item] = 0;
    struct timer last = timers->heap[--timers->count];
    if (at - 1 < timers->count)
        settle(timers, at - 1, last);
}

const struct timer *timers_first(const struct timers *timers)
{
    return timers->count ? timers->heap : NULL;
}

void timers_close(struct timers *timers)
{
    free(timers->heap);
    free(timers->positions);
    memset(timers, 0, sizeof *timers);
}
