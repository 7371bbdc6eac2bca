/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config - looking things up in the checked model, and freeing it. */
#include "core/model/config.h"

#include <string.h>

const char *const anchor_post_formats[] = { "json", "discord", "slack", NULL };

static const struct service_config *find_service(const struct config *config, const char *name, size_t length)
{
    for (uint32_t i = 0; i < config->service_count; i++) {
        const char *other = config->services[i].name;
        if (strncmp(other, name, length) == 0 && other[length] == '\0')
            return &config->services[i];
    }
    return NULL;
}

const struct check_config *config_check_find(const struct config *config, const char *id)
{
    const struct service_config *service = find_service(config, id, strcspn(id, "/"));
    if (!service)
        return NULL;
    for (uint32_t i = 0; i < service->check_count; i++) {
        const struct check_config *check = &config->checks[service->first_check + i];
        if (strcmp(check->id, id) == 0)
            return check;
    }
    return NULL;
}

const struct drill_config *config_drill_find(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->drill_count; i++)
        if (strcmp(config->drills[i].name, name) == 0)
            return &config->drills[i];
    return NULL;
}

const struct runbook *config_runbook_find(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->runbook_count; i++)
        if (strcmp(config->runbooks[i].name, name) == 0)
            return &config->runbooks[i];
    return NULL;
}

struct plugin_config config_plugin(const struct config *config, const struct plugin_info *info)
{
    struct plugin_config plugin = { .name = info->name };
    for (uint32_t i = 0; i < config->plugin_count; i++) {
        if (strcmp(config->plugins[i].name, info->name) == 0)
            plugin = config->plugins[i];
    }
    if (plugin.workers == 0)
        plugin.workers = PLUGIN_WORKERS_DEFAULT;
    if (!plugin.allow_given)
        plugin.allow = PLUGIN_NEEDS_DEFAULT;
    if (plugin.concurrency == 0)
        plugin.concurrency = info->blocking ? PLUGIN_CONCURRENCY_BLOCKING_DEFAULT : PLUGIN_CONCURRENCY_DEFAULT;
    return plugin;
}

void config_close(struct config **config)
{
    if (!config || !*config)
        return;
    struct arena arena = (*config)->arena; /* the configuration lies in it */
    *config = NULL;
    arena_close(&arena);
}
