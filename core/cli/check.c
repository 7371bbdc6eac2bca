/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry check - runs one plugin once, without a daemon: a Nagios plugin in every detail (monitoring-plugins
 * development guidelines).
 *
 * The plugin is loaded and run in a child process (guard.c), in the sandbox that it would have in a worker. So the
 * answer is one clean status line with an exit status of 0 to 3, and it comes in time, also when the plugin crashes,
 * calls exit, prints to stdout or never comes back. The plugin's own deadline is -t; the child is ended GRACE_MS later.
 *
 * Diagnostics: mistakes on the command line, a plugin that can't be loaded and a crash are UNKNOWN (3) with the reason
 * on the first line of stdout; no answer in time is CRITICAL (2). */
#include "core/cli/check.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/cli/guard.h"
#include "core/cli/help.h"
#include "core/cli/places.h"
#include "core/model/state.h"
#include "core/sandbox/sandbox.h"

#define GRACE_MS 1000

static const struct argument arguments[] = {
    { "PLUGIN", "Name of a plugin, or path of a .so", .target = offsetof(struct check_args, plugin),
      .words = WORDS_PLUGIN },
    { "KEY=VALUE",
      "An option of the plugin; given again it makes a list; KEY.NAME=VALUE sets one value of a map; a "
      "secret is given as KEY=@FILE or KEY=@NAME",
      .many = true, .target = offsetof(struct check_args, values) },
    { 0 }
};

static const struct option options[] = {
    { 'w', "warning", "METRIC=RANGE",
      "Warn when the metric is outside this Nagios range (empty: no threshold; quote a ~)", .kind = OPTION_LIST,
      .target = offsetof(struct check_args, warn) },
    { 'c', "critical", "METRIC=RANGE", "The same for critical", .kind = OPTION_LIST,
      .target = offsetof(struct check_args, crit) },
    { 't', "timeout", "SECONDS", "End with CRITICAL after this time", .kind = OPTION_SECONDS,
      .target = offsetof(struct check_args, timeout_ms), .fallback = "10" },
    { 'H', "hostname", "HOST", "The same as host=HOST", .kind = OPTION_TEXT,
      .target = offsetof(struct check_args, host) },
    { 'v', "verbose", NULL, "Say more; again for the log of the plugin", .kind = OPTION_COUNT,
      .target = offsetof(struct check_args, verbose) },
    { 'h', "help", NULL, "Show the plugin's options and metrics", .kind = OPTION_FLAG,
      .target = offsetof(struct check_args, help) },
    { 'V', "version", NULL, "Show the plugin's version", .kind = OPTION_FLAG,
      .target = offsetof(struct check_args, version) },
    { 0 }
};

static const char *const examples[] = { "belfry check redis host=127.0.0.1",
                                        "is this Redis well?",
                                        "belfry check file-age path=/var/backups/db.dump -w 'age=~:90000'",
                                        "warn when a backup is older than 25 hours",
                                        "belfry check ./mine.so --help",
                                        "the options of a plugin just compiled",
                                        NULL };

static const char *own_name(const struct check *check)
{
    return output_name(&check->cli->arena, check->args->plugin);
}

/* A state without a result: the line, or an object with the members that a result has too. */
static int tell(const struct check *check, struct buf *out, enum belfry_state state, const char *text)
{
    if (check->cli->globals.format == FORMAT_TEXT) {
        buf_print(out, "%s %s - %s\n", own_name(check), state_name(state), cli_visible(check->cli, text));
        return (int)state;
    }
    buf_print(out, "{\"ok\":false,\"state\":\"%s\",\"exit\":%d,\"error\":", state_name(state), (int)state);
    buf_json_text(out, text);
    buf_text(out, "}\n");
    return (int)state;
}

static int refuse(const struct check *check, struct buf *out, const struct why *why)
{
    return tell(check, out, BELFRY_UNKNOWN, why->text);
}

static int refuse_usage(const struct check *check, struct buf *out, const struct why *why)
{
    refuse(check, out, why);
    if (check->cli->globals.format == FORMAT_TEXT)
        buf_print(out, "try 'belfry check %s --help'\n", check->args->plugin);
    return EXIT_UNKNOWN;
}

static int load(struct check *check, struct why *why)
{
    struct places places;
    const char *path;
    int code = places_find(check->cli, &places, why);
    if (code == 0)
        code = plugin_locate(places.plugin_dirs, check->args->plugin, &check->cli->arena, &path, why);
    if (code == 0)
        code = plugin_load(places_absolute(check->cli, path), &check->plugin, why);
    check->secrets = places.secrets;
    return code;
}

