/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin - what a plugin file says of itself, as plain data: made from a struct belfry_plugin by the process that
 * loaded it, sent over the wire, never a pointer into the plugin. Also the check of an option's value against its type.
 */
#ifndef MODEL_PLUGIN_H
#define MODEL_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "belfry/plugin.h"
#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/wire.h"

#define PLUGIN_OPTIONS_MAX 128
#define PLUGIN_METRICS_MAX 256
#define PLUGIN_VIEWS_MAX 32

struct plugin_option {
    const char *name, *doc, *fallback, *example;
    int type; /* enum belfry_option_type */
    bool required, list, map, secret;
    const char *const *choices; /* NULL-terminated; never NULL */
};

struct plugin_metric {
    const char *name, *unit, *doc, *warn, *crit, *min, *max;
    int kind;
};

/* A ready-made graph, see struct belfry_view. */
struct plugin_view {
    const char *name, *title, *metrics, *limit; /* limit may be NULL */
    int style;                                  /* enum belfry_view_style */
    bool parts;
};

struct plugin_info {
    const char *name, *version, *summary, *description;
    const char *path;   /* of the file */
    uint64_t file_mark; /* changes when the file is replaced (device, inode, size, mtime, ctime) */
    uint32_t abi;
    uint32_t needs; /* BELFRY_NEEDS_* */
    bool blocking;
    struct plugin_option *options;
    uint32_t option_count;
    struct plugin_metric *metrics;
    uint32_t metric_count;
    struct plugin_view *views;
    uint32_t view_count;
};

/* Checks a loaded descriptor (names, types, ranges, fallbacks, duplicates, words of the framework) and copies it into
 * the arena. 0 or a negative code with what is wrong in *why. */
int plugin_info_make(struct arena *arena, const struct belfry_plugin *plugin, struct plugin_info *out, struct why *why);
/* The file's mark for stat() results. */
uint64_t plugin_file_mark(int fd);

void plugin_info_encode(struct buf *out, const struct plugin_info *info);
/* Checks everything again: the bytes come from a process that ran foreign code. */
int plugin_info_decode(struct wire_reader *r, struct arena *arena, struct plugin_info *out);

/* Needs by their names in the configuration, "network", "files", "processes"; NULL-terminated, bit 0 first. */
extern const char *const plugin_need_names[];
#define PLUGIN_NEEDS_ALL 7u
#define PLUGIN_NEEDS_DEFAULT                                                                                           \
    (BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES) /* granted unless the configuration differs                            \
                                                 */
#define PLUGIN_NEEDS_SIZE 48
/* "network, files", or "nothing": quote goes around each name. Returns out. */
const char *plugin_needs_text(uint32_t needs, const char *quote, const char *between, char out[PLUGIN_NEEDS_SIZE]);
/* What is asked for and not granted. Who may start programs may do everything, as they may. */
uint32_t plugin_needs_refused(uint32_t needs, uint32_t granted);
/* "plugin 'exec' needs processes, which is not granted: write plugins: { exec: { allow = [ "processes" ]; }; };" */
int plugin_needs_explain(const struct plugin_info *info, uint32_t granted, struct why *why);

/* The unit of what is recorded: a counter's is per second. kind is enum belfry_metric_kind. */
#define PLUGIN_UNIT_SIZE 32
void plugin_recorded_unit(char out[PLUGIN_UNIT_SIZE], const char *unit, int kind);

/* A view on its own: name, title, what the list of metrics and limit look like, style. */
int plugin_view_check(const struct plugin_view *view, struct why *why);
/* Where the metric stands in the view's list, from 0 on; -1: nowhere. */
int plugin_view_place(const struct plugin_view *view, const char *metric);
/* Views on the wire, also with a series; a broken one makes the reader fail. */
void plugin_views_encode(struct buf *out, const struct plugin_view *views, uint32_t count);
uint32_t plugin_views_decode(struct wire_reader *r, struct arena *arena, struct plugin_view **out);

const struct plugin_option *plugin_option_find(const struct plugin_info *info, const char *name);
const struct plugin_metric *plugin_metric_find(const struct plugin_info *info, const char *name);
/* "text", "duration", ... as the documentation names the type, and one sentence how to write it. */
const char *plugin_type_name(int type);
const char *plugin_type_doc(int type);

/* Checks one value as it was written against the option's type and choices; 0 or a negative code with what is wrong and
 * what to write instead. */
int plugin_option_check(const struct plugin_option *option, const char *value, struct why *why);

/* The keys a check block understands itself (plugin, every, timeout, ...): no plugin may have an option of that name.
 * NULL-terminated. */
extern const char *const plugin_reserved_words[];

#endif
