/* SPDX-License-Identifier: MIT
 *
 * belfry/plugin.h - everything a Belfry plugin needs, and the only public header.
 *
 * A plugin is one shared object that exports one const datum, `belfry_plugin` (BELFRY_PLUGIN makes it), and
 * links against nothing of Belfry: the functions below are inline wrappers over a table that the host passes in.
 *
 * run() is written as straight-line code with one rule: where it would call poll() or sleep(), it calls
 * belfry_wait(), belfry_wait_many() or belfry_sleep(). A worker then runs thousands of them at once as coroutines
 * (one stack of 256 KiB each); on the command line the same calls are plain poll(). A plugin whose library blocks
 * sets `.blocking = true`; its runs go to a pool of threads and belfry_wait() is poll() there too.
 *
 * A plugin measures; the framework judges. It reports what it saw (verdict, parts, metrics, events); thresholds,
 * retries, soft and hard states, breakers and alerts are applied by Belfry.
 *
 * Memory: every pointer passed in is borrowed for the call and copied if kept; every pointer returned lives until
 * run() returns and is never freed by the plugin. A plugin keeps no state in statics: several runs of it are in
 * progress at once. What must survive to the next run goes through belfry_keep().
 *
 * Changes of the ABI (structs grow only at their end; BELFRY_ABI changes only when an old plugin could not run):
 *   ABI 1  Belfry 0.1  the first.
 */
#ifndef BELFRY_PLUGIN_H
#define BELFRY_PLUGIN_H

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELFRY_MAGIC 0x59464C42u /* "BLFY", little endian */
#define BELFRY_ABI 1u

struct belfry_probe;

/* The four states of a check or a part; the numbers are Nagios' exit codes. */
enum belfry_state {
    BELFRY_OK = 0,
    BELFRY_WARNING = 1,
    BELFRY_CRITICAL = 2,
    BELFRY_UNKNOWN = 3
};

/* How an option is written in the configuration and checked before the plugin sees it. */
enum belfry_option_type {
    BELFRY_TEXT = 1, /* any text without control characters */
    BELFRY_INTEGER,  /* 64-bit, decimal */
    BELFRY_NUMBER,   /* decimal fraction, finite */
    BELFRY_FLAG,     /* true or false */
    BELFRY_DURATION, /* "250ms", "90s", "5m", "36h", "30d" */
    BELFRY_SIZE,     /* "64KiB", "1.5GB", plain bytes */
    BELFRY_PATH,     /* absolute path */
    BELFRY_HOST,     /* host name or IP address */
    BELFRY_PORT,     /* 1 to 65535 */
    BELFRY_URL,      /* http:// or https:// */
    BELFRY_RANGE     /* a Nagios range */
};

/* One option. The table ends with BELFRY_END. Required options have no fallback. */
struct belfry_option {
    const char *name; /* [a-z][a-z0-9_]*, not a word of the framework (see the author's guide) */
    int type;         /* enum belfry_option_type */
    const char *doc;  /* one sentence, shown by `belfry plugins info` and in the manual page */
    bool required;
    bool list;                  /* [ "a", "b" ]: read with belfry_count() and belfry_item() */
    bool map;                   /* { name = "value"; }: as a list, the names by belfry_key() */
    bool secret;                /* shown as ***; the value comes from a secret file ("@name") */
    const char *fallback;       /* the value when unset, as it would be written; NULL: unset */
    const char *const *choices; /* NULL-terminated list of allowed values, or NULL */
    const char *example;        /* a value for the manual page and the example file, or NULL */
};

/* How a metric's values are recorded. */
enum belfry_metric_kind {
    BELFRY_GAUGE = 0, /* the value as it is (a rate made by belfry_rate() is a gauge too) */
    BELFRY_COUNTER    /* ever-growing total; recorded as a rate per second */
};

