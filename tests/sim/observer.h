/* SPDX-License-Identifier: GPL-3.0-or-later */
/* observer - watches the stream of events, starts and ends of runs, and knows what must never be seen. It is told of
 * nothing inside the schedule; restarts don't reach it, so that what is said twice because of one is noticed. */
#ifndef TESTS_SIM_OBSERVER_H
#define TESTS_SIM_OBSERVER_H

#include "core/base/map.h"
#include "core/model/event.h"

/* what must hold */
#define PROPERTY_LIST(X)                                                                                               \
    X(ONE_RUN, "no check runs twice at once")                                                                          \
    X(NO_STARVATION, "every check that may run does, in time")                                                         \
    X(CHECK_ORDER, "each problem of a check has one open and one close")                                               \
    X(PART_ORDER, "each problem of a part has one open and one close")                                                 \
    X(SERVICE_ORDER, "a service's states follow one another")                                                          \
    X(BREAKER_ORDER, "a breaker's transitions follow one another, and open ends")                                      \
    X(BREAKER_SHUT, "no regular run starts behind an open breaker")                                                    \
    X(ONE_PROBE, "one probe at a time")                                                                                \
    X(STALE_DROPPED, "a result of a dead generation does nothing")                                                     \
    X(ALL_RECOVER, "after a quiet time everything is OK")                                                              \
    X(SAME_REPLAY, "snapshot and later events give the same state")                                                    \
    X(SAME_SEED, "the same seed gives the same decisions")

enum property {
#define PROPERTY_ENUM_(id, text) id,
    PROPERTY_LIST(PROPERTY_ENUM_)
#undef PROPERTY_ENUM_
    PROPERTY_COUNT
};

/* What was seen against it. */
struct violations {
    uint64_t count[PROPERTY_COUNT];
    uint64_t seed[PROPERTY_COUNT]; /* of the first */
    char text[PROPERTY_COUNT][512];
};

struct subject; /* a check, part, service or breaker as the events tell it */

struct observer {
    struct arena arena;
    struct map checks, parts, services, breakers;
    struct violations *violations;
    uint64_t seed;
    int64_t true_ms; /* kept by the simulator */
    uint64_t problems, recoveries, openings;
};

void observer_close(struct observer *observer);
void observer_see(struct observer *observer, const struct event *event);
void observer_violate(struct observer *observer, enum property property, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* A breaker by its events: 0 closed, 1 open, 2 half-open. */
int observer_breaker(const struct observer *observer, const char *name);
/* Breakers that should have half-opened long ago. */
void observer_check_pauses(struct observer *observer, int64_t slack_ms);
/* The machine slept or stalled, or Belfry was restarted: pauses begin to count anew. */
void observer_disturb(struct observer *observer);

#endif
