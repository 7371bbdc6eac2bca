/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph - what can be drawn of a check, asked of belfry-graph. */
#ifndef CLI_GRAPH_H
#define CLI_GRAPH_H

#include <jansson.h>

#include "core/cli/cli.h"

/* { "check", "views": [ { "name", "title", "unit", "style", "limit", "parts", "metrics": [] } ], "metrics": [ { "name",
 * "unit", "warn", "crit", "whole", "parts" } ], "parts": [ names ] }; of a metric "whole" says that the check as a
 * whole has it, "parts" how many parts do. 0 or a negative code with what is wrong in *why. */
int graph_list(struct cli *cli, const char *check, const char *part, json_t **out, struct why *why);

#endif
