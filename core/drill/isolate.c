/* SPDX-License-Identifier: GPL-3.0-or-later */
/* isolate - a drill is put away in two steps.
 *
 * The supervisor leaves the host's namespaces before it starts the runner: of processes (the runner is process 1, and
 * when it ends the kernel ends everything that it started), of the network (there is none, not even loopback, unless
 * the drill says `network`), of shared memory, and of mounts (an empty /run: the sockets of the servers in production
 * lie there). A backup that is elsewhere is brought by a process that was started before that (fetch.h): it alone, and
 * neither servers nor what else restores, has the network. The scratch folder is mounted below that /run, so that the
 * drill's user can get at it wherever it lies, and paths of sockets are short. Where belfryd is not root, that takes a
 * user namespace, in which the user stays who it is.
 *
 * The runner then enters the sandbox (core/sandbox): nothing can be written but below the scratch folder.
 *
 * What can't be had is said in the evidence, and the drill goes on with the rest. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/drill/drill.h"
#include "core/sandbox/sandbox.h"

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t written = fd >= 0 ? write(fd, text, strlen(text)) : 0;
    (void)written;
    if (fd >= 0)
        close(fd);
}

/* The user is itself in there, too. */
static bool enter_user_namespace(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER) != 0)
        return false;
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1\n", gid, gid);
    write_file("/proc/self/gid_map", map);
    snprintf(map, sizeof map, "%u %u 1\n", uid, uid);
    write_file("/proc/self/uid_map", map);
    return true;
}

#define INSIDE "/run/drill"

static bool hide_sockets(struct run *run)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || strncmp(run->folder, "/run/", 5) == 0 ||
        strncmp(run->config->source, "/run/", 5) == 0 ||
        mount("none", "/run", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") != 0)
        return false;
    if (mkdir(INSIDE, 0711) == 0 && mount(run->folder, INSIDE, NULL, MS_BIND, NULL) == 0)
        text_copy(run->folder, sizeof run->folder, INSIDE);
    return true;
}

static void note(struct outcome *outcome, bool good, const char *yes, const char *no)
{
    size_t at = strlen(outcome->isolation);
    snprintf(outcome->isolation + at, sizeof outcome->isolation - at, "%s%s%s", at ? "; " : "", good ? "" : "no ",
             good ? yes : no);
}

void isolate(struct run *run)
{
    bool user = geteuid() == 0 || enter_user_namespace();
    bool processes = user && unshare(CLONE_NEWPID | CLONE_NEWIPC) == 0;
    bool network = user && !run->config->network && unshare(CLONE_NEWNET) == 0;
    bool mounts = user && unshare(CLONE_NEWNS) == 0 && hide_sockets(run);
    note(run->outcome, processes, "own processes", "namespace of processes");
    if (run->config->network)
        note(run->outcome, true, "network allowed", "");
    else
        note(run->outcome, network, drill_is_remote(run->config) ? "network to fetch only" : "no network",
             "namespace of the network");
    note(run->outcome, mounts, "/run hidden", "namespace of mounts");
}

void isolate_sandbox(struct run *run)
{
    char standing[SANDBOX_TEXT_SIZE];
    struct outcome *outcome = run->outcome;
    const struct sandbox sandbox = { .role = SANDBOX_DRILL, .write = run->folder };
    sandbox_enter(&sandbox, standing);
    size_t at = strlen(outcome->isolation);
    snprintf(outcome->isolation + at, sizeof outcome->isolation - at, "; %s", standing);
}
