/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin_private - what plugin.c and plugin_view.c share. */
#ifndef MODEL_PLUGIN_PRIVATE_H
#define MODEL_PLUGIN_PRIVATE_H

#include "core/model/plugin.h"

#define NAME_BYTES 64
#define TITLE_BYTES 128 /* of a view */
#define LIST_BYTES 1024 /* of a view's metrics */

/* [a-z][a-z0-9_]*, at most NAME_BYTES. */
bool plugin_is_word(const char *name);
/* All views together with the metrics: 0 or a negative code with what is wrong. */
int plugin_views_check(const struct plugin_info *info, struct why *why);

#endif
