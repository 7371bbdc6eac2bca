/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_threshold - thresholds of the sysadmin, in one of two shapes:
 *
 *     thresholds = { memory_used = { warn = "80"; crit = "95"; }; };
 *     thresholds = ( { metric = "/var"; part = "disk"; crit = "98"; }, ... );
 *
 * The levels are merged metric by metric (and part by part), warn and crit apart; "" switches a default off. A group
 * takes what the plugin declares. A metric that it makes as it runs (performance data that exec reads) stands in the
 * list, which takes any name; a plugin that declares no metrics takes any name in both. Instead of a range a comparison
 * with the metric's baseline may stand there (limit.h). */
#include "core/config/config_load.h"

#include <string.h>

#include "core/base/text.h"

/* In one level. */
#define THRESHOLDS_MAX 256

static const char *const group_keys[] = { "warn", "crit", NULL };
static const char *const list_keys[] = { "metric", "part", "warn", "crit", NULL };

struct entry {
    const config_setting_t *setting;
    const char *metric, *part;
};

/* The number of entries; 0 after reporting. */
static int count_entries(struct load *load, const config_setting_t *thresholds)
{
    if (!thresholds)
        return 0;
    if (!config_setting_is_group(thresholds) && !config_setting_is_list(thresholds)) {
        setting_error(load, thresholds,
                      "'thresholds' is a group: thresholds = { METRIC = { warn = \"80\"; crit = "
                      "\"95\"; }; };");
        return 0;
    }
    if (config_setting_length(thresholds) > THRESHOLDS_MAX) {
        setting_error(load, thresholds, "more than %d thresholds in one place", THRESHOLDS_MAX);
        return 0;
    }
    return config_setting_length(thresholds);
}

static bool entry_at(struct load *load, const config_setting_t *thresholds, int i, struct entry *out)
{
    const config_setting_t *at = setting_at(thresholds, i);
    if (!at)
        return false;
    *out = (struct entry){ .setting = at, .metric = at->name };
    if (!setting_check_keys(load, at, "a threshold", at->name ? group_keys : list_keys))
        return false;
    if (at->name)
        return true;
    const config_setting_t *metric = setting_member(at, "metric"), *part = setting_member(at, "part");
    if (!metric) {
        setting_error(load, at, "a threshold in the list names no metric: write { metric = \"...\"; crit = \"...\"; }");
        return false;
    }
    return value_text(load, metric, &out->metric) && (!part || value_text(load, part, &out->part));
}

/* warn or crit; "" is given and not set. */
static void read_range(struct load *load, const struct entry *entry, const char *name, bool *given, struct limit *limit)
{
    struct why why = { "" };
    const config_setting_t *setting = setting_member(entry->setting, name);
    const char *written = setting ? value_written(load, setting) : NULL;
    if (!setting)
        return;
    *given = true;
    *limit = (struct limit){ .compares = false };
    if (!written || setting->type == CONFIG_TYPE_BOOL)
        setting_error(load, setting, "'%s' is a range: write \"80\", \"10:20\" or \"~:95\"; \"\" for none", name);
    else if (written[0] && limit_parse(written, limit, &why) != 0)
        setting_error(load, setting, "%s of '%s': %s", name, entry->metric, why.text);
}

static void read_ranges(struct load *load, const struct entry *entry, struct threshold *threshold)
{
    read_range(load, entry, "warn", &threshold->warn_given, &threshold->warn);
    read_range(load, entry, "crit", &threshold->crit_given, &threshold->crit);
}

