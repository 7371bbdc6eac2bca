/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config - reads the main file and conf_dir/ *.conf in the order of their names, and makes the model of them.
 *
 * Each step goes on after a mistake, so that one pass shows them all; only what would follow from an earlier mistake
 * is left out (names that a broken file may hold, options of a plugin that was not found). The steps are listed in
 * config_load.h. */
#include "core/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/config/config_load.h"

static void begin(struct load *load, const char *file, const struct catalog *catalog, struct config_errors *errors)
{
    struct arena arena = { 0 };
    struct config *config = arena_alloc(&arena, sizeof(*config));
    config->arena = arena; /* the model lies in its own arena: config_close() */
    *load = (struct load){ .config = config, .catalog = catalog, .report.errors = errors };
    load->files.arena = &config->arena;
    load->files.paths = arena_array(&config->arena, CONFIG_FILES_MAX + 1, sizeof(*load->files.paths));
    char *folder = file[0] == '/' ? NULL : getcwd(NULL, 0);
    while (strncmp(file, "./", 2) == 0)
        file += 2;
    config->file = folder ? file_join(&config->arena, folder, file) : arena_text(&config->arena, file);
    free(folder);
}

static void close_section(struct section *section)
{
    free(section->blocks);
    map_close(&section->by_name);
}

/* Hands the model out. */
static int finish(struct load *load, struct config **out)
{
    struct config *config = load->config;
    int code = load->report.errors->count == 0 ? 0 : ERROR_SYNTAX;
    config->files = load->files.paths;
    report_sort(&load->report);
    for (uint32_t i = 0; i < load->tree_count; i++)
        tree_close(load->trees[i]);
    free(load->trees);
    free(load->checks);
    close_section(&load->services);
    close_section(&load->templates);
    close_section(&load->breakers);
    close_section(&load->plugins);
    close_section(&load->drills);
    close_section(&load->runbooks);
    close_section(&load->tiers);
    map_close(&load->check_places);
    map_close(&load->secrets);
    report_close(&load->report);
    arena_close(&load->arena);
    *out = config;
    return code;
}

static int is_conf(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* In the order of bytes: the locale has no say. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_conf_dir(struct load *load)
{
    const struct config *config = load->config;
    struct dirent **entries = NULL;
    int count = scandir(config->conf_dir, &entries, is_conf, by_name);
    if (count < 0 && errno != ENOENT)
        report_error(&load->report, (struct place){ config->conf_dir, 0 }, "can't read this folder: %s",
                     error_text(-errno));
    for (int i = 0; i < count; i++) {
        tree_read(load, file_join(&load->arena, config->conf_dir, entries[i]->d_name), false);
        free(entries[i]);
    }
    free(entries);
}

int config_load_paths(const char *file, struct config **out, struct config_errors *errors)
{
    struct load load;
    begin(&load, file, NULL, errors);
    main_load_paths(&load, tree_read(&load, load.config->file, true));
    return finish(&load, out);
}

/* Their checks stand where the first of them does. */
static void load_drills(struct load *load)
{
    struct buf text = { 0 };
    drill_load_all(load);
    drill_write_checks(load, &text);
    if (text.length > 0)
        tree_add(load, &text, load->drills.blocks[0].place);
}

static void load_runbooks(struct load *load)
{
    struct buf text = { 0 };
    runbook_load_all(load);
    runbook_write_checks(load, &text);
    if (text.length > 0)
        tree_add(load, &text, load->runbooks.blocks[0].place);
}

int config_load(const char *file, const struct catalog *catalog, struct config **out, struct config_errors *errors)
{
    struct load load;
    begin(&load, file, catalog, errors);
    main_load_paths(&load, tree_read(&load, load.config->file, true));
    read_conf_dir(&load);
    tree_collect(&load);
    main_load_journal(&load);
    series_load(&load);
    main_load_plugins(&load);
    load_drills(&load);
    load_runbooks(&load);
    service_load_all(&load);
    runbook_check_all(&load);
    int code = finish(&load, out);
    if (code != 0)
        config_close(out);
    return code;
}