/* One declared metric. The table ends with BELFRY_END. Ranges are Nagios ranges; the sysadmin may change both. */
struct belfry_metric {
    const char *name; /* [a-z][a-z0-9_]* */
    const char *unit; /* "s", "B", "%", "c", "/s", "B/s" or "" */
    const char *doc;
    const char *warn; /* NULL: no default threshold */
    const char *crit;
    const char *min; /* least and greatest possible value, or NULL */
    const char *max;
    int kind; /* enum belfry_metric_kind */
};

/* clang-format off */
#define BELFRY_END { 0 }
/* clang-format on */

struct belfry_probe;

/* How the metrics of a view are drawn. */
enum belfry_view_style {
    BELFRY_LINES = 0, /* each as a line */
    BELFRY_STACK      /* as areas on top of each other: shares of a whole */
};

/* A ready-made graph of metrics that belong together ("memory: used of limit"). `belfry graph SERVICE/CHECK` draws
 * the plugin's views in their order, the most telling first. The table ends with BELFRY_END. All metrics of a view
 * have the same unit; one that a check has not recorded is left out, and a view that is left with none too. */
struct belfry_view {
    const char *name;    /* [a-z][a-z0-9_]*, not the name of a metric; what `belfry graph ... NAME` says */
    const char *title;   /* "Memory: used of limit" */
    const char *metrics; /* names of declared metrics, separated by a blank; one ending in * stands for all that
                            begin so, those of belfry_sample too */
    int style;           /* enum belfry_view_style */
    const char *limit;   /* one more metric, drawn as a line above the others, or NULL */
    bool parts;          /* the metrics of every part, not those of the check as a whole */
};

/* A measurement whose name is not in the metrics table (performance data of another plugin, a query named by the
 * sysadmin). Set size to sizeof (struct belfry_sample). */
struct belfry_sample {
    uint32_t size;
    int kind;
    const char *part; /* NULL: of the whole check */
    const char *name; /* any text without '=' and control characters, at most 64 bytes */
    const char *unit;
    double value;
    const char *warn, *crit, *min, *max; /* default ranges, or NULL */
    bool unjudged;                       /* the ranges are only shown: who measured has judged already */
};

/* One address found by belfry_resolve(). */
struct belfry_address {
    int family; /* AF_INET, AF_INET6 or AF_UNIX */
    socklen_t length;
    struct sockaddr_storage address;
};

enum belfry_log_level {
    BELFRY_DEBUG = 0,
    BELFRY_INFO,
    BELFRY_WARN,
    BELFRY_ERROR
};

struct belfry_probe;

/* The host's functions. `size` is the size of the table the host knows; the wrappers below check it for members
 * that came after ABI 1's first release. Call the wrappers, not these. */
struct belfry_host {
    uint32_t size;
    uint32_t abi;

    const char *(*text)(struct belfry_probe *p, const char *name);
    int64_t (*integer)(struct belfry_probe *p, const char *name);
    double (*number)(struct belfry_probe *p, const char *name);
    bool (*flag)(struct belfry_probe *p, const char *name);
    size_t (*count)(struct belfry_probe *p, const char *name);
    const char *(*item)(struct belfry_probe *p, const char *name, size_t i);
    const char *(*key)(struct belfry_probe *p, const char *name, size_t i);

    void (*verdict)(struct belfry_probe *p, int state, bool reached, const char *format, va_list args);
    void (*detail)(struct belfry_probe *p, const char *format, va_list args);
    void (*part)(struct belfry_probe *p, const char *part, int state, const char *format, va_list args);
    void (*measure)(struct belfry_probe *p, const char *part, const char *name, double value);
    void (*sample)(struct belfry_probe *p, const struct belfry_sample *sample);
    void (*event)(struct belfry_probe *p, const char *type, const char *part, const char *format, va_list args);

    const char *(*kept)(struct belfry_probe *p, const char *key);
    void (*keep)(struct belfry_probe *p, const char *key, const char *value);
    bool (*rate)(struct belfry_probe *p, const char *key, uint64_t counter, double *per_second);

