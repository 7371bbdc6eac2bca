/* SPDX-License-Identifier: GPL-3.0-or-later */
/* redis - a Redis or Valkey server: is it up, does it have memory and clients left, do replication and persistence
 * work?
 *
 * AUTH (when a password is given), PING, INFO on one connection. Diagnostics by what PING or AUTH says:
 *   LOADING     WARNING   the server starts and reads its data: it is not down
 *   MASTERDOWN  CRITICAL  a replica that lost its primary and may not serve stale data
 *   MISCONF     CRITICAL  snapshots fail and writes are refused
 *   BUSY        CRITICAL  a script runs and blocks everybody
 *   ERR max number of clients reached: not reached
 *   NOAUTH, WRONGPASS, NOPERM, DENIED: UNKNOWN, because the server may be well: the right to look is missing
 * What INFO tells is measured and judged in info.c, what it doesn't in more.c.
 */
#include "plugins/redis/redis.h"

#include <string.h>
#include <strings.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

static const struct belfry_option options[] = {
    { "host", BELFRY_HOST, "Host of the server", .fallback = "127.0.0.1", .example = "10.0.0.5" },
    { "port", BELFRY_PORT, "TCP port of the server", .fallback = "6379", .example = "6380" },
    { "socket", BELFRY_PATH, "Unix socket of the server, instead of host and port",
      .example = "/run/redis/redis-server.sock" },
    { "ip_version", BELFRY_TEXT, "Addresses to try: any, 4 or 6", .fallback = "any", .choices = net_ip_versions,
      .example = "4" },
    { "user", BELFRY_TEXT, "ACL user (Redis 6 or newer); needs +ping and +info", .example = "belfry" },
    { "password", BELFRY_TEXT, "Password of the user, or the server's requirepass", .secret = true,
      .example = "@redis" },
    { "database", BELFRY_INTEGER, "Database whose keys are counted; without it those of all", .example = "0" },
    { "length", BELFRY_TEXT,
      "Lists, streams, sets and hashes whose length is watched (queues): a name for the part, and "
      "the key",
      .map = true, .example = "queues:default" },
    { "tls", BELFRY_FLAG, "Whether to speak TLS", .fallback = "false", .example = "true" },
    { "tls_verify", BELFRY_FLAG, "Whether the certificate must be trusted and for the host", .fallback = "true",
      .example = "true" },
    { "ca_file", BELFRY_PATH, "Certificates to trust instead of the system's", .example = "/etc/redis/ca.pem" },
    { "client_cert", BELFRY_PATH, "Certificate (PEM) to show to the server", .example = "/etc/belfry/redis.pem" },
    { "client_key", BELFRY_PATH, "Its key, unless in the same file", .example = "/etc/belfry/redis.key" },
    BELFRY_END,
};

/* Thresholds from the Redis rows of the field's usual alerts; rates are per second, so 0.0834 is five a minute. */
static const struct belfry_metric metrics[] = {
    { "time_connect", "s", "Time to connect, without name resolution", .min = "0" },
    { "latency", "s", "Time of one PING", .min = "0" },
    { "uptime", "s", "Time since the server's start", .min = "0" },
    { "memory_used", "B", "Memory in use", .min = "0" },
    { "memory_rss", "B", "Memory the system has given to the process", .min = "0" },
    { "memory_max", "B", "The server's maxmemory; only when one is set", .min = "0" },
    { "memory_used_percent", "%", "Share of maxmemory in use, under a policy that refuses writes when it is full",
      .warn = "80", .crit = "90", .min = "0" },
    { "cache_used_percent", "%", "Share of maxmemory in use, under a policy that evicts keys when it is full",
      .min = "0" },
    { "memory_fragmentation", "", "Resident to used memory, above 256 MiB in use; below 0.9 the server swaps",
      .warn = "0.9:1.5", .crit = "0.9:2" },
    { "clients", "", "Connected clients", .min = "0" },
    { "clients_used_percent", "%", "Share of maxclients that is connected", .warn = "80", .crit = "90", .min = "0" },
    { "clients_blocked", "", "Clients that wait in a blocking command", .min = "0" },
    { "clients_rejected", "/s", "Connections refused because of maxclients", .warn = "0", .crit = "0.0834",
      .min = "0" },
    { "evicted", "/s", "Keys evicted for want of memory", .min = "0" },
    { "expired", "/s", "Keys whose time to live ended", .min = "0" },
    { "hit_ratio", "%", "Share of key look-ups since the last run that found one", .min = "0", .max = "100" },
    { "ops", "/s", "Commands processed", .min = "0" },
    { "net_in", "B/s", "Bytes read from clients and replicas", .min = "0" },
    { "net_out", "B/s", "Bytes written to clients and replicas", .min = "0" },
    { "keys", "", "Keys in the database, or in all", .min = "0" },
    { "changes_unsaved", "", "Changes since the last snapshot", .min = "0" },
    { "save_age", "s", "Age of the last snapshot while changes wait for one (servers that have saved, without AOF)",
      .warn = "93600", .crit = "172800", .min = "0" },
    { "save_running", "s", "How long a snapshot in progress has taken", .warn = "600", .crit = "1200", .min = "0" },
    { "replicas", "", "Connected replicas of a primary", .min = "0" },
    { "replica_lag", "s", "Since when a replica's acknowledgement is due, one part a replica", .warn = "30",
      .crit = "120", .min = "0" },
    { "replica_lag_bytes", "B", "How far a replica is behind, one part a replica", .min = "0" },
    { "link_down", "s", "How long a replica has been without its primary", .warn = "0", .crit = "30", .min = "0" },
    { "link_idle", "s", "How long a replica has heard nothing from its primary", .warn = "60", .crit = "120",
      .min = "0" },
    { "key_length", "", "Entries of a key named in 'length', one part a key", .min = "0" },
    { "cluster_nodes", "", "Nodes of the cluster that this one knows", .min = "0" },
    { "cluster_slots_failed", "", "Slots of the cluster on failed nodes", .crit = "0", .min = "0" },
    { "sentinel_replicas", "", "Replicas of a primary that this Sentinel knows, one part a primary", .min = "0" },
    { "sentinels", "", "Sentinels that watch a primary, this one included, one part a primary",
      .warn = "3:", .min = "0" },
    BELFRY_END,
};

