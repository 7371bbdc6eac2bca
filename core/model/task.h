/* SPDX-License-Identifier: GPL-3.0-or-later */
/* task - a check as a worker needs it: its options' values, nothing of its schedule. The same shape carries the options
 * of `belfry check PLUGIN key=value`. Values are text as it was written; secrets are already resolved. */
#ifndef MODEL_TASK_H
#define MODEL_TASK_H

#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/wire.h"
#include "core/model/plugin.h"

#define TASK_OPTIONS_MAX 256
#define TASK_VALUES_MAX 4096
#define TASK_VALUE_BYTES_MAX 65536

struct task_option {
    const char *name;
    const char **keys; /* of a map; else NULL */
    const char **values;
    uint32_t count;
};

struct task {
    const char *id; /* "service/check"; the plugin's name on the command line */
    struct task_option *options;
    uint32_t option_count;
};

void task_encode(struct buf *out, const struct task *task);
int task_decode(struct wire_reader *r, struct arena *arena, struct task *out);
const struct task_option *task_option_find(const struct task *task, const char *name);
/* Every option known, required ones present, each value of its type: 0 or a negative code with *why. */
int task_check(const struct task *task, const struct plugin_info *info, struct why *why);

#endif
