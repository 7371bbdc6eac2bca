/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sql-greet - what libmariadb would tell only as a lost connection is found out before it reads: why connecting failed,
 * whether the server hung up in its greeting, and whether what greets speaks the protocol at all. The greeting is
 * waited for and looked at here, and left in the socket for the library.
 *
 * A greeting is a packet (3 bytes of length, its number 0) that begins with the protocol's version 10 and goes on with
 * the server's version, a text; or it begins with 255, when the server refuses at once. */
#include "plugins/common/sql-steps.h"

#include <ctype.h>
#include <errmsg.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define GREETING_MAX 1024
#define HEAD_BYTES 4
#define VERSION_10 10
#define REFUSAL 255
#define PAUSE_MS 5

struct greeting {
    unsigned char bytes[HEAD_BYTES + GREETING_MAX];
    size_t size; /* what is here */
};

static size_t whole_size(const struct greeting *g)
{
    return HEAD_BYTES + (g->bytes[0] | (size_t)g->bytes[1] << 8 | (size_t)g->bytes[2] << 16);
}

static bool is_whole(const struct greeting *g)
{
    return g->size >= HEAD_BYTES && g->size >= whole_size(g);
}

/* Every server's version begins with a digit. */
static bool is_version(const struct greeting *g)
{
    size_t from = HEAD_BYTES + 1, i = from;
    while (i < g->size && g->bytes[i] > ' ' && g->bytes[i] < 0x7f)
        i++;
    return i == g->size || (i > from && isdigit(g->bytes[from]) && g->bytes[i] == 0);
}

/* As far as it is here. */
static bool is_greeting(const struct greeting *g)
{
    if (g->size >= HEAD_BYTES && (whole_size(g) <= HEAD_BYTES || whole_size(g) > sizeof g->bytes || g->bytes[3] != 0))
        return false;
    if (g->size <= HEAD_BYTES || g->bytes[HEAD_BYTES] == REFUSAL)
        return true;
    return g->bytes[HEAD_BYTES] == VERSION_10 && is_version(g);
}

static int read_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

static bool has_ended(int fd)
{
    struct pollfd one = { fd, POLLRDHUP, 0 };
    return poll(&one, 1, 0) > 0;
}

static int say_end(struct sql_link *link, int error)
{
    return sql_fail(link, CR_SERVER_LOST, error ? say_error(link->p, error) : "the connection was closed");
}

static int look(struct sql_link *link, int fd, struct greeting *g)
{
    ssize_t n = recv(fd, g->bytes, sizeof g->bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return say_end(link, errno);
    g->size = n > 0 ? (size_t)n : 0;
    if (!is_greeting(g))
        return sql_fail(link, CR_MALFORMED_PACKET,
                        belfry_print(link->p, "it begins with '%s'", say_excerpt(link->p, g->bytes, g->size)));
    return n == 0 || (!is_whole(g) && has_ended(fd)) ? say_end(link, read_error(fd)) : 0;
}

/* A part of a greeting keeps its socket readable, so the rest of it is waited for by the clock. */
static int wait_on(struct sql_link *link, int fd, const struct greeting *g)
{
    int64_t left = now_left_ms(link->until), pause = left >= 0 && left < PAUSE_MS ? left : PAUSE_MS;
    int got = g->size == 0 ? belfry_wait(link->p, fd, POLLIN, left) : belfry_sleep(link->p, pause);
    link->late = got == -ETIMEDOUT || (got == 0 && (g->size == 0 || pause == 0));
    return got < 0 || link->late ? say_end(link, got ? got : ETIMEDOUT) : 0;
}

int sql_meet(struct sql_link *link)
{
    struct greeting g;
    int fd = mysql_get_socket(link->mysql), error = read_error(fd);
    if (error != 0)
        return sql_fail(link, CR_CONN_HOST_ERROR, say_error(link->p, error));
    link->phase = SQL_GREETING;
    g.size = 0;
    while (!is_whole(&g)) {
        if (wait_on(link, fd, &g) < 0 || look(link, fd, &g) < 0)
            return -1;
    }
    if (g.bytes[HEAD_BYTES] == VERSION_10)
        link->phase = link->tls ? SQL_TLS : SQL_LOGGING_IN;
    return 0;
}
