/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge - what the containers' states mean, and what happened to them since the last run.
 *
 * Restarts: RestartCount counts those of the restart policy only, and is 0 again after a start by hand. So a rise is an
 * unplanned restart; another start without a rise was somebody's; another id is another container of the same name.
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/docker/docker.h"

#define RESTARTS_WITHIN_S (15 * 60)
#define OOMS_WITHIN_S (60 * 60)

static bool is(const struct docker_container *c, const char *state)
{
    return strcmp(c->state, state) == 0;
}

/* Restarting counts as running for "does it exist", paused doesn't. */
static bool runs(const struct docker_container *c)
{
    return is(c, "running");
}

/* ---- what happened since the last run ------------------------------------------------------------------------ */

static void add_time(int64_t *times, int64_t when)
{
    memmove(times + 1, times, (DOCKER_TIMES_MAX - 1) * sizeof *times);
    times[0] = when;
}

/* How many are recent; the others are forgotten. */
static int count_recent(int64_t *times, int64_t now, int64_t within)
{
    int n = 0;
    for (size_t i = 0; i < DOCKER_TIMES_MAX; i++) {
        if (times[i] < now - within || times[i] == 0)
            times[i] = 0;
        else
            n++;
    }
    return n;
}

static const char *say_exit(struct belfry_probe *p, int64_t code)
{
    static const struct {
        int code;
        const char *means;
    } known[] = {
        { 125, "the engine failed to run it" },
        { 126, "its command can't be executed" },
        { 127, "its command was not found" },
        { 134, "SIGABRT" },
        { 137, "SIGKILL" },
        { 139, "SIGSEGV" },
        { 143, "SIGTERM" },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].code == code)
            return belfry_print(p, "exit code %" PRId64 ", %s", code, known[i].means);
    return belfry_print(p, "exit code %" PRId64, code);
}

/* In words, from the short form that is kept: "oom", "exit-3", "-". */
static const char *say_cause(struct belfry_probe *p, const char *cause)
{
    int code;
    if (strcmp(cause, "oom") == 0)
        return "killed for lack of memory";
    if (sscanf(cause, "exit-%d", &code) == 1)
        return say_exit(p, code);
    return "cause not seen";
}

static void note_ooms(struct docker *d, struct docker_container *c, bool same)
{
    int ooms = c->ooms;
    bool flagged = c->oom && !(same && c->before.oom && c->before.started == c->started);
    bool counted = same && c->measured && c->before.oom_count > 0 && c->oom_count > c->before.oom_count;
    if (ooms == 0 && (c->known || d->last > 0) && (flagged || counted))
        ooms = 1;
    for (int i = 0; i < ooms && i < DOCKER_TIMES_MAX; i++)
        add_time(c->now.ooms, d->now);
    if (ooms > 0)
        belfry_event(d->p, "container.oom", c->name, "a process was killed for lack of memory%s%s",
                     c->memory_limit > 0 ? ", limit " : "",
                     c->memory_limit > 0 ? say_bytes(d->p, (double)c->memory_limit) : "");
    c->ooms = ooms;
}

static void note_unplanned(struct docker *d, struct docker_container *c, int64_t count)
{
    int64_t code = c->die_code >= 0 ? c->die_code : c->exit_code;
    for (int64_t i = 0; i < count && i < DOCKER_TIMES_MAX; i++)
        add_time(c->now.restarts, d->now);
    c->now.last_unplanned = c->started > 0 ? c->started : d->now;
    if (c->ooms > 0)
        snprintf(c->now.cause, sizeof c->now.cause, "oom");
    else if (c->die_code >= 0 || code != 0)
        snprintf(c->now.cause, sizeof c->now.cause, "exit-%d", (int)(code & 0xff));
    else
        snprintf(c->now.cause, sizeof c->now.cause, "-");
    belfry_event(d->p, "container.restarted", c->name, "restarted %s by its policy '%s': %s",
                 count == 1 ? "once" : belfry_print(d->p, "%" PRId64 " times", count), c->policy,
                 say_cause(d->p, c->now.cause));
}

