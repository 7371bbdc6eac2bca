/* SPDX-License-Identifier: GPL-3.0-or-later */
/* channel - poll() until the deadline, then one read or send; the descriptor may be blocking or not. Bytes are read in
 * gulps and kept until a whole frame is there; what a frame says of its length is checked before memory is taken for
 * it. */
#include "core/base/channel.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"

#define GULP_BYTES (64u << 10)

void channel_close(struct channel *channel)
{
    if (!channel)
        return;
    buf_close(&channel->in);
    if (channel->fd >= 0)
        close(channel->fd);
    channel->fd = -1;
    channel->taken = 0;
}

/* 0 when fd is ready for events, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_now_ms();
        if (deadline_ms >= 0 && left < 0)
            left = 0;
        struct pollfd one = { .fd = fd, .events = events };
        int n = poll(&one, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (n > 0)
            return 0;
        if (n == 0 && left <= INT_MAX)
            return -ETIMEDOUT;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

static bool may_try_again(void)
{
    return errno == EINTR || errno == EAGAIN;
}

/* Reads what is there: 1, 0 at the end of the stream, or a negative code. */
static int fill(struct channel *channel, int64_t deadline_ms)
{
    char *room = buf_room(&channel->in, GULP_BYTES);
    if (!room)
        return ERROR_LIMIT;
    for (;;) {
        int code = wait_for(channel->fd, POLLIN, deadline_ms);
        if (code != 0)
            return code;
        ssize_t n = read(channel->fd, room, GULP_BYTES);
        if (n >= 0) {
            channel->in.length += (size_t)n;
            channel->in.data[channel->in.length] = '\0';
            return n > 0;
        }
        if (!may_try_again())
            return -errno;
    }
}

int channel_read(struct channel *channel, struct wire_frame *frame, int64_t deadline_ms)
{
    buf_consume(&channel->in, channel->taken);
    channel->taken = 0;
    for (;;) {
        int size = channel->in.length ? wire_next(channel->in.data, channel->in.length, frame) : 0;
        if (size < 0)
            return size;
        if (size > 0) {
            channel->taken = (size_t)size;
            return 1;
        }
        int code = fill(channel, deadline_ms);
        if (code == 0)
            return channel->in.length ? ERROR_PROTOCOL : 0;
        if (code < 0)
            return code;
    }
}

/* A pipe is no socket: written to when its reader is gone, it ends this process by SIGPIPE as it does any filter. */
static ssize_t send_or_write(int fd, const char *bytes, size_t n)
{
    ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    return done < 0 && errno == ENOTSOCK ? write(fd, bytes, n) : done;
}

int channel_write(struct channel *channel, struct buf *out, int64_t deadline_ms)
{
    size_t done = 0;
    int code = 0;
    while (done < out->length && code == 0) {
        ssize_t n = send_or_write(channel->fd, out->data + done, out->length - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            code = wait_for(channel->fd, POLLOUT, deadline_ms);
        else if (errno != EINTR)
            code = -errno;
    }
    buf_reset(out);
    return code;
}

int channel_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int code = -errno;
        close(fd);
        return code;
    }
    return fd;
}
