/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zone - reads TZif files (RFC 8536, version 2 and newer) of /usr/share/zoneinfo.
 *
 *     header 44 bytes, 32-bit data, header, 64-bit data, "\n" rule "\n"
 *     data: times, one type number each, types (offset 4 bytes, dst 1, name 1), names, leap seconds, flags
 *
 * After the last time the rule holds, as POSIX writes it: "CET-1CEST,M3.5.0,M10.5.0/3". Rules by day of the year (J)
 * are in no zone of today and not read.
 */
#include "plugins/common/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plugins/common/say.h"

#define FOLDER "/usr/share/zoneinfo"
#define FILE_MAX 65536
#define HEADER 44
#define DAY 86400

/* "M3.5.0/2": the last Sunday of March at 2 */
struct change {
    int month, week, day;
    long at;
};

struct zone {
    const unsigned char *times, *kinds, *types; /* big-endian: 8, 1 and 6 bytes each */
    size_t time_count, type_count;
    bool has_rule, has_dst;
    long standard, dst; /* offsets east of Greenwich */
    struct change begin, end;
};

/* ---- the rule ------------------------------------------------------------------------------------------------ */

static bool skip_name(const char **at)
{
    const char *from = *at;
    if (*from == '<')
        *at = strchr(from, '>') ? strchr(from, '>') + 1 : from;
    else
        *at += strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return *at > from;
}

/* "[+-]h[:m[:s]]" in seconds */
static bool read_clock(const char **at, long *seconds)
{
    char *end;
    bool minus = **at == '-';
    *at += **at == '-' || **at == '+';
    long unit = 3600, sum = 0;
    do {
        if (**at < '0' || **at > '9')
            return false;
        sum += strtol(*at, &end, 10) * unit;
        unit /= 60;
        *at = end + (*end == ':');
    } while (*end == ':' && unit > 0);
    *seconds = minus ? -sum : sum;
    return sum >= 0 && sum <= 8 * DAY;
}

static bool read_change(const char **at, struct change *change)
{
    int used = 0;
    if (sscanf(*at, ",M%2d.%1d.%1d%n", &change->month, &change->week, &change->day, &used) != 3 || used == 0)
        return false;
    *at += used;
    change->at = 7200;
    if (**at == '/' && *++*at)
        return read_clock(at, &change->at);
    return change->month >= 1 && change->month <= 12 && change->week >= 1 && change->week <= 5 && change->day <= 6;
}

static bool read_rule(struct zone *zone, const char *text)
{
    long west;
    if (!skip_name(&text) || !read_clock(&text, &west))
        return false;
    zone->standard = -west;
    zone->dst = zone->standard + 3600;
    zone->has_dst = *text != '\0';
    if (!zone->has_dst)
        return true;
    if (!skip_name(&text))
        return false;
    if (*text != ',') {
        if (!read_clock(&text, &west))
            return false;
        zone->dst = -west;
    }
    return read_change(&text, &zone->begin) && read_change(&text, &zone->end);
}

/* When the change comes in that year, as a local time. */
static int64_t change_time(const struct change *change, int year)
{
    struct tm first = { .tm_year = year - 1900, .tm_mon = change->month - 1, .tm_mday = 1 };
    int64_t begin = timegm(&first); /* fills in the day of the week */
    int days = (change->day - first.tm_wday + 7) % 7 + (change->week - 1) * 7;
    struct tm next = { .tm_year = year - 1900, .tm_mon = change->month, .tm_mday = 1 };
    int64_t end = timegm(&next), when = begin + (int64_t)days * DAY;
    return (when >= end ? when - 7 * DAY : when) + change->at;
}