static void note_restarts(struct docker *d, struct docker_container *c, bool same)
{
    const struct docker_record *before = &c->before;
    if (!c->known)
        return;
    if (!same) {
        belfry_event(d->p, "container.recreated", c->name, "another container has its name now");
        return;
    }
    int64_t reset = c->restart_count < before->restart_count ? 0 : before->restart_count;
    int64_t unplanned = c->restart_count - reset;
    if (unplanned > 0)
        note_unplanned(d, c, unplanned);
    else if (c->started != before->started && c->started > 0 && before->started > 0)
        belfry_event(d->p, "container.restarted", c->name, "started again by hand or with the engine, up %s",
                     belfry_ago(d->p, c->started));
}

static void note_health(struct docker *d, struct docker_container *c, bool same)
{
    bool bad = c->health && strcmp(c->health, "unhealthy") == 0;
    const char *probe = c->probe && *c->probe ? belfry_print(d->p, ": %s", c->probe) : "";
    bool was = same && c->before.unhealthy_since > 0;
    c->now.unhealthy_since = !bad ? 0 : was ? c->before.unhealthy_since : d->now - (int64_t)c->failing_s;
    if (bad && !was && d->last > 0)
        belfry_event(d->p, "container.unhealthy", c->name, "its health check fails%s", probe);
    else if (!bad && c->unhealthy > 0)
        belfry_event(d->p, "container.unhealthy", c->name, "its health check failed, and passes again by now");
}

static void note(struct docker *d, struct docker_container *c)
{
    bool same = c->known && strncmp(c->before.id, c->id, sizeof c->before.id - 1) == 0;
    struct docker_record stats = c->now;
    c->now = same ? c->before : (struct docker_record){ 0 };
    snprintf(c->now.id, sizeof c->now.id, "%.12s", c->id);
    if (c->measured) {
        c->now.cpu_ns = stats.cpu_ns;
        c->now.system_ns = stats.system_ns;
        c->now.periods = stats.periods;
        c->now.throttled = stats.throttled;
    }
    if (!c->inspected) /* what is not known now stays as it was known */
        return;
    note_ooms(d, c, same);
    note_restarts(d, c, same);
    note_health(d, c, same);
    c->now.restart_count = c->restart_count;
    c->now.started = c->started;
    c->now.oom = c->oom;
    c->now.oom_count = c->measured ? c->oom_count : c->now.oom_count;
    c->now.restarting_since = !is(c, "restarting")                     ? 0
                              : same && c->before.restarting_since > 0 ? c->before.restarting_since
                                                                       : d->now;
}

/* ---- the state of one ---------------------------------------------------------------------------------------- */

struct finding {
    enum belfry_state state;
    const char *text;
};

static struct finding judge_running(struct docker *d, const struct docker_container *c)
{
    const char *up = c->started > 0 ? belfry_print(d->p, "up %s", belfry_ago(d->p, c->started)) : "running";
    if (!c->health)
        return (struct finding){ BELFRY_OK, up };
    double since = (double)(d->now - c->started);
    if (strcmp(c->health, "unhealthy") == 0)
        return (struct finding){ BELFRY_WARNING,
                                 belfry_print(d->p, "unhealthy, %" PRId64 " probes failed%s%s, %s", c->streak,
                                              c->probe && *c->probe ? ": " : "", c->probe ? c->probe : "", up) };
    if (strcmp(c->health, "starting") == 0 && since > c->start_limit_s)
        return (struct finding){ since > 2 * c->start_limit_s ? BELFRY_CRITICAL : BELFRY_WARNING,
                                 belfry_print(d->p, "still starting after %s, its health check allows %s",
                                              belfry_ago(d->p, c->started), say_seconds(d->p, c->start_limit_s)) };
    return (struct finding){ BELFRY_OK, belfry_print(d->p, "%s, %s", c->health, up) };
}

