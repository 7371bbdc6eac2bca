/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sftp - does each node's SFTP port greet ("SSH-2.0-")? All nodes at once, in a third of the time that is left: a node
 * that is gone costs the others nothing, and is asked last for its Wings. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/say.h"
#include "plugins/pterodactyl/pterodactyl.h"

#define AT_ONCE 32
#define WAIT_MAX_MS 3000
#define WAIT_MIN_MS 50 /* less says nothing about a node: it is not asked */

struct greeting {
    struct ptero_node *node;
    int fd;
    bool connected;
};

static void end(struct greeting *g, int sftp, const char *why)
{
    if (g->fd >= 0)
        close(g->fd);
    g->fd = -1;
    g->node->sftp = sftp;
    g->node->sftp_why = why;
}

static void begin(struct ptero *t, struct greeting *g)
{
    struct belfry_address to;
    const char *why = "no address";
    g->fd = -1;
    if (belfry_resolve(t->p, g->node->fqdn, belfry_print(t->p, "%lld", (long long)g->node->sftp_port), AF_UNSPEC,
                       SOCK_STREAM, &to, 1, &why) < 1) {
        end(g, -1, belfry_print(t->p, "resolve %s: %s", g->node->fqdn, why));
        return;
    }
    g->fd = socket(to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (g->fd < 0 || (connect(g->fd, (const struct sockaddr *)&to.address, to.length) != 0 && errno != EINPROGRESS))
        end(g, -1, say_error(t->p, errno));
}

/* Something happened on the descriptor. */
static void advance(struct ptero *t, struct greeting *g)
{
    static const char wanted[] = "SSH-";
    char bytes[sizeof wanted];
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(g->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        end(g, -1, say_error(t->p, error));
        return;
    }
    if (!g->connected) {
        g->connected = true;
        return;
    }
    ssize_t n = recv(g->fd, bytes, sizeof wanted - 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == (ssize_t)sizeof wanted - 1 && memcmp(bytes, wanted, sizeof wanted - 1) == 0)
        end(g, 1, NULL);
    else
        end(g, -1, n < 0 ? say_error(t->p, errno) : n == 0 ? "closed without a greeting" : "what answers is not SFTP");
}

/* One turn of waiting: how many are still open, or -1 at the end of the time. */
static int turn(struct ptero *t, struct greeting *greetings, size_t count, int64_t until_ms)
{
    struct pollfd fds[AT_ONCE];
    struct greeting *of[AT_ONCE];
    size_t open = 0;
    for (size_t i = 0; i < count; i++)
        if (greetings[i].fd >= 0) {
            of[open] = &greetings[i];
            fds[open++] = (struct pollfd){ greetings[i].fd, greetings[i].connected ? POLLIN : POLLOUT, 0 };
        }
    int64_t left = belfry_left_ms(t->p) - until_ms;
    if (open == 0 || left <= 0)
        return open == 0 ? 0 : -1;
    int ready = belfry_wait_many(t->p, fds, open, left);
    for (size_t i = 0; ready > 0 && i < open; i++)
        if (fds[i].revents)
            advance(t, of[i]);
    return ready > 0 ? (int)open : -1;
}

static void greet(struct ptero *t, struct greeting *greetings, size_t count)
{
    int64_t left = belfry_left_ms(t->p), wait_ms = left / 3 < WAIT_MAX_MS ? left / 3 : WAIT_MAX_MS;
    for (size_t i = 0; i < count && wait_ms >= WAIT_MIN_MS; i++)
        begin(t, &greetings[i]);
    while (turn(t, greetings, count, left - wait_ms) > 0)
        ;
    for (size_t i = 0; i < count; i++)
        if (greetings[i].fd >= 0)
            end(&greetings[i], -1,
                belfry_print(t->p, "%s within %s", greetings[i].connected ? "no greeting" : "no connection",
                             say_seconds(t->p, (double)wait_ms / 1000)));
}

void ptero_sftp(struct ptero *t)
{
    struct greeting greetings[AT_ONCE];
    size_t count = 0;
    for (size_t i = 0; i < t->node_count; i++) {
        if (t->nodes[i].fqdn && !t->nodes[i].maintenance)
            greetings[count++] = (struct greeting){ .node = &t->nodes[i], .fd = -1 };
        if (count == AT_ONCE || (count > 0 && i + 1 == t->node_count)) {
            greet(t, greetings, count);
            count = 0;
        }
    }
}
