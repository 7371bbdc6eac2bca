/* SPDX-License-Identifier: GPL-3.0-or-later */
/* queue - the tracks of a recorder by slot, and in the order in which they are due those that have waiting samples. All
 * wait equally long, so that the queue is a list: who comes last is due last. A track is in it once, however many of
 * its samples wait. */
#ifndef RECORDER_QUEUE_H
#define RECORDER_QUEUE_H

#include <stdint.h>

#include "core/recorder/track.h"

#define QUEUE_IDLE_MS 3600000 /* what there is to wait for when nothing waits */

struct queue {
    struct track **tracks; /* by slot; NULL: none */
    uint32_t size;
    struct track *first, *last; /* with waiting samples, by due time */
    int64_t delay_ms;           /* from the first sample that waits to the file */
};

/* The slot's track, or NULL. */
struct track *queue_find(const struct queue *queue, uint32_t slot);
/* Takes the track over, as that of its slot; another one that was there is written and dropped, the same one stays. */
void queue_put(struct queue *queue, struct track_room *room, struct track *track);
/* Writes what waits of a slot and forgets it. */
void queue_drop(struct queue *queue, struct track_room *room, uint32_t slot);
/* A sample waits in a track. */
void queue_await(struct queue *queue, struct track *track);
/* Milliseconds until a track is due; 0: now. */
int64_t queue_wait_ms(const struct queue *queue);
/* Writes files that are due, for a moment: then the keeper's socket wants to be looked at. */
void queue_flush(struct queue *queue, struct track_room *room);
/* Everything into the files; no track is left. */
void queue_settle(struct queue *queue, struct track_room *room);
/* No file is kept open any more until its next update: some may have been removed since their last. */
void queue_let_go(struct queue *queue);
/* After queue_settle(). */
void queue_close(struct queue *queue);

#endif
