/* SPDX-License-Identifier: GPL-3.0-or-later */
/* redis - a Redis or Valkey server: is it up, does it have memory and clients left, do replication and persistence
 * work?
 *
 * AUTH (when a password is given), PING, INFO on one connection. Diagnostics by what PING or AUTH says:
 *   LOADING     WARNING   the server starts and reads its data: it is not down
 *   MASTERDOWN  CRITICAL  a replica that lost its primary and may not serve stale data
 *   MISCONF     CRITICAL  snapshots or the append-only file fail and writes are refused
 *   BUSY        CRITICAL  a script runs and blocks everybody
 *   ERR max number of clients reached: not reached
 *   NOAUTH, WRONGPASS, NOPERM, DENIED: UNKNOWN, because the server may be well: the right to look is missing
 * What each means and how to say it is in refusal.c; what INFO tells is judged in info.c. What it doesn't tell is asked
 * for only when it is wanted or when the server is a node of a cluster or a Sentinel: keys.c, streams.c, slow.c,
 * cluster.c, sentinel.c. A right that one of these lacks is UNKNOWN, and the rest is still told.
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
    { "user", BELFRY_TEXT,
      "ACL user (Redis 6 or newer); needs +ping and +info; one without a password is taken for one of nopass",
      .example = "belfry" },
    { "password", BELFRY_TEXT, "Password of the user, or the server's requirepass", .secret = true,
      .example = "@redis" },
    { "database", BELFRY_INTEGER, "Database whose keys are counted; without it those of all", .example = "0" },
    { "length", BELFRY_TEXT,
      "Lists, streams, sets and hashes whose length is watched (queues): a name for the part, and the key", .map = true,
      .example = "queues:default" },
    { "stream", BELFRY_TEXT,
      "Streams whose consumer groups are watched: a name for the part, and the key; needs +xlen +xinfo|groups "
      "+xpending and the key",
      .map = true, .example = "orders" },
    { "snapshots", BELFRY_FLAG,
      "Whether snapshots must be made: then their age is measured before the first one and next to an AOF, too",
      .fallback = "false", .example = "true" },
    { "slow_log", BELFRY_FLAG, "Whether to count what was added to the slow log; needs +slowlog|get",
      .fallback = "false", .example = "true" },
    { "latency_events", BELFRY_FLAG, "Whether to look at the latency monitor; needs +latency|latest +latency|doctor",
      .fallback = "false", .example = "true" },
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
    { "clients_evicted", "/s", "Clients disconnected because of maxmemory-clients (Redis 7)", .min = "0" },
    { "evicted", "/s", "Keys evicted for want of memory", .min = "0" },
    { "evicted_unwanted", "/s", "Keys evicted although the policy is noeviction: it was another for a while",
      .warn = "0", .min = "0" },
    { "expired", "/s", "Keys whose time to live ended", .min = "0" },
    { "hit_ratio", "%", "Share of key look-ups since the last run that found one", .min = "0", .max = "100" },
    { "ops", "/s", "Commands processed", .min = "0" },
    { "errors", "/s", "Error replies", .min = "0" },
    { "slow_commands", "/s", "Commands that the slow log took; only with 'slow_log'", .min = "0" },
    { "latency_spike", "s",
      "Last latency event of a kind, 0 when none was since the last run, one part a kind; only with 'latency_events'",
      .min = "0" },
    { "net_in", "B/s", "Bytes read from clients and replicas", .min = "0" },
    { "net_out", "B/s", "Bytes written to clients and replicas", .min = "0" },
    { "keys", "", "Keys in the database, or in all", .min = "0" },
    { "changes_unsaved", "", "Changes since the last snapshot", .min = "0" },
    { "save_age", "s", "Age of the last snapshot while changes wait for one (servers that have saved, without AOF)",
      .warn = "93600", .crit = "172800", .min = "0" },
    { "save_running", "s", "How long a snapshot in progress has taken", .warn = "600", .crit = "1200", .min = "0" },
    { "rewrite_running", "s", "How long a rewrite of the append-only file in progress has taken", .warn = "600",
      .crit = "1200", .min = "0" },
    { "aof_size", "B", "Size of the append-only file", .min = "0" },
    { "fsyncs_delayed", "/s", "Writes of the append-only file that had to wait for the disk", .min = "0" },
    { "fork_time", "s", "Time of the last fork (for a snapshot, a rewrite or a replica), in which nobody was served",
      .min = "0" },
    { "full_syncs", "/s", "Replicas that had to fetch everything", .min = "0" },
    { "replicas", "", "Connected replicas of a primary", .min = "0" },
    { "replica_lag", "s", "Since when a replica's acknowledgement is due, one part a replica", .warn = "30",
      .crit = "120", .min = "0" },
    { "replica_lag_bytes", "B", "How far a replica is behind, one part a replica", .min = "0" },
    { "link_down", "s", "How long a replica has been without its primary", .warn = "0", .crit = "30", .min = "0" },
    { "link_idle", "s", "How long a replica has heard nothing from its primary", .warn = "60", .crit = "120",
      .min = "0" },
    { "key_length", "", "Entries of a key named in 'length' or 'stream', one part a key", .min = "0" },
    { "group_lag", "",
      "Entries of a stream not yet delivered to a consumer group, one part a group (Redis 7, where it can tell)",
      .min = "0" },
    { "group_pending", "", "Entries delivered to a consumer group and not acknowledged, one part a group", .min = "0" },
    { "group_oldest", "s", "Age of the oldest of these by its id; by its last delivery where ids are not times",
      .warn = "900", .crit = "3600", .min = "0" },
    { "group_consumers", "", "Consumers of a group, one part a group", .min = "0" },
    { "cluster_nodes", "", "Nodes of the cluster that this one knows", .min = "0" },
    { "cluster_slots_failed", "", "Slots of the cluster on failed nodes", .crit = "0", .min = "0" },
    { "cluster_slots_doubtful", "", "Slots of the cluster on nodes that do not answer this one", .warn = "0",
      .min = "0" },
    { "cluster_slots_unassigned", "", "Slots of the cluster that no node has", .crit = "0", .min = "0" },
    { "node_slots", "", "Slots of a primary in the cluster, one part a node", .min = "0" },
    { "node_replicas", "", "Replicas of a primary with slots that are up, one part a node", .min = "0" },
    { "sentinel_replicas", "", "Replicas of a primary that this Sentinel knows, one part a primary",
      .warn = "1:", .min = "0" },
    { "sentinel_replicas_down", "", "Those of them that are down", .warn = "0", .min = "0" },
    { "sentinels", "", "Sentinels that watch a primary, this one included, one part a primary",
      .warn = "3:", .min = "0" },
    { "sentinels_down", "", "Those of the others that are down", .warn = "0", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "memory", "Memory: used of limit", "memory_used memory_rss", .limit = "memory_max" },
    { "work", "Work: commands, errors and evictions a second", "ops errors evicted slow_commands",
      .style = BELFRY_LINES },
    { "connections", "Clients: connected and blocked", "clients clients_blocked", .style = BELFRY_LINES },
    { "queues", "Queues: entries, lag and pending", "key_length group_lag group_pending", .parts = true },
    { "behind", "Replicas: bytes behind", "replica_lag_bytes", .parts = true },
    BELFRY_END,
};

struct talk {
    struct belfry_probe *p;
    struct redis_link link;
    const char *peer;
    struct redis_report report;
};

static void say_broken(struct talk *t)
{
    belfry_unreachable(t->p, "%s %s%s%s", t->peer, t->link.broken, t->report.problems ? "; it " : "",
                       t->report.problems ? t->report.problems : "");
}

/* Whether the run goes on after this reply, which may be an error that is a problem only; else the verdict is said. */
static bool take(struct talk *t, const struct redis_reply *reply)
{
    if (!reply) {
        say_broken(t);
        return false;
    }
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    struct redis_refusal refusal = redis_refusal(&t->link, reply);
    if (refusal.meaning == REDIS_TURNED_OFF)
        belfry_unreachable(t->p, "%s %s", t->peer, refusal.text);
    else if (refusal.meaning == REDIS_NO_ANSWER)
        belfry_unknown(t->p, "%s %s", t->peer, refusal.text);
    else if (!t->report.problems || !strstr(t->report.problems, refusal.text))
        redis_add_problem(t->p, &t->report, refusal.state, refusal.text);
    return refusal.meaning == REDIS_GO_ON;
}

