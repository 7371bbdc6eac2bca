/* SPDX-License-Identifier: GPL-3.0-or-later */
/* describe - what a plugin says of itself, for people. */
#include "core/cli/describe.h"

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "core/base/text.h"
#include "core/cli/help.h"

#define INDENT 2
#define DESCRIPTION_LINES 99

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* ---- tables --------------------------------------------------------------------------------------------------- */

/* "list of host names", "text (a, b or c)" */
static const char *type_text(struct arena *arena, const struct plugin_option *o)
{
    const char *text = arena_print(arena, "%s%s",
                                   o->list  ? "list of "
                                   : o->map ? "map of "
                                            : "",
                                   plugin_type_name(o->type));
    for (const char *const *c = o->choices; *c; c++)
        text = arena_print(arena, "%s%s%s", text, c == o->choices ? ": " : "|", *c);
    return text;
}

static const char *fallback_text(const struct plugin_option *o)
{
    return o->required ? "required" : o->fallback ? o->fallback : "-";
}

static const char *option_doc(struct arena *arena, const struct plugin_option *o)
{
    return o->secret ? arena_print(arena, "%s (a secret: @NAME)", or_empty(o->doc)) : or_empty(o->doc);
}

static void print_options(struct arena *arena, const struct term *term, const struct plugin_info *info, struct buf *out)
{
    static const char *const titles[] = { "option", "type", "default", "" };
    struct table table = { .columns = 4, .indent = INDENT, .titles = titles };
    for (uint32_t i = 0; i < info->option_count; i++) {
        const struct plugin_option *o = &info->options[i];
        table_add(&table, STYLE_STRONG, o->name);
        table_add(&table, STYLE_PLAIN, type_text(arena, o));
        table_add(&table, o->required ? STYLE_WARNING : STYLE_PLAIN, fallback_text(o));
        table_add(&table, STYLE_PLAIN, option_doc(arena, o));
    }
    if (table.count)
        buf_char(out, '\n');
    table_print(&table, term, out);
    table_close(&table);
}

static const char *unit_text(const char *unit)
{
    return unit && *unit ? unit : "-";
}

static const char *range_text(const char *range)
{
    return range && *range ? range : "-";
}

static void print_metrics(const struct term *term, const struct plugin_info *info, struct buf *out)
{
    static const char *const titles[] = { "metric", "unit", "warning", "critical", "" };
    struct table table = { .columns = 5, .indent = INDENT, .titles = titles };
    for (uint32_t i = 0; i < info->metric_count; i++) {
        const struct plugin_metric *m = &info->metrics[i];
        table_add(&table, STYLE_STRONG, m->name);
        table_add(&table, STYLE_PLAIN, unit_text(m->unit));
        table_add(&table, STYLE_PLAIN, range_text(m->warn));
        table_add(&table, STYLE_PLAIN, range_text(m->crit));
        table_add(&table, STYLE_PLAIN, or_empty(m->doc));
    }
    if (table.count)
        buf_char(out, '\n');
    table_print(&table, term, out);
    table_close(&table);
}

static const char *view_shape(const struct plugin_view *v)
{
    return v->style == BELFRY_STACK ? v->parts ? "areas, of every part" : "areas"
           : v->parts               ? "lines, of every part"
                                    : "lines";
}

static void print_views(struct arena *arena, const struct term *term, const struct plugin_info *info, struct buf *out)
{
    static const char *const titles[] = { "view", "metrics", "drawn as", "" };
    struct table table = { .columns = 4, .indent = INDENT, .titles = titles };
    for (uint32_t i = 0; i < info->view_count; i++) {
        const struct plugin_view *v = &info->views[i];
        table_add(&table, STYLE_STRONG, v->name);
        table_add(&table, STYLE_PLAIN,
                  v->limit ? arena_print(arena, "%s, limit %s", v->metrics, v->limit) : v->metrics);
        table_add(&table, STYLE_PLAIN, view_shape(v));
        table_add(&table, STYLE_PLAIN, v->title);
    }
    if (table.count)
        buf_char(out, '\n');
    table_print(&table, term, out);
    table_close(&table);
}

