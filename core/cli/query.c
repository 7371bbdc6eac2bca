/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry query - the current state as a Nagios plugin's output, for a Nagios that watches Belfry. */
#include <string.h>

#include "core/cli/control.h"

struct args {
    const char *subject;
};

static const struct argument arguments[] = { { "SERVICE[/CHECK]", "The service or check", .required = true,
                                               .target = offsetof(struct args, subject), .words = WORDS_SUBJECT },
                                             { 0 } };

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    int status;
    json_t *answer =
        control_want(cli, json_pack("{ss ss}", "verb", "query", "subject", args->subject), CONTROL_TIMEOUT_MS, &status);
    if (answer == NULL)
        return status;
    status = (int)control_state(answer, "state");
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return status;
    }
    const char *text = cli_visible_lines(cli, json_string_value(json_object_get(answer, "nagios")));
    size_t length = strlen(text);
    buf_text(&cli->out, text);
    if (length == 0 || text[length - 1] != '\n')
        buf_char(&cli->out, '\n');
    json_decref(answer);
    return status;
}

const struct verb verb_query = {
    .name = "query",
    .summary = "the current state as a Nagios line and exit code",
    .description = "Nothing is run: this is what the daemon knows. The output and the exit status are those of a "
                   "Nagios plugin, so that a Nagios can watch what Belfry watches.",
    .arguments = arguments,
    .args_size = sizeof(struct args),
    .exit = VERB_NAGIOS,
    .run = run,
};
