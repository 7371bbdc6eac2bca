/* SPDX-License-Identifier: GPL-3.0-or-later */
/* retain - parts that vanish: a container that was removed, a disk that was unmounted. Their files are kept, marked in
 * their neighbour ("gone"), and removed when they have been gone for long. How long is told by the check's youngest
 * file, not by the clock: while a check does not run its parts do not age.
 *
 * One service folder is looked at in a step, so that the recorder has time for what is more urgent. */
#ifndef RECORDER_RETAIN_H
#define RECORDER_RETAIN_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/recorder/track.h"

struct retain {
    int64_t keep_s;
    int64_t every_ms, next_ms; /* of a look at everything; monotonic */
    DIR *folder;               /* the look in progress, or NULL */
};

void retain_open(struct retain *retain, int64_t keep_s, int64_t every_ms, int64_t mono_ms);
/* Milliseconds until there is something to do; 0: now. */
int64_t retain_wait_ms(const struct retain *retain, int64_t mono_ms);
void retain_step(struct retain *retain, struct track_room *room, int64_t mono_ms, int64_t now_s);
void retain_close(struct retain *retain);

#endif