void describe_tables(struct arena *arena, const struct term *term, const struct plugin_info *info, struct buf *out)
{
    char needs[PLUGIN_NEEDS_SIZE];
    buf_print(out, "\nneeds: %s\n", plugin_needs_text(info->needs, "", ", ", needs));
    print_options(arena, term, info, out);
    print_metrics(term, info, out);
    print_views(arena, term, info, out);
}

/* ---- description ---------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n';
}

/* Lines that begin with a blank are commands, which nobody breaks. */
void describe_text(struct arena *arena, const struct term *term, const char *text, struct buf *out)
{
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        const char *line = arena_text_n(arena, text, n);
        if (is_blank(*text))
            buf_print(out, "%s\n", *text == '\n' ? "" : line);
        else
            term_fold(term, out, line, 0, DESCRIPTION_LINES);
    }
}

static void write_description(struct arena *arena, struct buf *out, const char *text)
{
    bool shown = false; /* as it is */
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        if (n > 0 && shown != is_blank(*text)) {
            shown = !shown;
            buf_text(out, shown ? ".PP\n.nf\n" : ".fi\n.PP\n");
        }
        help_roff(out, arena_text_n(arena, text, n));
        buf_text(out, n > 0 ? "\n" : shown ? "" : ".PP\n");
    }
    buf_text(out, shown ? ".fi\n" : "");
}

/* ---- example -------------------------------------------------------------------------------------------------- */

/* A value to show when the plugin gives no example. */
static const char *sample_value(const struct plugin_option *o)
{
    static const char *const of_type[] = {
        [BELFRY_TEXT] = "text",   [BELFRY_INTEGER] = "1",
        [BELFRY_NUMBER] = "1.0",  [BELFRY_FLAG] = "true",
        [BELFRY_DURATION] = "5m", [BELFRY_SIZE] = "64MiB",
        [BELFRY_PATH] = "/path",  [BELFRY_HOST] = "127.0.0.1",
        [BELFRY_PORT] = "443",    [BELFRY_URL] = "https://www.example.net/",
        [BELFRY_RANGE] = "~:10",
    };
    if (o->example)
        return o->example;
    if (o->choices[0])
        return o->choices[0];
    return o->type >= BELFRY_TEXT && o->type <= BELFRY_RANGE ? of_type[o->type] : "";
}

static bool is_bare(int type)
{
    return type == BELFRY_INTEGER || type == BELFRY_NUMBER || type == BELFRY_FLAG || type == BELFRY_PORT;
}

static void write_value(struct buf *out, const struct plugin_option *o)
{
    const char *value = o->secret ? "@name" : sample_value(o);
    buf_print(out, "%s = %s", o->name, o->list ? "[ " : o->map ? "{ name = " : "");
    if (is_bare(o->type))
        buf_text(out, value);
    else
        buf_json_text(out, value); /* its escapes are those of the configuration, too */
    buf_text(out, o->list ? " ];" : o->map ? "; };" : ";");
}

/* What is required, and behind # what may be added: options with an example, and one threshold. All of them at once
 * would contradict each other (an address and a socket). */
