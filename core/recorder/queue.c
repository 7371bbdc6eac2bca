/* SPDX-License-Identifier: GPL-3.0-or-later */
/* queue - the tracks by slot, and those whose samples wait. */
#include "core/recorder/queue.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/clock.h"

#define FLUSH_MS 5

struct track *queue_find(const struct queue *queue, uint32_t slot)
{
    return slot < queue->size ? queue->tracks[slot] : NULL;
}

static void reserve(struct queue *queue, uint32_t slot)
{
    uint32_t size = queue->size ? queue->size : 64;
    while (size <= slot)
        size *= 2;
    if (size == queue->size)
        return;
    queue->tracks = heap_grow(queue->tracks, size, sizeof(*queue->tracks));
    memset(queue->tracks + queue->size, 0, (size - queue->size) * sizeof(*queue->tracks));
    queue->size = size;
}

void queue_put(struct queue *queue, struct track_room *room, struct track *track)
{
    reserve(queue, track->slot);
    if (track_is_same(queue_find(queue, track->slot), track)) {
        track_close(&track);
        return;
    }
    queue_drop(queue, room, track->slot);
    queue->tracks[track->slot] = track;
}

void queue_drop(struct queue *queue, struct track_room *room, uint32_t slot)
{
    struct track *track = queue_find(queue, slot), *before = NULL;
    if (!track)
        return;
    track_settle(track, room, clock_wall_ms() / 1000);
    for (struct track *t = queue->first; t && track->queued; before = t, t = t->next) {
        if (t != track)
            continue;
        *(before ? &before->next : &queue->first) = t->next;
        if (queue->last == t)
            queue->last = before;
        break;
    }
    track_close(&queue->tracks[slot]);
}

void queue_await(struct queue *queue, struct track *track)
{
    if (track->queued)
        return;
    track->queued = true;
    track->next = NULL;
    track->due_ms = clock_now_ms() + queue->delay_ms;
    if (queue->last)
        queue->last->next = track;
    else
        queue->first = track;
    queue->last = track;
}

int64_t queue_wait_ms(const struct queue *queue)
{
    int64_t left_ms = queue->first ? queue->first->due_ms - clock_now_ms() : QUEUE_IDLE_MS;
    return left_ms > 0 ? left_ms : 0;
}

static void flush_first(struct queue *queue, struct track_room *room)
{
    struct track *track = queue->first;
    queue->first = track->next;
    if (!queue->first)
        queue->last = NULL;
    track->queued = false;
    track_flush(track, room, clock_wall_ms() / 1000);
    if (track_is_pending(track))
        queue_await(queue, track);
}

void queue_flush(struct queue *queue, struct track_room *room)
{
    int64_t until_ms = clock_now_ms() + FLUSH_MS;
    while (queue_wait_ms(queue) == 0 && clock_now_ms() < until_ms)
        flush_first(queue, room);
}

void queue_settle(struct queue *queue, struct track_room *room)
{
    for (struct track *track = queue->first; track; track = track->next)
        track->queued = false;
    queue->first = queue->last = NULL;
    for (uint32_t slot = 0; slot < queue->size; slot++)
        queue_drop(queue, room, slot);
}

void queue_let_go(struct queue *queue)
{
    for (uint32_t slot = 0; slot < queue->size; slot++)
        if (queue->tracks[slot])
            track_let_go(queue->tracks[slot]);
}

void queue_close(struct queue *queue)
{
    free(queue->tracks);
    *queue = (struct queue){ 0 };
}
