/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli - what every verb is handed, and how it ends with an error. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/cli/term.h"
#include "core/cli/verb.h"

struct parsed;

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define EXIT_UNKNOWN 3

struct cli {
    struct arena arena; /* lives as long as the process */
    const struct verb *verb;
    const struct parsed *parsed; /* the verb with the levels above it */
    const char *path;            /* "belfry journal tail" */
    struct globals globals;
    struct term term;
    struct buf out; /* what goes to stdout; cli_flush() writes it */
};

/* Writes what was composed in cli->out to stdout. */
void cli_flush(struct cli *cli);
/* The text made safe for a terminal, in the arena; NULL becomes "". lines: newlines stay. */
const char *cli_visible(struct cli *cli, const char *text);
const char *cli_visible_lines(struct cli *cli, const char *text);

/* Says why the verb failed, where its kind of verb says it (stderr, an UNKNOWN line, or JSON); returns the exit
 * status. */
int cli_fail(struct cli *cli, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
/* The same for a mistake on the command line, with "try 'belfry VERB --help'". */
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

#endif
