/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_range - Nagios ranges, and comparisons with a baseline: what is parsed can be printed, and parses back to the
 * same, printed the same. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/model/limit.h"
#include "tests/fuzz/fuzz.h"

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || a == b;
}

static void try_values(const struct range *range)
{
    const double values[] = { range->start, range->end, 0, -1, 1, 1e300, -1e300 };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        bool within = values[i] >= range->start && values[i] <= range->end;
        fuzz_must(range_alerts(range, values[i]) == (within == range->inside), "both ends belong to the range");
    }
}

static void try_baseline(const struct limit *limit)
{
    const struct baseline usual = { .figures = { 5, 2, 9 }, .samples = BASELINE_SAMPLES_MIN, .days = 7 };
    struct range range = limit_range(limit, &usual), none = limit_range(limit, NULL);
    double border = limit->factor * usual.figures[limit->figure];
    fuzz_must(!none.set, "without a baseline nothing alerts");
    fuzz_must(range.set == (isfinite(border) != 0), "with one there is a border");
    fuzz_must(!range_alerts(&range, border), "which does not alert itself");
    fuzz_must(!range.set || range_alerts(&range, limit->below ? -INFINITY : INFINITY), "what is beyond does");
    fuzz_must(!range_alerts(&range, limit->below ? DBL_MAX : -DBL_MAX), "what is on the other side does not");
}

static void try_limit(const char *text, bool is_range)
{
    char printed[LIMIT_TEXT_SIZE], again[LIMIT_TEXT_SIZE], words[LIMIT_WORDS_SIZE];
    const struct baseline huge = { .figures = { -DBL_MAX, -DBL_MAX, -DBL_MAX } };
    struct limit limit = { .factor = 0 }, second;
    struct why why = { "" };
    if (limit_parse(text, &limit, &why) != 0) {
        fuzz_must(why.text[0] != '\0' && !is_range, "a refusal says why, and a range is a limit");
        return;
    }
    fuzz_must(limit.compares != is_range, "a range is no comparison");
    limit_format(printed, &limit);
    fuzz_must(limit_parse(printed, &second, NULL) == 0, "a printed limit can be read");
    fuzz_must(limit.compares == second.compares && limit.below == second.below && limit.figure == second.figure &&
                  same(limit.factor, second.factor),
              "a printed limit is the same");
    fuzz_must(strcmp(printed, limit_format(again, &second)) == 0, "a limit is printed in one way only");
    if (limit.compares) {
        try_baseline(&limit);
        limit_words(words, &limit, &huge, "%");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *text = fuzz_text(bytes, n), printed[RANGE_TEXT_SIZE], again[RANGE_TEXT_SIZE];
    struct range range = { 0 }, second = { 0 };
    struct why why = { "" };
    int code = range_parse(text, &range, &why);
    try_limit(text, code == 0);
    if (code == 0) {
        fuzz_must(range.set && range.start <= range.end, "a range has a start that is not above its end");
        fuzz_must(!isnan(range.start) && !isnan(range.end), "a range has ends");
        range_format(printed, &range);
        fuzz_must(range_parse(printed, &second, NULL) == 0, "a printed range can be read");
        fuzz_must(same(range.start, second.start) && same(range.end, second.end) && range.inside == second.inside,
                  "a printed range is the same range");
        range_format(again, &second);
        fuzz_must(strcmp(printed, again) == 0, "a range is printed in one way only");
        try_values(&range);
    } else {
        fuzz_must(why.text[0] != '\0', "a refusal says why");
    }
    free(text);
    return 0;
}
