/* SPDX-License-Identifier: GPL-3.0-or-later */
/* baseline - what a metric usually is: median, 5th and 95th percentile of the last seven days at the same hour. Plain
 * numbers: the recorder computes them (core/recorder/past.h), the keeper keeps the last ones it was told, and a limit
 * (limit.h) may refer to them.
 *
 * "The same hour" is the hour that the local clock of this machine shows: of 03:40 all that was measured from 03:00 to
 * 03:59 on each of the seven days before. On the day when an hour comes twice both count, on the day when it is left
 * out there are six days. A metric that is measured too rarely for that (BASELINE_RARE_S) has one baseline for all
 * hours: all its samples of seven days, today's being the seventh. */
#ifndef MODEL_BASELINE_H
#define MODEL_BASELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/wire.h"

#define BASELINE_DAYS 7
#define BASELINE_HOURS 24
/* What is enough: samples on so many of the days, and so many of them; of a rare metric the days alone count. */
#define BASELINE_DAYS_MIN 3
#define BASELINE_SAMPLES_MIN 20
/* Measured less often than this, an hour has too few samples in seven days. */
#define BASELINE_RARE_S (BASELINE_DAYS * 3600 / BASELINE_SAMPLES_MIN)
/* Numbers that were told longer ago are of none of the last seven days. */
#define BASELINE_STALE_S (BASELINE_DAYS * 86400)

enum figure {
    FIGURE_MEDIAN,
    FIGURE_P5,
    FIGURE_P95,
    FIGURES
};

/* "median", "p5", "p95". */
const char *figure_name(enum figure figure);

struct baseline {
    double figures[FIGURES];
    uint32_t samples; /* that they stand for; 0: the figures mean nothing */
    uint32_t days;    /* on which they were measured */
    bool rare;        /* of all hours */
};

/* Whether there is enough to compare with. NULL is not. */
bool baseline_tells(const struct baseline *baseline);
/* "7-day median 1.9 s, 5 to 95 % within 1.2 s to 2.8 s (420 samples of 7 days at this hour)", or what is missing:
 * "no baseline yet: 2 of 3 days". baseline may be NULL. */
#define BASELINE_WORDS_SIZE 256
char *baseline_words(char out[BASELINE_WORDS_SIZE], const struct baseline *baseline, const char *unit);

/* All that is known of one metric: of each hour the baseline of the next time that it comes. */
struct baseline_table {
    int64_t at_s; /* of the youngest sample in it */
    struct baseline hours[BASELINE_HOURS];
};

/* The one for that time; NULL when the table is stale by then. */
const struct baseline *baseline_at(const struct baseline_table *table, int64_t wall_ms);
/* As at_s u64, then for each hour: samples u32, days u8, rare u8, and when there are samples the figures f64. */
void baseline_encode(struct buf *out, const struct baseline_table *table);
/* 0 or ERROR_PROTOCOL. */
int baseline_decode(struct wire_reader *r, struct baseline_table *out);

/* An hour of the local clock: days since 1970 by its calendar, and 0 to 23. */
struct local_hour {
    int32_t day;
    uint32_t hour;
};
struct local_hour baseline_hour(int64_t wall_s);

#endif
