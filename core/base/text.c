/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text - parsers, names, nearness and hash; the writers are in text_format.c.
 *
 * Nothing here looks at the process's locale: integers, durations and sizes are read digit by digit in integer
 * arithmetic, doubles by strtod_l() in the "C" locale after the grammar was checked by hand. */
#include "core/base/text.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_MAX_BYTES 64
#define NEAREST_MAX_BYTES 64

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(const char *text)
{
    size_t n = 0;
    while (is_digit(text[n]))
        n++;
    return n;
}

/* ---- numbers */

int text_integer(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    size_t n = count_digits(text);
    if (n == 0 || text[n])
        return ERROR_SYNTAX;
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = text[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return ERROR_RANGE;
    }
    *out = value;
    return 0;
}

/* [+-]digits[.digits][e[+-]digits], with a digit before or after the point. */
static bool is_decimal(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    size_t digits = count_digits(text);
    text += digits;
    if (*text == '.') {
        size_t fraction = count_digits(++text);
        text += fraction;
        digits += fraction;
    }
    if (digits == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+')
            text++;
        size_t exponent = count_digits(text);
        if (exponent == 0)
            return false;
        text += exponent;
    }
    return *text == '\0';
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

int text_number(const char *text, double *out)
{
    if (!is_decimal(text))
        return ERROR_SYNTAX;
    pthread_once(&c_locale_once, make_c_locale);
    double value = strtod_l(text, NULL, c_locale);
    if (!isfinite(value))
        return ERROR_RANGE;
    *out = value;
    return 0;
}

int text_flag(const char *text, bool *out)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        return ERROR_SYNTAX;
    *out = yes;
    return 0;
}

/* ---- quantities: a decimal and a unit */

struct unit {
    const char *name;
    int64_t worth;
};

static const struct unit duration_units[] = {
    { "ms", 1 },
    { "s", 1000 },
    { "m", 60000 },
    { "h", 3600000 },
    { "d", 24 * 3600000 },
    { "w", 7 * 86400000 },
    { "y", 365 * 86400000ll },
    { NULL, 0 },
};

static const struct unit size_units[] = {
    { "", 1 },
    { "B", 1 },
    { "kB", 1000 },
    { "KB", 1000 },
    { "MB", 1000000 },
    { "GB", 1000000000 },
    { "TB", 1000000000000 },
    { "PB", 1000000000000000 },
    { "KiB", 1ll << 10 },
    { "MiB", 1ll << 20 },
    { "GiB", 1ll << 30 },
    { "TiB", 1ll << 40 },
    { "PiB", 1ll << 50 },
    { NULL, 0 },
};

#define FRACTION_DIGITS 9
#define FRACTION_ONE 1000000000

/* Reads up to nine digits behind the point as billionths; NULL when there are none or more. */
static const char *read_fraction(const char *text, int64_t *billionths)
{
    size_t n = count_digits(text);
    if (n == 0 || n > FRACTION_DIGITS)
        return NULL;
    for (size_t i = 0; i < FRACTION_DIGITS; i++)
        *billionths = *billionths * 10 + (i < n ? text[i] - '0' : 0);
    return text + n;
}

/* digits[.digits]unit in whole ones of the least unit, rounded; what is not zero never becomes zero. */
static int read_quantity(const char *text, const struct unit *units, int64_t *out)
{
    int64_t whole = 0, billionths = 0;
    size_t n = count_digits(text);
    if (n == 0)
        return ERROR_SYNTAX;
    bool too_large = false;
    for (size_t i = 0; i < n; i++)
        too_large = too_large || __builtin_mul_overflow(whole, 10, &whole) ||
                    __builtin_add_overflow(whole, text[i] - '0', &whole);
    text += n;
    if (*text == '.' && !(text = read_fraction(text + 1, &billionths)))
        return ERROR_SYNTAX;
    while (units->name && strcmp(units->name, text) != 0)
        units++;
    if (!units->name)
        return ERROR_SYNTAX;
    int64_t value;
    int64_t rest = (int64_t)(((__int128)billionths * units->worth + FRACTION_ONE / 2) / FRACTION_ONE);
    if (too_large || __builtin_mul_overflow(whole, units->worth, &value) || __builtin_add_overflow(value, rest, &value))
        return ERROR_RANGE;
    if (value == 0 && billionths > 0)
        return ERROR_RANGE;
    *out = value;
    return 0;
}

