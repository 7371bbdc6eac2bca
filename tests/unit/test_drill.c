/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_drill - the settings of drills: values, what belongs together, JSON both ways; and the calendar, over a change
 * of the clock, short months and leap years. */
#include "core/model/drill_smoke.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "tests/tap.h"

static const struct drill_field *field(const struct drill_field *fields, const char *name)
{
    while (strcmp(fields->name, name) != 0)
        fields++;
    return fields;
}

static void test_values(void)
{
    static const struct {
        const char *name, *written;
        bool good;
    } table[] = {
        { "rto", "4h", true },         { "rto", "4", false },        { "rto", "1ms", false },
        { "space", "10GiB", true },    { "space", "10", false },     { "space", "1MiB", true },
        { "kind", "restic", true },    { "kind", "resticc", false }, { "kind", "", false },
        { "decrypt", "age", true },    { "network", "true", true },  { "network", "yes", false },
        { "source", "/backup", true }, { "source", "", false },      { "on", "monthly", true },
    };
    struct arena arena = { 0 };
    struct drill_config drill = { .name = "shop" };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct why why = { "" };
        int code = drill_field_set(field(drill_fields, table[i].name), &drill, table[i].written, &arena, &why);
        tap_ok((code == 0) == table[i].good, "%s", table[i].written);
        tap_ok(table[i].good ? why.text[0] == '\0' : strstr(why.text, table[i].name) != NULL, "and says which");
    }
    tap_is_int(drill.rto_ms, 4 * 3600000, "4h");
    tap_is_int(drill.space_bytes, 1 << 20, "1MiB");
    arena_close(&arena);
}

static void test_assertions(void)
{
    static const struct {
        struct drill_assertion a;
        bool good;
    } table[] = {
        { { .sql = "SELECT 1" }, true },
        { { .sql = "SELECT 1", .range = "1:" }, true },
        { { .sql = "SELECT 1", .range = "5:1" }, false },
        { { .table = "orders", .range = "1:" }, false },
        { { .fresh = "SELECT NOW()", .within_ms = 1000 }, true },
        { { .sql = "SELECT 1", .within_ms = 1000 }, false },
        { { .sql = "SELECT 1", .key = "a" }, false },
        { { .name = "nothing" }, false },
        { { .file = "etc/passwd" }, true },
        { { .file = "/etc/passwd" }, false },
        { { .file = "../etc/passwd" }, false },
        { { .file = "a", .sha256 = "abc" }, false },
        { { .app = "/usr/bin/true" }, true },
        { { .app = "true" }, false },
        { { .counts = ".counts", .tolerance = 2 }, true },
        { { .checksums = "/var/backups/shop.checksums" }, true },
        { { .counts = "counts" }, false },
        { { .counts = "./counts" }, false },
        { { .checksums = ".sums", .tolerance = 2 }, false },
        { { .counts = ".counts", .checksums = ".sums" }, false },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct why why = { "" };
        tap_ok((drill_assertion_check(&table[i].a, &why) == 0) == table[i].good, "an assertion is judged");
    }
}

static void test_whole(void)
{
    struct why why = { "" };
    struct drill_config drill = { .name = "shop" };
    tap_ok(drill_check(&drill, &why) != 0 && strstr(why.text, "no source"), "a drill needs a source");
    drill.source = "backup";
    tap_ok(drill_check(&drill, &why) != 0 && strstr(why.text, "whole path"), "by its whole path");
    drill.source = "/backup";
    tap_is_int(drill_check(&drill, &why), 0, "then it is good");
    drill.on = "sometimes";
    tap_ok(drill_check(&drill, &why) != 0 && strstr(why.text, "sometimes"), "its calendar is looked at");
}

