/* SPDX-License-Identifier: GPL-3.0-or-later */
/* retain - which slots of a retention (7 daily, 4 weekly, 3 monthly) are filled.
 *
 * As restic and borg count: a slot is a day, an ISO week (from Monday, whatever the year) or a month of the site's
 * calendar, the current one is among them, and one backup may fill a slot of each kind. Calendar days, not 24 hours: a
 * day with 23 or 25 of them is a day. While the current slot has no backup yet, the window ends with the one before.
 * A day without a backup is filled by one that came late, after midnight, when the next day has another of its own. */
#include <stddef.h>

#include "plugins/backup-restore/backup.h"

#define DAY_S 86400

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Year and month of a day as months since year 0, by the proleptic Gregorian calendar in eras of 400 years. */
static int64_t month_of(int64_t day)
{
    int64_t z = day + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    return (yoe + era * 400 + (month <= 2)) * 12 + month - 1;
}

/* The first day of a month. */
static int64_t day_of_month(int64_t months)
{
    int64_t year = floor_div(months, 12), month = months - year * 12 + 1;
    year -= month <= 2;
    int64_t era = floor_div(year, 400), yoe = year - era * 400;
    int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* The number of the slot that a day is in; 1970-01-01 was a Thursday. */
static int64_t slot_of(enum retain_slot slot, int64_t day)
{
    switch (slot) {
    case RETAIN_DAY:
        return day;
    case RETAIN_WEEK:
        return floor_div(day + 3, 7);
    case RETAIN_MONTH:
        return month_of(day);
    }
    return day;
}

static int64_t first_day(enum retain_slot slot, int64_t number)
{
    return slot == RETAIN_DAY ? number : slot == RETAIN_WEEK ? number * 7 - 3 : day_of_month(number);
}

static size_t count_in(enum retain_slot slot, int64_t number, const int64_t *local, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += slot_of(slot, floor_div(local[i], DAY_S)) == number;
    return n;
}

static bool came_late(const struct retain_ask *ask, int64_t day, const int64_t *local, size_t count)
{
    if (ask->slot != RETAIN_DAY || count_in(RETAIN_DAY, day + 1, local, count) < 2)
        return false;
    for (size_t i = 0; i < count; i++)
        if (local[i] >= (day + 1) * DAY_S && local[i] < (day + 1) * DAY_S + ask->late_s)
            return true;
    return false;
}

size_t retain_missing(const struct retain_ask *ask, const int64_t *local, size_t count,
                      int64_t missing[BACKUP_SLOTS_MAX])
{
    size_t n = 0;
    int64_t newest = slot_of(ask->slot, ask->today);
    newest -= count_in(ask->slot, newest, local, count) == 0;
    for (int64_t i = 0; i < ask->wanted && i < BACKUP_SLOTS_MAX; i++) {
        int64_t number = newest - i;
        if (number < slot_of(ask->slot, ask->since))
            break;
        if (count_in(ask->slot, number, local, count) == 0 && !came_late(ask, number, local, count))
            missing[n++] = first_day(ask->slot, number);
    }
    return n;
}
