/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_series - what is kept of metrics:
 *
 *     series: { archives = ( { point = "5m"; keep = "2w"; }, ... ); keep_parts = "90d"; rrdcached = "unix:/PATH"; };
 *     archives = ( ... );                     of a check, service, template or defaults: instead of those
 *     renamed = { OLD = "NEW"; };             likewise: metrics that have another name now
 *     renamed = ( { from = "OLD"; to = "NEW"; }, ... ); */
#include "core/config/config_load.h"

#include <string.h>

#include "core/base/text.h"
#include "core/model/result.h"

#define MINUTE 60u
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define DAY_MS (DAY * 1000LL)
#define KEEP_PARTS_MS (90 * DAY_MS)
#define RENAMES_MAX 256
#define SOCKET_PATH_MAX 107 /* of a unix socket's address */

/* A point shorter than the check's interval is one interval long (layout.c of the recorder): so 1 s is "step". */
#define STEP 1
static const struct series_archive default_archives[] = {
    { STEP, 2 * DAY },
    { 5 * MINUTE, 14 * DAY },
    { 30 * MINUTE, 61 * DAY },
    { 6 * HOUR, 2 * 365 * DAY },
};

/* ---- archives ------------------------------------------------------------------------------------------------ */

static void load_archive(struct load *load, const config_setting_t *setting, struct series_archive *out)
{
    static const char *const known[] = { "point", "keep", NULL };
    int64_t point_ms = STEP * 1000, keep_ms = 0;
    const char *word;
    if (!setting_check_keys(load, setting, "an archive", known))
        return;
    const config_setting_t *point = setting_member(setting, "point"), *keep = setting_member(setting, "keep");
    if (!point || !keep) {
        setting_error(load, setting,
                      "an archive is written { point = \"5m\"; keep = \"2w\"; } (point = \"step\": the "
                      "check's interval)");
        return;
    }
    bool step = point->type == CONFIG_TYPE_STRING && value_text(load, point, &word) && strcmp(word, "step") == 0;
    if (!step && !value_duration(load, point, 1000, 366LL * DAY * 1000, &point_ms))
        return;
    if (!value_duration(load, keep, 60 * 1000, 20LL * 366 * DAY * 1000, &keep_ms))
        return;
    if (point_ms % 1000 != 0 || keep_ms % 1000 != 0 || keep_ms <= point_ms)
        setting_error(load, setting, "an archive's times are whole seconds, and keep is longer than point");
    *out = (struct series_archive){ (uint32_t)(point_ms / 1000), (uint32_t)(keep_ms / 1000) };
}

/* As the recorder would refuse it. */
static void check_size(struct load *load, const config_setting_t *setting, const struct series_archive *archive,
                       uint32_t step_s)
{
    char point[TEXT_DURATION_SIZE], keep[TEXT_DURATION_SIZE];
    uint32_t point_s = archive->point_s > step_s ? archive->point_s : step_s;
    if (point_s > 0 && archive->length_s / point_s > SERIES_POINTS_MAX)
        setting_error(load, setting, "an archive of \"%s\" has more than %u points of \"%s\": give it longer ones",
                      text_format_duration(keep, archive->length_s * 1000LL), SERIES_POINTS_MAX,
                      text_format_duration(point, point_s * 1000LL));
}

/* Their number; 0 after reporting. */
static uint32_t load_archives(struct load *load, const config_setting_t *archives, struct series_archive *out)
{
    int count = config_setting_is_list(archives) ? config_setting_length(archives) : 0;
    if (count == 0 || count > SERIES_ARCHIVES_MAX) {
        setting_error(load, archives,
                      "'archives' is a list of 1 to %d groups: ( { point = \"5m\"; keep = \"2w\"; }, "
                      "... )",
                      SERIES_ARCHIVES_MAX);
        return 0;
    }
    for (int i = 0; i < count; i++)
        load_archive(load, config_setting_get_elem(archives, (unsigned)i), &out[i]);
    return (uint32_t)count;
}

/* ---- the section --------------------------------------------------------------------------------------------- */

