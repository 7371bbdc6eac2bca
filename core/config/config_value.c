/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_value - what one setting says, as text, number, flag, duration or size, and the values of a plugin's option.
 *
 * An option is handed to its plugin as text, whatever kind libconfig made of it: port = 6379; and port = "6379"; are
 * the same. Only a duration must say its unit. In texts of options and titles $name and ${name} stand for what `each`
 * gives to the instance, $$ for a single $; a $ before anything else ("^OK$") is a $. */
#include "core/config/config_load.h"

#include <string.h>

#include "core/base/text.h"

static bool is_integer(const config_setting_t *setting)
{
    return setting->type == CONFIG_TYPE_INT || setting->type == CONFIG_TYPE_INT64;
}

bool value_text(struct load *load, const config_setting_t *setting, const char **out)
{
    if (setting->type == CONFIG_TYPE_STRING) {
        *out = config_setting_get_string(setting);
        return true;
    }
    setting_error(load, setting, "'%s' is a text: write it in quotes", setting_name(setting));
    return false;
}

bool value_flag(struct load *load, const config_setting_t *setting, bool *out)
{
    if (setting->type == CONFIG_TYPE_BOOL) {
        *out = config_setting_get_bool(setting) != 0;
        return true;
    }
    setting_error(load, setting, "'%s' is true or false, without quotes", setting_name(setting));
    return false;
}

bool value_integer(struct load *load, const config_setting_t *setting, int64_t min, int64_t max, int64_t *out)
{
    if (is_integer(setting)) {
        int64_t value = config_setting_get_int64(setting);
        if (value >= min && value <= max) {
            *out = value;
            return true;
        }
    }
    setting_error(load, setting, "'%s' is a whole number from %lld to %lld", setting_name(setting), (long long)min,
                  (long long)max);
    return false;
}

bool value_number(struct load *load, const config_setting_t *setting, double min, double max, double *out)
{
    if (is_integer(setting) || setting->type == CONFIG_TYPE_FLOAT) {
        double value =
            is_integer(setting) ? (double)config_setting_get_int64(setting) : config_setting_get_float(setting);
        if (value >= min && value <= max) {
            *out = value;
            return true;
        }
    }
    char least[TEXT_NUMBER_SIZE], most[TEXT_NUMBER_SIZE];
    setting_error(load, setting, "'%s' is a number from %s to %s", setting_name(setting),
                  text_format_number(least, min), text_format_number(most, max));
    return false;
}

bool value_duration(struct load *load, const config_setting_t *setting, int64_t min, int64_t max, int64_t *out_ms)
{
    char least[TEXT_DURATION_SIZE], most[TEXT_DURATION_SIZE];
    const char *name = setting_name(setting), *written = value_written(load, setting);
    int64_t value;
    if (!written || setting->type == CONFIG_TYPE_BOOL) {
        setting_error(load, setting, "'%s' is a duration: write it as \"90s\", \"5m\" or \"36h\"", name);
    } else if (setting->type != CONFIG_TYPE_STRING) {
        setting_error(load, setting, "'%s' needs a unit: write \"%ss\" for seconds", name, written);
    } else if (text_duration(written, &value) != 0) {
        setting_error(load, setting, "'%s' = \"%s\" is not a duration: write it as \"90s\", \"5m\" or \"36h\"", name,
                      written);
    } else if (value < min || value > max) {
        setting_error(load, setting, "'%s' = \"%s\" is out of range: write a duration from \"%s\" to \"%s\"", name,
                      written, text_format_duration(least, min), text_format_duration(most, max));
    } else {
        *out_ms = value;
        return true;
    }
    return false;
}

bool value_size(struct load *load, const config_setting_t *setting, int64_t min, int64_t max, int64_t *out)
{
    const char *name = setting_name(setting), *written = value_written(load, setting);
    int64_t value;
    if (!written || text_size(written, &value) != 0) {
        setting_error(load, setting, "'%s' is a size: write it as \"64KiB\" or \"16MiB\"", name);
    } else if (value < min || value > max) {
        setting_error(load, setting, "'%s' = \"%s\" is out of range: write a size from %lld to %lld bytes", name,
                      written, (long long)min, (long long)max);
    } else {
        *out = value;
        return true;
    }
    return false;
}

const char *const *value_texts(struct load *load, const config_setting_t *setting)
{
    bool single = setting->type == CONFIG_TYPE_STRING;
    int count = single ? 1 : config_setting_length(setting);
    const char **texts = arena_array(&load->arena, (size_t)count + 1, sizeof(*texts));
    if (!single && !config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        setting_error(load, setting, "'%s' is a text or a list of texts: write [ \"a\", \"b\" ]",
                      setting_name(setting));
        return NULL;
    }
    for (int i = 0; i < count; i++)
        if (!value_text(load, single ? setting : config_setting_get_elem(setting, (unsigned)i), &texts[i]))
            return NULL;
    return texts;
}

const char *value_written(struct load *load, const config_setting_t *setting)
{
    char number[TEXT_NUMBER_SIZE];
    switch (setting->type) {
    case CONFIG_TYPE_STRING:
        return config_setting_get_string(setting);
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return arena_print(&load->arena, "%lld", config_setting_get_int64(setting));
    case CONFIG_TYPE_FLOAT:
        return arena_text(&load->arena, text_format_number(number, config_setting_get_float(setting)));
    case CONFIG_TYPE_BOOL:
        return config_setting_get_bool(setting) ? "true" : "false";
    default:
        return NULL;
    }
}

