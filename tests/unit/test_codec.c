/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_codec - what travels between processes: every structure comes back as it was, and hostile bytes (all
 * truncations, thousands of seeded mutations) are refused without a crash and without more memory than they pay for.
 * Run it under the sanitizers. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/model/plugin.h"
#include "core/model/result.h"
#include "core/model/series.h"
#include "core/model/task.h"
#include "tests/tap.h"

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545F4914F6CDD1Du;
}

/* ---- one of each, with every field in use */

static struct result_metric metrics[] = {
    { NULL, "latency", "s", 0.25, BELFRY_GAUGE, "~:0.1", "~:1", "0", NULL, false },
    { "node1", "bytes", "B", NAN, BELFRY_COUNTER, NULL, NULL, NULL, "1e9", true },
};
static struct result_part parts[] = { { "node1", BELFRY_OK, "fine" }, { "node2", BELFRY_CRITICAL, "" } };
static struct result_event events[] = { { "container.restarted", "node1", "twice" }, { "a.b", NULL, "" } };
static struct kept_value kept_values[] = { { "counter", "17" }, { "k", "" } };
static const struct result full_result = { .end = RESULT_RETURNED,
                                           .state = BELFRY_WARNING,
                                           .reached = true,
                                           .truncated = true,
                                           .text = "slow",
                                           .detail = "line 1\nline 2",
                                           .duration_us = 123456,
                                           .metrics = metrics,
                                           .metric_count = 2,
                                           .parts = parts,
                                           .part_count = 2,
                                           .events = events,
                                           .event_count = 2,
                                           .kept_changed = true,
                                           .kept = { kept_values, 2 } };

static const char *names[] = { "X-A", "X-B" }, *values[] = { "1", "" }, *one[] = { "127.0.0.1" };
static struct task_option task_options[] = { { "host", NULL, one, 1 },
                                             { "header", names, values, 2 },
                                             { "empty", NULL, NULL, 0 } };
static const struct task full_task = { "redis/server", task_options, 3 };

static struct series_source sources[] = { { "latency", BELFRY_GAUGE, 0, NAN, "s", "~:0.1", NULL, NULL, true },
                                          { "bytes", BELFRY_COUNTER, NAN, 1e9, NULL, NULL, "@5", "octets", false } };
static struct series_archive archives[] = { { 60, 172800 }, { 300, 1209600 } };
static struct plugin_view views[] = {
    { "times", "Times", "latency", NULL, BELFRY_LINES, false },
    { "counts", "Counts", "by*", "bytes", BELFRY_STACK, true },
};
static const struct series full_series = { "redis/server", "node1", 60, 150, sources, 2, archives, 2, views, 2 };

static const char *const choices[] = { "a", "b", NULL }, *const no_choices[] = { NULL };
static struct plugin_option plugin_options[] = {
    { "host", "Where it is", NULL, "db1", BELFRY_HOST, true, false, false, false, no_choices },
    { "mode", "How", "a", NULL, BELFRY_TEXT, false, true, false, true, choices },
};
static struct plugin_metric plugin_metrics[] = {
    { "latency", "s", "How long", "~:0.1", "~:1", "0", "10", BELFRY_GAUGE },
    { "bytes", "", "How many", NULL, NULL, NULL, NULL, BELFRY_COUNTER },
};
static const struct plugin_info full_info = { "redis",
                                              "1.0",
                                              "Redis",
                                              "A paragraph",
                                              "/x/redis.so",
                                              0x1234567890,
                                              1,
                                              BELFRY_NEEDS_FILES,
                                              true,
                                              plugin_options,
                                              2,
                                              plugin_metrics,
                                              2,
                                              views,
                                              2 };

/* ---- one row a structure */

static void encode_result(struct buf *out, const void *value)
{
    result_encode(out, value);
}
static int decode_result(struct wire_reader *r, struct arena *arena, void *out)
{
    return result_decode(r, arena, out);
}
static void encode_task(struct buf *out, const void *value)
{
    task_encode(out, value);
}
static int decode_task(struct wire_reader *r, struct arena *arena, void *out)
{
    return task_decode(r, arena, out);
}
static void encode_series(struct buf *out, const void *value)
{
    series_encode(out, value);
}
static int decode_series(struct wire_reader *r, struct arena *arena, void *out)
{
    return series_decode(r, arena, out);
}
static void encode_info(struct buf *out, const void *value)
{
    plugin_info_encode(out, value);
}
static int decode_info(struct wire_reader *r, struct arena *arena, void *out)
{
    return plugin_info_decode(r, arena, out);
}

