/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file - whole files, atomic replacement, and the walk that decides whether a path may be trusted.
 *
 * The walk opens one component after the other from the root (O_PATH, O_NOFOLLOW, relative to the one before), looks at
 * what was opened, not at names, and so can't be led astray between the look and the use. */
#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/digest.h"
#include "core/base/text.h"

/* ---- reading */

/* Reads fd to its end; ERROR_LIMIT when there is more than the buffer's bound. */
static int read_all(int fd, struct buf *buf)
{
    for (;;) {
        size_t left = buf->max_bytes - buf->length;
        if (left == 0)
            return ERROR_LIMIT;
        size_t gulp = left < 65536 ? left : 65536;
        ssize_t n = read(fd, buf_room(buf, gulp), gulp);
        if (n == 0)
            return 0;
        if (n > 0)
            buf->length += (size_t)n;
        else if (errno != EINTR)
            return -errno;
    }
}

static int check_regular(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return S_ISREG(st.st_mode) ? 0 : ERROR_REFUSED;
}

int file_read(struct arena *arena, const char *path, size_t max_bytes, char **out, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    struct buf buf = { .max_bytes = max_bytes + 1 }; /* one more, to see that there is more */
    int code = check_regular(fd);
    if (code == 0)
        code = read_all(fd, &buf);
    if (code == 0) {
        *out = arena_text_n(arena, buf.data, buf.length);
        *length = buf.length;
    }
    buf_close(&buf);
    close(fd);
    return code;
}

/* ---- writing */

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno != EINTR)
            return -errno;
        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

struct content {
    const void *bytes;
    size_t n;
    bool sync; /* it must be on disk before it is seen */
};

/* Writes the new file and closes it. */
static int fill(int fd, const struct content *content)
{
    int code = write_all(fd, content->bytes, content->n);
    if (code == 0 && content->sync && fdatasync(fd) != 0)
        code = -errno;
    if (close(fd) != 0 && code == 0)
        code = -errno;
    return code;
}

/* The folder part of path: "." when it has none. */
static char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return arena_text(arena, ".");
    return arena_text_n(arena, path, slash == path ? 1 : (size_t)(slash - path));
}

static int replace(struct arena *arena, const char *path, const struct content *content, unsigned mode)
{
    uint64_t random;
    digest_random(&random, sizeof random);
    char *temporary = arena_print(arena, "%s.%016llx.tmp", path, (unsigned long long)random);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0)
        return -errno;
    int code = fill(fd, content);
    if (code == 0 && rename(temporary, path) != 0)
        code = -errno;
    if (code != 0)
        unlink(temporary);
    return code;
}

int file_swap(const char *path, const void *bytes, size_t n, unsigned mode)
{
    struct arena arena = { 0 };
    int code = replace(&arena, path, &(struct content){ bytes, n, false }, mode);
    arena_close(&arena);
    return code;
}

int file_replace(const char *path, const void *bytes, size_t n, unsigned mode)
{
    struct arena arena = { 0 };
    int code = replace(&arena, path, &(struct content){ bytes, n, true }, mode);
    if (code == 0)
        code = file_sync_folder(folder_of(&arena, path));
    arena_close(&arena);
    return code;
}

int file_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int code = fsync(fd) != 0 ? -errno : 0;
    close(fd);
    return code;
}

static int make_folder(const char *folder, unsigned mode)
{
    struct stat st;
    if (mkdir(folder, (mode_t)mode) == 0)
        return 0;
    int code = -errno;
    if (stat(folder, &st) != 0)
        return code;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_make_folders(const char *folder, unsigned mode)
{
    char path[PATH_MAX];
    if (text_copy(path, sizeof path, folder) >= sizeof path)
        return -ENAMETOOLONG;
    if (!path[0])
        return -ENOENT;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int code = make_folder(path, mode);
        if (code != 0)
            return code;
        *slash = '/';
    }
    return make_folder(path, mode);
}

/* ---- trust */

enum wanted {
    WANT_PASSAGE, /* a folder on the way */
    WANT_FOLDER,
    WANT_FILE,
    WANT_SECRET
};