static int print_result(const struct check *check, struct buf *out)
{
    if (check->cli->globals.format == FORMAT_JSON) {
        output_json(check, out);
        return (int)check->verdict.state;
    }
    verdict_nagios(out, output_name(&check->cli->arena, check->plugin.info.name), &check->verdict, &check->result);
    if (check->args->verbose)
        output_verbose(check, out);
    return (int)check->verdict.state;
}

/* As in a worker, so that what a plugin forgot to declare is seen here first. Its own folder may be read, too. */
static void enter_sandbox(const struct loaded_plugin *plugin)
{
    char standing[SANDBOX_TEXT_SIZE], folder[PATH_MAX];
    text_copy(folder, sizeof folder, plugin->info.path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    sandbox_enter(&(struct sandbox){ .role = SANDBOX_WORKER, .needs = plugin->info.needs, .read = folder }, standing);
}

static int run_plugin(struct check *check, struct buf *out)
{
    struct why why = { "" };
    if (assemble_task(check, &why) != 0 || assemble_thresholds(check, &why) != 0)
        return refuse_usage(check, out, &why);
    enter_sandbox(&check->plugin);
    host_run(&check->plugin, &check->task, check->args->timeout_ms, &check->cli->arena, &check->result);
    if (assemble_verify(check, &why) != 0)
        return refuse_usage(check, out, &why);
    verdict_judge(&check->cli->arena, &check->result, check->thresholds, check->threshold_count, &check->verdict);
    return print_result(check, out);
}

/* Everything that touches the plugin; runs in the child. */
static int work(void *context, struct buf *out)
{
    struct check *check = context;
    struct why why = { "" };
    if (load(check, &why) != 0)
        return refuse(check, out, &why);
    if (check->args->help) {
        output_help(check, out);
        return EXIT_UNKNOWN;
    }
    if (check->args->version) {
        buf_print(out, "%s %s (belfry %s)\n", check->plugin.info.name, check->plugin.info.version, PACKAGE_VERSION);
        return EXIT_UNKNOWN;
    }
    return run_plugin(check, out);
}

static int print_guarded(const struct check *check, const struct guarded *guarded)
{
    struct buf *out = &check->cli->out;
    struct arena *arena = &check->cli->arena;
    char within[TEXT_DURATION_SIZE];
    switch (guarded->end) {
    case GUARD_DONE:
        buf_text(out, guarded->text);
        return guarded->status;
    case GUARD_TIMEOUT:
        return tell(check, out, BELFRY_CRITICAL,
                    arena_print(arena, "no answer within %s, the plugin did not come back and was ended",
                                text_format_age(within, check->args->timeout_ms)));
    default:
        return tell(check, out, BELFRY_UNKNOWN, arena_print(arena, "the plugin %s", guarded->why));
    }
}

/* Without a plugin's name --help and --version are about the verb. */
static int run_without_plugin(struct cli *cli, const struct check_args *args)
{
    if (args->help)
        help_print(&cli->out, &cli->term, cli->parsed);
    else if (args->version)
        buf_print(&cli->out, "belfry %s\n", PACKAGE_VERSION);
    if (args->help || args->version)
        return EXIT_UNKNOWN;
    return cli_usage(cli, "PLUGIN is missing; 'belfry plugins' lists them");
}

static int run(struct cli *cli, const void *raw)
{
    const struct check_args *args = raw;
    if (args->plugin == NULL)
        return run_without_plugin(cli, args);
    struct check *check = arena_alloc(&cli->arena, sizeof *check);
    struct guarded guarded = { .end = GUARD_DIED };
    check->cli = cli;
    check->args = args;
    if (args->verbose > 1)
        log_setup(LOG_LEVEL_DEBUG);
    int code = guard_run(work, check, args->timeout_ms + GRACE_MS, &cli->arena, &guarded);
    if (code != 0)
        return cli_fail(cli, "can't start a process: %s", error_text(code));
    return print_guarded(check, &guarded);
}

const struct verb verb_check = {
    .name = "check",
    .summary = "run one plugin once, without a daemon: a Nagios plugin",
    .description = "Output, performance data and exit status (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN) are those of a "
                   "Nagios plugin. Thresholds given here replace the plugin's own. A plugin that crashes is UNKNOWN, "
                   "one that doesn't answer in time CRITICAL.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct check_args),
    .exit = VERB_NAGIOS,
    .run = run,
};
