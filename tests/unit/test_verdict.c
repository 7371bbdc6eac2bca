/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_verdict - judging from a table of values and thresholds, endings, parts, words, and the Nagios line. */
#include "core/model/verdict.h"

#include <time.h>

#include "tests/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct arena arena;

static struct limit limit_of(const char *text)
{
    struct limit limit = { .compares = false };
    if (text && text[0] && limit_parse(text, &limit, NULL) != 0)
        tap_ok(false, "'%s' is a limit", text);
    return limit;
}

/* given as text: NULL not given, "" switched off */
static struct threshold threshold(const char *metric, const char *part, const char *warn, const char *crit)
{
    return (struct threshold){ .metric = metric,
                               .part = part,
                               .warn_given = warn != NULL,
                               .crit_given = crit != NULL,
                               .warn = limit_of(warn),
                               .crit = limit_of(crit) };
}

static void test_values(void)
{
    static const struct {
        double value;
        const char *warn, *crit;             /* the plugin's */
        const char *given_warn, *given_crit; /* the sysadmin's */
        enum belfry_state state;
    } table[] = {
        { 5, NULL, NULL, NULL, NULL, BELFRY_OK },
        { 80, "80", "95", NULL, NULL, BELFRY_OK },
        { 80.1, "80", "95", NULL, NULL, BELFRY_WARNING },
        { 95, "80", "95", NULL, NULL, BELFRY_WARNING },
        { 95.1, "80", "95", NULL, NULL, BELFRY_CRITICAL },
        { 99, NULL, "95", NULL, NULL, BELFRY_CRITICAL },
        { 99, "80", NULL, NULL, NULL, BELFRY_WARNING },
        { 99, "95", "80", NULL, NULL, BELFRY_CRITICAL },
        { 85, "80", "95", "90", NULL, BELFRY_OK },
        { 96, "80", "95", "90", NULL, BELFRY_CRITICAL },
        { 96, "80", "95", NULL, "99", BELFRY_WARNING },
        { 99.5, "80", "95", "", "", BELFRY_OK },
        { 99.5, "80", "95", NULL, "", BELFRY_WARNING },
        { 99.5, "80", "95", "", NULL, BELFRY_CRITICAL },
        { 50, NULL, NULL, "10", NULL, BELFRY_WARNING },
        { NAN, NULL, NULL, NULL, NULL, BELFRY_OK },
        { NAN, "80", NULL, NULL, NULL, BELFRY_UNKNOWN },
        { NAN, NULL, "@80:90", NULL, NULL, BELFRY_UNKNOWN },
        { NAN, NULL, NULL, NULL, "5", BELFRY_UNKNOWN },
        { NAN, "80", "95", "", "", BELFRY_OK },
        { INFINITY, "80", "95", NULL, NULL, BELFRY_CRITICAL },
        { -INFINITY, "~:80", "~:95", NULL, NULL, BELFRY_OK },
        { 5, "garbage", NULL, NULL, NULL, BELFRY_UNKNOWN },
        { 99, "garbage", "95", NULL, NULL, BELFRY_CRITICAL },
        { 5, "garbage", NULL, "10", NULL, BELFRY_OK },
        { 5, "", "", NULL, NULL, BELFRY_OK },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct result_metric metric = {
            .name = "m", .unit = "", .value = table[i].value, .warn = table[i].warn, .crit = table[i].crit
        };
        struct result result = { .state = BELFRY_OK, .text = "t", .metrics = &metric, .metric_count = 1 };
        struct threshold given = threshold("m", NULL, table[i].given_warn, table[i].given_crit);
        struct verdict verdict;
        verdict_judge(&arena, &result, &given, 1, &verdict);
        tap_is_int(verdict.state, table[i].state, "the state of the check");
        tap_is_int(verdict.metrics[0].state, table[i].state, "and of the metric");
        tap_ok((strcmp(verdict.text, "t") == 0) == (table[i].state == BELFRY_OK), "row %zu: %s", i, verdict.text);
    }
}

static const struct baseline usual = { .figures = { [FIGURE_MEDIAN] = 1.9, [FIGURE_P5] = 1, [FIGURE_P95] = 3 },
                                       .samples = 420,
                                       .days = 7 };
