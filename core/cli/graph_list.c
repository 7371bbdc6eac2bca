/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph_list - reads what belfry-graph --list says, makes of the legends of all files one list of metrics and one
 * of parts, and prints them. */
#include "core/cli/control.h"
#include "core/cli/graph.h"

/* The metric of the name in the list, made when there is none yet. by_name: the same objects. */
static json_t *get_metric(json_t *list, json_t *by_name, const json_t *from)
{
    const char *name = json_string_value(json_object_get(from, "name"));
    json_t *metric = name ? json_object_get(by_name, name) : NULL;
    if (name == NULL || metric)
        return metric;
    metric = json_pack("{ss sO? sO? sO? sb si}", "name", name, "unit", json_object_get(from, "unit"), "warn",
                       json_object_get(from, "warn"), "crit", json_object_get(from, "crit"), "whole", 0, "parts", 0);
    json_object_set(by_name, name, metric);
    json_array_append_new(list, metric);
    return metric;
}

/* Adds the metrics of one file. */
static void add_series(json_t *metrics, json_t *parts, json_t *by_name, const json_t *series)
{
    size_t i;
    json_t *from, *part = json_object_get(series, "part");
    if (json_is_string(part))
        json_array_append(parts, part);
    json_array_foreach(control_list(series, "metrics"), i, from)
    {
        json_t *metric = control_flag(from, "live") ? get_metric(metrics, by_name, from) : NULL;
        if (metric && json_is_string(part))
            json_object_set_new(metric, "parts", json_integer(control_integer(metric, "parts") + 1));
        else if (metric)
            json_object_set_new(metric, "whole", json_true());
    }
}

int graph_list(struct cli *cli, const char *check, const char *part, json_t **out, struct why *why)
{
    const struct graph_request request = { .check = check, .part = part, .list = true };
    size_t i;
    json_t *series, *root;
    int code = graph_ask(cli, &request, &root, why);
    if (code != 0)
        return code;
    if (json_array_size(control_list(root, "series")) == 0) {
        json_decref(root);
        return why_say(why, ERROR_UNKNOWN_NAME, "nothing is recorded of '%s'%s%s%s yet", check, part ? ", part '" : "",
                       part ? part : "", part ? "'" : "");
    }
    json_t *metrics = json_array(), *parts = json_array(), *by_name = json_object();
    json_array_foreach(control_list(root, "series"), i, series) add_series(metrics, parts, by_name, series);
    json_decref(by_name);
    *out = json_pack("{ss sO so so}", "check", check, "views", control_list(root, "views"), "metrics", metrics, "parts",
                     parts);
    json_decref(root);
    return 0;
}

/* ---- printed -------------------------------------------------------------------------------------------------- */

static const char *join(struct cli *cli, const json_t *list)
{
    const char *text = "";
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) text =
        arena_print(&cli->arena, "%s%s%s", text, i ? " " : "", json_string_value(item) ?: "");
    return cli_visible(cli, text);
}

static const char *unit_text(struct cli *cli, const json_t *object)
{
    const char *unit = control_text(cli, object, "unit");
    return *unit ? unit : "-";
}

static void print_views(struct cli *cli, const json_t *drawable)
{
    static const char *const titles[] = { "view", "unit", "metrics", "" };
    struct table table = { .columns = 4, .titles = titles };
    size_t i;
    json_t *view;
    json_array_foreach(control_list(drawable, "views"), i, view)
    {
        const char *metrics = join(cli, control_list(view, "metrics")), *limit = control_text(cli, view, "limit");
        if (*limit)
            metrics = arena_print(&cli->arena, "%s, limit %s", metrics, limit);
        table_add(&table, STYLE_STRONG, control_text(cli, view, "name"));
        table_add(&table, STYLE_PLAIN, unit_text(cli, view));
        table_add(&table, STYLE_PLAIN,
                  control_flag(view, "parts") ? arena_print(&cli->arena, "%s (of parts)", metrics) : metrics);
        table_add(&table, STYLE_PLAIN, control_text(cli, view, "title"));
    }
    table_print(&table, &cli->term, &cli->out);
    if (table.count)
        buf_char(&cli->out, '\n');
    table_close(&table);
}

static const char *range_text(struct cli *cli, const json_t *metric, const char *key)
{
    const char *range = control_text(cli, metric, key);
    return *range ? range : "-";
}

/* "the check", "3 parts", "the check, 3 parts" */
static const char *owner_text(struct cli *cli, const json_t *metric)
{
    long long parts = control_integer(metric, "parts");
    const char *whole = control_flag(metric, "whole") ? "the check" : "";
    if (parts == 0)
        return whole;
    return arena_print(&cli->arena, "%s%s%lld part%s", whole, *whole ? ", " : "", parts, parts == 1 ? "" : "s");
}

static void print_metrics(struct cli *cli, const json_t *drawable)
{
    static const char *const titles[] = { "metric", "unit", "warning", "critical", "of" };
    struct table table = { .columns = 5, .titles = titles };
    size_t i;
    json_t *metric;
    json_array_foreach(control_list(drawable, "metrics"), i, metric)
    {
        table_add(&table, STYLE_STRONG, control_text(cli, metric, "name"));
        table_add(&table, STYLE_PLAIN, unit_text(cli, metric));
        table_add(&table, STYLE_PLAIN, range_text(cli, metric, "warn"));
        table_add(&table, STYLE_PLAIN, range_text(cli, metric, "crit"));
        table_add(&table, STYLE_PLAIN, owner_text(cli, metric));
    }
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

static void print_parts(struct cli *cli, const json_t *drawable)
{
    static const char *const titles[] = { "part" };
    struct table table = { .columns = 1, .titles = titles };
    size_t i;
    json_t *part;
    json_array_foreach(control_list(drawable, "parts"), i, part)
        table_add(&table, STYLE_STRONG, cli_visible(cli, json_string_value(part)));
    if (table.count)
        buf_char(&cli->out, '\n');
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

int graph_list_print(struct cli *cli, const char *check, const char *part, bool views)
{
    json_t *drawable = NULL;
    struct why why = { "" };
    if (graph_list(cli, check, part, &drawable, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, drawable);
        return EXIT_DONE;
    }
    if (views)
        print_views(cli, drawable);
    print_metrics(cli, drawable);
    print_parts(cli, drawable);
    json_decref(drawable);
    return EXIT_DONE;
}
