/* SPDX-License-Identifier: GPL-3.0-or-later */
/* info - reads the text of INFO ("key:value" lines under "# Section" headings; unknown keys are of no interest) and
 * measures what it tells. Plain copies of numbers are one table; what needs thought has a function a section.
 *
 * Notes on the fields: rdb_last_save_time is "now" at every start and rdb_last_bgsave_status starts as ok, so an age
 * says something only when a snapshot was made in this life (rdb_last_bgsave_time_sec >= 0). used_memory counts what
 * eviction does not (mem_not_counted_for_evict). The words stay master and slave in the protocol. */
#include "plugins/redis/redis.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/common/say.h"

#define FRAGMENTATION_FROM (256.0 * 1024 * 1024)
#define REPLICAS_MAX 64
#define VALUE_MAX 256

struct info {
    struct belfry_probe *p;
    const char *text;
    struct redis_report *report;
};

/* What stands before one of the end bytes; nobody needs more than VALUE_MAX of it. */
static const char *copy_value(struct belfry_probe *p, const char *from, const char *ends)
{
    size_t length = strcspn(from, ends);
    return say_copy(p, from, length < VALUE_MAX ? length : VALUE_MAX);
}

/* The text of a field, or NULL. */
static const char *field(const struct info *info, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = info->text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            return copy_value(info->p, line + length + 1, "\r\n");
    }
    return NULL;
}

/* A number at the beginning of a text; NaN when there is none or it is beyond what 64 bits count. */
static double to_number(const char *text)
{
    if (!text)
        return NAN;
    char *end;
    double value = strtod(text, &end);
    return end == text || !(fabs(value) < 9e18) ? NAN : value;
}

static double number(const struct info *info, const char *key)
{
    return to_number(field(info, key));
}

static bool is(const struct info *info, const char *key, const char *want)
{
    const char *value = field(info, key);
    return value && strcmp(value, want) == 0;
}

void redis_add_problem(struct belfry_probe *p, struct redis_report *report, enum belfry_state state, const char *text)
{
    report->state = state > report->state ? state : report->state;
    report->problems = report->problems ? belfry_print(p, "%s; %s", report->problems, text) : text;
}

static void add_problem(const struct info *info, enum belfry_state state, const char *text)
{
    redis_add_problem(info->p, info->report, state, text);
}

static void measure_if(const struct info *info, const char *metric, double value)
{
    if (!isnan(value))
        belfry_measure(info->p, metric, value);
}

/* ---- plain copies -------------------------------------------------------------------------------------------- */

static const struct {
    const char *key, *metric;
} gauges[] = {
    { "uptime_in_seconds", "uptime" },
    { "used_memory", "memory_used" },
    { "used_memory_rss", "memory_rss" },
    { "connected_clients", "clients" },
    { "blocked_clients", "clients_blocked" },
    { "rdb_changes_since_last_save", "changes_unsaved" },
}, counters[] = {
    { "rejected_connections", "clients_rejected" },
    { "evicted_keys", "evicted" },
    { "expired_keys", "expired" },
    { "total_net_input_bytes", "net_in" },
    { "total_net_output_bytes", "net_out" },
};

static bool rate(const struct info *info, const char *key, const char *kept, double *per_second)
{
    const char *text = field(info, key);
    char *end;
    errno = 0;
    uint64_t value = text ? strtoull(text, &end, 10) : 0;
    return text && end != text && errno == 0 && belfry_rate(info->p, kept, value, per_second);
}

static void copy_plain(const struct info *info)
{
    double per_second;
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++)
        measure_if(info, gauges[i].metric, number(info, gauges[i].key));
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        if (rate(info, counters[i].key, counters[i].metric, &per_second))
            belfry_measure(info->p, counters[i].metric, per_second);
}

/* ---- sections ------------------------------------------------------------------------------------------------ */

static void judge_server(const struct info *info)
{
    const char *now = field(info, "run_id"), *before = belfry_kept(info->p, "run_id");
    if (!now)
        return;
    if (before && strcmp(before, now) != 0)
        belfry_event(info->p, "redis.restarted", NULL, "the server was restarted: up %s",
                     say_seconds(info->p, number(info, "uptime_in_seconds")));
    if (!before || strcmp(before, now) != 0)
        belfry_keep(info->p, "run_id", now);
}

