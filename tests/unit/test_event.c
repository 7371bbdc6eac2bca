/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_event - every type of the table is written as JSON and read back; what is missing or of the wrong kind is
 * refused. */
#include "core/model/event.h"

#include <jansson.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tests/tap.h"

#define AT "\"at\":\"2026-11-21T10:31:07.123Z\""
#define AT_MS 1795257067123

static struct event full(enum event_type type)
{
    return (struct event){ .type = type,
                           .wall_ms = AT_MS,
                           .check = "redis/server",
                           .part = "no\"de\n1",
                           .breaker = "cloudflare-api",
                           .service = "redis",
                           .plugin = "redis",
                           .version = "1.0",
                           .path = "/usr/lib/belfry/redis.so",
                           .name = "restart",
                           .by = "root",
                           .text = "caf\xC3\xA9 | refused",
                           .from = BELFRY_WARNING,
                           .to = BELFRY_CRITICAL,
                           .hard = true,
                           .attempt = 2,
                           .attempts = 4294967295u,
                           .on = true,
                           .percent = 33.3,
                           .failures = 5,
                           .pause_ms = -30000,
                           .offset = 4711,
                           .bytes = 12,
                           .line = 3,
                           .count = INT64_C(9000000000),
                           .sha256 = "00ff",
                           .drill = "shop",
                           .runbook = "shop-down",
                           .id = "0123456789abcdef",
                           .phase = "restore",
                           .figures = "{\"rto\":{\"ms\":1}}" };
}