    int (*wait)(struct belfry_probe *p, struct pollfd *fds, size_t count, int64_t timeout_ms);
    int64_t (*left_ms)(struct belfry_probe *p);
    int (*resolve)(struct belfry_probe *p, const char *host, const char *port, int family, int socktype,
                   struct belfry_address *out, size_t max, const char **why);

    void *(*alloc)(struct belfry_probe *p, size_t size);
    const char *(*print)(struct belfry_probe *p, const char *format, va_list args);
    const char *(*ago)(struct belfry_probe *p, int64_t when);
    void (*log)(struct belfry_probe *p, int level, const char *format, va_list args);
};

/* A run in progress. What follows the table belongs to the host. */
struct belfry_probe {
    const struct belfry_host *host;
};

/* What a plugin asks of the machine. A worker has this and no more: anything else ends it ("used the forbidden system
 * call 41 (socket)"). The sysadmin grants network and files to every plugin unless the configuration says otherwise;
 * processes only by `plugins: { NAME: { allow = [ "processes" ]; }; }`. Every plugin may read what libraries need
 * (/usr, time zones) and its own folder, and none may write files. A plugin compiled before .needs existed counts as
 * asking for network and files; one that could declare them and does not has neither. */
enum belfry_needs {
    BELFRY_NEEDS_NETWORK = 1,  /* sockets: IPv4, IPv6, unix; resolving names */
    BELFRY_NEEDS_FILES = 2,    /* reads files outside its own folder, /proc and /sys too */
    BELFRY_NEEDS_PROCESSES = 4 /* starts programs; they may use the network and read and run any file */
};

/* What a plugin exports. magic, size and abi are read from the file before any code of it runs. */
struct belfry_plugin {
    uint32_t magic;
    uint32_t size; /* sizeof (struct belfry_plugin) as the plugin was compiled */
    uint32_t abi;
    uint32_t option_size; /* sizeof (struct belfry_option), likewise */
    uint32_t metric_size;
    uint32_t view_size;
    const char *name; /* [a-z0-9][a-z0-9_.-]*, what `plugin = "..."` says */
    const char *version;
    const char *summary; /* a few words */
    const struct belfry_option *options;
    const struct belfry_metric *metrics;
    void (*run)(struct belfry_probe *p);
    /* optional, by name in BELFRY_PLUGIN's last arguments: .blocking = true */
    bool blocking; /* run() waits in other ways than belfry_wait(): give it a thread */
    const char
        *description; /* for the manual page: a line is a paragraph, or as it is (a command) after a blank; or NULL */
    const struct belfry_view *views;
    uint32_t needs; /* enum belfry_needs, joined by | */
};

/* BELFRY_PLUGIN("name", "1.0", "Summary", options, metrics, run [, .views = views, .needs = BELFRY_NEEDS_NETWORK]) */
#define BELFRY_PLUGIN(name_, version_, summary_, options_, metrics_, run_, ...)                                        \
    __attribute__((visibility("default"))) extern const struct belfry_plugin belfry_plugin;                            \
    const struct belfry_plugin belfry_plugin = { .magic = BELFRY_MAGIC,                                                \
                                                 .size = (uint32_t)sizeof(struct belfry_plugin),                       \
                                                 .abi = BELFRY_ABI,                                                    \
                                                 .option_size = (uint32_t)sizeof(struct belfry_option),                \
                                                 .metric_size = (uint32_t)sizeof(struct belfry_metric),                \
                                                 .view_size = (uint32_t)sizeof(struct belfry_view),                    \
                                                 .name = name_,                                                        \
                                                 .version = version_,                                                  \
                                                 .summary = summary_,                                                  \
                                                 .options = options_,                                                  \
                                                 .metrics = metrics_,                                                  \
                                                 .run = run_,                                                          \
                                                 __VA_ARGS__ };

#define BELFRY_PRINTF(format_, first_) __attribute__((__format__(__printf__, format_, first_)))

/* ---- options ------------------------------------------------------------------------------------------------- */

/* The option as text; NULL when unset and without fallback. */
static inline const char *belfry_text(struct belfry_probe *p, const char *name)
{
    return p->host->text(p, name);
}

