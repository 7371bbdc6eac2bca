/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry - the command line.
 *
 * main() reads the command line by the verbs' tables (verbs.c), answers --help, --version and --man itself, and runs
 * the verb. Everything a verb prints goes through cli->out, and stdout is closed with a look at the result, so that a
 * full disk is an error and not half an answer.
 *
 * Exit status: 0; 1 failed; 2 usage. Verbs that are asked for a state (status, check, run, query) exit with the Nagios
 * code of that state, and with 3, UNKNOWN, when they can't know it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/help.h"
#include "core/cli/parse.h"

/* What the root's own options ask for, whatever the verb: true with the exit status when it was that. */
static bool answer_globals(struct cli *cli, const struct parsed *parsed, int *status)
{
    *status = cli->verb->exit == VERB_NAGIOS ? EXIT_UNKNOWN : EXIT_DONE;
    if (cli->globals.manual)
        help_manual(&cli->out, &verb_root);
    else if (cli->globals.help)
        help_print(&cli->out, &cli->term, parsed);
    else if (cli->globals.version)
        buf_print(&cli->out, "belfry %s\n", PACKAGE_VERSION);
    else
        return false;
    cli_flush(cli);
    return true;
}

/* Whether JSON is asked for anywhere, also behind a mistake that ended the parsing. */
static bool wants_json(int argc, char *const *argv)
{
    bool found = false;
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        bool option = strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0;
        found |= (option && strcmp(next, "json") == 0) || strcmp(argv[i], "-ojson") == 0 ||
                 strcmp(argv[i], "--output=json") == 0;
    }
    return found;
}

static int run(struct cli *cli, int argc, char *const *argv)
{
    struct parsed parsed = { .depth = 0 };
    struct why why = { "" };
    int status;
    int code = parse_command(&cli->arena, &verb_root, argc, argv, clock_wall_ms(), &parsed, &why);
    cli->verb = parsed.levels[parsed.depth];
    cli->parsed = &parsed;
    cli->path = parse_path(&cli->arena, &parsed);
    cli->globals = *(const struct globals *)parsed.args[0];
    if (wants_json(argc, argv))
        cli->globals.format = FORMAT_JSON;
    if (code != 0)
        return cli_usage(cli, "%s", why.text);
    if (answer_globals(cli, &parsed, &status))
        return status;
    if (parse_complete(&parsed, &why) != 0)
        return cli_usage(cli, "%s", why.text);
    return cli->verb->run(cli, parsed.args[parsed.depth]);
}

static int close_stdout(const struct cli *cli, int status)
{
    bool failed = ferror(stdout) != 0;
    if (fclose(stdout) != 0 || failed) {
        fprintf(stderr, "belfry: can't write the output: %s\n", error_text(errno ? -errno : -EIO));
        return cli->verb->exit == VERB_PLAIN ? EXIT_FAILED : EXIT_UNKNOWN;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct cli cli = { 0 };
    log_setup(LOG_LEVEL_WARN);
    term_setup(&cli.term);
    int status = run(&cli, argc, argv);
    cli_flush(&cli);
    status = close_stdout(&cli, status);
    buf_close(&cli.out);
    arena_close(&cli.arena);
    return status;
}
