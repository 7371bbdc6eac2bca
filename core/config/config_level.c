/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_level - which value is in force for a check.
 *
 * A value is looked up in levels, the strongest first: the check, its templates (`use`, the last one first), the
 * service, the service's templates, `defaults`; what stands nowhere has the default of the tables here. The members of
 * retry, breaker and flapping are looked up one by one. A level above the check may hold options and thresholds of
 * several plugins: each check takes what its plugin knows, and what no plugin knows is an error. */
#include "core/config/config_load.h"

#include <string.h>

#include "core/base/text.h"

#define ANYWHERE (IN_DEFAULTS | IN_TEMPLATE | IN_SERVICE | IN_CHECK)

/* Every key of the framework and where it may stand. `name` is the block's name where blocks are a list. */
static const struct key {
    const char *name;
    unsigned where;
} keys[] = {
    { "plugin", ANYWHERE },
    { "every", ANYWHERE },
    { "timeout", ANYWHERE },
    { "attempts", ANYWHERE },
    { "retry_every", ANYWHERE },
    { "retry", ANYWHERE },
    { "breaker", ANYWHERE },
    { "flapping", ANYWHERE },
    { "severity", ANYWHERE },
    { "thresholds", ANYWHERE },
    { "enabled", ANYWHERE },
    { "archives", ANYWHERE },
    { "renamed", ANYWHERE },
    { "use", IN_SERVICE | IN_CHECK },
    { "title", IN_SERVICE | IN_CHECK },
    { "each", IN_CHECK },
    { "depends", IN_SERVICE },
    { "checks", IN_SERVICE },
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

enum kind {
    A_DURATION, /* uint32_t, in ms */
    A_COUNT,    /* uint32_t */
    A_PERCENT,  /* double */
};

#define MS 1
#define SECONDS 1000
#define MINUTES (60 * SECONDS)
#define DAYS (24 * 60 * MINUTES)
#define IN(member) offsetof(struct check_config, member)

/* The numbers of a check: where they stand, their bounds and defaults. */
static const struct number {
    const char *group, *name; /* group NULL: a key of the check itself */
    enum kind kind;
    size_t offset; /* in struct check_config */
    int64_t min, max, fallback;
} numbers[] = {
    { NULL, "every", A_DURATION, IN(every_ms), 100 * MS, 40LL * DAYS, 60 * SECONDS },
    { NULL, "timeout", A_DURATION, IN(timeout_ms), 1 * MS, 1 * DAYS, 10 * SECONDS },
    { NULL, "attempts", A_COUNT, IN(attempts), 1, 1000, 2 },
    { NULL, "retry_every", A_DURATION, IN(retry_every_ms), 100 * MS, 40LL * DAYS, 20 * SECONDS },
    { "retry", "attempts", A_COUNT, IN(retry.attempts), 1, 100, 1 },
    { "breaker", "failures", A_COUNT, IN(breaker.failures), 0, 1000000, 5 },
    { "breaker", "open", A_DURATION, IN(breaker.open_ms), 100 * MS, 1 * DAYS, 30 * SECONDS },
    { "breaker", "open_max", A_DURATION, IN(breaker.open_max_ms), 100 * MS, 1 * DAYS, 5 * MINUTES },
    { "flapping", "low", A_PERCENT, IN(flapping.low), 0, 100, 5 },
    { "flapping", "high", A_PERCENT, IN(flapping.high), 0, 100, 20 },
};
#define NUMBER_COUNT (sizeof(numbers) / sizeof(numbers[0]))

static const char *const retry_keys[] = { "attempts", "backoff", NULL };
static const char *const breaker_keys[] = { "failures", "open", "open_max", NULL };
static const char *const shared_breaker_keys[] = { "failures", "open", "open_max", "name", NULL };
static const char *const flapping_keys[] = { "enabled", "low", "high", NULL };
static const char *const severities[] = { "sev1", "sev2", "sev3", "sev4", NULL };

/* ---- levels -------------------------------------------------------------------------------------------------- */

void level_push(struct levels *levels, const config_setting_t *group, enum where where)
{
    if (!group || levels->count == LEVELS_MAX)
        return;
    levels->at[levels->count] = group;
    levels->where[levels->count++] = where;
}

void level_push_use(struct load *load, struct levels *levels, const config_setting_t *group)
{
    const config_setting_t *use = setting_member(group, "use");
    const char *const *names = use ? value_texts(load, use) : NULL;
    unsigned count = 0;
    while (names && names[count])
        count++;
    if (count > USE_MAX) {
        setting_error(load, use, "'use' names more than %d templates", USE_MAX);
        return;
    }
    while (count-- > 0) {
        const struct block *template = section_find(&load->templates, names[count]);
        if (template)
            level_push(levels, template->setting, IN_TEMPLATE);
        else if (!load->names_missing)
            setting_error(load, use, "there is no template '%s'%s", names[count],
                          suggest_block(load, names[count], &load->templates, "templates"));
    }
}

/* The strongest setting of that name. */
const config_setting_t *level_find(const struct levels *levels, const char *name)
{
    for (unsigned i = 0; i < levels->count; i++) {
        const config_setting_t *at = setting_member(levels->at[i], name);
        if (at)
            return at;
    }
    return NULL;
}

/* The strongest member of the group of that name. */
static const config_setting_t *find_in(const struct levels *levels, const char *group, const char *name)
{
    for (unsigned i = 0; i < levels->count; i++) {
        const config_setting_t *at = setting_member(setting_member(levels->at[i], group), name);
        if (at)
            return at;
    }
    return NULL;
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static bool is_option(const struct catalog *catalog, const char *name)
{
    for (uint32_t i = 0; i < catalog->plugin_count; i++)
        if (plugin_option_find(catalog->plugins[i], name))
            return true;
    return false;
}

/* The keys that may stand there, and the options of the plugin (NULL: of all). */
static const char **known_keys(struct load *load, enum where where, const struct plugin_info *info)
{
    const struct catalog *catalog = load->catalog;
    size_t count = 0, room = KEY_COUNT + 1;
    for (uint32_t i = 0; i < catalog->plugin_count; i++)
        room += catalog->plugins[i]->option_count;
    const char **known = arena_array(&load->arena, room, sizeof(*known));
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].where & where)
            known[count++] = keys[i].name;
    for (uint32_t i = 0; i < catalog->plugin_count; i++)
        for (uint32_t k = 0; k < catalog->plugins[i]->option_count; k++)
            if (!info || info == catalog->plugins[i])
                known[count++] = catalog->plugins[i]->options[k].name;
    return known;
}

