/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_main - what the main file says of the installation as a whole: paths, journal, series, plugins. */
#include "core/config/config_load.h"

#include <config.h>
#include <string.h>
#include <sys/un.h>

#include "core/base/file.h"
#include "core/base/text.h"

#define IN(member) offsetof(struct config, member)

/* The folders; a default without a leading '/' lies beside the main file. */
static const struct path {
    const char *name;
    size_t offset;
    const char *fallback;
} paths[] = {
    { "state_dir", IN(state_dir), LOCALSTATEDIR "/lib/belfry" },
    { "run_dir", IN(run_dir), RUNSTATEDIR "/belfry" },
    { "conf_dir", IN(conf_dir), "conf.d" },
    { "secrets_dir", IN(secrets_dir), "secrets" },
};

static const char *beside(struct load *load, const char *path)
{
    struct arena *arena = &load->config->arena;
    const char *file = load->config->file, *slash = strrchr(file, '/');
    if (path[0] == '/')
        return arena_text(arena, path);
    return file_join(arena, arena_text_n(&load->arena, file, slash > file ? (size_t)(slash - file) : 1), path);
}

static void load_path(struct load *load, const config_setting_t *root, const struct path *path)
{
    const config_setting_t *setting = setting_member(root, path->name);
    const char *text = path->fallback;
    if (setting && value_text(load, setting, &text) && text[0] == '\0') {
        setting_error(load, setting, "'%s' is empty: write a folder, or leave it out for \"%s\"", path->name,
                      path->fallback);
        text = path->fallback;
    }
    *(const char **)(void *)((char *)load->config + path->offset) = beside(load, text);
}

static void load_plugin_dirs(struct load *load, const config_setting_t *root)
{
    static const char *const fallback[] = { PLUGINDIR, NULL };
    const config_setting_t *setting = setting_member(root, "plugin_dirs");
    const char *const *texts = setting ? value_texts(load, setting) : fallback;
    size_t count = 0;
    while (texts && texts[count])
        count++;
    const char **dirs = arena_array(&load->config->arena, count + 1, sizeof(*dirs));
    for (size_t i = 0; i < count; i++)
        dirs[i] = beside(load, texts[i]);
    load->config->plugin_dirs = dirs;
}

