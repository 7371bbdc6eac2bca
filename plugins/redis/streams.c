/* SPDX-License-Identifier: GPL-3.0-or-later */
/* streams - the streams named in 'stream', and their consumer groups: XLEN, XINFO GROUPS, and XPENDING for the oldest
 * entry of each group that was delivered and not acknowledged.
 *
 * A stream is a part NAME, a group a part NAME/GROUP. An entry's id begins with the milliseconds since 1970 at which it
 * was added, unless who added it chose another: then the time since its last delivery is taken for its age. Redis 7
 * tells a group's lag, or nil when it can't (entries were deleted, or the group began in the middle); Redis 6 tells
 * none. A lag that is not told is NaN: not 0, and UNKNOWN where it has a threshold.
 */
#include "plugins/redis/redis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"

#define GROUPS_MAX 128
#define ID_TIME_LEAST 1e9 /* seconds: an id below it is a number of its own */
#define CLOCKS_APART 60

struct groups {
    struct redis_link *link;
    const struct redis_report *report;
    const char *name, *key; /* of the stream */
};

static double age_of_id(const char *id, double now)
{
    double added = (double)strtoull(id, NULL, 10) / 1000;
    return added < ID_TIME_LEAST || added > now + CLOCKS_APART ? NAN : fmax(0, now - added);
}

/* "; the oldest is 3 min old, delivered 5 times, last to c1 20 s ago": the answer is [[id, consumer, idle, times]]. */
static const char *measure_oldest(const struct groups *g, const char *part, const struct redis_reply *list)
{
    struct belfry_probe *p = g->link->stream.p;
    const struct redis_reply *entry = list->count > 0 ? list->items[0] : NULL;
    if (!entry || entry->count < 4)
        return "";
    double idle = (double)entry->items[2]->integer / 1000, age = age_of_id(entry->items[0]->text, g->report->now);
    age = isnan(age) ? idle : age;
    belfry_measure_part(p, part, "group_oldest", age);
    const char *consumer = entry->items[1]->text;
    return belfry_print(p, "; the oldest is %s old, delivered %lld time%s, last to '%s' %s ago", redis_say_age(p, age),
                        entry->items[3]->integer, entry->items[3]->integer == 1 ? "" : "s",
                        say_excerpt(p, consumer, strlen(consumer)), redis_say_age(p, idle));
}

static bool judge_group(const struct groups *g, const struct redis_reply *group)
{
    struct belfry_probe *p = g->link->stream.p;
    const char *name = redis_pair_text(group, "name"), *oldest = "";
    const char *part = belfry_print(p, "%s/%s", g->name, say_excerpt(p, name, strlen(name)));
    double pending = redis_pair_number(group, "pending"), lag = redis_pair_number(group, "lag");
    double consumers = redis_pair_number(group, "consumers");
    if (isnan(pending) || isnan(consumers)) {
        belfry_part(p, part, BELFRY_UNKNOWN, "the server's answer to XINFO GROUPS tells nothing about it");
        return true;
    }
    if (pending > 0) {
        const struct redis_reply *list = redis_ask_list(g->link, "XPENDING", g->key, name, "-", "+", "1", NULL);
        if (!list)
            return false;
        if (list->type != REDIS_REPLY_ARRAY) {
            belfry_part(p, part, BELFRY_UNKNOWN, "the server %s", redis_refusal(g->link, list).text);
            return true;
        }
        oldest = measure_oldest(g, part, list);
    }
    belfry_part(p, part, BELFRY_OK, "%s, %.0f pending, %.0f consumer%s%s",
                isnan(lag)
                    ? redis_pair(group, "lag") ? "lag not known to the server" : "lag not told (older than Redis 7)"
                    : belfry_print(p, "%.0f to deliver", lag),
                pending, consumers, consumers == 1 ? "" : "s", oldest);
    belfry_measure_part(p, part, "group_lag", lag);
    belfry_measure_part(p, part, "group_pending", pending);
    belfry_measure_part(p, part, "group_consumers", consumers);
    if (pending == 0)
        belfry_measure_part(p, part, "group_oldest", 0);
    return true;
}

/* Says what is wrong with the stream itself. */
static void say_refused(const struct groups *g, const struct redis_reply *reply)
{
    struct belfry_probe *p = g->link->stream.p;
    if (redis_is_error(reply, "ERR no such key"))
        belfry_part(p, g->name, BELFRY_WARNING, "the stream '%s' does not exist", g->key);
    else if (redis_is_error(reply, "WRONGTYPE"))
        belfry_part(p, g->name, BELFRY_UNKNOWN, "the key '%s' is no stream", g->key);
    else
        belfry_part(p, g->name, BELFRY_UNKNOWN, "the server %s", redis_refusal(g->link, reply).text);
}

static bool judge_stream(const struct groups *g)
{
    struct belfry_probe *p = g->link->stream.p;
    const struct redis_reply *length = redis_ask(g->link, "XLEN", g->key, NULL);
    if (!length)
        return false;
    if (length->type != REDIS_REPLY_INTEGER) {
        say_refused(g, length);
        return true;
    }
    const struct redis_reply *list = redis_ask_list(g->link, "XINFO", "GROUPS", g->key, NULL);
    if (!list)
        return false;
    if (list->type != REDIS_REPLY_ARRAY) {
        say_refused(g, list);
        return true;
    }
    bool many = list->count > GROUPS_MAX, good = true;
    belfry_part(p, g->name, many ? BELFRY_UNKNOWN : BELFRY_OK, "%lld entr%s, %zu group%s%s", length->integer,
                length->integer == 1 ? "y" : "ies", list->count, list->count == 1 ? "" : "s",
                many ? belfry_print(p, ", of which %d are looked at", GROUPS_MAX) : "");
    belfry_measure_part(p, g->name, "key_length", (double)length->integer);
    for (size_t i = 0; good && i < list->count && i < GROUPS_MAX; i++)
        good = judge_group(g, list->items[i]);
    return good;
}

bool redis_judge_streams(struct redis_link *link, const struct redis_report *report)
{
    struct belfry_probe *p = link->stream.p;
    for (size_t i = 0; i < belfry_count(p, "stream"); i++) {
        struct groups g = { link, report, belfry_key(p, "stream", i), belfry_item(p, "stream", i) };
        if (!judge_stream(&g))
            return false;
    }
    return true;
}
