/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin_needs - what plugins ask of the machine, as the configuration grants it and people read it. */
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/plugin.h"

const char *const plugin_need_names[] = { "network", "files", "processes", NULL };

const char *plugin_needs_text(uint32_t needs, const char *quote, const char *between, char out[PLUGIN_NEEDS_SIZE])
{
    size_t length = 0;
    text_copy(out, PLUGIN_NEEDS_SIZE, "nothing");
    for (size_t i = 0; plugin_need_names[i] != NULL; i++)
        if (needs & (1u << i))
            length += (size_t)snprintf(out + length, PLUGIN_NEEDS_SIZE - length, "%s%s%s%s", length ? between : "",
                                       quote, plugin_need_names[i], quote);
    return out;
}

uint32_t plugin_needs_refused(uint32_t needs, uint32_t granted)
{
    return granted & BELFRY_NEEDS_PROCESSES ? 0 : needs & ~granted;
}

int plugin_needs_explain(const struct plugin_info *info, uint32_t granted, struct why *why)
{
    char lacks[PLUGIN_NEEDS_SIZE], line[PLUGIN_NEEDS_SIZE];
    uint32_t refused = plugin_needs_refused(info->needs, granted);
    if (refused == 0)
        return 0;
    return why_say(why, ERROR_REFUSED,
                   "plugin '%s' needs %s, which it is not granted: write plugins: { %s: { allow = [ %s ]; }; };",
                   info->name, plugin_needs_text(refused, "", ", ", lacks), info->name,
                   plugin_needs_text(info->needs, "\"", ", ", line));
}
