/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proc - reading the kernel's text files. */
#ifndef PLUGINS_HOST_PROC_H
#define PLUGINS_HOST_PROC_H

#include <stdint.h>

#include "plugins/host/host.h"

/* The whole file below the run's root (at most 1 MiB), or NULL when it can't be read. */
const char *proc_read(struct host_run *run, const char *path);
/* The rest of the first line that begins with `key`, or NULL. */
const char *proc_find(const char *text, const char *key);
/* The unsigned number that follows `key` at the beginning of a line. */
bool proc_number(const char *text, const char *key, uint64_t *out);

#endif
