/* SPDX-License-Identifier: GPL-3.0-or-later */
/* journal_disk - a disk on which any operation can fail or be the last one, and from which a power cut takes what was
 * not synced: bytes, and names. It works on the test's folder and remembers of each file what is on it for certain. */
#ifndef TESTS_JOURNAL_DISK_H
#define TESTS_JOURNAL_DISK_H

#include "core/journal/writer.h"
#include "tests/journal.h"

#define FILES_MAX 256
#define NAME_SIZE 256
#define REFUSED 4 /* operations in a row */

enum fault {
    FAULT_NONE,
    FAULT_ONCE,    /* operation n fails, what follows works */
    FAULT_FOREVER, /* operation n and all that follow fail */
    FAULT_STOP,    /* the machine stops before operation n */
    FAULT_TEAR,    /* the machine stops in operation n: a write is done in part, all else is done but never told */
    FAULT_REFUSE,  /* operation n and the next few fail, but no sync: nothing is lost by it */
    FAULT_SHORT    /* operation n, a write, is short and a success; the others are not touched */
};
static const char *const fault_names[] = { "none", "once", "forever", "stop", "tear", "refuse", "short" };

/* What a power cut leaves of what was not synced. */
enum cut {
    CUT_NONE,
    CUT_PART,
    CUT_ALL,
    CUT_KILL /* the power stays */
};

struct file {
    char name[NAME_SIZE];  /* now; "": removed */
    char stays[NAME_SIZE]; /* the name that is on disk; "": none */
    uint64_t size, synced;
    bool lost;   /* a sync has failed */
    char *ghost; /* what was there before it was removed, replaced or truncated without a sync since */
    size_t ghost_size;
    int fd;
};

struct disk {
    struct journal_disk table;
    enum fault fault;
    unsigned fail_at, operations;
    int error;
    bool stopped;
    unsigned random;
    bool stays; /* the folder itself */
    struct file files[FILES_MAX];
    size_t count;
};

static inline unsigned draw(struct disk *d)
{
    d->random = d->random * 1103515245u + 12345u;
    return d->random >> 16;
}

static inline void keep_ghost(struct file *file)
{
    free(file->ghost);
    file->ghost = read_whole(file->name, &file->ghost_size);
}

enum verdict {
    DO,
    FAIL,
    TEAR,
    SHORTEN
};

static inline enum verdict next_operation(struct disk *d)
{
    d->operations++;
    if (d->stopped)
        return FAIL;
    if (d->fault == FAULT_NONE || d->operations < d->fail_at)
        return DO;
    if (d->fault == FAULT_REFUSE)
        return d->operations < d->fail_at + REFUSED ? FAIL : DO;
    if (d->operations > d->fail_at)
        return d->fault == FAULT_FOREVER ? FAIL : DO;
    d->stopped = d->fault == FAULT_STOP || d->fault == FAULT_TEAR;
    if (d->stopped)
        d->error = -ERROR_REFUSED; /* nobody will try again */
    return d->fault == FAULT_TEAR ? TEAR : d->fault == FAULT_SHORT ? SHORTEN : FAIL;
}

static inline struct file *by_fd(struct disk *d, int fd)
{
    for (size_t i = d->count; i-- > 0;)
        if (d->files[i].fd == fd && d->files[i].name[0] != '\0')
            return &d->files[i];
    return NULL;
}

static inline struct file *by_name(struct disk *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->files[i].name, name) == 0)
            return &d->files[i];
    return NULL;
}

static inline struct file *add_file(struct disk *d, const char *name)
{
    if (d->count == FILES_MAX)
        die("too many files");
    struct file *file = &d->files[d->count++];
    *file = (struct file){ .fd = -1 };
    snprintf(file->name, sizeof file->name, "%s", name);
    return file;
}