void main_load_paths(struct load *load, const struct tree *tree)
{
    const config_setting_t *root = config_root_setting(&tree->parsed);
    struct config *config = load->config;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        load_path(load, root, &paths[i]);
    load_plugin_dirs(load, root);
    load->folders_missing = !tree->usable && !setting_member(root, "plugin_dirs");
    config->control_socket = file_join(&config->arena, config->run_dir, "control.sock");
    if (strlen(config->control_socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        const config_setting_t *setting = setting_member(root, "run_dir");
        report_error(&load->report, setting ? setting_place(setting) : (struct place){ config->file, 0 },
                     "'run_dir' is too long for a socket: '%s' has more than 107 bytes", config->control_socket);
    }
}

/* ---- journal ------------------------------------------------------------------------------------------------- */

#define SEAL_EVERY_MS (15 * 60 * 1000)
#define ANCHOR_EVERY_MS (60 * 60 * 1000)
#define SYNC_LEAST_MS 10
#define SYNC_MOST_MS (60 * 1000)
#define DAY_MS INT64_C(86400000)

static void load_anchor_file(struct load *load, const config_setting_t *setting, struct anchor_config *out)
{
    const char *text = NULL;
    if (!value_text(load, setting, &text))
        return;
    if (text[0] == '\0')
        setting_error(load, setting, "'file' is empty: write a path, or leave it out");
    out->file = beside(load, text);
}

static void load_anchor_webhook(struct load *load, const config_setting_t *setting, struct anchor_config *out)
{
    const char *text = NULL;
#ifndef HAVE_CURL
    setting_error(load, setting, "'webhook' can't be posted to by this build, which is without libcurl");
#endif
    if (value_text(load, setting, &text) && secret_check(load, setting, "webhook", text))
        out->webhook = arena_text(&load->config->arena, text);
}

static void load_anchor_format(struct load *load, const config_setting_t *setting, struct anchor_config *out)
{
    const char *text = NULL;
    if (!value_text(load, setting, &text))
        return;
    for (const char *const *format = anchor_post_formats; *format; format++)
        if (strcmp(*format, text) == 0)
            out->format = *format;
    if (!out->format)
        setting_error(load, setting, "'format' is '%s': write \"json\", \"discord\" or \"slack\"", text);
}

static void load_anchor(struct load *load, const config_setting_t *group, struct anchor_config *out)
{
    static const char *const known[] = { "every", "syslog", "file", "webhook", "format", NULL };
    int64_t every_ms = ANCHOR_EVERY_MS;
    if (!setting_check_keys(load, group, "'anchor'", known))
        return;
    const config_setting_t *every = setting_member(group, "every"), *syslog = setting_member(group, "syslog");
    const config_setting_t *file = setting_member(group, "file");
    const config_setting_t *webhook = setting_member(group, "webhook"), *format = setting_member(group, "format");
    if (every)
        value_duration(load, every, 1000, DAY_MS, &every_ms);
    if (syslog)
        value_flag(load, syslog, &out->syslog);
    if (file)
        load_anchor_file(load, file, out);
    if (webhook)
        load_anchor_webhook(load, webhook, out);
    if (format)
        load_anchor_format(load, format, out);
    if (!out->format)
        out->format = anchor_post_formats[0];
    if (!out->syslog && !file && !webhook)
        setting_error(load, group,
                      "'anchor' names no place: write syslog = true; or file = \"PATH\"; or webhook = \"@NAME\";");
    out->every_ms = (uint32_t)every_ms;
}

/* sync = "always"; or sync = { interval = "1s"; }; */
static void load_sync(struct load *load, const config_setting_t *setting, uint32_t *out_ms)
{
    static const char *const known[] = { "interval", NULL };
    const char *text = NULL;
    int64_t every_ms = 0;
    if (config_setting_type(setting) == CONFIG_TYPE_GROUP) {
        const config_setting_t *every = setting_member(setting, "interval");
        if (!setting_check_keys(load, setting, "'sync'", known))
            return;
        if (!every)
            setting_error(load, setting, "'sync' has no interval: write interval = \"1s\";");
        else if (value_duration(load, every, SYNC_LEAST_MS, SYNC_MOST_MS, &every_ms))
            *out_ms = (uint32_t)every_ms;
    } else if (value_text(load, setting, &text) && strcmp(text, "always") != 0) {
        setting_error(load, setting, "'sync' is '%s': write \"always\", or { interval = \"1s\"; }", text);
    }
}

void main_load_journal(struct load *load)
{
    static const char *const known[] = {
        "segment", "keep", "keep_size", "sync", "reserve", "seal_every", "anchor", NULL
    };
    int64_t segment = 16 << 20, seal_every_ms = SEAL_EVERY_MS, keep_ms = 0, keep_bytes = 0, reserve = 16 << 20;
    if (load->journal && setting_check_keys(load, load->journal, "'journal'", known)) {
        const config_setting_t *bytes = setting_member(load->journal, "segment");
        const config_setting_t *every = setting_member(load->journal, "seal_every");
        const config_setting_t *anchor = setting_member(load->journal, "anchor");
        if (bytes)
            value_size(load, bytes, 64 << 10, 1 << 30, &segment);
        const config_setting_t *keep = setting_member(load->journal, "keep");
        const config_setting_t *keep_size = setting_member(load->journal, "keep_size");
        if (every)
            value_duration(load, every, 1000, DAY_MS, &seal_every_ms);
        if (keep)
            value_duration(load, keep, DAY_MS, 100 * 365 * DAY_MS, &keep_ms);
        if (keep_size)
            value_size(load, keep_size, 1 << 20, INT64_C(1) << 50, &keep_bytes);
        if (anchor)
            load_anchor(load, anchor, &load->config->journal_anchor);
        const config_setting_t *sync = setting_member(load->journal, "sync");
        const config_setting_t *kept = setting_member(load->journal, "reserve");
        if (sync)
            load_sync(load, sync, &load->config->journal_sync_ms);
        if (kept)
            value_size(load, kept, 0, 1 << 30, &reserve);
    }
    load->config->journal_reserve_bytes = (uint32_t)reserve;
    load->config->journal_segment_bytes = (uint32_t)segment;
    load->config->journal_keep_ms = keep_ms;
    load->config->journal_keep_bytes = (uint64_t)keep_bytes;
    load->config->journal_seal_every_ms = (uint32_t)(seal_every_ms / 1000 * 1000);
}

/* ---- plugins ------------------------------------------------------------------------------------------------- */

#define WORKERS_MAX 64
#define CONCURRENCY_MAX 65536

/* allow = [ "network", "files" ]; [] grants nothing. */
static void load_allow(struct load *load, const config_setting_t *setting, struct plugin_config *out)
{
    bool none = config_setting_is_aggregate(setting) && config_setting_length(setting) == 0;
    const char *const *names = none ? (const char *const[]){ NULL } : value_texts(load, setting);
    out->allow_given = true;
    for (; names && *names; names++) {
        size_t i = 0;
        while (plugin_need_names[i] && strcmp(plugin_need_names[i], *names) != 0)
            i++;
        if (plugin_need_names[i])
            out->allow |= 1u << i;
        else
            setting_error(load, setting, "'%s' can't be allowed to a plugin%s", *names,
                          suggest(load, *names, plugin_need_names));
    }
}

static void load_plugin(struct load *load, const struct block *block, struct plugin_config *out)
{
    static const char *const known[] = { "workers", "concurrency", "allow", "name", NULL };
    const config_setting_t *allow = setting_member(block->setting, "allow");
    const struct plugin_info *info = catalog_find(load->catalog, block->name);
    const config_setting_t *workers = setting_member(block->setting, "workers");
    const config_setting_t *concurrency = setting_member(block->setting, "concurrency");
    int64_t worker_count = PLUGIN_WORKERS_DEFAULT;
    int64_t runs = info && info->blocking ? PLUGIN_CONCURRENCY_BLOCKING_DEFAULT : PLUGIN_CONCURRENCY_DEFAULT;
    if (!info) {
        const char **names = arena_array(&load->arena, load->catalog->plugin_count + 1, sizeof(*names));
        for (uint32_t i = 0; i < load->catalog->plugin_count; i++)
            names[i] = load->catalog->plugins[i]->name;
        report_error(&load->report, block->place, "there is no plugin '%s'%s", block->name,
                     suggest(load, block->name, names));
    }
    setting_check_keys(load, block->setting, arena_print(&load->arena, "plugin '%s'", block->name), known);
    if (workers)
        value_integer(load, workers, 1, WORKERS_MAX, &worker_count);
    if (concurrency)
        value_integer(load, concurrency, 1, CONCURRENCY_MAX, &runs);
    *out = (struct plugin_config){ .name = arena_text(&load->config->arena, block->name),
                                   .workers = (uint32_t)worker_count,
                                   .concurrency = (uint32_t)runs };
    if (allow)
        load_allow(load, allow, out);
}

void main_load_plugins(struct load *load)
{
    struct config *config = load->config;
    config->plugin_count = load->plugins.count;
    config->plugins = arena_array(&config->arena, config->plugin_count + 1, sizeof(*config->plugins));
    for (uint32_t i = 0; i < config->plugin_count; i++)
        load_plugin(load, &load->plugins.blocks[i], &config->plugins[i]);
}