static const struct baseline young = { .figures = { [FIGURE_MEDIAN] = 1.9, [FIGURE_P5] = 1, [FIGURE_P95] = 3 },
                                       .samples = 120,
                                       .days = 2 };

static const struct baseline *find(const void *context, const char *part, const char *metric)
{
    return !part && strcmp(metric, "took") == 0 ? context : NULL;
}

/* Comparisons with a baseline. */
static void test_comparisons(void)
{
    static const struct {
        double value;
        const char *warn, *crit; /* the sysadmin's */
        const struct baseline *baseline;
        enum belfry_state state;
        const char *text;
    } table[] = {
        { 4.1, NULL, "> 2 x median 7d", &usual, BELFRY_CRITICAL,
          "t; took 4.1 s, more than 2 x its 7-day median of 1.9 s (critical)" },
        { 3.8, NULL, "> 2 x median 7d", &usual, BELFRY_OK, "t" },
        { 4.1, NULL, "> 2 x median 7d", &young, BELFRY_OK, "t" },
        { 4.1, NULL, "> 2 x median 7d", NULL, BELFRY_OK, "t" },
        { 4.1, "> p95 7d", "> 3 x p95 7d", &usual, BELFRY_WARNING,
          "t; took 4.1 s, more than its 7-day 95th percentile of 3 s (warning)" },
        { 0.4, "< 0.5 x p5 7d", NULL, &usual, BELFRY_WARNING,
          "t; took 400 ms, less than 0.5 x its 7-day 5th percentile of 1 s (warning)" },
        { 12, "> p95 7d", "~:10", NULL, BELFRY_CRITICAL, "t; took 12 s (critical ~:10)" },
        { 12, "> p95 7d", "~:10", &usual, BELFRY_CRITICAL, "t; took 12 s (critical ~:10)" },
        { NAN, NULL, "> 2 x median 7d", NULL, BELFRY_UNKNOWN, "t; took could not be measured" },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct result_metric metrics[] = { { .name = "took", .unit = "s", .value = table[i].value, .crit = "~:0.1" },
                                           { .name = "took", .part = "p", .unit = "s", .value = 4.1 } };
        struct result_part part = { .name = "p", .state = BELFRY_OK, .text = "fine" };
        struct result result = { .state = BELFRY_OK, .text = "t", .metrics = metrics, .metric_count = 2 };
        result.parts = &part;
        result.part_count = 1;
        struct threshold given = threshold("took", NULL, table[i].warn, table[i].crit ? table[i].crit : "");
        struct judging by = { .thresholds = &given, .threshold_count = 1, .baseline = find };
        struct verdict verdict;
        by.context = table[i].baseline;
        verdict_judge_by(&arena, &result, &by, &verdict);
        size_t length = strlen(table[i].text); /* a range judges the part, too */
        tap_ok(strncmp(verdict.text, table[i].text, i == 6 || i == 7 ? length : length + 1) == 0, "row %zu: %s", i,
               verdict.text);
        tap_is_int(verdict.metrics[0].state, table[i].state, "its state");
        tap_is_int(verdict.state, table[i].state, "and the check's");
    }
}

/* What performance data, counters and a check without a daemon make of them. */
static void test_comparisons_shown(void)
{
    struct result_metric metric = { .name = "took", .unit = "s", .value = 4.1 };
    struct result result = { .state = BELFRY_OK, .text = "t", .metrics = &metric, .metric_count = 1 };
    struct threshold given = threshold("took", NULL, "> p95 7d", "> 2 x median 7d");
    struct judging by = { .thresholds = &given, .threshold_count = 1, .baseline = find, .context = &usual };
    struct verdict verdict;
    struct buf out = { 0 };
    verdict_judge_by(&arena, &result, &by, &verdict);
    verdict_nagios(&out, "JOB", &verdict, &result);
    tap_ok(strstr(out.data, "|took=4.1s;~:3;~:3.8;;") || strstr(out.data, "| took=4.1s;~:3;~:3.8;;"), "%s", out.data);
    tap_ok(verdict.metrics[0].baseline == &usual && verdict.metrics[0].crit_by == &given.crit, "what it was judged by");
    verdict_judge(&arena, &result, &given, 1, &verdict);
    tap_is_int(verdict.state, BELFRY_OK, "without baselines nothing alerts");
    metric.kind = BELFRY_COUNTER;
    verdict_judge_by(&arena, &result, &by, &verdict);
    tap_is_int(verdict.state, BELFRY_OK, "a counter has none");
    buf_close(&out);
}

