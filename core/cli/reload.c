/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry reload - the daemon reads its configuration again: all of it or nothing. */
#include "core/cli/control.h"

#define RELOAD_TIMEOUT_MS 60000

static void print_ids(struct cli *cli, const json_t *answer, const char *key)
{
    size_t i;
    json_t *id;
    json_array_foreach(control_list(answer, key), i, id)
        buf_print(&cli->out, "  %-8s %s\n", key, cli_visible(cli, json_string_value(id)));
}

static int print_loaded(struct cli *cli, const json_t *answer)
{
    buf_print(&cli->out, "configuration loaded: %zu added, %zu changed, %zu removed, %lld kept\n",
              json_array_size(control_list(answer, "added")), json_array_size(control_list(answer, "changed")),
              json_array_size(control_list(answer, "removed")), (long long)control_integer(answer, "kept"));
    print_ids(cli, answer, "added");
    print_ids(cli, answer, "changed");
    print_ids(cli, answer, "removed");
    return EXIT_DONE;
}

static int print_refused(struct cli *cli, const json_t *answer)
{
    size_t i;
    json_t *error, *errors = control_list(answer, "errors");
    json_array_foreach(errors, i, error)
    {
        long long line = control_integer(error, "line"); /* 0: the whole file */
        buf_text(&cli->out, control_text(cli, error, "file"));
        if (line)
            buf_print(&cli->out, ":%lld", line);
        buf_print(&cli->out, ": %s\n", control_text(cli, error, "text"));
    }
    int64_t more = control_integer(answer, "error_count") - (int64_t)json_array_size(errors);
    if (more > 0)
        buf_print(&cli->out, "and %lld more\n", (long long)more);
    return cli_fail(cli, "%s", control_text(cli, answer, "error"));
}

static int run(struct cli *cli, const void *args)
{
    (void)args;
    json_t *answer;
    struct why why = { "" };
    if (control_ask(cli, json_pack("{ss}", "verb", "reload"), RELOAD_TIMEOUT_MS, &answer, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    bool ok = control_flag(answer, "ok");
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return ok ? EXIT_DONE : EXIT_FAILED;
    }
    int status = ok ? print_loaded(cli, answer) : print_refused(cli, answer);
    json_decref(answer);
    return status;
}

const struct verb verb_reload = {
    .name = "reload",
    .summary = "make the daemon read its configuration again",
    .description = "The new configuration is taken as a whole or not at all: with a mistake anywhere the old one stays "
                   "in force and the mistakes are printed. States, attempts, breakers and runs in progress of checks "
                   "that did not change go on as if nothing had happened.",
    .run = run,
};
