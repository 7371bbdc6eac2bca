/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_check - from a check's block to the checks of the model: the values in force, the plugin and its options, and
 * one check for each item of `each` (service/check@item). */
#include "core/config/config_load.h"

#include <string.h>

#include "core/base/text.h"

/* Model size: `each` can make much of a small file. */
#define MODEL_BYTES_MAX ((size_t)1 << 30)

/* A check while it is made. */
struct making {
    struct load *load;
    const struct block *service, *block;
    const struct plugin_info *info;
    struct levels levels;
    struct check_config proto; /* what all its instances share */
};

static void check_timing(struct making *m)
{
    const struct check_config *check = &m->proto;
    if (check->timeout_ms > check->every_ms) {
        char timeout[TEXT_DURATION_SIZE], every[TEXT_DURATION_SIZE];
        text_format_duration(timeout, check->timeout_ms);
        text_format_duration(every, check->every_ms);
        report_error(&m->load->report, m->block->place,
                     "timeout %s is longer than every %s: write timeout = \"%s\" or less, or a longer every", timeout,
                     every, every);
    }
}

/* ---- plugin and options -------------------------------------------------------------------------------------- */

/* The rejection of the file that should have been this plugin, or NULL. */
static const struct catalog_rejection *find_rejection(const struct catalog *catalog, const char *plugin)
{
    for (uint32_t i = 0; i < catalog->rejection_count; i++) {
        const char *slash = strrchr(catalog->rejections[i].path, '/');
        const char *file = slash ? slash + 1 : catalog->rejections[i].path;
        size_t n = strlen(plugin);
        if (strncmp(file, plugin, n) == 0 && strcmp(file + n, ".so") == 0)
            return &catalog->rejections[i];
    }
    return NULL;
}

static void say_no_plugin(struct load *load, const config_setting_t *setting, const char *name)
{
    const struct catalog *catalog = load->catalog;
    const struct catalog_rejection *rejection = find_rejection(catalog, name);
    const char **names = arena_array(&load->arena, catalog->plugin_count + 1, sizeof(*names));
    for (uint32_t i = 0; i < catalog->plugin_count; i++)
        names[i] = catalog->plugins[i]->name;
    if (rejection)
        setting_error(load, setting, "plugin '%s' was rejected: %s: %s", name, rejection->path, rejection->why);
    else if (!load->folders_missing)
        setting_error(load, setting, "there is no plugin '%s'%s", name,
                      catalog->plugin_count ? suggest(load, name, names) : "; the plugin folders hold none");
}

/* The plugin asks for no more than it is granted. */
static void check_needs(struct making *m, const config_setting_t *setting)
{
    struct why why;
    if (plugin_needs_explain(m->info, config_plugin(m->load->config, m->info).allow, &why) != 0)
        setting_error(m->load, setting, "%s", why.text);
}

static void find_plugin(struct making *m)
{
    const config_setting_t *setting = level_find(&m->levels, "plugin");
    const char *name = NULL;
    if (!setting && !m->load->settings_missing)
        report_error(&m->load->report, m->block->place, "check '%s' has no plugin: write plugin = \"...\";",
                     m->block->name);
    else if (setting && value_text(m->load, setting, &name))
        m->info = catalog_find(m->load->catalog, name);
    if (name && !m->info)
        say_no_plugin(m->load, setting, name);
    if (!m->info) {
        m->load->plugins_missing = true;
        return;
    }
    m->proto.plugin = arena_text(&m->load->config->arena, m->info->name);
    if (!m->load->settings_missing)
        check_needs(m, setting);
}

static void load_options(struct making *m, const struct instance *instance, struct check_config *check)
{
    const struct plugin_info *info = m->info;
    struct task *task = &check->task;
    task->options = arena_array(&m->load->config->arena, info->option_count + 1, sizeof(*task->options));
    for (uint32_t i = 0; i < info->option_count; i++) {
        const struct plugin_option *option = &info->options[i];
        const config_setting_t *setting = level_find(&m->levels, option->name);
        if (setting) {
            setting_mark_used(setting);
            if (value_option(m->load, setting, option, instance, &task->options[task->option_count]))
                task->option_count++;
        } else if (option->required && !m->load->settings_missing) {
            report_error(&m->load->report, m->block->place,
                         "plugin '%s' needs the option '%s' (%s): write %s = \"%s\";", info->name, option->name,
                         option->doc, option->name, option->example ? option->example : "...");
        }
    }
}

/* ---- a check ------------------------------------------------------------------------------------------------- */

static struct check_config *new_check(struct load *load)
{
    struct config *config = load->config;
    if (config->check_count == load->check_size) {
        load->check_size = load->check_size ? 2 * load->check_size : 256;
        load->checks = heap_grow(load->checks, load->check_size, sizeof(*load->checks));
    }
    return &load->checks[config->check_count++];
}

/* False when the configuration would grow beyond its bounds. */
static bool check_bounds(struct making *m)
{
    const struct config *config = m->load->config;
    if (config->check_count < CONFIG_CHECKS_MAX && config->arena.used_bytes < MODEL_BYTES_MAX)
        return true;
    report_error(&m->load->report, m->block->place,
                 "more than %u checks, or more than 1 GiB of options: the check "
                 "'%s' and what follows are not read",
                 CONFIG_CHECKS_MAX, m->block->name);
    return false;
}

