/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keys - how long lists, streams, sets and hashes are (queues).
 *
 * The length of a key is asked by LLEN, and by the commands of the other types after an answer of WRONGTYPE: so that a
 * user needs the right for the types in use only. A key that does not exist is an empty list, hence 0.
 */
#include "plugins/redis/redis.h"

#include <string.h>

static const char *const length_commands[] = { "LLEN", "XLEN", "ZCARD", "SCARD", "HLEN" };

/* The answer to the command that fits the key's type. */
static const struct redis_reply *ask_length(struct redis_link *link, const char *key)
{
    const struct redis_reply *reply = NULL;
    for (size_t i = 0; i < sizeof length_commands / sizeof length_commands[0]; i++) {
        reply = redis_ask(link, length_commands[i], key, NULL);
        if (!reply || !redis_is_error(reply, "WRONGTYPE"))
            return reply;
    }
    return reply;
}

static bool measure_key(struct redis_link *link, const char *name, const char *key)
{
    struct belfry_probe *p = link->stream.p;
    const struct redis_reply *reply = ask_length(link, key);
    if (!reply)
        return false;
    if (reply->type == REDIS_REPLY_INTEGER) {
        belfry_part(p, name, BELFRY_OK, "%lld entr%s", reply->integer, reply->integer == 1 ? "y" : "ies");
        belfry_measure_part(p, name, "key_length", (double)reply->integer);
    } else if (redis_is_error(reply, "WRONGTYPE")) {
        belfry_part(p, name, BELFRY_UNKNOWN, "is a plain value and has no length");
    } else {
        belfry_part(p, name, BELFRY_UNKNOWN, "the server %s", redis_refusal(link, reply).text);
    }
    return true;
}

bool redis_measure_lengths(struct redis_link *link)
{
    struct belfry_probe *p = link->stream.p;
    for (size_t i = 0; i < belfry_count(p, "length"); i++)
        if (!measure_key(link, belfry_key(p, "length", i), belfry_item(p, "length", i)))
            return false;
    return true;
}
