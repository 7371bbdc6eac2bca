/* SPDX-License-Identifier: GPL-3.0-or-later */
/* timers - a binary heap of (due time, item number) that knows where each item stands, so that an item can be moved or
 * taken out. Items are small numbers (slots). Equal times come in the order of the items: the same input gives the
 * same order. No allocation but when it grows. */
#ifndef SCHEDULE_TIMERS_H
#define SCHEDULE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    int64_t due_ms;
    uint32_t item;
};

/* Zero it before use. */
struct timers {
    struct timer *heap;
    uint32_t count, size;
    uint32_t *positions; /* of each item in the heap, plus one; 0: not in it */
    uint32_t position_count;
};

void timers_close(struct timers *timers);
/* Adds the item or moves it. */
void timers_set(struct timers *timers, uint32_t item, int64_t due_ms);
/* Takes it out, if it is there. */
void timers_clear(struct timers *timers, uint32_t item);
/* The earliest, or NULL. */
const struct timer *timers_first(const struct timers *timers);

#endif
