/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin - from a loaded descriptor or from the wire to plugin_info. Both ways end in the same check_info(): what a
 * plugin says of itself is believed in neither case. The types of options are in plugin_type.c.
 *
 * Tables in a descriptor have the stride that the plugin was compiled with: a smaller entry (an older header) is filled
 * up with zeros, the rest of a larger one (a newer header) is left unread.
 *
 * On the wire: name, version, summary, description, path texts, file_mark u64, abi u32, needs u32, blocking u8,
 * options (count u32; name, doc, fallback, example texts, type u32, flags u8 (1 required, 2 list, 4 map, 8 secret),
 * choices (count u32, texts)), metrics (count u32; name, unit, doc, warn, crit, min, max texts, kind u32), views as
 * plugin_view.c has them. */
#include "core/model/plugin.h"

#include <string.h>
#include <sys/stat.h>

#include "core/base/text.h"
#include "core/model/plugin_private.h"
#include "core/model/range.h"
#include "core/model/result.h"

#define CHOICES_MAX 64
#define UNIT_BYTES 16
#define VALUE_BYTES 1024
#define DOC_BYTES 1024
#define DESCRIPTION_BYTES 8192
#define PATH_BYTES 4096
#define ENTRY_BYTES_MAX 1024 /* a larger option_size or metric_size is nonsense */

/* ---- from the descriptor */

struct copier {
    struct arena *arena;
    const char *cut; /* the first text that was too long */
};

/* A copy of at most max_bytes; a longer one is remembered as an error. */
static const char *copy_text(struct copier *copier, const char *text, size_t max_bytes)
{
    if (!text)
        return NULL;
    size_t length = strnlen(text, max_bytes + 1);
    if (length > max_bytes) {
        length = max_bytes;
        if (!copier->cut)
            copier->cut = arena_text_n(copier->arena, text, length < 40 ? length : 40);
    }
    return arena_text_n(copier->arena, text, length);
}

/* Entry i of a table whose entries have their own size, as far as we know its members. */
static void copy_entry(void *out, size_t known, const void *table, size_t stride, size_t i)
{
    memset(out, 0, known);
    memcpy(out, (const char *)table + i * stride, stride < known ? stride : known);
}

/* The entries before the one that begins with NULL; max + 1 when there is no end. */
static uint32_t count_entries(const void *table, size_t stride, uint32_t max)
{
    uint32_t n = 0;
    while (table && n <= max) {
        const char *name;
        memcpy(&name, (const char *)table + n * stride, sizeof name);
        if (!name)
            break;
        n++;
    }
    return n;
}