static void put_line(struct buf *out, const struct event *event)
{
    char at[TEXT_TIME_SIZE];
    buf_reset(out);
    buf_print(out, "{\"seq\":7,\"at\":\"%s\",\"type\":\"%s\",", text_format_utc(at, event->wall_ms),
              event_name(event->type));
    event_encode(out, event);
    buf_text(out, out->data[out->length - 1] == ',' ? "\"x\":1}" : "}");
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether every field that fields names came back, and every other is empty. */
static bool same(const struct event *a, const struct event *want, unsigned fields)
{
#define TEXT_(bit, member) same_text(a->member, fields &(bit) ? want->member : NULL)
    bool texts = TEXT_(E_CHECK, check) && TEXT_(E_PART, part) && TEXT_(E_BREAKER, breaker) &&
                 TEXT_(E_SERVICE, service) && TEXT_(E_PLUGIN, plugin) && TEXT_(E_VERSION, version) &&
                 TEXT_(E_PATH, path) && TEXT_(E_NAME, name) && TEXT_(E_WHO, by) && TEXT_(E_TEXT, text) &&
                 TEXT_(E_DIGEST, sha256) && TEXT_(E_DRILL, drill) && TEXT_(E_RUNBOOK, runbook) &&
                 TEXT_(E_DRILL | E_RUNBOOK, id) && TEXT_(E_PHASE, phase) && TEXT_(E_FIGURES, figures);
#undef TEXT_
#define VALUE_(bit, member) (!(fields & (bit)) || a->member == want->member)
    return texts && a->type == want->type && a->wall_ms == want->wall_ms && VALUE_(E_STATES, from) &&
           VALUE_(E_STATES, to) && VALUE_(E_STATES, hard) && VALUE_(E_ATTEMPT, attempt) &&
           VALUE_(E_ATTEMPT, attempts) && VALUE_(E_ON, on) && VALUE_(E_PERCENT, percent) &&
           VALUE_(E_FAILURES, failures) && VALUE_(E_PAUSE, pause_ms) && VALUE_(E_OFFSET, offset) &&
           VALUE_(E_BYTES, bytes) && VALUE_(E_LINE, line) && VALUE_(E_COUNT, count);
#undef VALUE_
}

static const unsigned fields_of[] = {
#define FIELDS_(id, name, fields) (unsigned)(fields),
    EVENT_LIST(FIELDS_)
#undef FIELDS_
};

static void test_round_trip(void)
{
    struct buf line = { 0 };
    struct arena arena = { 0 };
    for (unsigned type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct event event = full((enum event_type)type), read;
        const char *name = event_name(event.type);
        tap_is_int(event_from_name(name), type, name);
        put_line(&line, &event);
        tap_is_int(event_decode(&arena, line.data, line.length, &read), 0, "is read");
        tap_ok(same(&read, &event, fields_of[type]), "with its fields and no others");
        event.hard = event.on = false;
        event.from = BELFRY_OK;
        event.to = BELFRY_UNKNOWN;
        put_line(&line, &event);
        tap_ok(event_decode(&arena, line.data, line.length, &read) == 0 && same(&read, &event, fields_of[type]),
               "also with other values");
    }
    tap_is_int(event_from_name("no.such"), EVENT_TYPE_COUNT, "no such type");
    tap_is_text(event_name(EVENT_TYPE_COUNT), "unknown", "no such type's name");
    arena_close(&arena);
    buf_close(&line);
}

static void test_text(void)
{
    struct buf out = { 0 };
    struct event event = full(EVENT_CHECK_STATE);
    event_encode(&out, &event);
    tap_is_text(out.data,
                "\"check\":\"redis/server\",\"from\":\"WARNING\",\"to\":\"CRITICAL\",\"kind\":\"hard\",\"attempt\":2,"
                "\"attempts\":4294967295,\"text\":\"caf\xC3\xA9 | refused\"",
                "check.state as it stands in the journal");
    buf_reset(&out);
    event = (struct event){ .type = EVENT_PLUGIN_CRASHED, .plugin = "http", .text = "SIGSEGV" };
    event_encode(&out, &event);
    tap_is_text(out.data, "\"plugin\":\"http\",\"text\":\"SIGSEGV\"", "what is NULL is left out");
    buf_reset(&out);
    buf_text(&out, "{");
    event = (struct event){ .type = EVENT_BREAKER_OPEN, .breaker = "b", .failures = 5, .pause_ms = 30000 };
    event_encode(&out, &event);
    tap_is_text(out.data, "{\"breaker\":\"b\",\"failures\":5,\"ms\":30000", "no comma before the first member");
    buf_close(&out);
}

static void test_refused(void)
{
#define STATE_ "\"type\":\"check.state\",\"check\":\"a/b\",\"to\":\"OK\",\"kind\":\"soft\",\"attempt\":1,\"attempts\":2"
    static const struct {
        const char *line;
        int code;
    } table[] = {
        { "{" AT "," STATE_ ",\"from\":\"OK\"}", 0 },
        { "{" AT "," STATE_ ",\"from\":\"OK\",\"text\":null}", 0 },
        { "{" AT "," STATE_ ",\"from\":\"OK\",\"text\":5}", ERROR_SYNTAX },
        { "{" AT "," STATE_ ",\"from\":\"FINE\"}", ERROR_SYNTAX },
        { "{" AT "," STATE_ ",\"from\":3}", ERROR_SYNTAX },
        { "{" AT "," STATE_ "}", ERROR_SYNTAX },
        { "{" STATE_ ",\"from\":\"OK\"}", ERROR_SYNTAX },
        { "{\"at\":\"yesterday\"," STATE_ ",\"from\":\"OK\"}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"no.such\"}", ERROR_UNKNOWN_NAME },
        { "{" AT ",\"type\":7}", ERROR_SYNTAX },
        { "{" AT "}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"check.added\"}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"check.added\",\"check\":null}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"check.added\",\"check\":[]}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"check.event\",\"check\":\"a/b\",\"name\":\"x.y\"}", 0 },
        { "{" AT ",\"type\":\"part.gone\",\"check\":\"a/b\"}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"check.flapping\",\"check\":\"a/b\",\"on\":true,\"percent\":50}", 0 },
        { "{" AT ",\"type\":\"check.flapping\",\"check\":\"a/b\",\"on\":1,\"percent\":50}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"check.flapping\",\"check\":\"a/b\",\"on\":true,\"percent\":null}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"breaker.open\",\"breaker\":\"b\",\"failures\":5,\"ms\":1}", 0 },
        { "{" AT ",\"type\":\"breaker.open\",\"breaker\":\"b\",\"failures\":-1,\"ms\":1}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"breaker.open\",\"breaker\":\"b\",\"failures\":4294967296,\"ms\":1}", ERROR_SYNTAX },
        { "{" AT ",\"type\":\"breaker.open\",\"breaker\":\"b\",\"failures\":5,\"ms\":1.5}", ERROR_SYNTAX },
        { "[]", ERROR_SYNTAX },
        { "", ERROR_SYNTAX },
        { "{", ERROR_SYNTAX },
        { "null", ERROR_SYNTAX },
        { "{" AT "," STATE_ ",\"from\":\"OK\"} x", ERROR_SYNTAX },
    };
    struct arena arena = { 0 };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct event event = { .attempt = 4711 };
        int code = event_decode(&arena, table[i].line, strlen(table[i].line), &event);
        tap_is_int(code, table[i].code, table[i].line);
        tap_ok(code == 0 || event.attempt == 4711, "and nothing is written when it is refused");
    }
    arena_close(&arena);
}

int main(void)
{
    test_round_trip();
    test_text();
    test_refused();
    return tap_done();
}
