/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check - what the files of `belfry check` share: check.c is the verb and its guard, assemble.c makes a task and
 * thresholds from the words of the command line, output.c prints what came of it. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "core/cli/cli.h"
#include "core/model/task.h"
#include "core/model/verdict.h"
#include "core/worker/host.h"

#define CHECK_THRESHOLDS_MAX 256

struct check_args {
    const char *plugin;
    struct words values; /* key=value */
    struct words warn, crit;
    const char *host;
    int64_t timeout_ms;
    unsigned verbose;
    bool help, version;
};

/* One run, from the words to the verdict. */
struct check {
    struct cli *cli;
    const struct check_args *args;
    const char *secrets; /* folder of @NAME */
    struct loaded_plugin plugin;
    struct task task;
    struct threshold thresholds[CHECK_THRESHOLDS_MAX];
    uint32_t threshold_count;
    struct result result;
    struct verdict verdict;
};

/* Makes check->task from key=value, key.name=value, -H and @secrets, and checks it against the plugin's options. */
int assemble_task(struct check *check, struct why *why);
/* Makes check->thresholds from -w and -c. */
int assemble_thresholds(struct check *check, struct why *why);
/* After the run: a threshold for a metric that the plugin neither declares nor measured is a mistake, not a silence. */
int assemble_verify(const struct check *check, struct why *why);

/* "FILE-AGE": how the plugin is called on the status line, from its name or path. */
const char *output_name(struct arena *arena, const char *plugin);
/* --help of one plugin: its options and metrics. */
void output_help(const struct check *check, struct buf *out);
void output_json(const struct check *check, struct buf *out);
/* What -v adds below the plugin output. */
void output_verbose(const struct check *check, struct buf *out);

#endif