/* Ranges of somebody who has judged already. */
static void test_unjudged(void)
{
    static const struct {
        double value;
        const char *crit, *given_warn, *given_crit;
        enum belfry_state state;
        const char *shown; /* the critical range */
    } table[] = {
        { 99, "95", NULL, NULL, BELFRY_OK, "95" },       { NAN, "95", NULL, NULL, BELFRY_OK, "95" },
        { 5, "garbage", NULL, NULL, BELFRY_OK, "" },     { 99, "95", "80", NULL, BELFRY_WARNING, "95" },
        { 99, "95", NULL, "98", BELFRY_CRITICAL, "98" }, { 97, "95", NULL, "98", BELFRY_OK, "98" },
        { NAN, "95", NULL, "98", BELFRY_UNKNOWN, "98" }, { 99, "95", NULL, "", BELFRY_OK, "" },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct result_metric metric = {
            .name = "m", .unit = "", .value = table[i].value, .crit = table[i].crit, .unjudged = true
        };
        struct result result = { .state = BELFRY_OK, .text = "t", .metrics = &metric, .metric_count = 1 };
        struct threshold given = threshold("m", NULL, table[i].given_warn, table[i].given_crit);
        struct verdict verdict;
        char range[RANGE_TEXT_SIZE];
        verdict_judge(&arena, &result, &given, 1, &verdict);
        tap_is_int(verdict.state, table[i].state, "a range that is only shown is not judged by");
        tap_is_text(range_format(range, &verdict.metrics[0].crit), table[i].shown, "but shown");
    }
}

static void test_worst(void)
{
    static const enum belfry_state order[] = { BELFRY_OK, BELFRY_WARNING, BELFRY_UNKNOWN, BELFRY_CRITICAL };
    for (int own = 0; own < 4; own++) {
        for (int other = 0; other < 4; other++) {
            struct result_part part = { "p", order[other], "" };
            struct result result = { .state = order[own], .text = "t", .parts = &part, .part_count = 1 };
            struct verdict verdict;
            verdict_judge(&arena, &result, NULL, 0, &verdict);
            tap_is_int(verdict.state, order[own > other ? own : other], "the worse of verdict and part");
            tap_is_text(verdict.text, own >= other ? "t" : "t; p: not well",
                        "the text stays the plugin's, or names it");
        }
    }
}

