/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config - the checked model that core/config makes from the files: one arena, replaced whole on reload, never changed.
 */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/map.h"
#include "core/model/drill.h"
#include "core/model/plugin.h"
#include "core/model/runbook.h"
#include "core/model/series.h"
#include "core/model/task.h"
#include "core/model/verdict.h"

#define RETRY_BACKOFF_MAX 8

/* Where something was written. */
struct place {
    const char *file;
    int line;
};

/* Attempts within one run of a check: only failures to reach are tried again. */
struct retry {
    uint32_t attempts;                      /* tries in all; 1: no retry */
    uint32_t backoff_ms[RETRY_BACKOFF_MAX]; /* pause before try 2, 3, ...; the last one repeats */
    uint32_t backoff_count;
};

struct breaker_config {
    const char *name;     /* shared: its name in breakers:; else the check's id */
    uint32_t failures;    /* consecutive failures to reach that open it; 0: never */
    uint32_t open_ms;     /* first pause */
    uint32_t open_max_ms; /* cap of the doubling pause */
};

struct flapping_config {
    bool enabled;
    double low, high; /* percent of state change over the last 21 results (Nagios' rule) */
};

/* An option's values as they stand in the file: "@name" of a secret option is still a reference. */
struct check_config {
    const char *id;      /* service/check[@instance] */
    const char *service; /* name */
    const char *title;
    const char *plugin;
    struct place place;
    struct task task; /* id and options; secrets unresolved */
    uint32_t every_ms, timeout_ms, retry_every_ms;
    uint32_t attempts; /* consecutive results before a problem is hard */
    struct retry retry;
    struct breaker_config breaker;
    bool breaker_shared;
    struct flapping_config flapping;
    const char *severity; /* "sev1".."sev4" */
    struct threshold *thresholds;
    uint32_t threshold_count;
    const struct series_archive *archives; /* NULL: those of the configuration */
    uint32_t archive_count;
    const struct series_rename *renamed;
    uint32_t renamed_count;
    bool enabled;
    uint64_t
        schedule_mark;  /* hash of what a schedule depends on: changes when every, attempts, retry, breaker... change */
    uint64_t task_mark; /* hash of plugin and options (not of the secrets' contents) */
};

struct service_config {
    const char *name, *title, *severity;
    struct place place;
    const char *const *depends;        /* service names, NULL-terminated */
    uint32_t first_check, check_count; /* in config.checks */
};

/* plugins: { NAME: { workers = 1; concurrency = 512; allow = [ "network", "files" ]; }; } */
struct plugin_config {
    const char *name;
    uint32_t workers, concurrency; /* concurrency: runs in progress in one worker (threads, for a blocking plugin) */
    uint32_t allow;                /* BELFRY_NEEDS_* that are granted */
    bool allow_given;
};

/* Where and how often the journal's head is noted down. */
struct anchor_config {
    uint32_t every_ms; /* 0: nowhere */
    bool syslog;
    const char *file;    /* or NULL */
    const char *webhook; /* "@NAME", a secret's; or NULL */
    const char *format;  /* of what is posted to it */
};
/* What a webhook may be sent; ends with NULL. The first one is the default. */
extern const char *const anchor_post_formats[];

struct config {
    struct arena arena;
    const char *file; /* main file, absolute */
    const char *state_dir, *run_dir, *secrets_dir, *conf_dir;
    const char *const *plugin_dirs; /* NULL-terminated */
    const char *control_socket;     /* run_dir/control.sock */
    struct service_config *services;
    uint32_t service_count;
    struct check_config *checks; /* all, ordered by service, then as written */
    uint32_t check_count;
    struct drill_config *drills;
    uint32_t drill_count;
    struct runbook *runbooks;
    uint32_t runbook_count;
    struct tier *tiers; /* those configured; besides them runbook_tiers[] */
    uint32_t tier_count;
    struct plugin_config *plugins; /* those configured; others have the defaults */
    uint32_t plugin_count;
    struct series_archive archives[SERIES_ARCHIVES_MAX];
    uint32_t archive_count;
    int64_t keep_parts_ms; /* files of parts that are gone */
    const char *rrdcached; /* path of its socket, or NULL */
    uint32_t journal_segment_bytes;
    uint32_t journal_sync_ms;       /* 0: always */
    uint32_t journal_reserve_bytes; /* 0: none */
    int64_t journal_keep_ms;        /* 0: for ever */
    uint64_t journal_keep_bytes;    /* 0: any size */
    uint32_t journal_seal_every_ms; /* 0: the default, until all files were read */
    struct anchor_config journal_anchor;
    const char *const *files; /* every file that was read, NULL-terminated */
};

#define PLUGIN_WORKERS_DEFAULT 1
#define PLUGIN_CONCURRENCY_DEFAULT 512
#define PLUGIN_CONCURRENCY_BLOCKING_DEFAULT 16

const struct check_config *config_check_find(const struct config *config, const char *id);
const struct drill_config *config_drill_find(const struct config *config, const char *name);
const struct runbook *config_runbook_find(const struct config *config, const char *name);
/* The plugin's settings with defaults filled in. */
struct plugin_config config_plugin(const struct config *config, const struct plugin_info *info);
/* Frees it and sets *config to NULL. */
void config_close(struct config **config);

#endif
