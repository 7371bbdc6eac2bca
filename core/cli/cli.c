/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli - how verbs print, and how they end with an error.
 *
 * Errors are lines on stderr; of verbs that a Nagios runs, an UNKNOWN line on stdout; and with -o json an object on
 * stdout, of the same shape as the daemon's refusals, so that whoever reads JSON gets JSON whatever happens:
 *
 *     {"ok":false,"error":"belfryd is not running ..."} */
#include "core/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

/* A terminal that doesn't speak UTF-8 would take some of its bytes for commands: every such character becomes '?'. */
static void make_ascii(struct buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < out->length; i++) {
        unsigned char c = (unsigned char)out->data[i];
        if (c < 0x80)
            out->data[n++] = (char)c;
        else if (c >= 0xC0)
            out->data[n++] = '?';
    }
    if (out->data)
        out->data[n] = '\0';
    out->length = n;
}

void cli_flush(struct cli *cli)
{
    if (cli->term.terminal && !cli->term.utf8)
        make_ascii(&cli->out);
    if (cli->out.length)
        fwrite(cli->out.data, 1, cli->out.length, stdout);
    fflush(stdout);
    buf_reset(&cli->out);
}

static const char *make_visible(struct cli *cli, const char *text, bool lines)
{
    if (text == NULL)
        return "";
    size_t size = 4 * strlen(text) + 16; /* the longest replacement: one byte becomes \xNN */
    return text_visible(arena_alloc(&cli->arena, size), size, text, lines);
}

const char *cli_visible(struct cli *cli, const char *text)
{
    return make_visible(cli, text, false);
}

const char *cli_visible_lines(struct cli *cli, const char *text)
{
    return make_visible(cli, text, true);
}

/* A Nagios shows the first line of stdout, and takes '|' for the start of performance data. */
static void print_unknown(struct cli *cli, const char *text)
{
    char *line = arena_text(&cli->arena, text);
    for (char *c = line; *c; c++)
        if (*c == '|')
            *c = '/';
    buf_print(&cli->out, "BELFRY UNKNOWN - %s\n", line);
    cli_flush(cli);
}

static void print_json(struct cli *cli, const char *text)
{
    buf_text(&cli->out, "{\"ok\":false,\"error\":");
    buf_json_text(&cli->out, text);
    buf_text(&cli->out, "}\n");
    cli_flush(cli);
}

static void say(struct cli *cli, const char *text)
{
    text = cli_visible_lines(cli, text);
    if (cli->globals.format == FORMAT_JSON)
        print_json(cli, text);
    else if (cli->verb->exit == VERB_NAGIOS)
        print_unknown(cli, text);
    else
        fprintf(stderr, "belfry: %s\n", text);
}

int cli_fail(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cli_flush(cli);
    say(cli, arena_vprint(&cli->arena, format, args));
    va_end(args);
    return cli->verb->exit == VERB_PLAIN ? EXIT_FAILED : EXIT_UNKNOWN;
}

int cli_usage(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(cli, arena_vprint(&cli->arena, format, args));
    va_end(args);
    if (cli->globals.format == FORMAT_TEXT)
        fprintf(cli->verb->exit == VERB_NAGIOS ? stdout : stderr, "try '%s --help'\n", cli->path);
    return cli->verb->exit == VERB_PLAIN ? EXIT_USAGE : EXIT_UNKNOWN;
}