static void test_worst_part_in_text(void)
{
    static const struct {
        enum belfry_state own, a, b;
        const char *text, *expected;
    } cases[] = {
        { BELFRY_OK, BELFRY_OK, BELFRY_OK, "up", "up" },
        { BELFRY_OK, BELFRY_WARNING, BELFRY_OK, "up", "up; a: slow" },
        { BELFRY_OK, BELFRY_WARNING, BELFRY_CRITICAL, "up", "up; b: gone, and 1 more" },
        { BELFRY_OK, BELFRY_CRITICAL, BELFRY_CRITICAL, "up", "up; a: slow, and 1 more" },
        { BELFRY_OK, BELFRY_OK, BELFRY_UNKNOWN, "", "b: gone" },
        { BELFRY_WARNING, BELFRY_WARNING, BELFRY_OK, "up", "up" },
        { BELFRY_WARNING, BELFRY_WARNING, BELFRY_CRITICAL, "up", "up; b: gone" },
        { BELFRY_OK, BELFRY_WARNING, BELFRY_OK, "up, a slow one", "up, a slow one" },
        { BELFRY_WARNING, BELFRY_CRITICAL, BELFRY_CRITICAL, "1 of 2: gone", "1 of 2: gone" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict verdict;
        struct result_part parts[] = { { "a", cases[i].a, "slow" }, { "b", cases[i].b, "gone" } };
        struct result result = { .state = cases[i].own, .text = cases[i].text, .parts = parts, .part_count = 2 };
        verdict_judge(&arena, &result, NULL, 0, &verdict);
        tap_is_text(verdict.text, cases[i].expected, "a part worse than the plugin's word is named, once");
    }
}

static void test_thresholds_of_parts(void)
{
    struct result_part parts[] = { { "/", BELFRY_OK, "root" },
                                   { "/var", BELFRY_WARNING, "var" },
                                   { "/srv", BELFRY_OK, "srv" } };
    struct result_metric metrics[] = {
        { .part = "/", .name = "used", .unit = "%", .value = 85, .warn = "80", .crit = "90" },
        { .part = "/var", .name = "used", .unit = "%", .value = 85, .warn = "80", .crit = "90" },
        { .part = "/srv", .name = "used", .unit = "%", .value = 85, .warn = "80", .crit = "90" },
        { .part = "/gone", .name = "used", .unit = "%", .value = 85 },
        { .name = "used", .unit = "%", .value = 85 }
    };
    struct result result = { .text = "disks", .parts = parts, .part_count = 3, .metrics = metrics, .metric_count = 5 };
    struct threshold given[] = { threshold("used", "/srv", NULL, "70"), threshold("used", NULL, "86", "95"),
                                 threshold("used", "/var", "50", NULL), threshold("free", NULL, "0", "0") };
    struct verdict verdict;
    verdict_judge(&arena, &result, given, COUNT(given), &verdict);
    tap_is_int(verdict.metrics[0].state, BELFRY_OK, "a threshold for all");
    tap_is_int(verdict.metrics[1].state, BELFRY_WARNING, "a warning for one part, the critical for all stays");
    tap_is_int(verdict.metrics[2].state, BELFRY_CRITICAL, "a threshold for one part goes before one for all");
    tap_is_int(verdict.metrics[3].state, BELFRY_OK, "a metric of no part");
    tap_is_int(verdict.metrics[4].state, BELFRY_OK, "a metric of the check");
    tap_is_int(verdict.parts[0].state, BELFRY_OK, "a part that is well");
    tap_is_text(verdict.parts[0].text, "root", "with its text");
    tap_is_int(verdict.parts[1].state, BELFRY_WARNING, "one that warns");
    tap_is_text(verdict.parts[1].text, "var; used 85 % (warning 50)", "and says why");
    tap_is_int(verdict.parts[2].state, BELFRY_CRITICAL, "one that is critical");
    tap_is_text(verdict.parts[2].text, "srv; used 85 % (critical 70)", "and says why");
    tap_is_int(verdict.state, BELFRY_CRITICAL, "the check is as bad as its worst part");
    tap_is_text(verdict.text, "disks; /var: var; /srv used 85 % (critical 70); /var used 85 % (warning 50)",
                "and says so, worst first");
}

static void test_words(void)
{
    struct result_metric metrics[] = { { .name = "memory_used", .unit = "%", .value = 96, .crit = "~:95" },
                                       { .name = "lag", .unit = "s", .value = NAN, .warn = "5" },
                                       { .name = "size", .unit = "B", .value = 3 << 20, .warn = "1048576" },
                                       { .name = "odd", .unit = "", .value = 1, .warn = "??" },
                                       { .name = "five", .unit = "", .value = 5, .warn = "4" },
                                       { .name = "six", .unit = "", .value = 6, .warn = "4" },
                                       { .name = "calm", .unit = "", .value = 6, .warn = "7" } };
    struct result result = { .text = "slow", .metrics = metrics, .metric_count = COUNT(metrics) };
    struct verdict verdict;
    verdict_judge(&arena, &result, NULL, 0, &verdict);
    tap_is_text(verdict.text,
                "slow; memory_used 96 % (critical ~:95); lag could not be measured; odd has a threshold that can't be "
                "read; size 3 MiB (warning 1048576); and 2 more",
                "what is beyond its threshold, the worst first");
    result.text = "";
    result.metric_count = 1;
    verdict_judge(&arena, &result, NULL, 0, &verdict);
    tap_is_text(verdict.text, "memory_used 96 % (critical ~:95)", "without a text of the plugin");
}

static void test_endings(void)
{
    static const struct {
        enum result_end end;
        enum belfry_state own;
        const char *text;
        enum belfry_state state;
        const char *said;
    } table[] = {
        { RESULT_RETURNED, BELFRY_OK, "fine", BELFRY_OK, "fine" },
        { RESULT_RETURNED, BELFRY_UNKNOWN, NULL, BELFRY_UNKNOWN, "" },
        { RESULT_TIMEOUT, BELFRY_OK, NULL, BELFRY_CRITICAL, "no answer within 10 s" },
        { RESULT_TIMEOUT, BELFRY_UNKNOWN, "", BELFRY_CRITICAL, "no answer within 10 s" },
        { RESULT_TIMEOUT, BELFRY_OK, "waiting for the banner", BELFRY_CRITICAL, "waiting for the banner" },
        { RESULT_CRASHED, BELFRY_OK, "plugin crashed: SIGSEGV", BELFRY_UNKNOWN, "plugin crashed: SIGSEGV" },
        { RESULT_CRASHED, BELFRY_CRITICAL, NULL, BELFRY_UNKNOWN, "plugin crashed" },
        { RESULT_STUCK, BELFRY_OK, NULL, BELFRY_UNKNOWN, "plugin did not come back and was ended" },
        { RESULT_MISUSE, BELFRY_OK, "no verdict", BELFRY_UNKNOWN, "no verdict" },
        { (enum result_end)99, BELFRY_OK, NULL, BELFRY_UNKNOWN, "plugin broke the rules of the framework" },
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct result result = {
            .end = table[i].end, .state = table[i].own, .text = table[i].text, .duration_us = 10000000
        };
        struct verdict verdict;
        verdict_judge(&arena, &result, NULL, 0, &verdict);
        tap_is_int(verdict.state, table[i].state, table[i].said);
        tap_is_text(verdict.text, table[i].said, "its text");
    }
}

static void test_cheap(void)
{
    struct result result = { .state = BELFRY_OK, .text = "fine" };
    struct threshold given = threshold("m", NULL, "5", "6");
    struct verdict verdict;
    struct arena own = { 0 };
    verdict_judge(&own, &result, &given, 1, &verdict);
    tap_ok(own.used_bytes == 0 && verdict.text == result.text, "a result without metrics and parts allocates nothing");
}

/* ---- the Nagios line */

static void test_line(void)
{
    struct result_metric metrics[] = {
        { .name = "days_left", .unit = "", .value = 61, .warn = "21:", .crit = "7:", .min = "0" },
        { .name = "time", .unit = "s", .value = 0.0125, .max = "1e1" },
        { .name = "used", .unit = "%", .value = NAN }
    };
    struct result_part parts[] = { { "a", BELFRY_OK, "fine" },
                                   { "b", BELFRY_CRITICAL, "x | y" },
                                   { "c", BELFRY_WARNING, "" } };
    struct result result = { .state = BELFRY_OK,
                             .text = "billing.example.net | valid\n61 days",
                             .detail = "issued by X\n\nserial | 12\n",
                             .metrics = metrics,
                             .metric_count = 3,
                             .parts = parts,
                             .part_count = 3 };
    struct verdict verdict;
    struct buf out = { 0 };
    verdict_judge(&arena, &result, NULL, 0, &verdict);
    verdict_nagios(&out, "ssl", &verdict, &result);
    tap_is_text(out.data,
                "SSL CRITICAL - billing.example.net / valid\\x0a61 days; b: x / y, and 1 more | days_left=61;21:;7:;0; "
                "time=0.0125s;;;;10 "
                "used=U;;;;\n"
                "issued by X\n\nserial / 12\n"
                "CRITICAL b: x / y\nWARNING c\nOK a: fine\n",
                "the whole output");
    buf_reset(&out);
    result = (struct result){ .state = BELFRY_UNKNOWN, .text = "what?" };
    verdict_judge(&arena, &result, NULL, 0, &verdict);
    verdict_nagios(&out, "redis/ser|ver", &verdict, &result);
    tap_is_text(out.data, "REDIS/SER/VER UNKNOWN - what?\n", "without metrics there is no '|'");
    buf_close(&out);
}

static void test_labels(void)
{
#define W20 "wwwwwwwwwwwwwwwwwwww"
    static const struct {
        struct result_metric metric;
        const char *want;
    } table[] = {
        { { .name = "used", .unit = "", .value = 1 }, "used=1;;;;" },
        { { .part = "/var", .name = "used", .unit = "B", .value = 1 }, "/var/used=1B;;;;" },
        { { .part = "my node", .name = "used", .unit = "", .value = 1 }, "'my node/used'=1;;;;" },
        { { .name = "it's=1|2", .unit = "", .value = 1 }, "it_s_1_2=1;;;;" },
        { { .part = "a\tb;c", .name = "d", .unit = "", .value = 1 }, "'a_b;c/d'=1;;;;" },
        { { .name = "\xC3\xA4", .unit = "", .value = 1 }, "'\xC3\xA4'=1;;;;" },
        { { .part = W20 W20 W20 "abcd", .name = "used", .unit = "", .value = 1 },
          W20 W20 "wwwwwwwwwwwwwwwwwww/used=1;;;;" },
        { { .part = W20 W20 "wwwwwwwwwwwwwwwwww\xC3\xA4", .name = "used", .unit = "", .value = 1 },
          W20 W20 "wwwwwwwwwwwwwwwwww/used=1;;;;" },
        { { .part = "p", .name = W20 W20 W20 "abcd", .unit = "", .value = 1 }, W20 W20 W20 "abcd=1;;;;" },
        { { .name = "r", .unit = "/s", .value = 2.5 }, "r=2.5;;;;" },
        { { .name = "r", .unit = "B/s", .value = 2.5 }, "r=2.5;;;;" },
        { { .name = "n", .unit = "B", .value = 7, .kind = BELFRY_COUNTER }, "n=7c;;;;" },
        { { .name = "x", .unit = "ms", .value = -0.5 }, "x=-0.5ms;;;;" },
        { { .name = "x", .unit = "%", .value = 1e-7 }, "x=0.0000001%;;;;" },
        { { .name = "x", .unit = "", .value = -1.25e-9 }, "x=-0.00000000125;;;;" },
        { { .name = "x", .unit = "", .value = 1.5e20 }, "x=150000000000000000000;;;;" },
        { { .name = "x", .unit = "s", .value = INFINITY }, "x=U;;;;" },
        { { .name = "x", .unit = "", .value = 3, .warn = "@10:20", .crit = "0:30", .min = "-5", .max = "nonsense" },
          "x=3;@10:20;30;-5;" },
    };
    struct buf out = { 0 };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct result_metric metric = table[i].metric;
        struct result result = { .text = "t", .metrics = &metric, .metric_count = 1 };
        struct verdict verdict;
        buf_reset(&out);
        verdict_judge(&arena, &result, NULL, 0, &verdict);
        verdict_nagios(&out, "x", &verdict, &result);
        out.data[out.length - 1] = '\0';
        tap_is_text(strchr(out.data, '|') + 2, table[i].want, table[i].want);
    }
    buf_close(&out);
}

