/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_range - the grammar of Nagios ranges from a table: what is taken, its canonical text, which values alert. */
#include "core/model/range.h"

#include "tests/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* canonical NULL: refused. alert and calm: values that do and that do not (up to the first NaN). */
static const struct row {
    const char *text, *canonical;
    double alert[4], calm[4];
} rows[] = {
    { "10", "10", { -0.001, 10.001, -INFINITY, INFINITY }, { 0, 10, 5, -0.0 } },
    { "10:", "10:", { 9.999, -1, 0, -INFINITY }, { 10, 11, 1e300, INFINITY } },
    { "~:10", "~:10", { 10.001, 11, INFINITY, NAN }, { 10, 0, -1e300, -INFINITY } },
    { "10:20", "10:20", { 9.999, 20.001, -15, NAN }, { 10, 20, 15, NAN } },
    { "@10:20", "@10:20", { 10, 20, 15, NAN }, { 9.999, 20.001, -15, INFINITY } },
    { "1:1", "1:1", { 0.999, 1.001, 0, NAN }, { 1, NAN } },
    { "@1:1", "@1:1", { 1, NAN }, { 0.999, 1.001, 0, NAN } },
    { "0", "0", { 0.001, -0.001, NAN }, { 0, -0.0, NAN } },
    { "@0", "@0", { 0, NAN }, { 1, -1, NAN } },
    { "0:", "0:", { -0.001, -INFINITY, NAN }, { 0, 1, INFINITY, NAN } },
    { "@0:", "@0:", { 0, 1, INFINITY, NAN }, { -0.001, NAN } },
    { "~:", "~:", { NAN }, { -INFINITY, 0, INFINITY, NAN } },
    { "@~:", "@~:", { -INFINITY, 0, INFINITY, NAN }, { NAN } },
    { "~:0", "~:0", { 0.001, NAN }, { 0, -5, NAN } },
    { "~:-5", "~:-5", { -4.999, 0, NAN }, { -5, -6, NAN } },
    { "@~:10", "@~:10", { 10, 0, -INFINITY, NAN }, { 10.001, NAN } },
    { ":5", "5", { -0.001, 5.001, NAN }, { 0, 5, NAN } },
    { ":5.75", "5.75", { 5.76, -1, NAN }, { 0, 5.75, NAN } },
    { "@:5", "@5", { 0, 5, NAN }, { -1, 6, NAN } },
    { "0:10", "10", { 11, NAN }, { 0, 10, NAN } },
    { "-10:-5", "-10:-5", { -10.5, -4, 0, NAN }, { -10, -5, NAN } },
    { "-5:5", "-5:5", { -6, 6, NAN }, { -5, 0, 5, NAN } },
    { "-0", "0", { 1, -1, NAN }, { 0, -0.0, NAN } },
    { "-0:", "0:", { -1, NAN }, { 0, 6, NAN } },
    { "-0:5", "5", { -1, 6, NAN }, { 0, 5, NAN } },
    { "-0:-0", "0", { 1, -1, NAN }, { 0, NAN } },
    { "+5", "5", { 6, NAN }, { 5, NAN } },
    { "1.5", "1.5", { 1.51, NAN }, { 1.5, NAN } },
    { ".5:1.", "0.5:1", { 0.4, 1.1, NAN }, { 0.5, 1, NAN } },
    { "1e3", "1000", { 1001, NAN }, { 1000, NAN } },
    { "1e-7:", "1e-07:", { 0, NAN }, { 1e-7, NAN } },
    { "007", "7", { 8, NAN }, { 7, NAN } },
    { "1.7976931348623157e308:", "1.7976931348623157e+308:", { 0, NAN }, { INFINITY, NAN } },
    { "~:80", "~:80", { 81, NAN }, { 80, -1, NAN } },
    { "", NULL, { 0 }, { 0 } },
    { ":", NULL, { 0 }, { 0 } },
    { "@", NULL, { 0 }, { 0 } },
    { "@:", NULL, { 0 }, { 0 } },
    { "~", NULL, { 0 }, { 0 } },
    { "@~", NULL, { 0 }, { 0 } },
    { "2:1", NULL, { 0 }, { 0 } },
    { "@2:1", NULL, { 0 }, { 0 } },
    { "-5", NULL, { 0 }, { 0 } },
    { ":-5", NULL, { 0 }, { 0 } },
    { "1:~", NULL, { 0 }, { 0 } },
    { "~:~", NULL, { 0 }, { 0 } },
    { "~5", NULL, { 0 }, { 0 } },
    { "~5:10", NULL, { 0 }, { 0 } },
    { "5~:10", NULL, { 0 }, { 0 } },
    { "1:2:3", NULL, { 0 }, { 0 } },
    { "::", NULL, { 0 }, { 0 } },
    { "1::2", NULL, { 0 }, { 0 } },
    { "@@1", NULL, { 0 }, { 0 } },
    { "1@", NULL, { 0 }, { 0 } },
    { "1:@2", NULL, { 0 }, { 0 } },
    { "10%", NULL, { 0 }, { 0 } },
    { "10:20%", NULL, { 0 }, { 0 } },
    { "10s", NULL, { 0 }, { 0 } },
    { "0x10", NULL, { 0 }, { 0 } },
    { "0x1p3:", NULL, { 0 }, { 0 } },
    { "nan", NULL, { 0 }, { 0 } },
    { "nan:", NULL, { 0 }, { 0 } },
    { "inf", NULL, { 0 }, { 0 } },
    { "0:inf", NULL, { 0 }, { 0 } },
    { "-inf:0", NULL, { 0 }, { 0 } },
    { "infinity", NULL, { 0 }, { 0 } },
    { "1e309", NULL, { 0 }, { 0 } },
    { "1e309:", NULL, { 0 }, { 0 } },
    { " 10", NULL, { 0 }, { 0 } },
    { "10 ", NULL, { 0 }, { 0 } },
    { "10 : 20", NULL, { 0 }, { 0 } },
    { "@ 10", NULL, { 0 }, { 0 } },
    { "10\n", NULL, { 0 }, { 0 } },
    { "1,5", NULL, { 0 }, { 0 } },
    { "1e", NULL, { 0 }, { 0 } },
    { "--5:", NULL, { 0 }, { 0 } },
    { "-:5", NULL, { 0 }, { 0 } },
    { "ten", NULL, { 0 }, { 0 } },
    { "0000000000000000000000000000000000000000000000000000000000000000001", NULL, { 0 }, { 0 } },
};

