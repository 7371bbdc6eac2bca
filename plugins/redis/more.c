/* SPDX-License-Identifier: GPL-3.0-or-later */
/* more - what INFO doesn't tell: the state of a cluster, and how long lists, streams and sets are (queues).
 *
 * The length of a key is asked by LLEN, and by the commands of the other types after an answer of WRONGTYPE: so that a
 * user needs the right for the types in use only. A key that does not exist is an empty list, hence 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/redis/redis.h"

/* The beginning of an error that makes a question unanswerable for want of a right. */
static bool is_error(const struct redis_reply *reply, const char *prefix)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->text, prefix, strlen(prefix)) == 0;
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

static const char *const length_commands[] = { "LLEN", "XLEN", "ZCARD", "SCARD", "HLEN" };

/* The answer to the command that fits the key's type. NULL: *why. */
static const struct redis_reply *ask_length(struct redis_link *link, const char *key, const char **command,
                                            const char **why)
{
    const struct redis_reply *reply = NULL;
    for (size_t i = 0; i < sizeof length_commands / sizeof length_commands[0]; i++) {
        const char *words[] = { length_commands[i], key };
        *command = words[0];
        reply = redis_ask(link, 2, words, why);
        if (!reply || !is_error(reply, "WRONGTYPE"))
            return reply;
    }
    return reply;
}

static bool measure_key(struct belfry_probe *p, struct redis_link *link, const char *name, const char *key,
                        const char **why)
{
    const char *command = NULL;
    const struct redis_reply *reply = ask_length(link, key, &command, why);
    if (!reply)
        return false;
    if (reply->type == REDIS_REPLY_INTEGER) {
        belfry_part(p, name, BELFRY_OK, "%lld entries", reply->integer);
        belfry_measure_part(p, name, "key_length", (double)reply->integer);
    } else if (is_error(reply, "WRONGTYPE")) {
        belfry_part(p, name, BELFRY_UNKNOWN, "is a plain value and has no length");
    } else {
        belfry_part(p, name, BELFRY_UNKNOWN, "%s is refused (grant the command and the key): '%s'", command,
                    say_excerpt(p, reply->text, strlen(reply->text)));
    }
    return true;
}

static bool choose_database(struct belfry_probe *p, struct redis_link *link, const char **why)
{
    const char *words[] = { "SELECT", belfry_text(p, "database") };
    if (!belfry_has(p, "database") || belfry_integer(p, "database") == 0)
        return true;
    const struct redis_reply *reply = redis_ask(link, 2, words, why);
    if (reply && reply->type == REDIS_REPLY_ERROR)
        *why =
            belfry_print(p, "refuses SELECT (grant +select): '%s'", say_excerpt(p, reply->text, strlen(reply->text)));
    return reply && reply->type != REDIS_REPLY_ERROR;
}

bool redis_measure_lengths(struct belfry_probe *p, struct redis_link *link, const char **why)
{
    size_t count = belfry_count(p, "length");
    if (count == 0)
        return true;
    bool good = choose_database(p, link, why);
    for (size_t i = 0; good && i < count; i++)
        good = measure_key(p, link, belfry_key(p, "length", i), belfry_item(p, "length", i), why);
    return good;
}

/* ---- cluster ------------------------------------------------------------------------------------------------- */

/* The number after "name:", or -1. */
static long number_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

bool redis_judge_cluster(struct belfry_probe *p, struct redis_link *link, struct redis_report *report, const char **why)
{
    const char *words[] = { "CLUSTER", "INFO" };
    const struct redis_reply *reply = redis_ask(link, 2, words, why);
    if (!reply)
        return false;
    if (reply->type != REDIS_REPLY_STRING) {
        redis_add_problem(p, report, BELFRY_WARNING,
                          belfry_print(p, "does not tell its cluster's state (grant +cluster|info): '%s'",
                                       say_excerpt(p, reply->text, strlen(reply->text))));
        return true;
    }
    long failed = number_of(reply->text, "cluster_slots_fail:"), nodes = number_of(reply->text, "cluster_known_nodes:");
    long covered = number_of(reply->text, "cluster_slots_assigned:");
    if (!strstr(reply->text, "cluster_state:ok"))
        redis_add_problem(
            p, report, BELFRY_CRITICAL,
            belfry_print(p, "its cluster has failed (%ld slots assigned of 16384, %ld failed)", covered, failed));
    if (nodes >= 0)
        belfry_measure(p, "cluster_nodes", (double)nodes);
    if (failed >= 0)
        belfry_measure(p, "cluster_slots_failed", (double)failed);
    return true;
}
