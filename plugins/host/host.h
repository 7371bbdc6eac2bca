/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host - what the files of the plugin share. Each part of the machine has a file and a function, which measures and
 * adds its words to the summary. */
#ifndef PLUGINS_HOST_H
#define PLUGINS_HOST_H

#include "belfry/plugin.h"

struct host_run {
    struct belfry_probe *p;
    const char *root;     /* "" or a folder without a '/' at its end */
    const char *summary;  /* ", "-joined */
    const char *problems; /* "; "-joined, or NULL */
};

void host_say(struct host_run *run, const char *words);
void host_complain(struct host_run *run, const char *words);
void host_unreadable(struct host_run *run, const char *path); /* below root */

void host_cpu(struct host_run *run);    /* cpu.c: load and CPU */
void host_memory(struct host_run *run); /* memory.c: memory, swap, pressure */
void host_disks(struct host_run *run);  /* disks.c: file systems as parts */

#endif
