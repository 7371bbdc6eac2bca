/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_load - what the files of core/config share while a configuration is being read. Only they include it.
 *
 *     config_source.c   file and includes -> one text, what libconfig takes silently and wrongly is caught
 *     config_tree.c     text -> libconfig's tree; trees -> sections (services, templates, ...), merged by name
 *     config_value.c    a setting -> text, number, duration, size; an option -> the plugin's values
 *     config_level.c    defaults, templates, service, check -> the value in force
 *     config_check.c    a check's block -> one struct check_config, or many by `each`
 *     config_service.c  a service's block -> struct service_config and its checks
 *     config_threshold.c  thresholds -> struct threshold
 *     config_main.c     paths, journal, plugins
 *     config_series.c   archives and what else is kept of metrics
 *     config_secret.c   "@name"
 *     config_drill.c    drills, and the check that each brings with it
 *     config_recovery.c  tiers and runbooks, and their checks
 *     config.c          the whole, in this order
 */
#ifndef CONFIG_CONFIG_LOAD_H
#define CONFIG_CONFIG_LOAD_H

#include <libconfig.h>

#include "core/config/config_report.h"
#include "core/config/config_source.h"

/* A parsed file. libconfig's part is first: a setting knows it, and by it its tree. */
struct tree {
    config_t parsed;
    struct source source;
    bool main_file;
    bool usable;
};

/* A named group of a section: a service, a template, a check, ... */
struct block {
    const char *name;
    struct place place;
    const config_setting_t *setting;
};

/* The blocks of one kind from all files, in order. */
struct section {
    struct block *blocks;
    uint32_t count;
    struct map by_name; /* -> index + 1 */
};

struct load {
    struct config *config;
    const struct catalog *catalog;
    struct report report;
    struct source_files files;
    struct tree **trees;
    uint32_t tree_count;
    struct section services, templates, breakers, plugins, drills, runbooks, tiers;
    const config_setting_t *defaults, *journal, *series; /* NULL: not written */
    bool names_missing;                                  /* a file was not understood: what it names is unknown */
    bool settings_missing; /* in what was understood, settings may be missing that are there */
    bool folders_missing;  /* the main file was not understood, and so where the plugins are */
    bool plugins_missing;  /* a plugin was not found: so are its options in templates and services */
    struct check_config *checks;
    size_t check_size;
    struct map check_places; /* id -> struct place */
    struct map secrets;      /* names that were looked up */
    struct arena arena;      /* what the model doesn't need */
};

/* Where a key may stand. */
enum where {
    IN_DEFAULTS = 1,
    IN_TEMPLATE = 2,
    IN_SERVICE = 4,
    IN_CHECK = 8
};

/* ---- config_tree.c */

/* Reads and parses a file; its tree joins load->trees. */
struct tree *tree_read(struct load *load, const char *path, bool main_file);
void tree_close(struct tree *tree);
/* Sorts the top-level settings of all trees into sections. */
void tree_collect(struct load *load);
/* Sections that we write ourselves, as text, for what stands at `place`; takes the text. */
void tree_add(struct load *load, struct buf *text, struct place place);
struct place setting_place(const config_setting_t *setting);
/* Reports a mistake at the setting. */
void setting_error(struct load *load, const config_setting_t *setting, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));
/* A member by name, or NULL; setting may be NULL or no group. */
const config_setting_t *setting_member(const config_setting_t *setting, const char *name);
/* Member i, or NULL when it is one that was reported as given twice. */
const config_setting_t *setting_at(const config_setting_t *setting, int i);
/* The setting's name, or that of the list it is in. */
const char *setting_name(const config_setting_t *setting);
/* Refuses members that are not known (NULL-terminated), and settings that are no group; false for those. */
bool setting_check_keys(struct load *load, const config_setting_t *group, const char *what, const char *const *known);
/* Blocks of a group { name: {...}; } or a list ( { name = "..."; ... } ). True with *out, false when entry i is none
 * (which was reported). */
bool block_at(struct load *load, const config_setting_t *setting, int i, struct block *out);
const struct block *section_find(const struct section *section, const char *name);
/* "; did you mean 'x'?", or what there is; of a section without any block, called `written`, how to write one. In
 * load->arena. */
const char *suggest(struct load *load, const char *name, const char *const *candidates);
const char *suggest_block(struct load *load, const char *name, const struct section *section, const char *written);

/* ---- config_value.c: false after reporting */

