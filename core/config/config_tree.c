/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_tree - from text to libconfig's tree, and from the trees of all files to sections.
 *
 * `services`, `templates`, `breakers` and `plugins` may stand in every file and are merged by name; a name given twice
 * is an error that names both places. Everything else belongs in the main file, because it is read first and alone
 * (config_load_paths). Blocks are written as a group or, where the name is no libconfig name or there are thousands of
 * them, as a list: services = ( { name = "web.example"; ... } ). */
#include "core/config/config_load.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/text.h"

/* libconfig does not look whether it got memory: then a name or a text is missing, and what it was would silently have
 * its default. */
static bool is_whole(const config_setting_t *setting)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return config_setting_get_string(setting) != NULL;
    int count = config_setting_is_aggregate(setting) ? config_setting_length(setting) : 0;
    for (int i = 0; i < count; i++) {
        const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
        if ((config_setting_is_group(setting) && !config_setting_name(member)) || !is_whole(member))
            return false;
    }
    return true;
}

struct tree *tree_read(struct load *load, const char *path, bool main_file)
{
    struct tree *tree = heap_alloc(sizeof(*tree));
    load->trees = heap_grow(load->trees, load->tree_count + 1, sizeof(*load->trees));
    load->trees[load->tree_count++] = tree;
    tree->main_file = main_file;
    config_init(&tree->parsed);
    source_read(&tree->source, path, &load->files, &load->report);
    tree->usable = !tree->source.broken;
    /* what stands before the mistake may say where things are (main_load_paths) */
    if (tree->source.broken && tree->source.text.data)
        tree->source.text.data[tree->source.whole_bytes] = '\0';
    if (!config_read_string(&tree->parsed, tree->source.text.data) && tree->usable) {
        const char *text = config_error_text(&tree->parsed);
        struct place place = source_place(&tree->source, (unsigned)config_error_line(&tree->parsed));
        bool mixed = text && strstr(text, "mismatched") != NULL;
        if (mixed || !tree->source.mended)
            report_broken(&load->report, place, "%s",
                          mixed  ? "values of different kinds in one [ ]: write all as text, or all as numbers"
                          : text ? text
                                 : "not understood");
        tree->usable = false;
    }
    if (!is_whole(config_root_setting(&tree->parsed)))
        log_fatal("config", "out of memory while '%s' was read", path);
    buf_close(&tree->source.text);
    load->names_missing |= !tree->usable || tree->source.incomplete;
    load->settings_missing |= tree->source.incomplete;
    return tree;
}

void tree_close(struct tree *tree)
{
    config_destroy(&tree->parsed);
    source_close(&tree->source);
    free(tree);
}

/* ---- settings ------------------------------------------------------------------------------------------------ */

struct place setting_place(const config_setting_t *setting)
{
    const struct tree *tree = (const struct tree *)(const void *)setting->config;
    return source_place(&tree->source, setting->line ? setting->line : 1);
}

void setting_error(struct load *load, const config_setting_t *setting, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprint(&load->arena, format, args);
    va_end(args);
    report_error(&load->report, setting_place(setting), "%s", text);
}

/* What the scanner renamed because it was given twice. */
static bool is_renamed(const config_setting_t *setting)
{
    return setting->name && setting->name[0] == '*';
}

const config_setting_t *setting_at(const config_setting_t *setting, int i)
{
    const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
    return member && !is_renamed(member) ? member : NULL;
}

const config_setting_t *setting_member(const config_setting_t *setting, const char *name)
{
    if (!setting || !config_setting_is_group(setting))
        return NULL;
    return config_setting_get_member(setting, name);
}

const char *setting_name(const config_setting_t *setting)
{
    while (setting && !setting->name)
        setting = setting->parent;
    return setting ? setting->name : "";
}

void setting_mark_used(const config_setting_t *setting)
{
    config_setting_set_hook((config_setting_t *)(uintptr_t)setting, setting->config);
}

bool setting_is_used(const config_setting_t *setting)
{
    return config_setting_get_hook(setting) != NULL;
}

