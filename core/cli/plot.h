/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plot - pictures of characters, for `belfry graph --term`: plot.c knows where everything stands, plot_print.c writes
 * it. */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include <jansson.h>

#include "core/cli/cli.h"

#define PLOT_ROWS 10
#define PLOT_LINES_MAX 9

struct plot_line {
    const json_t *json;
    int64_t first_s, step_s;
    size_t count;
    double *values; /* in shown units; stacked */
};

struct plot {
    struct cli *cli;
    const json_t *picture;
    int64_t since_s, until_s;
    struct plot_line lines[PLOT_LINES_MAX];
    size_t line_count;
    bool braille;       /* else a mark is a character */
    bool any;           /* a value at all */
    double low, high;   /* of the axis, in shown units */
    double size;        /* of a shown unit */
    long long mantissa; /* of the step between labels: mantissa * 10^exponent */
    int exponent;
    size_t margin, columns, width, height; /* margin and columns in characters, width and height in dots */
    unsigned char *dots, *owners;          /* of each character: what is in it; the line, from 1 on */
};

/* Draws the pictures of an answer to graph_ask() into cli->out. */
void plot_print(struct cli *cli, const json_t *answer);
/* How many points a line has use for on this terminal. */
size_t plot_points(const struct term *term);

/* ---- what plot_print.c asks of plot.c, in this order ----------------------------------------------------------- */

/* Reads the lines of plot->picture and sets the axis; chooses how dots are drawn. */
void plot_measure(struct plot *plot);
/* The label of each row, or NULL; sets the margin and the columns that are left. */
void plot_label(struct plot *plot, const char *labels[PLOT_ROWS]);
/* Fills the canvas. */
void plot_draw(struct plot *plot);

#endif
