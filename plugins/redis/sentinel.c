/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sentinel - what a Sentinel watches: a part for each primary, from SENTINEL MASTERS; whether a failover could be
 * agreed on, from SENTINEL CKQUORUM; and which replicas and other Sentinels are down, from SENTINEL REPLICAS and
 * SENTINELS.
 *
 * Each of these is described by a flat array of names and values. Flags: s_down is what this Sentinel believes, o_down
 * what the quorum does (of primaries only). A Sentinel never forgets a replica or a Sentinel that is gone by itself:
 * SENTINEL RESET does. The primary's address is kept: that it is another one in the next run is an event.
 */
#include "plugins/redis/redis.h"

#include <math.h>
#include <string.h>

#include "plugins/common/say.h"

#define PRIMARIES_MAX 64

struct primary {
    struct redis_link *link;
    const char *name, *address;
    enum belfry_state state;
    const char *problems; /* "; "-joined */
};

static void add(struct primary *m, enum belfry_state state, const char *text)
{
    struct redis_report report = { .state = m->state, .problems = m->problems };
    redis_add_problem(m->link->stream.p, &report, state, text);
    m->state = report.state;
    m->problems = report.problems;
}

static const char *say_where(struct belfry_probe *p, const struct redis_reply *thing)
{
    const char *ip = redis_pair_text(thing, "ip"), *port = redis_pair_text(thing, "port");
    return belfry_print(p, "%s:%s", say_excerpt(p, ip, strlen(ip)), say_excerpt(p, port, strlen(port)));
}

/* The first row that fits. A connection that is lost ("disconnected") says nothing yet: it is made anew after each
 * failover, and who does not come back is s_down before long. */
static void judge_flags(struct primary *m, const struct redis_reply *master)
{
    static const struct {
        const char *flag;
        enum belfry_state state;
        const char *text;
    } rows[] = {
        { "o_down", BELFRY_CRITICAL, "is down, the Sentinels agree" },
        { "s_down", BELFRY_CRITICAL, "is down as this Sentinel sees it" },
        { "failover_in_progress", BELFRY_WARNING, "is being failed over" },
    };
    const char *flags = redis_pair_text(master, "flags");
    if (!strstr(flags, "master"))
        add(m, BELFRY_UNKNOWN, "is not told to be a primary");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strstr(flags, rows[i].flag)) {
            add(m, rows[i].state, rows[i].text);
            return;
        }
}

/* +OK 3 usable Sentinels..., or -NOQUORUM 1 usable Sentinels. Not enough..., or a refusal. */
static bool judge_quorum(struct primary *m)
{
    struct belfry_probe *p = m->link->stream.p;
    const struct redis_reply *reply = redis_ask(m->link, "SENTINEL", "CKQUORUM", m->name, NULL);
    if (!reply)
        return false;
    const char *said = say_excerpt(p, reply->text, strlen(reply->text));
    if (redis_is_error(reply, "NOQUORUM"))
        add(m, BELFRY_CRITICAL, belfry_print(p, "can't be failed over: '%s'", said));
    else if (reply->type != REDIS_REPLY_STATUS || strncmp(reply->text, "OK", 2) != 0)
        add(m, BELFRY_UNKNOWN,
            belfry_print(p, "may have no quorum: the Sentinel %s", redis_refusal(m->link, reply).text));
    return true;
}

/* Counts and names what is down among the primary's replicas or other Sentinels. */
static bool judge_company(struct primary *m, const char *command, const char *metric, const char *what)
{
    struct belfry_probe *p = m->link->stream.p;
    const struct redis_reply *list = redis_ask_list(m->link, "SENTINEL", command, m->name, NULL);
    const char *names = NULL;
    size_t down = 0;
    if (!list)
        return false;
    if (list->type != REDIS_REPLY_ARRAY) {
        add(m, BELFRY_UNKNOWN,
            belfry_print(p, "has %ss this Sentinel does not tell: it %s", what, redis_refusal(m->link, list).text));
        return true;
    }
    for (size_t i = 0; i < list->count; i++) {
        const char *flags = redis_pair_text(list->items[i], "flags");
        if (!strstr(flags, "s_down"))
            continue;
        const char *where = say_where(p, list->items[i]);
        names = down == 0 ? where : down < 4 ? belfry_print(p, "%s, %s", names, where) : names;
        down++;
    }
    belfry_measure_part(p, m->name, metric, (double)down);
    if (down > 0)
        add(m, BELFRY_WARNING,
            belfry_print(p, "%zu %s%s down: %s%s", down, what, down == 1 ? " is" : "s are", names,
                         down > 4 ? ", ..." : ""));
    return true;
}

static void tell_failover(const struct primary *m)
{
    struct belfry_probe *p = m->link->stream.p;
    const char *key = belfry_print(p, "primary:%.40s", m->name), *before = belfry_kept(p, key);
    if (before && strcmp(before, m->address) != 0)
        belfry_event(p, "redis.failed_over", m->name, "the primary was %s and is %s now", before, m->address);
    if (!before || strcmp(before, m->address) != 0)
        belfry_keep(p, key, m->address);
}

static void measure_known(const struct primary *m, const struct redis_reply *master)
{
    struct belfry_probe *p = m->link->stream.p;
    double replicas = redis_pair_number(master, "num-slaves"),
           others = redis_pair_number(master, "num-other-sentinels");
    if (!isnan(replicas))
        belfry_measure_part(p, m->name, "sentinel_replicas", replicas);
    if (!isnan(others))
        belfry_measure_part(p, m->name, "sentinels", others + 1);
}

static bool judge_primary(struct redis_link *link, const struct redis_reply *master)
{
    struct belfry_probe *p = link->stream.p;
    struct primary m = { link, redis_pair_text(master, "name"), say_where(p, master), BELFRY_OK, NULL };
    if (!*m.name)
        return true;
    tell_failover(&m);
    judge_flags(&m, master);
    if (!judge_quorum(&m) || !judge_company(&m, "REPLICAS", "sentinel_replicas_down", "replica") ||
        !judge_company(&m, "SENTINELS", "sentinels_down", "other Sentinel"))
        return false;
    belfry_part(p, m.name, m.state, "primary at %s %s", m.address, m.problems ? m.problems : "is up, with a quorum");
    measure_known(&m, master);
    return true;
}

bool redis_judge_sentinel(struct redis_link *link, struct redis_report *report)
{
    struct belfry_probe *p = link->stream.p;
    const struct redis_reply *list = redis_ask_list(link, "SENTINEL", "MASTERS", NULL);
    if (!list)
        return false;
    if (list->type != REDIS_REPLY_ARRAY) {
        redis_add_problem(p, report, BELFRY_UNKNOWN, redis_refusal(link, list).text);
        return true;
    }
    if (list->count == 0)
        redis_add_problem(p, report, BELFRY_WARNING, "watches no primary");
    if (list->count > PRIMARIES_MAX)
        redis_add_problem(
            p, report, BELFRY_UNKNOWN,
            belfry_print(p, "watches %zu primaries, of which %d are looked at", list->count, PRIMARIES_MAX));
    for (size_t i = 0; i < list->count && i < PRIMARIES_MAX; i++)
        if (!judge_primary(link, list->items[i]))
            return false;
    return true;
}
