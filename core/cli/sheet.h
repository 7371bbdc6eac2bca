/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sheet - the lines of an answer to graph_ask() as columns, which are walked row by row. A row's time is the end of its
 * step. Columns that were kept at different steps share the rows whose times they have in common. */
#ifndef CLI_SHEET_H
#define CLI_SHEET_H

#include <jansson.h>

#include "core/cli/cli.h"

struct column {
    const char *metric, *part, *unit; /* safe to print; part: NULL when it is of the check as a whole */
    const json_t *values;
    int64_t first_s, step_s, archive_s;
    size_t count, next; /* next: the value of the row that comes */
};

struct sheet {
    struct column *columns;
    size_t count;
    int64_t step_s; /* of all columns; 0: they differ */
};

/* The answer is borrowed. 0, or ERROR_PROTOCOL for one that makes no sense: belfry-graph reads what anybody may have
 * left in a file, so what it says is not believed either. */
int sheet_open(struct cli *cli, const json_t *answer, struct sheet *out);
/* The time of the next row; 0: there is none. */
int64_t sheet_next(const struct sheet *sheet);
/* The step of the finest column that has the next row. */
int64_t sheet_step(const struct sheet *sheet, int64_t at_s);
/* Takes the next row, a value of each column (NaN: unknown, or none at this time); whether any is known. */
bool sheet_take(struct sheet *sheet, int64_t at_s, double *values);

#endif
