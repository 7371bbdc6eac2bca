/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_service - services with their checks, what they depend on, and a last look at what checks share: a mistake in
 * a template that nobody uses is a mistake too. */
#include "core/config/config_load.h"

#include <string.h>

/* Services that depend on each other in a row. */
#define DEPENDS_DEPTH_MAX 256

/* ---- a service ----------------------------------------------------------------------------------------------- */

static void load_checks(struct load *load, const struct block *service, const struct levels *levels)
{
    const config_setting_t *checks = setting_member(service->setting, "checks");
    bool blocks = checks && (config_setting_is_group(checks) || config_setting_is_list(checks));
    if (!blocks || config_setting_length(checks) == 0) {
        if (checks || !load->settings_missing)
            report_error(&load->report, checks ? setting_place(checks) : service->place,
                         "service '%s' has no checks: write checks = { name = { plugin = \"...\"; }; };",
                         service->name);
        return;
    }
    for (int i = 0; i < config_setting_length(checks); i++) {
        struct block *block = arena_alloc(&load->arena, sizeof(*block));
        if (block_at(load, checks, i, block) && check_name_is_good(load, block))
            check_load(load, service, levels, block);
    }
}

static const char *const *load_depends(struct load *load, const struct block *service)
{
    const config_setting_t *setting = setting_member(service->setting, "depends");
    const char *const *names = setting ? value_texts(load, setting) : NULL;
    size_t count = 0;
    while (names && names[count])
        count++;
    const char **depends = arena_array(&load->config->arena, count + 1, sizeof(*depends));
    for (size_t i = 0; i < count; i++) {
        depends[i] = arena_text(&load->config->arena, names[i]);
        if (strcmp(names[i], service->name) == 0)
            setting_error(load, setting, "service '%s' can't depend on itself", service->name);
        else if (!section_find(&load->services, names[i]) && !load->names_missing)
            setting_error(load, setting, "there is no service '%s'%s", names[i],
                          suggest_block(load, names[i], &load->services, "services"));
    }
    return depends;
}

static void load_service(struct load *load, const struct block *block, struct service_config *service)
{
    struct arena *arena = &load->config->arena;
    struct levels levels = { 0 };
    const config_setting_t *title = setting_member(block->setting, "title");
    const char *text = block->name;
    level_push(&levels, block->setting, IN_SERVICE);
    level_push_use(load, &levels, block->setting);
    level_push(&levels, load->defaults, IN_DEFAULTS);
    if (title)
        value_text(load, title, &text);
    service->name = arena_text(arena, block->name);
    service->title = arena_text(arena, text);
    service->place = block->place;
    service->severity = level_severity(load, &levels);
    service->depends = load_depends(load, block);
    service->first_check = load->config->check_count;
    load_checks(load, block, &levels);
    service->check_count = load->config->check_count - service->first_check;
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

enum visit {
    NEW,
    OPEN,
    DONE
};

/* Depth first; says where a circle of dependencies closes. */
static void visit(struct load *load, char *visits, uint32_t i, unsigned depth)
{
    const struct service_config *service = &load->config->services[i];
    visits[i] = OPEN;
    if (depth > DEPENDS_DEPTH_MAX)
        report_error(&load->report, service->place, "more than %d services depend on each other in a row",
                     DEPENDS_DEPTH_MAX);
    for (uint32_t d = 0; service->depends[d] && depth <= DEPENDS_DEPTH_MAX; d++) {
        const struct block *other = section_find(&load->services, service->depends[d]);
        uint32_t o = other ? (uint32_t)(other - load->services.blocks) : i;
        if (o == i)
            continue;
        if (visits[o] == OPEN)
            report_error(&load->report, service->place, "the dependencies of '%s' and '%s' run in a circle: remove one",
                         service->name, other->name);
        else if (visits[o] == NEW)
            visit(load, visits, o, depth + 1);
    }
    visits[i] = DONE;
}

static void check_shared(struct load *load)
{
    if (load->defaults)
        level_check_shared(load, load->defaults, IN_DEFAULTS);
    for (uint32_t i = 0; i < load->templates.count; i++)
        level_check_shared(load, load->templates.blocks[i].setting, IN_TEMPLATE);
    for (uint32_t i = 0; i < load->services.count; i++)
        level_check_shared(load, load->services.blocks[i].setting, IN_SERVICE);
    for (uint32_t i = 0; i < load->breakers.count; i++)
        level_check_breaker(load, &load->breakers.blocks[i]);
}

void service_load_all(struct load *load)
{
    struct config *config = load->config;
    if (load->defaults && !config_setting_is_group(load->defaults)) {
        setting_error(load, load->defaults, "'defaults' is written as a group: defaults = { every = \"60s\"; };");
        load->defaults = NULL;
    }
    config->service_count = load->services.count;
    config->services = arena_array(&config->arena, config->service_count + 1, sizeof(*config->services));
    for (uint32_t i = 0; i < config->service_count; i++)
        load_service(load, &load->services.blocks[i], &config->services[i]);
    char *visits = arena_array(&load->arena, config->service_count + 1, sizeof(*visits));
    for (uint32_t i = 0; i < config->service_count; i++)
        if (visits[i] == NEW)
            visit(load, visits, i, 0);
    check_shared(load);
    config->checks = arena_array(&config->arena, config->check_count + 1, sizeof(*config->checks));
    if (config->check_count > 0)
        memcpy(config->checks, load->checks, config->check_count * sizeof(*config->checks));
}
