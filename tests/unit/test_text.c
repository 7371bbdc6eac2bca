/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_text - core/base/text.h: every parser from a table of what it takes and what it refuses, every writer from a
 * table, round trips over seeded random values, and all of it again under a locale with a decimal comma when there is
 * one. */
#include "core/base/text.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/utf8.h"
#include "tests/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define UNTOUCHED (-4711)

/* A stable generator (xorshift*), so that a failure can be repeated. */
static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545F4914F6CDD1Du;
}

struct reading {
    const char *text;
    int code;
    int64_t value;
};

/* out must be untouched on failure. */
static void try_readings(const char *what, int (*read)(const char *, int64_t *), const struct reading *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t value = UNTOUCHED;
        int code = read(table[i].text, &value);
        int64_t want = table[i].code == 0 ? table[i].value : UNTOUCHED;
        if (!tap_ok(code == table[i].code && value == want, "%s '%s'", what, table[i].text))
            printf("# code %d value %" PRId64 "\n", code, value);
    }
}

static void test_integer(void)
{
    static const struct reading table[] = {
        { "0", 0, 0 },
        { "42", 0, 42 },
        { "-42", 0, -42 },
        { "+7", 0, 7 },
        { "007", 0, 7 },
        { "9223372036854775807", 0, INT64_MAX },
        { "-9223372036854775808", 0, INT64_MIN },
        { "9223372036854775808", ERROR_RANGE, 0 },
        { "-9223372036854775809", ERROR_RANGE, 0 },
        { "99999999999999999999999999", ERROR_RANGE, 0 },
        { "", ERROR_SYNTAX, 0 },
        { "-", ERROR_SYNTAX, 0 },
        { "--1", ERROR_SYNTAX, 0 },
        { " 1", ERROR_SYNTAX, 0 },
        { "1 ", ERROR_SYNTAX, 0 },
        { "0x10", ERROR_SYNTAX, 0 },
        { "1.0", ERROR_SYNTAX, 0 },
        { "1e3", ERROR_SYNTAX, 0 },
    };
    try_readings("integer", text_integer, table, COUNT(table));
}

static void test_number(void)
{
    static const struct {
        const char *text;
        int code;
        double value;
    } table[] = {
        { "0", 0, 0 },
        { "-0", 0, 0 },
        { "1.5", 0, 1.5 },
        { "+1.5", 0, 1.5 },
        { ".5", 0, 0.5 },
        { "5.", 0, 5 },
        { "1e3", 0, 1000 },
        { "1E-3", 0, 0.001 },
        { "1.7976931348623157e308", 0, DBL_MAX },
        { "1e-400", 0, 0 },
        { "1e309", ERROR_RANGE, 0 },
        { "-1e309", ERROR_RANGE, 0 },
        { "", ERROR_SYNTAX, 0 },
        { ".", ERROR_SYNTAX, 0 },
        { "-", ERROR_SYNTAX, 0 },
        { "e5", ERROR_SYNTAX, 0 },
        { "1e", ERROR_SYNTAX, 0 },
        { "1e+", ERROR_SYNTAX, 0 },
        { "0x1p3", ERROR_SYNTAX, 0 },
        { "nan", ERROR_SYNTAX, 0 },
        { "inf", ERROR_SYNTAX, 0 },
        { "-infinity", ERROR_SYNTAX, 0 },
        { "1,5", ERROR_SYNTAX, 0 },
        { "1.5 ", ERROR_SYNTAX, 0 },
        { " 1.5", ERROR_SYNTAX, 0 },
        { "1.5%", ERROR_SYNTAX, 0 },
        { "1.2.3", ERROR_SYNTAX, 0 },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        double value = UNTOUCHED;
        int code = text_number(table[i].text, &value);
        double want = table[i].code == 0 ? table[i].value : UNTOUCHED;
        tap_ok(code == table[i].code && value == want, "number '%s'", table[i].text);
    }
}

