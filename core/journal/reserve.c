/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reserve - see reserve.h. Where the file system can't allocate without writing, zeros are written. */
#include "core/journal/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/journal/disk.h"

static bool is_there(int folder, uint64_t bytes)
{
    struct stat st;
    return fstatat(folder, RESERVE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size == bytes && (uint64_t)st.st_blocks * 512 >= bytes;
}

/* So that it isn't taken and released in turn. */
static bool has_room(int folder, uint64_t bytes)
{
    struct statvfs fs;
    return fstatvfs(folder, &fs) == 0 && fs.f_bavail * (uint64_t)fs.f_frsize >= bytes + bytes / 2;
}

static int write_zeros(int fd, uint64_t bytes)
{
    static const char zeros[65536];
    int code = 0;
    while (code == 0 && bytes > 0) {
        size_t n = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        code = disk_write_all(&disk_system, fd, zeros, n);
        bytes -= n;
    }
    return code;
}

static int allocate(int fd, uint64_t bytes)
{
    int code;
    do
        code = fallocate(fd, 0, 0, (off_t)bytes) == 0 ? 0 : -errno;
    while (code == -EINTR);
    return code == -EOPNOTSUPP || code == -ENOSYS ? write_zeros(fd, bytes) : code;
}

int reserve_fill(int folder, uint64_t bytes)
{
    if (bytes == 0 || is_there(folder, bytes))
        return 0;
    reserve_release(folder);
    if (!has_room(folder, bytes))
        return -ENOSPC;
    int fd = openat(folder, RESERVE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int code = allocate(fd, bytes);
    close(fd);
    if (code < 0)
        reserve_release(folder);
    return code;
}

bool reserve_release(int folder)
{
    if (unlinkat(folder, RESERVE_NAME, 0) < 0)
        return false;
    fsync(folder); /* some file systems give space back with their next commit */
    return true;
}
