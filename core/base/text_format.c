/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text_format - the writers of text.h: durations, ages, numbers, values for people, times, and text made safe to show.
 *
 * Doubles are printed by way of "%.*e", of which only the digits and the exponent are taken: whatever the locale's
 * decimal point is, it is never copied. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/text.h"
#include "core/base/utf8.h"

/* ---- durations */

struct unit {
    const char *name;
    int64_t worth_ms;
};

#define SECOND_MS 1000ll
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

char *text_format_duration(char out[TEXT_DURATION_SIZE], int64_t ms)
{
    static const struct unit units[] = { { "y", 365 * DAY_MS }, { "w", 7 * DAY_MS }, { "d", DAY_MS }, { "h", HOUR_MS },
                                         { "m", MINUTE_MS },    { "s", SECOND_MS },  { "ms", 1 } };
    const struct unit *unit = units;
    while (ms % unit->worth_ms != 0)
        unit++;
    if (ms == 0)
        unit = &units[5];
    snprintf(out, TEXT_DURATION_SIZE, "%lld%s", (long long)(ms / unit->worth_ms), unit->name);
    return out;
}

char *text_format_age(char out[TEXT_DURATION_SIZE], int64_t ms)
{
    /* from the second one on, the next smaller unit is shown beside, down to minutes */
    static const struct unit units[] = {
        { "y", 365 * DAY_MS }, { "d", DAY_MS }, { "h", HOUR_MS }, { "min", MINUTE_MS }, { "s", SECOND_MS }
    };
    const char *sign = ms < 0 ? "-" : "";
    uint64_t left = magnitude(ms);
    size_t i = 0;
    while (i < 4 && left < (uint64_t)units[i].worth_ms)
        i++;
    uint64_t first = left / (uint64_t)units[i].worth_ms;
    char text[64];
    uint64_t second = i < 3 ? left % (uint64_t)units[i].worth_ms / (uint64_t)units[i + 1].worth_ms : 0;
    if (second)
        snprintf(text, sizeof text, "%s%llu %s %llu %s", sign, (unsigned long long)first, units[i].name,
                 (unsigned long long)second, units[i + 1].name);
    else
        snprintf(text, sizeof text, "%s%llu %s", sign, (unsigned long long)first, units[i].name);
    text_copy(out, TEXT_DURATION_SIZE, text);
    return out;
}

/* ---- numbers */

#define DIGITS_MAX 17

/* value = 0.DIGITS * 10^point, without trailing zeros. */
struct decimal {
    char digits[DIGITS_MAX + 1];
    int count, point;
};

/* The precision digits of value (> 0). */
static struct decimal split(double value, int precision)
{
    char text[64];
    struct decimal decimal = { 0 };
    snprintf(text, sizeof text, "%.*e", precision - 1, value);
    const char *at = text;
    for (; *at && *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9' && decimal.count < DIGITS_MAX)
            decimal.digits[decimal.count++] = *at;
    }
    decimal.point = (*at ? (int)strtol(at + 1, NULL, 10) : 0) + 1;
    while (decimal.count > 1 && decimal.digits[decimal.count - 1] == '0')
        decimal.count--;
    decimal.digits[decimal.count] = '\0';
    return decimal;
}

/* Digits, with an exponent outside 1e-6 .. 1e15. */
static void lay_out(char *out, size_t size, const char *sign, const struct decimal *decimal)
{
    const char *digits = decimal->digits;
    int count = decimal->count, point = decimal->point;
    if (point < -5 || point > 16)
        snprintf(out, size, "%s%c%s%se%+03d", sign, digits[0], count > 1 ? "." : "", digits + 1, point - 1);
    else if (point <= 0)
        snprintf(out, size, "%s0.%.*s%s", sign, -point, "00000", digits);
    else if (point >= count)
        snprintf(out, size, "%s%s%.*s", sign, digits, point - count, "0000000000000000");
    else
        snprintf(out, size, "%s%.*s.%s", sign, point, digits, digits + point);
}

char *text_format_number(char out[TEXT_NUMBER_SIZE], double value)
{
    const char *sign = signbit(value) ? "-" : "";
    double absolute = fabs(value);
    if (!isfinite(value)) {
        text_copy(out, TEXT_NUMBER_SIZE, "U");
    } else if (absolute < 1e15 && absolute == floor(absolute)) {
        snprintf(out, TEXT_NUMBER_SIZE, "%s%lld", sign, (long long)absolute);
    } else {
        char text[64];
        double again = 0;
        for (int precision = absolute < DBL_MIN ? 1 : 15; precision <= DIGITS_MAX; precision++) {
            struct decimal decimal = split(absolute, precision);
            lay_out(text, sizeof text, sign, &decimal);
            text_copy(out, TEXT_NUMBER_SIZE, text);
            if (text_number(out, &again) == 0 && again == value)
                break;
        }
    }
    return out;
}

/* ---- values for people */

/* One decimal place below 100, none above; never the locale's. value is not negative. */
static void print_short(char *out, size_t size, double value)
{
    long long tenths = llround(value * 10);
    if (tenths < 1000 && tenths % 10 != 0)
        snprintf(out, size, "%lld.%lld", tenths / 10, tenths % 10);
    else
        snprintf(out, size, "%lld", (tenths + 5) / 10);
}