static void test_flag(void)
{
    bool flag = false;
    tap_ok(text_flag("true", &flag) == 0 && flag, "flag true");
    tap_ok(text_flag("false", &flag) == 0 && !flag, "flag false");
    static const char *const wrong[] = { "", "yes", "1", "True", "true " };
    for (size_t i = 0; i < COUNT(wrong); i++)
        tap_is_int(text_flag(wrong[i], &flag), ERROR_SYNTAX, wrong[i]);
}

static void test_duration(void)
{
    static const struct reading table[] = {
        { "0", 0, 0 },
        { "0s", 0, 0 },
        { "250ms", 0, 250 },
        { "90s", 0, 90000 },
        { "5m", 0, 300000 },
        { "36h", 0, 129600000 },
        { "30d", 0, 2592000000 },
        { "2w", 0, 1209600000 },
        { "7y", 0, 7ll * 365 * 86400000 },
        { "1.5h", 0, 5400000 },
        { "0.001s", 0, 1 },
        { "0.0001s", ERROR_RANGE, 0 },
        { "1.0006s", 0, 1001 },
        { "9223372036854775807ms", 0, INT64_MAX },
        { "9223372036854775808ms", ERROR_RANGE, 0 },
        { "9223372036854775807.9ms", ERROR_RANGE, 0 },
        { "999999999999y", ERROR_RANGE, 0 },
        { "99999999999999999999999s", ERROR_RANGE, 0 },
        { "", ERROR_SYNTAX, 0 },
        { "00", ERROR_SYNTAX, 0 },
        { "5", ERROR_SYNTAX, 0 },
        { "s", ERROR_SYNTAX, 0 },
        { "-5s", ERROR_SYNTAX, 0 },
        { "+5s", ERROR_SYNTAX, 0 },
        { "5 s", ERROR_SYNTAX, 0 },
        { "5S", ERROR_SYNTAX, 0 },
        { "5sec", ERROR_SYNTAX, 0 },
        { "1m30s", ERROR_SYNTAX, 0 },
        { "1.s", ERROR_SYNTAX, 0 },
        { ".5s", ERROR_SYNTAX, 0 },
        { "1,5h", ERROR_SYNTAX, 0 },
        { "1.0000000001s", ERROR_SYNTAX, 0 },
        { "1e3s", ERROR_SYNTAX, 0 },
    };
    try_readings("duration", text_duration, table, COUNT(table));
}

static void test_size(void)
{
    static const struct reading table[] = {
        { "0", 0, 0 },
        { "4096", 0, 4096 },
        { "100B", 0, 100 },
        { "64KiB", 0, 65536 },
        { "1.5GiB", 0, 1610612736 },
        { "10kB", 0, 10000 },
        { "10KB", 0, 10000 },
        { "2GB", 0, 2000000000 },
        { "3TiB", 0, 3298534883328 },
        { "8191PiB", 0, 8191ll << 50 },
        { "8192PiB", ERROR_RANGE, 0 },
        { "9223372036854775807", 0, INT64_MAX },
        { "9223372036854775808", ERROR_RANGE, 0 },
        { "0.1B", ERROR_RANGE, 0 },
        { "", ERROR_SYNTAX, 0 },
        { "-1", ERROR_SYNTAX, 0 },
        { "64kib", ERROR_SYNTAX, 0 },
        { "64K", ERROR_SYNTAX, 0 },
        { "64 KiB", ERROR_SYNTAX, 0 },
        { "KiB", ERROR_SYNTAX, 0 },
    };
    try_readings("size", text_size, table, COUNT(table));
}