static void load_rrdcached(struct load *load, const config_setting_t *setting)
{
    const char *text;
    if (!value_text(load, setting, &text) || !*text)
        return;
    if (strncmp(text, "unix:/", 6) != 0 || strlen(text + 5) > SOCKET_PATH_MAX)
        setting_error(load, setting,
                      "'rrdcached' is a socket on this machine: write \"unix:/PATH\", at most %d bytes of path",
                      SOCKET_PATH_MAX);
    load->config->rrdcached = arena_text(&load->config->arena, text + 5);
}

void series_load(struct load *load)
{
    static const char *const known[] = { "archives", "keep_parts", "rrdcached", NULL };
    struct config *config = load->config;
    config->archive_count = sizeof(default_archives) / sizeof(default_archives[0]);
    config->keep_parts_ms = KEEP_PARTS_MS;
    memcpy(config->archives, default_archives, sizeof(default_archives));
    if (!load->series || !setting_check_keys(load, load->series, "'series'", known))
        return;
    const config_setting_t *archives = setting_member(load->series, "archives");
    const config_setting_t *keep_parts = setting_member(load->series, "keep_parts");
    const config_setting_t *rrdcached = setting_member(load->series, "rrdcached");
    uint32_t count = archives ? load_archives(load, archives, config->archives) : 0;
    if (count > 0)
        config->archive_count = count;
    if (keep_parts)
        value_duration(load, keep_parts, DAY_MS, 20 * 366 * DAY_MS, &config->keep_parts_ms);
    if (rrdcached)
        load_rrdcached(load, rrdcached);
}

/* ---- of a check ---------------------------------------------------------------------------------------------- */

static bool load_rename(struct load *load, const config_setting_t *at, struct series_rename *out)
{
    static const char *const known[] = { "from", "to", NULL };
    const char *from = at->name, *to = NULL;
    if (at->name && !value_text(load, at, &to))
        return false;
    if (!at->name && setting_check_keys(load, at, "a renamed metric", known)) {
        const config_setting_t *old = setting_member(at, "from"), *new = setting_member(at, "to");
        if (!old || !new || !value_text(load, old, &from) || !value_text(load, new, &to))
            from = to = NULL;
    }
    if (!from || !to || !*from || !*to || strlen(from) > RESULT_NAME_MAX || strlen(to) > RESULT_NAME_MAX ||
        strcmp(from, to) == 0) {
        setting_error(load, at,
                      "a renamed metric is written { OLD = \"NEW\"; }, or ( { from = \"OLD\"; to = \"NEW\"; } )");
        return false;
    }
    *out = (struct series_rename){ arena_text(&load->config->arena, from), arena_text(&load->config->arena, to) };
    return true;
}

static void load_renamed(struct load *load, const config_setting_t *renamed, struct check_config *check)
{
    bool entries = config_setting_is_group(renamed) || config_setting_is_list(renamed);
    int count = entries ? config_setting_length(renamed) : 0;
    if (!entries || count > RENAMES_MAX) {
        setting_error(load, renamed, "'renamed' is a group of at most %d metrics: renamed = { OLD = \"NEW\"; };",
                      RENAMES_MAX);
        return;
    }
    struct series_rename *all = arena_array(&load->config->arena, (size_t)count + 1, sizeof(*all));
    check->renamed = all;
    for (int i = 0; i < count; i++) {
        const config_setting_t *at = setting_at(renamed, i);
        if (at && load_rename(load, at, &all[check->renamed_count]))
            check->renamed_count++;
    }
}

void series_load_check(struct load *load, const struct levels *levels, struct check_config *check)
{
    const config_setting_t *archives = level_find(levels, "archives"), *renamed = level_find(levels, "renamed");
    struct series_archive all[SERIES_ARCHIVES_MAX] = { { 0 } };
    uint32_t count = archives ? load_archives(load, archives, all) : 0;
    uint32_t step_s = (check->every_ms + 999) / 1000;
    for (uint32_t i = 0; i < count; i++)
        check_size(load, archives, &all[i], step_s);
    if (count > 0) {
        struct series_archive *own = arena_array(&load->config->arena, count, sizeof(*own));
        memcpy(own, all, count * sizeof(*own));
        check->archives = own;
        check->archive_count = count;
    }
    if (renamed)
        load_renamed(load, renamed, check);
}
