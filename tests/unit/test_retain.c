/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slots of a retention: days, ISO weeks across a year, months of any length, days of 23 hours, late backups. */
#include "plugins/backup-restore/backup.h"
#include "tests/tap.h"

#define DAY_S 86400
#define LOCAL_MAX 4000

static int64_t local[LOCAL_MAX];
static size_t count;

/* Days since 1970 of a date, by the formula that the code under test does not use. */
static int64_t day(int year, int month, int date)
{
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = date };
    return (int64_t)timegm(&tm) / DAY_S;
}

static void add(int64_t on, int hour)
{
    local[count++] = on * DAY_S + hour * 3600;
}

static size_t missing_of(enum retain_slot slot, int64_t wanted, int64_t today, int64_t since, int64_t *first)
{
    struct retain_ask ask = { .slot = slot, .wanted = wanted, .today = today, .since = since, .late_s = 6 * 3600 };
    int64_t missing[BACKUP_SLOTS_MAX] = { 0 };
    size_t n = retain_missing(&ask, local, count, missing);
    *first = missing[0];
    return n;
}

static void test_days(void)
{
    int64_t today = day(2026, 11, 21), first;
    count = 0;
    for (int i = 8; i >= 1; i--)
        add(today - i, 3);
    tap_is_int(missing_of(RETAIN_DAY, 7, today, 0, &first), 0, "before today's backup the seven days end yesterday");
    add(today, 3);
    tap_is_int(missing_of(RETAIN_DAY, 7, today, 0, &first), 0, "after it they end today");
    tap_is_int(missing_of(RETAIN_DAY, 12, today, 0, &first), 3, "days before the first are missing");
    tap_is_int(first, today - 9, "the newest of them first");
    tap_is_int(missing_of(RETAIN_DAY, 12, today, today - 8, &first), 0, "unless nothing is expected of them");
    local[5] += DAY_S; /* that of three days ago */
    tap_is_int(missing_of(RETAIN_DAY, 7, today, 0, &first), 0,
               "one that came at 3 in the morning of the next day fills its own");
    local[5] += 6 * 3600;
    tap_is_int(missing_of(RETAIN_DAY, 7, today, 0, &first), 0, "the next day's is early enough to stand for it");
    local[6] += 6 * 3600;
    tap_is_int(missing_of(RETAIN_DAY, 7, today, 0, &first), 1, "not when all of that day are later than that");
    tap_is_int(first, today - 3, "which names the day");
}

static void test_weeks(void)
{
    int64_t first, monday = day(2026, 12, 28); /* ISO week 53 of 2026, to 2027-01-03 */
    count = 0;
    add(monday - 14, 3);
    add(monday - 7, 3);
    add(monday + 6, 23); /* Sunday, in the next year */
    tap_is_int(missing_of(RETAIN_WEEK, 3, monday + 6, 0, &first), 0, "a week across the year's end is one");
    tap_is_int(missing_of(RETAIN_WEEK, 4, monday + 7, 0, &first), 1, "the current week is waited for");
    tap_is_int(first, monday - 21, "the missing one begins on its Monday");
    count = 2;
    tap_is_int(missing_of(RETAIN_WEEK, 3, monday + 7, monday - 14, &first), 1, "a whole week without is missing");
    tap_is_int(first, monday, "and named");
}

static void test_months(void)
{
    int64_t first, today = day(2028, 3, 1);
    count = 0;
    add(day(2027, 12, 31), 23);
    add(day(2028, 2, 29), 23);
    tap_is_int(missing_of(RETAIN_MONTH, 3, today, 0, &first), 1, "months by their length, in a leap year, too");
    tap_is_int(first, day(2028, 1, 1), "January has none");
    for (int64_t d = day(1999, 12, 1); d < day(2001, 4, 1); d++) {
        count = 1;
        local[0] = d * DAY_S + DAY_S - 1;
        if (missing_of(RETAIN_MONTH, 1, d, 0, &first) != 0)
            break;
    }
    tap_is_int(local[0], day(2001, 3, 31) * DAY_S + DAY_S - 1, "each day is in its month");
}

/* Against the calendar of libc: the number of months with a backup a fortnight apart never has a hole. */
static void test_years(void)
{
    int64_t first, begin = day(2020, 1, 1);
    count = 0;
    for (int64_t d = begin; d < begin + 7000 && count < LOCAL_MAX; d += 14)
        add(d, 12);
    int64_t last = local[count - 1] / DAY_S;
    tap_is_int(missing_of(RETAIN_MONTH, 64, last, 0, &first), 0, "two a month fill 64 months");
    tap_is_int(missing_of(RETAIN_WEEK, 64, last, 0, &first), 32, "and every other week");
}

int main(void)
{
    test_days();
    test_weeks();
    test_months();
    test_years();
    return tap_done();
}