/* ---- $name --------------------------------------------------------------------------------------------------- */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static size_t name_length(const char *text)
{
    size_t n = 0;
    if (!is_lower(text[0]))
        return 0;
    while (is_lower(text[n]) || (text[n] >= '0' && text[n] <= '9') || text[n] == '_')
        n++;
    return n;
}

static const char *find_value(const struct instance *instance, const char *name, size_t n)
{
    for (unsigned i = 0; instance && instance->names[i]; i++)
        if (strlen(instance->names[i]) == n && memcmp(instance->names[i], name, n) == 0)
            return instance->values[i];
    return NULL;
}

static void say_unknown(struct load *load, const config_setting_t *setting, const char *name, size_t n,
                        const struct instance *instance)
{
    if (instance && instance->names[0])
        setting_error(load, setting, "'$%.*s' is not one of the names of each%s; a plain '$' is written '$$'", (int)n,
                      name, suggest(load, arena_text_n(&load->arena, name, n), instance->names));
    else
        setting_error(load, setting,
                      "'$%.*s' is unknown, because the check has no each: write each = { %.*s = [ ... ]; }, or '$$' "
                      "for a plain '$'",
                      (int)n, name, (int)n, name);
}

const char *value_expand(struct load *load, const config_setting_t *setting, const char *text,
                         const struct instance *instance)
{
    if (!strchr(text, '$'))
        return arena_text(&load->config->arena, text);
    struct buf out = { .max_bytes = TASK_VALUE_BYTES_MAX };
    const char *expanded = "";
    while (*text && expanded) {
        bool braced = text[0] == '$' && text[1] == '{';
        const char *name = text + 1 + braced;
        size_t n = text[0] == '$' ? name_length(name) : 0;
        if (n > 0 && (!braced || name[n] == '}')) {
            const char *value = find_value(instance, name, n);
            if (!value) {
                say_unknown(load, setting, name, n, instance);
                expanded = NULL;
            } else {
                buf_text(&out, value);
            }
            text = name + n + braced;
        } else {
            buf_char(&out, *text);
            text += text[0] == '$' && text[1] == '$' ? 2 : 1;
        }
    }
    if (expanded && out.overflowed) {
        setting_error(load, setting, "'%s' is longer than 64 KiB with its $names replaced", setting_name(setting));
        expanded = NULL;
    }
    if (expanded)
        expanded = out.length ? arena_text(&load->config->arena, out.data) : "";
    buf_close(&out);
    return expanded;
}

/* ---- a plugin's options -------------------------------------------------------------------------------------- */

static bool read_one(struct load *load, const config_setting_t *setting, const struct plugin_option *option,
                     const struct instance *instance, const char **out)
{
    struct why why = { "" };
    const char *written = value_written(load, setting);
    if (!written) {
        setting_error(load, setting, "option '%s' takes single values: write %s", option->name,
                      option->example ? arena_print(&load->arena, "\"%s\"", option->example)
                                      : plugin_type_doc(option->type));
        return false;
    }
    if (option->type == BELFRY_DURATION && setting->type != CONFIG_TYPE_STRING) {
        setting_error(load, setting, "option '%s' needs a unit: write \"%ss\" for seconds", option->name, written);
        return false;
    }
    *out = value_expand(load, setting, written, instance);
    if (!*out)
        return false;
    if (option->secret)
        return secret_check(load, setting, option->name, *out);
    if (plugin_option_check(option, *out, &why) != 0) {
        setting_error(load, setting, "%s", why.text);
        return false;
    }
    return true;
}

/* The shape a setting must have for the option. */
static bool check_shape(struct load *load, const config_setting_t *setting, const struct plugin_option *option)
{
    bool list = config_setting_is_array(setting) || config_setting_is_list(setting);
    bool group = config_setting_is_group(setting);
    if (option->map ? group : !group && (option->list || !list))
        return true;
    setting_error(load, setting, "option '%s' is %s", option->name,
                  option->map    ? "a group of values: write { name = \"value\"; }"
                  : option->list ? "a list: write [ \"a\", \"b\" ]"
                                 : "a single value, not a list or group");
    return false;
}

bool value_option(struct load *load, const config_setting_t *setting, const struct plugin_option *option,
                  const struct instance *instance, struct task_option *out)
{
    if (!check_shape(load, setting, option))
        return false;
    bool single = config_setting_is_scalar(setting);
    int count = single ? 1 : config_setting_length(setting);
    if (count > TASK_VALUES_MAX) {
        setting_error(load, setting, "option '%s' has more than %d values", option->name, TASK_VALUES_MAX);
        return false;
    }
    struct arena *arena = &load->config->arena;
    *out = (struct task_option){ .name = arena_text(arena, option->name) };
    out->values = arena_array(arena, (size_t)count + 1, sizeof(*out->values));
    out->keys = option->map ? arena_array(arena, (size_t)count + 1, sizeof(*out->keys)) : NULL;
    bool good = true;
    for (int i = 0; i < count; i++) {
        const config_setting_t *at = single ? setting : setting_at(setting, i);
        if (!at)
            continue;
        good &= read_one(load, at, option, instance, &out->values[out->count]);
        if (out->keys)
            out->keys[out->count] = arena_text(arena, at->name);
        out->count++;
    }
    return good;
}