/* What an error reply means, found by its beginning. */
enum meaning {
    GO_ON,     /* a problem, and INFO may still tell more */
    NO_RIGHT,  /* UNKNOWN */
    TURNED_OFF /* not reached */
};

struct error_row {
    const char *prefix;
    enum meaning meaning;
    enum belfry_state state;
    const char *text;
};

static const struct error_row errors[] = {
    { "LOADING", GO_ON, BELFRY_WARNING, "is loading its data set" },
    { "MASTERDOWN", GO_ON, BELFRY_CRITICAL, "is a replica without its primary and serves no stale data" },
    { "MISCONF", GO_ON, BELFRY_CRITICAL, "cannot save snapshots and refuses writes" },
    { "BUSY", GO_ON, BELFRY_CRITICAL, "is blocked by a running script" },
    { "OOM", GO_ON, BELFRY_CRITICAL, "is out of memory" },
    { "NOAUTH", NO_RIGHT, BELFRY_UNKNOWN, "wants a password: set 'password', and 'user' where there are ACL users" },
    { "WRONGPASS", NO_RIGHT, BELFRY_UNKNOWN, "refuses the user or password" },
    { "ERR invalid password", NO_RIGHT, BELFRY_UNKNOWN, "refuses the password" },
    { "ERR AUTH", NO_RIGHT, BELFRY_UNKNOWN, "has no password set, yet one is given: remove 'password'" },
    { "ERR Client sent AUTH", NO_RIGHT, BELFRY_UNKNOWN, "has no password set, yet one is given: remove 'password'" },
    { "ERR wrong number of arguments for 'auth'", NO_RIGHT, BELFRY_UNKNOWN,
      "knows no users (older than Redis 6): remove 'user'" },
    { "NOPERM", NO_RIGHT, BELFRY_UNKNOWN, "does not allow this user to look: grant +ping +info" },
    { "DENIED", NO_RIGHT, BELFRY_UNKNOWN, "is in protected mode and answers local clients only" },
    { "ERR unknown command", NO_RIGHT, BELFRY_UNKNOWN, "does not know the command (renamed or switched off)" },
    { "ERR max number of clients", TURNED_OFF, BELFRY_CRITICAL, "has no client connection left (maxclients)" },
};

static const struct error_row *find_error(const char *text)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strncasecmp(text, errors[i].prefix, strlen(errors[i].prefix)) == 0)
            return &errors[i];
    return NULL;
}

struct talk {
    struct belfry_probe *p;
    struct redis_link link;
    const char *peer;
    const struct error_row *trouble; /* what PING said, when it may go on */
};