/* An INTEGER, PORT or SIZE (bytes); 0 when unset: see belfry_has(). */
static inline int64_t belfry_integer(struct belfry_probe *p, const char *name)
{
    return p->host->integer(p, name);
}

/* A NUMBER, or a DURATION in seconds; 0 when unset. */
static inline double belfry_number(struct belfry_probe *p, const char *name)
{
    return p->host->number(p, name);
}

/* A FLAG; false when unset. */
static inline bool belfry_flag(struct belfry_probe *p, const char *name)
{
    return p->host->flag(p, name);
}

/* How many values the option has: 0 when unset, 1 for a plain one, the length of a list or map. */
static inline size_t belfry_count(struct belfry_probe *p, const char *name)
{
    return p->host->count(p, name);
}

static inline bool belfry_has(struct belfry_probe *p, const char *name)
{
    return p->host->count(p, name) > 0;
}

/* Value i of a list or map; NULL past the end. */
static inline const char *belfry_item(struct belfry_probe *p, const char *name, size_t i)
{
    return p->host->item(p, name, i);
}

/* Name i of a map; NULL past the end. */
static inline const char *belfry_key(struct belfry_probe *p, const char *name, size_t i)
{
    return p->host->key(p, name, i);
}

/* ---- what was seen ------------------------------------------------------------------------------------------- */

/* The verdict: the check's one line of text. The last call counts. `belfry_critical` means: reached, and bad. */
#define BELFRY_VERDICT_(function_, state_, reached_)                                                                   \
    BELFRY_PRINTF(2, 3) static inline void function_(struct belfry_probe *p, const char *format, ...)                  \
    {                                                                                                                  \
        va_list args;                                                                                                  \
        va_start(args, format);                                                                                        \
        p->host->verdict(p, state_, reached_, format, args);                                                           \
        va_end(args);                                                                                                  \
    }
BELFRY_VERDICT_(belfry_ok, BELFRY_OK, true)
BELFRY_VERDICT_(belfry_warning, BELFRY_WARNING, true)
BELFRY_VERDICT_(belfry_critical, BELFRY_CRITICAL, true)
/* The question could not be answered (a reply that makes no sense, a missing right): the target was reached. */
BELFRY_VERDICT_(belfry_unknown, BELFRY_UNKNOWN, true)
/* The target was not reached: refused, timed out, 5xx. CRITICAL; retried, and counted by the circuit breaker. */
BELFRY_VERDICT_(belfry_unreachable, BELFRY_CRITICAL, false)
#undef BELFRY_VERDICT_

/* One more line of long text. */
BELFRY_PRINTF(2, 3) static inline void belfry_detail(struct belfry_probe *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p->host->detail(p, format, args);
    va_end(args);
}

/* A part of the target (a container, a node, a mount point) with a state of its own. Naming a part again replaces
 * it. The check is at least as bad as its worst part. At most 1024 parts. */
BELFRY_PRINTF(4, 5)
static inline void belfry_part(struct belfry_probe *p, const char *part, enum belfry_state state, const char *format,
                               ...)
{
    va_list args;
    va_start(args, format);
    p->host->part(p, part, (int)state, format, args);
    va_end(args);
}

/* The value of a declared metric. NaN says "could not be measured" and makes the check UNKNOWN where the metric
 * has a threshold; a metric that is not measured at all is not judged. */
static inline void belfry_measure(struct belfry_probe *p, const char *metric, double value)
{
    p->host->measure(p, NULL, metric, value);
}

/* The same metric of one part; the metric's thresholds apply to every part. */
static inline void belfry_measure_part(struct belfry_probe *p, const char *part, const char *metric, double value)
{
    p->host->measure(p, part, metric, value);
}

static inline void belfry_measure_sample(struct belfry_probe *p, const struct belfry_sample *sample)
{
    p->host->sample(p, sample);
}

/* Something that happened since the last run and belongs into the journal: type is noun.verb
 * ("container.restarted"); part may be NULL. */
