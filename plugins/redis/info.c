/* SPDX-License-Identifier: GPL-3.0-or-later */
/* info - reads the text of INFO ("key:value" lines under "# Section" headings; unknown keys are of no interest) and
 * measures what it tells. Plain copies of numbers are one table; what needs thought has a function a section.
 *
 * Notes on the fields: rdb_last_save_time is "now" at every start and rdb_last_bgsave_status starts as ok, so an age
 * says something only when a snapshot was made in this life (rdb_last_bgsave_time_sec >= 0). used_memory counts what
 * eviction does not (mem_not_counted_for_evict). master_link_down_since_seconds is -1, and in Redis 6 the seconds since
 * 1970, on a replica that never had its primary. The words stay master and slave in the protocol. */
#include "plugins/redis/redis.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/common/names.h"
#include "plugins/common/say.h"

#define FRAGMENTATION_FROM (256.0 * 1024 * 1024)
#define REPLICAS_MAX 64
#define VALUE_MAX 256
#define CELLS 1024 /* a power of two; INFO has 150 to 250 lines */

struct info {
    struct belfry_probe *p;
    const char *text;
    struct redis_report *report;
    const char **cells; /* lines by the hash of their keys, open addressing; NULL: not indexed */
};

/* A run asks for some sixty fields: going through all lines for each cost more than the conversation. */
static void index_lines(struct info *info)
{
    size_t count = 0;
    const char **cells = belfry_alloc(info->p, CELLS * sizeof *cells);
    for (const char *line = info->text, *next; *line; line = next) {
        const char *end = strchrnul(line, '\n'), *colon = memchr(line, ':', (size_t)(end - line));
        next = end + (*end == '\n');
        if (!colon)
            continue;
        size_t at = names_hash(line, (size_t)(colon - line)) % CELLS;
        while (cells[at])
            at = (at + 1) % CELLS;
        cells[at] = line;
        if (++count > CELLS / 2)
            return; /* too long: it goes without */
    }
    info->cells = cells;
}

static bool is_of(const char *line, const char *key, size_t length)
{
    return strncmp(line, key, length) == 0 && line[length] == ':';
}

/* The line of a field, or NULL. */
static const char *find_line(const struct info *info, const char *key)
{
    size_t length = strlen(key);
    if (info->cells) {
        size_t at = names_hash(key, length) % CELLS;
        while (info->cells[at] && !is_of(info->cells[at], key, length))
            at = (at + 1) % CELLS;
        return info->cells[at];
    }
    const char *line = info->text;
    while (line && *line && !is_of(line + (*line == '\n'), key, length))
        line = strchr(line + 1, '\n');
    return line && *line ? line + (*line == '\n') : NULL;
}

/* What stands before one of the end bytes; nobody needs more than VALUE_MAX of it. */
static const char *copy_value(struct belfry_probe *p, const char *from, const char *ends)
{
    size_t length = strcspn(from, ends);
    return say_copy(p, from, length < VALUE_MAX ? length : VALUE_MAX);
}

/* What follows the key, to the end of the text; NULL when there is no such field. */
static const char *raw_field(const struct info *info, const char *key)
{
    const char *line = find_line(info, key);
    return line ? line + strlen(key) + 1 : NULL;
}

/* The text of a field, or NULL. */
static const char *field(const struct info *info, const char *key)
{
    const char *raw = raw_field(info, key);
    return raw ? copy_value(info->p, raw, "\r\n") : NULL;
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
    return to_number(raw_field(info, key));
}

static bool is(const struct info *info, const char *key, const char *want)
{
    const char *value = field(info, key);
    return value && strcmp(value, want) == 0;
}

double redis_field(struct belfry_probe *p, const char *text, const char *key)
{
    struct info info = { .p = p, .text = text };
    return number(&info, key);
}

const char *redis_say_age(struct belfry_probe *p, double seconds)
{
    return belfry_ago(p, (int64_t)difftime(time(NULL), 0) - (int64_t)seconds);
}

/* What can't be told is worse than a warning. */
static int rank(enum belfry_state state)
{
    static const int ranks[] = { [BELFRY_OK] = 0, [BELFRY_WARNING] = 1, [BELFRY_UNKNOWN] = 2, [BELFRY_CRITICAL] = 3 };
    return ranks[state];
}

void redis_add_problem(struct belfry_probe *p, struct redis_report *report, enum belfry_state state, const char *text)
{
    report->state = rank(state) > rank(report->state) ? state : report->state;
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
    { "aof_current_size", "aof_size" },
}, counters[] = {
    { "rejected_connections", "clients_rejected" },
    { "evicted_clients", "clients_evicted" },
    { "total_error_replies", "errors" },
    { "sync_full", "full_syncs" },
    { "aof_delayed_fsync", "fsyncs_delayed" },
    { "evicted_keys", "evicted" },
    { "expired_keys", "expired" },
    { "total_net_input_bytes", "net_in" },
    { "total_net_output_bytes", "net_out" },
};

