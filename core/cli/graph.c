/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry graph - draws a check's metrics into a file. The drawing is belfry-graph's work (core/recorder): librrd stays
 * out of this program. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/spawn.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"
#include "core/cli/places.h"

#define SAID_SIZE 4096 /* of what belfry-graph says */

struct args {
    const char *check, *name, *part, *output, *theme;
    int64_t since_ms, until_ms;
    bool list;
};

static const struct argument arguments[] = { { "SERVICE/CHECK", "The check", .required = true,
                                               .target = offsetof(struct args, check), .words = WORDS_CHECK },
                                             { "NAME", "Only this view or metric (default: all views of the plugin)",
                                               .target = offsetof(struct args, name), .words = WORDS_PICTURE },
                                             { 0 } };

static const struct option options[] = {
    { 'o', "output", "FILE",
      "The file to write, ending in .svg or .png (default: SERVICE-CHECK.svg here); or, as for "
      "every verb, text or json",
      .kind = OPTION_TEXT, .target = offsetof(struct args, output), .words = WORDS_FILE },
    { 0, "since", "TIME", "From when: an age (1d) or a time ('2026-11-21 10:00')", .kind = OPTION_TIME,
      .target = offsetof(struct args, since_ms), .fallback = "1d" },
    { 0, "until", "TIME", "Until when (default: now)", .kind = OPTION_TIME, .target = offsetof(struct args, until_ms) },
    { 0, "part", "NAME", "Of this part of the target", .kind = OPTION_TEXT, .target = offsetof(struct args, part),
      .words = WORDS_PART },
    { 0, "list", NULL, "Say what can be drawn: views, metrics, parts", .kind = OPTION_FLAG,
      .target = offsetof(struct args, list) },
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

/* Everything up to the end, as far as it fits; closes fd. */
static void read_all(int fd, char said[SAID_SIZE])
{
    char chunk[512];
    size_t length = 0;
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR)) {
        size_t room = SAID_SIZE - 1 - length, part = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
        memcpy(said + length, chunk, part);
        length += part;
    }
    said[length] = '\0';
    close(fd);
}

