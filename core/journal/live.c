/* SPDX-License-Identifier: GPL-3.0-or-later */
/* live - see live.h. Before anything is written the file must have exactly the length that we gave it and still have
 * its name: another writer, or somebody who deletes the live file, is an error that no repetition can heal. */
#include "core/journal/live.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"

static int check(const struct live *live)
{
    struct stat st;
    if (fstat(live->fd, &st) < 0)
        return -errno;
    return st.st_nlink > 0 && (uint64_t)st.st_size == live->size ? 0 : ERROR_REFUSED;
}

int live_create(struct live *live, const char *name)
{
    int fd = live->disk->open(live->disk->self, live->folder, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL);
    if (fd < 0)
        return fd;
    live_close(live);
    live->fd = fd;
    live->size = 0;
    live->dirty = live->created = true;
    return 0;
}

int live_open(struct live *live, const char *name, uint64_t size)
{
    live->fd = live->disk->open(live->disk->self, live->folder, name, O_RDWR | O_APPEND);
    if (live->fd < 0)
        return live->fd;
    live->size = size;
    return check(live);
}

int live_write(struct live *live, const char *bytes, size_t n, size_t *done)
{
    int code = check(live);
    while (code == 0 && *done < n) {
        ssize_t taken = live->disk->write(live->disk->self, live->fd, bytes + *done, n - *done);
        if (taken <= 0)
            return taken < 0 ? (int)taken : -EIO;
        live->dirty = true;
        live->size += (uint64_t)taken;
        *done += (size_t)taken;
    }
    return code;
}

int live_sync(struct live *live)
{
    int code = live->disk->sync(live->disk->self, live->fd);
    if (code == 0 && live->created)
        code = live->disk->sync_folder(live->disk->self, live->folder);
    live->dirty = live->created = false;
    return code;
}

int live_sync_parent(const struct live *live)
{
    int parent = openat(live->folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -errno;
    int code = live->disk->sync_folder(live->disk->self, parent);
    close(parent);
    return code;
}

void live_close(struct live *live)
{
    if (live->fd >= 0)
        close(live->fd);
    live->fd = -1;
}
