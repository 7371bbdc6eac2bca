/* SPDX-License-Identifier: GPL-3.0-or-later */
/* discover - see discover.h. A service is taken for what it is only when it answers as such: Redis says +PONG or
 * -NOAUTH, Docker's API says OK to /_ping, a web server answers a HEAD request with a status line. Each question waits
 * ASK_MS at most. */
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

/* Ports where web servers are usually found; only those that listen are asked. */
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

/* Whether anything on this machine listens on the port, on a loopback or wildcard address. */
static bool listens(unsigned port)
{
    static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
    char line[256], wanted[8];
    bool found = false;
    snprintf(wanted, sizeof wanted, ":%04X ", port);
    for (size_t i = 0; i < 2 && !found; i++) {
        FILE *table = fopen(tables[i], "re");
        while (table && !found && fgets(line, sizeof line, table)) {
            const char *at = strstr(line, wanted);
            const char *state = at ? strchr(at + strlen(wanted), ' ') : NULL;
            const char *local = strchr(line, ':'); /* after the row number */
            found = state && strncmp(state, " 0A ", 4) == 0 && local && at > local && at < local + 40;
        }
        if (table)
            fclose(table);
    }
    return found;
}

/* ---- what is looked for ---------------------------------------------------------------------------------------- */

static bool find_redis(struct arena *arena, struct found *out)
{
    char answer[128];
    int fd = connect_port(6379);
    if (fd < 0)
        return false;
    ask(fd, "PING\r\n", answer, sizeof answer);
    bool open = strncmp(answer, "+PONG", 5) == 0;
    if (!open && strncmp(answer, "-NOAUTH", 7) != 0)
        return false;
    *out = (struct found){ .service = "redis",
                           .title = "Redis",
                           .why = open ? "a Redis answers on 127.0.0.1:6379"
                                       : "a Redis on 127.0.0.1:6379 wants a password: put it into secrets/redis (mode "
                                         "0600) and add  password = \"@redis\";" };
    out->check = arena_text(arena, "server: { plugin = \"redis\"; host = \"127.0.0.1\"; port = 6379; };");
    return true;
}

/* The first path where somebody listens. */
static bool find_socket(const char *const *paths, const char **path)
{
    for (; *paths; paths++) {
        int fd = connect_path(*paths);
        if (fd < 0)
            continue;
        close(fd);
        *path = *paths;
        return true;
    }
    return false;
}

static bool find_mariadb(struct arena *arena, struct found *out)
{
    static const char *const paths[] = { "/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", NULL };
    const char *path;
    if (!find_socket(paths, &path))
        return false;
    *out = (struct found){ .service = "mariadb", .title = "MariaDB" };
    out->why = arena_print(arena, "a MariaDB or MySQL socket is at %s", path);
    out->check = arena_print(arena, "socket: { plugin = \"tcp\"; socket = \"%s\"; };", path);
    return true;
}

static bool find_docker(struct arena *arena, struct found *out)
{
    static const char *const paths[] = { "/run/docker.sock", "/var/run/docker.sock", NULL };
    const char *path;
    if (!find_socket(paths, &path))
        return false;
    *out = (struct found){ .service = "docker", .title = "Docker Engine" };
    out->why = arena_print(arena, "a Docker socket is at %s", path);
    out->check = arena_print(arena,
                             "engine: { plugin = \"tcp\"; socket = \"%s\"; send = \"GET /_ping HTTP/1.0\\r\\n\\r\\n\"; "
                             "expect = [ \"200 OK\" ]; };",
                             path);
    return true;
}

static bool find_web(struct arena *arena, const struct web_port *port, struct found *out)
{
    char answer[256];
    unsigned status = 0;
    if (!listens(port->port))
        return false;
    const char *service = arena_print(arena, "web-%u", port->port);
    *out = (struct found){ .service = service };
    out->title = arena_print(arena, "Web server on port %u", port->port);
    if (port->tls) {
        out->why = arena_print(arena,
                               "something listens on port %u, where HTTPS is usual; the certificate is not "
                               "checked against 'localhost'",
                               port->port);
        out->check = arena_print(arena,
                                 "page: { plugin = \"http\"; url = \"https://localhost:%u/\"; tls_verify = "
                                 "false; };",
                                 port->port);
        return true;
    }
    int fd = connect_port(port->port);
    if (fd < 0)
        return false;
    ask(fd, "HEAD / HTTP/1.0\r\nHost: localhost\r\nUser-Agent: belfry\r\n\r\n", answer, sizeof answer);
    if (sscanf(answer, "HTTP/1.%*1[01] %3u", &status) != 1)
        return false;
    out->why = arena_print(arena, "a web server answers on 127.0.0.1:%u with status %u", port->port, status);
    out->check = arena_print(arena,
                             "page: { plugin = \"http\"; url = \"http://127.0.0.1:%u/\"; expect_status = [ \"%u\" "
                             "]; };",
                             port->port, status);
    return true;
}

size_t discover(struct arena *arena, struct found found[FOUND_MAX])
{
    size_t n = 0;
    found[n++] = (struct found){ .service = "host",
                                 .title = "This machine",
                                 .why = "load, memory, disks, pressure and uptime of this machine",
                                 .check = "system: { plugin = \"host\"; };" };
    n += find_redis(arena, &found[n]);
    n += find_mariadb(arena, &found[n]);
    n += find_docker(arena, &found[n]);
    for (size_t i = 0; i < sizeof web_ports / sizeof web_ports[0]; i++)
        n += find_web(arena, &web_ports[i], &found[n]);
    return n;
}
