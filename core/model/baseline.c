/* SPDX-License-Identifier: GPL-3.0-or-later */
/* baseline - see baseline.h. */
#include "core/model/baseline.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "core/base/text.h"

#define TIME_MAX_S 253402300799LL /* the year 9999 */

const char *figure_name(enum figure figure)
{
    static const char *const names[FIGURES] = { [FIGURE_MEDIAN] = "median", [FIGURE_P5] = "p5", [FIGURE_P95] = "p95" };
    return names[figure];
}

bool baseline_tells(const struct baseline *baseline)
{
    return baseline && baseline->days >= BASELINE_DAYS_MIN &&
           (baseline->rare || baseline->samples >= BASELINE_SAMPLES_MIN);
}

char *baseline_words(char out[BASELINE_WORDS_SIZE], const struct baseline *baseline, const char *unit)
{
    char median[TEXT_VALUE_SIZE], low[TEXT_VALUE_SIZE], high[TEXT_VALUE_SIZE];
    if (!baseline) {
        text_copy(out, BASELINE_WORDS_SIZE, "no baseline yet");
    } else if (baseline->days < BASELINE_DAYS_MIN) {
        snprintf(out, BASELINE_WORDS_SIZE, "no baseline yet: %u of %d days", baseline->days, BASELINE_DAYS_MIN);
    } else if (!baseline_tells(baseline)) {
        snprintf(out, BASELINE_WORDS_SIZE, "no baseline yet: %u of %d samples at this hour", baseline->samples,
                 BASELINE_SAMPLES_MIN);
    } else {
        snprintf(out, BASELINE_WORDS_SIZE, "7-day median %s, 5 to 95 %% within %s to %s (%u samples of %u days%s)",
                 text_format_value(median, baseline->figures[FIGURE_MEDIAN], unit),
                 text_format_value(low, baseline->figures[FIGURE_P5], unit),
                 text_format_value(high, baseline->figures[FIGURE_P95], unit), baseline->samples, baseline->days,
                 baseline->rare ? "" : " at this hour");
    }
    return out;
}

const struct baseline *baseline_at(const struct baseline_table *table, int64_t wall_ms)
{
    if (wall_ms / 1000 - table->at_s > BASELINE_STALE_S)
        return NULL;
    return &table->hours[baseline_hour(wall_ms / 1000).hour];
}

void baseline_encode(struct buf *out, const struct baseline_table *table)
{
    wire_put_u64(out, (uint64_t)table->at_s);
    for (unsigned i = 0; i < BASELINE_HOURS; i++) {
        const struct baseline *hour = &table->hours[i];
        wire_put_u32(out, hour->samples);
        wire_put_u8(out, (uint8_t)hour->days);
        wire_put_u8(out, hour->rare);
        for (unsigned k = 0; hour->samples > 0 && k < FIGURES; k++)
            wire_put_f64(out, hour->figures[k]);
    }
}

static void read_hour(struct wire_reader *r, struct baseline *out)
{
    *out = (struct baseline){ .samples = wire_u32(r), .days = wire_u8(r) };
    uint8_t rare = wire_u8(r);
    out->rare = rare == 1;
    for (unsigned k = 0; out->samples > 0 && k < FIGURES; k++) {
        out->figures[k] = wire_f64(r);
        if (!isfinite(out->figures[k]))
            r->failed = true;
    }
    if (rare > 1 || out->days > BASELINE_DAYS || out->days > out->samples)
        r->failed = true;
}

int baseline_decode(struct wire_reader *r, struct baseline_table *out)
{
    out->at_s = (int64_t)wire_u64(r);
    if (out->at_s < 0 || out->at_s > TIME_MAX_S)
        r->failed = true;
    for (unsigned i = 0; i < BASELINE_HOURS; i++)
        read_hour(r, &out->hours[i]);
    return r->failed ? ERROR_PROTOCOL : 0;
}

struct local_hour baseline_hour(int64_t wall_s)
{
    struct tm parts = { 0 };
    time_t seconds = (time_t)wall_s;
    localtime_r(&seconds, &parts);
    unsigned hour = (unsigned)parts.tm_hour % BASELINE_HOURS;
    parts.tm_sec = parts.tm_min = parts.tm_hour = 0;
    return (struct local_hour){ (int32_t)(timegm(&parts) / 86400), hour };
}