/* The extremes of double are written out and stay in the class [-0-9.]. */
static void test_extremes(void)
{
    static const double values[] = { 1.7976931348623157e308, -1.7976931348623157e308, 5e-324,
                                     -2.2250738585072014e-308 };
    struct buf out = { 0 };
    for (size_t i = 0; i < COUNT(values); i++) {
        struct result_metric metric = { .name = "x", .unit = "", .value = values[i] };
        struct result result = { .text = "t", .metrics = &metric, .metric_count = 1 };
        struct verdict verdict;
        buf_reset(&out);
        verdict_judge(&arena, &result, NULL, 0, &verdict);
        verdict_nagios(&out, "x", &verdict, &result);
        char *number = strchr(out.data, '=') + 1;
        double again = 0;
        size_t n = strspn(number, "-0123456789.");
        tap_ok(number[n] == ';' && n > 300, "%g has %zu characters", values[i], n);
        number[n] = '\0';
        tap_ok(sscanf(number, "%lf", &again) == 1 && again == values[i], "and reads back");
    }
    buf_close(&out);
}

/* Whatever the texts are: one '|', on line 1, and only printable bytes. */
static void test_hostile_texts(void)
{
    static char wide[70000];
    for (size_t i = 0; i < sizeof wide - 1; i++)
        wide[i] = (char)("|\n\x1b\xFFx"[i * 7 / 3 % 5]);
    struct result_part part = { "|\n|", BELFRY_WARNING, wide };
    struct result_metric metric = { .part = "|'|", .name = "m", .unit = "|", .value = 1 };
    struct result result = {
        .text = wide, .detail = wide, .parts = &part, .part_count = 1, .metrics = &metric, .metric_count = 1
    };
    struct verdict verdict;
    struct buf out = { 0 };
    verdict_judge(&arena, &result, NULL, 0, &verdict);
    verdict_nagios(&out, "a|b\nc", &verdict, &result);
    char *bar = strchr(out.data, '|');
    tap_ok(bar && bar < strchr(out.data, '\n') && !strchr(bar + 1, '|'), "one '|', on line 1");
    tap_ok(!strchr(out.data, 0x1b) && !strchr(out.data, '\xFF'), "nothing that a terminal would obey");
    memset(wide, 'w', sizeof wide - 1);
    buf_reset(&out);
    verdict_nagios(&out, "x", &verdict, &result);
    tap_ok(strstr(out.data, "www...\n") != NULL, "a line that is too long is cut, and says so");
    buf_close(&out);
}

