/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sheet - columns become rows. */
#include "core/cli/sheet.h"

#include <math.h>

#include "core/cli/control.h"
#include "core/cli/graph.h"

static void add_column(struct cli *cli, struct sheet *sheet, const json_t *picture, const json_t *line)
{
    const char *part = control_text(cli, line, "part");
    struct column *column = &sheet->columns[sheet->count++];
    *column = (struct column){ .metric = control_text(cli, line, "metric"),
                               .part = *part ? part : NULL,
                               .unit = control_text(cli, picture, "unit"),
                               .values = control_list(line, "values"),
                               .first_s = control_integer(line, "first"),
                               .step_s = control_integer(line, "step"),
                               .archive_s = control_integer(line, "archive") };
    column->count = json_array_size(column->values);
    if (sheet->count == 1)
        sheet->step_s = column->step_s;
    else if (sheet->step_s != column->step_s)
        sheet->step_s = 0;
}

int sheet_open(struct cli *cli, const json_t *answer, struct sheet *out)
{
    size_t i, k, most = 0;
    json_t *picture, *line;
    json_array_foreach(control_list(answer, "pictures"), i, picture) most +=
        json_array_size(control_list(picture, "lines"));
    *out = (struct sheet){ .columns = arena_array(&cli->arena, most + 1, sizeof *out->columns) };
    json_array_foreach(control_list(answer, "pictures"), i, picture)
        json_array_foreach(control_list(picture, "lines"), k, line) add_column(cli, out, picture, line);
    for (i = 0; i < out->count; i++) {
        const struct column *column = &out->columns[i];
        if (!graph_is_time(column->first_s) || !graph_is_time(column->step_s) || column->step_s == 0)
            return ERROR_PROTOCOL;
    }
    return out->count > 0 ? 0 : ERROR_PROTOCOL;
}

/* The time of the column's next value; 0: it has no more. */
static int64_t own_next(const struct column *column)
{
    return column->next < column->count ? column->first_s + (int64_t)column->next * column->step_s : 0;
}

int64_t sheet_next(const struct sheet *sheet)
{
    int64_t at_s = 0;
    for (size_t i = 0; i < sheet->count; i++) {
        int64_t own_s = own_next(&sheet->columns[i]);
        if (own_s && (at_s == 0 || own_s < at_s))
            at_s = own_s;
    }
    return at_s;
}

int64_t sheet_step(const struct sheet *sheet, int64_t at_s)
{
    int64_t step_s = 0;
    for (size_t i = 0; i < sheet->count; i++) {
        const struct column *column = &sheet->columns[i];
        if (own_next(column) == at_s && (step_s == 0 || column->step_s < step_s))
            step_s = column->step_s;
    }
    return step_s;
}

bool sheet_take(struct sheet *sheet, int64_t at_s, double *values)
{
    bool any = false;
    for (size_t i = 0; i < sheet->count; i++) {
        struct column *column = &sheet->columns[i];
        const json_t *value = own_next(column) == at_s ? json_array_get(column->values, column->next++) : NULL;
        values[i] = json_is_number(value) ? json_number_value(value) : NAN;
        any = any || isfinite(values[i]);
    }
    return any;
}
