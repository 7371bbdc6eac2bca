/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine - asking the engine for its containers: the list, an inspect of each, the events since the last run.
 *
 * Health is read from inspect, which has the same shape in all versions of the API. Where a proxy refuses inspect, what
 * the list says is all there is: the state, and health and exit code as words in "Status" (an object from API 1.52 on).
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/docker/docker.h"

#define AT_ONCE 8
#define PROBE_DEFAULT_NS 30e9

/* ---- which containers ---------------------------------------------------------------------------------------- */

static bool matches_any(struct belfry_probe *p, const char *option, const char *text)
{
    for (size_t i = 0; i < belfry_count(p, option); i++)
        if (fnmatch(belfry_item(p, option, i), text, 0) == 0)
            return true;
    return false;
}

static const char *label_of(struct docker *d, const json_t *entry, const char *name)
{
    const json_t *value = json_object_get(json_object_get(entry, "Labels"), name); /* its name has dots: no path */
    return json_is_string(value) ? say_copy(d->p, json_string_value(value), json_string_length(value)) : NULL;
}

static bool has_labels(struct docker *d, const json_t *entry)
{
    for (size_t i = 0; i < belfry_count(d->p, "label"); i++) {
        const char *wanted = belfry_item(d->p, "label", i), *equals = strchr(wanted, '=');
        const char *name = equals ? belfry_print(d->p, "%.*s", (int)(equals - wanted), wanted) : wanted;
        const char *value = label_of(d, entry, name);
        if (!value || (equals && strcmp(value, equals + 1) != 0))
            return false;
    }
    return true;
}

/* "/web-1", but not "/web-1/db", which is a link. */
static const char *name_of(struct docker *d, const json_t *entry, const char *id)
{
    for (size_t i = 0; i < tree_count(entry, "Names"); i++) {
        const char *name = json_string_value(tree_item(entry, "Names", i));
        if (name && name[0] == '/' && name[1] && !strchr(name + 1, '/'))
            return say_excerpt(d->p, name + 1, strlen(name + 1));
    }
    return belfry_print(d->p, "%.12s", id);
}

static bool is_selected(struct docker *d, const struct docker_container *c, const json_t *entry)
{
    const char *oneoff = label_of(d, entry, "com.docker.compose.oneoff");
    if (oneoff && strcmp(oneoff, "True") == 0) /* "docker compose run": somebody is at work by hand */
        return false;
    if (belfry_has(d->p, "project") && !(c->project && matches_any(d->p, "project", c->project)))
        return false;
    if (belfry_has(d->p, "container") && !matches_any(d->p, "container", c->name))
        return false;
    return !matches_any(d->p, "exclude", c->name) && has_labels(d, entry);
}

/* Whether it can stand in a path. */
static bool is_id(const char *id)
{
    size_t length = strlen(id);
    return length >= 12 && length <= 64 && strspn(id, "0123456789abcdef") == length;
}

/* What the list knows of health: an object, or the end of "Up 3 hours (unhealthy)". */
static const char *listed_health(struct docker *d, const json_t *entry)
{
    static const char *const ends[][2] = { { "(healthy)", "healthy" },
                                           { "(unhealthy)", "unhealthy" },
                                           { "(health: starting)", "starting" } };
    const char *health = tree_text(d->p, entry, "Health.Status", ""), *status = tree_text(d->p, entry, "Status", "");
    if (*health)
        return strcmp(health, "none") == 0 ? NULL : health;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (strstr(status, ends[i][0]))
            return ends[i][1];
    return NULL;
}

static void add(struct docker *d, const json_t *entry)
{
    struct docker_container c = { .id = tree_text(d->p, entry, "Id", ""), .policy = "", .die_code = -1 };
    if (!is_id(c.id))
        return;
    c.name = name_of(d, entry, c.id);
    c.project = label_of(d, entry, "com.docker.compose.project");
    c.service = label_of(d, entry, "com.docker.compose.service");
    c.state = tree_text(d->p, entry, "State", "");
    c.health = listed_health(d, entry);
    if (sscanf(tree_text(d->p, entry, "Status", ""), "Exited (%" SCNd64 ")", &c.exit_code) != 1)
        c.exit_code = 0;
    d->seen++;
    if (is_selected(d, &c, entry) && d->count++ < DOCKER_CONTAINERS_MAX)
        d->containers[d->count - 1] = c;
}

