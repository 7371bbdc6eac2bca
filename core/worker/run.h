/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run - one run of a check, seen from the host: the struct belfry_probe of the plugin and the result that grows in it.
 * The three hosts (coroutines, threads, command line) differ in how a run waits and where its log lines go: struct
 * run_host. Everything else is here and the same for all.
 *
 *     run_begin()     a run from its plugin, option values, kept values and deadline
 *     run_execute()   calls the plugin's run() and completes run.result
 *
 * A run is reused for the next: run_begin() forgets everything but memory. */
#ifndef WORKER_RUN_H
#define WORKER_RUN_H

#include <poll.h>
#include <setjmp.h>

#include "belfry/plugin.h"
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/model/result.h"
#include "core/worker/host.h"
#include "core/worker/resolver.h"
#include "core/worker/values.h"

#define RUN_MEMORY_MAX (16u << 20)
#define RUN_WAIT_MAX 64u
#define RUN_LOG_LINES_MAX 256u
#define RUN_KEPT_TOTAL_MAX 65536u

struct run;

struct run_host {
    /* Waits until a descriptor is ready (their number, revents set), until_ns on clock_now_ns() has come (0), or it
     * can't wait (-errno). count may be 0. */
    int (*wait)(struct run *run, struct pollfd *fds, size_t count, int64_t until_ns);
    void (*log)(struct run *run, int level, const char *line);
};

struct run {
    struct belfry_probe probe; /* first: what the plugin holds */
    const struct run_host *host;
    const struct loaded_plugin *plugin;
    const struct values *values;
    const char *id;
    struct arena *arena; /* of the result and of what the plugin asks for */
    struct resolver *resolver;
    int64_t start_ns, deadline_ns; /* on clock_now_ns() */

    size_t memory_bytes; /* what the plugin took of RUN_MEMORY_MAX */
    uint32_t log_lines;
    bool has_verdict;
    const char *misuse; /* the first rule that was broken, or NULL */
    jmp_buf end;        /* where a run that is ended at once goes: into run_execute() */

    struct result result;
    struct buf detail;
    uint32_t metric_size, part_size, event_size, kept_size;
    struct run_index metrics, parts;
    size_t kept_bytes;
};

/* What a run is made from; all of it must live as long as the run. */
struct run_order {
    const struct loaded_plugin *plugin;
    const struct values *values;
    const char *id;
    const struct kept *kept; /* or NULL */
    struct arena *arena;
    struct resolver *resolver;
    const struct run_host *host;
    int64_t start_ns, deadline_ns;
};

void run_begin(struct run *run, const struct run_order *order);
void run_execute(struct run *run);
/* Frees what run_begin() reuses (not the arena). */
void run_close(struct run *run);
/* The result of a check whose options are wrong: nothing of the plugin is called. */
void run_refuse(struct result *out, const char *why);

/* run_host.wait for hosts that own their thread: poll(). */
int run_wait_poll(struct run *run, struct pollfd *fds, size_t count, int64_t until_ns);

/* ---- inside the room ----------------------------------------------------------------------------------------- */

/* The functions of struct belfry_host, by file. */
extern const struct belfry_host run_functions; /* probe.c */
void report_verdict(struct belfry_probe *p, int state, bool reached, const char *format, va_list args)
    BELFRY_PRINTF(4, 0);
void report_detail(struct belfry_probe *p, const char *format, va_list args) BELFRY_PRINTF(2, 0);
void report_part(struct belfry_probe *p, const char *part, int state, const char *format, va_list args)
    BELFRY_PRINTF(4, 0);
void report_measure(struct belfry_probe *p, const char *part, const char *name, double value);
void report_sample(struct belfry_probe *p, const struct belfry_sample *given);
void report_event(struct belfry_probe *p, const char *type, const char *part, const char *format, va_list args)
    BELFRY_PRINTF(4, 0);
/* Completes run.result after the plugin returned. */
void report_finish(struct run *run);
/* Makes plugin->metrics: a run measures some fifty, and a search for each among all would touch every one. */
void report_index_metrics(struct loaded_plugin *plugin);
const char *kept_get(struct belfry_probe *p, const char *key);
void kept_set(struct belfry_probe *p, const char *key, const char *value);
bool kept_rate(struct belfry_probe *p, const char *key, uint64_t counter, double *per_second);
void kept_begin(struct run *run, const struct kept *kept);
int resolve_address(struct belfry_probe *p, const char *host, const char *port, int family, int socktype,
                    struct belfry_address *out, size_t max, const char **why);

static inline struct run *run_of(struct belfry_probe *p)
{
    return (struct run *)(void *)p;
}

/* Notes the first rule that the plugin broke: the result becomes RESULT_MISUSE. */
void run_misuse(struct run *run, const char *format, ...) BELFRY_PRINTF(2, 3);
/* Zeroed memory of the run's bound; ends the run when it is used up. */
void *run_memory(struct run *run, size_t size);
/* One line of at most max_bytes in the arena: formatted, cut at a character border (sets result.truncated), line breaks
 * as spaces, control characters and invalid UTF-8 made visible. */
const char *run_vline(struct run *run, size_t max_bytes, const char *format, va_list args) BELFRY_PRINTF(3, 0);
const char *run_line(struct run *run, size_t max_bytes, const char *text);
/* Enlarges an array of the result when it is full. The new items are zero. */
void *run_grow(struct run *run, void *items, uint32_t count, uint32_t *size, size_t item_bytes);

#endif
