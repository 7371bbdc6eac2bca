/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry graph - draws a check's metrics into a file, which is belfry-graph's work (core/recorder), or in the terminal
 * (plot_print.c). */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"
#include "core/cli/plot.h"

struct args {
    const char *check, *name, *part, *output, *theme, *size, *percentile;
    int64_t since_ms, until_ms, compare_ms;
    bool list, term, bare, baseline;
};

const char *const graph_themes[] = { "light", "dark", NULL };
const char *const graph_sizes[] = { "thumb", "normal", "report", NULL };

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
    { 0, "term", NULL, "Draw in the terminal, into no file", .kind = OPTION_FLAG,
      .target = offsetof(struct args, term) },
    { 0, "theme", "THEME", "light or dark", .kind = OPTION_TEXT, .target = offsetof(struct args, theme),
      .fallback = "light", .words = WORDS_THEME },
    { 0, "size", "SIZE", "thumb (120 x 32, one curve and nothing written), normal (760 wide) or report (1200 wide)",
      .kind = OPTION_TEXT, .target = offsetof(struct args, size), .fallback = "normal", .words = WORDS_SIZE },
    { 0, "compare", "AGE", "Draw what was so much earlier, too, in thin dashes: 7d is last week",
      .kind = OPTION_SECONDS, .target = offsetof(struct args, compare_ms) },
    { 0, "percentile", "P", "Draw the value that P percent of the time was not exceeded; of a stack, of its sum",
      .kind = OPTION_TEXT, .target = offsetof(struct args, percentile) },
    { 0, "baseline", NULL,
      "Draw what is usual at each hour, the median and 5 to 95 % of seven days, in every picture of one line, not only "
      "where a threshold refers to it",
      .kind = OPTION_FLAG, .target = offsetof(struct args, baseline) },
    { 0, "bare", NULL, "Leave out what happened: states, marks, times in which nobody looked", .kind = OPTION_FLAG,
      .target = offsetof(struct args, bare) },
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

/* ---- the verb ------------------------------------------------------------------------------------------------- */

static int draw(struct cli *cli, struct graph_request *request, const char *file)
{
    struct why why = { "" };
    struct buf said = { 0 };
    request->file = file;
    request->format = find_format(file);
    int code = graph_run(cli, request, &said, &why);
    buf_close(&said);
    if (code != 0)
        return cli_fail(cli, "%s", why.text);
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, json_pack("{ss ss}", "check", request->check, "file", cli_visible(cli, file)));
    else
        buf_print(&cli->out, "%s\n", cli_visible(cli, file));
    return EXIT_DONE;
}

/* As fine as there are dots. */
static int plot(struct cli *cli, struct graph_request *request)
{
    struct why why = { "" };
    json_t *answer;
    request->function = "average";
    request->step_ms = (request->until_ms - request->since_ms) / (int64_t)plot_points(&cli->term);
    if (graph_ask(cli, request, &answer, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return EXIT_DONE;
    }
    plot_print(cli, answer);
    json_decref(answer);
    return EXIT_DONE;
}

/* "light or dark" */
static const char *print_choice(struct cli *cli, const char *const *words)
{
    const char *text = words[0];
    for (int i = 1; words[i]; i++)
        text = arena_print(&cli->arena, "%s%s%s", text, words[i + 1] ? ", " : " or ", words[i]);
    return text;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

/* 0, or the exit status of wrong usage. */
static int check_style(struct cli *cli, const struct args *args)
{
    double percentile = 50;
    if (!is_one_of(args->theme, graph_themes))
        return cli_usage(cli, "'--theme' wants %s, not '%s'", print_choice(cli, graph_themes), args->theme);
    if (!is_one_of(args->size, graph_sizes))
        return cli_usage(cli, "'--size' wants %s, not '%s'", print_choice(cli, graph_sizes), args->size);
    if (args->percentile && (text_number(args->percentile, &percentile) != 0 || !(percentile > 0 && percentile <= 100)))
        return cli_usage(cli, "'--percentile' wants a number above 0 and up to 100, not '%s'", args->percentile);
    if (args->compare_ms && (args->compare_ms < 1000 || args->compare_ms >= args->since_ms))
        return cli_usage(cli, "'--compare' wants a second or more, and less than there was time");
    return 0;
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct graph_request request = { .check = args->check,
                                     .part = args->part,
                                     .name = args->name,
                                     .since_ms = args->since_ms,
                                     .until_ms = args->until_ms ? args->until_ms : clock_wall_ms(),
                                     .theme = args->theme,
                                     .size = args->size,
                                     .percentile = args->percentile,
                                     .compare_ms = args->compare_ms,
                                     .baseline = args->baseline,
                                     .history = !args->bare && !args->term && strcmp(args->size, "thumb") != 0 };
    const char *file = choose_file(cli, args);
    if (file == NULL)
        return cli_usage(cli, "'-o %s' is neither a file ending in .svg or .png nor text or json", args->output);
    if (!text_is_check_id(args->check))
        return cli_usage(cli, "'%s' is not SERVICE/CHECK", args->check);
    if (args->list)
        return graph_list_print(cli, args->check, args->part, true);
    int status = check_style(cli, args);
    if (status != 0)
        return status;
    if (request.until_ms / 1000 <= request.since_ms / 1000)
        return cli_usage(cli, "--until lies before --since");
    if (args->term && args->output && find_format(args->output))
        return cli_usage(cli, "'--term' draws into no file: leave '-o %s' out", args->output);
    return args->term ? plot(cli, &request) : draw(cli, &request, file);
}

static const char *const examples[] = { "belfry graph redis/server",
                                        "all views of the last day, as redis-server.svg",
                                        "belfry graph redis/server --list",
                                        "what can be drawn",
                                        "belfry graph redis/server latency --since 7d -o week.png",
                                        "one view or metric of the last week",
                                        "belfry graph redis/server latency --compare 7d --percentile 95",
                                        "beside last week, and with its 95th percentile",
                                        "belfry graph redis/server latency --since 365d --size report -o year.svg",
                                        "for a report",
                                        "belfry graph host/system disks --part /var",
                                        "one of the views, of one part",
                                        "belfry graph host/system cpu --since 6h --term",
                                        "drawn in the terminal",
                                        NULL };

const struct verb verb_graph = {
    .name = "graph",
    .summary = "draw what a check measured as SVG or PNG, or in the terminal",
    .description =
        "Without a NAME it draws the plugin's ready-made views, one under the other, and leaves out what the "
        "check has not recorded; of a plugin without views all metrics, those of one unit together. Of many "
        "parts those with the greatest values are drawn. Under the plot stand the states that the journal tells of, "
        "over "
        "it its events; what nobody looked at is hatched. Prints the name of the file it has written. In the "
        "terminal it draws with braille dots; with one mark a line where colours can't tell several lines apart; and "
        "with ASCII characters where the locale is not UTF-8.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};