/* "a check", ... for messages. */
static const char *where_name(enum where where)
{
    return where == IN_CHECK      ? "a check"
           : where == IN_SERVICE  ? "a service"
           : where == IN_TEMPLATE ? "a template"
                                  : "'defaults'";
}

static void say_unknown_key(struct load *load, const config_setting_t *member, enum where where,
                            const struct plugin_info *info)
{
    const char **known = known_keys(load, where, info);
    const char *nearest = text_nearest(member->name, known);
    if (load->plugins_missing && !nearest)
        return;
    if (info)
        setting_error(load, member, "plugin '%s' has no option '%s'%s", info->name, member->name,
                      nearest ? arena_print(&load->arena, "; did you mean '%s'?", nearest)
                              : arena_print(&load->arena, "; `belfry plugins info %s` lists them", info->name));
    else
        setting_error(load, member, "%s has no setting '%s', and no plugin has such an option%s", where_name(where),
                      member->name, nearest ? arena_print(&load->arena, "; did you mean '%s'?", nearest) : "");
}

static const char *right_places(unsigned where)
{
    return where == IN_CHECK ? "a check" : where == IN_SERVICE ? "a service" : "a service or a check";
}

/* Refuses what may not stand in the group. info: of the check; NULL for shared groups, which are looked at last. */
void level_check_keys(struct load *load, const config_setting_t *group, enum where where,
                      const struct plugin_info *info)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = setting_at(group, i);
        const struct key *key = member ? find_key(member->name) : NULL;
        bool list_name = member && strcmp(member->name, "name") == 0 && !group->name;
        if (!member || list_name || (key && key->where & where))
            continue;
        if (key)
            setting_error(load, member, "'%s' has no meaning in %s: it belongs in %s", key->name, where_name(where),
                          right_places(key->where));
        else if (info ? !plugin_option_find(info, member->name)
                      : !setting_is_used(member) && !is_option(load->catalog, member->name))
            say_unknown_key(load, member, where, info);
    }
}

/* ---- values in force ----------------------------------------------------------------------------------------- */

