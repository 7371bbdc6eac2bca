/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scratch - the folder of a drill. Its file "marker" is written first and holds the drill's id; nothing is removed
 * unless that file is there and says the id that was asked for. Removing goes by descriptors, folder by folder, never
 * through a link and never onto another file system. What a backup has brought may lie deeper than there are
 * descriptors, in folders that nobody may write to. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/drill/drill.h"

#define MARKER "marker"
#define DEPTH_MAX 200
#define COUNT_MAX 200000u

/* ---- making ------------------------------------------------------------------------------------------------------ */

static int write_marker(int folder, const char *id)
{
    int fd = openat(folder, MARKER, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int code = dprintf(fd, "belfry-drill %s\n", id) < 0 || fsync(fd) != 0 ? -errno : 0;
    close(fd);
    return code;
}

int scratch_make(struct run *run, struct why *why)
{
    const char *workspace = run->config->workspace;
    int code = file_make_folders(workspace, 0711);
    if (code != 0)
        return why_say(why, code, "the workspace '%s' can't be made: %s", workspace, error_text(code));
    int n = snprintf(run->folder, sizeof run->folder, "%s/" SCRATCH_PREFIX "%s", workspace, run->id);
    if (n < 0 || n > PATH_MAX - 128 || mkdir(run->folder, 0711) != 0)
        return why_say(why, -errno, "'%s' can't be made: %s", run->folder, strerror(errno));
    run->folder_fd = open(run->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    code = run->folder_fd < 0 ? -errno : write_marker(run->folder_fd, run->id);
    if (code == 0 && fchmod(run->folder_fd, 0711) != 0)
        code = -errno;
    return code ? why_say(why, code, "'%s' can't be marked: %s", run->folder, error_text(code)) : 0;
}

int scratch_folder(struct run *run, const char *name, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 100, run->folder, name);
    if (n < 0 || n >= PATH_MAX || mkdirat(run->folder_fd, name, 0700) != 0)
        return -errno;
    if (run->user != 0 && fchownat(run->folder_fd, name, run->user, run->group, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    return 0;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

/* Takes fd over. */
static void add_folder(int fd, struct scratch_sum *sum)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;
    struct stat st;
    if (!dir) {
        close(fd);
        return;
    }
    while (sum->files < COUNT_MAX && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        sum->files++;
        sum->bytes += (int64_t)st.st_blocks * 512;
        int64_t wall_ms = (int64_t)st.st_mtim.tv_sec * 1000;
        sum->newest_wall_ms = wall_ms > sum->newest_wall_ms ? wall_ms : sum->newest_wall_ms;
        sum->too_deep = sum->too_deep || (S_ISDIR(st.st_mode) && sum->depth == DEPTH_MAX);
        int below = S_ISDIR(st.st_mode) && sum->depth < DEPTH_MAX
                        ? openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                        : -1;
        if (below < 0)
            continue;
        sum->depth++;
        add_folder(below, sum);
        sum->depth--;
    }
    closedir(dir);
}

struct scratch_sum scratch_measure(int fd)
{
    struct scratch_sum sum = { 0 };
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy >= 0)
        add_folder(copy, &sum);
    return sum;
}

/* ---- removing ----------------------------------------------------------------------------------------------------
 * Two may be at it at once: the supervisor of a daemon that was killed, and the one that the next daemon has sent. What
 * the other one has taken away is gone, and that is all that was wanted. */

struct removing {
    int top;
    dev_t device;
    unsigned moved; /* folders that lay too deep, and lie below the top since */
};

static int remove_entry(struct removing *r, int folder, const char *name, unsigned depth);

static int unless_gone(int error)
{
    return error == ENOENT ? 0 : -error;
}

/* Everything in it but the marker of the top; takes fd over. */
static int empty_folder(struct removing *r, int fd, unsigned depth)
{
    const struct dirent *entry;
    int code = 0;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return -errno;
    }
    while ((entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (depth == 0 && strcmp(name, MARKER) == 0))
            continue;
        int failed = remove_entry(r, fd, name, depth);
        if (failed)
            code = failed;
    }
    closedir(dir);
    return code;
}

/* A descriptor of it. The rights of folders that a tool made may stand in the way; it is no link: remove_entry() has
 * looked, and nothing of the drill lives. */
static int open_folder(int folder, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat st;
    int fd = openat(folder, name, flags);
    if (fd < 0 && errno == EACCES && fchmodat(folder, name, 0700, 0) == 0)
        fd = openat(folder, name, flags);
    if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
        fchmod(fd, 0700);
    return fd;
}

/* The top is gone through once more. */
static int move_up(struct removing *r, int folder, const char *name)
{
    char there[64];
    snprintf(there, sizeof there, "deep-%d-%u", (int)getpid(), r->moved++);
    return renameat(folder, name, r->top, there) != 0 ? unless_gone(errno) : 0;
}

static int remove_folder(struct removing *r, int folder, const char *name, unsigned depth)
{
    struct stat st;
    int fd = open_folder(folder, name);
    if (fd < 0)
        return unless_gone(errno);
    bool same = fstat(fd, &st) == 0 && st.st_dev == r->device;
    if (!same || depth >= DEPTH_MAX) {
        close(fd);
        return same ? move_up(r, folder, name) : -EXDEV;
    }
    int code = empty_folder(r, fd, depth + 1);
    return code == 0 && unlinkat(folder, name, AT_REMOVEDIR) != 0 ? unless_gone(errno) : code;
}

static int remove_entry(struct removing *r, int folder, const char *name, unsigned depth)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return unless_gone(errno);
    if (S_ISDIR(st.st_mode))
        return remove_folder(r, folder, name, depth);
    return unlinkat(folder, name, 0) != 0 ? unless_gone(errno) : 0;
}