static void test_remote(void)
{
    static const struct {
        const char *source, *panel, *access, *says;
    } table[] = {
        { "panel:1a7ce997", "https://panel.example.net", "@p", "" },
        { "panel:1a7ce997-259b-452e-8b4e-cecc464142ca", "http://panel.example.net", "@p", "" },
        { "panel:1a7ce997", NULL, "@p", "panel = " },
        { "panel:1a7ce997", "panel.example.net", "@p", "panel = " },
        { "panel:1a7ce997", "https://panel.example.net", NULL, "access = " },
        { "panel:../../nodes", "https://panel.example.net", "@p", "identifier" },
        { "panel:", "https://panel.example.net", "@p", "identifier" },
        { "rclone:s3:bucket/shop-*.sql.gz", NULL, "@r", "" },
        { "rclone:s3:bucket/", NULL, NULL, "" },
        { "rclone:bucket", NULL, "@r", "rclone:REMOTE:" },
        { "rclone:--config=/etc/passwd:", NULL, "@r", "rclone:REMOTE:" },
        { "ftp:elsewhere", NULL, NULL, "whole path" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct why why = { "" };
        struct drill_config drill = {
            .name = "shop", .source = table[i].source, .panel = table[i].panel, .access = table[i].access
        };
        bool good = drill_check(&drill, &why) == 0;
        tap_ok(good == (table[i].says[0] == '\0') && strstr(why.text, table[i].says), "%s", table[i].source);
    }
}

static void test_smoke(void)
{
    static const char *const names[] = { "paymenter", "pterodactyl" };
    for (size_t i = 0; i < 2; i++) {
        uint32_t count, bad = 0;
        const struct drill_assertion *rows = drill_smoke_find(names[i], &count);
        struct why why;
        for (uint32_t k = 0; k < count; k++)
            bad += drill_assertion_check(&rows[k], &why) != 0 || strncmp(rows[k].name, names[i], strlen(names[i])) != 0;
        tap_ok(rows && count > 10 && bad == 0, "%s: %u questions, each is sound and carries its name", names[i], count);
    }
    uint32_t count = 7;
    tap_ok(drill_smoke_find("wordpress", &count) == NULL && count == 0, "another application is not known");
    tap_ok(drill_smoke_find(NULL, &count) == NULL && count == 0, "none is none");
}

static void test_json(void)
{
    struct drill_assertion list[] = { { .name = "orders", .table = "orders", .min_rows = 7 },
                                      { .name = "new", .fresh = "SELECT 1", .within_ms = 9 } };
    struct drill_config drill = { .name = "shop",
                                  .source = "/b",
                                  .kind = "auto",
                                  .key = "secret",
                                  .rto_ms = 5,
                                  .network = true,
                                  .assertions = list,
                                  .assertion_count = 2,
                                  .backup = "x.sql" };
    struct drill_config read;
    struct arena arena = { 0 };
    json_t *json = drill_encode(&drill);
    tap_is_int(drill_decode(json, &arena, &read), 0, "it is read back");
    tap_is_text(read.name, "shop", "its name");
    tap_is_text(read.key, "secret", "its key");
    tap_is_text(read.backup, "x.sql", "the backup that was asked for");
    tap_ok(read.rto_ms == 5 && read.network && !read.trailer && read.on == NULL, "numbers, flags, what is not set");
    tap_ok(read.assertion_count == 2 && read.assertions[0].min_rows == 7 && read.assertions[1].within_ms == 9,
           "its assertions");
    json_object_set_new(json, "rto", json_string("4h"));
    tap_ok(drill_decode(json, &arena, &read) != 0, "a text is no number");
    json_object_set_new(json, "rto", json_integer(1));
    json_object_del(json, "assertions");
    tap_ok(drill_decode(json, &arena, &read) != 0, "assertions are a list");
    tap_ok(drill_decode(NULL, &arena, &read) != 0, "nothing is no drill");
    json_decref(json);
    arena_close(&arena);
}

/* ---- the calendar */

static const char *next(const char *on, const char *after)
{
    static char text[TEXT_TIME_SIZE];
    struct tm tm = { .tm_isdst = -1 };
    strptime(after, "%Y-%m-%d %H:%M:%S", &tm);
    int64_t at_ms = drill_on_next(on, (int64_t)mktime(&tm) * 1000);
    return text_format_local(text, at_ms);
}

static void test_calendar(void)
{
    static const struct {
        const char *on, *after, *want;
    } table[] = {
        { "daily", "2026-11-21 03:59:59", "2026-11-21 04:00:00" },
        { "daily", "2026-11-21 04:00:00", "2026-11-22 04:00:00" },
        { "23:30", "2026-12-31 23:45:00", "2027-01-01 23:30:00" },
        { "weekly", "2026-11-21 12:00:00", "2026-11-22 04:00:00" },
        { "sun 04:00", "2026-11-22 04:00:00", "2026-11-29 04:00:00" },
        { "Mon", "2026-11-22 04:00:00", "2026-11-23 04:00:00" },
        { "monthly", "2026-11-01 04:00:00", "2026-12-01 04:00:00" },
        { "15 03:30", "2026-11-21 00:00:00", "2026-12-15 03:30:00" },
        { "31", "2026-11-21 00:00:00", "2026-11-30 04:00:00" },
        { "31", "2027-02-01 00:00:00", "2027-02-28 04:00:00" },
        { "30", "2028-02-01 00:00:00", "2028-02-29 04:00:00" },
        { "quarterly", "2026-11-21 00:00:00", "2027-01-01 04:00:00" },
        { "quarterly", "2027-01-01 04:00:00", "2027-04-01 04:00:00" },
        { "quarterly 23:00", "2027-04-01 22:59:59", "2027-04-01 23:00:00" },
        { "quarterly", "2027-09-30 23:59:59", "2027-10-01 04:00:00" },
        { "yearly", "2027-01-01 03:59:59", "2027-01-01 04:00:00" },
        { "yearly", "2027-01-01 04:00:00", "2028-01-01 04:00:00" },
        { "yearly", "2028-01-01 04:00:00", "2029-01-01 04:00:00" },
        { "03-15", "2027-03-15 04:00:00", "2028-03-15 04:00:00" },
        { "12-31 23:59", "2027-12-31 23:58:59", "2027-12-31 23:59:00" },
        { "02-29", "2026-11-21 00:00:00", "2027-02-28 04:00:00" },
        { "02-29", "2027-02-28 04:00:00", "2028-02-29 04:00:00" },
        { "02-29", "2028-02-29 04:00:00", "2029-02-28 04:00:00" },
        { "03-28 02:30", "2027-01-01 00:00:00", "2027-03-28 03:30:00" },
        { "10-25 02:30", "2026-10-24 00:00:00", "2026-10-25 02:30:00" },
        { "04-31", "2027-01-01 00:00:00", "2027-04-30 04:00:00" },
        /* Berlin: 02:30 does not exist on 2027-03-28, and happens twice on 2026-10-25 */
        { "02:30", "2027-03-28 00:00:00", "2027-03-28 03:30:00" },
        { "02:30", "2026-10-25 00:00:00", "2026-10-25 02:30:00" },
        { "daily", "2027-03-27 05:00:00", "2027-03-28 04:00:00" },
    };
    static const char *const wrong[] = { "",      "often", "Sun",   "24:00",       "4:00",      "04:60",
                                         "32",    "0",     "Sun 4", "Sun 04:00 x", "04:00 Sun", "13-01",
                                         "00-10", "3-15",  "03-32", "03-00",       "03--1" };
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        tap_is_text(next(table[i].on, table[i].after), table[i].want, table[i].on);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        tap_ok((drill_on_check(wrong[i], NULL) == 0) == (strcmp(wrong[i], "Sun") == 0), "'%s'", wrong[i]);
    tap_ok(drill_on_period_ms("quarterly") == INT64_C(92) * 86400000 &&
               drill_on_period_ms("Sun 04:00") == INT64_C(7) * 86400000 && drill_on_period_ms("05:00") == 86400000 &&
               drill_on_period_ms(NULL) == 0,
           "how long it is from one to the next");
}

/* No day is left out, and none comes twice: each drill begins a little late, and asks for the next from there on. */
static void test_calendar_in_a_row(void)
{
    static const char *const zones[] = { "Europe/Berlin", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe" };
    static const char *const hours[] = { "00:00", "00:30", "01:30", "02:30", "03:30", "23:30" };
    for (size_t zone = 0; zone < sizeof zones / sizeof zones[0]; zone++) {
        setenv("TZ", zones[zone], 1);
        tzset();
        for (size_t hour = 0; hour < sizeof hours / sizeof hours[0]; hour++) {
            int64_t at_ms = drill_on_next(hours[hour], INT64_C(1767225600000)); /* in 2026 */
            int days = 0;
            for (int64_t then_ms; days < 730; days++, at_ms = then_ms) {
                then_ms = drill_on_next(hours[hour], at_ms + 3000);
                if (then_ms - at_ms < INT64_C(23) * 3600000 - 1 || then_ms - at_ms > INT64_C(25) * 3600000)
                    break;
            }
            tap_is_int(days, 730, hours[hour]);
        }
    }
}

/* ---- documents */

static bool is_written(const char *text, const struct drill_field *fields)
{
    char name[64];
    for (; fields->name; fields++) {
        snprintf(name, sizeof name, "`%s`", fields->name);
        if (!strstr(text, name)) {
            tap_ok(false, "doc/drills.md names %s", name);
            return false;
        }
    }
    return true;
}

static void test_document(void)
{
    struct arena arena = { 0 };
    const char *top = getenv("top_srcdir");
    char *text = NULL;
    size_t length;
    const char *path = file_join(&arena, top ? top : ".", "doc/drills.md");
    tap_is_int(file_read(&arena, path, 1 << 20, &text, &length), 0, "doc/drills.md is there");
    if (text)
        tap_ok(is_written(text, drill_fields) && is_written(text, drill_assertion_fields), "and names every setting");
    arena_close(&arena);
}

int main(void)
{
    test_document();
    test_values();
    test_assertions();
    test_whole();
    test_remote();
    test_smoke();
    test_json();
    test_calendar();
    test_calendar_in_a_row();
    return tap_done();
}
