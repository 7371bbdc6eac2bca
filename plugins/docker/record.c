/* SPDX-License-Identifier: GPL-3.0-or-later */
/* record - what is kept of each container between runs.
 *
 * Kept values are few and long ("c0", "c1", ..., up to 4 KiB each, 64 KiB in all) rather than one for each container,
 * so that what was removed is forgotten by itself. A record is "NAME ID FIELDS CAUSE;", where FIELDS are whole numbers
 * in hexadecimal in the order of the table below. "at" is up to when events were asked for, "down" since when the
 * engine is not reached, and "missing" has "SINCE NAME;" of each that is expected and missing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/docker/docker.h"

#define CHUNK_BYTES 4000
#define CHUNKS_MAX 14
#define FIELDS 19

/* All numbers of a record, in the order they are written. */
static void list_fields(struct docker_record *r, uint64_t *fields[FIELDS], uint64_t *oom)
{
    int64_t *plain[] = { &r->restart_count, &r->started, &r->unhealthy_since, &r->restarting_since,
                         &r->last_unplanned };
    uint64_t *counters[] = { &r->cpu_ns, &r->system_ns, &r->periods, &r->throttled, &r->oom_count, oom };
    size_t n = 0;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        fields[n++] = (uint64_t *)plain[i];
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        fields[n++] = counters[i];
    for (size_t i = 0; i < DOCKER_TIMES_MAX; i++) {
        fields[n++] = (uint64_t *)&r->restarts[i];
        fields[n++] = (uint64_t *)&r->ooms[i];
    }
}

/* Reads a record after its name. False when it makes no sense. */
static bool parse(const char *at, struct docker_record *r)
{
    uint64_t *fields[FIELDS], oom = 0;
    int used = 0;
    list_fields(r, fields, &oom);
    if (sscanf(at, " %12s%n", r->id, &used) != 1)
        return false;
    at += used;
    for (size_t i = 0; i < FIELDS; i++) {
        if (sscanf(at, " %" SCNx64 "%n", fields[i], &used) != 1)
            return false;
        at += used;
    }
    r->oom = oom != 0;
    return sscanf(at, " %23[^ ;]", r->cause) == 1;
}

static struct docker_container *find(struct docker *d, const char *name, size_t length)
{
    for (size_t i = 0; i < d->count; i++)
        if (strncmp(d->containers[i].name, name, length) == 0 && d->containers[i].name[length] == '\0')
            return &d->containers[i];
    return NULL;
}

static void read_chunk(struct docker *d, const char *at)
{
    for (; at && *at; at = strchr(at, ';'), at += at != NULL) {
        size_t length = strcspn(at, " ;");
        struct docker_container *c = length > 0 ? find(d, at, length) : NULL;
        if (c)
            c->known = parse(at + length, &c->before);
    }
}

void docker_recall(struct docker *d)
{
    const char *at = belfry_kept(d->p, "at");
    if (at && strspn(at, "0123456789.") == strlen(at)) {
        d->since = at;
        d->last = strtoll(at, NULL, 10);
    }
    const char *down = belfry_kept(d->p, "down");
    d->down_at = down ? strtoll(down, NULL, 10) : 0;
    for (int i = 0; i < CHUNKS_MAX; i++)
        read_chunk(d, belfry_kept(d->p, belfry_print(d->p, "c%d", i)));
}

/* The time that stands before the name in what the last run kept; 0 when it doesn't. */
static int64_t find_missing(struct docker *d, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = belfry_kept(d->p, "missing"); at && *at; at = strchr(at, ';'), at += at != NULL) {
        char *end;
        int64_t since = strtoll(at, &end, 10);
        if (*end == ' ' && strncmp(end + 1, name, length) == 0 && end[1 + length] == ';')
            return since;
    }
    return 0;
}

int64_t docker_missing_since(struct docker *d, const char *name, int64_t since)
{
    if (since <= 0)
        since = find_missing(d, name);
    if (since <= 0 || since > d->now)
        since = d->now;
    const char *longer = belfry_print(d->p, "%s%" PRId64 " %s;", d->missing ? d->missing : "", since, name);
    if (strlen(longer) < CHUNK_BYTES && !strchr(name, ';')) /* else it is missed anew in each run */
        d->missing = longer;
    return since;
}

static size_t write_record(const struct docker_container *c, char *to, size_t size)
{
    struct docker_record r = c->now;
    uint64_t *fields[FIELDS], oom = r.oom;
    list_fields(&r, fields, &oom);
    int used = snprintf(to, size, "%s %s", c->name, r.id);
    for (size_t i = 0; i < FIELDS && used > 0 && (size_t)used < size; i++)
        used += snprintf(to + used, size - (size_t)used, " %" PRIx64, *fields[i]);
    if (used > 0 && (size_t)used < size)
        used += snprintf(to + used, size - (size_t)used, " %s;", r.cause[0] ? r.cause : "-");
    return used > 0 && (size_t)used < size ? (size_t)used : 0;
}

void docker_remember(struct docker *d)
{
    char *chunk = belfry_alloc(d->p, CHUNK_BYTES + 512), one[512];
    size_t used = 0, lost = 0;
    int n = 0;
    for (size_t i = 0; i < d->count; i++) {
        size_t length = write_record(&d->containers[i], one, sizeof one);
        if (used + length > CHUNK_BYTES && n + 1 < CHUNKS_MAX) {
            belfry_keep(d->p, belfry_print(d->p, "c%d", n++), chunk);
            used = 0;
        }
        if (length == 0 || used + length > CHUNK_BYTES) {
            lost++;
            continue;
        }
        memcpy(chunk + used, one, length + 1);
        used += length;
    }
    chunk[used] = '\0';
    belfry_keep(d->p, belfry_print(d->p, "c%d", n++), chunk);
    for (; n < CHUNKS_MAX; n++)
        if (belfry_kept(d->p, belfry_print(d->p, "c%d", n)))
            belfry_keep(d->p, belfry_print(d->p, "c%d", n), NULL);
    belfry_keep(d->p, "at", d->until);
    if (d->missing || belfry_kept(d->p, "missing"))
        belfry_keep(d->p, "missing", d->missing);
    if (lost > 0)
        belfry_detail(d->p,
                      "too many containers to remember all until the next run: restarts of %zu are not seen; "
                      "make two checks of this one, by name or project",
                      lost);
}