void describe_example(const struct plugin_info *info, struct buf *out)
{
    char needs[PLUGIN_NEEDS_SIZE];
    if (plugin_needs_refused(info->needs, PLUGIN_NEEDS_DEFAULT))
        buf_print(out, "plugins: { %s: { allow = [ %s ]; }; };\n", info->name,
                  plugin_needs_text(info->needs, "\"", ", ", needs));
    buf_print(out, "services: {\n  example: {\n    checks: {\n      %s: {\n        plugin = \"%s\";", info->name,
              info->name);
    for (uint32_t i = 0; i < info->option_count; i++) {
        const struct plugin_option *o = &info->options[i];
        if (!o->required && o->example == NULL)
            continue;
        buf_text(out, o->required ? "\n        " : "\n        #");
        write_value(out, o);
    }
    for (uint32_t i = 0; i < info->metric_count; i++) {
        const struct plugin_metric *m = &info->metrics[i];
        if (m->warn == NULL || m->crit == NULL)
            continue;
        buf_print(out, "\n        #thresholds: { %s = { warn = \"%s\"; crit = \"%s\"; }; };", m->name, m->warn,
                  m->crit);
        break;
    }
    buf_text(out, "\n      };\n    };\n  };\n};\n");
}

/* ---- JSON ----------------------------------------------------------------------------------------------------- */

static json_t *pack_option(const struct plugin_option *o)
{
    json_t *choices = json_array();
    for (const char *const *c = o->choices; *c; c++)
        json_array_append_new(choices, json_string(*c));
    return json_pack("{ss ss ss? sb sb sb sb ss? ss? so}", "name", o->name, "type", plugin_type_name(o->type), "doc",
                     o->doc, "required", (int)o->required, "list", (int)o->list, "map", (int)o->map, "secret",
                     (int)o->secret, "default", o->fallback, "example", o->example, "choices", choices);
}

static json_t *pack_metric(const struct plugin_metric *m)
{
    return json_pack("{ss ss? ss? ss? ss? ss? ss? ss}", "name", m->name, "unit", m->unit, "doc", m->doc, "warn",
                     m->warn, "crit", m->crit, "min", m->min, "max", m->max, "kind",
                     m->kind == BELFRY_COUNTER ? "counter" : "gauge");
}

static json_t *pack_view(const struct plugin_view *v)
{
    return json_pack("{ss ss ss ss? ss sb}", "name", v->name, "title", v->title, "metrics", v->metrics, "limit",
                     v->limit, "style", v->style == BELFRY_STACK ? "stack" : "lines", "parts", (int)v->parts);
}

static json_t *pack_needs(uint32_t needs)
{
    json_t *names = json_array();
    for (size_t i = 0; plugin_need_names[i]; i++)
        if (needs & (1u << i))
            json_array_append_new(names, json_string(plugin_need_names[i]));
    return names;
}

json_t *describe_json(const struct plugin_info *info)
{
    json_t *options = json_array(), *metrics = json_array(), *views = json_array();
    for (uint32_t i = 0; i < info->option_count; i++)
        json_array_append_new(options, pack_option(&info->options[i]));
    for (uint32_t i = 0; i < info->metric_count; i++)
        json_array_append_new(metrics, pack_metric(&info->metrics[i]));
    for (uint32_t i = 0; i < info->view_count; i++)
        json_array_append_new(views, pack_view(&info->views[i]));
    return json_pack("{ss ss ss? ss? ss? si sb so so so so}", "name", info->name, "version", info->version, "summary",
                     info->summary, "description", info->description, "path", info->path, "abi", (int)info->abi,
                     "blocking", (int)info->blocking, "needs", pack_needs(info->needs), "options", options, "metrics",
                     metrics, "views", views);
}

/* ---- manual page ---------------------------------------------------------------------------------------------- */

static void write_tag(struct buf *out, const char *tag, const char *rest)
{
    buf_text(out, ".TP\n\\fB");
    help_roff(out, tag);
    buf_text(out, "\\fR");
    help_roff(out, rest);
    buf_char(out, '\n');
}

static void write_sentence(struct buf *out, const char *text)
{
    size_t length = strlen(text);
    help_roff(out, text);
    buf_text(out, length && text[length - 1] == '.' ? "\n" : ".\n");
}

/* A line may end after a ':', so that a search path fits. */
static void write_path(struct arena *arena, struct buf *out, const char *text)
{
    for (size_t n; *text; text += n) {
        n = strcspn(text, ":");
        n += text[n] == ':';
        help_roff(out, arena_text_n(arena, text, n));
        buf_text(out, text[n] ? "\\:" : "");
    }
}

