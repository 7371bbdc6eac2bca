/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reserve - space that is kept so that a full disk can still be told of: a file "reserve" beside the segments, of real
 * blocks and without content. Internal to the room. */
#ifndef JOURNAL_RESERVE_H
#define JOURNAL_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#define RESERVE_NAME "reserve"

/* Makes it when there is room for it and half as much again; 0 when it is there (or bytes is 0), else a negative
 * code: -ENOSPC. What is there in another size is made anew. */
int reserve_fill(int folder, uint64_t bytes);
/* Gives its space back; whether there was any. */
bool reserve_release(int folder);

#endif