static void load_number(struct load *load, const struct number *number, const config_setting_t *setting, void *out)
{
    int64_t value = number->fallback;
    if (number->kind == A_PERCENT) {
        double percent = (double)number->fallback;
        if (setting)
            value_number(load, setting, (double)number->min, (double)number->max, &percent);
        *(double *)out = percent;
        return;
    }
    if (setting && number->kind == A_DURATION)
        value_duration(load, setting, number->min, number->max, &value);
    else if (setting)
        value_integer(load, setting, number->min, number->max, &value);
    *(uint32_t *)out = (uint32_t)value;
}

static void load_numbers(struct load *load, const struct levels *levels, struct check_config *check)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        const struct number *number = &numbers[i];
        const config_setting_t *setting =
            number->group ? find_in(levels, number->group, number->name) : level_find(levels, number->name);
        load_number(load, number, setting, (char *)check + number->offset);
    }
    /* short intervals without a word on the rest */
    if (!level_find(levels, "timeout") && check->timeout_ms > check->every_ms)
        check->timeout_ms = check->every_ms;
    if (!level_find(levels, "retry_every") && check->retry_every_ms > check->every_ms)
        check->retry_every_ms = check->every_ms;
}

/* Each level's group of that name has only known members; other kinds are for the caller. */
static void check_groups(struct load *load, const struct levels *levels, const char *name, const char *const *known,
                         int other_type)
{
    for (unsigned i = 0; i < levels->count; i++) {
        const config_setting_t *at = setting_member(levels->at[i], name);
        if (at && at->type != other_type)
            setting_check_keys(load, at, arena_print(&load->arena, "'%s'", name), known);
    }
}

static void load_backoff(struct load *load, const struct levels *levels, struct check_config *check)
{
    const config_setting_t *backoff = find_in(levels, "retry", "backoff");
    check_groups(load, levels, "retry", retry_keys, CONFIG_TYPE_NONE);
    if (!backoff)
        return;
    bool list = config_setting_is_array(backoff) || config_setting_is_list(backoff);
    int count = list ? config_setting_length(backoff) : 1;
    if (count > RETRY_BACKOFF_MAX) {
        setting_error(load, backoff, "'backoff' has more than %d pauses: the last one is repeated, so write fewer",
                      RETRY_BACKOFF_MAX);
        return;
    }
    for (int i = 0; i < count; i++) {
        int64_t ms = 0;
        value_duration(load, list ? config_setting_get_elem(backoff, (unsigned)i) : backoff, 0, 1 * DAYS, &ms);
        check->retry.backoff_ms[check->retry.backoff_count++] = (uint32_t)ms;
    }
}

static void load_shared_breaker(struct load *load, const struct block *block, struct check_config *check)
{
    setting_check_keys(load, block->setting, arena_print(&load->arena, "breaker '%s'", block->name),
                       shared_breaker_keys);
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        if (numbers[i].group && strcmp(numbers[i].group, "breaker") == 0)
            load_number(load, &numbers[i], setting_member(block->setting, numbers[i].name),
                        (char *)check + numbers[i].offset);
}

/* A breaker of its own, or the shared one whose name is given. */
static void load_breaker(struct load *load, const struct levels *levels, struct check_config *check)
{
    const config_setting_t *setting = level_find(levels, "breaker");
    check_groups(load, levels, "breaker", breaker_keys, CONFIG_TYPE_STRING);
    if (setting && setting->type == CONFIG_TYPE_STRING) {
        const char *name = config_setting_get_string(setting);
        const struct block *block = section_find(&load->breakers, name);
        if (!block) {
            if (!load->names_missing)
                setting_error(load, setting, "there is no breaker '%s' in 'breakers'%s", name,
                              suggest_block(load, name, &load->breakers, "breakers"));
            return;
        }
        load_shared_breaker(load, block, check);
        check->breaker.name = arena_text(&load->config->arena, block->name);
        check->breaker_shared = true;
        setting = block->setting;
    }
    if (check->breaker.open_max_ms < check->breaker.open_ms) {
        char open[TEXT_DURATION_SIZE];
        const config_setting_t *at = setting_member(setting, "open_max");
        setting_error(load, at ? at : setting, "the breaker's open_max is less than its open: write at least \"%s\"",
                      text_format_duration(open, check->breaker.open_ms));
    }
}