/* A user without a password may be one of nopass, who accepts any. */
static bool log_in(struct talk *t)
{
    const char *user = belfry_text(t->p, "user"), *password = belfry_text(t->p, "password");
    if (user)
        return take(t, redis_ask(&t->link, "AUTH", user, password ? password : "", NULL));
    return !password || take(t, redis_ask(&t->link, "AUTH", password, NULL));
}

static bool ping(struct talk *t)
{
    double begin = now_s();
    const struct redis_reply *reply = redis_ask(&t->link, "PING", NULL);
    if (!take(t, reply))
        return false;
    belfry_measure(t->p, "latency", now_s() - begin);
    if (reply->type == REDIS_REPLY_ERROR || strcmp(reply->text, "PONG") == 0)
        return true;
    belfry_unknown(t->p, "%s %s, not PONG", t->peer, redis_refusal(&t->link, reply).text);
    return false;
}

static bool inform(struct talk *t)
{
    const struct redis_reply *reply = redis_ask(&t->link, "INFO", NULL);
    if (!take(t, reply))
        return false;
    if (reply->type == REDIS_REPLY_STRING) {
        redis_judge(t->p, reply->text, &t->report);
    } else if (reply->type != REDIS_REPLY_ERROR) {
        belfry_unknown(t->p, "%s %s", t->peer, redis_refusal(&t->link, reply).text);
        return false;
    }
    return true;
}

