/* SPDX-License-Identifier: GPL-3.0-or-later */
/* legend - FILE.rrd.map: { "version": 1, "check", "part", "step", "metrics": [ { "name", "source", "kind", "unit",
 * "warn", "crit", "live" } ], "views": [ { "name", "title", "metrics", "limit", "style", "parts" } ] }. "views" is
 * missing when there are none, and in files of before there were any. "moved" and "gone" (seconds since 1970) are there
 * when a damaged file was moved aside, and when the part is gone. */
#include "core/recorder/legend.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/model/result.h"

#define VERSION 1
#define TEXT_MAX 1024

static const char *const kinds[] = { [BELFRY_GAUGE] = "gauge", [BELFRY_COUNTER] = "counter" };

static const char *const styles[] = { [BELFRY_LINES] = "lines", [BELFRY_STACK] = "stack" };

static const struct legend_metric *find_by_source(const struct legend *legend, const char *source)
{
    for (uint32_t i = 0; legend && i < legend->metric_count; i++)
        if (strcmp(legend->metrics[i].source, source) == 0)
            return &legend->metrics[i];
    return NULL;
}

static void set_retired(struct legend_metric *out, const struct layout_source *source, const struct legend *old)
{
    const struct legend_metric *was = find_by_source(old, source->name);
    if (was) {
        *out = *was;
    } else {
        out->name = source->name;
        out->unit = "";
        out->kind = strcmp(source->type, "GAUGE") == 0 ? BELFRY_GAUGE : BELFRY_COUNTER;
    }
    out->source = source->name;
    out->live = false;
}

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

void legend_make(struct arena *arena, const struct series *series, const struct layout *layout,
                 const struct legend *old, struct legend *out)
{
    *out = (struct legend){ .check = series->check,
                            .part = series->part,
                            .step_s = layout->step_s,
                            .moved_s = old ? old->moved_s : 0,
                            .views = series->views,
                            .view_count = series->view_count };
    out->metrics = arena_array(arena, layout->source_count, sizeof(*out->metrics));
    out->metric_count = layout->source_count;
    for (uint32_t i = 0; i < layout->source_count; i++) {
        struct legend_metric *metric = &out->metrics[i];
        if (i >= layout->live_count) {
            set_retired(metric, &layout->sources[i], old);
            continue;
        }
        const struct series_source *source = &series->sources[i];
        *metric = (struct legend_metric){ .name = source->metric,
                                          .source = layout->sources[i].name,
                                          .unit = source->unit ? source->unit : "",
                                          .warn = or_null(source->warn),
                                          .crit = or_null(source->crit),
                                          .kind = source->kind,
                                          .live = true };
    }
}

static void print_member(struct buf *out, const char *name, const char *value)
{
    buf_print(out, ", \"%s\": ", name);
    buf_json_text(out, value);
}

static void print_views(struct buf *out, const struct legend *legend)
{
    for (uint32_t i = 0; i < legend->view_count; i++) {
        const struct plugin_view *view = &legend->views[i];
        buf_text(out, i ? ",\n    { \"name\": " : ", \"views\": [\n    { \"name\": ");
        buf_json_text(out, view->name);
        print_member(out, "title", view->title);
        print_member(out, "metrics", view->metrics);
        print_member(out, "limit", view->limit);
        print_member(out, "style", styles[view->style]);
        buf_print(out, ", \"parts\": %s }", view->parts ? "true" : "false");
    }
    buf_text(out, legend->view_count ? " ]" : "");
}

void legend_print(struct buf *out, const struct legend *legend)
{
    buf_print(out, "{ \"version\": %d", VERSION);
    print_member(out, "check", legend->check);
    print_member(out, "part", legend->part);
    buf_print(out, ", \"step\": %u", legend->step_s);
    if (legend->moved_s)
        buf_print(out, ", \"moved\": %" PRId64, legend->moved_s);
    if (legend->gone_s)
        buf_print(out, ", \"gone\": %" PRId64, legend->gone_s);
    buf_text(out, ", \"metrics\": [");
    for (uint32_t i = 0; i < legend->metric_count; i++) {
        const struct legend_metric *metric = &legend->metrics[i];
        buf_text(out, i ? ",\n    { \"name\": " : "\n    { \"name\": ");
        buf_json_text(out, metric->name);
        print_member(out, "source", metric->source);
        print_member(out, "kind", kinds[metric->kind]);
        print_member(out, "unit", metric->unit);
        print_member(out, "warn", metric->warn);
        print_member(out, "crit", metric->crit);
        buf_print(out, ", \"live\": %s }", metric->live ? "true" : "false");
    }
    buf_text(out, " ]");
    print_views(out, legend);
    buf_text(out, " }\n");
}

