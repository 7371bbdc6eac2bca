/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history - what happened to containers since the last run, as events, and how often of late.
 *
 * Restarts: RestartCount counts those of the restart policy only, and is 0 again after a start by hand. So a rise is an
 * unplanned restart; another start without a rise was somebody's; another id is another container of the same name.
 * What was started while the engine was not reached was started with it: one event for all of them, of the engine.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/docker/docker.h"

#define RESTARTS_WITHIN_S (15 * 60)
#define OOMS_WITHIN_S (60 * 60)
#define CLOCK_SLACK_S 2 /* when it was not reached is told by our clock, starts by the engine's */

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

const char *docker_say_exit(struct belfry_probe *p, int64_t code)
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
const char *docker_say_cause(struct belfry_probe *p, const char *cause)
{
    int code;
    if (strcmp(cause, "oom") == 0)
        return "killed for lack of memory";
    if (sscanf(cause, "exit-%d", &code) == 1)
        return docker_say_exit(p, code);
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
                 docker_say_cause(d->p, c->now.cause));
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
    else if (c->started == before->started || c->started <= 0 || before->started <= 0)
        return;
    else if (d->down_at > 0 && c->started >= d->down_at - CLOCK_SLACK_S)
        d->started_again++;
    else
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

void docker_note(struct docker *d, struct docker_container *c)
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
    c->now.restarting_since = strcmp(c->state, "restarting") != 0      ? 0
                              : same && c->before.restarting_since > 0 ? c->before.restarting_since
                                                                       : d->now;
}

int docker_recent_restarts(struct docker *d, struct docker_container *c)
{
    return count_recent(c->now.restarts, d->now, RESTARTS_WITHIN_S);
}

int docker_recent_ooms(struct docker *d, struct docker_container *c)
{
    return count_recent(c->now.ooms, d->now, OOMS_WITHIN_S);
}

void docker_note_return(struct docker *d)
{
    if (d->down_at <= 0)
        return;
    const char *with = d->started_again == 0 ? ""
                       : d->started_again == 1
                           ? "; a container was started again meanwhile"
                           : belfry_print(d->p, "; %zu containers were started again meanwhile", d->started_again);
    belfry_event(d->p, "engine.returned", NULL, "answers again, it did not %s ago%s", belfry_ago(d->p, d->down_at),
                 with);
    belfry_keep(d->p, "down", NULL);
}
