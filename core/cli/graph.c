/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry graph - draws a check's metrics into a file. The drawing is belfry-graph's work (core/recorder): librrd stays
 * out of this program. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/spawn.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/places.h"

struct args {
    const char *check, *metric, *part, *output, *theme;
    int64_t since_ms, until_ms;
};

static const struct argument arguments[] = { { "SERVICE/CHECK", "The check", .required = true,
                                               .target = offsetof(struct args, check), .words = WORDS_CHECK },
                                             { "METRIC", "Only this metric", .target = offsetof(struct args, metric) },
                                             { 0 } };

static const struct option options[] = {
    { 'o', "output", "FILE",
      "The file to write, ending in .svg or .png (default: SERVICE-CHECK.svg here); or, as for "
      "every verb, text or json",
      .kind = OPTION_TEXT, .target = offsetof(struct args, output), .words = WORDS_FILE },
    { 0, "since", "TIME", "From when: an age (1d) or a time ('2026-11-21 10:00')", .kind = OPTION_TIME,
      .target = offsetof(struct args, since_ms), .fallback = "1d" },
    { 0, "until", "TIME", "Until when (default: now)", .kind = OPTION_TIME, .target = offsetof(struct args, until_ms) },
    { 0, "part", "NAME", "Of this part of the target", .kind = OPTION_TEXT, .target = offsetof(struct args, part) },
    { 0, "theme", "THEME", "light or dark", .kind = OPTION_TEXT, .target = offsetof(struct args, theme),
      .fallback = "light" },
    { 0 }
};

/* "svg", "png", or NULL. */
static const char *find_format(const char *file)
{
    static const char *const formats[] = { "svg", "png" };
    const char *dot = strrchr(file, '.');
    for (size_t i = 0; dot && i < 2; i++)
        if (strcmp(dot + 1, formats[i]) == 0)
            return formats[i];
    return NULL;
}

/* SERVICE-CHECK.svg in the working directory. */
static const char *default_file(struct cli *cli, const char *check)
{
    char *name = arena_print(&cli->arena, "%s.svg", check);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '-';
    return name;
}

/* -o is the file here, unless it says how to print: the file to write, or NULL when it is neither. */
static const char *choose_file(struct cli *cli, const struct args *args)
{
    const char *output = args->output;
    bool json = output && strcmp(output, "json") == 0;
    if (json)
        cli->globals.format = FORMAT_JSON;
    if (output == NULL || json || strcmp(output, "text") == 0)
        return default_file(cli, args->check);
    return find_format(output) ? output : NULL;
}

static int draw(const char *const *argv)
{
    int fds[] = { STDERR_FILENO, STDERR_FILENO }, status;
    struct spawn spawn = { .program = spawn_member("belfry-graph"), .argv = argv, .fds = fds, .fd_count = 2 };
    pid_t pid = spawn_start(&spawn);
    if (pid < 0)
        return (int)pid;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ERROR_REFUSED;
}

/* The command line of belfry-graph. */
static const char *const *make_argv(struct cli *cli, const struct args *args, const char *rrd, const char *file)
{
    struct arena *arena = &cli->arena;
    int64_t until_ms = args->until_ms ? args->until_ms : clock_wall_ms();
    const char **argv = arena_array(arena, 24, sizeof *argv);
    const char *pairs[][2] = {
        { "--rrd", rrd },
        { "--check", args->check },
        { "--since", arena_print(arena, "%lld", (long long)(args->since_ms / 1000)) },
        { "--until", arena_print(arena, "%lld", (long long)(until_ms / 1000)) },
        { "--format", find_format(file) },
        { "--theme", args->theme },
        { "--out", places_absolute(cli, file) },
        { "--part", args->part },
        { "--metric", args->metric },
    };
    size_t n = 0;
    argv[n++] = "belfry-graph";
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i][1] == NULL)
            continue;
        argv[n++] = pairs[i][0];
        argv[n++] = pairs[i][1];
    }
    return argv;
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct places places;
    struct why why = { "" };
    const char *file = choose_file(cli, args);
    if (file == NULL)
        return cli_usage(cli, "'-o %s' is neither a file ending in .svg or .png nor text or json", args->output);
    if (!text_is_check_id(args->check))
        return cli_usage(cli, "'%s' is not SERVICE/CHECK", args->check);
    if (args->until_ms && args->until_ms <= args->since_ms)
        return cli_usage(cli, "--until lies before --since");
    if (places_find(cli, &places, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    int code = draw(make_argv(cli, args, places.rrd, file));
    if (code == ERROR_REFUSED)
        return EXIT_FAILED; /* belfry-graph has said why */
    if (code != 0)
        return cli_fail(cli, "can't start belfry-graph: %s", error_text(code));
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, json_pack("{ss ss}", "check", args->check, "file", cli_visible(cli, file)));
    else
        buf_print(&cli->out, "%s\n", cli_visible(cli, file));
    return EXIT_DONE;
}

static const char *const examples[] = { "belfry graph redis/server", "the last day, as redis-server.svg",
                                        "belfry graph redis/server latency --since 7d -o week.png",
                                        "one metric of the last week", NULL };

const struct verb verb_graph = {
    .name = "graph",
    .summary = "draw a check's metrics as SVG or PNG",
    .description = "Prints the name of the file it has written.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};