union any {
    struct result result;
    struct task task;
    struct series series;
    struct plugin_info info;
};

static const struct codec {
    const char *name;
    const void *value;
    void (*encode)(struct buf *out, const void *value);
    int (*decode)(struct wire_reader *r, struct arena *arena, void *out);
} codecs[] = {
    { "result", &full_result, encode_result, decode_result },
    { "task", &full_task, encode_task, decode_task },
    { "series", &full_series, encode_series, decode_series },
    { "plugin_info", &full_info, encode_info, decode_info },
};

static struct wire_reader reader(const void *bytes, size_t n)
{
    return (struct wire_reader){ .at = bytes, .end = (const unsigned char *)bytes + n };
}

/* Decoded and encoded again it is the same bytes: so every field came back. */
static void test_round_trip(const struct codec *codec)
{
    struct buf first = { 0 }, second = { 0 };
    struct arena arena = { 0 };
    union any any;
    codec->encode(&first, codec->value);
    struct wire_reader r = reader(first.data, first.length);
    tap_is_int(codec->decode(&r, &arena, &any), 0, codec->name);
    tap_is_int(wire_done(&r), 0, "was read to its end");
    codec->encode(&second, &any);
    tap_ok(first.length == second.length && memcmp(first.data, second.data, first.length) == 0, "came back whole");
    arena_close(&arena);
    buf_close(&first);
    buf_close(&second);
}

/* The bytes lie in a block of exactly their size, so that the sanitizer sees a read of one too many. */
static int try_bytes(const struct codec *codec, const char *bytes, size_t n, struct arena *arena)
{
    char *copy = malloc(n ? n : 1);
    union any any;
    memcpy(copy, bytes, n);
    struct wire_reader r = reader(copy, n);
    int code = codec->decode(&r, arena, &any);
    if (code == 0)
        code = wire_done(&r);
    if (code == 0) { /* what was accepted can be used */
        struct buf again = { 0 };
        codec->encode(&again, &any);
        buf_close(&again);
    }
    free(copy);
    return code;
}

static void test_truncated(const struct codec *codec)
{
    struct buf bytes = { 0 };
    struct arena arena = { 0 };
    size_t accepted = 0;
    codec->encode(&bytes, codec->value);
    for (size_t n = 0; n < bytes.length; n++)
        accepted += try_bytes(codec, bytes.data, n, &arena) != ERROR_PROTOCOL;
    tap_is_int(accepted, 0, "no truncation is accepted");
    buf_char(&bytes, 'x');
    tap_is_int(try_bytes(codec, bytes.data, bytes.length, &arena), ERROR_PROTOCOL, "nor a byte too many");
    arena_close(&arena);
    buf_close(&bytes);
}

static void mutate(struct buf *bytes, uint64_t *seed)
{
    static const unsigned char liked[] = { 0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, '=', '\n' };
    for (uint64_t n = draw(seed) % 4 + 1; n > 0 && bytes->length > 0; n--) {
        char *at = bytes->data + draw(seed) % bytes->length;
        uint64_t kind = draw(seed) % 5;
        if (kind == 0)
            *at = (char)liked[draw(seed) % sizeof liked];
        else if (kind == 1)
            *at = (char)draw(seed);
        else if (kind == 2)
            *at ^= (char)(1 << draw(seed) % 8);
        else if (kind == 3 && bytes->data + bytes->length - at >= 4)
            memset(at, draw(seed) % 2 ? 0xFF : 0, 4);
        else
            bytes->length -= draw(seed) % (bytes->length < 8 ? bytes->length : 8);
    }
}

static void test_mutated(const struct codec *codec)
{
    struct buf bytes = { 0 };
    uint64_t seed = 2026;
    int refused = 0, other = 0;
    size_t most = 0;
    for (int i = 0; i < 20000; i++) {
        struct arena arena = { 0 };
        buf_reset(&bytes);
        codec->encode(&bytes, codec->value);
        mutate(&bytes, &seed);
        int code = try_bytes(codec, bytes.data, bytes.length, &arena);
        refused += code == ERROR_PROTOCOL;
        other += code != 0 && code != ERROR_PROTOCOL;
        most = arena.used_bytes > most ? arena.used_bytes : most;
        arena_close(&arena);
    }
    tap_is_int(other, 0, "a mutation is accepted or refused, nothing else");
    tap_ok(refused > 2000, "most harmful ones are refused (%d of 20000)", refused);
    tap_ok(most < 64u << 10, "a small frame never takes much memory (at most %zu bytes)", most);
    buf_close(&bytes);
}

