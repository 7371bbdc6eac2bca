/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill_on - the calendar of drills: [DAY] [HH:MM]. Pure but for the local zone, which libc knows. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/base/text.h"
#include "core/model/drill.h"

#define EVERY_DAY (-1)
#define EVERY_MONTH 0xfffu
#define MONTH(number) (1u << ((number)-1))
#define QUARTERS (MONTH(1) | MONTH(4) | MONTH(7) | MONTH(10))
#define DAYS_AHEAD 400 /* a year, and the days around it */

struct when {
    int hour, minute;
    int weekday;     /* 0: Sunday, or EVERY_DAY */
    int monthday;    /* 1 to 31, or EVERY_DAY */
    unsigned months; /* a bit for each */
    int period_days; /* the longest from one to the next */
};

static const struct {
    const char *name;
    struct when when;
} days[] = {
    { "daily", { 4, 0, EVERY_DAY, EVERY_DAY, EVERY_MONTH, 1 } }, { "weekly", { 4, 0, 0, EVERY_DAY, EVERY_MONTH, 7 } },
    { "monthly", { 4, 0, EVERY_DAY, 1, EVERY_MONTH, 31 } },      { "quarterly", { 4, 0, EVERY_DAY, 1, QUARTERS, 92 } },
    { "yearly", { 4, 0, EVERY_DAY, 1, MONTH(1), 366 } },         { "Sun", { 4, 0, 0, EVERY_DAY, EVERY_MONTH, 7 } },
    { "Mon", { 4, 0, 1, EVERY_DAY, EVERY_MONTH, 7 } },           { "Tue", { 4, 0, 2, EVERY_DAY, EVERY_MONTH, 7 } },
    { "Wed", { 4, 0, 3, EVERY_DAY, EVERY_MONTH, 7 } },           { "Thu", { 4, 0, 4, EVERY_DAY, EVERY_MONTH, 7 } },
    { "Fri", { 4, 0, 5, EVERY_DAY, EVERY_MONTH, 7 } },           { "Sat", { 4, 0, 6, EVERY_DAY, EVERY_MONTH, 7 } },
};

/* "03-15", a day of the year: month and day, two digits each. */
static bool read_date(const char *word, struct when *out)
{
    int64_t month, day;
    char text[3] = { word[0], word[0] ? word[1] : '\0', '\0' };
    if (strlen(word) != 5 || word[2] != '-' || text_integer(text, &month) != 0 || text_integer(word + 3, &day) != 0 ||
        month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    *out = (struct when){ 4, 0, EVERY_DAY, (int)day, MONTH(month), 366 };
    return true;
}

static bool read_day(const char *word, struct when *out)
{
    int64_t day;
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        if (strcasecmp(days[i].name, word) == 0) {
            *out = days[i].when;
            return true;
        }
    }
    if (read_date(word, out))
        return true;
    if (text_integer(word, &day) != 0 || day < 1 || day > 31)
        return false;
    *out = (struct when){ 4, 0, EVERY_DAY, (int)day, EVERY_MONTH, 31 };
    return true;
}

static bool read_hour(const char *word, struct when *out)
{
    int64_t hour, minute;
    char text[3] = { word[0], word[0] ? word[1] : '\0', '\0' };
    if (strlen(word) != 5 || word[2] != ':' || text_integer(text, &hour) != 0 || text_integer(word + 3, &minute) != 0 ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return false;
    out->hour = (int)hour;
    out->minute = (int)minute;
    return true;
}

static bool parse(const char *on, struct when *out)
{
    char words[32];
    *out = (struct when){ 4, 0, EVERY_DAY, EVERY_DAY, EVERY_MONTH, 1 };
    if (text_copy(words, sizeof words, on) >= sizeof words)
        return false;
    char *second = strchr(words, ' ');
    if (second)
        *second++ = '\0';
    if (!second)
        return read_day(words, out) || read_hour(words, out);
    return read_day(words, out) && read_hour(second, out);
}

int drill_on_check(const char *on, struct why *why)
{
    struct when when;
    if (parse(on, &when))
        return 0;
    return why_say(why, ERROR_SYNTAX,
                   "'on' is '%s': write \"daily\", \"weekly\", \"monthly\", \"quarterly\", \"yearly\", a day of the "
                   "week, month or "
                   "year, with an hour or without: \"Sun 04:00\", \"15 03:30\", \"03-15\", \"04:00\"",
                   on);
}

static int days_of_month(int year, int month)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int y = year + 1900;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return month == 1 && leap ? 29 : lengths[month];
}

static bool is_day(const struct when *when, const struct tm *day)
{
    int last = days_of_month(day->tm_year, day->tm_mon);
    int wanted = when->monthday > last ? last : when->monthday;
    return (when->weekday == EVERY_DAY || when->weekday == day->tm_wday) &&
           (when->monthday == EVERY_DAY || wanted == day->tm_mday) && (when->months & MONTH(day->tm_mon + 1)) != 0;
}

int64_t drill_on_next(const char *on, int64_t after_wall_ms)
{
    struct when when;
    time_t after = (time_t)(after_wall_ms / 1000);
    struct tm today;
    if (!parse(on, &when) || !localtime_r(&after, &today))
        return INT64_MAX;
    for (int ahead = 0; ahead < DAYS_AHEAD; ahead++) {
        struct tm day = { .tm_year = today.tm_year,
                          .tm_mon = today.tm_mon,
                          .tm_mday = today.tm_mday + ahead,
                          .tm_hour = 12,
                          .tm_isdst = -1 };
        mktime(&day); /* which day it is */
        if (!is_day(&when, &day))
            continue;
        day.tm_hour = when.hour;
        day.tm_min = when.minute;
        day.tm_sec = 0;
        day.tm_isdst = -1;
        time_t at = mktime(&day);
        if (at > after)
            return (int64_t)at * 1000;
    }
    return INT64_MAX;
}

int64_t drill_on_period_ms(const char *on)
{
    struct when when;
    return on && parse(on, &when) ? when.period_days * INT64_C(86400000) : 0;
}
