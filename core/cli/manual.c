/* SPDX-License-Identifier: GPL-3.0-or-later */
/* manual - the manual page belfry(1) in man(7) markup, made from the verbs' tables when the package is built. */
#include <string.h>

#include "config.h"
#include "core/cli/help.h"

void help_roff(struct buf *out, const char *text)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            buf_text(out, "\\&");
        line_start = *text == '\n';
        if (*text == '\\')
            buf_text(out, "\\e");
        else if (*text == '-')
            buf_text(out, "\\-");
        else
            buf_char(out, *text);
    }
}

/* .TP with the tag in bold, then the text. */
static void write_item(struct buf *out, const char *tag, const char *argument, const char *text)
{
    buf_text(out, ".TP\n\\fB");
    help_roff(out, tag);
    buf_text(out, "\\fR");
    if (argument) {
        buf_text(out, " \\fI");
        help_roff(out, argument);
        buf_text(out, "\\fR");
    }
    buf_char(out, '\n');
    help_roff(out, text);
    buf_char(out, '\n');
}

static void write_option(struct buf *out, const struct option *o)
{
    struct buf tag = { 0 };
    if (o->letter)
        buf_print(&tag, "-%c, ", o->letter);
    buf_print(&tag, "--%s", o->name);
    write_item(out, tag.data, o->argument, o->doc);
    if (o->fallback && strstr(o->doc, "default") == NULL) {
        buf_text(out, "(default ");
        help_roff(out, o->fallback);
        buf_text(out, ")\n");
    }
    buf_close(&tag);
}

static void write_options(struct buf *out, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++)
        if (!o->hidden)
            write_option(out, o);
}

static void write_examples(struct buf *out, const struct verb *verb)
{
    if (verb->examples)
        buf_text(out, ".PP\nExamples:\n");
    for (const char *const *e = verb->examples; e && *e; e += 2)
        write_item(out, e[0], NULL, e[1]);
}

/* A sentence: what lacks a full stop gets one. */
static void write_sentence(struct buf *out, const char *text)
{
    help_roff(out, text);
    buf_text(out, text[strlen(text) - 1] == '.' ? "\n" : ".\n");
}

static void write_verb(struct buf *out, const struct verb *verb, const char *above)
{
    struct buf path = { 0 }, usage = { 0 };
    buf_print(&path, "%s%s%s", above, *above ? " " : "", verb->name);
    help_usage(&usage, verb);
    if (verb->run) {
        buf_text(out, ".SS ");
        help_roff(out, path.data);
        help_roff(out, usage.data ? usage.data : "");
        buf_char(out, '\n');
        write_sentence(out, verb->summary);
        if (verb->description) {
            buf_text(out, ".PP\n");
            write_sentence(out, verb->description);
        }
        for (const struct argument *a = verb->arguments; a && a->name; a++)
            write_item(out, a->name, NULL, a->doc);
        write_options(out, verb->options);
        write_examples(out, verb);
    }
    for (const struct verb *const *v = verb->verbs; v && *v; v++)
        if (!(*v)->hidden)
            write_verb(out, *v, path.data);
    buf_close(&path);
    buf_close(&usage);
}

static const char exit_status[] =
    ".SH EXIT STATUS\n"
    "0 when all went well, 1 when the verb failed, 2 for a mistake on the command line.\n"
    ".PP\n"
    "\\fBstatus\\fR, \\fBcheck\\fR, \\fBrun\\fR and \\fBquery\\fR are asked for a state and exit as a Nagios plugin "
    "does: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; 3 also when the state can't be known, and for a mistake on the "
    "command line.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBNO_COLOR\\fR\nWhen set, no colour is used. Without a terminal there is none anyway.\n"
    ".TP\n\\fBCOLUMNS\\fR\nThe width to fold lines to when the output is not a terminal.\n"
    ".SH SEE ALSO\n"
    "\\fBbelfry.conf\\fR(5), \\fBbelfryd\\fR(8), and a page for each plugin: \\fBbelfry\\-\\fIPLUGIN\\fR(7)\n"
    ".PP\nGuides and examples: \\fI" DOCDIR "\\fR\n";

void help_manual(struct buf *out, const struct verb *root)
{
    buf_print(out, ".TH BELFRY 1 \"\" \"belfry %s\" \"Belfry\"\n.SH NAME\nbelfry \\- ", PACKAGE_VERSION);
    help_roff(out, root->summary);
    buf_text(out, "\n.SH SYNOPSIS\n.B belfry\n[\\fIOPTION\\fR ...] \\fIVERB\\fR ...\n.SH DESCRIPTION\n");
    help_roff(out, root->description);
    buf_text(out, "\n.SH OPTIONS\nThese may stand before and after the verb.\n");
    write_options(out, root->options);
    buf_text(out, ".SH VERBS\n");
    for (const struct verb *const *v = root->verbs; v && *v; v++)
        if (!(*v)->hidden)
            write_verb(out, *v, "");
    buf_text(out, exit_status);
}