static void test_names(void)
{
    static const char n64[] = "a123456789b123456789c123456789d123456789e123456789f123456789abcd";
    static const char n65[] = "a123456789b123456789c123456789d123456789e123456789f123456789abcde";
    static const struct {
        const char *text;
        bool name, id;
    } table[] = {
        { "redis", true, false },
        { "9a", true, false },
        { "a.b-c_d", true, false },
        { "a.", true, false },
        { n64, true, false },
        { n65, false, false },
        { "", false, false },
        { ".a", false, false },
        { "-a", false, false },
        { "_a", false, false },
        { "a..b", false, false },
        { "..", false, false },
        { "A", false, false },
        { "a b", false, false },
        { "a\n", false, false },
        { "\xC3\xA4", false, false },
        { "redis/server", false, true },
        { "redis/server@web1", false, true },
        { "redis/server@10.0.0.1", false, true },
        { "redis/", false, false },
        { "/server", false, false },
        { "redis/a/b", false, false },
        { "redis/a@", false, false },
        { "redis/@b", false, false },
        { "redis@x/a", false, false },
        { "redis/a@b@c", false, false },
        { "redis/..", false, false },
        { "redis/a@../b", false, false },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        tap_ok(text_is_name(table[i].text) == table[i].name, "is '%s' a name", table[i].text);
        tap_ok(text_is_check_id(table[i].text) == table[i].id, "is '%s' a check id", table[i].text);
    }
}

static void test_format_duration(void)
{
    static const struct {
        int64_t ms;
        const char *exact, *age;
    } table[] = {
        { 0, "0s", "0 s" },
        { 1, "1ms", "0 s" },
        { 1500, "1500ms", "1 s" },
        { 12000, "12s", "12 s" },
        { 90000, "90s", "1 min" },
        { 180000, "3m", "3 min" },
        { 300000, "5m", "5 min" },
        { 3600000, "1h", "1 h" },
        { 19200000, "320m", "5 h 20 min" },
        { 129600000, "36h", "1 d 12 h" },
        { 86400000, "1d", "1 d" },
        { 1051200000, "292h", "12 d 4 h" },
        { 1209600000, "2w", "14 d" },
        { 365 * 86400000ll, "1y", "1 y" },
        { 400 * 86400000ll, "400d", "1 y 35 d" },
        { -90000, "-90s", "-1 min" },
        { INT64_MAX, "9223372036854775807ms", "292471208 y 247 d" },
        { INT64_MIN, "-9223372036854775808ms", "-292471208 y 247 d" },
    };
    char out[TEXT_DURATION_SIZE];
    int64_t again;
    for (size_t i = 0; i < COUNT(table); i++) {
        tap_is_text(text_format_duration(out, table[i].ms), table[i].exact, table[i].exact);
        if (table[i].ms >= 0)
            tap_ok(text_duration(out, &again) == 0 && again == table[i].ms, "%s reads back", out);
        tap_is_text(text_format_age(out, table[i].ms), table[i].age, table[i].age);
    }
}

static void test_count(void)
{
    char out[TEXT_COUNT_SIZE];
    tap_is_text(text_count(out, 0, "run"), "0 runs", "none");
    tap_is_text(text_count(out, 1, "run"), "1 run", "one");
    tap_is_text(text_count(out, UINT64_MAX, "run"), "18446744073709551615 runs", "many");
}

static void test_format_number(void)
{
    static const struct {
        double value;
        const char *text;
    } table[] = {
        { 0, "0" },
        { -0.0, "-0" },
        { 1, "1" },
        { -17, "-17" },
        { 0.1, "0.1" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 1.0 / 3, "0.3333333333333333" },
        { 1e-6, "0.000001" },
        { 1.25e-6, "0.00000125" },
        { -123456.789, "-123456.789" },
        { 999999999999999, "999999999999999" },
        { 1e15, "1000000000000000" },
        { 1234567890123456.75, "1234567890123456.8" },
        { 1e-7, "1e-07" },
        { 1e22, "1e+22" },
        { DBL_MAX, "1.7976931348623157e+308" },
        { -DBL_MAX, "-1.7976931348623157e+308" },
        { DBL_MIN, "2.2250738585072014e-308" },
        { 5e-324, "5e-324" },
        { NAN, "U" },
        { INFINITY, "U" },
        { -INFINITY, "U" },
    };
    char out[TEXT_NUMBER_SIZE];
    for (size_t i = 0; i < COUNT(table); i++)
        tap_is_text(text_format_number(out, table[i].value), table[i].text, table[i].text);
}

