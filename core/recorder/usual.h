/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usual - what a line usually is in each hour of a picture: the baseline that its values were compared with
 * (core/model/baseline.h). */
#ifndef RECORDER_USUAL_H
#define RECORDER_USUAL_H

#include "core/model/baseline.h"
#include "core/recorder/figures.h"

struct usual_hour {
    int64_t until_s; /* it begins where the one before ends */
    struct baseline baseline;
};

/* Of the whole picture, or of its last days; count 0: not known. */
struct usual {
    struct usual_hour *hours;
    uint32_t count;
};

struct usual_source {
    struct figures_source from;
    const char *metric;
    bool rare;   /* measured less often than BASELINE_RARE_S */
    bool always; /* also when no threshold refers to its baseline: computed from the RRD file */
};

/* 0 or a negative code. */
int usual_read(struct arena *arena, const struct figures_span *span, const struct usual_source *source,
               struct usual *out, struct why *why);
/* The least p5 and the greatest p95; NaN: none. */
void usual_extent(const struct usual *usual, double *low, double *high);

#endif
