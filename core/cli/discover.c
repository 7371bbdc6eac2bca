/* SPDX-License-Identifier: GPL-3.0-or-later */
/* discover - see discover.h. A service is taken for what it is only when it answers as such: Redis says +PONG, or
 * -NOAUTH or another of its errors; Docker's API says 200 to /_ping; a web server answers with a status line, and what
 * it says to the very request that the check will make is what the check expects. Of MariaDB's sockets and of ports
 * where HTTPS is usual it is enough that somebody listens. Each question waits ASK_MS at most. */
#include "core/cli/discover.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define ASK_MS 500

/* Ports where web servers are usually found. */
static const struct web_port {
    unsigned port;
    bool tls;
} web_ports[] = {
    { 80, false },   { 443, true },   { 3000, false }, { 8000, false }, { 8008, false }, { 8080, false },
    { 8081, false }, { 8088, false }, { 8443, true },  { 8888, false }, { 9000, false }, { 9090, false }
};

static int connect_to(const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    int failed = 0;
    socklen_t size = sizeof failed;
    if (connect(fd, address, length) == 0)
        return fd;
    if (errno == EINPROGRESS && poll(&ready, 1, ASK_MS) == 1 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_port(unsigned port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    return connect_to((const struct sockaddr *)&address, sizeof address);
}

static int connect_path(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (text_copy(address.sun_path, sizeof address.sun_path, path) >= sizeof address.sun_path)
        return -1;
    return connect_to((const struct sockaddr *)&address, sizeof address);
}

/* Sends the question (may be "") and reads what comes first; closes fd. out is always terminated. */
static void ask(int fd, const char *question, char *out, size_t size)
{
    size_t length = 0;
    int64_t end_ms = clock_now_ms() + ASK_MS;
    out[0] = '\0';
    if (send(fd, question, strlen(question), MSG_NOSIGNAL) < 0 && question[0])
        length = size;
    while (length < size - 1) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int64_t left_ms = end_ms - clock_now_ms();
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) != 1)
            break;
        ssize_t n = read(fd, out + length, size - 1 - length);
        if (n <= 0)
            break;
        length += (size_t)n;
        out[length] = '\0';
        if (strchr(out, '\n'))
            break;
    }
    close(fd);
}

/* The status that the answer to an HTTP request begins with, or 0. */
static unsigned read_status(const char *answer)
{
    unsigned status = 0;
    return sscanf(answer, "HTTP/1.%*1[01] %3u", &status) == 1 ? status : 0;
}

/* ---- what is looked for ---------------------------------------------------------------------------------------- */

static bool find_redis(struct found *out)
{
    char answer[128];
    int fd = connect_port(6379);
    if (fd < 0)
        return false;
    ask(fd, "PING\r\n", answer, sizeof answer);
    bool locked = strncmp(answer, "-NOAUTH", 7) == 0;
    if (strncmp(answer, "+PONG", 5) != 0 &&
        answer[0] != '-') /* -LOADING, -MASTERDOWN, ...: a Redis, if not a well one */
        return false;
    *out = (struct found){ .service = "redis",
                           .title = "Redis",
                           .check = "server",
                           .plugin = "redis",
                           .options = " host = \"127.0.0.1\"; port = 6379;",
                           .why = locked ? "a Redis on 127.0.0.1:6379 wants a password: put it into secrets/redis "
                                           "(mode 0600) and add  password = \"@redis\";"
                                         : "a Redis answers on 127.0.0.1:6379" };
    return true;
}

/* A connection to the first path where somebody listens, or -1. */
static int connect_one(const char *const *paths, const char **path)
{
    int fd = -1;
    for (; *paths && fd < 0; paths++) {
        fd = connect_path(*paths);
        *path = *paths;
    }
    return fd;
}

static bool find_mariadb(struct arena *arena, struct found *out)
{
    static const char *const paths[] = { "/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", NULL };
    const char *path;
    int fd = connect_one(paths, &path);
    if (fd < 0)
        return false;
    close(fd);
    *out = (struct found){ .service = "mariadb", .title = "MariaDB", .check = "socket", .plugin = "tcp" };
    out->why = arena_print(arena,
                           "a MariaDB or MySQL socket is at %s (plugin mariadb sees more, with an account: "
                           "doc/plugins/mariadb.md)",
                           path);
    out->options = arena_print(arena, " socket = \"%s\";", path);
    return true;
}

static bool find_docker(struct arena *arena, struct found *out)
{
    static const char *const paths[] = { "/run/docker.sock", "/var/run/docker.sock", NULL };
    char answer[64];
    const char *path;
    int fd = connect_one(paths, &path);
    if (fd < 0)
        return false;
    ask(fd, "GET /_ping HTTP/1.0\r\n\r\n", answer, sizeof answer);
    if (read_status(answer) != 200)
        return false;
    *out = (struct found){ .service = "docker", .title = "Containers", .check = "containers", .plugin = "docker" };
    out->why = arena_print(arena, "Docker answers on %s", path);
    out->options = arena_print(arena, " socket = \"%s\";", path);
    return true;
}

static void describe_tls(struct arena *arena, unsigned port, struct found *out)
{
    out->why = arena_print(arena,
                           "something listens on port %u, where HTTPS is usual; any status below 500 is right, and the "
                           "certificate is not checked, because it is hardly for 'localhost'",
                           port);
    out->options = arena_print(
        arena, " url = \"https://localhost:%u/\"; expect_status = [ \"200-499\" ]; tls_verify = false;", port);
}

/* A server error is nothing that a check should expect: it is CRITICAL until the server is well. */
static void describe_page(struct arena *arena, unsigned port, unsigned status, struct found *out)
{
    bool broken = status >= 500;
    out->why = arena_print(arena, "a web server answers on 127.0.0.1:%u with status %u%s", port, status,
                           broken ? ", which is a problem of its own" : "");
    const char *expect = broken ? "" : arena_print(arena, " expect_status = [ \"%u\" ];", status);
    out->options = arena_print(arena, " url = \"http://127.0.0.1:%u/\";%s", port, expect);
}

static bool find_web(struct arena *arena, const struct web_port *port, struct found *out)
{
    char answer[256] = "";
    int fd = connect_port(port->port);
    if (fd < 0)
        return false;
    *out = (struct found){ .service = arena_print(arena, "web-%u", port->port),
                           .title = arena_print(arena, "Web server on port %u", port->port),
                           .check = "page",
                           .plugin = "http" };
    if (port->tls) {
        close(fd);
        describe_tls(arena, port->port, out);
        return true;
    }
    ask(fd,
        arena_print(arena, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                    port->port),
        answer, sizeof answer);
    unsigned status = read_status(answer);
    if (status == 0)
        return false;
    describe_page(arena, port->port, status, out);
    return true;
}

size_t discover(struct arena *arena, struct found found[FOUND_MAX])
{
    size_t n = 0;
    found[n++] = (struct found){ .service = "host",
                                 .title = "This machine",
                                 .why = "load, memory, disks, pressure and uptime of this machine",
                                 .check = "system",
                                 .plugin = "host",
                                 .options = "" };
    n += find_redis(&found[n]);
    n += find_mariadb(arena, &found[n]);
    n += find_docker(arena, &found[n]);
    for (size_t i = 0; i < sizeof web_ports / sizeof web_ports[0]; i++)
        n += find_web(arena, &web_ports[i], &found[n]);
    return n;
}
