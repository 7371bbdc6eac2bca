/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry run - runs a configured check now and shows the whole result. */
#include "core/base/clock.h"
#include "core/cli/board.h"
#include "core/cli/control.h"

struct args {
    const char *check;
};

static const struct argument arguments[] = { { "SERVICE/CHECK", "The check to run", .required = true,
                                               .target = offsetof(struct args, check), .words = WORDS_CHECK },
                                             { 0 } };

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    int status;
    json_t *answer = control_want(cli, json_pack("{ss ss}", "verb", "run", "check", args->check), -1, &status);
    if (answer == NULL)
        return status;
    const json_t *check = json_object_get(answer, "check");
    status = (int)control_state(check, "state");
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return status;
    }
    detail_check(cli, check, clock_wall_ms());
    json_decref(answer);
    return status;
}

const struct verb verb_run = {
    .name = "run",
    .summary = "run a configured check now and show the whole result",
    .description = "The daemon runs the check now (or waits for the run in progress) and judges the result as any "
                   "other: it counts for soft and hard states and for the circuit breaker.",
    .arguments = arguments,
    .args_size = sizeof(struct args),
    .exit = VERB_STATE,
    .run = run,
};
