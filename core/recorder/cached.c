/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cached - rrdcached's protocol: a command a line, words separated by blanks, '\' before a blank or '\'; lines of up to
 * 4096 bytes. The answer is a line "N text": N < 0 is an error, N > 0 so many lines that follow.
 *
 *     UPDATE FILE SECONDS:v1:v2 ...    0 errors, enqueued 1 value(s).
 *     FLUSH FILE                       0 Successfully flushed FILE. | 0 Nothing to flush: FILE.
 *     FORGET FILE                      0 Gone! | -1 No such file or directory */
#include "core/recorder/cached.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"

#define LINE_MAX_BYTES 4000u
#define ANSWER_LINES_MAX 100000

void cached_open(struct cached *cached, const char *socket_path)
{
    *cached = (struct cached){ .socket_path = socket_path, .fd = -1 };
}

static void disconnect(struct cached *cached)
{
    if (cached->fd >= 0)
        close(cached->fd);
    cached->fd = -1;
    cached->retry_ms = clock_now_ms() + CACHED_RETRY_MS;
    buf_reset(&cached->in);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const struct timeval wait = { .tv_sec = CACHED_WAIT_MS / 1000 };
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int code = -errno;
    close(fd);
    return code;
}

bool cached_is_there(struct cached *cached, int64_t mono_ms)
{
    if (cached->fd >= 0)
        return true;
    if (mono_ms < cached->retry_ms)
        return false;
    cached->fd = connect_to(cached->socket_path);
    if (cached->fd >= 0)
        cached->generation++;
    else
        disconnect(cached);
    return cached->fd >= 0;
}

static int lose(struct cached *cached, int code, struct why *why)
{
    disconnect(cached);
    return why_say(why, code, "rrdcached at '%s': %s", cached->socket_path, error_text(code));
}

static int send_line(struct cached *cached, struct why *why)
{
    size_t at = 0;
    while (at < cached->out.length) {
        ssize_t n = send(cached->fd, cached->out.data + at, cached->out.length - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lose(cached, n < 0 ? -errno : -EPIPE, why);
        at += (size_t)n;
    }
    return 0;
}

/* One line without its end; what stood there before is dropped. */
static int read_line(struct cached *cached, struct buf *out, struct why *why)
{
    char *end;
    while (cached->in.length == 0 || !(end = memchr(cached->in.data, '\n', cached->in.length))) {
        char *room = cached->in.length < 65536 ? buf_room(&cached->in, 4096) : NULL;
        ssize_t n = room ? recv(cached->fd, room, 4096, 0) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lose(cached, n < 0 ? -errno : ERROR_PROTOCOL, why);
        cached->in.length += (size_t)n;
    }
    size_t length = (size_t)(end - cached->in.data);
    buf_reset(out);
    buf_add(out, cached->in.data, length);
    buf_consume(&cached->in, length + 1);
    return 0;
}

/* Sends the line in out and takes the answer: 0, ERROR_REFUSED with the daemon's words, or the connection is lost. */
static int ask(struct cached *cached, struct why *why)
{
    struct buf line = { 0 }, more = { 0 };
    int code = send_line(cached, why);
    if (code == 0)
        code = read_line(cached, &line, why);
    long count = code == 0 ? strtol(line.data, NULL, 10) : 0;
    if (count > ANSWER_LINES_MAX)
        code = lose(cached, ERROR_PROTOCOL, why);
    for (long i = 0; code == 0 && i < count; i++)
        code = read_line(cached, &more, why);
    if (code == 0 && count < 0)
        code = why_say(why, ERROR_REFUSED, "rrdcached: %s", line.data);
    buf_close(&line);
    buf_close(&more);
    return code;
}

static void begin(struct cached *cached, const char *command, const char *path)
{
    buf_reset(&cached->out);
    buf_text(&cached->out, command);
    buf_char(&cached->out, ' ');
    for (const char *c = path; *c; c++) {
        if (*c == ' ' || *c == '\\')
            buf_char(&cached->out, '\\');
        buf_char(&cached->out, *c);
    }
}

static int ask_about(struct cached *cached, const char *command, const char *path, struct why *why)
{
    begin(cached, command, path);
    buf_char(&cached->out, '\n');
    return ask(cached, why);
}

int cached_update(struct cached *cached, const char *path, const struct args *rows, struct why *why)
{
    int code = 0;
    for (int i = 0; code == 0 && i < rows->count;) {
        begin(cached, "UPDATE", path);
        size_t head = cached->out.length;
        while (i < rows->count &&
               (cached->out.length == head || cached->out.length + strlen(rows->v[i]) < LINE_MAX_BYTES)) {
            buf_char(&cached->out, ' ');
            buf_text(&cached->out, rows->v[i++]);
        }
        buf_char(&cached->out, '\n');
        code = ask(cached, why);
        if (code == ERROR_REFUSED && strstr(why->text, "illegal attempt to update using time"))
            code = 0; /* it has them */
    }
    return code;
}

int cached_flush(struct cached *cached, const char *path, struct why *why)
{
    int code = ask_about(cached, "FLUSH", path, why);
    return code == ERROR_REFUSED && strstr(why->text, "No such file") ? 0 : code;
}

int cached_release(struct cached *cached, const char *path, struct why *why)
{
    int code = cached_flush(cached, path, why);
    if (code == 0)
        code = ask_about(cached, "FORGET", path, why);
    return code == ERROR_REFUSED ? 0 : code; /* it knew nothing */
}

void cached_close(struct cached *cached)
{
    if (cached->fd >= 0)
        close(cached->fd);
    buf_close(&cached->in);
    buf_close(&cached->out);
    *cached = (struct cached){ .fd = -1 };
}

/* ---- readers ---------------------------------------------------------------------------------------------------- */

int cached_leave_note(const char *folder, const char *socket_path)
{
    struct arena arena = { 0 };
    const char *note = file_join(&arena, folder, CACHED_NOTE);
    int code = 0;
    if (socket_path)
        code = file_replace(note, socket_path, strlen(socket_path), 0644);
    else if (unlink(note) != 0 && errno != ENOENT)
        code = -errno;
    arena_close(&arena);
    return code;
}

bool cached_is_noted(struct arena *arena, const char *folder)
{
    return access(file_join(arena, folder, CACHED_NOTE), F_OK) == 0;
}

bool cached_open_noted(struct cached *cached, struct arena *arena, const char *folder, int64_t mono_ms)
{
    char *path;
    size_t length;
    cached_open(cached, NULL);
    if (file_read(arena, file_join(arena, folder, CACHED_NOTE), 256, &path, &length) != 0 || path[0] != '/')
        return false;
    cached->socket_path = path;
    return cached_is_there(cached, mono_ms);
}
