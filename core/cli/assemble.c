/* SPDX-License-Identifier: GPL-3.0-or-later */
/* assemble - from the words of `belfry check` to a task and thresholds.
 *
 *     key=value        an option; given again, one more value of a list
 *     key.name=value   one value of a map
 *     key=@FILE        of a secret option: the first 64 KiB of the file, without the newline at its end; @NAME without
 *                      a slash is the file NAME in the secrets folder. A secret written out is taken, but every user
 *                      of the machine can read it in the list of processes: -v says so.
 *     METRIC=RANGE     a threshold; an empty range switches the plugin's own off */
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/cli/check.h"

#define SECRET_MAX 65536

/* ---- options -------------------------------------------------------------------------------------------------- */

static int unknown_option(const struct check *check, const char *name, struct why *why)
{
    const struct plugin_info *info = &check->plugin.info;
    const char *names[PLUGIN_OPTIONS_MAX + 1] = { NULL };
    for (uint32_t i = 0; i < info->option_count; i++)
        names[i] = info->options[i].name;
    const char *near = text_nearest(name, names);
    return why_say(why, ERROR_UNKNOWN_NAME, "plugin '%s' has no option '%s'%s%s%s", info->name, name,
                   near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static struct task_option *take_option(struct check *check, const char *name)
{
    for (uint32_t i = 0; i < check->task.option_count; i++)
        if (strcmp(check->task.options[i].name, name) == 0)
            return &check->task.options[i];
    struct task_option *option = &check->task.options[check->task.option_count++];
    size_t most = check->args->values.count + 1;
    option->name = name;
    option->values = arena_array(&check->cli->arena, most, sizeof *option->values);
    return option;
}

static int read_secret(const struct check *check, const char *name, const char *reference, const char **value,
                       struct why *why)
{
    struct arena *arena = &check->cli->arena;
    const char *path = strchr(reference, '/') ? reference : file_join(arena, check->secrets, reference);
    char *text;
    size_t length;
    int code = file_read(arena, path, SECRET_MAX, &text, &length);
    if (code != 0)
        return why_say(why, code, "option '%s': can't read the secret '%s': %s", name, path, error_text(code));
    if (length && text[length - 1] == '\n')
        text[length - 1] = '\0';
    *value = text;
    return 0;
}

/* What stands for a secret is replaced by it. */
static int resolve(const struct check *check, const struct plugin_option *known, const char **value, struct why *why)
{
    if (!known->secret)
        return 0;
    if ((*value)[0] == '@')
        return read_secret(check, known->name, *value + 1, value, why);
    if (check->args->verbose)
        fprintf(stderr, "belfry: '%s' can be read by everybody in the list of processes; write %s=@FILE\n", known->name,
                known->name);
    return 0;
}

static int add_value(struct check *check, const char *name, const char *key, const char *value, struct why *why)
{
    const struct plugin_option *known = plugin_option_find(&check->plugin.info, name);
    if (known == NULL)
        return unknown_option(check, name, why);
    if (known->map != (key != NULL))
        return why_say(why, ERROR_SYNTAX,
                       known->map ? "option '%s' is a map: write %s.NAME=VALUE"
                                  : "option '%s' is not a map: write %s=VALUE",
                       name, name);
    int code = resolve(check, known, &value, why);
    if (code != 0)
        return code;
    struct task_option *option = take_option(check, known->name);
    if (option->count && !known->list && !known->map)
        return why_say(why, ERROR_LIMIT, "option '%s' takes one value and was given twice", name);
    if (key && option->keys == NULL)
        option->keys = arena_array(&check->cli->arena, check->args->values.count + 1, sizeof *option->keys);
    if (key)
        option->keys[option->count] = key;
    option->values[option->count++] = value;
    return 0;
}

static int add_word(struct check *check, const char *word, struct why *why)
{
    struct arena *arena = &check->cli->arena;
    const char *equals = strchr(word, '=');
    if (equals == NULL || equals == word)
        return why_say(why, ERROR_SYNTAX, "'%s' is not KEY=VALUE", word);
    const char *name = arena_text_n(arena, word, (size_t)(equals - word));
    const char *dot = strchr(name, '.');
    if (dot == NULL)
        return add_value(check, name, NULL, equals + 1, why);
    return add_value(check, arena_text_n(arena, name, (size_t)(dot - name)), dot + 1, equals + 1, why);
}

int assemble_task(struct check *check, struct why *why)
{
    const struct check_args *args = check->args;
    int code = 0;
    check->task.id = check->plugin.info.name;
    check->task.options = arena_array(&check->cli->arena, PLUGIN_OPTIONS_MAX, sizeof *check->task.options);
    if (args->host)
        code = add_value(check, "host", NULL, args->host, why);
    for (size_t i = 0; i < args->values.count && code == 0; i++)
        code = add_word(check, args->values.items[i], why);
    return code ? code : task_check(&check->task, &check->plugin.info, why);
}

/* ---- thresholds ----------------------------------------------------------------------------------------------- */

static struct threshold *take_threshold(struct check *check, const char *metric)
{
    for (uint32_t i = 0; i < check->threshold_count; i++)
        if (strcmp(check->thresholds[i].metric, metric) == 0)
            return &check->thresholds[i];
    if (check->threshold_count == CHECK_THRESHOLDS_MAX)
        return NULL;
    struct threshold *threshold = &check->thresholds[check->threshold_count++];
    threshold->metric = metric;
    return threshold;
}

static int add_threshold(struct check *check, const char *letter, const char *word, struct why *why)
{
    struct why reason = { "" };
    struct limit limit = { .compares = false };
    const char *equals = strchr(word, '=');
    if (equals == NULL || equals == word)
        return why_say(why, ERROR_SYNTAX, "'%s %s' is not METRIC=RANGE", letter, word);
    if (equals[1] && limit_parse(equals + 1, &limit, &reason) != 0)
        return why_say(why, ERROR_SYNTAX, "'%s %s': %s", letter, word, reason.text);
    if (limit.compares)
        return why_say(why, ERROR_SYNTAX,
                       "'%s %s': without a daemon there is no baseline, write a range, for example %s=~:10", letter,
                       word, arena_text_n(&check->cli->arena, word, (size_t)(equals - word)));
    struct threshold *threshold =
        take_threshold(check, arena_text_n(&check->cli->arena, word, (size_t)(equals - word)));
    if (threshold == NULL)
        return why_say(why, ERROR_LIMIT, "more than %d thresholds", CHECK_THRESHOLDS_MAX);
    bool warn = letter[1] == 'w';
    *(warn ? &threshold->warn_given : &threshold->crit_given) = true;
    *(warn ? &threshold->warn : &threshold->crit) = limit;
    return 0;
}

int assemble_thresholds(struct check *check, struct why *why)
{
    const struct check_args *args = check->args;
    int code = 0;
    for (size_t i = 0; i < args->warn.count && code == 0; i++)
        code = add_threshold(check, "-w", args->warn.items[i], why);
    for (size_t i = 0; i < args->crit.count && code == 0; i++)
        code = add_threshold(check, "-c", args->crit.items[i], why);
    return code;
}

static bool was_measured(const struct check *check, const char *metric)
{
    for (uint32_t i = 0; i < check->result.metric_count; i++)
        if (strcmp(check->result.metrics[i].name, metric) == 0)
            return true;
    return plugin_metric_find(&check->plugin.info, metric) != NULL;
}

static int unknown_metric(const struct check *check, const char *metric, struct why *why)
{
    const struct plugin_info *info = &check->plugin.info;
    const char *names[PLUGIN_METRICS_MAX + 1] = { NULL };
    for (uint32_t i = 0; i < info->metric_count; i++)
        names[i] = info->metrics[i].name;
    const char *near = text_nearest(metric, names);
    return why_say(why, ERROR_UNKNOWN_NAME, "plugin '%s' measured no '%s'%s%s%s", info->name, metric,
                   near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int assemble_verify(const struct check *check, struct why *why)
{
    if (check->result.end != RESULT_RETURNED || !check->result.reached)
        return 0; /* there is nothing to compare with */
    for (uint32_t i = 0; i < check->threshold_count; i++)
        if (!was_measured(check, check->thresholds[i].metric))
            return unknown_metric(check, check->thresholds[i].metric, why);
    return 0;
}