static bool read_list(struct docker *d, const json_t *tree)
{
    size_t count = json_array_size(tree);
    d->containers =
        belfry_alloc(d->p, (count < DOCKER_CONTAINERS_MAX ? count : DOCKER_CONTAINERS_MAX) * sizeof *d->containers);
    for (size_t i = 0; i < count; i++)
        add(d, json_array_get(tree, i));
    if (d->count <= DOCKER_CONTAINERS_MAX)
        return true;
    belfry_unknown(d->p,
                   "%zu containers are selected: at most %d can be looked at, so narrow it by container or project",
                   d->count, DOCKER_CONTAINERS_MAX);
    return false;
}

bool docker_list(struct docker *d)
{
    static const char path[] = "%s/containers/json?all=1";
    const char *why = NULL;
    const struct web_answer *answer = web_ask(d->client, "GET", belfry_print(d->p, path, d->prefix), NULL);
    if (answer->end == WEB_ANSWERED && docker_renegotiate(d, answer))
        answer = web_ask(d->client, "GET", belfry_print(d->p, path, d->prefix), NULL);
    if (web_refused(d->p, answer, DOCKER_SUBJECT, DOCKER_CREDENTIAL))
        return false;
    json_t *tree = tree_read(d->p, answer, &why);
    if (tree && !json_is_array(tree))
        why = belfry_print(d->p, "the answer to %s is no list of containers", answer->what);
    bool good = false;
    if (why)
        belfry_unknown(d->p, "%s", why);
    else
        good = read_list(d, tree);
    json_decref(tree);
    return good;
}

/* ---- inspect ------------------------------------------------------------------------------------------------- */

static double or_default(double value, double fallback)
{
    return value > 0 ? value : fallback;
}

static void read_health(struct docker *d, struct docker_container *c, const json_t *tree)
{
    const char *health = tree_text(d->p, tree, "State.Health.Status", "");
    c->health = NULL;
    if (*health == '\0' || strcmp(health, "none") == 0)
        return;
    c->health = health;
    c->streak = tree_integer(tree, "State.Health.FailingStreak", 0);
    size_t probes = tree_count(tree, "State.Health.Log");
    const json_t *last = probes > 0 ? tree_item(tree, "State.Health.Log", probes - 1) : NULL;
    if (last && tree_integer(last, "ExitCode", 0) != 0) {
        const char *output = tree_text(d->p, last, "Output", "");
        c->probe = say_excerpt(d->p, output, strlen(output));
    }
    double interval = or_default(tree_number(tree, "Config.Healthcheck.Interval"), PROBE_DEFAULT_NS);
    double retries = or_default(tree_number(tree, "Config.Healthcheck.Retries"), 3);
    double period = or_default(tree_number(tree, "Config.Healthcheck.StartPeriod"), 0);
    double timeout = or_default(tree_number(tree, "Config.Healthcheck.Timeout"), PROBE_DEFAULT_NS);
    c->failing_s = fmin(1e9, fmax(0, (double)c->streak - retries) * interval / 1e9);
    c->start_limit_s = (period + retries * (interval + timeout)) / 1e9;
}

static double cpu_limit_of(const json_t *tree)
{
    double nano = tree_number(tree, "HostConfig.NanoCpus"), quota = tree_number(tree, "HostConfig.CpuQuota");
    double period = or_default(tree_number(tree, "HostConfig.CpuPeriod"), 100000);
    return nano > 0 ? nano / 1e9 : quota > 0 ? quota / period : 0;
}

static void read_inspect(struct docker *d, struct docker_container *c, const json_t *tree)
{
    const char *state = tree_text(d->p, tree, "State.Status", "");
    c->inspected = true;
    if (*state) /* newer than the list, but podman has none for states that Docker doesn't know */
        c->state = state;
    c->policy = tree_text(d->p, tree, "HostConfig.RestartPolicy.Name", "no");
    c->restart_count = tree_integer(tree, "RestartCount", 0);
    c->exit_code = tree_integer(tree, "State.ExitCode", 0);
    c->oom = tree_flag(tree, "State.OOMKilled", false);
    c->started = tree_time(tree, "State.StartedAt");
    c->finished = tree_time(tree, "State.FinishedAt");
    c->memory_limit = tree_integer(tree, "HostConfig.Memory", 0);
    c->cpu_limit = cpu_limit_of(tree);
    read_health(d, c, tree);
    docker_find(d, c, tree);
}

static void on_inspect(void *context, size_t i, const struct web_answer *answer)
{
    struct docker *d = context;
    struct docker_container *c = &d->containers[i];
    const char *why = NULL;
    if (answer->end != WEB_ANSWERED)
        c->trouble = answer->why;
    else if (answer->status == 404) /* removed since the list was made */
        c->gone = true;
    else if (docker_lacks(d, answer, "GET /containers/ID/json", "CONTAINERS"))
        c->refused = true;
    else if (answer->status != 200 || answer->cut)
        c->trouble = belfry_print(d->p, "the engine answers its inspect with status %ld%s%s", answer->status,
                                  web_message(d->p, answer) ? ": " : "",
                                  web_message(d->p, answer) ? web_message(d->p, answer) : "");
    if (c->trouble || c->gone || c->refused)
        return;
    json_t *tree = tree_read(d->p, answer, &why);
    if (json_is_object(tree_at(tree, "State")))
        read_inspect(d, c, tree);
    else
        c->trouble = why ? why : "the answer to its inspect has no state";
    json_decref(tree);
}