/* Random bit patterns, and random decimals in the span where no exponent may be written. */
static void test_number_round_trip(void)
{
    uint64_t seed = 42;
    int wrong = 0, exponents = 0;
    char out[TEXT_NUMBER_SIZE];
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = draw(&seed);
        double value, again = 0;
        memcpy(&value, &bits, sizeof value);
        if (i % 2)
            value = (double)(int64_t)bits / pow(10, (double)(draw(&seed) % 24));
        if (!isfinite(value))
            continue;
        text_format_number(out, value);
        wrong += text_number(out, &again) != 0 || again != value;
        double absolute = fabs(value);
        exponents += strchr(out, 'e') && absolute >= 1e-6 && absolute <= 1e15;
    }
    tap_is_int(wrong, 0, "every number reads back to the same double");
    tap_is_int(exponents, 0, "no exponent between 1e-6 and 1e15");
}

static void test_format_value(void)
{
    static const struct {
        double value;
        const char *unit, *text;
    } table[] = {
        { 1610612736, "B", "1.5 GiB" },
        { 0, "B", "0 B" },
        { 1023, "B", "1023 B" },
        { 1024, "B", "1 KiB" },
        { 1048575.9, "B", "1 MiB" },
        { 1536, "B/s", "1.5 KiB/s" },
        { 12.34, "%", "12.3 %" },
        { 96, "%", "96 %" },
        { 99.96, "%", "100 %" },
        { 0.045, "s", "45 ms" },
        { 0.0000123, "s", "12.3 us" },
        { 0, "s", "0 s" },
        { 2.5, "s", "2.5 s" },
        { 90, "s", "90 s" },
        { 19200, "s", "5 h 20 min" },
        { -0.5, "s", "-500 ms" },
        { -0.04, "", "0" },
        { -0.05, "", "-0.1" },
        { 3210, "/s", "3.2 k/s" },
        { 31, "/s", "31/s" },
        { 9999, "", "9999" },
        { 12345, "", "12.3 k" },
        { 12345, "c", "12.3 k" },
        { -12345678, "", "-12.3 M" },
        { 3, "", "3" },
        { 41.5, "C", "41.5 C" },
        { 1e300, "/s", "1e+300 /s" },
        { 1e300, "B", "1e+300 B" },
        { 1e18, "B", "888 PiB" },
        { 1e300, "s", "1e+300 s" },
        { NAN, "s", "unknown" },
        { INFINITY, "B", "unknown" },
    };
    char out[TEXT_VALUE_SIZE];
    for (size_t i = 0; i < COUNT(table); i++)
        tap_is_text(text_format_value(out, table[i].value, table[i].unit), table[i].text, table[i].text);
}