static bool is_in(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

bool setting_check_keys(struct load *load, const config_setting_t *group, const char *what, const char *const *known)
{
    if (!config_setting_is_group(group)) {
        setting_error(load, group, "%s is written as a group: { %s = ...; }", what, known[0]);
        return false;
    }
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = setting_at(group, i);
        if (member && !is_in(member->name, known))
            setting_error(load, member, "%s has no setting '%s'%s", what, member->name,
                          suggest(load, member->name, known));
    }
    return true;
}

/* ---- suggestions --------------------------------------------------------------------------------------------- */

#define LISTED_MAX 16

/* "; there are a, b, c" for few candidates. */
static const char *list_all(struct load *load, const char *const *candidates)
{
    struct buf out = { 0 };
    unsigned count = 0;
    for (; candidates[count] && count <= LISTED_MAX; count++)
        buf_print(&out, "%s'%s'", count ? ", " : "; known: ", candidates[count]);
    const char *text = count > LISTED_MAX || count == 0 ? "" : arena_text(&load->arena, out.data);
    buf_close(&out);
    return text;
}

const char *suggest(struct load *load, const char *name, const char *const *candidates)
{
    const char *nearest = text_nearest(name, candidates);
    if (nearest)
        return arena_print(&load->arena, "; did you mean '%s'?", nearest);
    return list_all(load, candidates);
}

const char *suggest_block(struct load *load, const char *name, const struct section *section, const char *written)
{
    if (section->count == 0)
        return arena_print(&load->arena, "; write %s = { %s = { ... }; };", written, name);
    const char **names = arena_array(&load->arena, section->count + 1, sizeof(*names));
    for (uint32_t i = 0; i < section->count; i++)
        names[i] = section->blocks[i].name;
    return suggest(load, name, names);
}

/* ---- blocks -------------------------------------------------------------------------------------------------- */

bool block_at(struct load *load, const config_setting_t *setting, int i, struct block *out)
{
    const config_setting_t *at = setting_at(setting, i);
    if (!at)
        return false;
    out->setting = at;
    out->place = setting_place(at);
    if (!config_setting_is_group(at)) {
        setting_error(load, at, "'%s' holds groups: write %s { ... }", setting_name(setting),
                      at->name ? arena_print(&load->arena, "%s =", at->name) : "");
        return false;
    }
    if (at->name) {
        out->name = at->name;
        return true;
    }
    const config_setting_t *name = setting_member(at, "name");
    if (!name) {
        setting_error(load, at, "a group in the list '%s' has no name: write { name = \"...\"; ... }",
                      setting_name(setting));
        return false;
    }
    return value_text(load, name, &out->name);
}

const struct block *section_find(const struct section *section, const char *name)
{
    const char *index = map_get(&section->by_name, name);
    return index ? &section->blocks[(uintptr_t)index - 1] : NULL;
}

static void add_block(struct load *load, struct section *section, const struct block *block, const char *what)
{
    const struct block *before = section_find(section, block->name);
    if (!text_is_name(block->name)) {
        report_error(&load->report, block->place,
                     "'%s' can't be a name in '%s': lower-case letters, digits, '-', '_' and '.', at most 64",
                     block->name, what);
        return;
    }
    if (before) {
        report_error(&load->report, block->place, "'%s' was given already at %s:%d: rename one of the two in '%s'",
                     block->name, before->place.file, before->place.line, what);
        return;
    }
    if ((section->count & (section->count - 1)) == 0)
        section->blocks =
            heap_grow(section->blocks, section->count ? 2 * (size_t)section->count : 1, sizeof(*section->blocks));
    section->blocks[section->count++] = *block;
    map_put(&section->by_name, block->name, (void *)(uintptr_t)section->count);
}

