/* SPDX-License-Identifier: GPL-3.0-or-later */
/* places - where this machine's Belfry keeps its things: from the configuration file when there is one, else where the
 * package was installed; a program run from its build tree also sees the plugins that were built beside it. */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include "core/cli/cli.h"

struct places {
    const char *config_file; /* absolute; the file may be missing unless it was named by -c */
    bool configured;         /* it exists and was read */
    const char *mistake;     /* "file:line: ..." when the file is not in order and may not say where things are */
    const char *socket, *journal, *rrd, *secrets;
    const char *key;                /* the daemon's sealing key */
    const char *const *plugin_dirs; /* NULL-terminated */
};

/* 0, or a negative code with *why (a file named by -c is missing). A file with a mistake is no failure: a daemon that
 * runs is asked whatever is being written into its file. */
int places_find(struct cli *cli, struct places *out, struct why *why);
/* The path made absolute by the working directory. */
const char *places_absolute(struct cli *cli, const char *path);

#endif
