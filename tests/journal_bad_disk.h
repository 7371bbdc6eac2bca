/* SPDX-License-Identifier: GPL-3.0-or-later */
/* journal_bad_disk - the real disk, until one operation fails, and all that follow it; and the order of operations. */
#ifndef TESTS_JOURNAL_BAD_DISK_H
#define TESTS_JOURNAL_BAD_DISK_H

#include "core/base/buf.h"
#include "core/journal/disk.h"
#include "tests/journal.h"

struct bad_disk {
    struct journal_disk table;
    unsigned operations, fail_at;
    struct buf trace;
};

static inline int bad_next(struct bad_disk *d, const char *what, const char *name)
{
    buf_print(&d->trace, "%s %s;", what, name);
    return d->fail_at != 0 && ++d->operations >= d->fail_at ? -EIO : 0;
}

static inline int bad_open(void *self, int at, const char *name, int flags)
{
    int code = bad_next(self, "open", name);
    return code < 0 ? code : disk_system.open(NULL, at, name, flags);
}

static inline ssize_t bad_write(void *self, int fd, const void *bytes, size_t n)
{
    struct bad_disk *d = self;
    int code = bad_next(d, "write", "");
    if (code < 0 && d->operations == d->fail_at)
        (void)!write(fd, bytes, n / 2); /* the one that fails is done in part */
    return code < 0 ? code : disk_system.write(NULL, fd, bytes, n);
}

static inline int bad_sync(void *self, int fd)
{
    int code = bad_next(self, "sync", "");
    return code < 0 ? code : disk_system.sync(NULL, fd);
}

static inline int bad_sync_folder(void *self, int fd)
{
    int code = bad_next(self, "sync_folder", "");
    return code < 0 ? code : disk_system.sync_folder(NULL, fd);
}

static inline int bad_rename(void *self, int at, const char *from, const char *to)
{
    int code = bad_next(self, "rename", to);
    return code < 0 ? code : disk_system.rename(NULL, at, from, to);
}

static inline int bad_remove(void *self, int at, const char *name)
{
    int code = bad_next(self, "remove", name);
    return code < 0 ? code : disk_system.remove(NULL, at, name);
}

static inline void bad_begin(struct bad_disk *d, unsigned fail_at)
{
    buf_close(&d->trace);
    *d = (struct bad_disk){ .fail_at = fail_at,
                            .table = { d, bad_open, bad_write, bad_sync, bad_sync_folder, disk_system.truncate,
                                       bad_rename, bad_remove } };
}

#endif