static bool rate(const struct info *info, const char *key, const char *kept, double *per_second)
{
    const char *text = raw_field(info, key);
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
    info->report->restarted = before && strcmp(before, now) != 0;
    if (info->report->restarted)
        belfry_event(info->p, "redis.restarted", NULL, "the server was restarted: up %s",
                     redis_say_age(info->p, fmax(0, number(info, "uptime_in_seconds"))));
    if (!before || info->report->restarted)
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

/* A cache is meant to evict; a server that must not has changed its mind for a while. */
static void judge_evictions(const struct info *info)
{
    double per_second;
    if (rate(info, "evicted_keys", "evicted_unwanted", &per_second) && is(info, "maxmemory_policy", "noeviction"))
        belfry_measure(info->p, "evicted_unwanted", per_second);
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
        add_problem(info, BELFRY_CRITICAL, "failed to rewrite its append-only file");
    if (is(info, "rdb_bgsave_in_progress", "1"))
        measure_if(info, "save_running", number(info, "rdb_current_bgsave_time_sec"));
    if (is(info, "aof_rewrite_in_progress", "1"))
        measure_if(info, "rewrite_running", number(info, "aof_current_rewrite_time_sec"));
    measure_if(info, "fork_time", number(info, "latest_fork_usec") / 1e6);
    bool saves = belfry_flag(info->p, "snapshots") ||
                 (number(info, "rdb_last_bgsave_time_sec") >= 0 && is(info, "aof_enabled", "0"));
    double at = number(info, "rdb_last_save_time"), pending = number(info, "rdb_changes_since_last_save");
    if (saves && !isnan(at))
        belfry_measure(info->p, "save_age", pending > 0 ? fmax(0, info->report->now - at) : 0);
}

/* How long the link has been down: since this check saw it first, where the server can't say. */
static double measure_down(const struct info *info)
{
    double down = number(info, "master_link_down_since_seconds"), since;
    const char *kept = belfry_kept(info->p, "link_down_at");
    if (down >= 0 && !(down > number(info, "uptime_in_seconds")))
        return down;
    since = kept ? fmin(to_number(kept), info->report->now) : info->report->now;
    if (!kept)
        belfry_keep(info->p, "link_down_at", belfry_print(info->p, "%.0f", since));
    return info->report->now - since;
}

static void judge_replica(const struct info *info)
{
    const char *primary = belfry_print(info->p, "%s:%s", field(info, "master_host") ? field(info, "master_host") : "?",
                                       field(info, "master_port") ? field(info, "master_port") : "?");
    if (is(info, "master_link_status", "up")) {
        belfry_measure(info->p, "link_down", 0);
        if (belfry_kept(info->p, "link_down_at"))
            belfry_keep(info->p, "link_down_at", NULL);
        double idle = number(info, "master_last_io_seconds_ago");
        if (idle >= 0)
            belfry_measure(info->p, "link_idle", idle);
        return;
    }
    belfry_measure(info->p, "link_down", measure_down(info));
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
    if (!online && info->report->cluster) /* whose node of the same name is a part of its own */
        add_problem(info, BELFRY_WARNING, belfry_print(info->p, "has its replica %s in %s", name, state));
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

/* "Redis 7.0.15 primary, up 12 d, 1.2 MiB used, 3 clients" */
static const char *summarise(const struct info *info)
{
    const char *valkey = field(info, "valkey_version"), *version = valkey ? valkey : field(info, "redis_version");
    double uptime = number(info, "uptime_in_seconds"), used = number(info, "used_memory");
    double clients = fmax(0, number(info, "connected_clients"));
    return belfry_print(
        info->p, "%s %s %s, up %s%s%s, %.0f client%s", valkey ? "Valkey" : "Redis", version ? version : "?",
        info->report->sentinel      ? "Sentinel"
        : is(info, "role", "slave") ? "replica"
                                    : "primary",
        redis_say_age(info->p, fmax(0, uptime)), used >= 0 ? ", " : "",
        used >= 0 ? belfry_print(info->p, "%s used", say_bytes(info->p, used)) : "", clients, clients == 1 ? "" : "s");
}

void redis_judge(struct belfry_probe *p, const char *text, struct redis_report *out)
{
    struct info info = { .p = p, .text = text, .report = out };
    index_lines(&info);
    double now_us = number(&info, "server_time_usec");
    out->now = now_us > 0 ? now_us / 1e6 : difftime(time(NULL), 0);
    out->cluster = is(&info, "cluster_enabled", "1");
    out->sentinel = is(&info, "redis_mode", "sentinel");
    out->summary = summarise(&info);
    if (!field(&info, "redis_version"))
        add_problem(&info, BELFRY_UNKNOWN, "tells nothing in INFO, not even its version");
    if (is(&info, "sentinel_tilt", "1"))
        add_problem(&info, BELFRY_WARNING, "is in tilt mode: its clock or load jumps, and it decides nothing");
    judge_server(&info);
    copy_plain(&info);
    judge_memory(&info);
    judge_evictions(&info);
    judge_clients(&info);
    judge_work(&info);
    judge_keys(&info);
    judge_persistence(&info);
    judge_replication(&info);
}
