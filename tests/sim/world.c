/* SPDX-License-Identifier: GPL-3.0-or-later */
/* world - see the header. Whether a target is down is a function of (seed, target, time window), so that nothing has to
 * be remembered. */
#include "tests/sim/world.h"

#include <stdio.h>

#define RUNS_A_DAY 30000 /* about so many in one simulated day: intervals are chosen to fit */
#define GRACE_MS 2000

/* splitmix64 (Steele, Lea, Flood, 2014) */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

uint32_t world_draw(struct world *world, uint32_t below)
{
    return (uint32_t)(mix(++world->random) % below);
}

/* Per mille of the windows of that length in which this happens. */
static bool happens(const struct world *world, uint32_t what, int64_t true_ms, int64_t window_ms, uint32_t per_mille)
{
    uint64_t key = world->seed * 1000003 + what;
    return mix(mix(key) ^ (uint64_t)(true_ms / window_ms + window_ms)) % 1000 < per_mille;
}

/* ---- configuration ----------------------------------------------------------------------------------------------- */

static void draw_spec(struct world *w, struct spec *spec)
{
    static const uint32_t intervals_s[] = { 5, 10, 20, 30, 60, 300, 1800, 3600, 6 * 3600 };
    uint32_t i = 0, least_s = w->spec_count * 86400 / RUNS_A_DAY;
    while (i + 1 < sizeof intervals_s / sizeof intervals_s[0] && (intervals_s[i] < least_s || world_draw(w, 3)))
        i++;
    spec->every_ms = intervals_s[i] * 1000;
    spec->retry_every_ms = spec->every_ms / (1 + world_draw(w, 4));
    spec->attempts = 1 + world_draw(w, 4);
    spec->tries = 1 + world_draw(w, 3);
    spec->failures = world_draw(w, 6);
    spec->parts = world_draw(w, 3) ? 0 : 1 + world_draw(w, 12);
    spec->shared = world_draw(w, 2) ? -1 : (int)world_draw(w, WORLD_SHARED);
    spec->enabled = world_draw(w, 20) != 0;
}

void world_open(struct world *world, uint64_t seed)
{
    *world = (struct world){ .seed = seed, .random = mix(seed) };
    uint32_t most = world_draw(world, 4) ? 24 : 200;
    world->spec_count = 1 + world_draw(world, most);
    uint32_t services = 1 + world_draw(world, 8);
    for (uint32_t i = 0; i < world->spec_count; i++) {
        struct spec *spec = &world->specs[i];
        uint32_t service = i * services / world->spec_count;
        snprintf(spec->service, sizeof spec->service, "service%u", service);
        snprintf(spec->id, sizeof spec->id, "service%u/check%u", service, i);
        draw_spec(world, spec);
        spec->present = i == 0 || world_draw(world, 5) != 0;
    }
}

void world_mutate(struct world *world)
{
    world->version++;
    for (uint32_t n = 1 + world_draw(world, 6); n > 0; n--) {
        struct spec *spec = &world->specs[world_draw(world, world->spec_count)];
        uint32_t what = world_draw(world, 4);
        if (what == 0)
            spec->present = !spec->present;
        else if (what == 1)
            spec->enabled = !spec->enabled;
        else
            draw_spec(world, spec);
    }
    world->specs[0].present = true;
}

static void write_check(struct config *config, struct check_config *c, const struct world *w, const struct spec *spec)
{
    struct arena *arena = &config->arena;
    c->id = arena_text(arena, spec->id);
    c->service = arena_text(arena, spec->service);
    c->place.line = (int)(spec - w->specs);
    c->every_ms = spec->every_ms;
    c->retry_every_ms = spec->retry_every_ms;
    c->timeout_ms = 10000;
    c->attempts = spec->attempts;
    c->retry = (struct retry){ .attempts = spec->tries, .backoff_ms = { 1000, 4000 }, .backoff_count = 2 };
    c->breaker_shared = spec->shared >= 0;
    c->breaker.name = c->breaker_shared ? arena_print(arena, "shared%d", spec->shared) : c->id;
    c->breaker.failures = c->breaker_shared ? 4 : spec->failures;
    c->breaker.open_ms = 30000;
    c->breaker.open_max_ms = 300000;
    c->flapping = (struct flapping_config){ .enabled = true, .low = 5, .high = 20 };
    c->enabled = spec->enabled;
    c->schedule_mark = spec->every_ms ^ (uint64_t)spec->attempts << 40 ^ (uint64_t)spec->tries << 50;
}

struct config *world_config(struct world *world)
{
    struct config *config = heap_array(1, sizeof *config);
    config->checks = arena_array(&config->arena, world->spec_count, sizeof *config->checks);
    for (uint32_t i = 0; i < world->spec_count; i++) {
        if (world->specs[i].present)
            write_check(config, &config->checks[config->check_count++], world, &world->specs[i]);
    }
    return config;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void see_target(struct world *w, uint32_t number, int64_t true_ms, struct course *course)
{
    const struct spec *spec = &w->specs[number];
    uint32_t target = spec->shared >= 0 ? 10000 + (uint32_t)spec->shared : number;
    bool down =
        happens(w, target, true_ms, 600000, 60) || happens(w, target, true_ms, 3600000, 40) || world_draw(w, 100) < 2;
    if (down) {
        course->reached = false;
        course->state = BELFRY_CRITICAL;
    } else if (happens(w, 20000 + number, true_ms, 400000, 60)) {
        course->state = 1 + (enum belfry_state)world_draw(w, 3);
        course->bad_parts = world_draw(w, 16);
    }
}

static void work_badly(struct world *w, uint32_t number, struct course *course)
{
    uint32_t luck = world_draw(w, 1000);
    (void)number;
    if (luck < 3) {
        *course = (struct course){ 50, .end = RESULT_CRASHED, .state = BELFRY_UNKNOWN };
    } else if (luck < 8) {
        course->lost = true;
    } else if (luck < 10) {
        *course = (struct course){ 10000 + GRACE_MS, .end = RESULT_STUCK, .state = BELFRY_UNKNOWN };
    } else if (luck < 13) {
        *course = (struct course){ 10000, .end = RESULT_TIMEOUT, .state = BELFRY_CRITICAL };
    } else if (luck < 50) {
        course->ends_after_ms += world_draw(w, 8000);
    }
}

struct course world_run(struct world *world, uint32_t spec, int64_t true_ms)
{
    struct course course = { 1 + world_draw(world, 300), .reached = true, .state = BELFRY_OK };
    if (world->quiet)
        return course;
    see_target(world, spec, true_ms, &course);
    work_badly(world, spec, &course);
    return course;
}