static void judge_memory(const struct info *info)
{
    double used = number(info, "used_memory"), most = number(info, "maxmemory"), exempt;
    if (most > 0) {
        exempt = number(info, "mem_not_counted_for_evict");
        double percent = fmax(0, used - (isnan(exempt) ? 0 : exempt)) * 100 / most;
        belfry_measure(info->p, "memory_max", most);
        measure_if(info, is(info, "maxmemory_policy", "noeviction") ? "memory_used_percent" : "cache_used_percent",
                   percent);
    }
    if (used >= FRAGMENTATION_FROM)
        measure_if(info, "memory_fragmentation", number(info, "mem_fragmentation_ratio"));
}

static void judge_clients(const struct info *info)
{
    double most = number(info, "maxclients");
    if (most > 0)
        measure_if(info, "clients_used_percent", number(info, "connected_clients") * 100 / most);
}

static void judge_work(const struct info *info)
{
    double ops = number(info, "instantaneous_ops_per_sec"), hits, misses;
    rate(info, "total_commands_processed", "commands", &ops); /* the mean since the last run tells more */
    measure_if(info, "ops", ops);
    bool known = rate(info, "keyspace_hits", "hits", &hits);
    if (rate(info, "keyspace_misses", "misses", &misses) && known && hits + misses > 0)
        belfry_measure(info->p, "hit_ratio", hits * 100 / (hits + misses));
}

/* "db0:keys=12,expires=0,..."; an empty database has no line. */
static void judge_keys(const struct info *info)
{
    bool one = belfry_has(info->p, "database");
    int64_t wanted = belfry_integer(info->p, "database");
    double keys = 0;
    for (const char *line = strstr(info->text, "\ndb"); line; line = strstr(line + 1, "\ndb")) {
        char *end;
        long number = strtol(line + 3, &end, 10);
        if (strncmp(end, ":keys=", 6) == 0 && (!one || number == wanted))
            keys += fmax(0, to_number(end + 6));
    }
    if (strstr(info->text, "# Keyspace"))
        belfry_measure(info->p, "keys", keys);
}

static void judge_persistence(const struct info *info)
{
    if (is(info, "loading", "1"))
        add_problem(
            info, BELFRY_WARNING,
            belfry_print(info->p, "has loaded %.0f %% of its data", fmax(0, number(info, "loading_loaded_perc"))));
    if (is(info, "rdb_last_bgsave_status", "err"))
        add_problem(info, BELFRY_CRITICAL, "failed to save its last snapshot");
    if (is(info, "aof_last_write_status", "err"))
        add_problem(info, BELFRY_CRITICAL, "failed to write its append-only file");
    if (is(info, "aof_last_bgrewrite_status", "err"))
        add_problem(info, BELFRY_WARNING, "failed to rewrite its append-only file");
    if (is(info, "rdb_bgsave_in_progress", "1"))
        measure_if(info, "save_running", number(info, "rdb_current_bgsave_time_sec"));
    bool saves = number(info, "rdb_last_bgsave_time_sec") >= 0 && is(info, "aof_enabled", "0");
    double at = number(info, "rdb_last_save_time"), pending = number(info, "rdb_changes_since_last_save");
    if (saves && !isnan(at))
        belfry_measure(info->p, "save_age", pending > 0 ? fmax(0, difftime(time(NULL), (time_t)at)) : 0);
}

static void judge_replica(const struct info *info)
{
    const char *primary = belfry_print(info->p, "%s:%s", field(info, "master_host") ? field(info, "master_host") : "?",
                                       field(info, "master_port") ? field(info, "master_port") : "?");
    if (is(info, "master_link_status", "up")) {
        belfry_measure(info->p, "link_down", 0);
        double idle = number(info, "master_last_io_seconds_ago");
        if (idle >= 0)
            belfry_measure(info->p, "link_idle", idle);
        return;
    }
    double down = number(info, "master_link_down_since_seconds");
    if (down >= 0)
        belfry_measure(info->p, "link_down", down);
    bool syncing = is(info, "master_sync_in_progress", "1");
    add_problem(
        info, BELFRY_WARNING,
        belfry_print(info->p, syncing ? "synchronises with its primary %s" : "has no link to its primary %s", primary));
}