static void test_time(void)
{
    char out[TEXT_TIME_SIZE];
    int64_t ms = 0;
    tap_is_text(text_format_utc(out, 1795257067123), "2026-11-21T10:31:07.123Z", "utc");
    tap_is_text(text_format_utc(out, -1), "1969-12-31T23:59:59.999Z", "utc before 1970");
    tap_is_text(text_format_utc(out, INT64_MAX), "9999-12-31T23:59:59.999Z", "utc clamped above");
    tap_is_text(text_format_utc(out, INT64_MIN), "0000-01-01T00:00:00.000Z", "utc clamped below");
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    tap_is_text(text_format_local(out, 1795257067123), "2026-11-21 11:31:07", "local time in winter");
    tap_is_text(text_format_local(out, 1782037867000), "2026-06-21 12:31:07", "local time in summer");
    tap_ok(text_utc("2026-11-21T10:31:07.123Z", &ms) == 0 && ms == 1795257067123, "utc read");
    tap_ok(text_utc("2026-11-21T10:31:07Z", &ms) == 0 && ms == 1795257067000, "utc read without milliseconds");
    tap_ok(text_utc("2024-02-29T00:00:00Z", &ms) == 0, "leap day");
    static const char *const wrong[] = { "",
                                         "2026",
                                         "2026-11-21T10:31:07",
                                         "2026-11-21 10:31:07Z",
                                         "2026-11-21T10:31:07.12Z",
                                         "2026-11-21T10:31:07.1234Z",
                                         "2026-11-21T10:31:07+01:00",
                                         "2026-13-21T10:31:07Z",
                                         "2026-00-21T10:31:07Z",
                                         "2026-02-29T10:31:07Z",
                                         "2026-11-31T10:31:07Z",
                                         "2026-11-00T10:31:07Z",
                                         "2026-11-21T24:31:07Z",
                                         "2026-11-21T10:60:07Z",
                                         "2026-11-21T10:31:60Z",
                                         "2026-11-21T10:31:07Zx",
                                         "+026-11-21T10:31:07Z" };
    for (size_t i = 0; i < COUNT(wrong); i++)
        tap_ok(text_utc(wrong[i], &ms) < 0, "utc refuses '%s'", wrong[i]);
    uint64_t seed = 7;
    int bad = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t want = (int64_t)(draw(&seed) % 315569520000000u) - 62167219200000, got = 0;
        bad += text_utc(text_format_utc(out, want), &got) != 0 || got != want;
    }
    tap_is_int(bad, 0, "every time of ten thousand years reads back");
}

