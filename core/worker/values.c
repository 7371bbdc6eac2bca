/* SPDX-License-Identifier: GPL-3.0-or-later */
/* values - options as a run reads them. Types that are read as text only have no converter. */
#include "core/worker/values.h"

#include <string.h>

#include "core/base/text.h"

static int convert_integer(const char *text, struct option_value *out)
{
    return text_integer(text, &out->integer);
}

static int convert_number(const char *text, struct option_value *out)
{
    return text_number(text, &out->number);
}

static int convert_flag(const char *text, struct option_value *out)
{
    return text_flag(text, &out->flag);
}

static int convert_duration(const char *text, struct option_value *out)
{
    int64_t ms;
    int rc = text_duration(text, &ms);
    if (rc == 0)
        out->number = (double)ms / 1000;
    return rc;
}

static int convert_size(const char *text, struct option_value *out)
{
    return text_size(text, &out->integer);
}

static int (*const converters[])(const char *text, struct option_value *out) = {
    [BELFRY_INTEGER] = convert_integer,
    [BELFRY_NUMBER] = convert_number,
    [BELFRY_FLAG] = convert_flag,
    [BELFRY_DURATION] = convert_duration,
    [BELFRY_SIZE] = convert_size,
    [BELFRY_PORT] = convert_integer,
    [BELFRY_RANGE] = NULL,
};

static int bind_option(const struct plugin_option *option, const struct task *task, struct option_value *out,
                       struct why *why)
{
    const struct task_option *given = task_option_find(task, option->name);
    out->option = option;
    if (given != NULL) {
        out->values = given->values;
        out->keys = given->keys;
        out->count = given->count;
    } else if (option->fallback != NULL) {
        out->values = &option->fallback;
        out->count = 1;
    }
    bool known = option->type > 0 && (size_t)option->type < sizeof(converters) / sizeof(converters[0]);
    if (out->count == 0 || !known || converters[option->type] == NULL)
        return 0;
    int rc = converters[option->type](out->values[0], out);
    return rc == 0 ? 0 : why_say(why, rc, "option '%s': %s", option->name, error_text(rc));
}

int values_bind(struct arena *arena, const struct plugin_info *info, const struct task *task, struct values *out,
                struct why *why)
{
    int rc = task_check(task, info, why);
    out->count = info->option_count;
    out->list = arena_array(arena, info->option_count + 1, sizeof(*out->list));
    for (uint32_t i = 0; rc == 0 && i < info->option_count; i++)
        rc = bind_option(&info->options[i], task, &out->list[i], why);
    return rc;
}

const struct option_value *values_find(const struct values *values, const char *name)
{
    for (uint32_t i = 0; name != NULL && i < values->count; i++) {
        const char *known = values->list[i].option->name;
        if (known[0] == name[0] && strcmp(known, name) == 0)
            return &values->list[i];
    }
    return NULL;
}
