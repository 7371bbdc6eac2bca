/* SPDX-License-Identifier: GPL-3.0-or-later */
/* task - on the wire: id text, options (count u32; name text, map u8, values (count u32; key text when a map, value
 * text)). */
#include "core/model/task.h"

#include <string.h>

#include "core/base/text.h"
#include "core/model/result.h"

#define TASK_ID_MAX 256
#define OPTION_BYTES_MIN 9

void task_encode(struct buf *out, const struct task *task)
{
    wire_put_text(out, task->id);
    wire_put_u32(out, task->option_count);
    for (uint32_t i = 0; i < task->option_count; i++) {
        const struct task_option *option = &task->options[i];
        wire_put_text(out, option->name);
        wire_put_u8(out, option->keys != NULL);
        wire_put_u32(out, option->count);
        for (uint32_t j = 0; j < option->count; j++) {
            if (option->keys)
                wire_put_text(out, option->keys[j]);
            wire_put_text(out, option->values[j]);
        }
    }
}

/* A text that must be there; least: its least length. */
static const char *read_text(struct wire_reader *r, struct arena *arena, size_t max_bytes, size_t least)
{
    const char *text = wire_text(r, arena, max_bytes);
    if (!text || strnlen(text, least) < least)
        r->failed = true;
    return text;
}

static void read_option(struct wire_reader *r, struct arena *arena, struct task_option *option)
{
    option->name = read_text(r, arena, RESULT_NAME_MAX, 1);
    uint8_t map = wire_u8(r);
    option->count = wire_count(r, TASK_VALUES_MAX, map ? 8 : 4);
    if (map > 1)
        r->failed = true;
    option->keys = map ? arena_array(arena, option->count, sizeof *option->keys) : NULL;
    option->values = arena_array(arena, option->count, sizeof *option->values);
    for (uint32_t i = 0; i < option->count && !r->failed; i++) {
        if (map)
            option->keys[i] = read_text(r, arena, TASK_VALUE_BYTES_MAX, 1);
        option->values[i] = read_text(r, arena, TASK_VALUE_BYTES_MAX, 0);
    }
}

int task_decode(struct wire_reader *r, struct arena *arena, struct task *out)
{
    *out = (struct task){ 0 };
    out->id = read_text(r, arena, TASK_ID_MAX, 1);
    out->option_count = wire_count(r, TASK_OPTIONS_MAX, OPTION_BYTES_MIN);
    out->options = arena_array(arena, out->option_count, sizeof *out->options);
    for (uint32_t i = 0; i < out->option_count && !r->failed; i++)
        read_option(r, arena, &out->options[i]);
    return r->failed ? ERROR_PROTOCOL : 0;
}

const struct task_option *task_option_find(const struct task *task, const char *name)
{
    for (uint32_t i = 0; i < task->option_count; i++) {
        if (strcmp(task->options[i].name, name) == 0)
            return &task->options[i];
    }
    return NULL;
}

static int refuse_unknown(const char *name, const struct plugin_info *info, struct why *why)
{
    const char *names[PLUGIN_OPTIONS_MAX + 1] = { NULL };
    for (uint32_t i = 0; i < info->option_count && i < PLUGIN_OPTIONS_MAX; i++)
        names[i] = info->options[i].name;
    const char *nearest = text_nearest(name, names);
    if (nearest)
        return why_say(why, ERROR_UNKNOWN_NAME, "plugin '%s' has no option '%s', did you mean '%s'", info->name, name,
                       nearest);
    return why_say(why, ERROR_UNKNOWN_NAME, "plugin '%s' has no option '%s', see `belfry plugins info %s`", info->name,
                   name, info->name);
}

/* One value, a list or a map, as the plugin declared it. */
static int check_shape(const struct task_option *option, const struct plugin_option *declared, struct why *why)
{
    if (declared->map && !option->keys)
        return why_say(why, ERROR_SYNTAX, "option '%s' wants names with values, write %s = { name = \"value\"; }",
                       option->name, option->name);
    if (!declared->map && option->keys)
        return why_say(why, ERROR_SYNTAX, "option '%s' takes no names, write %s", option->name,
                       declared->list ? "a list [ \"a\", \"b\" ]" : "one value");
    if (!declared->map && !declared->list && option->count != 1)
        return why_say(why, ERROR_SYNTAX, "option '%s' takes one value, %u were given", option->name, option->count);
    if (declared->required && option->count == 0)
        return why_say(why, ERROR_SYNTAX, "option '%s' is required and may not be empty", option->name);
    return 0;
}

static int check_option(const struct task_option *option, const struct plugin_info *info, struct why *why)
{
    const struct plugin_option *declared = plugin_option_find(info, option->name);
    if (!declared)
        return refuse_unknown(option->name, info, why);
    int code = check_shape(option, declared, why);
    for (uint32_t i = 0; i < option->count && code == 0; i++)
        code = plugin_option_check(declared, option->values[i], why);
    return code;
}

int task_check(const struct task *task, const struct plugin_info *info, struct why *why)
{
    for (uint32_t i = 0; i < task->option_count; i++) {
        const struct task_option *option = &task->options[i];
        if (task_option_find(task, option->name) != option)
            return why_say(why, ERROR_SYNTAX, "option '%s' is given twice, write it once", option->name);
        int code = check_option(option, info, why);
        if (code != 0)
            return code;
    }
    for (uint32_t i = 0; i < info->option_count; i++) {
        const struct plugin_option *declared = &info->options[i];
        if (declared->required && !task_option_find(task, declared->name))
            return why_say(why, ERROR_SYNTAX, "option '%s' is missing, plugin '%s' requires it (%s)", declared->name,
                           info->name, declared->doc);
    }
    return 0;
}
