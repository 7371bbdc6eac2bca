/* SPDX-License-Identifier: GPL-3.0-or-later */
/* anchor - see the header. The sinks are called by belfry-anchor, a process of its own: a file may lie on another
 * machine, and a syslog daemon may not read, and neither may hold up the daemon.
 *
 *     syslog   one datagram to /dev/log, facility auth, level notice, in RFC 3164's form
 *     file     one line is appended and synced; made 0640 when missing */
#include "core/journal/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/journal/segment.h"

#define FILE_MAX (64u << 20)
#define SYSLOG_PATH "/dev/log"
#define SYSLOG_PRIORITY (4 << 3 | 5) /* auth.notice */

static bool is_hex(const char *text, size_t n)
{
    return strspn(text, "0123456789abcdef") >= n;
}

/* SEQ:HASH at the beginning of the text; the rest must not go on with it. */
static int take_head(const char *text, struct journal_anchor *out)
{
    char digits[20];
    int64_t seq;
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n >= sizeof digits || text[n] != ':' || !is_hex(text + n + 1, DIGEST_HEX_SIZE - 1) ||
        (text[n + DIGEST_HEX_SIZE] != '\0' && strchr(" \t\r\n\"", text[n + DIGEST_HEX_SIZE]) == NULL))
        return ERROR_SYNTAX;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (text_integer(digits, &seq) < 0 || seq < 1)
        return ERROR_SYNTAX;
    out->seq = (uint64_t)seq;
    memcpy(out->hash, text + n + 1, DIGEST_HEX_SIZE - 1);
    out->hash[DIGEST_HEX_SIZE - 1] = '\0';
    return 0;
}

int anchor_parse(const char *text, struct journal_anchor *out)
{
    *out = (struct journal_anchor){ 0 };
    int code = take_head(text, out);
    return code == 0 && strlen(strchr(text, ':') + 1) == DIGEST_HEX_SIZE - 1 ? 0 : ERROR_SYNTAX;
}

char *anchor_format(char out[ANCHOR_LINE_SIZE], const struct journal_anchor *anchor, int64_t wall_ms)
{
    char at[TEXT_TIME_SIZE];
    snprintf(out, ANCHOR_LINE_SIZE, "%s belfry journal=%s head=%llu:%s", text_format_utc(at, wall_ms), anchor->journal,
             (unsigned long long)anchor->seq, anchor->hash);
    return out;
}

/* ---- reading back ---------------------------------------------------------------------------------------------- */

/* 1: it is one; 0: the line has none; or ERROR_SYNTAX. */
static int take_line(const char *line, struct journal_anchor *out)
{
    const char *journal = strstr(line, "journal="), *head = strstr(line, "head=");
    *out = (struct journal_anchor){ 0 };
    if (journal == NULL || head == NULL)
        return 0;
    journal += strlen("journal=");
    if (!is_hex(journal, SEGMENT_ID_SIZE - 1) || take_head(head + strlen("head="), out) < 0)
        return ERROR_SYNTAX;
    memcpy(out->journal, journal, SEGMENT_ID_SIZE - 1);
    return 1;
}

static int take_lines(char *text, const char *path, struct anchor_list *out, struct why *why)
{
    unsigned long long number = 0;
    char *line;
    while ((line = strsep(&text, "\n")) != NULL) {
        struct journal_anchor anchor;
        int code = take_line(line, &anchor);
        number++;
        if (code < 0)
            return why_say(why, code, "'%s' line %llu: an anchor is written journal=ID head=NUMBER:HASH", path, number);
        if (code == 0)
            continue;
        out->items = heap_grow(out->items, out->count + 1, sizeof *out->items);
        out->items[out->count++] = anchor;
    }
    if (out->count == 0)
        return why_say(why, ERROR_SYNTAX, "'%s' has no anchor: no line with journal=ID head=NUMBER:HASH", path);
    return 0;
}

int anchor_read(const char *path, struct anchor_list *out, struct why *why)
{
    struct arena arena = { 0 };
    char *text;
    size_t length;
    *out = (struct anchor_list){ 0 };
    int code = file_read(&arena, path, FILE_MAX, &text, &length);
    if (code < 0)
        why_say(why, code, "the anchors '%s' can't be read: %s", path, error_text(code));
    else
        code = take_lines(text, path, out, why);
    arena_close(&arena);
    if (code < 0)
        anchor_close(out);
    else
        anchor_sort(out);
    return code;
}

void anchor_close(struct anchor_list *list)
{
    free(list->items);
    *list = (struct anchor_list){ 0 };
}

static int by_number(const void *a, const void *b)
{
    const struct journal_anchor *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

void anchor_sort(struct anchor_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, by_number);
}

/* ---- sinks ----------------------------------------------------------------------------------------------------- */

static int write_syslog(const char *to, const char *line)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SYSLOG_PATH };
    char text[ANCHOR_LINE_SIZE + 64];
    if (to != NULL) /* the tests' own */
        text_copy(address.sun_path, sizeof address.sun_path, to);
    int n = snprintf(text, sizeof text, "<%d>belfry[%d]: %s", SYSLOG_PRIORITY, (int)getpid(), line);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int code = 0;
    if (sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof address) < 0)
        code = -errno;
    close(fd);
    return code;
}

static int append_file(const char *to, const char *line)
{
    char text[ANCHOR_LINE_SIZE + 1];
    int n = snprintf(text, sizeof text, "%s\n", line);
    int fd = open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0640);
    if (fd < 0)
        return -errno;
    ssize_t done = write(fd, text, (size_t)n);
    int code = done == n ? 0 : done < 0 ? -errno : -EIO;
    if (code == 0 && fdatasync(fd) != 0)
        code = -errno;
    close(fd);
    return code;
}

const struct anchor_sink anchor_sinks[] = {
    { "syslog", false, write_syslog },
    { "file", true, append_file },
    { 0 },
};
