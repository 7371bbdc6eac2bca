/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge - what the containers' states mean, what is missing, and the verdict.
 *
 * A container that is expected and doesn't run is a WARNING at once; the metric missing_time makes it CRITICAL.
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/docker/docker.h"

static bool is(const struct docker_container *c, const char *state)
{
    return strcmp(c->state, state) == 0;
}

/* Restarting counts as running for "does it exist", paused doesn't. */
static bool runs(const struct docker_container *c)
{
    return is(c, "running");
}

/* ---- the state of one ---------------------------------------------------------------------------------------- */

struct opinion {
    enum belfry_state state;
    const char *text;
};

static struct opinion judge_running(struct docker *d, const struct docker_container *c)
{
    const char *up = c->started > 0 ? belfry_print(d->p, "up %s", belfry_ago(d->p, c->started)) : "running";
    if (!c->health)
        return (struct opinion){ BELFRY_OK, up };
    if (!c->inspected) /* for how long is not known */
        return (struct opinion){ strcmp(c->health, "unhealthy") == 0 ? BELFRY_WARNING : BELFRY_OK, c->health };
    double since = (double)(d->now - c->started);
    if (strcmp(c->health, "unhealthy") == 0)
        return (struct opinion){ BELFRY_WARNING,
                                 belfry_print(d->p, "unhealthy, %" PRId64 " probes failed%s%s, %s", c->streak,
                                              c->probe && *c->probe ? ": " : "", c->probe ? c->probe : "", up) };
    if (strcmp(c->health, "starting") == 0 && since > c->start_limit_s)
        return (struct opinion){ since > 2 * c->start_limit_s ? BELFRY_CRITICAL : BELFRY_WARNING,
                                 belfry_print(d->p, "still starting after %s, its health check allows %s",
                                              belfry_ago(d->p, c->started), say_seconds(d->p, c->start_limit_s)) };
    return (struct opinion){ BELFRY_OK, belfry_print(d->p, "%s, %s", c->health, up) };
}

static struct opinion judge_exited(struct docker *d, const struct docker_container *c)
{
    const char *ago = c->finished > 0 ? belfry_print(d->p, " %s ago", belfry_ago(d->p, c->finished)) : "";
    if (c->oom)
        return (struct opinion){ BELFRY_WARNING, belfry_print(d->p, "killed for lack of memory%s", ago) };
    const char *text = belfry_print(d->p, "exited%s, %s", ago, docker_say_exit(d->p, c->exit_code));
    bool wanted = strcmp(c->policy, "always") == 0 || strcmp(c->policy, "unless-stopped") == 0;
    if (wanted)
        return (struct opinion){ BELFRY_WARNING,
                                 belfry_print(d->p, "%s, though its restart policy is '%s'", text, c->policy) };
    return (struct opinion){ c->exit_code != 0 ? BELFRY_WARNING : BELFRY_OK, text };
}

static struct opinion judge_one(struct docker *d, const struct docker_container *c)
{
    if (c->trouble)
        return (struct opinion){ BELFRY_UNKNOWN,
                                 belfry_print(d->p, "%s, could not be inspected: %s", c->state, c->trouble) };
    if (runs(c))
        return judge_running(d, c);
    if (is(c, "exited"))
        return judge_exited(d, c);
    if (is(c, "restarting"))
        return (struct opinion){ c->now.restarting_since < d->now ? BELFRY_CRITICAL : BELFRY_WARNING,
                                 belfry_print(d->p, "restarts again and again, %" PRId64 " times by now, %s",
                                              c->restart_count, docker_say_exit(d->p, c->exit_code)) };
    if (is(c, "dead"))
        return (struct opinion){ BELFRY_CRITICAL, "dead: the engine failed to remove it" };
    if (is(c, "paused"))
        return (struct opinion){ BELFRY_WARNING, "paused" };
    if (is(c, "created"))
        return (struct opinion){ BELFRY_WARNING, "created, but never started" };
    if (is(c, "removing"))
        return (struct opinion){ BELFRY_OK, "is being removed" };
    return (struct opinion){ BELFRY_UNKNOWN, belfry_print(d->p, "in a state that is not known: '%s'", c->state) };
}

