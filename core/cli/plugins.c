/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry plugins - what is in the plugin folders, and what a plugin says of itself.
 *
 * The folders are read by belfry-worker --catalog, in which a file that crashes when loaded harms nobody. What the
 * daemon does with each plugin is added when it can be asked; that it can't is no failure. */
#include <string.h>

#include "core/cli/control.h"
#include "core/cli/describe.h"
#include "core/cli/places.h"
#include "core/config/catalog.h"
#include "core/worker/host.h"

#define CATALOG_TIMEOUT_MS 20000
#define ASK_TIMEOUT_MS 2000

struct info_args {
    const char *name;
};

static int read_catalog(struct cli *cli, struct catalog **catalog, struct why *why)
{
    struct places places;
    int code = places_find(cli, &places, why);
    return code ? code : catalog_read(places.plugin_dirs, CATALOG_TIMEOUT_MS, catalog, why);
}

/* The daemon's list, or NULL. */
static json_t *ask_daemon(struct cli *cli)
{
    json_t *answer = NULL;
    if (control_ask(cli, json_pack("{ss}", "verb", "plugins"), ASK_TIMEOUT_MS, &answer, NULL) == 0 &&
        control_flag(answer, "ok"))
        return answer;
    json_decref(answer);
    return NULL;
}

static json_t *find_running(const json_t *answer, const char *name)
{
    size_t i;
    json_t *plugin;
    json_array_foreach(control_list(answer, "plugins"), i,
                       plugin) if (strcmp(name, json_string_value(json_object_get(plugin, "name")) ?: "") ==
                                   0) return plugin;
    return NULL;
}

/* ---- the list ------------------------------------------------------------------------------------------------- */

static json_t *pack_list(struct cli *cli, const struct catalog *catalog, const json_t *answer)
{
    json_t *plugins = json_array(), *rejected = json_array();
    for (uint32_t i = 0; i < catalog->plugin_count; i++) {
        const struct plugin_info *info = catalog->plugins[i];
        json_t *running = find_running(answer, info->name);
        json_t *plugin = json_pack("{ss ss ss? ss?}", "name", info->name, "version", info->version, "summary",
                                   info->summary, "path", info->path);
        json_object_set_new(plugin, "daemon", running ? json_incref(running) : json_null());
        json_array_append_new(plugins, plugin);
    }
    for (uint32_t i = 0; i < catalog->rejection_count; i++)
        json_array_append_new(rejected, json_pack("{ss ss}", "path", cli_visible(cli, catalog->rejections[i].path),
                                                  "text", cli_visible(cli, catalog->rejections[i].why)));
    return json_pack("{so so}", "plugins", plugins, "rejected", rejected);
}

static const char *running_state(struct cli *cli, const json_t *answer, const char *name)
{
    const json_t *running = find_running(answer, name);
    return running ? control_text(cli, running, "state") : "-";
}

static void print_list(struct cli *cli, const struct catalog *catalog, const json_t *answer)
{
    static const char *const titles[] = { "plugin", "version", "daemon", "", "file" };
    struct table table = { .columns = 5, .titles = titles };
    for (uint32_t i = 0; i < catalog->plugin_count; i++) {
        const struct plugin_info *info = catalog->plugins[i];
        table_add(&table, STYLE_STRONG, info->name);
        table_add(&table, STYLE_PLAIN, info->version);
        table_add(&table, STYLE_PLAIN, running_state(cli, answer, info->name));
        table_add(&table, STYLE_PLAIN, cli_visible(cli, info->summary));
        table_add(&table, STYLE_FAINT, cli_visible(cli, info->path));
    }
    if (table.count == 0)
        buf_text(&cli->out, "no plugin was found\n");
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
    for (uint32_t i = 0; i < catalog->rejection_count; i++) {
        term_text(&cli->term, &cli->out, STYLE_WARNING, i ? "refused: " : "\nrefused: ");
        term_fold(&cli->term, &cli->out,
                  arena_print(&cli->arena, "%s: %s", cli_visible(cli, catalog->rejections[i].path),
                              cli_visible(cli, catalog->rejections[i].why)),
                  9, 6);
    }
}

static int run_list(struct cli *cli, const void *args)
{
    (void)args;
    struct catalog *catalog = NULL;
    struct why why = { "" };
    if (read_catalog(cli, &catalog, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    json_t *answer = ask_daemon(cli);
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, pack_list(cli, catalog, answer));
    else
        print_list(cli, catalog, answer);
    json_decref(answer);
    catalog_close(&catalog);
    return EXIT_DONE;
}

/* ---- info ----------------------------------------------------------------------------------------------------- */

static void print_info(struct cli *cli, const struct plugin_info *info)
{
    struct buf *out = &cli->out;
    buf_print(out, "%s %s - %s\n%s\n", info->name, info->version, info->summary, cli_visible(cli, info->path));
    if (info->description) {
        buf_char(out, '\n');
        describe_text(&cli->arena, &cli->term, cli_visible_lines(cli, info->description), out);
    }
    describe_tables(&cli->arena, &cli->term, info, out);
    buf_text(out, "\nFor conf.d/NAME.conf (what stands behind # may be added):\n\n");
    describe_example(info, out);
}

static int show_info(struct cli *cli, const struct plugin_info *info)
{
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, describe_json(info));
    else
        print_info(cli, info);
    return EXIT_DONE;
}

/* A name is looked up in the catalog; a path is loaded here. */
static int run_info(struct cli *cli, const void *raw)
{
    const struct info_args *args = raw;
    struct why why = { "" };
    struct catalog *catalog = NULL;
    if (strchr(args->name, '/')) {
        struct loaded_plugin plugin = { .plugin = NULL };
        if (plugin_load(places_absolute(cli, args->name), &plugin, &why) != 0)
            return cli_fail(cli, "%s", why.text);
        return show_info(cli, &plugin.info);
    }
    if (read_catalog(cli, &catalog, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    const struct plugin_info *info = catalog_find(catalog, args->name);
    int status =
        info ? show_info(cli, info) : cli_fail(cli, "there is no plugin '%s'; 'belfry plugins' lists them", args->name);
    catalog_close(&catalog);
    return status;
}

static const struct argument info_arguments[] = { { "NAME", "Name of a plugin, or path of a .so", .required = true,
                                                    .target = offsetof(struct info_args, name), .words = WORDS_PLUGIN },
                                                  { 0 } };

static const struct verb info = { .name = "info",
                                  .summary = "options, metrics and an example of one plugin",
                                  .arguments = info_arguments,
                                  .args_size = sizeof(struct info_args),
                                  .run = run_info };

static const struct verb *const verbs[] = { &info, NULL };

const struct verb verb_plugins = {
    .name = "plugins",
    .summary = "what is in the plugin folders",
    .description = "Lists every plugin found, what the daemon does with it when the daemon can be asked, and the files "
                   "that were refused with the reason.",
    .verbs = verbs,
    .run = run_list,
};