static void collect_blocks(struct load *load, const config_setting_t *setting, struct section *section)
{
    struct block block;
    if (!config_setting_is_group(setting) && !config_setting_is_list(setting)) {
        setting_error(load, setting, "'%s' is written as a group: %s = { name = { ... }; };", setting->name,
                      setting->name);
        return;
    }
    for (int i = 0; i < config_setting_length(setting); i++)
        if (block_at(load, setting, i, &block))
            add_block(load, section, &block, setting->name);
}

/* ---- the top level ------------------------------------------------------------------------------------------- */

#define NOWHERE SIZE_MAX

/* Every top-level setting: sections stand in any file, the others in the main file. config_main.c reads the paths. */
static const struct top {
    const char *name;
    size_t section, single; /* offset in struct load, or NOWHERE */
} tops[] = {
    { "services", offsetof(struct load, services), NOWHERE },
    { "templates", offsetof(struct load, templates), NOWHERE },
    { "breakers", offsetof(struct load, breakers), NOWHERE },
    { "plugins", offsetof(struct load, plugins), NOWHERE },
    { "drills", offsetof(struct load, drills), NOWHERE },
    { "runbooks", offsetof(struct load, runbooks), NOWHERE },
    { "tiers", offsetof(struct load, tiers), NOWHERE },
    { "defaults", NOWHERE, offsetof(struct load, defaults) },
    { "journal", NOWHERE, offsetof(struct load, journal) },
    { "series", NOWHERE, offsetof(struct load, series) },
    { "state_dir", NOWHERE, NOWHERE },
    { "run_dir", NOWHERE, NOWHERE },
    { "plugin_dirs", NOWHERE, NOWHERE },
    { "conf_dir", NOWHERE, NOWHERE },
    { "secrets_dir", NOWHERE, NOWHERE },
};
#define TOP_COUNT (sizeof(tops) / sizeof(tops[0]))

static const struct top *find_top(const char *name)
{
    for (size_t i = 0; i < TOP_COUNT; i++)
        if (strcmp(tops[i].name, name) == 0)
            return &tops[i];
    return NULL;
}

static void collect_top(struct load *load, const struct tree *tree, const config_setting_t *setting)
{
    const struct top *top = find_top(setting->name);
    char *base = (char *)load;
    if (!top) {
        const char *names[TOP_COUNT + 1] = { NULL };
        for (size_t i = 0; i < TOP_COUNT; i++)
            names[i] = tops[i].name;
        setting_error(load, setting, "there is no setting '%s'%s", setting->name, suggest(load, setting->name, names));
    } else if (top->section != NOWHERE) {
        collect_blocks(load, setting, (struct section *)(void *)(base + top->section));
    } else if (!tree->main_file) {
        setting_error(load, setting, "'%s' belongs in the main file: move it to %s", setting->name, load->config->file);
    } else if (top->single != NOWHERE) {
        *(const config_setting_t **)(void *)(base + top->single) = setting;
    }
}

static void collect(struct load *load, const struct tree *tree)
{
    const config_setting_t *root = config_root_setting(&tree->parsed);
    for (int i = 0; tree->usable && i < config_setting_length(root); i++)
        if (setting_at(root, i))
            collect_top(load, tree, setting_at(root, i));
}

void tree_collect(struct load *load)
{
    for (uint32_t t = 0; t < load->tree_count; t++)
        collect(load, load->trees[t]);
}

void tree_add(struct load *load, struct buf *text, struct place place)
{
    struct tree *tree = heap_alloc(sizeof(*tree));
    load->trees = heap_grow(load->trees, load->tree_count + 1, sizeof(*load->trees));
    load->trees[load->tree_count++] = tree;
    config_init(&tree->parsed);
    tree->source.spans = heap_array(1, sizeof(*tree->source.spans));
    tree->source.spans[0] = (struct source_span){ 1, place };
    tree->source.span_count = 1;
    tree->usable = config_read_string(&tree->parsed, text->data) == CONFIG_TRUE;
    if (!tree->usable)
        report_error(&load->report, place, "its check can't be made: %s", config_error_text(&tree->parsed));
    buf_close(text);
    collect(load, tree);
}
