/* SPDX-License-Identifier: GPL-3.0-or-later */
/* term - what the terminal can do, columns that line up, and colour only where it helps. Writes into a buf. */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "belfry/plugin.h"
#include "core/base/arena.h"
#include "core/base/buf.h"

struct term {
    bool colour, utf8, terminal;
    size_t width; /* columns; 0: as long as the line is (not a terminal) */
};

enum style {
    STYLE_PLAIN,
    STYLE_STRONG,
    STYLE_FAINT,
    STYLE_OK,
    STYLE_WARNING,
    STYLE_CRITICAL,
    STYLE_UNKNOWN,
    STYLE_LINE, /* and STYLE_LINE_COUNT - 1 more: of plots */
    STYLE_LINE_LAST = STYLE_LINE + 7,
    STYLE_COUNT
};

#define STYLE_LINE_COUNT (STYLE_LINE_LAST - STYLE_LINE + 1)

/* Asks stdout and the environment: colour on a terminal unless NO_COLOR is set or TERM is dumb, UTF-8 by LC_ALL,
 * LC_CTYPE or LANG, width by the terminal or COLUMNS. */
void term_setup(struct term *term);

enum style term_state_style(enum belfry_state state);
/* The columns that a text takes (code points; the text is already safe). */
size_t term_columns(const char *text);
void term_text(const struct term *term, struct buf *out, enum style style, const char *text);
/* The same, filled with spaces to `columns` on the right (or on the left). */
void term_left(const struct term *term, struct buf *out, enum style style, const char *text, size_t columns);
void term_right(const struct term *term, struct buf *out, enum style style, const char *text, size_t columns);
void term_spaces(struct buf *out, size_t count);
/* The text folded at spaces to the terminal's width, its first line beginning at column `indent` (where the cursor
 * is), further lines indented to it; at most max_lines, the last one then ends with "...". Ends with a newline. */
void term_fold(const struct term *term, struct buf *out, const char *text, size_t indent, size_t max_lines);

/* A table: cells are collected, then written in columns as wide as their widest cell, two spaces apart; the last
 * column is folded. */
#define TABLE_COLUMNS_MAX 8
struct table {
    size_t columns;
    const char *const *titles; /* of the columns; NULL: no head line */
    size_t indent;
    struct table_cell {
        const char *text;
        enum style style;
    } * cells;
    size_t count, size; /* cells */
    size_t widths[TABLE_COLUMNS_MAX];
};
/* Adds the next cell; text is borrowed. */
void table_add(struct table *table, enum style style, const char *text);
void table_print(struct table *table, const struct term *term, struct buf *out);
/* For rows with something between them: measure all, then print rows one by one. */
void table_measure(struct table *table, const struct term *term);
void table_print_row(const struct table *table, size_t row, const struct term *term, struct buf *out);
/* Frees the cells. */
void table_close(struct table *table);

#endif
