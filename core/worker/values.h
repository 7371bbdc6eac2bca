/* SPDX-License-Identifier: GPL-3.0-or-later */
/* values - a task's options, checked and converted once, so that a run only looks them up. */
#ifndef WORKER_VALUES_H
#define WORKER_VALUES_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/model/plugin.h"
#include "core/model/task.h"

struct option_value {
    const struct plugin_option *option;
    const char *const *values; /* as written */
    const char *const *keys;   /* of a map, else NULL */
    uint32_t count;            /* 0: unset and without fallback */
    int64_t integer;           /* of the first value, by the option's type */
    double number;
    bool flag;
};

struct values {
    struct option_value *list; /* in the order of the plugin's table */
    uint32_t count;
};

/* Checks the task against the plugin (task_check) and converts it. The values point into the task and the info. */
int values_bind(struct arena *arena, const struct plugin_info *info, const struct task *task, struct values *out,
                struct why *why);
const struct option_value *values_find(const struct values *values, const char *name);

#endif