bool value_text(struct load *load, const config_setting_t *setting, const char **out);
bool value_flag(struct load *load, const config_setting_t *setting, bool *out);
bool value_integer(struct load *load, const config_setting_t *setting, int64_t min, int64_t max, int64_t *out);
bool value_number(struct load *load, const config_setting_t *setting, double min, double max, double *out);
bool value_duration(struct load *load, const config_setting_t *setting, int64_t min, int64_t max, int64_t *out_ms);
bool value_size(struct load *load, const config_setting_t *setting, int64_t min, int64_t max, int64_t *out);
/* "name" or [ "a", "b" ] as a NULL-terminated array in load->arena; NULL after reporting. */
const char *const *value_texts(struct load *load, const config_setting_t *setting);
/* A text, number or flag as it was written, in load->arena; NULL for anything else, unreported. */
const char *value_written(struct load *load, const config_setting_t *setting);

/* What `each` gives one instance: $name -> value. */
struct instance {
    const char *const *names; /* NULL-terminated */
    const char *const *values;
};
/* Text with its $names replaced, in the model's arena; NULL after reporting. */
const char *value_expand(struct load *load, const config_setting_t *setting, const char *text,
                         const struct instance *instance);
/* The values of a plugin's option. */
bool value_option(struct load *load, const config_setting_t *setting, const struct plugin_option *option,
                  const struct instance *instance, struct task_option *out);

/* ---- config_level.c */

#define LEVELS_MAX 20
#define USE_MAX 8

/* The groups in which a check's values are looked up, the strongest first. */
struct levels {
    const config_setting_t *at[LEVELS_MAX];
    enum where where[LEVELS_MAX];
    unsigned count;
};

/* Adds a weaker level; NULL adds none. */
void level_push(struct levels *levels, const config_setting_t *group, enum where where);
/* Adds the templates that the group's `use` names. */
void level_push_use(struct load *load, struct levels *levels, const config_setting_t *group);
/* The strongest setting of that name, or NULL. */
const config_setting_t *level_find(const struct levels *levels, const char *name);
/* Everything that doesn't depend on the plugin: times, attempts, retry, breaker, flapping, severity, enabled. */
void level_load(struct load *load, const struct levels *levels, struct check_config *check);
const char *level_severity(struct load *load, const struct levels *levels);
void level_mark(struct check_config *check);
/* Refuses what may not stand in the group. info: of the check; NULL for shared groups. */
void level_check_keys(struct load *load, const config_setting_t *group, enum where where,
                      const struct plugin_info *info);
/* A service, template or defaults after all checks were read: what no check has used is looked at too. */
void level_check_shared(struct load *load, const config_setting_t *group, enum where where);
void level_check_breaker(struct load *load, const struct block *block);

/* ---- config_check.c */

/* Adds the check, or the checks, that a block describes; above: the levels of its service. The block stays. */
void check_load(struct load *load, const struct block *service, const struct levels *above, const struct block *block);
bool check_name_is_good(struct load *load, const struct block *block);

/* ---- config_service.c */

void service_load_all(struct load *load);

/* ---- config_threshold.c */

/* Merges the thresholds of all levels into the check's. */
void threshold_load(struct load *load, const struct levels *levels, const struct plugin_info *info,
                    struct check_config *check);
/* Refuses those of a template, service or defaults that no plugin's metric fits and no check used. */
void threshold_check_shared(struct load *load, const config_setting_t *thresholds);

/* Settings of shared groups that a check used are marked, so that only the others are asked for. */
void setting_mark_used(const config_setting_t *setting);
bool setting_is_used(const config_setting_t *setting);

/* ---- config_main.c */

/* state_dir, run_dir, ... from the main file's tree (NULL or not usable: the defaults). */
void main_load_paths(struct load *load, const struct tree *tree);
void main_load_journal(struct load *load);
void main_load_plugins(struct load *load);

/* ---- config_series.c */

void series_load(struct load *load);
/* archives and renamed of a check. */
void series_load_check(struct load *load, const struct levels *levels, struct check_config *check);

/* ---- config_drill.c */

void drill_load_all(struct load *load);
/* The services that follow from the drills, as they would be written. */
void drill_write_checks(struct load *load, struct buf *out);

/* Settings by a table of core/model: all names, and one more if it is not NULL; the value of one. */
const char **field_names(struct load *load, const struct drill_field *fields, const char *more);
void field_load(struct load *load, const config_setting_t *group, const struct drill_field *field, void *of);
/* The check of the plugin 'drill' that something proven brings with it; its evidence lies in state_dir/folder/name. */
struct proof {
    const char *folder, *name, *title;
    int64_t rto_ms, rpo_ms, overdue_ms; /* rpo_ms 0: it has no such target */
    bool runbook;
};
void proof_write_check(struct load *load, const struct proof *proof, struct buf *out);

/* ---- config_recovery.c */

/* After the drills. */
void runbook_load_all(struct load *load);
void runbook_write_checks(struct load *load, struct buf *out);
/* After the services: the checks that its steps name. */
void runbook_check_all(struct load *load);

/* ---- config_secret.c */

/* Reports when the secret that value ("@name") refers to is not there or readable by others. */
bool secret_check(struct load *load, const config_setting_t *setting, const char *option, const char *value);

#endif
