/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pending - what of the tracks is in the write-ahead file: their samples, and once in each file the series that they
 * are of. wal.c knows the file, track.c the samples; this is the way from one to the other. */
#ifndef RECORDER_PENDING_H
#define RECORDER_PENDING_H

#include <stdint.h>

#include "core/recorder/queue.h"
#include "core/recorder/track.h"
#include "core/recorder/wal.h"

/* A sample that was taken is to be saved. */
void pending_add(struct wal *wal, struct track *track, uint64_t wall_ms, const double *values);
/* Saves what was added, before it is acknowledged; a file that has grown too much is written anew with what waits in
 * the queue's tracks. That it can't be written is reported once. */
void pending_save(struct wal *wal, const struct queue *queue, struct track_room *room);

#endif