int text_duration(const char *text, int64_t *out_ms)
{
    if (strcmp(text, "0") == 0) {
        *out_ms = 0;
        return 0;
    }
    return read_quantity(text, duration_units, out_ms);
}

int text_size(const char *text, int64_t *out_bytes)
{
    return read_quantity(text, size_units, out_bytes);
}

/* ---- names */

static bool is_name_n(const char *text, size_t n)
{
    if (n == 0 || n > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool first = (c >= 'a' && c <= 'z') || is_digit(c);
        bool later = c == '_' || c == '-' || (c == '.' && i > 0 && text[i - 1] != '.');
        if (!first && (i == 0 || !later))
            return false;
    }
    return true;
}

bool text_is_name(const char *text)
{
    return is_name_n(text, strnlen(text, NAME_MAX_BYTES + 1));
}

bool text_is_check_id(const char *text)
{
    const char *slash = strchr(text, '/');
    if (!slash || !is_name_n(text, (size_t)(slash - text)))
        return false;
    const char *check = slash + 1;
    const char *at = strchrnul(check, '@');
    return is_name_n(check, (size_t)(at - check)) && (*at == '\0' || text_is_name(at + 1));
}

/* ---- time */

/* n digits as a number, or -1. */
static int read_digits(const char *text, size_t n)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(text[i]))
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int text_utc(const char *text, int64_t *out_wall_ms)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd"; /* d: a digit */
    for (size_t i = 0; i + 1 < sizeof shape; i++) {
        if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i])
            return ERROR_SYNTAX;
    }
    const char *rest = text + sizeof shape - 1;
    int ms = 0;
    if (*rest == '.') {
        if (count_digits(rest + 1) != 3)
            return ERROR_SYNTAX;
        ms = read_digits(rest + 1, 3);
        rest += 4;
    }
    if (strcmp(rest, "Z") != 0)
        return ERROR_SYNTAX;
    int year = read_digits(text, 4), month = read_digits(text + 5, 2), day = read_digits(text + 8, 2);
    int hour = read_digits(text + 11, 2), minute = read_digits(text + 14, 2), second = read_digits(text + 17, 2);
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 59)
        return ERROR_RANGE;
    struct tm parts = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute, .tm_sec = second
    };
    *out_wall_ms = (int64_t)timegm(&parts) * 1000 + ms;
    return 0;
}

/* ---- nearness, hash, copy */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance (neighbours swapped count once) of texts of at most NEAREST_MAX_BYTES. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][NEAREST_MAX_BYTES + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_length];
}

const char *text_nearest(const char *name, const char *const *candidates)
{
    size_t length = strnlen(name, NEAREST_MAX_BYTES + 1);
    size_t best = 1 + length / 4;
    const char *nearest = NULL;
    if (length > NEAREST_MAX_BYTES)
        return NULL;
    for (; *candidates; candidates++) {
        size_t other = strnlen(*candidates, NEAREST_MAX_BYTES + 1);
        if (other > NEAREST_MAX_BYTES)
            continue;
        size_t far = distance(name, length, *candidates, other);
        if (far < best || (far == best && !nearest)) {
            best = far;
            nearest = *candidates;
        }
    }
    return nearest;
}

/* FNV-1a over the bytes, then a finalizer that lets every input bit reach every output bit: FNV's own high bits hardly
 * change for short names. */
uint64_t text_hash_more(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    hash ^= 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 31);
}

uint64_t text_hash(const char *text)
{
    return text_hash_more(0, text, strlen(text));
}

size_t text_copy(char *out, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (size > 0) {
        size_t n = least(length, size - 1);
        memcpy(out, text, n);
        out[n] = '\0';
    }
    return length;
}
