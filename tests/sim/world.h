/* SPDX-License-Identifier: GPL-3.0-or-later */
/* world - what the simulator watches: checks that come, go and change, targets that fail for a while, and workers that
 * are slow, crash or lose runs. All of it follows from a seed and the time. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "core/model/config.h"

#define WORLD_CHECKS_MAX 256
#define WORLD_SHARED 4 /* breakers that checks may share */

/* A check as it may be configured; its number is config.checks[].place.line. */
struct spec {
    char id[32], service[16];
    bool present, enabled;
    int shared; /* breaker, or -1: its own */
    uint32_t every_ms, retry_every_ms, attempts, tries, failures, parts;
};

struct world {
    uint64_t seed, random;
    struct spec specs[WORLD_CHECKS_MAX];
    uint32_t spec_count;
    uint64_t version; /* of the configuration: changes every mark */
    bool quiet;       /* nothing fails any more */
};

/* How a run goes. */
struct course {
    int64_t ends_after_ms;
    bool lost;
    enum result_end end;
    bool reached;
    enum belfry_state state;
    uint32_t bad_parts; /* one bit a part */
};

uint32_t world_draw(struct world *world, uint32_t below); /* 0 .. below - 1 */
void world_open(struct world *world, uint64_t seed);
/* Some checks come, go or change. */
void world_mutate(struct world *world);
struct config *world_config(struct world *world);
struct course world_run(struct world *world, uint32_t spec, int64_t true_ms);

#endif
