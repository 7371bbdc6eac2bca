/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_limit - comparisons with a baseline: the grammar from a table, what they come to, their words; what is enough
 * for a baseline, and which hour a time belongs to. */
#include "core/model/limit.h"

#include <stdlib.h>
#include <time.h>

#include "tests/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static const struct baseline usual = { .figures = { [FIGURE_MEDIAN] = 10, [FIGURE_P5] = 4, [FIGURE_P95] = 20 },
                                       .samples = 420,
                                       .days = 7 };

/* canonical NULL: refused. Alerts on `alert`, not on `calm`. */
static const struct {
    const char *text, *canonical;
    double alert, calm;
    const char *words; /* or a part of the refusal */
} rows[] = {
    { "> 2 x median 7d", "> 2 x median 7d", 20.001, 20, "more than 2 x its 7-day median of 10 s" },
    { ">2 x median 7d", "> 2 x median 7d", 20.001, 20, "more than 2 x its 7-day median of 10 s" },
    { "> \t1.50  x median\t7d ", "> 1.5 x median 7d", 15.001, 15, "more than 1.5 x its 7-day median of 10 s" },
    { "> median 7d", "> median 7d", 10.001, 10, "more than its 7-day median of 10 s" },
    { "> 1 x p95 7d", "> p95 7d", 20.001, 20, "more than its 7-day 95th percentile of 20 s" },
    { "< p5 7d", "< p5 7d", 3.999, 4, "less than its 7-day 5th percentile of 4 s" },
    { "< 0.5 x p5 7d", "< 0.5 x p5 7d", 1.999, 2, "less than 0.5 x its 7-day 5th percentile of 4 s" },
    { "< 1e-3 x median 7d", "< 0.001 x median 7d", 0.0099, 0.01, "less than 0.001 x its 7-day median of 10 s" },
    { ">", NULL, 0, 0, "'>' is not a comparison with a baseline" },
    { "> 5", NULL, 0, 0, "is not a comparison" },
    { "> 2 x median", NULL, 0, 0, "is not a comparison" },
    { "> 2 x median 7d 7d", NULL, 0, 0, "is not a comparison" },
    { "> 2x median 7d", NULL, 0, 0, "is not a comparison" },
    { "> median7d", NULL, 0, 0, "is not a comparison" },
    { "> 2 * median 7d", NULL, 0, 0, "'2 *' is not a factor above 0 and x" },
    { "> 0 x median 7d", NULL, 0, 0, "'0 x' is not a factor" },
    { "> -1 x median 7d", NULL, 0, 0, "'-1 x' is not a factor" },
    { "> nan x median 7d", NULL, 0, 0, "'nan x' is not a factor" },
    { "> 2 x mean 7d", NULL, 0, 0, "a baseline has no 'mean', write median, p5 or p95" },
    { "> 2 x median 30d", NULL, 0, 0, "not of '30d', write median 7d" },
    { ">= 2 x median 7d", NULL, 0, 0, "is not a comparison" },
    { "> 222222222222222222222222222222222222222222 x median 7d", NULL, 0, 0, "is not a comparison" },
    { "@> median 7d", NULL, 0, 0, "is not a range" },
    { " > median 7d", NULL, 0, 0, "is not a range" },
};

static void test_grammar(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct limit limit = { .factor = 4711 }, again;
        struct why why = { "" };
        char text[LIMIT_TEXT_SIZE], words[LIMIT_WORDS_SIZE];
        int code = limit_parse(rows[i].text, &limit, &why);
        tap_ok(code == (rows[i].canonical ? 0 : ERROR_SYNTAX), "'%s'", rows[i].text);
        if (code < 0) {
            tap_ok(strstr(why.text, rows[i].words) && limit.factor == 4711, "why: %s", why.text);
            continue;
        }
        tap_is_text(limit_format(text, &limit), rows[i].canonical, "its canonical text");
        tap_ok(limit_parse(text, &again, NULL) == 0 && again.factor == limit.factor && again.below == limit.below &&
                   again.figure == limit.figure,
               "which is read as the same");
        struct range range = limit_range(&limit, &usual);
        tap_ok(range_alerts(&range, rows[i].alert), "alerts at %g", rows[i].alert);
        tap_ok(!range_alerts(&range, rows[i].calm), "does not at %g", rows[i].calm);
        tap_is_text(limit_words(words, &limit, &usual, "s"), rows[i].words, "its words");
    }
}

static void test_ranges(void)
{
    struct limit limit;
    char text[LIMIT_TEXT_SIZE];
    tap_ok(limit_parse("@10:20", &limit, NULL) == 0 && !limit.compares, "a range is a limit");
    tap_is_text(limit_format(text, &limit), "@10:20", "with its own text");
    struct range range = limit_range(&limit, NULL);
    tap_ok(range_alerts(&range, 15), "and needs no baseline");
    limit = (struct limit){ .compares = false };
    tap_is_text(limit_format(text, &limit), "", "nothing set");
    limit_parse("> 1.5 x p95 7d", &limit, NULL);
    range = limit_range(&limit, &usual);
    tap_is_text(range_format(text, &range), "~:30", "a comparison becomes a range of plain numbers");
    limit_parse("< median 7d", &limit, NULL);
    range = limit_range(&limit, &usual);
    tap_is_text(range_format(text, &range), "10:", "either way");
    limit_parse("> 1e300 x median 7d", &limit, NULL);
    range = limit_range(&limit, &(struct baseline){ .figures = { 1e300, 1, 1 }, .samples = 99, .days = 7 });
    tap_ok(!range.set, "a border that is no number sets nothing");
}