static void test_visible(void)
{
    static const struct {
        const char *text;
        bool keep_lines;
        size_t size;
        const char *want;
    } table[] = {
        { "plain \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x94\x94", false, 64, "plain \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x94\x94" },
        { "a\x1b[31mb", false, 64, "a\\x1b[31mb" },
        { "a\nb\tc\r", false, 64, "a\\x0ab\\x09c\\x0d" },
        { "a\nb\tc\r", true, 64, "a\nb\tc\\x0d" },
        { "\x7f", false, 64, "\\x7f" },
        { "\xC2\x9B", false, 64, "\\u{009b}" },
        { "\xE2\x80\xAEx", false, 64, "\\u{202e}x" },
        { "\xE2\x81\xA6\xD8\x9C", false, 64, "\\u{2066}\\u{061c}" },
        { "\xFF\xC0\xAF", false, 64, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xED\xA0\x80", false, 64, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xE2\x82", false, 64, "\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "abcdefg", false, 8, "abcdefg" },
        { "abcdefgh", false, 8, "abcd..." },
        { "abc\xE2\x82\xAC"
          "defg",
          false, 8, "abc..." },
        { "abc\x1b"
          "defg",
          false, 8, "abc..." },
        { "abcd", false, 4, "..." },
        { "abcd", false, 3, ".." },
        { "abcd", false, 1, "" },
        { "", false, 1, "" },
    };
    char out[64];
    for (size_t i = 0; i < COUNT(table); i++) {
        memset(out, 'X', sizeof out);
        tap_is_text(text_visible(out, table[i].size, table[i].text, table[i].keep_lines), table[i].want, table[i].want);
        tap_ok(table[i].size == sizeof out || out[table[i].size] == 'X', "nothing is written behind the end");
    }
}

static void test_nearest(void)
{
    static const char *const words[] = { "timeout", "title", "every", "retry", "thresholds", NULL };
    static const struct {
        const char *name, *want;
    } table[] = {
        { "timeout", "timeout" }, { "timout", "timeout" }, { "tiemout", "timeout" }, { "treshold", "thresholds" },
        { "evry", "every" },      { "x", NULL },           { "completely", NULL },   { "", NULL },
        { "titel", "title" },     { "rterys", "retry" },
    };
    for (size_t i = 0; i < COUNT(table); i++)
        tap_is_text(text_nearest(table[i].name, words), table[i].want, table[i].name);
    char giant[1000];
    memset(giant, 'a', sizeof giant - 1);
    giant[sizeof giant - 1] = '\0';
    const char *const giants[] = { giant, "ab", NULL };
    tap_ok(text_nearest(giant, giants) == NULL, "a name beyond all bounds is near to nothing");
    tap_is_text(text_nearest("ac", giants), "ab", "a giant candidate is passed over");
}

/* computed by another implementation: these values are part of the contract */
#define HASH_REDIS 0x714523d03d464206u
#define HASH_PAYMENTER 0xa2306c2582555f28u
#define HASH_CHAINED 0xaa53b902c94ca524u

static void test_hash(void)
{
    tap_ok(text_hash("redis/server") == HASH_REDIS, "the hash of 'redis/server' is what it was in every release");
    tap_ok(text_hash("paymenter/tls") == HASH_PAYMENTER, "the hash of 'paymenter/tls' too");
    tap_ok(text_hash_more(text_hash("redis/"), "server", 6) == HASH_CHAINED, "a continued hash too");
    int counts[16] = { 0 }, worst = 0;
    for (int i = 0; i < 16000; i++) {
        char name[32];
        snprintf(name, sizeof name, "web/http@host%d", i);
        counts[text_hash(name) >> 60]++;
    }
    for (int i = 0; i < 16; i++)
        worst = abs(counts[i] - 1000) > worst ? abs(counts[i] - 1000) : worst;
    tap_ok(worst < 150, "similar names are spread evenly (worst of 16 bins: %d off 1000)", worst);
}

static void test_copy(void)
{
    char out[4] = "xyz";
    tap_is_int(text_copy(out, sizeof out, "abcdef"), 6, "text_copy tells the length wanted");
    tap_is_text(out, "abc", "text_copy cuts and terminates");
    tap_is_int(text_copy(out, 0, "abc"), 3, "text_copy into nothing");
}

static void test_utf8(void)
{
    uint32_t code = 0;
    tap_ok(utf8_next("\xF4\x8F\xBF\xBF", &code) == 4 && code == 0x10FFFF, "U+10FFFF");
    static const char *const wrong[] = { "\x80",
                                         "\xC1\xBF",
                                         "\xE0\x9F\xBF",
                                         "\xF0\x8F\xBF\xBF",
                                         "\xF4\x90\x80\x80",
                                         "\xED\xBF\xBF",
                                         "\xF8\x88\x80\x80\x80",
                                         "\xC3",
                                         "\xF0\x9F\x94" };
    for (size_t i = 0; i < COUNT(wrong); i++)
        tap_is_int(utf8_next(wrong[i], &code), 0, "not well-formed");
}

/* Makes a locale with a decimal comma in a folder of our own and switches to it. */
static bool use_german(char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    if (setlocale(LC_ALL, "de_DE.UTF-8"))
        return true;
    return system(command) == 0 && setenv("LOCPATH", folder, 1) == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
}

static void test_locale(void)
{
    char folder[] = "/tmp/belfry-locale-XXXXXX", out[TEXT_NUMBER_SIZE], command[64];
    if (!mkdtemp(folder) || !use_german(folder)) {
        tap_skip("numbers under a foreign locale", "no locale with a decimal comma can be made");
    } else {
        snprintf(out, sizeof out, "%.1f", 1.5);
        tap_is_text(out, "1,5", "this locale has a decimal comma");
        test_number();
        test_count();
        test_format_number();
        test_number_round_trip();
        test_format_value();
        setlocale(LC_ALL, "C");
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    tap_is_int(system(command), 0, "the folder is removed");
}

int main(void)
{
    test_integer();
    test_number();
    test_flag();
    test_duration();
    test_size();
    test_names();
    test_format_duration();
    test_format_number();
    test_number_round_trip();
    test_format_value();
    test_time();
    test_visible();
    test_nearest();
    test_hash();
    test_copy();
    test_utf8();
    test_locale();
    return tap_done();
}