/* A counter only grows. */
static void check_comparisons(struct load *load, const struct entry *entry, const struct plugin_info *info,
                              const struct threshold *threshold)
{
    const struct plugin_metric *metric = plugin_metric_find(info, entry->metric);
    if (metric && metric->kind == BELFRY_COUNTER && (threshold->warn.compares || threshold->crit.compares))
        setting_error(load, entry->setting, "'%s' is a counter, which has no baseline: write a range", entry->metric);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct threshold *find_or_add(struct load *load, struct check_config *check, const struct entry *entry)
{
    for (uint32_t i = 0; i < check->threshold_count; i++)
        if (same(check->thresholds[i].metric, entry->metric) && same(check->thresholds[i].part, entry->part))
            return &check->thresholds[i];
    struct threshold *threshold = &check->thresholds[check->threshold_count++];
    threshold->metric = arena_text(&load->config->arena, entry->metric);
    threshold->part = arena_text(&load->config->arena, entry->part);
    return threshold;
}

static void say_unknown(struct load *load, const struct entry *entry, const struct plugin_info *info)
{
    const char **names = arena_array(&load->arena, info->metric_count + 1, sizeof(*names));
    for (uint32_t i = 0; i < info->metric_count; i++)
        names[i] = info->metrics[i].name;
    if (text_nearest(entry->metric, names))
        setting_error(load, entry->setting, "plugin '%s' has no metric '%s'%s", info->name, entry->metric,
                      suggest(load, entry->metric, names));
    else
        setting_error(
            load, entry->setting,
            "plugin '%s' declares no metric '%s'%s; one that it makes as it runs is written in a list: thresholds "
            "= ( { metric = \"%s\"; crit = ...; } )",
            info->name, entry->metric, suggest(load, entry->metric, names), entry->metric);
}

static void merge(struct load *load, const config_setting_t *thresholds, bool own, const struct plugin_info *info,
                  struct check_config *check)
{
    struct entry entry;
    int count = count_entries(load, thresholds);
    for (int i = 0; i < count; i++) {
        if (!entry_at(load, thresholds, i, &entry))
            continue;
        bool listed = entry.setting->name == NULL;
        if (listed || info->metric_count == 0 || plugin_metric_find(info, entry.metric)) {
            setting_mark_used(entry.setting);
            struct threshold *threshold = find_or_add(load, check, &entry);
            read_ranges(load, &entry, threshold);
            check_comparisons(load, &entry, info, threshold);
        } else if (own) {
            struct threshold unused = { .metric = NULL };
            say_unknown(load, &entry, info);
            read_ranges(load, &entry, &unused);
        }
    }
}

void threshold_load(struct load *load, const struct levels *levels, const struct plugin_info *info,
                    struct check_config *check)
{
    const config_setting_t *at[LEVELS_MAX];
    size_t room = 0;
    for (unsigned i = 0; i < levels->count; i++) {
        at[i] = setting_member(levels->at[i], "thresholds");
        if (at[i] && config_setting_is_aggregate(at[i]))
            room += (size_t)config_setting_length(at[i]);
    }
    if (room > 0)
        check->thresholds = arena_array(&load->config->arena, room, sizeof(*check->thresholds));
    for (unsigned i = levels->count; i-- > 0;)
        if (at[i])
            merge(load, at[i], levels->where[i] == IN_CHECK, info, check);
}

static bool any_plugin_measures(const struct catalog *catalog, const char *metric)
{
    for (uint32_t i = 0; i < catalog->plugin_count; i++)
        if (plugin_metric_find(catalog->plugins[i], metric))
            return true;
    return false;
}

void threshold_check_shared(struct load *load, const config_setting_t *thresholds)
{
    struct entry entry;
    int count = count_entries(load, thresholds);
    for (int i = 0; i < count; i++) {
        struct threshold unused = { .metric = NULL };
        if (!entry_at(load, thresholds, i, &entry))
            continue;
        read_ranges(load, &entry, &unused);
        if (entry.setting->name && !setting_is_used(entry.setting) && !load->plugins_missing &&
            !any_plugin_measures(load->catalog, entry.metric))
            setting_error(load, entry.setting, "no plugin has a metric '%s' (`belfry plugins info NAME` lists them)",
                          entry.metric);
    }
}
