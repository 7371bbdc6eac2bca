/* SPDX-License-Identifier: GPL-3.0-or-later */
/* discover - what runs on this machine that Belfry can watch: looks at sockets and asks the few that are well known, on
 * loopback only, one short question each. */
#ifndef CLI_DISCOVER_H
#define CLI_DISCOVER_H

#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/buf.h"

struct found {
    const char *service; /* name of the service block */
    const char *title;
    const char *why;   /* "a Redis answers on 127.0.0.1:6379" */
    const char *check; /* its one check: name, plugin and options, as they go into the file */
    const char *plugin, *options;
};

#define FOUND_MAX 32

/* Fills found, returns how many. */
size_t discover(struct arena *arena, struct found found[FOUND_MAX]);

#endif
