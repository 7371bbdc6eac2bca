/* SPDX-License-Identifier: GPL-3.0-or-later */
/* range - `[@][start:][end]`: the text is cut at its colon, each side is `~` (start only), empty or a number. */
#include "core/model/range.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

#define SIDE_SIZE 64 /* a longer number is refused */

#define EXAMPLES "write for example 10, 10:, ~:10, 10:20 or @10:20"

/* One side's number; n bytes of text. */
static int read_side(const char *text, size_t n, double *out)
{
    char side[SIDE_SIZE];
    if (n >= sizeof side)
        return ERROR_SYNTAX;
    memcpy(side, text, n);
    side[n] = '\0';
    return text_number(side, out);
}

static int read_sides(const char *text, struct range *range)
{
    const char *colon = strchr(text, ':');
    const char *end = colon ? colon + 1 : text;
    size_t start_length = colon ? (size_t)(colon - text) : 0;
    int code = 0;
    if (start_length == 0 && !*end)
        return ERROR_SYNTAX; /* "", ":" */
    if (start_length == 1 && text[0] == '~')
        range->start = -INFINITY;
    else if (start_length > 0)
        code = read_side(text, start_length, &range->start);
    if (code == 0 && *end)
        code = read_side(end, strlen(end), &range->end);
    return code;
}

int range_parse(const char *text, struct range *out, struct why *why)
{
    struct range range = { .set = true, .inside = text[0] == '@', .start = 0, .end = INFINITY };
    if (!*text)
        return why_say(why, ERROR_SYNTAX, "a range may not be empty, " EXAMPLES);
    if (read_sides(text + range.inside, &range) != 0)
        return why_say(why, ERROR_SYNTAX, "'%s' is not a range, " EXAMPLES, text);
    if (range.start > range.end)
        return why_say(why, ERROR_SYNTAX, "'%s' begins above its end, write the smaller number first", text);
    *out = range;
    return 0;
}

char *range_format(char out[RANGE_TEXT_SIZE], const struct range *range)
{
    char start[TEXT_NUMBER_SIZE + 1] = "", end[TEXT_NUMBER_SIZE] = "";
    bool open = isinf(range->end);
    out[0] = '\0';
    if (!range->set)
        return out;
    if (isinf(range->start))
        text_copy(start, sizeof start, "~");
    else if (range->start != 0 || open)
        text_format_number(start, range->start + 0.0); /* -0 becomes 0 */
    if (!open)
        text_format_number(end, range->end + 0.0);
    snprintf(out, RANGE_TEXT_SIZE, "%s%s%s%s", range->inside ? "@" : "", start, start[0] ? ":" : "", end);
    return out;
}

bool range_alerts(const struct range *range, double value)
{
    if (!range->set)
        return false;
    bool within = value >= range->start && value <= range->end;
    return isnan(value) || within == range->inside;
}
