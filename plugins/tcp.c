/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tcp - can a TCP port or a Unix socket be connected to, and does it answer what it should?
 *
 * Connects (every address of the name, both families), writes `send` when given, and reads until one of the `expect`
 * texts has been seen. Not connected, closed without an answer, reset or timed out: not reached. Another answer than
 * expected: reached and CRITICAL.
 */
#include <errno.h>
#include <string.h>

#include "belfry/plugin.h"
#include "plugins/common/now.h"
#include "plugins/common/say.h"
#include "plugins/common/stream.h"

#define ANSWER_MAX 65536 /* bytes read in search of what is expected */

static const struct belfry_option options[] = {
    { "host", BELFRY_HOST, "Host to connect to", .fallback = "127.0.0.1", .example = "mail.example.net" },
    { "port", BELFRY_PORT, "TCP port; needed unless a socket is given", .example = "25" },
    { "socket", BELFRY_PATH, "Unix socket to connect to, instead of host and port", .example = "/run/dovecot/lmtp" },
    { "ip_version", BELFRY_TEXT, "Addresses to try: any, 4 or 6", .fallback = "any", .choices = net_ip_versions,
      .example = "4" },
    { "send", BELFRY_TEXT, "Text to send after connecting; \\r \\n \\t \\0 \\xHH \\\\ are understood",
      .example = "EHLO belfry\\r\\n" },
    { "expect", BELFRY_TEXT, "Texts of which one must be in the answer; the same escapes", .list = true,
      .example = "220" },
    { "quit", BELFRY_TEXT, "Text to send before closing; the same escapes", .example = "QUIT\\r\\n" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "time_connect", "s", "Time until the connection stood, without name resolution", .min = "0" },
    { "time_response", "s", "Time from there until the expected answer", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "times", "Time to connect and to answer", "time_connect time_response", .style = BELFRY_STACK },
    BELFRY_END,
};

struct text {
    const char *bytes;
    size_t length;
};

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | 0x20) : NULL;
    return found && (c <= '9' || (c | 0x20) >= 'a') ? (int)(found - digits) : -1;
}

/* One escape after its backslash: the number of characters read; anything unknown stands for itself. */
static size_t unescape_one(const char *from, char *to)
{
    static const char names[] = "rnt0\\", values[] = "\r\n\t\0\\";
    const char *found = strchr(names, from[0]);
    if (from[0] == 'x' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
        *to = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
        return 3;
    }
    *to = found ? values[found - names] : from[0];
    return 1;
}

static struct text unescape(struct belfry_probe *p, const char *from)
{
    char *out = belfry_alloc(p, strlen(from) + 1);
    struct text text = { out, 0 };
    while (*from) {
        if (from[0] == '\\' && from[1])
            from += 1 + unescape_one(from + 1, out + text.length);
        else
            out[text.length] = *from++;
        text.length++;
    }
    return text;
}

/* The first of the expected texts that is in the answer, or NULL. */
static const char *find_expected(struct belfry_probe *p, const struct text *wanted, struct text answer)
{
    for (size_t i = 0; i < belfry_count(p, "expect"); i++)
        if (memmem(answer.bytes, answer.length, wanted[i].bytes, wanted[i].length))
            return belfry_item(p, "expect", i);
    return NULL;
}

static void report_answer(struct belfry_probe *p, const char *peer, struct text answer, int64_t end)
{
    const char *wanted = belfry_item(p, "expect", 0);
    const char *others = belfry_count(p, "expect") > 1 ? " or the others" : "";
    const char *got = answer.length > 0 ? belfry_print(p, "answered '%s'", say_excerpt(p, answer.bytes, answer.length))
                                        : "gave no answer";
    if (end == -ETIMEDOUT)
        belfry_unreachable(p, "%s: timed out while waiting for '%s'%s; it %s", peer, wanted, others, got);
    else if (end < 0)
        belfry_unreachable(p, "%s: %s while waiting for '%s'%s; it %s", peer, say_error(p, (int)end), wanted, others,
                           got);
    else if (answer.length == 0)
        belfry_unreachable(p, "%s closed the connection without an answer", peer);
    else
        belfry_critical(p, "%s %s, not '%s'%s", peer, got, wanted, others);
}

/* Reads until an expected text is there. True when it was; else the verdict is said. */
static bool expect(struct belfry_probe *p, struct stream *s, const char *peer)
{
    size_t count = belfry_count(p, "expect");
    struct text *wanted = belfry_alloc(p, count * sizeof *wanted);
    for (size_t i = 0; i < count; i++)
        wanted[i] = unescape(p, belfry_item(p, "expect", i));
    char *buffer = belfry_alloc(p, ANSWER_MAX);
    struct text answer = { buffer, 0 };
    int64_t n = 1;
    double begin = now_s();
    while (n > 0 && answer.length < ANSWER_MAX) {
        n = stream_read(s, buffer + answer.length, ANSWER_MAX - answer.length);
        if (n <= 0)
            break;
        answer.length += (size_t)n;
        const char *seen = find_expected(p, wanted, answer);
        if (!seen)
            continue;
        belfry_measure(p, "time_response", now_s() - begin);
        belfry_ok(p, "%s answered '%s' in %s", peer, say_excerpt(p, answer.bytes, answer.length),
                  say_seconds(p, now_s() - begin));
        return true;
    }
    report_answer(p, peer, answer, n);
    return false;
}

static bool send_text(struct belfry_probe *p, struct stream *s, const char *peer, const char *what)
{
    struct text text = unescape(p, what);
    int error = stream_write(s, text.bytes, text.length);
    if (error == -ETIMEDOUT)
        belfry_unreachable(p, "%s: timed out while sending", peer);
    else if (error < 0)
        belfry_unreachable(p, "%s: %s while sending", peer, say_error(p, error));
    return error == 0;
}

static void talk(struct belfry_probe *p, struct stream *s, const char *peer)
{
    const char *first = belfry_text(p, "send"), *last = belfry_text(p, "quit");
    if (first && !send_text(p, s, peer, first))
        return;
    if (belfry_has(p, "expect") && !expect(p, s, peer))
        return;
    if (last) { /* politeness: whether it arrives does not matter */
        struct text text = unescape(p, last);
        stream_write(s, text.bytes, text.length);
    }
}

static void run(struct belfry_probe *p)
{
    struct net_target target = { .host = belfry_text(p, "host"),
                                 .port = belfry_text(p, "port"),
                                 .path = belfry_text(p, "socket"),
                                 .family = net_family(belfry_text(p, "ip_version")) };
    if (!target.path && !target.port) {
        belfry_unknown(p, "option 'port' is missing: give port = 25, or socket = \"/path\"");
        return;
    }
    struct net_report report;
    struct stream s;
    if (stream_open(&s, p, &target, &report) < 0) {
        belfry_unreachable(p, "%s", report.why);
        return;
    }
    belfry_measure(p, "time_connect", report.connect_s);
    belfry_ok(p, "%s accepted a connection in %s", report.peer, say_seconds(p, report.connect_s));
    talk(p, &s, report.peer);
    stream_close(&s);
}

BELFRY_PLUGIN("tcp", "1.0", "A TCP port or Unix socket: connect, optional send and expect", options, metrics, run,
              .views = views, .needs = BELFRY_NEEDS_NETWORK)
