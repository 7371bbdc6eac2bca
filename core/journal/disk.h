/* SPDX-License-Identifier: GPL-3.0-or-later */
/* disk - the few calls by which the journal changes what is on disk, as a table, so that a test can fail, tear or stop
 * them at any point. Reading is not in it: readers take what is there. */
#ifndef JOURNAL_DISK_H
#define JOURNAL_DISK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All return a count, a descriptor or 0, else -errno. Names are relative to the folder's descriptor. */
struct journal_disk {
    void *self;
    /* mode 0600; O_CLOEXEC and O_NOFOLLOW are added to flags */
    int (*open)(void *self, int folder, const char *name, int flags);
    ssize_t (*write)(void *self, int fd, const void *bytes, size_t n);
    int (*sync)(void *self, int fd); /* fdatasync */
    int (*sync_folder)(void *self, int folder);
    int (*truncate)(void *self, int fd, uint64_t size);
    int (*rename)(void *self, int folder, const char *from, const char *to);
    int (*remove)(void *self, int folder, const char *name);
};

/* The real one. */
extern const struct journal_disk disk_system;

/* Writes all of it, however short the single writes are; 0 or -errno. */
int disk_write_all(const struct journal_disk *disk, int fd, const void *bytes, size_t n);

#endif
