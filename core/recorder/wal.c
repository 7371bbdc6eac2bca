/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wal - the write-ahead file:
 *
 *     16 bytes  "BELFRY-PENDING-1"
 *     records   u32 length, 8 bytes of the SHA-256 of what follows, whole frames (core/base/wire.h): WIRE_SERIES before
 *               the first WIRE_SAMPLE of its slot
 *
 * A record is what one look at the keeper's socket brought. It is written at the place where the last good one ended,
 * so that a write that failed halfway is overwritten by the next. */
#include "core/recorder/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/text.h"

#define MAGIC "BELFRY-PENDING-1"
#define MAGIC_SIZE 16
#define MARK_SIZE 8
#define HEAD_SIZE (4 + MARK_SIZE)

void wal_open(struct wal *wal, const char *folder)
{
    struct buf path = { 0 };
    buf_print(&path, "%s/" WAL_NAME, folder);
    *wal = (struct wal){ .path = heap_text(path.data),
                         .fd = -1,
                         .limit = WAL_SIZE_MIN,
                         .generation = 1,
                         .batch = { .max_bytes = WAL_BATCH_MAX } };
    buf_close(&path);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void make_head(unsigned char head[HEAD_SIZE], const void *bytes, size_t n)
{
    unsigned char digest[DIGEST_SIZE];
    digest_sha256(bytes, n, digest);
    for (unsigned i = 0; i < 4; i++)
        head[i] = (unsigned char)(n >> (8 * i));
    memcpy(head + 4, digest, MARK_SIZE);
}

/* The next record's frames into out: false at the end, or where it is torn or damaged. */
static bool read_record(FILE *file, struct buf *out)
{
    unsigned char head[HEAD_SIZE], want[HEAD_SIZE];
    buf_reset(out);
    if (fread(head, 1, sizeof(head), file) != sizeof(head))
        return false;
    size_t n = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    char *room = n > 0 && n <= WAL_BATCH_MAX ? buf_room(out, n) : NULL;
    if (!room || fread(room, 1, n, file) != n)
        return false;
    out->length = n;
    make_head(want, out->data, n);
    return memcmp(head, want, sizeof(head)) == 0;
}

static int take_all(const struct buf *record, int (*take)(void *context, struct wire_frame *frame), void *context,
                    uint64_t *count)
{
    struct wire_frame frame;
    int size, code = 0;
    for (size_t at = 0; code == 0 && (size = wire_next(record->data + at, record->length - at, &frame)) > 0;
         at += (size_t)size, ++*count)
        code = take(context, &frame);
    return code;
}

uint64_t wal_replay(const struct wal *wal, int (*take)(void *context, struct wire_frame *frame), void *context)
{
    char magic[MAGIC_SIZE];
    struct buf record = { .max_bytes = WAL_BATCH_MAX };
    uint64_t count = 0;
    FILE *file = wal->path ? fopen(wal->path, "re") : NULL;
    if (file && fread(magic, 1, MAGIC_SIZE, file) == MAGIC_SIZE && memcmp(magic, MAGIC, MAGIC_SIZE) == 0)
        while (read_record(file, &record) && take_all(&record, take, context, &count) == 0)
            ;
    if (file)
        fclose(file);
    buf_close(&record);
    return count;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static int write_at(int fd, const void *bytes, size_t n, int64_t at)
{
    const char *from = bytes;
    while (n > 0) {
        ssize_t done = pwrite(fd, from, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -ENOSPC;
        from += done;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

/* The batch as a record at the end of fd. */
static int append(int fd, const struct buf *batch, int64_t *size)
{
    unsigned char head[HEAD_SIZE];
    if (batch->overflowed)
        return ERROR_LIMIT;
    if (batch->length == 0)
        return 0;
    make_head(head, batch->data, batch->length);
    int code = write_at(fd, head, sizeof(head), *size);
    if (code == 0)
        code = write_at(fd, batch->data, batch->length, *size + HEAD_SIZE);
    if (code == 0)
        *size += HEAD_SIZE + (int64_t)batch->length;
    return code;
}

static void empty(struct buf *batch)
{
    buf_reset(batch);
    batch->overflowed = false;
}

int wal_renew(struct wal *wal, struct why *why)
{
    char fresh[4096];
    int64_t size = MAGIC_SIZE;
    snprintf(fresh, sizeof(fresh), "%s.new", wal->path);
    int fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int code = fd < 0 ? -errno : write_at(fd, MAGIC, MAGIC_SIZE, 0);
    if (code == 0)
        code = append(fd, &wal->batch, &size);
    if (code == 0 && rename(fresh, wal->path) != 0)
        code = -errno;
    empty(&wal->batch);
    if (code < 0) {
        if (fd >= 0)
            close(fd);
        unlink(fresh);
        return why_say(why, code, "'%s': %s", wal->path, error_text(code));
    }
    if (wal->fd >= 0)
        close(wal->fd);
    wal->fd = fd;
    wal->size = size;
    wal->limit = 2 * size > WAL_SIZE_MIN ? 2 * size : WAL_SIZE_MIN;
    return 0;
}

int wal_commit(struct wal *wal, struct why *why)
{
    if (wal->batch.length == 0 && !wal->batch.overflowed)
        return 0;
    if (wal->fd < 0)
        return wal_renew(wal, why);
    int code = append(wal->fd, &wal->batch, &wal->size);
    empty(&wal->batch);
    return code < 0 ? why_say(why, code, "'%s': %s", wal->path, error_text(code)) : 0;
}

bool wal_is_full(const struct wal *wal)
{
    return wal->fd >= 0 && wal->size > wal->limit;
}

int wal_set_aside(const struct wal *wal, int64_t now_s)
{
    char aside[4096];
    snprintf(aside, sizeof(aside), "%s.bad-%" PRId64, wal->path, now_s);
    return rename(wal->path, aside) == 0 ? 0 : -errno;
}

void wal_remove(struct wal *wal)
{
    if (wal->fd >= 0)
        close(wal->fd);
    wal->fd = -1;
    wal->size = 0;
    if (wal->path)
        unlink(wal->path);
}

void wal_close(struct wal *wal)
{
    if (wal->fd >= 0)
        close(wal->fd);
    free(wal->path);
    buf_close(&wal->batch);
    *wal = (struct wal){ .fd = -1 };
}