static void claim_id(struct making *m, const char *id)
{
    struct map *places = &m->load->check_places;
    const struct place *before = map_get(places, id);
    if (before)
        report_error(&m->load->report, m->block->place, "check '%s' was given already at %s:%d: rename one of the two",
                     id, before->file, before->line);
    else
        map_put(places, id, (void *)(uintptr_t)&m->block->place);
}

/* One check, or one instance of it; false when there is no room for it. */
static bool make_check(struct making *m, const char *instance_name, const struct instance *instance)
{
    struct arena *arena = &m->load->config->arena;
    const config_setting_t *title = setting_member(m->block->setting, "title");
    const char *text;
    if (!check_bounds(m))
        return false;
    struct check_config *check = new_check(m->load);
    *check = m->proto;
    check->id = arena_print(arena, "%s/%s%s%s", m->service->name, m->block->name, instance_name ? "@" : "",
                            instance_name ? instance_name : "");
    check->task.id = check->id;
    if (!text_is_check_id(check->id))
        report_error(&m->load->report, m->block->place,
                     "'%s' can't be a check's id: write service/check@instance, each "
                     "part at most 64 characters",
                     check->id);
    check->title = strchr(check->id, '/') + 1;
    if (title && value_text(m->load, title, &text) && (text = value_expand(m->load, title, text, instance)) != NULL)
        check->title = text;
    claim_id(m, check->id);
    if (!check->breaker_shared)
        check->breaker.name = check->id;
    if (m->info)
        load_options(m, instance, check);
    level_mark(check);
    return true;
}

/* ---- each ---------------------------------------------------------------------------------------------------- */

#define EACH_MAX 16

struct each {
    const char *names[EACH_MAX + 1];
    const config_setting_t *lists[EACH_MAX];
    int length;
};

static bool read_each(struct making *m, const config_setting_t *setting, struct each *each)
{
    int count = config_setting_is_group(setting) ? config_setting_length(setting) : 0;
    if (count == 0 || count > EACH_MAX) {
        setting_error(m->load, setting, "'each' is a group of lists: each = { host = [ \"web1\", \"web2\" ]; };");
        return false;
    }
    for (int i = 0, n = 0; i < count; i++) {
        const config_setting_t *list = setting_at(setting, i);
        if (!list)
            continue;
        if ((!config_setting_is_array(list) && !config_setting_is_list(list)) || config_setting_length(list) == 0) {
            setting_error(m->load, list, "'%s' in each is a list with at least one item: write %s = [ \"a\", \"b\" ];",
                          list->name, list->name);
            return false;
        }
        if (n > 0 && config_setting_length(list) != each->length) {
            setting_error(m->load, list,
                          "'%s' has %d items and '%s' %d: the lists of each are walked side by side, "
                          "write them equally long",
                          list->name, config_setting_length(list), each->names[0], each->length);
            return false;
        }
        each->length = config_setting_length(list);
        each->lists[n] = list;
        each->names[n++] = list->name;
    }
    return each->length > 0;
}

/* The instance's name is the first list's item. */
static bool check_instance_name(struct making *m, const config_setting_t *item, const char *value,
                                const char *list_name)
{
    if (text_is_name(value))
        return true;
    setting_error(m->load, item,
                  "'%s' can't be part of a check's name (lower-case letters, digits, '-', '_', '.'): "
                  "put a list of names first, each = { name = [ ... ]; %s = [ ... ]; };",
                  value, list_name);
    return false;
}

static void make_instances(struct making *m, const config_setting_t *setting)
{
    struct each each = { .length = 0 };
    if (!read_each(m, setting, &each))
        return;
    for (int i = 0; i < each.length; i++) {
        const char *values[EACH_MAX + 1] = { NULL };
        bool good = true;
        for (int n = 0; each.names[n]; n++) {
            const config_setting_t *item = config_setting_get_elem(each.lists[n], (unsigned)i);
            values[n] = value_written(m->load, item);
            if (!values[n])
                setting_error(m->load, item, "an item of '%s' is no text or number", each.names[n]);
            good = good && values[n] && (n > 0 || check_instance_name(m, item, values[n], each.names[n]));
        }
        struct instance instance = { each.names, values };
        if (good && !make_check(m, values[0], &instance))
            return;
    }
}

/* In a list a check may carry an instance's name itself: { name = "web@web1"; ... }. */
bool check_name_is_good(struct load *load, const struct block *block)
{
    if (text_is_check_id(arena_print(&load->arena, "a/%s", block->name)))
        return true;
    report_error(&load->report, block->place,
                 "'%s' can't be a check's name: lower-case letters, digits, '-', '_' and '.', at most 64", block->name);
    return false;
}

void check_load(struct load *load, const struct block *service, const struct levels *above, const struct block *block)
{
    struct making m = { .load = load, .service = service, .block = block };
    struct check_config *check = &m.proto;
    const config_setting_t *group = block->setting, *each = setting_member(group, "each");
    level_push(&m.levels, group, IN_CHECK);
    level_push_use(load, &m.levels, group);
    for (unsigned i = 0; i < above->count; i++)
        level_push(&m.levels, above->at[i], above->where[i]);
    check->service = arena_text(&load->config->arena, service->name);
    check->place = block->place;
    find_plugin(&m);
    level_load(load, &m.levels, check);
    check_timing(&m);
    if (m.info)
        threshold_load(load, &m.levels, m.info, check);
    level_check_keys(load, group, IN_CHECK, m.info);
    if (each)
        make_instances(&m, each);
    else
        make_check(&m, NULL, NULL);
}
