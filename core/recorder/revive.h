/* SPDX-License-Identifier: GPL-3.0-or-later */
/* revive - at the start, before anything is written: a file over which librrd crashed is moved aside, an update over
 * which a recorder was killed is undone, and what waited is moved aside when it crashed recorders again and again. */
#ifndef RECORDER_REVIVE_H
#define RECORDER_REVIVE_H

#include "core/recorder/track.h"
#include "core/recorder/wal.h"

void revive_files(struct track_room *room, const struct wal *wal);

#endif
