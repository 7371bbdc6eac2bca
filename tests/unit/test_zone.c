/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times of time zones, against what the zones are known to do: both halves of the year, the two hours around a change,
 * and after the last time of the tables, where the rule holds. */
#include <stdlib.h>

#include "plugins/common/zone.h"
#include "tests/tap.h"

#define KEPT_MAX 256

static void *kept[KEPT_MAX];
static size_t kept_count;

static void *keep(void *bytes)
{
    kept[kept_count++ % KEPT_MAX] = bytes;
    return bytes;
}

static void *host_alloc(struct belfry_probe *p, size_t size)
{
    (void)p;
    return keep(calloc(1, size));
}

static const char *host_print(struct belfry_probe *p, const char *format, va_list args)
{
    char *text = NULL;
    (void)p;
    return vasprintf(&text, format, args) < 0 ? "" : keep(text);
}

static const struct {
    const char *zone, *text;
    int64_t when;
} rows[] = {
    { "UTC", "2026-11-21 16:09:57", 1795277397 },
    { "UTC", "2026-11-21T16:09:57.000000Z", 1795277397 },
    { "Europe/Berlin", "2026-11-21 17:09:57", 1795277397 },
    { "Europe/Berlin", "2026-11-21T16:09:57.000000Z", 1795277397 },
    { "Europe/Berlin", "2026-07-01 14:00:00", 1782907200 },
    { "Europe/Berlin", "2026-03-29 01:59:59", 1774745999 },
    { "Europe/Berlin", "2026-03-29 03:00:00", 1774746000 },
    { "Europe/Berlin", "2026-10-25 03:00:00", 1792893600 },
    { "Europe/Berlin", "2055-07-01 14:00:00", 2698056000 },
    { "Europe/Berlin", "2055-12-01 13:00:00", 2711275200 },
    { "Europe/Berlin", "2055-03-28 01:59:59", 2689808399 },
    { "Europe/Berlin", "2055-03-28 03:00:00", 2689808400 },
    { "America/New_York", "2055-07-01 08:00:00", 2698056000 },
    { "America/New_York", "2055-12-01 07:00:00", 2711275200 },
    { "Pacific/Auckland", "2055-07-02 00:00:00", 2698056000 },
    { "Pacific/Auckland", "2055-12-02 01:00:00", 2711275200 },
    { "Asia/Kolkata", "2055-07-01 17:30:00", 2698056000 },
    { "America/Sao_Paulo", "2055-12-01 09:00:00", 2711275200 },
};

static void test_rows(struct belfry_probe *p)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why = NULL;
        const struct zone *zone = zone_read(p, rows[i].zone, &why);
        if (!zone) {
            printf("# %s\n", why); /* a host without tzdata */
            continue;
        }
        int64_t when = zone_time(zone, rows[i].text);
        tap_ok(when == rows[i].when, "%s %s is %lld", rows[i].zone, rows[i].text, (long long)when);
        if (!strchr(rows[i].text, 'Z'))
            tap_ok(strcmp(zone_text(p, zone, rows[i].when), rows[i].text) == 0, "and back: %s",
                   zone_text(p, zone, rows[i].when));
    }
}

static void test_refusals(struct belfry_probe *p)
{
    static const char *const names[] = { "",    "Mars/Olympus", "../../../etc/passwd", "/etc/passwd", "Europe",
                                         "a b", "zone.tab" };
    static const char *const texts[] = { "",           "yesterday",           "2026-13-01 00:00:00",
                                         "2026-11-21", "2026-11-00 00:00:00", "0000-00-00 00:00:00" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *why = NULL;
        tap_ok(!zone_read(p, names[i], &why) && why, "no zone: '%s'", names[i]);
    }
    const char *why = NULL;
    const struct zone *utc = zone_read(p, "UTC", &why);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        tap_ok(zone_time(utc, texts[i]) == -1, "no time: '%s'", texts[i]);
    tap_ok(zone_time(utc, NULL) == -1, "nor is none");
}

int main(void)
{
    const struct belfry_host host = {
        .size = sizeof host, .abi = BELFRY_ABI, .alloc = host_alloc, .print = host_print
    };
    struct belfry_probe probe = { &host };
    test_rows(&probe);
    test_refusals(&probe);
    for (size_t i = 0; i < kept_count && i < KEPT_MAX; i++)
        free(kept[i]);
    return tap_done();
}