static void load_flapping(struct load *load, const struct levels *levels, struct check_config *check)
{
    const config_setting_t *setting = level_find(levels, "flapping");
    check->flapping.enabled = true;
    check_groups(load, levels, "flapping", flapping_keys, CONFIG_TYPE_BOOL);
    for (unsigned i = 0; i < levels->count; i++) {
        const config_setting_t *at = setting_member(levels->at[i], "flapping");
        const config_setting_t *enabled = at && at->type == CONFIG_TYPE_BOOL ? at : setting_member(at, "enabled");
        if (enabled) {
            value_flag(load, enabled, &check->flapping.enabled);
            break;
        }
    }
    if (setting && check->flapping.low >= check->flapping.high)
        setting_error(load, setting, "flapping: 'low' must be less than 'high'");
}

const char *level_severity(struct load *load, const struct levels *levels)
{
    const config_setting_t *setting = level_find(levels, "severity");
    const char *name = "sev3";
    if (!setting || !value_text(load, setting, &name))
        return "sev3";
    for (unsigned i = 0; severities[i]; i++)
        if (strcmp(severities[i], name) == 0)
            return severities[i];
    setting_error(load, setting, "severity '%s' is none of sev1, sev2, sev3 and sev4", name);
    return "sev3";
}

void level_load(struct load *load, const struct levels *levels, struct check_config *check)
{
    const config_setting_t *enabled = level_find(levels, "enabled");
    load_numbers(load, levels, check);
    load_backoff(load, levels, check);
    load_breaker(load, levels, check);
    load_flapping(load, levels, check);
    series_load_check(load, levels, check);
    check->severity = level_severity(load, levels);
    check->enabled = true;
    if (enabled)
        value_flag(load, enabled, &check->enabled);
}

/* ---- what checks share ------------------------------------------------------------------------------------- */

void level_check_shared(struct load *load, const config_setting_t *group, enum where where)
{
    struct levels alone = { .at = { group }, .where = { where }, .count = 1 };
    struct check_config unused = { 0 };
    level_check_keys(load, group, where, NULL);
    threshold_check_shared(load, setting_member(group, "thresholds"));
    level_load(load, &alone, &unused);
}

void level_check_breaker(struct load *load, const struct block *block)
{
    struct check_config unused = { 0 };
    load_shared_breaker(load, block, &unused);
}

/* ---- marks --------------------------------------------------------------------------------------------------- */

static uint64_t mark_text(uint64_t mark, const char *text)
{
    return text ? text_hash_more(mark, text, strlen(text) + 1) : text_hash_more(mark, "\1", 1);
}

static uint64_t mark_number(uint64_t mark, uint64_t number)
{
    return text_hash_more(mark, &number, sizeof(number));
}

static uint64_t mark_limit(uint64_t mark, bool given, const struct limit *limit)
{
    char text[LIMIT_TEXT_SIZE];
    return mark_text(mark, given ? limit_format(text, limit) : NULL);
}

/* Everything that is judged, planned or shown with. */
static uint64_t mark_schedule(const struct check_config *check)
{
    uint64_t mark = mark_text(mark_text(0, check->id), check->title);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        const char *at = (const char *)check + numbers[i].offset;
        mark = text_hash_more(mark, at, numbers[i].kind == A_PERCENT ? sizeof(double) : sizeof(uint32_t));
    }
    for (uint32_t i = 0; i < check->retry.backoff_count; i++)
        mark = mark_number(mark, check->retry.backoff_ms[i]);
    mark = mark_text(mark, check->breaker.name);
    mark = mark_number(mark, check->breaker_shared);
    mark = mark_number(mark, check->flapping.enabled);
    mark = mark_number(mark, check->enabled);
    mark = mark_text(mark, check->severity);
    for (uint32_t i = 0; i < check->threshold_count; i++) {
        const struct threshold *threshold = &check->thresholds[i];
        mark = mark_text(mark_text(mark, threshold->metric), threshold->part);
        mark = mark_limit(mark, threshold->warn_given, &threshold->warn);
        mark = mark_limit(mark, threshold->crit_given, &threshold->crit);
    }
    return mark;
}

static uint64_t mark_task(const struct check_config *check)
{
    uint64_t mark = mark_text(0, check->plugin);
    for (uint32_t i = 0; i < check->task.option_count; i++) {
        const struct task_option *option = &check->task.options[i];
        mark = mark_number(mark_text(mark, option->name), option->count);
        for (uint32_t k = 0; k < option->count; k++)
            mark = mark_text(mark_text(mark, option->keys ? option->keys[k] : NULL), option->values[k]);
    }
    return mark;
}

void level_mark(struct check_config *check)
{
    check->schedule_mark = mark_schedule(check);
    check->task_mark = mark_task(check);
}
