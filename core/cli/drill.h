/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - what the files of `belfry drill` share. */
#ifndef CLI_DRILL_H
#define CLI_DRILL_H

#include <jansson.h>

#include "core/cli/cli.h"

extern const struct verb verb_drill_report;

/* For the board: a line for each drill that runs. */
void drill_print_running(struct cli *cli, const json_t *drills);

#endif
