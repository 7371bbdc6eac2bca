/* SPDX-License-Identifier: GPL-3.0-or-later */
/* refusal - what an answer means that is not what was asked for, in words that say what to do about it.
 *
 * Most errors are known by their first word; the table has them. NOPERM names what to grant: the sub-command where the
 * command is a container of several (+xinfo|groups), or the key. MOVED comes from a node of a cluster that does not
 * have the key's slot. Nothing of an AUTH is ever quoted, as its words are the password.
 */
#include "plugins/redis/redis.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/say.h"

static const struct {
    const char *prefix;
    enum redis_meaning meaning;
    enum belfry_state state;
    const char *text;
} errors[] = {
    { "LOADING", REDIS_GO_ON, BELFRY_WARNING, "is loading its data set" },
    { "MASTERDOWN", REDIS_GO_ON, BELFRY_CRITICAL, "is a replica without its primary and serves no stale data" },
    { "MISCONF Errors writing to the AOF", REDIS_GO_ON, BELFRY_CRITICAL,
      "cannot write its append-only file and refuses writes" },
    { "MISCONF", REDIS_GO_ON, BELFRY_CRITICAL, "cannot save snapshots and refuses writes" },
    { "BUSY", REDIS_GO_ON, BELFRY_CRITICAL, "is blocked by a running script" },
    { "OOM", REDIS_GO_ON, BELFRY_CRITICAL, "is out of memory" },
    { "NOAUTH", REDIS_NO_ANSWER, BELFRY_UNKNOWN,
      "wants a password: set 'password', and 'user' where there are ACL users" },
    { "WRONGPASS", REDIS_NO_ANSWER, BELFRY_UNKNOWN, "refuses the user or password, or the user is switched off" },
    { "ERR invalid password", REDIS_NO_ANSWER, BELFRY_UNKNOWN, "refuses the password" },
    { "ERR AUTH", REDIS_NO_ANSWER, BELFRY_UNKNOWN, "has no password set, yet one is given: remove 'password'" },
    { "ERR Client sent AUTH", REDIS_NO_ANSWER, BELFRY_UNKNOWN,
      "has no password set, yet one is given: remove 'password'" },
    { "ERR wrong number of arguments for 'auth'", REDIS_NO_ANSWER, BELFRY_UNKNOWN,
      "knows no users (older than Redis 6): remove 'user'" },
    { "DENIED", REDIS_NO_ANSWER, BELFRY_UNKNOWN,
      "is in protected mode and answers local clients only: give it a password, or bind it to one address" },
    { "ERR max number of clients", REDIS_TURNED_OFF, BELFRY_CRITICAL, "has no client connection left (maxclients)" },
};

/* What the words of a command are: how many name it, and which is its key (0: none). */
static const struct {
    const char *word;
    int count, key;
} commands[] = {
    { "XINFO", 2, 2 },   { "CLUSTER", 2, 0 },  { "SENTINEL", 2, 0 }, { "LATENCY", 2, 0 },
    { "SLOWLOG", 2, 0 }, { "XPENDING", 1, 1 }, { "LLEN", 1, 1 },     { "XLEN", 1, 1 },
    { "ZCARD", 1, 1 },   { "SCARD", 1, 1 },    { "HLEN", 1, 1 },
};

struct command {
    const char *name;  /* "XINFO GROUPS" */
    const char *grant; /* "xinfo|groups" */
    const char *key;   /* or NULL */
};

static struct command name_command(const struct redis_link *link)
{
    struct belfry_probe *p = link->stream.p;
    struct command c = { link->words[0], link->words[0], NULL };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].word, link->words[0]) == 0) {
            if (commands[i].count == 2) {
                c.name = belfry_print(p, "%s %s", link->words[0], link->words[1]);
                c.grant = belfry_print(p, "%s|%s", link->words[0], link->words[1]);
            }
            c.key = commands[i].key > 0 ? link->words[commands[i].key] : NULL;
        }
    char *lower = say_copy(p, c.grant, strlen(c.grant));
    for (char *at = lower; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    c.grant = lower;
    return c;
}

/* "NOPERM this user has no permissions to access one of the keys used as arguments", "NOPERM No permissions to access
 * a key": the words changed with the versions. */
static const char *name_right(const struct redis_link *link, const struct command *c, const char *said)
{
    const char *user = belfry_text(link->stream.p, "user");
    user = user ? user : "default";
    if (c->key && strstr(said, "access") && strstr(said, "key"))
        return belfry_print(link->stream.p, "does not let user '%s' see the key '%s': ACL SETUSER %s ~%s", user, c->key,
                            user, c->key);
    return belfry_print(link->stream.p, "does not let user '%s' run %s: ACL SETUSER %s +%s", user, c->name, user,
                        c->grant);
}

/* What the server said, quoted; but a server that does not know AUTH repeats the password. */
static const char *quote(const struct redis_link *link, const struct redis_reply *reply)
{
    if (strcmp(link->words[0], "AUTH") == 0)
        return "";
    return belfry_print(link->stream.p, ": '%s'", say_excerpt(link->stream.p, reply->text, strlen(reply->text)));
}

static const char *explain(const struct redis_link *link, const struct redis_reply *reply)
{
    struct belfry_probe *p = link->stream.p;
    struct command c = name_command(link);
    const char *said = say_excerpt(p, reply->text, strlen(reply->text));
    const char *node = strrchr(said, ' ');
    if (redis_is_error(reply, "NOPERM"))
        return name_right(link, &c, said);
    if (redis_is_error(reply, "MOVED") && node && c.key)
        return belfry_print(p, "does not have the key '%s': ask the cluster's node%s", c.key, node);
    if (redis_is_error(reply, "ERR unknown"))
        return belfry_print(p, "does not know %s (renamed, switched off, or the server is too old)%s", c.name,
                            quote(link, reply));
    if (reply->type == REDIS_REPLY_ERROR)
        return belfry_print(p, "refuses %s%s", c.name, quote(link, reply));
    if (reply->type == REDIS_REPLY_ARRAY)
        return belfry_print(p, "answers %s with a list", c.name);
    return belfry_print(p, "answers %s with '%s'", c.name, said);
}

struct redis_refusal redis_refusal(const struct redis_link *link, const struct redis_reply *reply)
{
    struct belfry_probe *p = link->stream.p;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (redis_is_error(reply, errors[i].prefix)) {
            const char *said = errors[i].meaning == REDIS_GO_ON ? "" : quote(link, reply);
            return (struct redis_refusal){ errors[i].meaning, errors[i].state,
                                           belfry_print(p, "%s%s", errors[i].text, said) };
        }
    return (struct redis_refusal){ REDIS_NO_ANSWER, BELFRY_UNKNOWN, explain(link, reply) };
}
