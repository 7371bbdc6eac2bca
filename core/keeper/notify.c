/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notify - what systemd is told, by the datagrams of sd_notify(3): READY=1 when the family stands, STOPPING=1, and
 * WATCHDOG=1 while it really gets on. That is sent from the housekeeping of the loop, so a loop that does not turn does
 * not send it; and not while records have been waiting for the disk for longer than half of what systemd allows. A disk
 * that answers, though with an error, is no reason: checks go on, and a restart would not make it better (trouble.c).
 * $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID come from systemd; without them nothing is sent. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/keeper/keeper.h"

/* A path, or an abstract name that begins with '@'. 0 or -1. */
static int find_socket(struct sockaddr_un *to, socklen_t *size)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t length = name ? strlen(name) : 0;
    if (length < 2 || length >= sizeof to->sun_path || (name[0] != '/' && name[0] != '@'))
        return -1;
    *to = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(to->sun_path, name, length);
    if (name[0] == '@')
        to->sun_path[0] = '\0';
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return 0;
}

void notify_send(const char *state)
{
    struct sockaddr_un to;
    socklen_t size;
    if (find_socket(&to, &size) != 0)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)(const void *)&to, size) < 0)
        log_debug("keeper", "systemd was not told '%s': %s", state, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static int64_t read_watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t value = 0, process = 0;
    if (!usec || text_integer(usec, &value) != 0 || value <= 0)
        return 0;
    if (pid && (text_integer(pid, &process) != 0 || process != getpid()))
        return 0;
    return value / 1000;
}

/* For how long records have waited while none came to disk. */
static int64_t journal_stalled_ms(struct keeper *keeper, int64_t now_ms)
{
    uint64_t durable = journal_durable(keeper->journal);
    if (durable != keeper->journal_seen || durable == journal_last(keeper->journal) ||
        journal_stalled(keeper->journal) != 0)
        keeper->journal_moved_ms = now_ms;
    keeper->journal_seen = durable;
    return now_ms - keeper->journal_moved_ms;
}

void notify_housekeeping(struct keeper *keeper, int64_t now_ms)
{
    int64_t stalled_ms = journal_stalled_ms(keeper, now_ms);
    if (!keeper->watchdog_asked) {
        keeper->watchdog_asked = true;
        keeper->watchdog_ms = read_watchdog();
    }
    if (keeper->watchdog_ms == 0 || stalled_ms > keeper->watchdog_ms / 2 ||
        now_ms - keeper->notified_ms < keeper->watchdog_ms / 4)
        return;
    keeper->notified_ms = now_ms;
    notify_send("WATCHDOG=1");
}