bool docker_inspect(struct docker *d)
{
    const char **paths = belfry_alloc(d->p, d->count * sizeof *paths);
    size_t kept = 0, troubled = 0;
    for (size_t i = 0; i < d->count; i++)
        paths[i] = belfry_print(d->p, "%s/containers/%s/json", d->prefix, d->containers[i].id);
    web_ask_all(d->client, paths, d->count, AT_ONCE, on_inspect, d);
    for (size_t i = 0; i < d->count; i++)
        if (!d->containers[i].gone)
            d->containers[kept++] = d->containers[i];
    d->count = kept;
    for (size_t i = 0; i < d->count; i++)
        troubled += d->containers[i].trouble != NULL;
    if (troubled == 0 || troubled < d->count)
        return true;
    belfry_unreachable(d->p, "none of %zu containers could be inspected: %s", d->count, d->containers[0].trouble);
    return false;
}

/* ---- events -------------------------------------------------------------------------------------------------- */

static struct docker_container *find(struct docker *d, const char *id)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->containers[i].id, id) == 0)
            return &d->containers[i];
    return NULL;
}

static void read_event(struct docker *d, const json_t *event)
{
    struct docker_container *c = find(d, tree_text(d->p, event, "Actor.ID", ""));
    const char *action = tree_text(d->p, event, "Action", "");
    if (!c)
        return;
    bool died = strcmp(action, "die") == 0;
    int64_t when = tree_integer(event, "time", 0);
    /* podman tells a kill for memory with the end only; Docker may tell one kill several times */
    if (strcmp(action, "oom") == 0 || (died && tree_flag(event, "Actor.Attributes.oomKilled", false))) {
        c->ooms += c->ooms == 0 || when > c->oom_at + 1;
        c->oom_at = when;
    }
    if (died)
        c->die_code = tree_integer(event, "Actor.Attributes.exitCode",
                                   tree_integer(event, "Actor.Attributes.containerExitCode", -1));
    else if (strcmp(action, "health_status: unhealthy") == 0 ||
             strcmp(tree_text(d->p, event, "HealthStatus", ""), "unhealthy") == 0)
        c->unhealthy++;
}

/* One object after the other: a line each, or after a record separator. */
static void read_events(struct docker *d, const struct web_answer *answer)
{
    const char *at = answer->body, *end = answer->body + answer->body_size;
    while (at < end) {
        json_error_t error;
        at += *at == 0x1e;
        json_t *event = json_loadb(at, (size_t)(end - at), JSON_DISABLE_EOF_CHECK, &error);
        if (!event)
            return;
        read_event(d, event);
        json_decref(event);
        at += error.position;
        while (at < end && strchr(" \r\n\t", *at))
            at++;
    }
}

/* Up to when events can be asked for: an "until" in the future makes the engine wait. Its own clock is known to the
 * second; behind a socket it is ours. */
static const char *until_now(struct docker *d)
{
    struct timespec t;
    if (!d->setup.socket)
        return belfry_print(d->p, "%lld", (long long)d->now);
    clock_gettime(CLOCK_REALTIME, &t);
    return belfry_print(d->p, "%lld.%09ld", (long long)t.tv_sec, t.tv_nsec);
}

/* Only for causes and for what came and went between two runs: nothing depends on it that the engine forgets (it has
 * the last 256 events, and health checks push the others out). */
void docker_events(struct docker *d)
{
    const char *filter = web_escape(d->p, "{\"type\":[\"container\"],\"event\":[\"die\",\"oom\","
                                          "\"health_status\"]}");
    d->until = until_now(d);
    if (d->last <= 0 || d->last > d->now)
        return;
    const struct web_answer *answer = web_ask(
        d->client, "GET",
        belfry_print(d->p, "%s/events?since=%s&until=%s&filters=%s", d->prefix, d->since, d->until, filter), NULL);
    if (answer->end == WEB_ANSWERED && answer->status == 200)
        read_events(d, answer);
    else
        d->events_why = answer->end != WEB_ANSWERED ? answer->why
                        : answer->status == 401 || answer->status == 403
                            ? "not allowed (does a proxy allow EVENTS?)"
                            : belfry_print(d->p, "status %ld", answer->status);
}