static void write_option(struct arena *arena, struct buf *out, const struct plugin_option *o)
{
    write_tag(out, o->name, arena_print(arena, "  (%s)", type_text(arena, o)));
    write_sentence(out, option_doc(arena, o));
    if (o->required)
        buf_text(out, "Required.\n");
    if (o->fallback) {
        buf_text(out, "Default: ");
        write_path(arena, out, o->fallback);
        buf_text(out, ".\n");
    }
}

static void write_metric(struct arena *arena, struct buf *out, const struct plugin_metric *m)
{
    const char *unit = unit_text(m->unit);
    write_tag(out, m->name, *unit == '-' ? "" : arena_print(arena, "  (%s)", unit));
    write_sentence(out, or_empty(m->doc));
    if (m->warn || m->crit) {
        buf_text(out, "Default thresholds: warning ");
        help_roff(out, range_text(m->warn));
        buf_text(out, ", critical ");
        help_roff(out, range_text(m->crit));
        buf_text(out, ".\n");
    }
}

static void write_view(struct arena *arena, struct buf *out, const struct plugin_view *v)
{
    write_tag(out, v->name, arena_print(arena, "  (%s)", view_shape(v)));
    write_sentence(out, v->title);
    buf_text(out, "Metrics: ");
    help_roff(out, v->limit ? arena_print(arena, "%s; limit: %s", v->metrics, v->limit) : v->metrics);
    buf_text(out, ".\n");
}

static void write_needs(const struct plugin_info *info, struct buf *out)
{
    char needs[PLUGIN_NEEDS_SIZE];
    buf_print(out, ".SH NEEDS\n%s.\n", plugin_needs_text(info->needs, "", ", ", needs));
    if (plugin_needs_refused(info->needs, PLUGIN_NEEDS_DEFAULT))
        buf_text(out, "The configuration has to grant it, as in the example.\n");
}

void describe_manual(const struct plugin_info *info, struct buf *out)
{
    struct arena arena = { 0 };
    struct buf example = { 0 };
    buf_print(out, ".TH BELFRY-%s 7 \"\" \"belfry %s\" \"Belfry plugins\"\n.ad l\n.SH NAME\nbelfry\\-", info->name,
              PACKAGE_VERSION);
    help_roff(out, info->name);
    buf_text(out, " \\- ");
    help_roff(out, or_empty(info->summary));
    buf_text(out, "\n.SH DESCRIPTION\n");
    write_description(&arena, out, or_empty(info->description ? info->description : info->summary));
    buf_text(out, ".SH OPTIONS\nIn a check's block, or as KEY=VALUE of \\fBbelfry check\\fR.\n");
    for (uint32_t i = 0; i < info->option_count; i++)
        write_option(&arena, out, &info->options[i]);
    if (info->metric_count)
        buf_text(out, ".SH METRICS\nThresholds of any of them may be set in the check's block.\n");
    for (uint32_t i = 0; i < info->metric_count; i++)
        write_metric(&arena, out, &info->metrics[i]);
    if (info->view_count)
        buf_text(out, ".SH VIEWS\nWhat \\fBbelfry graph\\fR \\fISERVICE/CHECK\\fR draws, or by name one of them.\n");
    for (uint32_t i = 0; i < info->view_count; i++)
        write_view(&arena, out, &info->views[i]);
    write_needs(info, out);
    buf_text(out, ".SH EXAMPLE\nWhat stands behind # may be added.\n.PP\n.nf\n");
    describe_example(info, &example);
    help_roff(out, example.data);
    buf_text(out, ".fi\n.SH SEE ALSO\n\\fBbelfry\\fR(1), \\fBbelfry.conf\\fR(5), \\fBbelfryd\\fR(8)\n");
    buf_close(&example);
    arena_close(&arena);
}
