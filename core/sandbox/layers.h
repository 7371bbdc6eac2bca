/* SPDX-License-Identifier: GPL-3.0-or-later */
/* layers - the two layers of a sandbox. Only the files of core/sandbox include it. */
#ifndef SANDBOX_LAYERS_H
#define SANDBOX_LAYERS_H

#include <stdint.h>

#include "core/base/error.h"

/* ---- calls.c: kinds of system calls, by what they can do */

enum calls {
    CALLS_BASE = 1,     /* memory, threads, time, descriptors that are there, signals to itself */
    CALLS_READ = 2,     /* opening files that exist */
    CALLS_WRITE = 4,    /* making, changing and removing files: where, the paths say */
    CALLS_NETWORK = 8,  /* new sockets: internet, unix, routing; outgoing */
    CALLS_LOCAL = 32,   /* unix sockets only, outgoing */
    CALLS_PROGRAMS = 16 /* starting programs, and whatever programs may want */
};

/* Everything but these kinds is forbidden from now on, to this thread and those it starts. 0 or a negative code. */
int calls_restrict(uint32_t kinds, struct why *why);

/* ---- paths.c */

enum paths {
    PATHS_READ = 1,
    PATHS_RUN = 2,   /* execve() */
    PATHS_WRITE = 4, /* of a folder: make, change, rename and remove below it */
};

struct path_rule {
    const char *path; /* what does not exist is no mistake: it is not there to be opened */
    unsigned rights;
};

/* Nothing but what the rules name can be opened from now on. lists: NULL-terminated; each list ends with a rule without
 * a path. Landlock's version (from 1 on) or a negative code. */
int paths_restrict(const struct path_rule *const *lists, struct why *why);

#endif
