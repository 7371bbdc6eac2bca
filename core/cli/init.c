/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry init - a first configuration for this machine, written by looking at it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/cli/discover.h"
#include "core/cli/cli.h"
#include "core/cli/places.h"

struct args {
    const char *folder;
};

static const struct argument arguments[] = { { "FOLDER",
                                               "Where to write belfry.conf and conf.d (default: " SYSCONFDIR
                                               "/belfry); with a folder given, journal and "
                                               "graphs are kept below it too",
                                               .target = offsetof(struct args, folder), .words = WORDS_FILE },
                                             { 0 } };

static const char *const examples[] = { "belfry init ./try", "everything of a first try in one folder", "belfry init",
                                        "the configuration of the system's daemon", NULL };

/* A text in quotes, as libconfig reads it. */
static void add_string(struct buf *out, const char *text)
{
    buf_char(out, '"');
    for (; *text; text++)
        buf_print(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    buf_char(out, '"');
}

/* Where the plugins of the build tree are; NULL for an installed program. */
static const char *built_plugins(struct cli *cli)
{
    const char *built = file_join(&cli->arena, file_program_folder(), "plugins/.libs");
    return access(built, X_OK) == 0 ? built : NULL;
}

static void write_main(struct cli *cli, struct buf *out, bool own_folder)
{
    const char *built = built_plugins(cli);
    buf_text(out, "# Belfry's main file; belfry.conf(5) describes it. Services are in conf.d/.\n\n");
    if (own_folder)
        buf_text(out, "state_dir = \"var\";    # journal, graphs and state; relative to this file\n"
                      "run_dir = \"run\";      # the control socket\n");
    if (own_folder && built) {
        buf_text(out, "plugin_dirs = [ ");
        add_string(out, built);
        buf_text(out, " ];\n");
    }
    buf_text(out, "\ndefaults: {\n"
                  "  every = \"10s\";        # how often a check runs\n"
                  "  timeout = \"5s\";\n"
                  "  attempts = 2;         # results in a row before a problem is hard\n"
                  "  retry_every = \"5s\";   # while it is not\n"
                  "};\n\n"
                  "# The examples use these: use = \"critical\"; breaker = \"uplink\";\n"
                  "templates: {\n"
                  "  critical: { every = \"5s\"; severity = \"sev1\"; };\n"
                  "  slow: { every = \"10m\"; timeout = \"60s\"; };\n"
                  "};\n"
                  "breakers: { uplink: { failures = 5; }; };    # that several checks share\n");
}

static void write_services(struct buf *out, const struct found *found, size_t count)
{
    buf_text(out, "# What 'belfry init' found on this machine. Edit it and run 'belfry reload'.\n\nservices: {\n");
    for (size_t i = 0; i < count; i++)
        buf_print(
            out,
            "  # %s\n  %s: {\n    title = \"%s\";\n    checks: {\n      %s: { plugin = \"%s\";%s };\n    };\n  };\n\n",
            found[i].why, found[i].service, found[i].title, found[i].check, found[i].plugin, found[i].options);
    buf_text(out, "};\n");
}

static int refuse_existing(struct cli *cli, const char *path)
{
    if (access(path, F_OK) != 0)
        return EXIT_DONE;
    return cli_fail(cli, "'%s' exists and is left as it is; remove it to have it written anew", path);
}

static int write_file(struct cli *cli, const char *path, const struct buf *text)
{
    int failed = file_replace(path, text->data, text->length, 0644);
    return failed ? cli_fail(cli, "'%s' can't be written: %s", path, error_text(failed)) : EXIT_DONE;
}

/* Puts what no plugin is there for behind the rest; returns how many stay. */
static size_t sort_out(struct cli *cli, bool own_folder, struct found *found, size_t count)
{
    const char *built = own_folder ? built_plugins(cli) : NULL;
    struct found missing[FOUND_MAX];
    size_t kept = 0, left_out = 0;
    for (size_t i = 0; i < count; i++) {
        const char *file = arena_print(&cli->arena, "%s/%s.so", built ? built : PLUGINDIR, found[i].plugin);
        if (access(file, F_OK) == 0)
            found[kept++] = found[i];
        else
            missing[left_out++] = found[i];
    }
    memcpy(&found[kept], missing, left_out * sizeof *missing);
    return kept;
}

static void tell_json(struct cli *cli, const char *key, const struct found *found, size_t count)
{
    buf_print(&cli->out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        buf_text(&cli->out, i ? ",{\"service\":" : "{\"service\":");
        buf_json_text(&cli->out, found[i].service);
        buf_text(&cli->out, ",\"why\":");
        buf_json_text(&cli->out, found[i].why);
        buf_char(&cli->out, '}');
    }
    buf_char(&cli->out, ']');
}

/* What the system's daemon needs besides: without the drop-in its unit hides this machine from the plugin 'host'. */
static const char next_steps[] =
    "next, as root (the second line lets checks see this machine: /proc and /home, read-only):\n"
    "    adduser --system --group --home " LOCALSTATEDIR "/lib/belfry --no-create-home belfry\n"
    "    install -D -m 644 " DOCDIR "/examples/host.conf /etc/systemd/system/belfry.service.d/host.conf\n"
    "    systemctl daemon-reload && systemctl enable --now belfry\n";

/* The first `kept` of what was found were added. */
static void tell(struct cli *cli, const struct found *found, size_t kept, size_t count, const struct args *args,
                 const char *folder)
{
    if (cli->globals.format == FORMAT_JSON) {
        buf_text(&cli->out, "{\"folder\":");
        buf_json_text(&cli->out, folder);
        tell_json(cli, "added", found, kept);
        tell_json(cli, "left_out", found + kept, count - kept);
        buf_text(&cli->out, "}\n");
    } else {
        for (size_t i = 0; i < count; i++)
            if (i < kept)
                buf_print(&cli->out, "added %-10s %s\n", found[i].service, found[i].why);
            else
                buf_print(&cli->out, "left out %-7s %s; the plugin '%s' is not installed\n", found[i].service,
                          found[i].why, found[i].plugin);
        buf_print(&cli->out, "written to %s/belfry.conf and %s/conf.d/machine.conf\n", folder, folder);
        if (!args->folder)
            buf_text(&cli->out, next_steps);
    }
    cli_flush(cli);
}

static int make_folders(struct cli *cli, const char *folder, bool own_folder)
{
    const char *conf_dir = file_join(&cli->arena, folder, "conf.d");
    int failed = file_make_folders(conf_dir, 0755);
    if (!failed) /* the system's daemon has a user of its own, who only knows the names */
        failed = file_make_folders(file_join(&cli->arena, folder, "secrets"), own_folder ? 0700 : 0711);
    return failed ? cli_fail(cli, "'%s' can't be made: %s", conf_dir, error_text(failed)) : EXIT_DONE;
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct found found[FOUND_MAX];
    struct buf main_text = { 0 }, services_text = { 0 };
    const char *folder = args->folder ? places_absolute(cli, args->folder) : SYSCONFDIR "/belfry";
    const char *main_file = file_join(&cli->arena, folder, "belfry.conf");
    const char *services_file = file_join(&cli->arena, folder, "conf.d/machine.conf");
    int status = refuse_existing(cli, main_file);
    if (status == EXIT_DONE)
        status = refuse_existing(cli, services_file);
    if (status == EXIT_DONE)
        status = make_folders(cli, folder, args->folder != NULL);
    if (status != EXIT_DONE)
        return status;
    size_t count = discover(&cli->arena, found), kept = sort_out(cli, args->folder != NULL, found, count);
    write_main(cli, &main_text, args->folder != NULL);
    write_services(&services_text, found, kept);
    status = write_file(cli, main_file, &main_text);
    if (status == EXIT_DONE)
        status = write_file(cli, services_file, &services_text);
    if (status == EXIT_DONE)
        tell(cli, found, kept, count, args, folder);
    buf_close(&main_text);
    buf_close(&services_text);
    return status;
}

const struct verb verb_init = {
    .name = "init",
    .summary = "a first configuration for this machine",
    .description =
        "Looks at this machine (loopback and local sockets only), writes a configuration that watches it and "
        "what runs on it, and says what was added and why. Existing files are never overwritten.",
    .examples = examples,
    .arguments = arguments,
    .args_size = sizeof(struct args),
    .run = run,
};
