/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_plot - what `belfry graph --term` draws of known numbers: where they stand, gaps, peaks, several lines, and what
 * a hostile answer does; and the rows that `belfry series` makes of columns. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cli/plot.h"
#include "core/cli/sheet.h"
#include "tests/tap.h"

#define SINCE 1763683200 /* 2025-11-21 00:00 UTC */
#define LINES 64

static struct cli cli;
static char *lines[LINES];
static size_t line_count;

/* One picture of the lines that are the JSON at `lines_json`, a minute a point, `minutes` long. */
static void plot(const char *unit, const char *lines_json, int minutes)
{
    char text[8192];
    snprintf(text, sizeof text,
             "{\"since\":%d,\"until\":%d,\"pictures\":[{\"title\":\"a/b  x\",\"unit\":\"%s\",\"stack\":false,"
             "\"scale\":{\"size\":1,\"unit\":\"%s\"},\"left_out\":0,\"lines\":[%s]}]}",
             SINCE, SINCE + 60 * minutes, unit, unit, lines_json);
    json_t *answer = json_loads(text, 0, NULL);
    buf_reset(&cli.out);
    plot_print(&cli, answer);
    json_decref(answer);
    line_count = 0;
    for (char *rest = cli.out.data, *line; line_count < LINES && (line = strsep(&rest, "\n")) != NULL;)
        lines[line_count++] = line;
}

/* A line of the picture whose value at minute i is values[i]; NaN: unknown. */
static const char *line_of(const char *label, const double *values, int count)
{
    static struct buf out[2];
    static int turn;
    struct buf *to = &out[turn++ % 2];
    buf_reset(to);
    buf_print(to,
              "{\"label\":\"%s\",\"last\":1,\"min\":0,\"average\":1,\"max\":3,\"first\":%d,\"step\":60,\"values\":[",
              label, SINCE + 60);
    for (int i = 0; i < count; i++) {
        buf_text(to, i ? "," : "");
        buf_json_number(to, values[i]);
    }
    buf_text(to, "]}");
    return to->data;
}

static bool is_row(size_t row, const char *want)
{
    if (row < line_count && strcmp(lines[row], want) == 0)
        return true;
    printf("# got  '%s'\n# want '%s'\n", row < line_count ? lines[row] : "", want);
    return false;
}

static void test_ascii(void)
{
    double values[36];
    cli.term = (struct term){ .width = 39 };
    for (int i = 0; i < 36; i++)
        values[i] = i < 12 ? 0 : i < 24 ? NAN : 4;
    plot("", line_of("x", values, 36), 36);
    tap_ok(is_row(0, "a/b  x"), "a title");
    tap_ok(is_row(1, "4 +                        ************"), "the greatest value on top, at its time");
    tap_ok(is_row(10, "0 +************"), "zero at the bottom, and nothing where nothing is known");
    tap_ok(is_row(2, "  |") && is_row(9, "  |"), "nothing joins what a gap parts");
    tap_ok(is_row(11, "  ++---------+---------+---------+-----"), "an axis with a mark every ten minutes");
    tap_ok(is_row(12, "   11-21   00:10     00:20     00:30"), "and their times, midnight as a date");
    tap_ok(is_row(14, "*  x  1     0    1        3"), "a legend with the figures");
    values[20] = 4; /* one minute */
    for (int i = 24; i < 36; i++)
        values[i] = 0;
    plot("", line_of("x", values, 36), 36);
    tap_ok(is_row(1, "4 +                    *"), "a lonely value stands where it belongs");
}

static bool has_dots(size_t row)
{
    for (const unsigned char *c = (const unsigned char *)lines[row]; *c; c++)
        if (c[0] == 0xE2 && c[1] >= 0xA0 && c[1] <= 0xA3) /* U+2800 to U+28FF */
            return true;
    return false;
}

static size_t rows_with_dots(void)
{
    size_t rows = 0;
    for (size_t row = 1; row <= 10; row++)
        rows += has_dots(row);
    return rows;
}

/* No peak is lost, however many points a dot has. */
static void test_peak(void)
{
    static double values[500];
    cli.term = (struct term){ .width = 40, .utf8 = true };
    values[203] = 4;
    plot("", line_of("x", values, 500), 500);
    tap_is_int(rows_with_dots(), 10, "a peak of one point of five hundred goes from bottom to top");
    values[203] = 0;
    for (size_t i = 0; i < 20; i++)
        values[i] = 4;
    plot("", line_of("x", values, 40), 40);
    tap_is_int(rows_with_dots(), 10, "what follows each other is joined");
}

