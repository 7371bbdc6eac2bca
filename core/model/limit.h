/* SPDX-License-Identifier: GPL-3.0-or-later */
/* limit - what a sysadmin sets on a metric: a range (range.h), or a comparison with the metric's baseline:
 *
 *     > 2 x median 7d      alert when more than twice the median of the last seven days at this hour
 *     > p95 7d             when more than the 95th percentile; so the factor may be left out
 *     < 0.5 x p5 7d        when less than half of the 5th
 *
 * A comparison becomes a range when the baseline is known, and sets nothing as long as it is not. */
#ifndef MODEL_LIMIT_H
#define MODEL_LIMIT_H

#include "core/model/baseline.h"
#include "core/model/range.h"

struct limit {
    struct range range; /* when it is no comparison */
    bool compares, below;
    enum figure figure;
    double factor; /* above 0 */
};

/* 0 or ERROR_SYNTAX with the reason and what to write instead in *why (may be NULL). */
int limit_parse(const char *text, struct limit *out, struct why *why);
/* The canonical text; "" when nothing is set. */
#define LIMIT_TEXT_SIZE RANGE_TEXT_SIZE
char *limit_format(char out[LIMIT_TEXT_SIZE], const struct limit *limit);
/* What it comes to; baseline NULL: there is none. */
struct range limit_range(const struct limit *limit, const struct baseline *baseline);
/* Of a comparison whose baseline tells: "more than 2 x its 7-day median of 1.9 s". */
#define LIMIT_WORDS_SIZE 160
char *limit_words(char out[LIMIT_WORDS_SIZE], const struct limit *limit, const struct baseline *baseline,
                  const char *unit);

#endif
