/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph - what is recorded of a check, asked of belfry-graph: drawn into a file, as numbers, or what there is. */
#ifndef CLI_GRAPH_H
#define CLI_GRAPH_H

#include <jansson.h>

#include "core/cli/cli.h"

/* What --theme and --size take; NULL-terminated. */
extern const char *const graph_themes[];
extern const char *const graph_sizes[];

/* What belfry-graph is asked for; what is NULL or 0 is left out. */
struct graph_request {
    const char *check, *part;
    const char *name;           /* one view or metric; or */
    const char *const *metrics; /* these */
    size_t metric_count;
    int64_t since_ms, until_ms, step_ms;
    const char *file, *format, *theme, *size, *percentile; /* a picture, */
    int64_t compare_ms;
    bool baseline;        /* what is usual, always; */
    bool history;         /* with what happened meanwhile; or */
    const char *function; /* the numbers: average, min or max; or */
    bool list;            /* what there is */
};

/* Runs it; what it prints is added to out, its remarks go to stderr. 0 or a negative code with what is wrong in *why.
 */
int graph_run(struct cli *cli, const struct graph_request *request, struct buf *out, struct why *why);
/* The same, for what it answers as JSON (core/recorder/export.c). */
int graph_ask(struct cli *cli, const struct graph_request *request, json_t **out, struct why *why);

/* Whether a time, or a step, in such an answer is one that can be counted with: seconds up to the year 9999. */
bool graph_is_time(int64_t seconds);

/* { "check", "views": [ { "name", "title", "unit", "style", "limit", "parts", "metrics": [] } ], "metrics": [ { "name",
 * "unit", "warn", "crit", "whole", "parts" } ], "parts": [ names ] }; of a metric "whole" says that the check as a
 * whole has it, "parts" how many parts do. 0 or a negative code with what is wrong in *why. */
int graph_list(struct cli *cli, const char *check, const char *part, json_t **out, struct why *why);
/* Prints that, as JSON or tables, without the views unless they are wanted: the exit status. */
int graph_list_print(struct cli *cli, const char *check, const char *part, bool views);

#endif
