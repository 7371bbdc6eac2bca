/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verdict_nagios - a verdict as the output of a Nagios plugin (monitoring-plugins guidelines):
 *
 *     NAME STATE - text | 'label'=value[unit];warn;crit;min;max ...
 *     long text, one line after the other
 *     STATE part: text, the worst first
 *
 * Nagios takes everything after the first '|' of any line for performance data and Icinga splits every line there, so
 * that the only '|' is ours, on line 1. Values are of the class [-0-9.]: an exponent is written out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/state.h"
#include "core/model/verdict.h"

#define LABEL_MAX 64
#define LINE_SIZE 8192
#define PLAIN_SIZE 400 /* -1.7976931348623157e308 written out has 310 bytes, 5e-324 has 326 */

/* One line of text without control characters and '|'; n bytes of text. */
static void put_line(struct buf *out, const char *text, size_t n)
{
    char raw[LINE_SIZE + 16], shown[LINE_SIZE]; /* more is read than shown, so that a cut is marked */
    n = n < sizeof raw ? n : sizeof raw - 1;
    memcpy(raw, text, n);
    raw[n] = '\0';
    text_visible(shown, sizeof shown, raw, false);
    for (char *bar = strchr(shown, '|'); bar; bar = strchr(bar, '|'))
        *bar = '/';
    buf_text(out, shown);
}

/* ---- performance data */

/* The label's characters: nothing that Nagios or we give a meaning. */
static char label_char(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F || strchr("='|", c) ? '_' : c;
}

/* The bytes of text that fit into n without cutting a character. */
static size_t fit(const char *text, size_t n)
{
    size_t length = strnlen(text, n + 1);
    if (length <= n)
        return length;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* name, or part/name: of a label that would be too long the part is cut. */
static void put_label(struct buf *out, const struct result_metric *metric)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:";
    char label[LABEL_MAX + 1];
    size_t name = fit(metric->name, LABEL_MAX), part = 0;
    if (metric->part && name < LABEL_MAX - 1)
        part = fit(metric->part, LABEL_MAX - 1 - name);
    snprintf(label, sizeof label, "%.*s%s%.*s", (int)part, metric->part ? metric->part : "", part ? "/" : "", (int)name,
             metric->name);
    for (char *at = label; *at; at++)
        *at = label_char(*at);
    const char *quote = label[strspn(label, plain)] ? "'" : "";
    buf_print(out, "%s%s%s", quote, label, quote);
}

/* Writes out d.ddde[+-]xx, as text_format_number() makes it. */
static void put_plain(struct buf *out, const char *number)
{
    char digits[TEXT_NUMBER_SIZE] = "", text[PLAIN_SIZE];
    const char *exponent = strchr(number, 'e');
    if (!exponent) {
        buf_text(out, number);
        return;
    }
    size_t n = 0;
    for (const char *at = number; at < exponent; at++) {
        if (*at >= '0' && *at <= '9')
            digits[n++] = *at;
    }
    int point = (int)strtol(exponent + 1, NULL, 10) + 1; /* where the decimal point is, counted in digits */
    int zeros = point <= 0 ? -point : point - (int)n;
    memset(text, '0', sizeof text);
    text[zeros > 0 ? zeros : 0] = '\0';
    const char *sign = number[0] == '-' ? "-" : "";
    if (point <= 0)
        buf_print(out, "%s0.%s%s", sign, text, digits);
    else
        buf_print(out, "%s%s%s", sign, digits, text);
}

static bool is_unit(const char *unit)
{
    return unit[strspn(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%")] == '\0';
}

/* A counter's unit is "c" whatever it counts; of rates Nagios knows none. */
static const char *unit_of(const struct result_metric *metric)
{
    if (metric->kind == BELFRY_COUNTER)
        return "c";
    return is_unit(metric->unit) ? metric->unit : "";
}

/* A limit of the metric's value, when it is a number. */
static void put_limit(struct buf *out, const char *text)
{
    char number[TEXT_NUMBER_SIZE];
    double value;
    buf_char(out, ';');
    if (text && text_number(text, &value) == 0)
        put_plain(out, text_format_number(number, value));
}

static void put_metric(struct buf *out, const struct judged_metric *judged)
{
    const struct result_metric *metric = judged->metric;
    char number[TEXT_NUMBER_SIZE], range[RANGE_TEXT_SIZE];
    buf_char(out, ' ');
    put_label(out, metric);
    buf_char(out, '=');
    put_plain(out, text_format_number(number, metric->value));
    buf_text(out, isfinite(metric->value) ? unit_of(metric) : "");
    buf_print(out, ";%s", range_format(range, &judged->warn));
    buf_print(out, ";%s", range_format(range, &judged->crit));
    put_limit(out, metric->min);
    put_limit(out, metric->max);
}

/* ---- lines after the first */

static void put_detail(struct buf *out, const char *detail)
{
    while (*detail) {
        size_t n = strcspn(detail, "\n");
        put_line(out, detail, n);
        buf_char(out, '\n');
        detail += n + (detail[n] == '\n');
    }
}

static void put_parts(struct buf *out, const struct verdict *verdict)
{
    for (int rank = state_rank(BELFRY_CRITICAL); rank >= state_rank(BELFRY_OK); rank--) {
        for (uint32_t i = 0; i < verdict->part_count; i++) {
            const struct judged_part *part = &verdict->parts[i];
            if (state_rank(part->state) != rank)
                continue;
            buf_print(out, "%s ", state_name(part->state));
            put_line(out, part->part->name, strlen(part->part->name));
            buf_text(out, part->text[0] ? ": " : "");
            put_line(out, part->text, strlen(part->text));
            buf_char(out, '\n');
        }
    }
}

void verdict_nagios(struct buf *out, const char *name, const struct verdict *verdict, const struct result *result)
{
    size_t begin = out->length;
    put_line(out, name, strlen(name));
    for (size_t i = begin; i < out->length; i++) {
        if (out->data[i] >= 'a' && out->data[i] <= 'z')
            out->data[i] = (char)(out->data[i] - 'a' + 'A');
    }
    buf_print(out, " %s - ", state_name(verdict->state));
    put_line(out, verdict->text, strlen(verdict->text));
    if (verdict->metric_count)
        buf_text(out, " |");
    for (uint32_t i = 0; i < verdict->metric_count; i++)
        put_metric(out, &verdict->metrics[i]);
    buf_char(out, '\n');
    if (result->detail)
        put_detail(out, result->detail);
    put_parts(out, verdict);
}