#ifdef BELFRY_SANITIZERS
#define SLOW true
#else
#define SLOW false
#endif

/* As much as a result may hold, the parts' metrics in no order; two parts have one name. The time is for a bound that
 * only something quadratic passes. */
static void test_many_parts(void)
{
    static struct result_metric metrics[RESULT_METRICS_MAX];
    static struct result_part parts[RESULT_PARTS_MAX];
    struct verdict verdict;
    for (uint32_t i = 0; i < RESULT_PARTS_MAX; i++)
        parts[i] = (struct result_part){ .name = arena_print(&arena, "part %u", i), .text = "fine" };
    parts[9].name = parts[7].name;
    for (uint32_t i = 0; i < RESULT_METRICS_MAX; i++)
        metrics[i] = (struct result_metric){ .part = parts[i * 769 % RESULT_PARTS_MAX].name,
                                             .name = arena_print(&arena, "m%u", i),
                                             .unit = "",
                                             .value = i % 2 ? 15 : 25,
                                             .warn = "10",
                                             .crit = "20" };
    const struct result result = { .reached = true,
                                   .text = "x",
                                   .metrics = metrics,
                                   .metric_count = RESULT_METRICS_MAX,
                                   .parts = parts,
                                   .part_count = RESULT_PARTS_MAX };
    clock_t begin = clock();
    for (int round = 0; round < 20; round++)
        verdict_judge(&arena, &result, NULL, 0, &verdict);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    tap_is_text(verdict.parts[1].text,
                "fine; m257 15 (warning 10); m1281 15 (warning 10); m2305 15 (warning 10); m3329 15 (warning 10)",
                "a part says all of its metrics in order");
    uint32_t critical = 0, warning = 0;
    for (uint32_t i = 0; i < RESULT_PARTS_MAX; i++) {
        critical += verdict.parts[i].state == BELFRY_CRITICAL;
        warning += verdict.parts[i].state == BELFRY_WARNING;
    }
    tap_ok(critical == 512 && warning == 511 && verdict.parts[9].state == BELFRY_OK, "each is judged; of two namesakes "
                                                                                     "the first");
    tap_ok(seconds < 20 * (SLOW ? 0.5 : 0.09), "the largest result is judged in %.0f ms", seconds * 50);
}

int main(void)
{
    test_values();
    test_comparisons();
    test_comparisons_shown();
    test_unjudged();
    test_worst();
    test_worst_part_in_text();
    test_thresholds_of_parts();
    test_many_parts();
    test_words();
    test_endings();
    test_cheap();
    test_line();
    test_labels();
    test_extremes();
    test_hostile_texts();
    arena_close(&arena);
    return tap_done();
}