/* ---- bounds and enums, one by one */

#define FIELD(type, full, member, value_)                                                                              \
    do {                                                                                                               \
        struct type changed = full;                                                                                    \
        changed.member = value_;                                                                                       \
        try_changed(#type "." #member " = " #value_, &changed, &codecs[code_of_##type]);                               \
    } while (0)
enum {
    code_of_result,
    code_of_task,
    code_of_series,
    code_of_plugin_info
};

static char wide[70000];

static const char *text_of(size_t n)
{
    return wide + sizeof wide - 1 - n;
}

static bool accepts(const void *value, const struct codec *codec)
{
    struct buf bytes = { 0 };
    struct arena arena = { 0 };
    codec->encode(&bytes, value);
    int code = try_bytes(codec, bytes.data, bytes.length, &arena);
    arena_close(&arena);
    buf_close(&bytes);
    return code == 0;
}

static void try_changed(const char *what, const void *value, const struct codec *codec)
{
    tap_ok(!accepts(value, codec), "refused: %s", what);
}

static void test_result_bounds(void)
{
    FIELD(result, full_result, end, (enum result_end)5);
    FIELD(result, full_result, state, (enum belfry_state)4);
    FIELD(result, full_result, text, text_of(RESULT_TEXT_MAX + 1));
    FIELD(result, full_result, detail, text_of(RESULT_DETAIL_MAX + 1));
    struct result most = full_result;
    most.text = text_of(RESULT_TEXT_MAX);
    most.detail = text_of(RESULT_DETAIL_MAX);
    tap_ok(accepts(&most, &codecs[0]), "accepted: the longest texts");
    most.text = most.detail = NULL;
    tap_ok(accepts(&most, &codecs[0]), "accepted: no texts");

    static struct result_metric metric;
    struct result one_metric = { .text = "", .metrics = &metric, .metric_count = 1 };
#define METRIC(member, value_)                                                                                         \
    metric = metrics[0];                                                                                               \
    metric.member = value_;                                                                                            \
    try_changed("metric." #member " = " #value_, &one_metric, &codecs[0])
    METRIC(name, NULL);
    METRIC(name, "");
    METRIC(name, "a=b");
    METRIC(name, "a\nb");
    METRIC(name, text_of(RESULT_NAME_MAX + 1));
    METRIC(unit, NULL);
    METRIC(unit, text_of(RESULT_NAME_MAX + 1));
    METRIC(kind, 2);
    METRIC(part, text_of(RESULT_PART_MAX + 1));
    METRIC(warn, text_of(RESULT_RANGE_MAX + 1));
    METRIC(max, text_of(RESULT_RANGE_MAX + 1));
    metric = metrics[0];
    metric.name = text_of(RESULT_NAME_MAX);
    tap_ok(accepts(&one_metric, &codecs[0]), "accepted: the longest name");

    static struct result_part part;
    struct result one_part = { .text = "", .parts = &part, .part_count = 1 };
    part = (struct result_part){ "", BELFRY_OK, "" };
    try_changed("a part without a name", &one_part, &codecs[0]);
    part = (struct result_part){ "p", (enum belfry_state)4, "" };
    try_changed("a part without a state", &one_part, &codecs[0]);
    part = (struct result_part){ "p", BELFRY_OK, NULL };
    try_changed("a part without a text", &one_part, &codecs[0]);
    static struct kept_value value;
    struct result one_kept = { .text = "", .kept = { &value, 1 } };
    value = (struct kept_value){ "k", text_of(RESULT_KEPT_BYTES_MAX + 1) };
    try_changed("a kept value that is too long", &one_kept, &codecs[0]);
    value = (struct kept_value){ "", "v" };
    try_changed("a kept value without a name", &one_kept, &codecs[0]);
}

static void test_counts(void)
{
    static struct result_part many_parts[RESULT_PARTS_MAX + 1];
    static struct kept_value many_kept[RESULT_KEPT_MAX + 1];
    static struct result_event many_events[RESULT_EVENTS_MAX + 1];
    static struct result_metric many_metrics[RESULT_METRICS_MAX + 1];
    for (size_t i = 0; i <= RESULT_PARTS_MAX; i++)
        many_parts[i] = parts[0];
    for (size_t i = 0; i <= RESULT_KEPT_MAX; i++)
        many_kept[i] = kept_values[0];
    for (size_t i = 0; i <= RESULT_EVENTS_MAX; i++)
        many_events[i] = events[0];
    for (size_t i = 0; i <= RESULT_METRICS_MAX; i++)
        many_metrics[i] = metrics[1];
    struct result most = { .text = "",
                           .parts = many_parts,
                           .part_count = RESULT_PARTS_MAX,
                           .metrics = many_metrics,
                           .metric_count = RESULT_METRICS_MAX,
                           .events = many_events,
                           .event_count = RESULT_EVENTS_MAX,
                           .kept = { many_kept, RESULT_KEPT_MAX } };
    tap_ok(accepts(&most, &codecs[0]), "accepted: as many of all as there may be");
    FIELD(result, most, part_count, RESULT_PARTS_MAX + 1);
    FIELD(result, most, metric_count, RESULT_METRICS_MAX + 1);
    FIELD(result, most, event_count, RESULT_EVENTS_MAX + 1);
    FIELD(result, most, kept.count, RESULT_KEPT_MAX + 1);
}

static void test_other_bounds(void)
{
    FIELD(task, full_task, id, NULL);
    FIELD(task, full_task, id, "");
    FIELD(series, full_series, check, "redis");
    FIELD(series, full_series, check, "../../etc/passwd");
    FIELD(series, full_series, check, NULL);
    FIELD(series, full_series, part, "");
    FIELD(series, full_series, step_s, 0);
    FIELD(series, full_series, heartbeat_s, 0);
    FIELD(plugin_info, full_info, name, "../x");
    FIELD(plugin_info, full_info, name, NULL);
    FIELD(plugin_info, full_info, version, NULL);
    FIELD(plugin_info, full_info, summary, "");
    FIELD(plugin_info, full_info, path, NULL);
    static struct plugin_option option;
    struct plugin_info one_option = full_info;
    one_option.options = &option;
    one_option.option_count = 1;
    option = plugin_options[0];
    tap_ok(accepts(&one_option, &codecs[code_of_plugin_info]), "accepted: one option");
    option.type = 12;
    try_changed("an option of an unknown type", &one_option, &codecs[code_of_plugin_info]);
    option = plugin_options[0];
    option.name = "timeout";
    try_changed("an option with a word of the framework", &one_option, &codecs[code_of_plugin_info]);
    static struct series_archive archive;
    struct series one_archive = full_series;
    one_archive.archives = &archive;
    one_archive.archive_count = 1;
    try_changed("an archive of points without length", &one_archive, &codecs[code_of_series]);
}

/* A plugin that writes into its worker's socket sends what it likes. */
static void test_shown(void)
{
    struct result result = { .text = "a\xff\x1b[31m", .detail = "one\n\x80" };
    struct result_part part = { .name = "p\xc3", .text = "\xed\xa0\x80" };
    struct kept_value kept = { "k\xff", "v\x01" };
    struct arena arena = { 0 };
    struct buf out = { 0 };
    result.parts = &part;
    result.part_count = 1;
    result.kept = (struct kept){ &kept, 1 };
    result.kept_changed = true;
    result_encode(&out, &result);
    struct wire_reader r = reader(out.data, out.length);
    tap_is_int(result_decode(&r, &arena, &result), 0, "a result with bytes that are no text is read");
    tap_is_text(result.text, "a\xEF\xBF\xBD\\x1b[31m", "its text is made visible");
    tap_is_text(result.detail, "one\n\xEF\xBF\xBD", "and its detail, with its lines");
    tap_ok(strstr(result.parts[0].name, "\xEF\xBF\xBD") && strstr(result.parts[0].text, "\xEF\xBF\xBD"),
           "and its parts");
    tap_ok(strcmp(result.kept.values[0].key, "k\xff") == 0 && strcmp(result.kept.values[0].value, "v\x01") == 0,
           "kept values are the plugin's own");
    buf_close(&out);
    arena_close(&arena);
}

int main(void)
{
    memset(wide, 'w', sizeof wide - 1);
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        test_round_trip(&codecs[i]);
        test_truncated(&codecs[i]);
        test_mutated(&codecs[i]);
    }
    test_result_bounds();
    test_shown();
    test_counts();
    test_other_bounds();
    return tap_done();
}
