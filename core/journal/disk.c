/* SPDX-License-Identifier: GPL-3.0-or-later */
/* disk - the table of real system calls. EINTR is handled here and nowhere else. fdatasync is never repeated after an
 * error other than EINTR: the kernel reports a lost page once and then calls the file clean. */
#include "core/journal/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int result(int code)
{
    return code < 0 ? -errno : code;
}

static int open_file(void *self, int folder, const char *name, int flags)
{
    (void)self;
    int fd;
    do
        fd = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (fd < 0 && errno == EINTR);
    return result(fd);
}

static ssize_t write_some(void *self, int fd, const void *bytes, size_t n)
{
    (void)self;
    ssize_t done;
    do
        done = write(fd, bytes, n);
    while (done < 0 && errno == EINTR);
    return done < 0 ? -errno : done;
}

static int sync_file(void *self, int fd)
{
    (void)self;
    int code;
    do
        code = fdatasync(fd);
    while (code < 0 && errno == EINTR);
    return result(code);
}

static int sync_names(void *self, int folder)
{
    (void)self;
    int code;
    do
        code = fsync(folder);
    while (code < 0 && errno == EINTR);
    return result(code);
}

static int truncate_file(void *self, int fd, uint64_t size)
{
    (void)self;
    int code;
    do
        code = ftruncate(fd, (off_t)size);
    while (code < 0 && errno == EINTR);
    return result(code);
}

static int rename_file(void *self, int folder, const char *from, const char *to)
{
    (void)self;
    return result(renameat(folder, from, folder, to));
}

static int remove_file(void *self, int folder, const char *name)
{
    (void)self;
    return result(unlinkat(folder, name, 0));
}

const struct journal_disk disk_system = {
    .open = open_file,
    .write = write_some,
    .sync = sync_file,
    .sync_folder = sync_names,
    .truncate = truncate_file,
    .rename = rename_file,
    .remove = remove_file,
};

int disk_write_all(const struct journal_disk *disk, int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t done = disk->write(disk->self, fd, at, n);
        if (done < 0)
            return (int)done;
        if (done == 0)
            return -EIO;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}