/* Sends a command. The reply when it is none of the errors that end the run; else NULL, and the verdict is said. */
static const struct redis_reply *ask(struct talk *t, int count, const char **words)
{
    const char *why = NULL;
    const struct redis_reply *reply = redis_ask(&t->link, count, words, &why);
    if (!reply) {
        belfry_unreachable(t->p, "%s %s", t->peer, why);
        return NULL;
    }
    if (reply->type != REDIS_REPLY_ERROR)
        return reply;
    const struct error_row *row = find_error(reply->text);
    const char *said = say_excerpt(t->p, reply->text, strlen(reply->text));
    if (row && row->meaning == GO_ON) {
        t->trouble = t->trouble ? t->trouble : row;
        return reply;
    }
    if (row && row->meaning == TURNED_OFF)
        belfry_unreachable(t->p, "%s %s: '%s'", t->peer, row->text, said);
    else
        belfry_unknown(t->p, "%s %s: '%s'", t->peer, row ? row->text : belfry_print(t->p, "refuses %s", words[0]),
                       said);
    return NULL;
}

static bool log_in(struct talk *t)
{
    const char *user = belfry_text(t->p, "user"), *password = belfry_text(t->p, "password");
    if (!password)
        return true;
    const char *with_user[] = { "AUTH", user, password }, *plain[] = { "AUTH", password };
    return ask(t, user ? 3 : 2, user ? with_user : plain) != NULL;
}

static bool ping(struct talk *t)
{
    const char *words[] = { "PING" };
    double begin = now_s();
    const struct redis_reply *reply = ask(t, 1, words);
    if (!reply)
        return false;
    belfry_measure(t->p, "latency", now_s() - begin);
    if (reply->type == REDIS_REPLY_ERROR || strcmp(reply->text, "PONG") == 0)
        return true;
    belfry_unknown(t->p, "%s answers PING with '%s', not PONG", t->peer,
                   say_excerpt(t->p, reply->text, strlen(reply->text)));
    return false;
}

static void say_verdict(struct talk *t, const struct redis_report *report)
{
    enum belfry_state state = report->state;
    const char *problems = report->problems;
    if (t->trouble) {
        state = t->trouble->state > state ? t->trouble->state : state;
        problems = problems ? belfry_print(t->p, "%s; %s", t->trouble->text, problems) : t->trouble->text;
    }
    if (state == BELFRY_CRITICAL)
        belfry_critical(t->p, "%s %s", t->peer, problems);
    else if (state == BELFRY_WARNING)
        belfry_warning(t->p, "%s %s", t->peer, problems);
    else
        belfry_ok(t->p, "%s", report->summary);
}

static void talk(struct talk *t)
{
    if (!log_in(t) || !ping(t))
        return;
    const char *words[] = { "INFO" };
    const struct redis_reply *reply = ask(t, 1, words);
    if (!reply)
        return;
    struct redis_report report = { BELFRY_OK, NULL, t->peer, false };
    if (reply->type == REDIS_REPLY_STRING)
        redis_judge(t->p, reply->text, &report);
    else if (!t->trouble) {
        belfry_unknown(t->p, "%s answers INFO with '%s'", t->peer, say_excerpt(t->p, reply->text, strlen(reply->text)));
        return;
    }
    const char *why = NULL;
    if ((report.cluster && !redis_judge_cluster(t->p, &t->link, &report, &why)) ||
        !redis_measure_lengths(t->p, &t->link, &why))
        redis_add_problem(t->p, &report, BELFRY_CRITICAL, why);
    say_verdict(t, &report);
}

static void say_failure(struct belfry_probe *p, enum tls_end end, const char *why)
{
    if (end == TLS_MISUSED)
        belfry_unknown(p, "%s", why);
    else if (end == TLS_DISTRUSTED)
        belfry_critical(p, "%s", why);
    else
        belfry_unreachable(p, "%s", why);
}

static void run(struct belfry_probe *p)
{
    struct net_target target = { .host = belfry_text(p, "host"),
                                 .port = belfry_text(p, "port"),
                                 .path = belfry_text(p, "socket"),
                                 .family = net_family(belfry_text(p, "ip_version")) };
    struct stream_tls tls = { .host = target.path ? NULL : target.host,
                              .ca_file = belfry_text(p, "ca_file"),
                              .client_cert = belfry_text(p, "client_cert"),
                              .client_key = belfry_text(p, "client_key"),
                              .insecure = !belfry_flag(p, "tls_verify") };
    struct talk *t = belfry_alloc(p, sizeof *t);
    enum tls_end end;
    t->p = p;
    if (redis_open(&t->link, p, &target, belfry_flag(p, "tls") ? &tls : NULL, &end) < 0) {
        say_failure(p, end, t->link.report.why);
    } else {
        t->peer = t->link.report.peer;
        belfry_measure(p, "time_connect", t->link.report.connect_s);
        talk(t);
    }
    redis_close(&t->link);
}

BELFRY_PLUGIN("redis", "1.0", "A Redis or Valkey server: memory, clients, replication, persistence", options, metrics,
              run)