/* Runs belfry-graph. 0, ERROR_REFUSED when it failed, or why it did not start; what it wrote to stderr is in said. */
static int draw(const char *const *argv, char said[SAID_SIZE])
{
    int ends[2], status = 0;
    said[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    int fds[] = { ends[1], ends[1] };
    struct spawn spawn = { .program = spawn_member("belfry-graph"), .argv = argv, .fds = fds, .fd_count = 2 };
    pid_t pid = spawn_start(&spawn);
    close(ends[1]);
    read_all(ends[0], said);
    if (pid < 0)
        return (int)pid;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ERROR_REFUSED;
}

/* The last line, "belfry-graph: no metric 'x' ...\n", without its ends. */
static const char *tell_refusal(struct cli *cli, char *said)
{
    static const char name[] = "belfry-graph: ";
    size_t length = strlen(said);
    while (length && said[length - 1] == '\n')
        said[--length] = '\0';
    const char *line = strrchr(said, '\n'), *text = line ? line + 1 : said;
    text += strncmp(text, name, sizeof name - 1) == 0 ? sizeof name - 1 : 0;
    return *text ? arena_text(&cli->arena, text) : "belfry-graph ended without a picture";
}

/* The command line of belfry-graph. */
static const char *const *make_argv(struct cli *cli, const struct args *args, const char *rrd, const char *file)
{
    struct arena *arena = &cli->arena;
    const char **argv = arena_array(arena, 24, sizeof *argv);
    const char *pairs[][2] = {
        { "--rrd", rrd },
        { "--check", args->check },
        { "--since", arena_print(arena, "%lld", (long long)(args->since_ms / 1000)) },
        { "--until", arena_print(arena, "%lld", (long long)(args->until_ms / 1000)) },
        { "--format", find_format(file) },
        { "--theme", args->theme },
        { "--out", places_absolute(cli, file) },
        { "--part", args->part },
        { "--draw", args->name },
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

/* ---- what can be drawn ---------------------------------------------------------------------------------------- */

static const char *join(struct cli *cli, const json_t *list)
{
    const char *text = "";
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) text =
        arena_print(&cli->arena, "%s%s%s", text, i ? " " : "", json_string_value(item) ?: "");
    return cli_visible(cli, text);
}

static const char *unit_text(struct cli *cli, const json_t *object)
{
    const char *unit = control_text(cli, object, "unit");
    return *unit ? unit : "-";
}

static void print_views(struct cli *cli, const json_t *drawable)
{
    static const char *const titles[] = { "view", "unit", "metrics", "" };
    struct table table = { .columns = 4, .titles = titles };
    size_t i;
    json_t *view;
    json_array_foreach(control_list(drawable, "views"), i, view)
    {
        const char *metrics = join(cli, control_list(view, "metrics")), *limit = control_text(cli, view, "limit");
        if (*limit)
            metrics = arena_print(&cli->arena, "%s, limit %s", metrics, limit);
        table_add(&table, STYLE_STRONG, control_text(cli, view, "name"));
        table_add(&table, STYLE_PLAIN, unit_text(cli, view));
        table_add(&table, STYLE_PLAIN,
                  control_flag(view, "parts") ? arena_print(&cli->arena, "%s (of parts)", metrics) : metrics);
        table_add(&table, STYLE_PLAIN, control_text(cli, view, "title"));
    }
    table_print(&table, &cli->term, &cli->out);
    if (table.count)
        buf_char(&cli->out, '\n');
    table_close(&table);
}

static const char *range_text(struct cli *cli, const json_t *metric, const char *key)
{
    const char *range = control_text(cli, metric, key);
    return *range ? range : "-";
}

/* "the check", "3 parts", "the check, 3 parts" */
static const char *owner_text(struct cli *cli, const json_t *metric)
{
    long long parts = control_integer(metric, "parts");
    const char *whole = control_flag(metric, "whole") ? "the check" : "";
    if (parts == 0)
        return whole;
    return arena_print(&cli->arena, "%s%s%lld part%s", whole, *whole ? ", " : "", parts, parts == 1 ? "" : "s");
}

static void print_metrics(struct cli *cli, const json_t *drawable)
{
    static const char *const titles[] = { "metric", "unit", "warning", "critical", "of" };
    struct table table = { .columns = 5, .titles = titles };
    size_t i;
    json_t *metric;
    json_array_foreach(control_list(drawable, "metrics"), i, metric)
    {
        table_add(&table, STYLE_STRONG, control_text(cli, metric, "name"));
        table_add(&table, STYLE_PLAIN, unit_text(cli, metric));
        table_add(&table, STYLE_PLAIN, range_text(cli, metric, "warn"));
        table_add(&table, STYLE_PLAIN, range_text(cli, metric, "crit"));
        table_add(&table, STYLE_PLAIN, owner_text(cli, metric));
    }
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

static void print_parts(struct cli *cli, const json_t *drawable)
{
    static const char *const titles[] = { "part" };
    struct table table = { .columns = 1, .titles = titles };
    size_t i;
    json_t *part;
    json_array_foreach(control_list(drawable, "parts"), i, part)
        table_add(&table, STYLE_STRONG, cli_visible(cli, json_string_value(part)));
    if (table.count)
        buf_char(&cli->out, '\n');
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

static int list(struct cli *cli, const struct args *args)
{
    json_t *drawable = NULL;
    struct why why = { "" };
    if (graph_list(cli, args->check, args->part, &drawable, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, drawable);
        return EXIT_DONE;
    }
    print_views(cli, drawable);
    print_metrics(cli, drawable);
    print_parts(cli, drawable);
    json_decref(drawable);
    return EXIT_DONE;
}

/* ---- the verb ------------------------------------------------------------------------------------------------- */

static int run(struct cli *cli, const void *raw)
{
    struct args given = *(const struct args *)raw, *args = &given;
    struct places places;
    struct why why = { "" };
    char said[SAID_SIZE];
    const char *file = choose_file(cli, args);
    if (file == NULL)
        return cli_usage(cli, "'-o %s' is neither a file ending in .svg or .png nor text or json", args->output);
    if (!text_is_check_id(args->check))
        return cli_usage(cli, "'%s' is not SERVICE/CHECK", args->check);
    if (args->list)
        return list(cli, args);
    if (strcmp(args->theme, "light") != 0 && strcmp(args->theme, "dark") != 0)
        return cli_usage(cli, "'--theme' wants light or dark, not '%s'", args->theme);
    if (args->until_ms == 0)
        args->until_ms = clock_wall_ms();
    if (args->until_ms / 1000 <= args->since_ms / 1000)
        return cli_usage(cli, "--until lies before --since");
    if (places_find(cli, &places, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    int code = draw(make_argv(cli, args, places.rrd, file), said);
    if (code == ERROR_REFUSED)
        return cli_fail(cli, "%s", tell_refusal(cli, said));
    if (code != 0)
        return cli_fail(cli, "can't start belfry-graph: %s", error_text(code));
    fputs(cli_visible_lines(cli, said), stderr); /* what is not in the picture */
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, json_pack("{ss ss}", "check", args->check, "file", cli_visible(cli, file)));
    else
        buf_print(&cli->out, "%s\n", cli_visible(cli, file));
    return EXIT_DONE;
}

static const char *const examples[] = { "belfry graph redis/server",
                                        "all views of the last day, as redis-server.svg",
                                        "belfry graph redis/server --list",
                                        "what can be drawn",
                                        "belfry graph redis/server latency --since 7d -o week.png",
                                        "one view or metric of the last week",
                                        "belfry graph host/system disks --part /var",
                                        "one of the views, of one part",
                                        NULL };

const struct verb verb_graph = {
    .name = "graph",
    .summary = "draw what a check measured as SVG or PNG",
    .description =
        "Without a NAME it draws the plugin's ready-made views, one under the other, and leaves out what the "
        "check has not recorded; of a plugin without views all metrics, those of one unit together. Of many "
        "parts those with the greatest values are drawn. Prints the name of the file it has written.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};