static const char *const *copy_choices(struct copier *copier, const char *const *choices)
{
    size_t n = 0;
    while (choices && n <= CHOICES_MAX && choices[n])
        n++;
    if (n > CHOICES_MAX) {
        copier->cut = "choices without an end";
        n = 0;
    }
    const char **copy = arena_array(copier->arena, n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = copy_text(copier, choices[i], VALUE_BYTES);
    return copy;
}

static void copy_options(struct copier *copier, const struct belfry_plugin *plugin, struct plugin_info *out)
{
    out->options = arena_array(copier->arena, out->option_count, sizeof *out->options);
    for (uint32_t i = 0; i < out->option_count; i++) {
        struct belfry_option from;
        copy_entry(&from, sizeof from, plugin->options, plugin->option_size, i);
        out->options[i] = (struct plugin_option){
            .name = copy_text(copier, from.name, NAME_BYTES),
            .doc = copy_text(copier, from.doc, DOC_BYTES),
            .fallback = copy_text(copier, from.fallback, VALUE_BYTES),
            .example = copy_text(copier, from.example, VALUE_BYTES),
            .type = from.type,
            .required = from.required,
            .list = from.list,
            .map = from.map,
            .secret = from.secret,
            .choices = copy_choices(copier, from.choices),
        };
    }
}

static void copy_metrics(struct copier *copier, const struct belfry_plugin *plugin, struct plugin_info *out)
{
    out->metrics = arena_array(copier->arena, out->metric_count, sizeof *out->metrics);
    for (uint32_t i = 0; i < out->metric_count; i++) {
        struct belfry_metric from;
        copy_entry(&from, sizeof from, plugin->metrics, plugin->metric_size, i);
        out->metrics[i] = (struct plugin_metric){
            .name = copy_text(copier, from.name, NAME_BYTES),
            .unit = copy_text(copier, from.unit ? from.unit : "", UNIT_BYTES),
            .doc = copy_text(copier, from.doc, DOC_BYTES),
            .warn = copy_text(copier, from.warn, RESULT_RANGE_MAX),
            .crit = copy_text(copier, from.crit, RESULT_RANGE_MAX),
            .min = copy_text(copier, from.min, RESULT_RANGE_MAX),
            .max = copy_text(copier, from.max, RESULT_RANGE_MAX),
            .kind = from.kind,
        };
    }
}

static void copy_views(struct copier *copier, const struct belfry_plugin *plugin, struct plugin_info *out)
{
    out->views = arena_array(copier->arena, out->view_count, sizeof *out->views);
    for (uint32_t i = 0; i < out->view_count; i++) {
        struct belfry_view from;
        copy_entry(&from, sizeof from, plugin->views, plugin->view_size, i);
        out->views[i] = (struct plugin_view){
            .name = copy_text(copier, from.name, NAME_BYTES),
            .title = copy_text(copier, from.title, TITLE_BYTES),
            .metrics = copy_text(copier, from.metrics, LIST_BYTES),
            .limit = copy_text(copier, from.limit, NAME_BYTES),
            .style = from.style,
            .parts = from.parts,
        };
    }
}

/* ---- the checks that both ways end in */

bool plugin_is_word(const char *name)
{
    size_t length = name ? strnlen(name, NAME_BYTES + 1) : 0;
    return length > 0 && length <= NAME_BYTES && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

static bool is_reserved(const char *name)
{
    for (const char *const *word = plugin_reserved_words; *word; word++) {
        if (strcmp(*word, name) == 0)
            return true;
    }
    return false;
}

/* Fallback and example are values like any other; the example of a list or a secret is written in another way. */
static int check_values(const struct plugin_option *option, struct why *why)
{
    struct why wrong = { "" };
    bool plain = !option->list && !option->map && !option->secret;
    if (option->required && option->fallback)
        return why_say(why, ERROR_SYNTAX, "option '%s' is required and has a fallback, leave one of them out",
                       option->name);
    for (const char *const *choice = option->choices; *choice; choice++) {
        if (plugin_option_check(option, *choice, &wrong) != 0)
            return why_say(why, ERROR_SYNTAX, "a choice of option '%s' is wrong: %s", option->name, wrong.text);
    }
    if (option->fallback && plugin_option_check(option, option->fallback, &wrong) != 0)
        return why_say(why, ERROR_SYNTAX, "the fallback of option '%s' is wrong: %s", option->name, wrong.text);
    if (option->example && plain && plugin_option_check(option, option->example, &wrong) != 0)
        return why_say(why, ERROR_SYNTAX, "the example of option '%s' is wrong: %s", option->name, wrong.text);
    return 0;
}

static int check_option(const struct plugin_info *info, const struct plugin_option *option, struct why *why)
{
    if (!plugin_is_word(option->name))
        return why_say(why, ERROR_SYNTAX, "'%s' is no name for an option, write [a-z][a-z0-9_]* of at most %d bytes",
                       option->name ? option->name : "", NAME_BYTES);
    if (is_reserved(option->name))
        return why_say(why, ERROR_SYNTAX, "option '%s' has the name of a word of the framework, choose another",
                       option->name);
    if (plugin_option_find(info, option->name) != option)
        return why_say(why, ERROR_SYNTAX, "option '%s' is declared twice", option->name);
    if (option->type < BELFRY_TEXT || option->type > BELFRY_RANGE)
        return why_say(why, ERROR_UNSUPPORTED, "option '%s' has the unknown type %d", option->name, option->type);
    if (!option->doc || !option->doc[0])
        return why_say(why, ERROR_SYNTAX, "option '%s' has no documentation, write one sentence", option->name);
    if (option->list && option->map)
        return why_say(why, ERROR_SYNTAX, "option '%s' is a list and a map, leave one of them out", option->name);
    return check_values(option, why);
}

static int check_metric(const struct plugin_info *info, const struct plugin_metric *metric, struct why *why)
{
    struct why wrong = { "" };
    struct range range;
    double number;
    if (!plugin_is_word(metric->name))
        return why_say(why, ERROR_SYNTAX, "'%s' is no name for a metric, write [a-z][a-z0-9_]* of at most %d bytes",
                       metric->name ? metric->name : "", NAME_BYTES);
    if (plugin_metric_find(info, metric->name) != metric)
        return why_say(why, ERROR_SYNTAX, "metric '%s' is declared twice", metric->name);
    if (!metric->doc || !metric->doc[0])
        return why_say(why, ERROR_SYNTAX, "metric '%s' has no documentation, write one sentence", metric->name);
    if (!metric->unit)
        return why_say(why, ERROR_SYNTAX, "metric '%s' has no unit, write \"\" for none", metric->name);
    if (metric->kind != BELFRY_GAUGE && metric->kind != BELFRY_COUNTER)
        return why_say(why, ERROR_UNSUPPORTED, "metric '%s' has the unknown kind %d", metric->name, metric->kind);
    if ((metric->warn && range_parse(metric->warn, &range, &wrong) != 0) ||
        (metric->crit && range_parse(metric->crit, &range, &wrong) != 0))
        return why_say(why, ERROR_SYNTAX, "a threshold of metric '%s' is wrong: %s", metric->name, wrong.text);
    if ((metric->min && text_number(metric->min, &number) != 0) ||
        (metric->max && text_number(metric->max, &number) != 0))
        return why_say(why, ERROR_SYNTAX, "the least or greatest value of metric '%s' is not a number", metric->name);
    return 0;
}

static int check_info(const struct plugin_info *info, struct why *why)
{
    int code = 0;
    if (info->needs & ~PLUGIN_NEEDS_ALL)
        return why_say(why, ERROR_UNSUPPORTED, "it needs something that this belfry does not know (0x%x)",
                       (unsigned)info->needs);
    if (!info->name || !text_is_name(info->name))
        return why_say(why, ERROR_SYNTAX,
                       "'%s' is no name for a plugin, write [a-z0-9][a-z0-9_.-]* of at most 64 bytes",
                       info->name ? info->name : "");
    if (!info->version || !info->version[0] || !info->summary || !info->summary[0])
        return why_say(why, ERROR_SYNTAX, "plugin '%s' has no version or no summary", info->name);
    for (uint32_t i = 0; i < info->option_count && code == 0; i++)
        code = check_option(info, &info->options[i], why);
    for (uint32_t i = 0; i < info->metric_count && code == 0; i++)
        code = check_metric(info, &info->metrics[i], why);
    return code ? code : plugin_views_check(info, why);
}

/* ---- making */

static bool is_stride(size_t size, size_t least)
{
    return size >= least && size <= ENTRY_BYTES_MAX && size % _Alignof(const char *) == 0;
}

static int check_head(const struct belfry_plugin *plugin, struct why *why)
{
    if (plugin->magic != BELFRY_MAGIC)
        return why_say(why, ERROR_REFUSED, "the magic number is %08x, wanted %08x", (unsigned)plugin->magic,
                       BELFRY_MAGIC);
    if (plugin->abi != BELFRY_ABI)
        return why_say(why, ERROR_UNSUPPORTED, "it was built for ABI %u, wanted %u: build it with this belfry's header",
                       (unsigned)plugin->abi, BELFRY_ABI);
    if (plugin->size < offsetof(struct belfry_plugin, blocking) ||
        !is_stride(plugin->option_size, offsetof(struct belfry_option, required)) ||
        !is_stride(plugin->metric_size, offsetof(struct belfry_metric, warn)) ||
        (plugin->view_size != 0 && !is_stride(plugin->view_size, offsetof(struct belfry_view, limit))))
        return why_say(why, ERROR_REFUSED, "its sizes (%u, %u, %u, %u bytes) can't be those of a descriptor",
                       (unsigned)plugin->size, (unsigned)plugin->option_size, (unsigned)plugin->metric_size,
                       (unsigned)plugin->view_size);
    return 0;
}

/* A plugin of before it could say what it needs had the network and the files. */
static uint32_t find_needs(const struct belfry_plugin *plugin)
{
    bool declared = plugin->size >= offsetof(struct belfry_plugin, needs) + sizeof(plugin->needs);
    return declared ? plugin->needs : PLUGIN_NEEDS_DEFAULT;
}

int plugin_info_make(struct arena *arena, const struct belfry_plugin *plugin, struct plugin_info *out, struct why *why)
{
    struct copier copier = { .arena = arena };
    struct belfry_plugin from = { 0 };
    int code = check_head(plugin, why);
    if (code != 0)
        return code;
    memcpy(&from, plugin, plugin->size < sizeof from ? plugin->size : sizeof from);
    struct plugin_info info = {
        .name = copy_text(&copier, from.name, NAME_BYTES),
        .version = copy_text(&copier, from.version, NAME_BYTES),
        .summary = copy_text(&copier, from.summary, DOC_BYTES),
        .description = copy_text(&copier, from.description, DESCRIPTION_BYTES),
        .path = "",
        .abi = from.abi,
        .needs = find_needs(plugin),
        .blocking = from.blocking,
        .option_count = count_entries(from.options, from.option_size, PLUGIN_OPTIONS_MAX),
        .metric_count = count_entries(from.metrics, from.metric_size, PLUGIN_METRICS_MAX),
        .view_count = from.view_size ? count_entries(from.views, from.view_size, PLUGIN_VIEWS_MAX) : 0,
    };
    if (info.option_count > PLUGIN_OPTIONS_MAX || info.metric_count > PLUGIN_METRICS_MAX ||
        info.view_count > PLUGIN_VIEWS_MAX)
        return why_say(why, ERROR_LIMIT, "more than %d options, %d metrics or %d views, or a table without BELFRY_END",
                       PLUGIN_OPTIONS_MAX, PLUGIN_METRICS_MAX, PLUGIN_VIEWS_MAX);
    if (!from.run)
        return why_say(why, ERROR_SYNTAX, "it has no run function");
    copy_options(&copier, &from, &info);
    copy_metrics(&copier, &from, &info);
    copy_views(&copier, &from, &info);
    if (copier.cut)
        return why_say(why, ERROR_LIMIT, "a text or a list is too long: '%s...'", copier.cut);
    code = check_info(&info, why);
    if (code == 0)
        *out = info;
    return code;
}

uint64_t plugin_file_mark(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return 0;
    const int64_t values[] = { (int64_t)st.st_dev, (int64_t)st.st_ino, st.st_size,        st.st_mtim.tv_sec,
                               st.st_mtim.tv_nsec, st.st_ctim.tv_sec,  st.st_ctim.tv_nsec };
    return text_hash_more(0, values, sizeof values);
}

/* ---- on the wire */

enum {
    FLAG_REQUIRED = 1,
    FLAG_LIST = 2,
    FLAG_MAP = 4,
    FLAG_SECRET = 8,
    FLAGS_ALL = 15
};

#define OPTION_BYTES_MIN 25
#define METRIC_BYTES_MIN 32

static void put_option(struct buf *out, const struct plugin_option *option)
{
    uint32_t choices = 0;
    while (option->choices[choices])
        choices++;
    wire_put_text(out, option->name);
    wire_put_text(out, option->doc);
    wire_put_text(out, option->fallback);
    wire_put_text(out, option->example);
    wire_put_u32(out, (uint32_t)option->type);
    wire_put_u8(out, (uint8_t)((option->required ? FLAG_REQUIRED : 0) | (option->list ? FLAG_LIST : 0) |
                               (option->map ? FLAG_MAP : 0) | (option->secret ? FLAG_SECRET : 0)));
    wire_put_u32(out, choices);
    for (uint32_t i = 0; i < choices; i++)
        wire_put_text(out, option->choices[i]);
}

static void put_metric(struct buf *out, const struct plugin_metric *metric)
{
    const char *const values[] = { metric->name, metric->unit, metric->doc, metric->warn,
                                   metric->crit, metric->min,  metric->max };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        wire_put_text(out, values[i]);
    wire_put_u32(out, (uint32_t)metric->kind);
}

void plugin_info_encode(struct buf *out, const struct plugin_info *info)
{
    wire_put_text(out, info->name);
    wire_put_text(out, info->version);
    wire_put_text(out, info->summary);
    wire_put_text(out, info->description);
    wire_put_text(out, info->path);
    wire_put_u64(out, info->file_mark);
    wire_put_u32(out, info->abi);
    wire_put_u32(out, info->needs);
    wire_put_u8(out, info->blocking);
    wire_put_u32(out, info->option_count);
    for (uint32_t i = 0; i < info->option_count; i++)
        put_option(out, &info->options[i]);
    wire_put_u32(out, info->metric_count);
    for (uint32_t i = 0; i < info->metric_count; i++)
        put_metric(out, &info->metrics[i]);
    plugin_views_encode(out, info->views, info->view_count);
}

static void read_option(struct wire_reader *r, struct arena *arena, struct plugin_option *option)
{
    option->name = wire_text(r, arena, NAME_BYTES);
    option->doc = wire_text(r, arena, DOC_BYTES);
    option->fallback = wire_text(r, arena, VALUE_BYTES);
    option->example = wire_text(r, arena, VALUE_BYTES);
    option->type = (int)wire_u32(r);
    uint8_t flags = wire_u8(r);
    uint32_t count = wire_count(r, CHOICES_MAX, 4);
    const char **choices = arena_array(arena, (size_t)count + 1, sizeof *choices);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        choices[i] = wire_text(r, arena, VALUE_BYTES);
        if (!choices[i])
            r->failed = true;
    }
    if (flags > FLAGS_ALL)
        r->failed = true;
    option->required = flags & FLAG_REQUIRED;
    option->list = flags & FLAG_LIST;
    option->map = flags & FLAG_MAP;
    option->secret = flags & FLAG_SECRET;
    option->choices = choices;
}

static void read_metric(struct wire_reader *r, struct arena *arena, struct plugin_metric *metric)
{
    metric->name = wire_text(r, arena, NAME_BYTES);
    metric->unit = wire_text(r, arena, UNIT_BYTES);
    metric->doc = wire_text(r, arena, DOC_BYTES);
    metric->warn = wire_text(r, arena, RESULT_RANGE_MAX);
    metric->crit = wire_text(r, arena, RESULT_RANGE_MAX);
    metric->min = wire_text(r, arena, RESULT_RANGE_MAX);
    metric->max = wire_text(r, arena, RESULT_RANGE_MAX);
    metric->kind = (int)wire_u32(r);
}

int plugin_info_decode(struct wire_reader *r, struct arena *arena, struct plugin_info *out)
{
    struct plugin_info info = { 0 };
    info.name = wire_text(r, arena, NAME_BYTES);
    info.version = wire_text(r, arena, NAME_BYTES);
    info.summary = wire_text(r, arena, DOC_BYTES);
    info.description = wire_text(r, arena, DESCRIPTION_BYTES);
    info.path = wire_text(r, arena, PATH_BYTES);
    info.file_mark = wire_u64(r);
    info.abi = wire_u32(r);
    info.needs = wire_u32(r);
    info.blocking = wire_u8(r) != 0;
    info.option_count = wire_count(r, PLUGIN_OPTIONS_MAX, OPTION_BYTES_MIN);
    info.options = arena_array(arena, info.option_count, sizeof *info.options);
    for (uint32_t i = 0; i < info.option_count && !r->failed; i++)
        read_option(r, arena, &info.options[i]);
    info.metric_count = wire_count(r, PLUGIN_METRICS_MAX, METRIC_BYTES_MIN);
    info.metrics = arena_array(arena, info.metric_count, sizeof *info.metrics);
    for (uint32_t i = 0; i < info.metric_count && !r->failed; i++)
        read_metric(r, arena, &info.metrics[i]);
    info.view_count = plugin_views_decode(r, arena, &info.views);
    if (r->failed || !info.path || check_info(&info, NULL) != 0) {
        r->failed = true;
        return ERROR_PROTOCOL;
    }
    *out = info;
    return 0;
}

/* ---- looking up */

const struct plugin_option *plugin_option_find(const struct plugin_info *info, const char *name)
{
    for (uint32_t i = 0; i < info->option_count; i++) {
        if (info->options[i].name && strcmp(info->options[i].name, name) == 0)
            return &info->options[i];
    }
    return NULL;
}

const struct plugin_metric *plugin_metric_find(const struct plugin_info *info, const char *name)
{
    for (uint32_t i = 0; i < info->metric_count; i++) {
        if (info->metrics[i].name && strcmp(info->metrics[i].name, name) == 0)
            return &info->metrics[i];
    }
    return NULL;
}