/* A text member into the arena: NULL when absent, null, too long or no text. */
static const char *get_text(struct arena *arena, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) && json_string_length(value) <= TEXT_MAX ? arena_text(arena, json_string_value(value))
                                                                          : NULL;
}

static bool is_source(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t length = strlen(name);
    return length > 0 && length < NAME_SOURCE_SIZE && strspn(name, letters) == length;
}

static bool read_metric(struct arena *arena, const json_t *object, struct legend_metric *out)
{
    const char *kind = get_text(arena, object, "kind");
    out->name = get_text(arena, object, "name");
    out->source = get_text(arena, object, "source");
    out->unit = get_text(arena, object, "unit");
    out->warn = get_text(arena, object, "warn");
    out->crit = get_text(arena, object, "crit");
    out->live = json_is_true(json_object_get(object, "live"));
    out->kind = kind && strcmp(kind, kinds[BELFRY_COUNTER]) == 0 ? BELFRY_COUNTER : BELFRY_GAUGE;
    return out->name && out->source && is_source(out->source) && out->unit;
}

static bool read_view(struct arena *arena, const json_t *object, struct plugin_view *out)
{
    const char *style = get_text(arena, object, "style");
    out->name = get_text(arena, object, "name");
    out->title = get_text(arena, object, "title");
    out->metrics = get_text(arena, object, "metrics");
    out->limit = get_text(arena, object, "limit");
    out->style = style && strcmp(style, styles[BELFRY_STACK]) == 0 ? BELFRY_STACK : BELFRY_LINES;
    out->parts = json_is_true(json_object_get(object, "parts"));
    return plugin_view_check(out, NULL) == 0;
}

static bool read_views(struct arena *arena, const json_t *root, struct legend *out)
{
    const json_t *views = json_object_get(root, "views");
    size_t count = json_array_size(views);
    if (count > PLUGIN_VIEWS_MAX)
        return false;
    out->views = arena_array(arena, count, sizeof(*out->views));
    out->view_count = (uint32_t)count;
    for (uint32_t i = 0; i < out->view_count; i++)
        if (!read_view(arena, json_array_get(views, i), &out->views[i]))
            return false;
    return true;
}

static bool read_root(struct arena *arena, const json_t *root, struct legend *out)
{
    const json_t *metrics = json_object_get(root, "metrics");
    size_t count = json_array_size(metrics);
    json_int_t step = json_integer_value(json_object_get(root, "step"));
    if (json_integer_value(json_object_get(root, "version")) != VERSION || step < 1 || step > INT32_MAX ||
        count > HEADER_SOURCES_MAX)
        return false;
    out->check = get_text(arena, root, "check");
    out->part = get_text(arena, root, "part");
    out->step_s = (uint32_t)step;
    out->moved_s = json_integer_value(json_object_get(root, "moved"));
    out->gone_s = json_integer_value(json_object_get(root, "gone"));
    out->metrics = arena_array(arena, count ? count : 1, sizeof(*out->metrics));
    out->metric_count = (uint32_t)count;
    for (uint32_t i = 0; i < out->metric_count; i++)
        if (!read_metric(arena, json_array_get(metrics, i), &out->metrics[i]))
            return false;
    return out->check != NULL && read_views(arena, root, out);
}

int legend_read(struct arena *arena, const char *path, struct legend *out, struct why *why)
{
    char *text, *map = arena_print(arena, "%s" LEGEND_SUFFIX, path);
    size_t length;
    memset(out, 0, sizeof(*out));
    int code = file_read(arena, map, LEGEND_BYTES_MAX, &text, &length);
    if (code < 0)
        return why_say(why, code, "'%s': %s", map, error_text(code));
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    bool good = root && read_root(arena, root, out);
    json_decref(root);
    return good ? 0 : why_say(why, ERROR_DAMAGED, "'%s' does not describe an RRD file", map);
}

int legend_write(struct arena *arena, const char *path, const struct legend *legend, struct why *why)
{
    char *has, *map = arena_print(arena, "%s" LEGEND_SUFFIX, path);
    size_t length;
    struct buf out = { 0 };
    legend_print(&out, legend);
    int code = file_read(arena, map, LEGEND_BYTES_MAX, &has, &length);
    if (code < 0 || length != out.length || memcmp(has, out.data, length) != 0)
        code = file_replace(map, out.data, out.length, 0644);
    buf_close(&out);
    return code < 0 ? why_say(why, code, "'%s': %s", map, error_text(code)) : 0;
}