static inline int disk_open(void *self, int at, const char *name, int flags)
{
    struct disk *d = self;
    enum verdict verdict = next_operation(d);
    if (verdict == FAIL)
        return -d->error;
    int fd = openat(at, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    struct file *file = by_name(d, name);
    if (file == NULL)
        file = add_file(d, name);
    if (flags & O_TRUNC)
        file->size = file->synced = 0;
    for (size_t i = 0; i < d->count; i++) /* a descriptor that was closed and given out again */
        if (d->files[i].fd == fd)
            d->files[i].fd = -1;
    file->fd = fd;
    if (verdict != TEAR)
        return fd;
    close(fd);
    return -d->error;
}

static inline ssize_t disk_write(void *self, int fd, const void *bytes, size_t n)
{
    struct disk *d = self;
    enum verdict verdict = next_operation(d);
    if (verdict == FAIL)
        return -d->error;
    if (verdict != DO && n > 1)
        n = 1 + draw(d) % (n - 1);
    ssize_t done = write(fd, bytes, n);
    if (done > 0)
        by_fd(d, fd)->size += (uint64_t)done;
    return verdict == TEAR ? -d->error : done;
}

static inline void sync_now(struct file *file)
{
    file->synced = file->size;
    free(file->ghost);
    file->ghost = NULL;
}

static inline int disk_sync(void *self, int fd)
{
    struct disk *d = self;
    struct file *file = by_fd(d, fd);
    enum verdict verdict = next_operation(d);
    if (d->fault == FAULT_REFUSE)
        verdict = DO;
    if (verdict == FAIL)
        file->lost |= !d->stopped;
    else if (!file->lost)
        sync_now(file);
    return verdict == FAIL || verdict == TEAR ? -d->error : 0;
}

static inline bool is_our_folder(int at)
{
    struct stat a, b;
    return fstat(at, &a) == 0 && stat(folder, &b) == 0 && a.st_ino == b.st_ino;
}

static inline int disk_sync_folder(void *self, int at)
{
    struct disk *d = self;
    enum verdict verdict = next_operation(d);
    if (d->fault == FAULT_REFUSE)
        verdict = DO;
    if (verdict == FAIL)
        return -d->error;
    if (!is_our_folder(at)) {
        d->stays = true;
        return verdict == TEAR ? -d->error : 0;
    }
    for (size_t i = 0; i < d->count; i++)
        memcpy(d->files[i].stays, d->files[i].name, sizeof d->files[i].stays);
    return verdict == TEAR ? -d->error : 0;
}

static inline int disk_truncate(void *self, int fd, uint64_t size)
{
    struct disk *d = self;
    enum verdict verdict = next_operation(d);
    if (verdict == FAIL)
        return -d->error;
    struct file *file = by_fd(d, fd);
    keep_ghost(file);
    if (ftruncate(fd, (off_t)size) < 0)
        die("ftruncate");
    file->size = size; /* `synced` may now be greater: then the old end may come back */
    return verdict == TEAR ? -d->error : 0;
}

static inline int disk_rename(void *self, int at, const char *from, const char *to)
{
    struct disk *d = self;
    enum verdict verdict = next_operation(d);
    if (verdict == FAIL)
        return -d->error;
    struct file *old = by_name(d, to);
    if (old != NULL) {
        keep_ghost(old);
        old->name[0] = '\0';
    }
    if (renameat(at, from, at, to) < 0)
        die("rename");
    snprintf(by_name(d, from)->name, NAME_SIZE, "%s", to);
    return verdict == TEAR ? -d->error : 0;
}

static inline int disk_remove(void *self, int at, const char *name)
{
    struct disk *d = self;
    enum verdict verdict = next_operation(d);
    if (verdict == FAIL)
        return -d->error;
    struct file *file = by_name(d, name);
    if (file == NULL)
        return -ENOENT;
    keep_ghost(file);
    if (unlinkat(at, name, 0) < 0)
        die("unlink");
    file->name[0] = '\0';
    return verdict == TEAR ? -d->error : 0;
}

/* What lies in the folder is on disk. */
static inline void disk_begin(struct disk *d, enum fault fault, unsigned fail_at, unsigned random)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->files[i].ghost);
    *d = (struct disk){ .fault = fault, .fail_at = fail_at, .random = random };
    d->error = fail_at % 2 ? EIO : ENOSPC;
    d->table = (struct journal_disk){ d,           disk_open,  disk_write, disk_sync, disk_sync_folder, disk_truncate,
                                      disk_rename, disk_remove };
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;
        if (stat(path_of(entry->d_name), &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        struct file *file = add_file(d, entry->d_name);
        memcpy(file->stays, file->name, sizeof file->stays);
        file->size = file->synced = (uint64_t)st.st_size;
    }
    closedir(dir);
    d->stays = d->count > 0;
}

static inline bool choose(struct disk *d, enum cut cut)
{
    return cut == CUT_ALL || (cut == CUT_PART && draw(d) % 2 == 0);
}

/* The bytes of a file that is still there. */
static inline void cut_bytes(struct disk *d, struct file *file, enum cut cut)
{
    if (file->size < file->synced) { /* truncated and not synced */
        if (!choose(d, cut))
            write_whole(file->name, file->ghost, file->ghost_size);
        return;
    }
    uint64_t unsynced = file->size - file->synced, keep = 0;
    if (cut == CUT_ALL)
        keep = unsynced;
    else if (cut == CUT_PART && !file->lost)
        keep = draw(d) % (unsynced + 1);
    if (truncate(path_of(file->name), (off_t)(file->synced + keep)) < 0)
        die("truncate");
}

/* A name that was created, renamed or removed since the folder was synced: as it is now, or as it was. */
static inline void cut_name(struct file *file)
{
    if (file->name[0] != '\0')
        unlink(path_of(file->name));
    if (file->stays[0] != '\0' && file->ghost != NULL)
        write_whole(file->stays, file->ghost, file->synced < file->ghost_size ? file->synced : file->ghost_size);
}

static inline void cut_power(struct disk *d, enum cut cut)
{
    bool names = choose(d, cut); /* one rename is one thing: all names or none */
    for (size_t i = 0; i < d->count; i++) {
        struct file *file = &d->files[i];
        if (file->name[0] != '\0')
            cut_bytes(d, file, cut);
    }
    if (!d->stays && !names)
        empty_folder();
    for (size_t i = 0; d->stays && !names && i < d->count; i++)
        if (strcmp(d->files[i].name, d->files[i].stays) != 0)
            cut_name(&d->files[i]);
}

#endif
