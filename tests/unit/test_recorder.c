/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recorder - names, layouts, legends, arguments for librrd and scales: what decides how a file looks. */
#include <locale.h>

#include "core/base/map.h"
#include "core/recorder/args.h"
#include "core/recorder/layout.h"
#include "core/recorder/legend.h"
#include "core/recorder/scale.h"
#include "tests/recorder.h"

/* ---- names
 * ------------------------------------------------------------------------------------------------------------ */

static bool is_source_name(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= 19 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == length;
}

/* Text with few different letters, so that near collisions are many. */
static char *any_name(void)
{
    static const char *const pieces[] = {
        "a", "b", "_", "A", "2", " ", "/", ".", "%", "~", "\xC3\xA4", "memory_", "%41"
    };
    struct buf out = { 0 };
    for (uint32_t n = 1 + any(24); n > 0; n--)
        buf_text(&out, pieces[any(sizeof(pieces) / sizeof(*pieces))]);
    char *name = arena_text(&arena, out.data);
    buf_close(&out);
    return name;
}

static char *map_source(const char *name)
{
    char out[NAME_SOURCE_SIZE];
    return arena_text(&arena, name_source(out, name));
}

static char *map_part(const char *name)
{
    return name_part(&arena, name);
}

static bool is_part_file(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= NAME_PART_MAX && name[0] != '.' && !strpbrk(name, "/:\\ ");
}

/* No two of many names may get the same image; and the image of an image is again its own. */
static void check_injective(char *(*image)(const char *), bool (*is_good)(const char *), const char *what)
{
    struct map seen = { 0 };
    bool good = true, shape = true;
    for (int i = 0; i < 40000; i++) {
        char *name = any_name();
        for (int round = 0; round < 2; round++) {
            char *mapped = image(name);
            shape = shape && is_good(mapped);
            const char *other = map_get(&seen, mapped);
            if (!other)
                map_put(&seen, mapped, name);
            else if (strcmp(other, name) != 0)
                good = tap_ok(false, "'%s' and '%s' are both '%s'", name, other, mapped);
            name = mapped;
        }
    }
    tap_ok(good, "%s: 80000 names, no two the same", what);
    tap_ok(shape, "%s: every one is well formed", what);
    map_close(&seen);
    arena_reset(&arena);
}

static void test_names(void)
{
    char out[NAME_SOURCE_SIZE], again[NAME_SOURCE_SIZE];
    tap_is_text(name_source(out, "latency"), "latency", "a short name stays");
    tap_is_text(name_source(out, "abcdefghijklmnopqrs"), "abcdefghijklmnopqrs", "19 characters stay");
    name_source(out, "abcdefghijklmnopqrst");
    tap_ok(strncmp(out, "abcdefgh_", 9) == 0 && strlen(out) == 19, "20 characters are cut and hashed: %s", out);
    name_source(again, out);
    tap_ok(strcmp(out, again) != 0, "a name that looks made is hashed itself");
    tap_ok(is_source_name(name_source(out, "")), "the empty name has one, too: %s", out);
    tap_is_text(name_part(&arena, "web-1.example"), "web-1.example", "a plain part stays");
    tap_is_text(name_part(&arena, "/var"), "%2Fvar", "a slash is escaped");
    tap_is_text(name_part(&arena, "web 1%"), "web%201%25", "a blank and a percent sign are escaped");
    tap_is_text(name_part(&arena, ".."), "%2E.", "no part names a folder");
    tap_is_text(name_file(&arena, "/r", "disk/space@web1", "/var"), "/r/disk/space@web1/%2Fvar.rrd", "file of a part");
    tap_is_text(name_file(&arena, "/r", "redis/server", NULL), "/r/redis/server.rrd", "file of a check");
    tap_ok(!name_file(&arena, "/r", "../etc", NULL) && !name_file(&arena, "/r", "a/b", ""), "no file for a bad id");
    check_injective(map_source, is_source_name, "data sources");
    check_injective(map_part, is_part_file, "parts");
}

/* ---- layouts, legends, scales ----------------------------------------------------------------------------------- */

static void test_layout(void)
{
    struct layout layout;
    struct why why;
    struct series series = make_series("a/b", 3, 60);
    tap_ok(layout_make(&arena, &series, NULL, &layout, &why) == 0, "a layout");
    tap_is_int(layout.archive_count, 1, "two archives of one resolution are one");
    tap_is_int(layout.archives[0].rows, 1440, "the longer one");
    tap_is_int(layout.sources[0].heartbeat_s, 150, "the heartbeat is the series'");
    tap_is_text(layout.sources[1].type, "DERIVE", "a counter");
    series.heartbeat_s = 0;
    layout_make(&arena, &series, NULL, &layout, &why);
    tap_is_int(layout.sources[0].heartbeat_s, 120, "a heartbeat below the step becomes two steps");
    struct series_archive huge[] = { { 1, UINT32_MAX } };
    series = make_series("a/b", 3, 1);
    series.archives = huge;
    series.archive_count = 1;
    tap_is_int(layout_make(&arena, &series, NULL, &layout, &why), ERROR_LIMIT, why.text);
    series = make_series("a/b", 2, 1);
    struct series_source twice[] = { sources[0], sources[0] };
    series.sources = twice;
    tap_is_int(layout_make(&arena, &series, NULL, &layout, &why), ERROR_SYNTAX, why.text);
}

