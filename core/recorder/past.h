/* SPDX-License-Identifier: GPL-3.0-or-later */
/* past - what was measured in each hour of the last days, in little room, and the baselines that come of it
 * (core/model/baseline.h). Pure but for its file.
 *
 * While an hour lasts its samples are kept as they are, up to PAST_SAMPLES; when there are more, every second one is
 * let go and from then on only every second is taken, and so on. Of an hour that ended a cell remains: its samples, or
 * when there are more than PAST_VALUES, so many of them that stand for equal shares: with 20, for the ranks 2.5 %, 7.5
 * %, ... 97.5 %. A baseline is the weighted quantiles of seven cells; its rank is off by at most half of a share. */
#ifndef RECORDER_PAST_H
#define RECORDER_PAST_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/model/baseline.h"

#define PAST_SAMPLES 512
#define PAST_VALUES 20
#define PAST_DAYS (BASELINE_DAYS + 1) /* today's hour stands beside those of the seven days before */
#define PAST_SUFFIX ".past"

/* The hour that lasts. */
struct past_hour {
    double *samples;
    uint32_t count, size;
    uint64_t seen;   /* in all */
    uint32_t stride; /* of those seen, each of that many is kept; 0: all */
};

struct past_cell {
    int32_t day;
    uint32_t count;             /* samples; 0: an empty cell */
    uint32_t kept;              /* values that stand for them */
    double values[PAST_VALUES]; /* ascending */
};

struct past_metric {
    const char *name;
    struct past_cell cells[PAST_DAYS][BASELINE_HOURS]; /* [day modulo PAST_DAYS][hour] */
};

struct past {
    int64_t last_s; /* of the youngest sample */
    struct past_metric *metrics;
    uint32_t count;
};

/* NaN, and what is too large for an RRD file, is not taken. */
void past_add(struct past_hour *hour, double value);
void past_hour_close(struct past_hour *hour);
/* The samples of that hour into its cell, to those that it has of the same day. Afterwards `hour` is empty. */
void past_settle(struct past_metric *metric, struct local_hour when, struct past_hour *hour);
/* All hours as they are to be compared with from `now` on; out->at_s is left alone. */
void past_compute(const struct past_metric *metric, struct local_hour now, bool rare, struct baseline_table *out);

/* What a value of that hour is compared with, of the days that are still known. */
void past_compare(const struct past_metric *metric, struct local_hour when, bool rare, struct baseline *out);

/* A value and how many samples it stands for. */
struct past_moment {
    double value, weight;
};
/* The quantile of n (at least one) that are ascending: linear between the middles of their shares, which for weights of
 * one is Hazen's (type 5 of Hyndman and Fan 1996). */
double past_quantile(const struct past_moment *moments, uint32_t n, double share);

/* The file at path (past_file.c): 0, -ENOENT, or ERROR_DAMAGED with nothing in *out. */
int past_read(struct arena *arena, const char *path, struct past *out, struct why *why);
/* Replaces it. It is not synced: what a power cut leaves is not believed, and made again from the RRD file. */
int past_write(const char *path, const struct past *past, struct why *why);
struct past_metric *past_find(const struct past *past, const char *name);

#endif