static bool is_expected(struct belfry_probe *p, const struct docker_container *c)
{
    for (size_t i = 0; i < belfry_count(p, "expect"); i++)
        if (fnmatch(belfry_item(p, "expect", i), c->name, 0) == 0)
            return true;
    return false;
}

static void measure_usage(struct docker *d, const struct docker_container *c)
{
    if (!c->measured)
        return;
    if (!isnan(c->cpu_percent))
        belfry_measure_part(d->p, c->name, "cpu", c->cpu_percent);
    if (!isnan(c->cpu_percent) && c->cpu_limit > 0)
        belfry_measure_part(d->p, c->name, "cpu_limit", c->cpu_percent / c->cpu_limit);
    if (!isnan(c->throttled_percent))
        belfry_measure_part(d->p, c->name, "cpu_throttled", fmin(100, c->throttled_percent));
    belfry_measure_part(d->p, c->name, "memory", c->memory_used);
    if (c->memory_limit > 0 && c->memory_limit_now > 0)
        belfry_measure_part(d->p, c->name, "memory_limit", c->memory_used * 100 / c->memory_limit_now);
    if (!isnan(c->pids))
        belfry_measure_part(d->p, c->name, "pids", c->pids);
}

static void measure_one(struct docker *d, struct docker_container *c)
{
    if (runs(c) && c->started > 0)
        belfry_measure_part(d->p, c->name, "uptime", fmax(0, (double)(d->now - c->started)));
    if (c->health && c->inspected)
        belfry_measure_part(d->p, c->name, "unhealthy_time",
                            c->now.unhealthy_since > 0 ? (double)(d->now - c->now.unhealthy_since) : 0);
    if (c->now.last_unplanned > 0)
        belfry_measure_part(d->p, c->name, "unplanned_restart_age", fmax(0, (double)(d->now - c->now.last_unplanned)));
    measure_usage(d, c);
    if (c->refused) /* restarts are not known */
        return;
    belfry_measure_part(d->p, c->name, "restarts", docker_recent_restarts(d, c));
    belfry_measure_part(d->p, c->name, "ooms", docker_recent_ooms(d, c));
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

struct sums {
    size_t running, healthy, unhealthy, checked, stopped, missing;
    const char *missing_names, *bad_names;
    size_t bad;
};

/* since: 0 when it can't be said; then it is from the first run that missed it. */
static void measure_missing(struct docker *d, const char *name, int64_t since)
{
    since = docker_missing_since(d, name, since);
    belfry_measure_part(d->p, name, "missing_time", fmax(0, (double)(d->now - since)));
}

/* "a, b, c and 5 more". */
static void name_it(struct belfry_probe *p, const char **names, size_t n, const char *name)
{
    if (n <= 5)
        *names = *names ? belfry_print(p, "%s; %s", *names, name) : name;
}

static void look_at(struct docker *d, struct docker_container *c, struct sums *s)
{
    docker_note(d, c);
    struct opinion f = judge_one(d, c);
    bool passes = c->health && strcmp(c->health, "healthy") == 0, missing = is_expected(d->p, c) && !runs(c);
    if (c->now.last_unplanned > 0)
        f.text = belfry_print(d->p, "%s; last unplanned restart %s ago (%s)", f.text,
                              belfry_ago(d->p, c->now.last_unplanned), docker_say_cause(d->p, c->now.cause));
    if (missing) {
        f.state = f.state == BELFRY_OK ? BELFRY_WARNING : f.state;
        f.text = belfry_print(d->p, "is expected to run: %s", f.text);
        name_it(d->p, &s->missing_names, ++s->missing, c->name);
    } else if (f.state != BELFRY_OK) {
        name_it(d->p, &s->bad_names, ++s->bad, belfry_print(d->p, "%s: %s", c->name, f.text));
    }
    s->running += runs(c);
    s->stopped += !runs(c);
    s->checked += runs(c) && c->health;
    s->healthy += runs(c) && passes;
    s->unhealthy += runs(c) && c->health && strcmp(c->health, "unhealthy") == 0;
    belfry_part(d->p, c->name, f.state, "%s", f.text);
    measure_one(d, c);
    if (missing)
        measure_missing(d, c->name, is(c, "exited") ? c->finished : 0);
    else if (is_expected(d->p, c))
        belfry_measure_part(d->p, c->name, "missing_time", 0);
}

/* Expected names that no container has. */
static void look_for_missing(struct docker *d, struct sums *s)
{
    for (size_t i = 0; i < belfry_count(d->p, "expect"); i++) {
        const char *wanted = belfry_item(d->p, "expect", i);
        bool found = false;
        for (size_t k = 0; k < d->count && !found; k++)
            found = fnmatch(wanted, d->containers[k].name, 0) == 0;
        if (found)
            continue;
        name_it(d->p, &s->missing_names, ++s->missing, wanted);
        belfry_part(d->p, wanted, BELFRY_WARNING, "is expected, but there is no such container");
        measure_missing(d, wanted, 0);
    }
}

/* "web" or "shop/web". */
static bool is_of_service(const struct docker_container *c, const char *wanted)
{
    const char *slash = strchr(wanted, '/');
    if (!c->service)
        return false;
    if (!slash)
        return strcmp(c->service, wanted) == 0;
    size_t length = (size_t)(slash - wanted);
    return c->project && strncmp(c->project, wanted, length) == 0 && c->project[length] == '\0' &&
           strcmp(c->service, slash + 1) == 0;
}

static void look_for_services(struct docker *d, struct sums *s)
{
    for (size_t i = 0; i < belfry_count(d->p, "expect_service"); i++) {
        const char *wanted = belfry_item(d->p, "expect_service", i);
        size_t there = 0, running = 0;
        for (size_t k = 0; k < d->count; k++)
            if (is_of_service(&d->containers[k], wanted)) {
                there++;
                running += runs(&d->containers[k]);
            }
        if (running > 0)
            continue;
        name_it(d->p, &s->missing_names, ++s->missing, wanted);
        measure_missing(d, wanted, 0);
        belfry_part(d->p, wanted, BELFRY_WARNING,
                    there > 0 ? "is expected, but none of its containers runs"
                              : "is expected, but it has no container");
    }
}

static void measure_sums(struct docker *d, const struct sums *s)
{
    belfry_measure(d->p, "time_answer", d->answer_s);
    belfry_measure(d->p, "containers", (double)d->count);
    belfry_measure(d->p, "running", (double)s->running);
    belfry_measure(d->p, "healthy", (double)s->healthy);
    belfry_measure(d->p, "unhealthy", (double)s->unhealthy);
    belfry_measure(d->p, "stopped", (double)s->stopped);
    if (belfry_has(d->p, "expect") || belfry_has(d->p, "expect_service"))
        belfry_measure(d->p, "missing", (double)s->missing);
}

static const char *list(struct belfry_probe *p, const char *names, size_t n)
{
    return n > 5 ? belfry_print(p, "%s, and %zu more", names, n - 5) : names;
}

static void conclude(struct docker *d, const struct sums *s)
{
    const char *text = belfry_print(d->p, "%zu/%zu running", s->running, d->count);
    if (s->checked > 0)
        text = belfry_print(d->p, "%s, %zu/%zu healthy", text, s->healthy, s->checked);
    if (s->missing > 0)
        text = belfry_print(d->p, "%s; expected, but not running: %s", text, list(d->p, s->missing_names, s->missing));
    if (s->bad > 0)
        text = belfry_print(d->p, "%s; %s", text, list(d->p, s->bad_names, s->bad));
    if (d->disk)
        text = d->count > 0 ? belfry_print(d->p, "%s; %s", text, d->disk) : d->disk;
    text = docker_say_findings(d, text);
    if (d->count == 0 && s->missing == 0 && d->seen > 0 && !d->disk)
        belfry_unknown(d->p, "none of %zu containers is selected by container, exclude, label and project", d->seen);
    else if (d->stats_why)
        belfry_unknown(d->p, "%s; stats could not be had: %s", text, d->stats_why);
    else if (d->lacks)
        belfry_unknown(d->p, "%s; not allowed: %s", text, d->lacks);
    else
        belfry_ok(d->p, "%s", text);
    if (d->events_why)
        belfry_detail(d->p, "causes of restarts are not known, GET /events: %s", d->events_why);
}

void docker_judge(struct docker *d)
{
    struct sums s = { 0 };
    for (size_t i = 0; i < d->count; i++)
        look_at(d, &d->containers[i], &s);
    look_for_missing(d, &s);
    look_for_services(d, &s);
    docker_note_return(d);
    measure_sums(d, &s);
    conclude(d, &s);
}
