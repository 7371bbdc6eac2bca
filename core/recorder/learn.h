/* SPDX-License-Identifier: GPL-3.0-or-later */
/* learn - the baselines of one track (past.h): fed with its samples, kept in a neighbour of its RRD file, told to the
 * keeper when an hour begins. Only the metrics whose baseline the series asks for cost anything. */
#ifndef RECORDER_LEARN_H
#define RECORDER_LEARN_H

#include "core/model/series.h"

struct learn;
struct track;
struct track_room;

/* NULL when the series asks for no baseline. */
struct learn *learn_open(const struct series *series);
/* Frees it; NULL is fine. */
void learn_close(struct learn **learn);
/* Takes the waiting rows of a track whose file is ready; each row counts once, however often it is seen. */
void learn_rows(struct track *track, struct track_room *room);
/* Writes what the file does not have yet. */
void learn_save(struct track *track, struct track_room *room);

#endif