/* Divides by step while the value is too large for the scale's current prefix. */
static void print_scaled(char *out, double value, double step, const char *const *scale, const char *suffix)
{
    char number[32];
    bool negative = value < 0;
    value = fabs(value);
    while (scale[1] && value >= step * 0.9995) {
        value /= step;
        scale++;
    }
    print_short(number, sizeof number, value);
    const char *sign = negative && strcmp(number, "0") != 0 ? "-" : ""; /* nobody wants a -0 */
    bool apart = scale[0][0] || (suffix[0] && suffix[0] != '/');
    snprintf(out, TEXT_VALUE_SIZE, "%s%s%s%s%s", sign, number, apart ? " " : "", scale[0], suffix);
}

static void print_seconds(char *out, double value)
{
    static const char *const scale[] = { "us", "ms", "s", NULL };
    double absolute = fabs(value);
    if (absolute >= 120)
        text_format_age(out, (int64_t)(value * 1000));
    else if (absolute == 0 || absolute >= 1)
        print_scaled(out, value, 1e300, &scale[2], "");
    else
        print_scaled(out, value * 1e6, 1000, scale, "");
}

char *text_format_value(char out[TEXT_VALUE_SIZE], double value, const char *unit)
{
    static const char *const binary[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", NULL };
    static const char *const decimal[] = { "", "k", "M", "G", "T", NULL };
    static const char *const none[] = { "", NULL };
    char number[TEXT_NUMBER_SIZE];
    if (!isfinite(value))
        text_copy(out, TEXT_VALUE_SIZE, "unknown");
    else if (fabs(value) >= (unit[0] == 'B' ? 1e30 : 1e15)) /* beyond all prefixes */
        snprintf(out, TEXT_VALUE_SIZE, "%s %s", text_format_number(number, value), unit);
    else if (strcmp(unit, "s") == 0)
        print_seconds(out, value);
    else if (strcmp(unit, "B") == 0 || strcmp(unit, "B/s") == 0)
        print_scaled(out, value, 1024, binary, unit + 1);
    else if (strcmp(unit, "/s") == 0)
        print_scaled(out, value, 1000, decimal, unit);
    else if (unit[0] == '\0' || strcmp(unit, "c") == 0)
        print_scaled(out, value, 1000, fabs(value) < 10000 ? none : decimal, "");
    else
        print_scaled(out, value, 1000, none, unit);
    return out;
}

/* ---- times */

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z */
#define WALL_LEAST_MS (-62167219200000ll)
#define WALL_GREATEST_MS 253402300799999ll

static int64_t clamp_wall(int64_t wall_ms)
{
    return wall_ms < WALL_LEAST_MS ? WALL_LEAST_MS : wall_ms > WALL_GREATEST_MS ? WALL_GREATEST_MS : wall_ms;
}

/* Seconds of a time in milliseconds, rounded down also before 1970. */
static time_t seconds_of(int64_t wall_ms)
{
    return (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
}

char *text_format_utc(char out[TEXT_TIME_SIZE], int64_t wall_ms)
{
    wall_ms = clamp_wall(wall_ms);
    time_t seconds = seconds_of(wall_ms);
    struct tm parts = { 0 };
    gmtime_r(&seconds, &parts);
    snprintf(out, TEXT_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)(wall_ms - (int64_t)seconds * 1000));
    return out;
}

char *text_format_local(char out[TEXT_TIME_SIZE], int64_t wall_ms)
{
    time_t seconds = seconds_of(clamp_wall(wall_ms));
    struct tm parts = { 0 };
    localtime_r(&seconds, &parts);
    snprintf(out, TEXT_TIME_SIZE, "%04d-%02d-%02d %02d:%02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1,
             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return out;
}

/* ---- text made safe to show */

static bool is_bidi_control(uint32_t code)
{
    return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

/* What stands for the character at text: its length in piece; *n says how many bytes of text it takes. */
static size_t show(const char *text, bool keep_lines, char piece[16], size_t *n)
{
    uint32_t code = 0;
    *n = utf8_next(text, &code);
    if (*n == 0) {
        *n = 1;
        return text_copy(piece, 16, UTF8_REPLACEMENT);
    }
    bool line = keep_lines && (code == '\n' || code == '\t');
    if (!line && (code < 0x20 || code == 0x7F))
        return (size_t)snprintf(piece, 16, "\\x%02x", (unsigned)code);
    if ((code >= 0x80 && code < 0xA0) || is_bidi_control(code))
        return (size_t)snprintf(piece, 16, "\\u{%04x}", (unsigned)code);
    memcpy(piece, text, *n);
    return *n;
}

char *text_visible(char *out, size_t size, const char *text, bool keep_lines)
{
    char piece[16];
    size_t length = 0, cut = 0, n; /* cut: the last border that leaves room for "..." */
    if (size == 0)
        return out;
    while (*text) {
        size_t add = show(text, keep_lines, piece, &n);
        if (length + add >= size) {
            length = cut + text_copy(out + cut, size - cut < 4 ? size - cut : 4, "...");
            length = length < size ? length : size - 1;
            break;
        }
        memcpy(out + length, piece, add);
        length += add;
        text += n;
        if (length + 4 <= size)
            cut = length;
    }
    out[length] = '\0';
    return out;
}

char *text_count(char out[TEXT_COUNT_SIZE], uint64_t count, const char *noun)
{
    snprintf(out, TEXT_COUNT_SIZE, "%llu %s%s", (unsigned long long)count, noun, count == 1 ? "" : "s");
    return out;
}
