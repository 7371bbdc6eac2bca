/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sql-text - what is done with cells and messages once they are here; needs no libmariadb. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/say.h"
#include "plugins/common/sql.h"

#define LINE_MAX_BYTES 240 /* what servers say has its point at the end */
#define DIGITS_EXACT 15    /* a double holds every number of so many */

const char *sql_cell(const struct sql_rows *rows, size_t row, const char *name)
{
    for (unsigned int i = 0; row < rows->count && i < rows->width; i++)
        if (strcasecmp(rows->names[i], name) == 0)
            return rows->cells[row][i];
    return NULL;
}

/* Most numbers are a few digits: those need no strtod(). */
static bool is_short_count(const char *text, double *value)
{
    int64_t count = 0;
    size_t length = 0;
    for (; length < DIGITS_EXACT && text[length] >= '0' && text[length] <= '9'; length++)
        count = count * 10 + (text[length] - '0');
    *value = (double)count;
    return length > 0 && text[length] == '\0';
}

double sql_number(const char *text)
{
    double count;
    if (!text)
        return NAN;
    if (is_short_count(text, &count))
        return count;
    char *end;
    double value = strtod(text, &end);
    return end == text || !(fabs(value) < 1.8e19) ? NAN : value;
}

const char *sql_line(struct belfry_probe *p, const char *text)
{
    size_t length = strlen(text), cut = length < LINE_MAX_BYTES ? length : LINE_MAX_BYTES;
    while (cut < length && cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) /* not inside a UTF-8 sequence */
        cut--;
    char *line = say_copy(p, text, cut);
    for (char *c = line; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c;
    return line;
}