static bool all(const struct range *range, const double *values, bool alert)
{
    for (size_t i = 0; i < 4 && !isnan(values[i]); i++) {
        if (range_alerts(range, values[i]) != alert)
            return false;
    }
    return true;
}

static void try_row(const struct row *row)
{
    struct range range = { .start = 4711 }, again;
    struct why why = { "" };
    char text[RANGE_TEXT_SIZE];
    int code = range_parse(row->text, &range, &why);
    if (!row->canonical) {
        tap_ok(code == ERROR_SYNTAX && why.text[0] && range.start == 4711 && !range.set, "'%s' is refused (%s)",
               row->text, why.text);
        return;
    }
    tap_ok(code == 0 && range.set, "'%s' is a range", row->text);
    tap_is_text(range_format(text, &range), row->canonical, "its canonical text");
    tap_ok(all(&range, row->alert, true), "'%s' alerts where it should", row->text);
    tap_ok(all(&range, row->calm, false), "'%s' is calm where it should be", row->text);
    tap_ok(range_alerts(&range, NAN), "NaN is never calm");
    tap_ok(range_parse(text, &again, NULL) == 0 && again.start == range.start && again.end == range.end &&
               again.inside == range.inside,
           "the canonical text means the same");
}

static void test_not_set(void)
{
    struct range none = { 0 };
    char text[RANGE_TEXT_SIZE] = "x";
    tap_is_text(range_format(text, &none), "", "a range that is not set has no text");
    tap_ok(!range_alerts(&none, 1e300) && !range_alerts(&none, NAN), "and never alerts");
    tap_is_int(range_parse("2:1", &none, NULL), ERROR_SYNTAX, "no explanation wanted");
}

/* The longest text that can be made fits. */
static void test_longest(void)
{
    struct range range = {
        .set = true, .inside = true, .start = -2.2250738585072014e-308, .end = 0.0000012345678901234567
    };
    char text[RANGE_TEXT_SIZE];
    tap_is_text(range_format(text, &range), "@-2.2250738585072014e-308:0.0000012345678901234567", "a long one");
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        try_row(&rows[i]);
    test_not_set();
    test_longest();
    return tap_done();
}
