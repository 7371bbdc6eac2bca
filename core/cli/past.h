/* SPDX-License-Identifier: GPL-3.0-or-later */
/* past - what happened to a check in some time, read from the journal's files for belfry-graph, which must not read
 * them. */
#ifndef CLI_PAST_H
#define CLI_PAST_H

#include "core/cli/cli.h"

struct past {
    const char *check, *part; /* part: NULL for the check as a whole */
    const char *breaker;      /* that it stands behind */
    int64_t since_ms, until_ms;
};

/* A file without a name that holds it as core/model/history.h has it, read from its beginning; -ENOENT when there is no
 * journal; or a negative code with *why. The caller closes it. */
int past_open(struct cli *cli, const char *journal, const struct past *past, struct why *why);

#endif