static void test_lines(void)
{
    double low[30], high[30];
    for (int i = 0; i < 30; i++) {
        low[i] = 1;
        high[i] = 2;
    }
    struct buf both = { 0 };
    buf_print(&both, "%s,", line_of("low", low, 30));
    buf_text(&both, line_of("h\xC2\xB5gh", high, 30));
    cli.term = (struct term){ .width = 33 };
    plot("", both.data, 30);
    tap_ok(is_row(1, "  2 +oooooooooooooooooooooooooooo"), "a mark for each line");
    tap_ok(is_row(5, "  1 +****************************"), "each in its place");
    tap_ok(strstr(lines[15], "hugh") != NULL, "without UTF-8 no character of it: '%s'", lines[15]);
    cli.term = (struct term){ .width = 33, .utf8 = true, .colour = true };
    plot("", both.data, 30);
    tap_ok(strstr(lines[1], "\033[33m\xE2\xA0\x89") != NULL, "dots where there are colours");
    buf_close(&both);
}

static void test_hostile(void)
{
    static const char *const answers[] = {
        "{\"label\":\"x\",\"first\":-1,\"step\":60,\"values\":[1]}",
        "{\"label\":\"x\",\"first\":9223372036854775807,\"step\":9223372036854775807,\"values\":[1,2]}",
        "{\"label\":\"x\",\"first\":1763683260,\"step\":0,\"values\":[1]}",
        "{\"label\":\"x\",\"first\":1763683260,\"step\":60,\"values\":[\"a\",null,{}]}",
        "{\"label\":7,\"first\":1763683260,\"step\":60,\"values\":7}",
        "7",
    };
    cli.term = (struct term){ .width = 0, .utf8 = true };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        plot("", answers[i], 10);
        tap_ok(is_row(1, "no values were recorded in this time"), "nothing is drawn of nonsense");
    }
    plot("", "{\"label\":\"\\u001b[31mx\",\"first\":1763683260,\"step\":60,\"values\":[-1e308,1e308,1e249,-1e249,1]}",
         10);
    tap_ok(line_count > 12 && strchr(cli.out.data, '\033') == NULL, "numbers without bounds, and a name that is none");
    plot("", "{\"label\":\"x\",\"first\":1763683260,\"step\":60,\"values\":[-3,-1,-2,-2,-3]}", 5);
    tap_ok(strncmp(lines[1], " 0 ", 3) == 0 && strncmp(lines[10], "-3 ", 3) == 0, "negative values below zero");
}

static json_t *answer_of(const char *lines_json)
{
    struct buf text = { 0 };
    buf_print(&text, "{\"pictures\":[{\"unit\":\"s\",\"lines\":[%s]}]}", lines_json);
    json_t *answer = json_loads(text.data, 0, NULL);
    buf_close(&text);
    return answer;
}

static void test_sheet(void)
{
    static const struct {
        int64_t at_s, step_s;
        double values[2];
    } rows[] = { { 60, 60, { 1, NAN } }, { 120, 60, { NAN, 7 } }, { 180, 60, { 3, NAN } }, { 240, 120, { NAN, 8 } } };
    struct sheet sheet;
    double values[2];
    json_t *answer = answer_of("{\"metric\":\"a\",\"first\":60,\"step\":60,\"archive\":60,\"values\":[1,null,3]},"
                               "{\"metric\":\"b\",\"part\":\"p\",\"first\":120,\"step\":120,\"values\":[7,8]}");
    tap_is_int(sheet_open(&cli, answer, &sheet), 0, "columns of different steps");
    tap_ok(sheet.count == 2 && sheet.step_s == 0 && !sheet.columns[0].part && sheet.columns[1].part, "are two");
    for (size_t i = 0; i < 4; i++) {
        int64_t at_s = sheet_next(&sheet);
        tap_ok(at_s == rows[i].at_s && sheet_step(&sheet, at_s) == rows[i].step_s, "a row for each time of either");
        tap_ok(sheet_take(&sheet, at_s, values), "with a value");
        tap_is_near(values[0], rows[i].values[0], "of the first");
        tap_is_near(values[1], rows[i].values[1], "of the second");
    }
    tap_is_int(sheet_next(&sheet), 0, "and then no more");
    json_decref(answer);
    answer = answer_of("{\"metric\":\"a\",\"first\":60,\"step\":9223372036854775807,\"values\":[1,2]}");
    tap_is_int(sheet_open(&cli, answer, &sheet), ERROR_PROTOCOL, "times that nobody can count are refused");
    json_decref(answer);
    answer = answer_of("");
    tap_is_int(sheet_open(&cli, answer, &sheet), ERROR_PROTOCOL, "so is an answer without columns");
    json_decref(answer);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    test_ascii();
    test_peak();
    test_lines();
    test_hostile();
    test_sheet();
    buf_close(&cli.out);
    arena_close(&cli.arena);
    return tap_done();
}
