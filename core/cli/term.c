/* SPDX-License-Identifier: GPL-3.0-or-later */
/* term - what the terminal can do, columns that line up, and colour only where it helps. */
#include "core/cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/text.h"

#define GAP 2         /* spaces between columns */
#define FOLD_LEAST 24 /* a column narrower than this isn't folded: it would be a ladder of words */
#define TABLE_FOLD_LINES 6
#define NARROW_INDENT 4 /* of a folded cell that has no room beside the others */

static const char *const styles[STYLE_COUNT] = {
    [STYLE_PLAIN] = "",
    [STYLE_STRONG] = "\033[1m",
    [STYLE_FAINT] = "\033[2m",
    [STYLE_OK] = "\033[32m",
    [STYLE_WARNING] = "\033[33m",
    [STYLE_CRITICAL] = "\033[1;31m",
    [STYLE_UNKNOWN] = "\033[35m",
    [STYLE_LINE] = "\033[36m",
    "\033[33m",
    "\033[35m",
    "\033[32m",
    "\033[34m",
    "\033[31m",
    "\033[96m",
    "\033[90m",
};

static bool env_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static bool env_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!env_set(names[i]))
            continue;
        const char *value = getenv(names[i]);
        return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}

static size_t find_width(void)
{
    struct winsize size;
    int64_t columns;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    if (env_set("COLUMNS") && text_integer(getenv("COLUMNS"), &columns) == 0 && columns >= 20 && columns <= 4096)
        return (size_t)columns;
    return 0;
}

void term_setup(struct term *term)
{
    const char *kind = getenv("TERM");
    term->terminal = isatty(STDOUT_FILENO) == 1;
    term->utf8 = env_utf8();
    term->width = find_width();
    term->colour = term->terminal && !env_set("NO_COLOR") && kind && strcmp(kind, "dumb") != 0;
}

enum style term_state_style(enum belfry_state state)
{
    static const enum style of[] = { [BELFRY_OK] = STYLE_OK,
                                     [BELFRY_WARNING] = STYLE_WARNING,
                                     [BELFRY_CRITICAL] = STYLE_CRITICAL,
                                     [BELFRY_UNKNOWN] = STYLE_UNKNOWN };
    return of[state];
}

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

size_t term_columns(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += starts_character(*text);
    return columns;
}

void term_spaces(struct buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_char(out, ' ');
}

void term_text(const struct term *term, struct buf *out, enum style style, const char *text)
{
    bool coloured = term->colour && style != STYLE_PLAIN && *text;
    if (coloured)
        buf_text(out, styles[style]);
    buf_text(out, text);
    if (coloured)
        buf_text(out, "\033[0m");
}

static size_t missing(const char *text, size_t columns)
{
    size_t have = term_columns(text);
    return have < columns ? columns - have : 0;
}

void term_left(const struct term *term, struct buf *out, enum style style, const char *text, size_t columns)
{
    term_text(term, out, style, text);
    term_spaces(out, missing(text, columns));
}

void term_right(const struct term *term, struct buf *out, enum style style, const char *text, size_t columns)
{
    term_spaces(out, missing(text, columns));
    term_text(term, out, style, text);
}

/* How many bytes of text fit into `room` columns: up to the last space when the text goes on, else cut hard. */
static size_t fitting(const char *text, size_t room)
{
    size_t columns = 0, space = 0, n = 0;
    for (; text[n] && text[n] != '\n'; n++) {
        if (starts_character(text[n]) && columns++ == room)
            return space ? space : n;
        if (text[n] == ' ' && n > 0)
            space = n;
    }
    return n;
}