static void test_legend(void)
{
    char *path = path_of("redis/legend");
    struct legend legend;
    struct why why;
    fill("redis/legend", 3, 10, NOW - 300, 3);
    tap_ok(legend_read(&arena, path, &legend, &why) == 0 && legend.metric_count == 3, "read back");
    tap_is_text(legend.check, "redis/legend", "check");
    tap_is_text(legend.metrics[1].name, sources[1].metric, "the metric's whole name");
    tap_is_text(legend.metrics[0].unit, "s", "unit");
    tap_is_text(legend.metrics[0].warn, "0.1", "warn");
    tap_ok(legend.metrics[2].crit == NULL, "no threshold");
    tap_is_int(legend.metrics[1].kind, BELFRY_COUNTER, "kind");
    static const char *const hostile[] = { "",
                                           "[]",
                                           "{",
                                           "{ \"version\": 2 }",
                                           "{ \"version\": 1, \"check\": \"a/b\", \"step\": 10, \"metrics\": [ 5 ] }",
                                           "{ \"version\": 1, \"check\": \"a/b\", \"step\": 10, \"metrics\": [ { "
                                           "\"name\": \"x\", \"unit\": \"\", \"source\": "
                                           "\"a:b\" } ] }",
                                           "{ \"version\": 1, \"check\": \"a/b\", \"step\": -1, \"metrics\": [] }" };
    char *map = arena_print(&arena, "%s" LEGEND_SUFFIX, path);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
        file_replace(map, hostile[i], strlen(hostile[i]), 0644);
        tap_is_int(legend_read(&arena, path, &legend, &why), ERROR_DAMAGED, why.text);
    }
}

static void test_args(void)
{
    struct args args = { .arena = &arena };
    tap_is_text(args_number(&arena, -1234.5), "-1.2345000000e+03", "a number");
    tap_is_text(args_number(&arena, 0.1), "1.0000000000e-01", "another");
    tap_is_text(args_number(&arena, NAN), "U", "no number");
    if (setlocale(LC_ALL, "de_DE.UTF-8"))
        tap_is_text(args_number(&arena, 0.5), "5.0000000000e-01", "a number in a locale with commas");
    else
        tap_skip("a number in a locale with commas", "there is none here");
    setlocale(LC_ALL, "C");
    for (int i = 0; i < 100; i++)
        args_add(&args, "x%d", i);
    args_escaped(&args, "COMMENT:", "a:b\\c %s\n\x1b");
    tap_ok(strncmp(args.v[100], "COMMENT:a\\:b/c %s", 17) == 0 && !strpbrk(args.v[100], "\n\x1b"),
           "a text is escaped: %s", args.v[100]);
    args_plain(&args, "--title=", "a:b\\c");
    args_append(&args, "!");
    tap_is_text(args.v[101], "--title=a:b\\c!", "an option's value is not");
    tap_ok(args.count == 102 && args.v[102] == NULL && strcmp(args.v[99], "x99") == 0, "the list has its end");
}

static void test_scale(void)
{
    static const struct {
        const char *unit;
        double greatest;
        const char *shown;
        double size;
    } rows[] = { { "s", 0.004, "ms", 1e-3 },
                 { "s", 2e-5, "\xC2\xB5s", 1e-6 },
                 { "s", 30, "s", 1 },
                 { "s", 90000, "h", 3600 },
                 { "B", 3e9, "GiB", 0x1p30 },
                 { "B/s", 5000, "KiB/s", 1024 },
                 { "%", 99, "%", 1 },
                 { "/s", 250000, "k/s", 1e3 },
                 { "", 7, "", 1 },
                 { "s", NAN, "s", 1 },
                 { "B", 0, "B", 1 } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct scale scale = scale_choose(rows[i].unit, rows[i].greatest);
        tap_is_text(scale.unit, rows[i].shown, rows[i].unit);
        tap_is_near(scale.size, rows[i].size, "its size");
    }
    char unit[SCALE_UNIT_SIZE];
    plugin_recorded_unit(unit, "B", BELFRY_COUNTER);
    tap_is_text(unit, "B/s", "a counter of bytes");
    plugin_recorded_unit(unit, "c", BELFRY_COUNTER);
    tap_is_text(unit, "/s", "a plain counter");
}

int main(void)
{
    make_folder();
    test_names();
    test_layout();
    test_legend();
    test_args();
    test_scale();
    remove_folder();
    return tap_done();
}
