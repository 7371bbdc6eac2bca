/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net - connecting by way of belfry_wait().
 *
 * All addresses of a name are tried in the resolver's order, the next one 250 ms after the one before (at once when
 * that failed), and the first to answer wins (RFC 8305): one dead address costs a quarter of a second, never the
 * deadline. A connection that met itself (source and destination equal, which the kernel can do to a probe of a dead
 * port on loopback) counts as refused. */
#include "plugins/common/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define STAGGER_MS 250

const char *const net_ip_versions[] = { "any", "4", "6", NULL };

int net_family(const char *ip_version)
{
    if (strcmp(ip_version, "4") == 0)
        return AF_INET;
    return strcmp(ip_version, "6") == 0 ? AF_INET6 : AF_UNSPEC;
}

/* The race: addresses[0 .. started) were tried, those with fds[i] >= 0 are under way. */
struct race {
    struct belfry_address addresses[NET_ADDRESSES_MAX];
    int fds[NET_ADDRESSES_MAX];
    int errors[NET_ADDRESSES_MAX];
    size_t count, started;
    double until;
};

static bool meets_itself(int fd)
{
    struct sockaddr_storage here, there;
    memset(&here, 0, sizeof here);
    memset(&there, 0, sizeof there);
    socklen_t here_length = sizeof here, there_length = sizeof there;
    if (getsockname(fd, (struct sockaddr *)&here, &here_length) != 0 ||
        getpeername(fd, (struct sockaddr *)&there, &there_length) != 0)
        return false;
    return here.ss_family != AF_UNIX && here_length == there_length && memcmp(&here, &there, here_length) == 0;
}

static void give_up(struct race *race, size_t i, int error)
{
    if (race->fds[i] >= 0)
        close(race->fds[i]);
    race->fds[i] = -1;
    race->errors[i] = error;
}

/* Starts on the next address. True when it is connected already. */
static bool start_next(struct race *race)
{
    size_t i = race->started++;
    const struct belfry_address *to = &race->addresses[i];
    race->fds[i] = socket(to->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (race->fds[i] < 0) {
        give_up(race, i, errno);
        return false;
    }
    int on = 1;
    if (to->family != AF_UNIX)
        setsockopt(race->fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(race->fds[i], (const struct sockaddr *)&to->address, to->length) != 0) {
        if (errno != EINPROGRESS)
            give_up(race, i, errno);
        return false;
    }
    if (!meets_itself(race->fds[i]))
        return true;
    give_up(race, i, ECONNREFUSED);
    return false;
}

/* Asks one socket how its connect ended. */
static bool finish(struct race *race, size_t i)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(race->fds[i], SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error == 0 && meets_itself(race->fds[i]))
        error = ECONNREFUSED;
    if (error != 0)
        give_up(race, i, error);
    return error == 0;
}

/* Waits for those under way: the winner's index, -EAGAIN when it is the next one's turn, another negative code at the
 * end. */
static int await_one(struct belfry_probe *p, struct race *race)
{
    struct pollfd polls[NET_ADDRESSES_MAX];
    size_t indices[NET_ADDRESSES_MAX], count = 0;
    for (size_t i = 0; i < race->started; i++)
        if (race->fds[i] >= 0) {
            polls[count] = (struct pollfd){ race->fds[i], POLLOUT, 0 };
            indices[count++] = i;
        }
    if (count == 0)
        return race->started < race->count ? -EAGAIN : -ECONNREFUSED;
    int64_t limit = now_left_ms(race->until), turn = race->started < race->count ? STAGGER_MS : -1;
    if (limit == 0)
        return -ETIMEDOUT;
    int n = belfry_wait_many(p, polls, count, turn < 0 || (limit > 0 && limit < turn) ? limit : turn);
    if (n <= 0)
        return n < 0 ? n : -EAGAIN;
    for (size_t i = 0; i < count; i++)
        if (polls[i].revents != 0 && finish(race, indices[i]))
            return (int)indices[i];
    return -EINPROGRESS;
}

static int run_race(struct belfry_probe *p, struct race *race)
{
    int result = -EAGAIN;
    while (result == -EAGAIN || result == -EINPROGRESS) {
        if (result == -EAGAIN && race->started < race->count && start_next(race))
            return (int)race->started - 1;
        result = await_one(p, race);
    }
    return result;
}

/* "connect to 127.0.0.1:81: connection refused", or the same for each address of a name. */
static const char *explain(struct belfry_probe *p, const struct net_target *target, const struct race *race,
                           double spent_s)
{
    const char *text = race->count > 1 ? belfry_print(p, "connect to %s:", target->host) : "connect to";
    for (size_t i = 0; i < race->count; i++) {
        const char *reason = race->errors[i] != 0 ? say_error(p, race->errors[i])
                                                  : belfry_print(p, "timed out after %s", say_seconds(p, spent_s));
        text = belfry_print(p, "%s%s%s: %s", text, i > 0 ? "; " : " ", say_address(p, &race->addresses[i]), reason);
    }
    return text;
}

/* Fills the race's addresses. */
static int find(struct belfry_probe *p, const struct net_target *target, struct race *race, const char **why)
{
    if (!target->path) {
        int n = belfry_resolve(p, target->host, target->port, target->family, SOCK_STREAM, race->addresses,
                               NET_ADDRESSES_MAX, why);
        race->count = n > 0 ? (size_t)n : 0;
        return n != 0 ? n : -ENOENT;
    }
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    size_t length = strlen(target->path);
    if (length >= sizeof local.sun_path) {
        *why = "the path of the socket is longer than 107 bytes";
        return -ENAMETOOLONG;
    }
    memcpy(local.sun_path, target->path, length + 1);
    race->addresses[0].family = AF_UNIX;
    race->addresses[0].length = sizeof local;
    memcpy(&race->addresses[0].address, &local, sizeof local);
    race->count = 1;
    return 1;
}

int net_connect(struct belfry_probe *p, const struct net_target *target, struct net_report *report)
{
    struct race *race = belfry_alloc(p, sizeof *race);
    double begin = now_s();
    race->until = target->until;
    *report = (struct net_report){ 0 };
    int found = find(p, target, race, &report->why);
    report->resolve_s = now_s() - begin;
    if (found < 0) {
        if (!report->why) /* the host names what it could not resolve */
            report->why = belfry_print(p, "can't resolve '%s': %s", target->host, say_error(p, found));
        return found;
    }
    for (size_t i = 0; i < NET_ADDRESSES_MAX; i++)
        race->fds[i] = -1;
    begin = now_s();
    int winner = run_race(p, race);
    report->connect_s = now_s() - begin;
    int fd = winner >= 0 ? race->fds[winner] : winner;
    for (size_t i = 0; i < race->started; i++)
        if ((int)i != winner && race->fds[i] >= 0)
            close(race->fds[i]);
    if (winner >= 0)
        report->peer = say_address(p, &race->addresses[winner]);
    else
        report->why = explain(p, target, race, report->connect_s);
    return fd;
}
