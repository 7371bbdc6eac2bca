/* SPDX-License-Identifier: GPL-3.0-or-later */
/* limit - `>` or `<`, then words between spaces: [FACTOR x] FIGURE 7d. Everything else is a range. */
#include "core/model/limit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

#define WORDS_MAX 4 /* 2 x median 7d */
#define WORD_SIZE 32
#define SPAN "7d"

#define EXAMPLES "write for example > 2 x median 7d, > p95 7d or < 0.5 x p5 7d"

/* The number of words, WORDS_MAX + 1 when there are too many, or one is too long. */
static int split(const char *text, char words[WORDS_MAX][WORD_SIZE])
{
    static const char space[] = " \t";
    int count = 0;
    for (text += strspn(text, space); *text; text += strspn(text, space)) {
        size_t length = strcspn(text, space);
        if (count == WORDS_MAX || length >= WORD_SIZE)
            return WORDS_MAX + 1;
        memcpy(words[count], text, length);
        words[count++][length] = '\0';
        text += length;
    }
    return count;
}

static int read_figure(const char *word, enum figure *out)
{
    for (unsigned i = 0; i < FIGURES; i++) {
        *out = (enum figure)i;
        if (strcmp(word, figure_name(*out)) == 0)
            return 0;
    }
    return ERROR_SYNTAX;
}

static int read_comparison(const char *text, struct limit *out, struct why *why)
{
    char words[WORDS_MAX][WORD_SIZE];
    int count = split(text + 1, words);
    *out = (struct limit){ .compares = true, .below = text[0] == '<', .factor = 1 };
    if (count != 2 && count != 4)
        return why_say(why, ERROR_SYNTAX, "'%s' is not a comparison with a baseline, " EXAMPLES, text);
    if (count == 4 && (text_number(words[0], &out->factor) != 0 || !(out->factor > 0) || strcmp(words[1], "x") != 0))
        return why_say(why, ERROR_SYNTAX, "'%s %s' is not a factor above 0 and x, " EXAMPLES, words[0], words[1]);
    if (read_figure(words[count - 2], &out->figure) != 0)
        return why_say(why, ERROR_SYNTAX, "a baseline has no '%s', write median, p5 or p95", words[count - 2]);
    if (strcmp(words[count - 1], SPAN) != 0)
        return why_say(why, ERROR_SYNTAX, "a baseline is of the last seven days, not of '%s', write %s %s",
                       words[count - 1], words[count - 2], SPAN);
    return 0;
}

int limit_parse(const char *text, struct limit *out, struct why *why)
{
    struct limit limit = { .compares = false };
    int code =
        text[0] == '>' || text[0] == '<' ? read_comparison(text, &limit, why) : range_parse(text, &limit.range, why);
    if (code == 0)
        *out = limit;
    return code;
}

/* "2 x ", or nothing. */
static char *format_factor(char out[TEXT_NUMBER_SIZE + 4], double factor)
{
    char number[TEXT_NUMBER_SIZE];
    out[0] = '\0';
    if (factor != 1)
        snprintf(out, TEXT_NUMBER_SIZE + 4, "%s x ", text_format_number(number, factor));
    return out;
}

char *limit_format(char out[LIMIT_TEXT_SIZE], const struct limit *limit)
{
    char factor[TEXT_NUMBER_SIZE + 4];
    if (!limit->compares)
        return range_format(out, &limit->range);
    snprintf(out, LIMIT_TEXT_SIZE, "%c %s%s " SPAN, limit->below ? '<' : '>', format_factor(factor, limit->factor),
             figure_name(limit->figure));
    return out;
}

struct range limit_range(const struct limit *limit, const struct baseline *baseline)
{
    struct range range = { .set = false };
    if (!limit->compares)
        return limit->range;
    double border = baseline_tells(baseline) ? limit->factor * baseline->figures[limit->figure] : NAN;
    if (isfinite(border))
        range = (struct range){ .set = true,
                                .start = limit->below ? border : -INFINITY,
                                .end = limit->below ? INFINITY : border };
    return range;
}

char *limit_words(char out[LIMIT_WORDS_SIZE], const struct limit *limit, const struct baseline *baseline,
                  const char *unit)
{
    static const char *const names[FIGURES] = {
        [FIGURE_MEDIAN] = "median", [FIGURE_P5] = "5th percentile", [FIGURE_P95] = "95th percentile"
    };
    char factor[TEXT_NUMBER_SIZE + 4], value[TEXT_VALUE_SIZE];
    snprintf(out, LIMIT_WORDS_SIZE, "%s than %sits 7-day %s of %s", limit->below ? "less" : "more",
             format_factor(factor, limit->factor), names[limit->figure],
             text_format_value(value, baseline->figures[limit->figure], unit));
    return out;
}