/* A pair inside "ip=127.0.0.1,port=6380,state=online,offset=14,lag=1". */
static const char *pair(const struct info *info, const char *line, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = line; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return copy_value(info->p, at + length + 1, ",");
    }
    return "?";
}

static void judge_one_replica(const struct info *info, const char *line)
{
    const char *state = pair(info, line, "state");
    const char *name = belfry_print(info->p, "%s:%s", pair(info, line, "ip"), pair(info, line, "port"));
    bool online = strcmp(state, "online") == 0;
    double lag = to_number(pair(info, line, "lag")),
           behind = number(info, "master_repl_offset") - to_number(pair(info, line, "offset"));
    belfry_part(info->p, name, online ? BELFRY_OK : BELFRY_WARNING, "replica is %s", state);
    if (online && lag >= 0)
        belfry_measure_part(info->p, name, "replica_lag", lag);
    if (online && behind >= 0)
        belfry_measure_part(info->p, name, "replica_lag_bytes", behind);
}

static void judge_replication(const struct info *info)
{
    if (is(info, "role", "slave"))
        judge_replica(info);
    double count = number(info, "connected_slaves");
    measure_if(info, "replicas", count);
    for (int i = 0; i < REPLICAS_MAX && i < count; i++) {
        const char *line = field(info, belfry_print(info->p, "slave%d", i));
        if (line)
            judge_one_replica(info, line);
    }
}

/* What a Sentinel watches: "master0:name=m,status=ok,address=10.0.0.1:6379,slaves=2,sentinels=3". */
static void judge_sentinel(const struct info *info)
{
    if (!is(info, "redis_mode", "sentinel"))
        return;
    if (is(info, "sentinel_tilt", "1"))
        add_problem(info, BELFRY_WARNING, "is in tilt mode: its clock or load jumps, and it decides nothing");
    double count = number(info, "sentinel_masters");
    if (!(count > 0))
        add_problem(info, BELFRY_WARNING, "watches no primary");
    for (int i = 0; i < REPLICAS_MAX && i < count; i++) {
        const char *line = field(info, belfry_print(info->p, "master%d", i));
        if (!line)
            continue;
        const char *name = pair(info, line, "name"), *status = pair(info, line, "status");
        bool good = strcmp(status, "ok") == 0;
        belfry_part(info->p, name, good ? BELFRY_OK : BELFRY_CRITICAL, "primary at %s is %s",
                    pair(info, line, "address"),
                    good                           ? "up"
                    : strcmp(status, "odown") == 0 ? "down, the Sentinels agree"
                                                   : "down as this Sentinel sees it");
        double replicas = to_number(pair(info, line, "slaves")), sentinels = to_number(pair(info, line, "sentinels"));
        if (!isnan(replicas))
            belfry_measure_part(info->p, name, "sentinel_replicas", replicas);
        if (!isnan(sentinels))
            belfry_measure_part(info->p, name, "sentinels", sentinels);
    }
}

/* "Redis 7.0.15 primary, up 12 d, 1.2 MiB used, 3 clients" */
static const char *summarise(const struct info *info)
{
    const char *valkey = field(info, "valkey_version"), *version = valkey ? valkey : field(info, "redis_version");
    double uptime = number(info, "uptime_in_seconds");
    double clients = fmax(0, number(info, "connected_clients"));
    return belfry_print(info->p, "%s %s %s, up %s, %s used, %.0f client%s", valkey ? "Valkey" : "Redis",
                        version ? version : "?",
                        is(info, "redis_mode", "sentinel") ? "Sentinel"
                        : is(info, "role", "slave")        ? "replica"
                                                           : "primary",
                        belfry_ago(info->p, (int64_t)difftime(time(NULL), 0) - (isnan(uptime) ? 0 : (int64_t)uptime)),
                        say_bytes(info->p, fmax(0, number(info, "used_memory"))), clients, clients == 1 ? "" : "s");
}

void redis_judge(struct belfry_probe *p, const char *text, struct redis_report *out)
{
    struct info info = { p, text, out };
    out->summary = summarise(&info);
    judge_server(&info);
    copy_plain(&info);
    judge_memory(&info);
    judge_clients(&info);
    judge_work(&info);
    judge_keys(&info);
    judge_persistence(&info);
    judge_replication(&info);
    judge_sentinel(&info);
    out->cluster = is(&info, "cluster_enabled", "1");
}
