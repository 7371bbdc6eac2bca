/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host - loading a plugin and being its host: what belfry-worker and `belfry check` share. */
#ifndef WORKER_HOST_H
#define WORKER_HOST_H

#include "core/base/error.h"
#include "core/model/plugin.h"
#include "core/model/result.h"
#include "core/model/task.h"

/* Numbers of items by their names: open addressing, item + 1 in a cell. */
struct run_index {
    uint16_t *cells;
    uint32_t size;
};

struct loaded_plugin {
    const struct belfry_plugin *plugin;
    void *handle;
    struct plugin_info info;
    struct run_index metrics; /* of info; empty: not made */
    struct arena arena;       /* of both */
};

/* Opens the file by the trust rule (file_open_trusted), reads it into a sealed memory file (so that what was checked is
 * what is loaded, and replacing the file on disk never pulls pages from under running code), reads magic, sizes and ABI
 * out of the ELF file before any code of it runs, then dlopens. 0 or a negative code; *why names the file, what was
 * found and what was wanted. Never unloaded. */
int plugin_load(const char *path, struct loaded_plugin *out, struct why *why);
/* The path of plugin `name` (or `name` itself when it has a '/') in the folders: the first FOLDER/name.so, else the
 * file whose descriptor says that name. 0 or ERROR_UNKNOWN_NAME with the nearest names. */
int plugin_locate(const char *const *folders, const char *name, struct arena *arena, const char **path,
                  struct why *why);

/* Runs the plugin here and now in this thread with poll(): the command line's host. The result is in the arena. */
void host_run(const struct loaded_plugin *plugin, const struct task *task, int64_t timeout_ms, struct arena *arena,
              struct result *out);

#endif