/* Lengths and streams, in the database they are in. */
static bool look_at_keys(struct talk *t)
{
    if (belfry_count(t->p, "length") + belfry_count(t->p, "stream") == 0)
        return true;
    if (belfry_integer(t->p, "database") != 0) {
        const struct redis_reply *reply = redis_ask(&t->link, "SELECT", belfry_text(t->p, "database"), NULL);
        if (!reply)
            return false;
        if (reply->type == REDIS_REPLY_ERROR) {
            redis_add_problem(t->p, &t->report, BELFRY_UNKNOWN, redis_refusal(&t->link, reply).text);
            return true;
        }
    }
    return redis_measure_lengths(&t->link) && redis_judge_streams(&t->link, &t->report);
}

static void say_verdict(struct talk *t)
{
    const char *problems = t->report.problems;
    if (t->report.state == BELFRY_CRITICAL)
        belfry_critical(t->p, "%s %s", t->peer, problems);
    else if (t->report.state == BELFRY_WARNING)
        belfry_warning(t->p, "%s %s", t->peer, problems);
    else if (t->report.state == BELFRY_UNKNOWN)
        belfry_unknown(t->p, "%s %s", t->peer, problems);
    else
        belfry_ok(t->p, "%s", t->report.summary);
}

static void talk(struct talk *t)
{
    if (!log_in(t) || !ping(t) || !inform(t))
        return;
    if ((!t->report.cluster || redis_judge_cluster(&t->link, &t->report)) &&
        (!t->report.sentinel || redis_judge_sentinel(&t->link, &t->report)) && look_at_keys(t) &&
        (t->report.sentinel || redis_judge_slowness(&t->link, &t->report)))
        say_verdict(t);
    else
        say_broken(t);
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
    *t = (struct talk){ .p = p, .peer = "?", .report = { .state = BELFRY_OK, .summary = "?" } };
    if (redis_open(&t->link, p, &target, belfry_flag(p, "tls") ? &tls : NULL, &end) < 0) {
        say_failure(p, end, t->link.report.why);
    } else {
        t->peer = t->link.report.peer;
        belfry_measure(p, "time_connect", t->link.report.connect_s);
        talk(t);
    }
    redis_close(&t->link);
}

BELFRY_PLUGIN(
    "redis", "1.1", "A Redis or Valkey server, cluster or Sentinel: memory, clients, replication, persistence, queues",
    options, metrics, run, .views = views, .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES,
    .description =
        "Needs, where the server asks for a password, a user that may do nothing but look (Redis 6 and newer):\n"
        "    redis-cli ACL SETUSER belfry on '>PASSWORD' resetkeys resetchannels -@all +ping +info\n"
        "What else is wanted for an option, a Sentinel or a cluster is named by the check when it is missing, and all "
        "of it in doc/plugins/redis.md.\n")
