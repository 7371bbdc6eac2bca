/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry breaker - the circuit breakers: list, hold open or closed, release. */
#include <string.h>

#include "core/base/clock.h"
#include "core/cli/board.h"
#include "core/cli/control.h"

struct args {
    const char *name;
};

static const struct argument arguments[] = { { "NAME", "A shared breaker, or the id of a check (SERVICE/CHECK)",
                                               .required = true, .target = offsetof(struct args, name),
                                               .words = WORDS_BREAKER },
                                             { 0 } };

static const char *list_checks(struct cli *cli, const json_t *breaker)
{
    const char *text = "";
    size_t i;
    json_t *id;
    json_array_foreach(control_list(breaker, "checks"), i, id) text =
        arena_print(&cli->arena, "%s%s%s", text, i ? " " : "", cli_visible(cli, json_string_value(id)));
    return strcmp(text, control_text(cli, breaker, "name")) == 0 ? "" : text;
}

static enum style state_style(const char *state)
{
    return strcmp(state, "closed") == 0 ? STYLE_OK : strcmp(state, "open") == 0 ? STYLE_CRITICAL : STYLE_WARNING;
}

static void print_breakers(struct cli *cli, const json_t *answer)
{
    static const char *const titles[] = { "breaker", "state", "hold", "failures", "next try", "checks" };
    struct table table = { .columns = 6, .titles = titles };
    int64_t now_ms = clock_wall_ms();
    size_t i;
    json_t *breaker;
    json_array_foreach(control_list(answer, "breakers"), i, breaker)
    {
        const char *state = control_text(cli, breaker, "state"), *hold = control_text(cli, breaker, "hold");
        bool waits = strcmp(state, "open") == 0 && strcmp(hold, "auto") == 0;
        table_add(&table, STYLE_PLAIN, control_text(cli, breaker, "name"));
        table_add(&table, state_style(state), state);
        table_add(&table, STYLE_PLAIN, hold);
        table_add(&table, STYLE_PLAIN,
                  arena_print(&cli->arena, "%lld", (long long)control_integer(breaker, "failures")));
        table_add(&table, STYLE_PLAIN, waits ? condition_until(cli, control_integer(breaker, "until"), now_ms) : "-");
        table_add(&table, STYLE_PLAIN, list_checks(cli, breaker));
    }
    if (table.count == 0)
        buf_text(&cli->out, "no check is configured\n");
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

static int ask(struct cli *cli, const char *action, const char *name)
{
    int status;
    json_t *request = json_pack("{ss ss ss*}", "verb", "breaker", "action", action, "name", name);
    json_t *answer = control_want(cli, request, CONTROL_TIMEOUT_MS, &status);
    if (answer == NULL)
        return status;
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return EXIT_DONE;
    }
    print_breakers(cli, answer);
    json_decref(answer);
    return EXIT_DONE;
}

/* The action is the verb's own name. */
static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    return ask(cli, cli->verb->name, args->name);
}

static int run_list(struct cli *cli, const void *args)
{
    (void)args;
    return ask(cli, "list", NULL);
}

static const struct verb list = { .name = "list", .summary = "all breakers and where they stand", .run = run_list };
static const struct verb hold_open = { .name = "open",
                                       .summary = "hold it open: nothing is tried until it is released",
                                       .arguments = arguments,
                                       .args_size = sizeof(struct args),
                                       .run = run };
static const struct verb hold_closed = { .name = "close",
                                         .summary = "hold it closed: every run is tried, whatever fails",
                                         .arguments = arguments,
                                         .args_size = sizeof(struct args),
                                         .run = run };
static const struct verb release = { .name = "auto",
                                     .summary = "release it: it opens and closes by itself again",
                                     .arguments = arguments,
                                     .args_size = sizeof(struct args),
                                     .run = run };

static const struct verb *const verbs[] = { &list, &hold_open, &hold_closed, &release, NULL };

const struct verb verb_breaker = {
    .name = "breaker",
    .summary = "circuit breakers: list, hold open or closed, release",
    .description =
        "A breaker opens after consecutive failures to reach its target and lets nothing through but one try "
        "after each pause. A check's breaker is called like the check; a shared one as the configuration "
        "names it.",
    .verbs = verbs,
    .run = run_list,
};