/* Everything in the top but its marker. */
static int empty_top(int top, dev_t device)
{
    struct removing r = { .top = top, .device = device };
    unsigned before;
    int code;
    do {
        before = r.moved;
        int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        code = fd < 0 ? -errno : empty_folder(&r, fd, 0);
    } while (code == 0 && r.moved != before);
    return code;
}

/* A folder whose maker was killed before he had marked it holds nothing, or a marker that says nothing yet. */
static void drop_unwritten_marker(int fd)
{
    struct stat st;
    bool unwritten = fstatat(fd, MARKER, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
    if (unwritten && scratch_measure(fd).files == 1)
        unlinkat(fd, MARKER, 0);
}

static bool is_marked(int fd, const char *id)
{
    char text[64] = "", wanted[64];
    int marker = openat(fd, MARKER, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = marker >= 0 ? read(marker, text, sizeof text - 1) : -1;
    if (marker >= 0)
        close(marker);
    snprintf(wanted, sizeof wanted, "belfry-drill %s\n", id);
    return n >= 0 && strcmp(text, wanted) == 0;
}

int scratch_remove(const char *workspace, const char *id, struct why *why)
{
    char name[64];
    struct stat st;
    snprintf(name, sizeof name, SCRATCH_PREFIX "%s", id);
    int above = open(workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = above >= 0 ? openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    int code = fd >= 0 ? 0 : -errno;
    if (fd >= 0 && fstat(fd, &st) != 0)
        code = -errno;
    if (fd >= 0 && code == 0 && is_marked(fd, id)) {
        code = empty_top(fd, st.st_dev);
        if (code == 0 && unlinkat(fd, MARKER, 0) != 0)
            code = unless_gone(errno);
    } else if (fd >= 0 && code == 0) {
        drop_unwritten_marker(fd);
    }
    if (code == 0 && unlinkat(above, name, AT_REMOVEDIR) != 0) /* not marked: only when it is empty */
        code = -errno;
    if (fd >= 0)
        close(fd);
    if (above >= 0)
        close(above);
    if (code == -ENOENT)
        return 0;
    return code ? why_say(why, code, "'%s/%s' can't be removed: %s", workspace, name, error_text(code)) : 0;
}