BELFRY_PRINTF(4, 5)
static inline void belfry_event(struct belfry_probe *p, const char *type, const char *part, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p->host->event(p, type, part, format, args);
    va_end(args);
}

/* ---- between runs -------------------------------------------------------------------------------------------- */

/* A value kept by an earlier run of this check; NULL when there is none (first run, command line). */
static inline const char *belfry_kept(struct belfry_probe *p, const char *key)
{
    return p->host->kept(p, key);
}

/* Keeps a value (at most 4 KiB; 64 KiB in all) for the next run; NULL forgets it. */
static inline void belfry_keep(struct belfry_probe *p, const char *key, const char *value)
{
    p->host->keep(p, key, value);
}

/* The increase per second of a counter since the last run, by way of a kept value named key. False when it can't
 * be said: first run, counter went backwards (a restart), no time passed. Then *per_second is untouched. */
static inline bool belfry_rate(struct belfry_probe *p, const char *key, uint64_t counter, double *per_second)
{
    return p->host->rate(p, key, counter, per_second);
}

/* Measures `metric` as the rate of a counter, when it can be said. */
static inline bool belfry_measure_rate(struct belfry_probe *p, const char *metric, uint64_t counter)
{
    double per_second;
    if (!p->host->rate(p, metric, counter, &per_second))
        return false;
    p->host->measure(p, NULL, metric, per_second);
    return true;
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

/* poll() for one descriptor: returns revents (> 0), 0 when timeout_ms passed, -ETIMEDOUT when the check's deadline
 * passed, or another negative errno. timeout_ms < 0 waits until the deadline. */
static inline int belfry_wait(struct belfry_probe *p, int fd, short events, int64_t timeout_ms)
{
    struct pollfd one = { fd, events, 0 };
    int n = p->host->wait(p, &one, 1, timeout_ms);
    return n > 0 ? one.revents : n;
}

/* poll() for many (at most 64): the number that are ready, with revents set; else as belfry_wait(). */
static inline int belfry_wait_many(struct belfry_probe *p, struct pollfd *fds, size_t count, int64_t timeout_ms)
{
    return p->host->wait(p, fds, count, timeout_ms);
}

/* 0 after timeout_ms, -ETIMEDOUT when the deadline came first. */
static inline int belfry_sleep(struct belfry_probe *p, int64_t timeout_ms)
{
    return p->host->wait(p, NULL, 0, timeout_ms);
}

/* Milliseconds until the deadline, never negative. */
static inline int64_t belfry_left_ms(struct belfry_probe *p)
{
    return p->host->left_ms(p);
}

/* Resolves a host name without blocking the other runs: the number of addresses written (at most max), or negative
 * with *why saying what failed. port is decimal; family AF_UNSPEC, AF_INET or AF_INET6. */
static inline int belfry_resolve(struct belfry_probe *p, const char *host, const char *port, int family, int socktype,
                                 struct belfry_address *out, size_t max, const char **why)
{
    return p->host->resolve(p, host, port, family, socktype, out, max, why);
}

/* ---- small helps --------------------------------------------------------------------------------------------- */

/* Zeroed memory until run() returns; never NULL (a run that asks for more than its bound, 16 MiB, is ended). */
static inline void *belfry_alloc(struct belfry_probe *p, size_t size)
{
    return p->host->alloc(p, size);
}

/* A formatted string until run() returns. */
BELFRY_PRINTF(2, 3) static inline const char *belfry_print(struct belfry_probe *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = p->host->print(p, format, args);
    va_end(args);
    return text;
}

/* "3 min", "5 h 20 min", "12 d": the age of a wall-clock time in seconds since 1970. */
static inline const char *belfry_ago(struct belfry_probe *p, int64_t when)
{
    return p->host->ago(p, when);
}

/* A line in the daemon's log, under the plugin's and the check's name. */
BELFRY_PRINTF(3, 4)
static inline void belfry_log(struct belfry_probe *p, enum belfry_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p->host->log(p, (int)level, format, args);
    va_end(args);
}

#ifdef __cplusplus
}
#endif
#endif
