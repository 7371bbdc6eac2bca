/* SPDX-License-Identifier: GPL-3.0-or-later */
/* describe - what a plugin says of itself, for people: tables of options and metrics, an example for the configuration,
 * JSON, and its manual page. All of it comes from the plugin's own tables. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include <jansson.h>

#include "core/cli/term.h"
#include "core/model/plugin.h"

/* Options and metrics as two tables with head lines. */
void describe_tables(struct arena *arena, const struct term *term, const struct plugin_info *info, struct buf *out);
/* A plugin's description: paragraphs, folded, and lines that begin with a blank as they are. */
void describe_text(struct arena *arena, const struct term *term, const char *text, struct buf *out);
/* A service for conf.d that uses the plugin. */
void describe_example(const struct plugin_info *info, struct buf *out);
json_t *describe_json(const struct plugin_info *info);
/* belfry-NAME(7) in man(7) markup. */
void describe_manual(const struct plugin_info *info, struct buf *out);

#endif
