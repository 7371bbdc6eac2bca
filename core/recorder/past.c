/* SPDX-License-Identifier: GPL-3.0-or-later */
/* past - see past.h. */
#include "core/recorder/past.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 16
#define VALUE_MAX 1e300 /* as track.c */
#define MOMENTS_MAX (BASELINE_DAYS * BASELINE_HOURS * PAST_VALUES)

/* ---- an hour that lasts ----------------------------------------------------------------------------------------- */

static void thin_out(struct past_hour *hour)
{
    for (uint32_t i = 0; i < hour->count / 2; i++)
        hour->samples[i] = hour->samples[2 * i];
    hour->count /= 2;
    hour->stride *= 2;
}

void past_add(struct past_hour *hour, double value)
{
    if (!(fabs(value) <= VALUE_MAX))
        return;
    if (hour->stride == 0)
        hour->stride = 1;
    if (hour->seen++ % hour->stride != 0)
        return;
    if (hour->count == PAST_SAMPLES)
        thin_out(hour);
    if (hour->count == hour->size) {
        hour->size = hour->size ? 2 * hour->size : SIZE_FIRST;
        hour->samples = heap_grow(hour->samples, hour->size, sizeof(*hour->samples));
    }
    hour->samples[hour->count++] = value;
}

void past_hour_close(struct past_hour *hour)
{
    free(hour->samples);
    *hour = (struct past_hour){ 0 };
}

/* ---- weighted values -------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct past_moment *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

static uint32_t add_cell(struct past_moment *out, const struct past_cell *cell)
{
    for (uint32_t i = 0; i < cell->kept; i++)
        out[i] = (struct past_moment){ cell->values[i], (double)cell->count / cell->kept };
    return cell->kept;
}

static double total(const struct past_moment *moments, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += moments[i].weight;
    return sum;
}

double past_quantile(const struct past_moment *moments, uint32_t n, double share)
{
    double wanted = share * total(moments, n), before = 0, middle = 0;
    for (uint32_t i = 0; i < n; i++) {
        double value = moments[i].value, next = before + moments[i].weight / 2;
        if (wanted <= next) {
            double below = i > 0 ? moments[i - 1].value : value;
            return value == below ? value : below + (value - below) * ((wanted - middle) / (next - middle));
        }
        before += moments[i].weight;
        middle = next;
    }
    return moments[n - 1].value;
}

/* ---- cells ------------------------------------------------------------------------------------------------------ */

/* Values that were measured, each for an equal share of all. */
static void choose(struct past_cell *cell, const struct past_moment *moments, uint32_t n)
{
    double sum = total(moments, n), passed = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < PAST_VALUES; i++) {
        double wanted = (i + 0.5) / PAST_VALUES * sum;
        while (at + 1 < n && passed + moments[at].weight < wanted)
            passed += moments[at++].weight;
        cell->values[i] = moments[at].value;
    }
    cell->kept = PAST_VALUES;
}

void past_settle(struct past_metric *metric, struct local_hour when, struct past_hour *hour)
{
    struct past_cell *cell = &metric->cells[(uint32_t)when.day % PAST_DAYS][when.hour];
    struct past_moment moments[PAST_SAMPLES + PAST_VALUES];
    if (hour->count == 0)
        return;
    if (cell->day != when.day)
        *cell = (struct past_cell){ .day = when.day };
    uint32_t n = add_cell(moments, cell);
    for (uint32_t i = 0; i < hour->count; i++)
        moments[n++] = (struct past_moment){ hour->samples[i], (double)hour->seen / hour->count };
    qsort(moments, n, sizeof(*moments), compare);
    cell->count += (uint32_t)hour->seen;
    if (n > PAST_VALUES) {
        choose(cell, moments, n);
    } else {
        for (uint32_t i = 0; i < n; i++)
            cell->values[i] = moments[i].value;
        cell->kept = n;
    }
    hour->seen = hour->count = hour->stride = 0;
}

/* ---- baselines -------------------------------------------------------------------------------------------------- */

struct window {
    int32_t until; /* the seven days before this one */
    int hour;      /* -1: all */
};

/* What the window has, into moments; how many. */
static uint32_t gather(const struct past_metric *metric, struct window window, struct past_moment *moments,
                       struct baseline *out)
{
    uint32_t n = 0;
    for (int32_t day = window.until - BASELINE_DAYS; day < window.until; day++) {
        const struct past_cell *cells = metric->cells[(uint32_t)day % PAST_DAYS];
        uint32_t before = n;
        for (int hour = 0; hour < BASELINE_HOURS; hour++) {
            if (cells[hour].day != day || cells[hour].count == 0 || (window.hour >= 0 && hour != window.hour))
                continue;
            n += add_cell(moments + n, &cells[hour]);
            out->samples += cells[hour].count;
        }
        out->days += n > before;
    }
    return n;
}

static void compute(const struct past_metric *metric, struct window window, struct past_moment *moments,
                    struct baseline *out)
{
    static const double shares[FIGURES] = { [FIGURE_MEDIAN] = 0.5, [FIGURE_P5] = 0.05, [FIGURE_P95] = 0.95 };
    *out = (struct baseline){ .rare = window.hour < 0 };
    uint32_t n = gather(metric, window, moments, out);
    if (n == 0)
        return;
    qsort(moments, n, sizeof(*moments), compare);
    for (unsigned k = 0; k < FIGURES; k++)
        out->figures[k] = past_quantile(moments, n, shares[k]);
}

void past_compute(const struct past_metric *metric, struct local_hour now, bool rare, struct baseline_table *out)
{
    struct past_moment *moments = heap_array(MOMENTS_MAX, sizeof(*moments));
    if (rare)
        compute(metric, (struct window){ .until = now.day + 1, .hour = -1 }, moments, &out->hours[0]);
    for (uint32_t hour = 0; hour < BASELINE_HOURS; hour++) {
        /* an hour that is over comes again tomorrow */
        int32_t next = hour >= now.hour ? now.day : now.day + 1;
        if (rare)
            out->hours[hour] = out->hours[0];
        else
            compute(metric, (struct window){ .until = next, .hour = (int)hour }, moments, &out->hours[hour]);
    }
    free(moments);
}

void past_compare(const struct past_metric *metric, struct local_hour when, bool rare, struct baseline *out)
{
    struct past_moment *moments = heap_array(MOMENTS_MAX, sizeof(*moments));
    const struct window window = { .until = rare ? when.day + 1 : when.day, .hour = rare ? -1 : (int)when.hour };
    compute(metric, window, moments, out);
    free(moments);
}

struct past_metric *past_find(const struct past *past, const char *name)
{
    for (uint32_t i = 0; i < past->count; i++)
        if (strcmp(past->metrics[i].name, name) == 0)
            return &past->metrics[i];
    return NULL;
}