void term_fold(const struct term *term, struct buf *out, const char *text, size_t indent, size_t max_lines)
{
    bool fold = term->width >= indent + FOLD_LEAST;
    size_t room = fold ? term->width - indent : (size_t)-1;
    for (size_t line = 1;; line++) {
        size_t n = fitting(text, room);
        const char *rest = text + n + strspn(text + n, " \n");
        bool last = *rest == '\0', cut = !last && line == max_lines;
        if (cut)
            n = fitting(text, room - 4);
        while (n && text[n - 1] == ' ')
            n--;
        buf_add(out, text, n);
        buf_text(out, cut ? " ...\n" : "\n");
        if (last || cut)
            return;
        term_spaces(out, indent);
        text = rest;
    }
}

/* ---- tables --------------------------------------------------------------------------------------------------- */

void table_add(struct table *table, enum style style, const char *text)
{
    if (table->count == table->size) {
        table->size = table->size ? 2 * table->size : 64;
        table->cells = heap_grow(table->cells, table->size, sizeof *table->cells);
    }
    table->cells[table->count++] = (struct table_cell){ text, style };
}

/* One long name must not push everything else off the screen: a longer cell only shifts its own row. */
static size_t widest(const struct term *term)
{
    return term->width ? term->width / 3 : (size_t)-1;
}

void table_measure(struct table *table, const struct term *term)
{
    for (size_t c = 0; c < table->columns; c++)
        table->widths[c] = table->titles && table->count ? term_columns(table->titles[c]) : 0;
    for (size_t i = 0; i < table->count; i++) {
        size_t columns = term_columns(table->cells[i].text);
        if (columns > table->widths[i % table->columns] && columns <= widest(term))
            table->widths[i % table->columns] = columns;
    }
}

/* A cell with the space after it: the columns that it took. */
static size_t print_cell(const struct table_cell *cell, size_t width, const struct term *term, struct buf *out)
{
    size_t columns = term_columns(cell->text);
    columns = columns > width ? columns : width;
    term_left(term, out, cell->style, cell->text, columns + GAP);
    return columns + GAP;
}

/* Cells that come before a folded one on a screen where it has no room beside them: it begins a line of its own. */
static size_t begin_line(const struct table *table, struct buf *out)
{
    while (out->length && out->data[out->length - 1] == ' ')
        out->data[--out->length] = '\0';
    if (out->length && out->data[out->length - 1] != '\n')
        buf_char(out, '\n');
    term_spaces(out, table->indent + NARROW_INDENT);
    return table->indent + NARROW_INDENT;
}

/* The last cell of a row is folded; trailing spaces are never written. */
static void print_cells(const struct table *table, const struct table_cell *row, const struct term *term,
                        struct buf *out)
{
    size_t used = table->columns, at = table->indent;
    while (used > 1 && row[used - 1].text[0] == '\0')
        used--;
    term_spaces(out, table->indent);
    for (size_t c = 0; c + 1 < used; c++)
        at += print_cell(&row[c], table->widths[c], term, out);
    if (used == table->columns && row[used - 1].style == STYLE_PLAIN) {
        bool narrow =
            term->width && at + FOLD_LEAST > term->width && at + term_columns(row[used - 1].text) > term->width;
        if (narrow)
            at = begin_line(table, out);
        term_fold(term, out, row[used - 1].text, at, TABLE_FOLD_LINES);
        return;
    }
    term_text(term, out, row[used - 1].style, row[used - 1].text);
    buf_char(out, '\n');
}

void table_print_row(const struct table *table, size_t row, const struct term *term, struct buf *out)
{
    print_cells(table, table->cells + row * table->columns, term, out);
}

void table_print(struct table *table, const struct term *term, struct buf *out)
{
    table_measure(table, term);
    if (table->titles && table->count) {
        struct table_cell head[TABLE_COLUMNS_MAX];
        for (size_t c = 0; c < table->columns; c++)
            head[c] = (struct table_cell){ table->titles[c], STYLE_FAINT };
        print_cells(table, head, term, out);
    }
    for (size_t row = 0; row < table->count / table->columns; row++)
        table_print_row(table, row, term, out);
}

void table_close(struct table *table)
{
    free(table->cells);
    *table = (struct table){ 0 };
}
