/* SPDX-License-Identifier: GPL-3.0-or-later */
/* help - --help of every level, made from the verbs' tables. */
#include "core/cli/help.h"

#include <stdio.h>
#include <string.h>

#define INDENT 2

void help_usage(struct buf *out, const struct verb *verb)
{
    if (verb->options)
        buf_text(out, " [OPTION ...]");
    if (verb->verbs)
        buf_text(out, verb->run ? " [VERB]" : " VERB ...");
    for (const struct argument *a = verb->arguments; a && a->name; a++)
        buf_print(out, a->required ? " %s%s" : " [%s%s]", a->name, a->many ? " ..." : "");
}

/* "-c, --config FILE" */
static const char *option_form(struct arena *arena, const struct option *o)
{
    const char *letter = o->letter ? arena_print(arena, "-%c, ", o->letter) : "    ";
    return arena_print(arena, "%s--%s%s%s", letter, o->name, o->argument ? " " : "", o->argument ? o->argument : "");
}

static const char *option_doc(struct arena *arena, const struct option *o)
{
    bool said = o->fallback == NULL || strstr(o->doc, "default") != NULL;
    return said ? o->doc : arena_print(arena, "%s (default %s)", o->doc, o->fallback);
}

static void add_options(struct arena *arena, struct table *table, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++) {
        if (o->hidden)
            continue;
        table_add(table, STYLE_PLAIN, option_form(arena, o));
        table_add(table, STYLE_PLAIN, option_doc(arena, o));
    }
}

static void add_verbs(struct table *table, const struct verb *verb)
{
    for (const struct verb *const *v = verb->verbs; v && *v; v++) {
        if ((*v)->hidden)
            continue;
        table_add(table, STYLE_PLAIN, (*v)->name);
        table_add(table, STYLE_PLAIN, (*v)->summary);
    }
}

static void add_arguments(struct table *table, const struct verb *verb)
{
    for (const struct argument *a = verb->arguments; a && a->name; a++) {
        table_add(table, STYLE_PLAIN, a->name);
        table_add(table, STYLE_PLAIN, a->doc);
    }
}

static void print_section(struct buf *out, const struct term *term, const char *title, struct table *table)
{
    if (table->count) {
        buf_char(out, '\n');
        term_text(term, out, STYLE_STRONG, title);
        buf_char(out, '\n');
        table_print(table, term, out);
    }
    table_close(table);
}

static void print_examples(struct buf *out, const struct term *term, const struct verb *verb)
{
    if (verb->examples == NULL)
        return;
    buf_char(out, '\n');
    term_text(term, out, STYLE_STRONG, "Examples");
    buf_char(out, '\n');
    for (const char *const *e = verb->examples; *e; e += 2) {
        buf_print(out, "%*s%s\n", INDENT, "", e[0]);
        term_spaces(out, 3 * INDENT);
        term_fold(term, out, e[1], 3 * INDENT, 9);
    }
}

static struct table two_columns(void)
{
    return (struct table){ .columns = 2, .indent = INDENT };
}

void help_print(struct buf *out, const struct term *term, const struct parsed *parsed)
{
    struct arena arena = { 0 };
    const struct verb *verb = parsed->levels[parsed->depth];
    const char *path = parse_path(&arena, parsed);
    term_fold(term, out, arena_print(&arena, "%s - %s", path, verb->summary), 0, 9);
    buf_print(out, "\nUsage: %s", path);
    help_usage(out, verb);
    buf_char(out, '\n');
    if (verb->description) {
        buf_char(out, '\n');
        term_fold(term, out, verb->description, 0, 99);
    }
    struct table table = two_columns();
    add_verbs(&table, verb);
    print_section(out, term, "Verbs", &table);
    table = two_columns();
    add_arguments(&table, verb);
    print_section(out, term, "Arguments", &table);
    table = two_columns();
    add_options(&arena, &table, verb->options);
    print_section(out, term, "Options", &table);
    table = two_columns();
    for (int level = parsed->depth - 1; level >= 0; level--)
        add_options(&arena, &table, parsed->levels[level]->options);
    print_section(out, term, "Options of every verb", &table);
    print_examples(out, term, verb);
    arena_close(&arena);
}