/* Too little data never alerts, and says what is missing. */
static void test_enough(void)
{
    static const struct {
        uint32_t samples, days;
        bool rare, tells;
        const char *words;
    } table[] = {
        { 0, 0, false, false, "no baseline yet: 0 of 3 days" },
        { 500, 2, false, false, "no baseline yet: 2 of 3 days" },
        { 19, 3, false, false, "no baseline yet: 19 of 20 samples at this hour" },
        { 20, 3, false, true, "7-day median 10 s, 5 to 95 % within 4 s to 20 s (20 samples of 3 days at this hour)" },
        { 2, 2, true, false, "no baseline yet: 2 of 3 days" },
        { 9, 2, true, false, "no baseline yet: 2 of 3 days" },
        { 3, 3, true, true, "7-day median 10 s, 5 to 95 % within 4 s to 20 s (3 samples of 3 days)" },
    };
    struct limit limit;
    char words[BASELINE_WORDS_SIZE];
    limit_parse("> median 7d", &limit, NULL);
    for (size_t i = 0; i < COUNT(table); i++) {
        struct baseline baseline = usual;
        baseline.samples = table[i].samples;
        baseline.days = table[i].days;
        baseline.rare = table[i].rare;
        struct range range = limit_range(&limit, &baseline);
        tap_ok(range.set == table[i].tells, "%u samples of %u days", table[i].samples, table[i].days);
        tap_is_text(baseline_words(words, &baseline, "s"), table[i].words, "in words");
    }
    struct range range = limit_range(&limit, NULL);
    tap_ok(!range_alerts(&range, 1e300), "no baseline, no alert");
    tap_is_text(baseline_words(words, NULL, "s"), "no baseline yet", "in words");
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static void test_hours(void)
{
    static const struct {
        const char *zone;
        int64_t wall_s;
        int32_t day;
        uint32_t hour;
    } table[] = {
        { "UTC", 0, 0, 0 },
        { "UTC", 86399, 0, 23 },
        { "UTC", 86400, 1, 0 },
        { BERLIN, 1792886400, 20751, 2 },                 /* 2026-10-25 00:00 UTC, summer */
        { BERLIN, 1792886400 + 3599, 20751, 2 },          /* 00:59:59 UTC: the last of summer time */
        { BERLIN, 1792886400 + 3600, 20751, 2 },          /* 01:00 UTC: the hour comes again */
        { BERLIN, 1792886400 + 7200, 20751, 3 },          /* 02:00 UTC */
        { BERLIN, 1774746000 - 1, 20541, 1 },             /* 2026-03-29 00:59:59 UTC */
        { BERLIN, 1774746000, 20541, 3 },                 /* no hour 2 */
        { BERLIN, 1774746000 - 2 * 3600 - 1, 20540, 23 }, /* the day before */
        { "IST-5:30", 1792886400, 20751, 5 },             /* 05:30 */
        { "IST-5:30", 1792886400 + 1800, 20751, 6 },      /* 06:00 */
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        set_zone(table[i].zone);
        struct local_hour hour = baseline_hour(table[i].wall_s);
        tap_ok(hour.day == table[i].day, "%s %lld: the day", table[i].zone, (long long)table[i].wall_s);
        tap_is_int(hour.hour, table[i].hour, "and the hour");
    }
    set_zone("UTC");
}

static void test_table(void)
{
    struct baseline_table table = { .at_s = 1792886400 }, again;
    for (uint32_t i = 0; i < BASELINE_HOURS; i++) {
        table.hours[i] = usual;
        table.hours[i].samples = i; /* the first has none */
        table.hours[i].days = i < 7 ? i : 7;
    }
    table.hours[0] = (struct baseline){ .samples = 0 };
    table.hours[5].rare = true;
    struct buf out = { 0 };
    baseline_encode(&out, &table);
    struct wire_reader r = { .at = (unsigned char *)out.data, .end = (unsigned char *)out.data + out.length };
    tap_ok(baseline_decode(&r, &again) == 0 && wire_done(&r) == 0, "a table is read back");
    tap_ok(again.at_s == table.at_s && again.hours[7].samples == 7 && again.hours[7].days == 7 && again.hours[5].rare &&
               !again.hours[6].rare && again.hours[7].figures[FIGURE_P95] == 20,
           "as it was");
    size_t refused = 0;
    for (size_t n = 0; n < out.length; n++) {
        r = (struct wire_reader){ .at = (unsigned char *)out.data, .end = (unsigned char *)out.data + n };
        refused += baseline_decode(&r, &again) != 0;
    }
    tap_is_int(refused, out.length, "no part of it is");
    tap_ok(baseline_at(&table, (table.at_s + 7 * 3600) * 1000) == &table.hours[7], "the hour of the time");
    tap_ok(baseline_at(&table, (table.at_s + 7 * 86400) * 1000) != NULL, "for seven days");
    tap_ok(baseline_at(&table, (table.at_s + 7 * 86400 + 1) * 1000) == NULL, "and no longer");
    static const struct baseline bad[] = {
        { .figures = { 1, 1, (double)NAN }, .samples = 5, .days = 1 },
        { .figures = { 1, (double)INFINITY, 1 }, .samples = 5, .days = 1 },
        { .figures = { 1, 1, 1 }, .samples = 5, .days = 8 },
        { .figures = { 1, 1, 1 }, .samples = 1, .days = 2 },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        table.hours[3] = bad[i];
        buf_reset(&out);
        baseline_encode(&out, &table);
        r = (struct wire_reader){ .at = (unsigned char *)out.data, .end = (unsigned char *)out.data + out.length };
        tap_ok(baseline_decode(&r, &again) == ERROR_PROTOCOL, "nonsense %zu is refused", i);
    }
    buf_close(&out);
}

int main(void)
{
    set_zone("UTC");
    test_grammar();
    test_ranges();
    test_enough();
    test_hours();
    test_table();
    return tap_done();
}