static long offset_by_rule(const struct zone *zone, int64_t when)
{
    time_t local = when + zone->standard;
    struct tm tm;
    if (!zone->has_dst || !gmtime_r(&local, &tm))
        return zone->standard;
    int64_t begin = change_time(&zone->begin, tm.tm_year + 1900) - zone->standard;
    int64_t end = change_time(&zone->end, tm.tm_year + 1900) - zone->dst;
    bool summer =
        begin < end ? when >= begin && when < end : when >= begin || when < end; /* south: over the new year */
    return summer ? zone->dst : zone->standard;
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

static uint64_t read_big(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* The size of the data behind a header, with times of that many bytes. */
static size_t data_size(const unsigned char *header, size_t width)
{
    size_t flags = read_big(header + 20, 4) + read_big(header + 24, 4), leaps = read_big(header + 28, 4);
    size_t times = read_big(header + 32, 4), types = read_big(header + 36, 4), names = read_big(header + 40, 4);
    return times * (width + 1) + types * 6 + names + leaps * (width + 4) + flags;
}

static bool read_tables(struct zone *zone, const unsigned char *bytes, size_t size)
{
    if (size < HEADER || memcmp(bytes, "TZif", 4) != 0 || bytes[4] < '2')
        return false;
    size_t skip = HEADER + data_size(bytes, 4);
    if (skip + HEADER > size || memcmp(bytes + skip, "TZif", 4) != 0)
        return false;
    const unsigned char *header = bytes + skip;
    size_t footer = skip + HEADER + data_size(header, 8);
    if (footer >= size || bytes[footer] != '\n')
        return false;
    zone->time_count = read_big(header + 32, 4);
    zone->type_count = read_big(header + 36, 4);
    zone->times = header + HEADER;
    zone->kinds = zone->times + 8 * zone->time_count;
    zone->types = zone->kinds + zone->time_count;
    char rule[80] = "";
    size_t length = 0;
    for (; footer + 1 + length < size && length < sizeof rule - 1 && bytes[footer + 1 + length] != '\n'; length++)
        rule[length] = (char)bytes[footer + 1 + length];
    zone->has_rule = read_rule(zone, rule);
    return zone->type_count > 0;
}

static long offset_of_type(const struct zone *zone, size_t type)
{
    return type < zone->type_count ? (long)(int32_t)(uint32_t)read_big(zone->types + 6 * type, 4) : 0;
}

static long offset_at(const struct zone *zone, int64_t when)
{
    size_t low = 0, high = zone->time_count;
    while (low < high) { /* the first that is later */
        size_t middle = low + (high - low) / 2;
        if ((int64_t)read_big(zone->times + 8 * middle, 8) <= when)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->time_count && zone->has_rule)
        return offset_by_rule(zone, when);
    return offset_of_type(zone, low > 0 ? zone->kinds[low - 1] : 0);
}

static ssize_t read_file(const char *path, unsigned char *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, bytes, FILE_MAX);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return size;
}

static bool is_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/");
    return length > 0 && length < 64 && name[length] == '\0' && name[0] != '/';
}

const struct zone *zone_read(struct belfry_probe *p, const char *name, const char **why)
{
    struct zone *zone = belfry_alloc(p, sizeof *zone);
    if (strcmp(name, "UTC") == 0) {
        zone->has_rule = true;
        return zone;
    }
    unsigned char *bytes = belfry_alloc(p, FILE_MAX);
    ssize_t size = is_name(name) ? read_file(belfry_print(p, FOLDER "/%s", name), bytes) : -1;
    if (size >= 0 && read_tables(zone, bytes, (size_t)size))
        return zone;
    *why = belfry_print(p, "there is no time zone '%s' in " FOLDER " of Belfry's host: install tzdata",
                        say_excerpt(p, name, strlen(name)));
    return NULL;
}

/* ---- times --------------------------------------------------------------------------------------------------- */

int64_t zone_time(const struct zone *zone, const char *text)
{
    struct tm tm = { 0 };
    char between = 0;
    int used = 0;
    if (!text || sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &between, &tm.tm_hour,
                        &tm.tm_min, &tm.tm_sec, &used) != 7)
        return -1;
    if (tm.tm_year < 1970 || tm.tm_year > 9998 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    int64_t local = timegm(&tm);
    if (strchr(text + used, 'Z'))
        return local;
    return local - offset_at(zone, local - offset_at(zone, local));
}

int64_t zone_local(const struct zone *zone, int64_t when)
{
    return when + offset_at(zone, when);
}

const char *zone_text(struct belfry_probe *p, const struct zone *zone, int64_t when)
{
    time_t local = zone_local(zone, when);
    struct tm tm;
    if (!gmtime_r(&local, &tm))
        return "1970-01-01 00:00:00";
    return belfry_print(p, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                        tm.tm_min, tm.tm_sec);
}
