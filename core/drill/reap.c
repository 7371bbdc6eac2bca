/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reap - ends what a drill left behind, where no namespace has done that: processes whose environment names the drill,
 * or that work in its folder (PostgreSQL overwrites its environment). Each is held by a descriptor before it is looked
 * at, so that never another process of the same number is hit. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/drill/drill.h"

#define ENVIRON_MAX 65536
#define ROUNDS_MAX 50

static bool has_variable(pid_t pid, const char *id)
{
    char path[64], wanted[64], *bytes = heap_alloc(ENVIRON_MAX);
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    int length = snprintf(wanted, sizeof wanted, "BELFRY_DRILL=%s", id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, bytes, ENVIRON_MAX) : -1;
    if (fd >= 0)
        close(fd);
    bool found = n > 0 && memmem(bytes, (size_t)n, wanted, (size_t)length + 1) != NULL;
    free(bytes);
    return found;
}

static bool works_in(pid_t pid, const char *folder)
{
    char path[64], cwd[PATH_MAX];
    size_t length = strlen(folder);
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    ssize_t n = readlink(path, cwd, sizeof cwd - 1);
    if (n < (ssize_t)length)
        return false;
    cwd[n] = '\0';
    return strncmp(cwd, folder, length) == 0 && (cwd[length] == '/' || cwd[length] == '\0' || cwd[length] == ' ');
}

static bool end_if_ours(pid_t pid, const char *id, const char *folder)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return false;
    bool ours = has_variable(pid, id) || works_in(pid, folder);
    if (ours)
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    close(fd);
    return ours;
}

static unsigned sweep(const char *id, const char *folder)
{
    const struct dirent *entry;
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    while (proc && (entry = readdir(proc)) != NULL) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end == '\0' && pid > 1 && pid <= INT_MAX && pid != getpid())
            count += end_if_ours((pid_t)pid, id, folder);
    }
    if (proc)
        closedir(proc);
    return count;
}

unsigned reap_processes(const char *id, const char *workspace)
{
    char folder[PATH_MAX];
    unsigned count = 0, found;
    snprintf(folder, sizeof folder, "%.*s/" SCRATCH_PREFIX "%s", PATH_MAX - 64, workspace, id);
    for (int round = 0; round < ROUNDS_MAX && (found = sweep(id, folder)) > 0; round++) {
        count += round == 0 ? found : 0;
        usleep(20000); /* until the dead ones are gone, or have left no child */
    }
    return count;
}
