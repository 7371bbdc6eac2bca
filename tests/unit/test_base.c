/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_base - the small rooms of core/base: arena, buf with its JSON writer, map, digest, error, log, clock. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/text.h"
#include "tests/tap.h"

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545F4914F6CDD1Du;
}

/* ---- arena */

static bool is_zero(const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

/* Many allocations of all sizes: zeroed, aligned, and none overlaps another. */
static void test_arena_alloc(void)
{
    enum {
        N = 2000
    };
    struct arena arena = { 0 };
    uint64_t seed = 1;
    for (int round = 0; round < 3; round++) {
        static unsigned char *all[N];
        static size_t sizes[N];
        bool zero = true, aligned = true, kept = true;
        for (int i = 0; i < N; i++) {
            sizes[i] = draw(&seed) % (i % 100 == 0 ? 300000 : 200);
            all[i] = arena_alloc(&arena, sizes[i]);
            zero = zero && is_zero(all[i], sizes[i]);
            aligned = aligned && (uintptr_t)all[i] % _Alignof(max_align_t) == 0;
            memset(all[i], i % 251 + 1, sizes[i]);
        }
        for (int i = 0; i < N; i++) {
            for (size_t j = 0; j < sizes[i]; j++)
                kept = kept && all[i][j] == i % 251 + 1;
        }
        tap_ok(zero && aligned && kept, "arena: memory is zeroed, aligned and its own, round %d", round);
        arena_reset(&arena);
        tap_is_int(arena.used_bytes, 0, "arena: a reset forgets all");
    }
    arena_close(&arena);
    tap_ok(!arena.blocks && !arena.next, "arena: closed");
    arena_close(&arena);
    arena_close(NULL);
}

/* After a reset the same work needs no new block. */
static void test_arena_reuse(void)
{
    struct arena arena = { 0 };
    arena_alloc(&arena, 1000);
    struct arena_block *block = arena.blocks;
    bool same = true;
    for (int i = 0; i < 100; i++) {
        arena_reset(&arena);
        arena_alloc(&arena, 1000);
        same = same && arena.blocks == block;
    }
    tap_ok(same, "arena: a reset keeps a block for reuse");
    arena_alloc(&arena, 4u << 20);
    arena_reset(&arena);
    char *small = arena_alloc(&arena, 16);
    tap_ok(small >= (char *)block && small < (char *)block + 8192, "arena: a giant block is given back");
    arena_close(&arena);
    arena_alloc(&arena, 4u << 20);
    arena_reset(&arena);
    tap_ok(arena.blocks == NULL, "arena: also when it is the only one");
}

static void test_arena_text(void)
{
    struct arena arena = { 0 };
    tap_is_text(arena_text(&arena, "abc"), "abc", "arena_text");
    tap_ok(arena_text(&arena, NULL) == NULL, "arena_text of NULL");
    tap_is_text(arena_text_n(&arena, "abcdef", 3), "abc", "arena_text_n");
    tap_is_text(arena_print(&arena, "%s-%d", "x", 7), "x-7", "arena_print");
    char *wide = arena_print(&arena, "%5000d|", 7);
    tap_ok(strlen(wide) == 5001 && wide[4999] == '7', "arena_print longer than any small buffer");
    tap_is_int(strlen(arena_print(&arena, "%255d", 1)), 255, "arena_print at the small buffer's border");
    tap_is_int(strlen(arena_print(&arena, "%256d", 1)), 256, "arena_print behind it");
    arena_close(&arena);
}

/* Runs ask() in a child and returns its wait status; what it logs goes to *log. */
static int in_child(void (*ask)(void), char *log, size_t size)
{
    int out[2];
    if (pipe(out) != 0)
        return -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        close(out[0]);
        ask();
        _exit(0);
    }
    close(out[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(out[0], log + length, size - 1 - length)) > 0)
        length += (size_t)n;
    log[length] = '\0';
    close(out[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

static void ask_overflow(void)
{
    struct arena arena = { 0 };
    volatile size_t count = SIZE_MAX / 4;
    arena_array(&arena, count, 8);
}

static void ask_too_much(void)
{
    struct arena arena = { 0 };
    volatile size_t size = SIZE_MAX - 8;
    arena_alloc(&arena, size);
}

static void test_arena_impossible(void)
{
    char log[512];
    int status = in_child(ask_overflow, log, sizeof log);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 1 && strstr(log, "error memory "), "a product that overflows");
    status = in_child(ask_too_much, log, sizeof log);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 1 && strstr(log, "error memory "), "a size that overflows");
}

/* ---- buf */

static void test_buf(void)
{
    struct buf buf = { 0 };
    buf_reset(&buf);
    tap_is_text(buf.data, "", "buf: a reset gives memory with a NUL");
    buf_text(&buf, "abc");
    buf_char(&buf, 'd');
    buf_print(&buf, "%04d", 42);
    buf_add(&buf, "x\0y", 3);
    tap_is_int(buf.length, 11, "buf: length");
    tap_ok(memcmp(buf.data, "abcd0042x\0y", 12) == 0, "buf: content and NUL");
    buf_consume(&buf, 4);
    tap_ok(buf.length == 7 && memcmp(buf.data, "0042x\0y", 8) == 0, "buf: consumed from the front");
    buf_consume(&buf, 7);
    tap_is_text(buf.data, "", "buf: consumed to its end");
    for (int i = 0; i < 10000; i++)
        buf_print(&buf, "%d,", i % 10);
    tap_ok(buf.length == 20000 && strlen(buf.data) == 20000, "buf: grows");
    buf_print(&buf, "%30000s", "end");
    tap_ok(buf.length == 50000 && strcmp(buf.data + 49997, "end") == 0, "buf: one print larger than the room");
    memcpy(buf_room(&buf, 3), "abc", 3);
    buf.length += 3;
    buf_char(&buf, '!');
    tap_is_text(buf.data + 50000, "abc!", "buf: written by way of buf_room");
    buf_close(&buf);
    tap_ok(!buf.data && !buf.length, "buf: closed");
    buf_close(&buf);
}

static void test_buf_bound(void)
{
    struct buf buf = { .max_bytes = 10 };
    buf_text(&buf, "12345678");
    tap_ok(!buf.overflowed, "buf: below the bound");
    buf_text(&buf, "9abc");
    tap_is_text(buf.data, "123456789a", "buf: what fits is kept");
    tap_ok(buf.overflowed, "buf: overflowed");
    buf_consume(&buf, 5);
    buf_text(&buf, "zz");
    tap_is_text(buf.data, "6789a", "buf: nothing is added after an overflow");
    tap_ok(buf_room(&buf, 1) == NULL, "buf: no room after an overflow");
    buf_reset(&buf);
    buf_print(&buf, "%d", 12345);
    buf_print(&buf, "%s", "6789abcdef");
    tap_is_text(buf.data, "123456789a", "buf: print is cut");
    buf_reset(&buf);
    tap_ok(buf_room(&buf, 11) == NULL && buf.overflowed, "buf: no room over the bound");
    buf_close(&buf);
    tap_is_int(buf.max_bytes, 10, "buf: the bound stays");
}

static void test_json(void)
{
    static const struct {
        const char *text, *json;
    } table[] = {
        { NULL, "null" },
        { "", "\"\"" },
        { "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
        { "\n\t\r\b\f", "\"\\n\\t\\r\\b\\f\"" },
        { "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
        { "\xC2\x85", "\"\\u0085\"" },
        { "\xC3\xA4\xF0\x9F\x94\x94", "\"\xC3\xA4\xF0\x9F\x94\x94\"" },
        { "a\xFFz", "\"a\xEF\xBF\xBDz\"" },
        { "\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
    };
    struct buf buf = { 0 };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        buf_reset(&buf);
        buf_json_text(&buf, table[i].text);
        tap_is_text(buf.data, table[i].json, table[i].json);
    }
    buf_reset(&buf);
    buf_json_number(&buf, 1.5);
    buf_char(&buf, ' ');
    buf_json_number(&buf, NAN);
    buf_char(&buf, ' ');
    buf_json_number(&buf, -INFINITY);
    buf_char(&buf, ' ');
    buf_json_integer(&buf, INT64_MIN);
    tap_is_text(buf.data, "1.5 null null -9223372036854775808", "json numbers");
    buf_close(&buf);
}

/* Whatever bytes come in, jansson reads what goes out; well-formed text comes back as it was. */
static void test_json_random(void)
{
    uint64_t seed = 3;
    int unread = 0, changed = 0, lost = 0;
    struct buf buf = { 0 };
    for (int i = 0; i < 20000; i++) {
        char text[24] = "";
        size_t n = draw(&seed) % (sizeof text - 1);
        for (size_t j = 0; j < n; j++)
            text[j] = (char)(draw(&seed) % 255 + 1);
        buf_reset(&buf);
        buf_json_text(&buf, text);
        json_t *json = json_loadb(buf.data, buf.length, JSON_DECODE_ANY, NULL);
        unread += json == NULL;
        json_t *plain = json_string(text); /* NULL when text is not UTF-8 */
        if (json && plain)
            changed += strcmp(json_string_value(json), text) != 0;
        json_decref(plain);
        json_decref(json);
        uint64_t bits = draw(&seed);
        double value;
        memcpy(&value, &bits, sizeof value);
        buf_reset(&buf);
        buf_json_number(&buf, value);
        json = json_loadb(buf.data, buf.length, JSON_DECODE_ANY, NULL);
        lost += isfinite(value) ? json_number_value(json) != value : !json_is_null(json);
        json_decref(json);
    }
    tap_is_int(unread, 0, "json: every text is read by jansson");
    tap_is_int(changed, 0, "json: well-formed text is not changed");
    tap_is_int(lost, 0, "json: every number reads back to the same double");
    buf_reset(&buf);
    buf_json_number(&buf, -0.0);
    json_t *zero = json_loadb(buf.data, buf.length, JSON_DECODE_ANY, NULL);
    tap_ok(signbit(json_number_value(zero)), "json: even minus zero");
    json_decref(zero);
    buf_close(&buf);
}

/* ---- map */

/* Against a plain array, with so many removals that every shape of a run occurs. */
static void test_map(void)
{
    enum {
        KEYS = 500
    };
    static char names[KEYS][8];
    static int *model[KEYS];
    int values[KEYS], wrong = 0;
    size_t count = 0;
    uint64_t seed = 5;
    struct map map = { 0 };
    tap_ok(map_get(&map, "x") == NULL && map_remove(&map, "x") == NULL, "map: empty");
    for (int i = 0; i < KEYS; i++)
        snprintf(names[i], sizeof names[i], "k%d", i);
    for (int step = 0; step < 100000; step++) {
        size_t i = draw(&seed) % KEYS;
        bool put = draw(&seed) % 100 < (step / 10000 % 2 ? 30 : 70);
        void *before = put ? map_put(&map, names[i], &values[i]) : map_remove(&map, names[i]);
        wrong += before != model[i];
        count += (size_t)(put && !model[i]);
        count -= (size_t)(!put && model[i]);
        model[i] = put ? &values[i] : NULL;
        size_t look = draw(&seed) % KEYS;
        wrong += map_get(&map, names[look]) != model[look];
        wrong += map.count != count;
    }
    tap_is_int(wrong, 0, "map: 100000 steps agree with a plain array");
    size_t seen = 0;
    void *value;
    for (size_t i = 0; (value = map_next(&map, &i)) != NULL;)
        seen++;
    tap_is_int(seen, count, "map: the iteration sees each entry once");
    map_close(&map);
    map_close(&map);
    tap_ok(!map.entries && !map.count, "map: closed");
}

/* ---- the rest */

static void test_digest(void)
{
    unsigned char digest[DIGEST_SIZE], again[DIGEST_SIZE] = { 0 };
    char hex[DIGEST_HEX_SIZE];
    digest_sha256("abc", 3, digest);
    tap_is_text(digest_hex(digest, hex), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "digest of 'abc' (FIPS 180-4)");
    tap_ok(digest_from_hex(hex, again) == 0 && memcmp(digest, again, sizeof again) == 0, "digest from hex");
    hex[0] = 'B';
    tap_is_int(digest_from_hex(hex, again), ERROR_SYNTAX, "upper case is refused");
    hex[0] = '\0';
    tap_is_int(digest_from_hex(hex, again), ERROR_SYNTAX, "a short one is refused");
    digest_sha256("", 0, digest);
    tap_is_text(digest_hex(digest, hex), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "digest of nothing");
    unsigned char a[32] = { 0 }, b[32] = { 0 };
    digest_random(a, sizeof a);
    digest_random(b, sizeof b);
    tap_ok(memcmp(a, b, sizeof a) != 0, "random bytes differ");
}

static void test_error(void)
{
    tap_is_text(error_name(ERROR_SYNTAX), "ERROR_SYNTAX", "name of ours");
    tap_is_text(error_text(ERROR_SYNTAX), "syntax error", "text of ours");
    tap_is_text(error_name(ERROR_UNSUPPORTED), "ERROR_UNSUPPORTED", "name of the last of ours");
    tap_is_text(error_name(-ENOENT), "ENOENT", "name of an errno");
    tap_is_text(error_text(-ENOENT), "No such file or directory", "text of an errno");
    tap_is_text(error_text(-999), "unknown error", "no such errno");
    tap_is_text(error_text(-5000), "unknown error", "no such code");
    tap_is_text(error_text(INT32_MIN), "unknown error", "the least code");
    struct why why;
    tap_is_int(why_say(&why, ERROR_LIMIT, "a\x1b%s", "b"), ERROR_LIMIT, "why_say returns the code");
    tap_is_text(why.text,
                "a\\x1b"
                "b",
                "why_say makes text visible");
    tap_is_int(why_say(NULL, -ENOENT, "x"), -ENOENT, "why_say without a place");
    char wide[2000];
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    why_say(&why, -1, "%s", wide);
    tap_ok(strlen(why.text) == sizeof why.text - 1 && strstr(why.text, "w..."), "why_say cuts and says so");
}

static void say_some(void)
{
    unsetenv("JOURNAL_STREAM");
    log_debug("test", "not shown");
    log_info("te\nst", "one %s\x1b[0m", "two\nthree");
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_setup(LOG_LEVEL_DEBUG);
    log_debug("test", "shown");
    log_warn("test", "%3000s", "wide");
    log_setup(LOG_LEVEL_ERROR);
    log_warn("test", "not shown");
    log_line(LOG_LEVEL_ERROR, "test", "last");
    log_fatal("test", "no way");
}

static void test_log(void)
{
    char log[8192];
    int status = in_child(say_some, log, sizeof log);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "log_fatal ends with status 1");
    char *first = strtok(log, "\n"), *second = strtok(NULL, "\n"), *third = strtok(NULL, "\n");
    tap_ok(first && strlen(first) > 20 && first[4] == '-' && first[13] == ':', "a line begins with the time");
    tap_is_text(first ? first + 20 : NULL, "info te\\x0ast one two\\x0athree\\x1b[0m", "one line, made visible");
    tap_is_text(second, "debug test shown", "no time under systemd, and the level is set");
    tap_ok(third && strlen(third) < 2100 && strcmp(third + strlen(third) - 3, "...") == 0, "a long line is cut");
    tap_is_text(strtok(NULL, "\n"), "error test last", "below the level nothing is written");
    tap_is_text(strtok(NULL, "\n"), "error test no way", "log_fatal logs");
    tap_ok(strtok(NULL, "\n") == NULL, "and that is all");
}

static void *say_often(void *who)
{
    for (int i = 0; i < 200; i++)
        log_info(who, "%s", "0123456789012345678901234567890123456789");
    return NULL;
}

static void say_together(void)
{
    static char names[4][2] = { "a", "b", "c", "d" };
    pthread_t threads[4];
    setenv("JOURNAL_STREAM", "8:1", 1);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, say_often, names[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void test_log_threads(void)
{
    static char log[100000];
    in_child(say_together, log, sizeof log);
    int lines = 0, whole = 0;
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
        lines++;
        whole += strncmp(line, "info ", 5) == 0 && strcmp(line + 6, " 0123456789012345678901234567890123456789") == 0;
    }
    tap_ok(lines == 800 && whole == 800, "lines of four threads never mix (%d lines, %d whole)", lines, whole);
}

static void test_clock(void)
{
    int64_t before = clock_now_ns(), wall = clock_wall_ms();
    struct instant instant = clock_instant();
    tap_ok(clock_now_ns() >= before && instant.mono_ms >= before / 1000000, "the monotonic clock runs forward");
    tap_ok(wall > 1600000000000 && instant.wall_ms >= wall && instant.wall_ms < wall + 10000, "the wall clock");
    tap_ok(clock_now_ms() - before / 1000000 < 10000, "milliseconds and nanoseconds are of the same clock");
}

int main(void)
{
    test_arena_alloc();
    test_arena_reuse();
    test_arena_text();
    test_arena_impossible();
    test_buf();
    test_buf_bound();
    test_json();
    test_json_random();
    test_map();
    test_digest();
    test_error();
    test_log();
    test_log_threads();
    test_clock();
    return tap_done();
}
