/* SPDX-License-Identifier: GPL-3.0-or-later */
/* output - what `belfry check` prints besides the plugin output itself: a plugin's --help, -v, JSON. */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/cli/check.h"
#include "core/cli/control.h"
#include "core/cli/describe.h"
#include "core/model/state.h"

const char *output_name(struct arena *arena, const char *plugin)
{
    const char *slash = strrchr(plugin, '/');
    char *name = arena_text(arena, slash ? slash + 1 : plugin);
    size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, ".so") == 0)
        name[length - 3] = '\0';
    for (char *c = name; *c; c++)
        *c = isgraph((unsigned char)*c) && *c != '|' ? (char)toupper((unsigned char)*c) : '_';
    return name;
}

void output_help(const struct check *check, struct buf *out)
{
    const struct plugin_info *info = &check->plugin.info;
    buf_print(out,
              "%s %s - %s\n\nUsage: belfry check %s [KEY=VALUE ...] [-w METRIC=RANGE] [-c METRIC=RANGE] "
              "[-t SECONDS] [-v]\n",
              info->name, info->version, info->summary, check->args->plugin);
    describe_tables(&check->cli->arena, &check->cli->term, info, out);
    buf_text(out, "\nMore: 'belfry check --help', 'belfry plugins info NAME'\n");
}

/* ---- -v ------------------------------------------------------------------------------------------------------- */

static void add_options(const struct check *check, struct buf *out)
{
    for (uint32_t i = 0; i < check->task.option_count; i++) {
        const struct task_option *option = &check->task.options[i];
        const struct plugin_option *known = plugin_option_find(&check->plugin.info, option->name);
        for (uint32_t k = 0; k < option->count; k++)
            buf_print(out, "option %s%s%s = %s\n", option->name, option->keys ? "." : "",
                      option->keys ? option->keys[k] : "", known && known->secret ? "***" : option->values[k]);
    }
}

static void add_metrics(const struct check *check, struct buf *out)
{
    char warn[RANGE_TEXT_SIZE], crit[RANGE_TEXT_SIZE], value[TEXT_VALUE_SIZE];
    for (uint32_t i = 0; i < check->verdict.metric_count; i++) {
        const struct judged_metric *judged = &check->verdict.metrics[i];
        const struct result_metric *metric = judged->metric;
        buf_print(out, "metric %s%s%s = %s", metric->part ? metric->part : "", metric->part ? " " : "", metric->name,
                  text_format_value(value, metric->value, metric->unit));
        if (judged->warn.set)
            buf_print(out, ", warning %s", range_format(warn, &judged->warn));
        if (judged->crit.set)
            buf_print(out, ", critical %s", range_format(crit, &judged->crit));
        buf_char(out, '\n');
    }
}

void output_verbose(const struct check *check, struct buf *out)
{
    struct buf more = { 0 };
    char took[TEXT_VALUE_SIZE];
    buf_print(&more, "plugin %s %s, %s\n", check->plugin.info.name, check->plugin.info.version,
              check->plugin.info.path);
    add_options(check, &more);
    buf_print(&more, "target %s, took %s\n", check->result.reached ? "reached" : "not reached",
              text_format_value(took, check->result.duration_us / 1e6, "s"));
    add_metrics(check, &more);
    for (char *c = more.data; *c; c++)
        if (*c == '|') /* would begin performance data */
            *c = '/';
    buf_text(out, cli_visible_lines(check->cli, more.data));
    buf_close(&more);
}

/* ---- JSON ----------------------------------------------------------------------------------------------------- */

/* A text that may not be UTF-8. */
static json_t *pack_text(const struct check *check, const char *text)
{
    if (text == NULL)
        return json_null();
    json_t *json = json_string(text);
    return json ? json : json_string(cli_visible_lines(check->cli, text));
}

static json_t *pack_range(const struct range *range)
{
    char text[RANGE_TEXT_SIZE];
    return range->set ? json_string(range_format(text, range)) : json_null();
}

static json_t *pack_metric(const struct check *check, const struct judged_metric *judged)
{
    const struct result_metric *m = judged->metric;
    return json_pack("{so ss so so ss so so so so}", "part", pack_text(check, m->part), "name", m->name, "unit",
                     pack_text(check, m->unit), "value", isfinite(m->value) ? json_real(m->value) : json_null(),
                     "state", state_name(judged->state), "warn", pack_range(&judged->warn), "crit",
                     pack_range(&judged->crit), "min", pack_text(check, m->min), "max", pack_text(check, m->max));
}

static json_t *pack_metrics(const struct check *check)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < check->verdict.metric_count; i++)
        json_array_append_new(list, pack_metric(check, &check->verdict.metrics[i]));
    return list;
}

static json_t *pack_parts(const struct check *check)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < check->verdict.part_count; i++) {
        const struct judged_part *part = &check->verdict.parts[i];
        json_array_append_new(list, json_pack("{so ss so}", "name", pack_text(check, part->part->name), "state",
                                              state_name(part->state), "text", pack_text(check, part->text)));
    }
    return list;
}

static json_t *pack_events(const struct check *check)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < check->result.event_count; i++) {
        const struct result_event *event = &check->result.events[i];
        json_array_append_new(list, json_pack("{so so so}", "type", pack_text(check, event->type), "part",
                                              pack_text(check, event->part), "text", pack_text(check, event->text)));
    }
    return list;
}

void output_json(const struct check *check, struct buf *out)
{
    const struct plugin_info *info = &check->plugin.info;
    json_t *json = json_pack("{ss ss ss si sb so so sf so so so}", "plugin", info->name, "version", info->version,
                             "state", state_name(check->verdict.state), "exit", (int)check->verdict.state, "reached",
                             (int)check->result.reached, "text", pack_text(check, check->verdict.text), "detail",
                             pack_text(check, check->result.detail), "duration_ms", check->result.duration_us / 1e3,
                             "metrics", pack_metrics(check), "parts", pack_parts(check), "events", pack_events(check));
    char *text = json ? json_dumps(json, CONTROL_JSON) : NULL;
    buf_print(out, "%s\n", text ? text : "null");
    free(text);
    json_decref(json);
}
