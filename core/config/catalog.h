/* SPDX-License-Identifier: GPL-3.0-or-later */
/* catalog - which plugins the plugin folders hold, and what each says of itself. No plugin is loaded here:
 * `belfry-worker
 * --catalog FOLDER...` describes each file in a process of its own and writes one WIRE_CATALOG or WIRE_REJECTED frame a
 * file. The keeper feeds the frames as they come; the command line reads them to the end. */
#ifndef CONFIG_CATALOG_H
#define CONFIG_CATALOG_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/wire.h"
#include "core/model/plugin.h"

struct catalog_rejection {
    const char *path, *why;
};

struct catalog {
    struct arena arena;
    struct plugin_info **plugins; /* sorted by name */
    uint32_t plugin_count;
    struct catalog_rejection *rejections; /* sorted by path; a second file with a name already taken is one */
    uint32_t rejection_count;
};

struct catalog *catalog_new(void);
void catalog_close(struct catalog **catalog);
/* Takes one frame; 0 or ERROR_PROTOCOL. Files come in the order of the folders; the first of a name wins. */
int catalog_take(struct catalog *catalog, struct wire_frame *frame);
/* To be called after the last frame: sorts. */
void catalog_finish(struct catalog *catalog);
/* Starts belfry-worker --catalog; the read end of its frames in *fd. The pid or a negative code. */
int catalog_spawn(const char *const *folders, int *fd);
/* All at once, blocking, at most timeout_ms: for the command line and the daemon's start. */
int catalog_read(const char *const *folders, int64_t timeout_ms, struct catalog **out, struct why *why);

const struct plugin_info *catalog_find(const struct catalog *catalog, const char *name);

#endif
