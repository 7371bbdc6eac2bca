/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_range - Nagios ranges: what is parsed can be printed, and parses back to the same range, printed the same. */
#include <math.h>
#include <string.h>

#include "core/model/range.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *text = fuzz_text(bytes, n), printed[RANGE_TEXT_SIZE], again[RANGE_TEXT_SIZE];
    struct range range = { 0 }, second = { 0 };
    struct why why = { "" };
    if (range_parse(text, &range, &why) == 0) {
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