/* Whether what is open as fd keeps the rule; path is its name for the explanation. */
static int check_trust(int fd, enum wanted wanted, const char *path, struct why *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return why_say(why, -errno, "'%s' can't be examined: %s", path, error_text(-errno));
    unsigned mode = (unsigned)st.st_mode & 07777u;
    bool folder = wanted == WANT_PASSAGE || wanted == WANT_FOLDER;
    if (S_ISLNK(st.st_mode))
        return why_say(why, ERROR_REFUSED, "'%s' is a symbolic link, wanted the real path", path);
    if (folder && !S_ISDIR(st.st_mode))
        return why_say(why, -ENOTDIR, "'%s' is not a folder", path);
    if (!folder && !S_ISREG(st.st_mode))
        return why_say(why, ERROR_REFUSED, "'%s' is not a regular file", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return why_say(why, ERROR_REFUSED, "'%s' belongs to user %u, wanted root or user %u: chown it", path,
                       (unsigned)st.st_uid, (unsigned)geteuid());
    bool shared = wanted == WANT_PASSAGE && (mode & S_ISVTX) && st.st_uid == 0;
    if ((mode & (S_IWGRP | S_IWOTH)) && !shared)
        return why_say(why, ERROR_REFUSED, "'%s' has mode %04o, wanted no write access for group or others: chmod go-w",
                       path, mode);
    if (wanted == WANT_SECRET && (mode & (S_IRGRP | S_IROTH)))
        return why_say(why, ERROR_REFUSED, "'%s' has mode %04o, wanted 0600: chmod go= so that only its owner reads it",
                       path, mode);
    return 0;
}

/* Opens name below the folder at and checks it. The descriptor, or a negative code. */
static int step_into(int at, const char *name, int flags, enum wanted wanted, const char *path, struct why *why)
{
    int fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return why_say(why, -errno, "'%s' can't be opened: %s", path, error_text(-errno));
    int code = check_trust(fd, wanted, path, why);
    if (code != 0) {
        close(fd);
        return code;
    }
    return fd;
}

/* Checks name and, when it is a file, opens it for reading: what is looked at first can't be a device or a pipe. */
static int step_to_end(int at, const char *name, enum wanted wanted, const char *path, struct why *why)
{
    int fd = step_into(at, name, O_PATH, wanted, path, why);
    if (fd < 0 || wanted == WANT_FOLDER)
        return fd;
    close(fd);
    return step_into(at, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, wanted, path, why);
}

/* path is a copy that is cut into components and put together again on the way. */
static int walk(char *path, enum wanted wanted, struct why *why)
{
    int at = step_into(AT_FDCWD, "/", O_PATH, WANT_PASSAGE, "/", why);
    char *name = path + strspn(path, "/");
    if (at >= 0 && !*name) {
        close(at);
        return step_to_end(AT_FDCWD, "/", wanted, "/", why);
    }
    while (at >= 0 && *name) {
        size_t length = strcspn(name, "/");
        char *rest = name + length + strspn(name + length, "/");
        char separator = name[length];
        name[length] = '\0';
        int next =
            *rest ? step_into(at, name, O_PATH, WANT_PASSAGE, path, why) : step_to_end(at, name, wanted, path, why);
        name[length] = separator;
        close(at);
        at = next;
        name = rest;
    }
    return at;
}

static int walk_copy(const char *path, enum wanted wanted, struct why *why)
{
    char copy[PATH_MAX];
    if (path[0] != '/')
        return why_say(why, ERROR_REFUSED, "'%s' is not an absolute path, write it from the root", path);
    if (text_copy(copy, sizeof copy, path) >= sizeof copy)
        return why_say(why, -ENAMETOOLONG, "'%s' is longer than %d bytes", path, PATH_MAX - 1);
    return walk(copy, wanted, why);
}

int file_open_trusted(const char *path, bool secret, struct why *why)
{
    return walk_copy(path, secret ? WANT_SECRET : WANT_FILE, why);
}

int file_check_trusted_folder(const char *path, struct why *why)
{
    int fd = walk_copy(path, WANT_FOLDER, why);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* ---- paths */

char *file_join(struct arena *arena, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/')
        length--;
    return arena_print(arena, "%.*s/%s", (int)length, folder, name + strspn(name, "/"));
}

static char program_folder[PATH_MAX];
static pthread_once_t program_folder_once = PTHREAD_ONCE_INIT;

static void find_program_folder(void)
{
    ssize_t n = readlink("/proc/self/exe", program_folder, sizeof program_folder - 1);
    program_folder[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program_folder, '/');
    if (slash)
        slash[slash == program_folder] = '\0';
    else
        text_copy(program_folder, sizeof program_folder, "/");
}

const char *file_program_folder(void)
{
    pthread_once(&program_folder_once, find_program_folder);
    return program_folder;
}
