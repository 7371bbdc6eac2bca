/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry config - checks the configuration, or shows it as it is in force. */
#include <errno.h>
#include <unistd.h>

#include "core/cli/control.h"
#include "core/cli/places.h"
#include "core/config/config.h"

#define CATALOG_TIMEOUT_MS 20000

struct args {
    const char *file;
};

static const struct argument arguments[] = { { "FILE", "Main configuration file (default: as with -c)",
                                               .target = offsetof(struct args, file), .words = WORDS_FILE },
                                             { 0 } };

/* A configuration that was read, or why it was not. */
struct reading {
    const char *file;
    struct catalog *catalog;
    struct config *config; /* NULL when there were errors */
    struct config_errors errors;
};

static void reading_close(struct reading *reading)
{
    config_close(&reading->config);
    config_errors_close(&reading->errors);
    catalog_close(&reading->catalog);
}

/* 0 also when the file has errors; then reading->config is NULL. */
static int reading_open(struct cli *cli, const struct args *args, struct reading *reading, struct why *why)
{
    struct places places = { 0 };
    if (args->file)
        cli->globals.config_file = args->file;
    int code = places_find(cli, &places, why);
    if (code != 0)
        return code;
    reading->file = places.config_file;
    if (!places.configured)
        return why_say(why, -ENOENT, "can't read '%s': %s", reading->file, error_text(-ENOENT));
    code = catalog_read(places.plugin_dirs, CATALOG_TIMEOUT_MS, &reading->catalog, why);
    if (code == 0)
        config_load(reading->file, reading->catalog, &reading->config, &reading->errors);
    return code;
}

static uint32_t listed(const struct config_errors *errors)
{
    return errors->count < CONFIG_ERRORS_MAX ? errors->count : CONFIG_ERRORS_MAX;
}

static json_t *pack_errors(struct cli *cli, const struct reading *reading)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < listed(&reading->errors); i++) {
        const struct config_error *e = &reading->errors.items[i];
        json_array_append_new(list, json_pack("{ss si ss}", "file", cli_visible(cli, e->place.file), "line",
                                              e->place.line, "text", cli_visible(cli, e->text)));
    }
    return list;
}

static json_t *pack_check(struct cli *cli, const struct reading *reading)
{
    const struct config *config = reading->config;
    return json_pack("{sb ss si si so si}", "ok", config != NULL, "file", cli_visible(cli, reading->file), "services",
                     config ? (int)config->service_count : 0, "checks", config ? (int)config->check_count : 0, "errors",
                     pack_errors(cli, reading), "error_count", (int)reading->errors.count);
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static void print_errors(struct cli *cli, const struct reading *reading, struct buf *out)
{
    struct buf text = { 0 };
    uint32_t count = reading->errors.count;
    config_errors_print(&reading->errors, &text);
    buf_text(out, text.data ? cli_visible_lines(cli, text.data) : "");
    buf_print(out, "%s: %u error%s\n", cli_visible(cli, reading->file), count, plural(count));
    buf_close(&text);
}

static void print_check(struct cli *cli, const struct reading *reading)
{
    const struct config *config = reading->config;
    for (uint32_t i = 0; i < reading->catalog->rejection_count; i++)
        buf_print(&cli->out, "note: %s: %s\n", cli_visible(cli, reading->catalog->rejections[i].path),
                  cli_visible(cli, reading->catalog->rejections[i].why));
    if (config == NULL)
        print_errors(cli, reading, &cli->out);
    else
        buf_print(&cli->out, "%s: good: %u service%s, %u check%s\n", cli_visible(cli, reading->file),
                  config->service_count, plural(config->service_count), config->check_count,
                  plural(config->check_count));
}

static int run_check(struct cli *cli, const void *args)
{
    struct reading reading = { .file = NULL };
    struct why why = { "" };
    if (reading_open(cli, args, &reading, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    int status = reading.config ? EXIT_DONE : EXIT_FAILED;
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, pack_check(cli, &reading));
    else
        print_check(cli, &reading);
    reading_close(&reading);
    return status;
}

static int run_show(struct cli *cli, const void *args)
{
    struct reading reading = { .file = NULL };
    struct why why = { "" };
    if (reading_open(cli, args, &reading, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    int status = EXIT_DONE;
    if (reading.config == NULL) {
        struct buf errors = { 0 };
        print_errors(cli, &reading, &errors);
        status = cli_fail(cli, "%s", errors.data);
        buf_close(&errors);
    } else if (cli->globals.format == FORMAT_JSON) {
        config_show_json(reading.config, reading.catalog, &cli->out);
    } else {
        config_show(reading.config, reading.catalog, &cli->out);
    }
    reading_close(&reading);
    return status;
}

static const struct verb check = { .name = "check",
                                   .summary = "read everything and report every mistake with file and line",
                                   .description = "Nothing is changed and no daemon is asked. Exit status 1 when "
                                                  "there are mistakes.",
                                   .arguments = arguments,
                                   .args_size = sizeof(struct args),
                                   .run = run_check };
static const struct verb show = { .name = "show",
                                  .summary = "the configuration in force, with templates and defaults unfolded",
                                  .description = "Secrets are shown as ***.",
                                  .arguments = arguments,
                                  .args_size = sizeof(struct args),
                                  .run = run_show };

static const struct verb *const verbs[] = { &check, &show, NULL };

const struct verb verb_config = { .name = "config", .summary = "check or show the configuration", .verbs = verbs };
