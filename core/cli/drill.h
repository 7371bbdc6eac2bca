/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - what the files of `belfry drill` share: drill.c knows drills, recovery.c runbooks; either has its name from
 * the same verbs. */
#ifndef CLI_DRILL_H
#define CLI_DRILL_H

#include <jansson.h>

#include "core/cli/cli.h"

extern const struct verb verb_drill_report, verb_drill_step;

/* "restore 43 %, 12.4 MB/s, 3 min left"; ms: since it began; where figures have no percent, "start, 4 s so far". */
const char *drill_progress(struct cli *cli, const char *phase, int64_t ms, const json_t *figures);
/* For the board: a line for each drill that runs. */
void drill_print_running(struct cli *cli, const json_t *drills);
/* Of an evidence: recovery time and age of the data, a line each, against their targets. */
void drill_print_targets(struct cli *cli, const json_t *evidence);
/* "0.4 s", "4 h". */
const char *drill_time(struct cli *cli, int64_t ms);

/* ---- recovery.c: of runbooks */

/* For the board: those that are followed, with what people are asked for, and those that are due. */
void recovery_print_running(struct cli *cli, const json_t *runbooks, int64_t now_ms);
void recovery_print_list(struct cli *cli, const json_t *runbooks, int64_t now_ms);
/* The daemon's answer to "run" and "plan"; the exit status. */
int recovery_follow(struct cli *cli, const json_t *answer, bool detach);
int recovery_print_plan(struct cli *cli, const json_t *answer);

#endif