static struct finding judge_exited(struct docker *d, const struct docker_container *c)
{
    const char *ago = c->finished > 0 ? belfry_print(d->p, " %s ago", belfry_ago(d->p, c->finished)) : "";
    if (c->oom)
        return (struct finding){ BELFRY_WARNING, belfry_print(d->p, "killed for lack of memory%s", ago) };
    const char *text = belfry_print(d->p, "exited%s, %s", ago, say_exit(d->p, c->exit_code));
    bool wanted = strcmp(c->policy, "always") == 0 || strcmp(c->policy, "unless-stopped") == 0;
    if (wanted)
        return (struct finding){ BELFRY_WARNING,
                                 belfry_print(d->p, "%s, though its restart policy is '%s'", text, c->policy) };
    return (struct finding){ c->exit_code != 0 ? BELFRY_WARNING : BELFRY_OK, text };
}

static struct finding judge_one(struct docker *d, const struct docker_container *c)
{
    if (!c->inspected)
        return (struct finding){ BELFRY_UNKNOWN,
                                 belfry_print(d->p, "%s, could not be inspected: %s", c->state, c->trouble) };
    if (runs(c))
        return judge_running(d, c);
    if (is(c, "exited"))
        return judge_exited(d, c);
    if (is(c, "restarting"))
        return (struct finding){ c->now.restarting_since < d->now ? BELFRY_CRITICAL : BELFRY_WARNING,
                                 belfry_print(d->p, "restarts again and again, %" PRId64 " times by now, %s",
                                              c->restart_count, say_exit(d->p, c->exit_code)) };
    if (is(c, "dead"))
        return (struct finding){ BELFRY_CRITICAL, "dead: the engine failed to remove it" };
    if (is(c, "paused"))
        return (struct finding){ BELFRY_WARNING, "paused" };
    if (is(c, "created"))
        return (struct finding){ BELFRY_WARNING, "created, but never started" };
    if (is(c, "removing"))
        return (struct finding){ BELFRY_OK, "is being removed" };
    return (struct finding){ BELFRY_UNKNOWN, belfry_print(d->p, "in a state that is not known: '%s'", c->state) };
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
    belfry_measure_part(d->p, c->name, "restarts", count_recent(c->now.restarts, d->now, RESTARTS_WITHIN_S));
    belfry_measure_part(d->p, c->name, "ooms", count_recent(c->now.ooms, d->now, OOMS_WITHIN_S));
    measure_usage(d, c);
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

struct sums {
    size_t running, healthy, unhealthy, checked, stopped, missing;
    const char *missing_names, *bad_names;
    size_t bad;
};

/* "a, b, c and 5 more". */
static void name_it(struct belfry_probe *p, const char **names, size_t n, const char *name)
{
    if (n <= 5)
        *names = *names ? belfry_print(p, "%s; %s", *names, name) : name;
}

static void look_at(struct docker *d, struct docker_container *c, struct sums *s)
{
    note(d, c);
    struct finding f = judge_one(d, c);
    bool passes = c->health && strcmp(c->health, "healthy") == 0, missing = is_expected(d->p, c) && !runs(c);
    if (c->now.last_unplanned > 0)
        f.text = belfry_print(d->p, "%s; last unplanned restart %s ago (%s)", f.text,
                              belfry_ago(d->p, c->now.last_unplanned), say_cause(d->p, c->now.cause));
    if (missing) {
        f.state = BELFRY_CRITICAL;
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
        belfry_part(d->p, wanted, BELFRY_CRITICAL, "is expected, but there is no such container");
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
        belfry_part(d->p, wanted, BELFRY_CRITICAL,
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
    return n > 5 ? belfry_print(p, "%s and %zu more", names, n - 5) : names;
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
    if (d->count == 0 && s->missing == 0 && d->seen > 0 && !d->disk)
        belfry_unknown(d->p, "none of %zu containers is selected by container, exclude, label and project", d->seen);
    else if (d->stats_why)
        belfry_unknown(d->p, "%s; stats could not be had: %s", text, d->stats_why);
    else
        belfry_ok(d->p, "%s", text);
    if (d->events_why)
        belfry_detail(d->p, "causes of restarts are not known, /events can't be read: %s", d->events_why);
}

void docker_judge(struct docker *d)
{
    struct sums s = { 0 };
    for (size_t i = 0; i < d->count; i++)
        look_at(d, &d->containers[i], &s);
    look_for_missing(d, &s);
    look_for_services(d, &s);
    measure_sums(d, &s);
    conclude(d, &s);
}
