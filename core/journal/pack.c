/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pack - reading and writing gzip members with zlib. A member is taken only when it is whole: its header is exactly the
 * one that we write, it ends with its checksum and length, and has at most PACK_MEMBER_MAX bytes unpacked. Damage so
 * costs one member; the search for the next one goes by the ten bytes of a header. (By chance they do not stand in
 * compressed bytes; if they do, what follows is not an intact member and is skipped as well.) */
#include "core/journal/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/arena.h"
#include "core/base/digest.h"
#include "core/base/error.h"

#define GZIP_BITS (15 + 16) /* the largest window, gzip's frame */
#define IN_SIZE (16u << 10)
#define SEEK_SIZE (4u << 10) /* so much is read at first where somebody has gone to: most members are smaller */
#define MARK_BYTES 512u      /* of beginning and end: hashes stand in both */
#define HEADER_SIZE 10u

/* Deflate, no flags, no time, no hint of the level, Unix. */
static const unsigned char header[HEADER_SIZE] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };

struct pack_reader {
    int fd;
    uint64_t size, at, began; /* of the file; the next member; the last one */
    z_stream z;
    struct buf raw;
    size_t taken;         /* of raw, by pack_read() */
    uint64_t in_at;       /* where in[0 .. in_size) stands in the file */
    size_t in_size, want; /* want: how much is read next */
    unsigned char in[IN_SIZE];
};

/* ---- writing --------------------------------------------------------------------------------------------------- */

static int deflate_all(struct buf *out, const char *bytes, size_t n)
{
    z_stream z = { 0 };
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    size_t bound = deflateBound(&z, n);
    z.next_out = (unsigned char *)buf_room(out, bound);
    z.avail_out = z.next_out != NULL ? (unsigned)bound : 0;
    z.next_in = (unsigned char *)(uintptr_t)bytes;
    z.avail_in = (unsigned)n;
    int code = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : ERROR_LIMIT;
    out->length += z.total_out;
    deflateEnd(&z);
    return code;
}

static bool unpacks_to(const char *member, size_t length, const char *bytes, size_t n)
{
    z_stream z = { 0 };
    char *back = heap_alloc(n + 1);
    bool good = length > HEADER_SIZE && memcmp(member, header, HEADER_SIZE) == 0 && inflateInit2(&z, GZIP_BITS) == Z_OK;
    if (good) {
        z.next_in = (unsigned char *)(uintptr_t)member;
        z.avail_in = (unsigned)length;
        z.next_out = (unsigned char *)back;
        z.avail_out = (unsigned)n + 1;
        good =
            inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0 && z.total_out == n && memcmp(back, bytes, n) == 0;
        inflateEnd(&z);
    }
    free(back);
    return good;
}

int pack_member(struct buf *out, const char *bytes, size_t n)
{
    size_t before = out->length;
    int code = deflate_all(out, bytes, n);
    if (code == 0 && !unpacks_to(out->data + before, out->length - before, bytes, n))
        code = ERROR_DAMAGED;
    return code;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

int pack_open(struct pack_reader **out, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    struct pack_reader *r = heap_alloc(sizeof *r);
    memset(r, 0, sizeof *r - sizeof r->in);
    r->fd = fd;
    r->want = SEEK_SIZE;
    r->size = (uint64_t)st.st_size;
    if (inflateInit2(&r->z, GZIP_BITS) != Z_OK) {
        free(r);
        return -ENOMEM;
    }
    *out = r;
    return 0;
}

void pack_close(struct pack_reader **reader)
{
    struct pack_reader *r = *reader;
    if (r == NULL)
        return;
    inflateEnd(&r->z);
    buf_close(&r->raw);
    close(r->fd);
    free(r);
    *reader = NULL;
}

/* The bytes from `at` on, more than a header's unless the file ends; their number, 0 at the end, or -errno. */
static ssize_t see(struct pack_reader *r, uint64_t at, const unsigned char **bytes)
{
    ssize_t n = (ssize_t)r->in_size;
    if (at < r->in_at || at + HEADER_SIZE >= r->in_at + r->in_size) {
        do
            n = pread(r->fd, r->in, r->want, (off_t)at);
        while (n < 0 && errno == EINTR);
        r->in_at = at;
        r->in_size = n < 0 ? 0 : (size_t)n;
        r->want = IN_SIZE;
    }
    if (n < 0)
        return -errno;
    *bytes = r->in + (at - r->in_at);
    return (ssize_t)(r->in_size - (at - r->in_at));
}

/* Goes to the next header at or behind `at`, or to the end. */
static int search(struct pack_reader *r, uint64_t at)
{
    const unsigned char *bytes, *found = NULL;
    ssize_t n;
    while ((n = see(r, at, &bytes)) >= (ssize_t)HEADER_SIZE) {
        found = memmem(bytes, (size_t)n, header, HEADER_SIZE);
        if (found != NULL)
            break;
        at += (size_t)n - (HEADER_SIZE - 1);
    }
    if (n < 0)
        return (int)n;
    r->at = found != NULL ? at + (uint64_t)(found - bytes) : r->size;
    return ERROR_DAMAGED;
}

/* Unpacks what the n bytes begin with, reading on: 1, ERROR_DAMAGED or -errno. */
static int inflate_member(struct pack_reader *r, const unsigned char *bytes, size_t n)
{
    uint64_t at = r->at;
    inflateReset(&r->z);
    for (;;) {
        r->z.next_in = (unsigned char *)(uintptr_t)bytes;
        r->z.avail_in = (unsigned)n;
        at += n;
        char *room = buf_room(&r->raw, PACK_MEMBER_MAX + 1 - r->raw.length);
        r->z.next_out = (unsigned char *)room;
        r->z.avail_out = (unsigned)(PACK_MEMBER_MAX + 1 - r->raw.length);
        int code = inflate(&r->z, Z_NO_FLUSH);
        r->raw.length = r->z.total_out;
        if (code == Z_STREAM_END && r->raw.length <= PACK_MEMBER_MAX) {
            r->at = at - r->z.avail_in;
            return 1;
        }
        if (code != Z_OK || r->z.avail_in > 0)
            return ERROR_DAMAGED;
        ssize_t more = see(r, at, &bytes);
        if (more <= 0)
            return more < 0 ? (int)more : ERROR_DAMAGED;
        n = (size_t)more;
    }
}

int pack_next(struct pack_reader *r)
{
    const unsigned char *bytes;
    buf_reset(&r->raw);
    r->taken = 0;
    r->began = r->at;
    if (r->at >= r->size)
        return 0;
    ssize_t n = see(r, r->at, &bytes);
    if (n < 0)
        return (int)n;
    int code = ERROR_DAMAGED;
    if ((size_t)n > HEADER_SIZE && memcmp(bytes, header, HEADER_SIZE) == 0)
        code = inflate_member(r, bytes, (size_t)n);
    if (code != ERROR_DAMAGED)
        return code;
    buf_reset(&r->raw);
    return search(r, r->began + 1);
}

int pack_mark(const struct pack_reader *r, unsigned char out[DIGEST_SIZE])
{
    unsigned char bytes[8 + 2 * MARK_BYTES] = { 0 };
    size_t n = r->size < MARK_BYTES ? (size_t)r->size : MARK_BYTES;
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(r->size >> 8 * i);
    if (pread(r->fd, bytes + 8, n, 0) < 0 || pread(r->fd, bytes + 8 + n, n, (off_t)(r->size - n)) < 0)
        return -errno;
    digest_sha256(bytes, 8 + 2 * n, out);
    return 0;
}

uint64_t pack_passed(const struct pack_reader *r)
{
    return r->at - r->began;
}

uint64_t pack_began(const struct pack_reader *r)
{
    return r->began;
}

uint64_t pack_position(const struct pack_reader *r)
{
    return r->at;
}

uint64_t pack_size(const struct pack_reader *r)
{
    return r->size;
}

const char *pack_bytes(const struct pack_reader *r, size_t *n)
{
    *n = r->raw.length;
    return r->raw.data;
}

ssize_t pack_read(struct pack_reader *r, char *out, size_t n)
{
    while (r->taken == r->raw.length) {
        int code = pack_next(r);
        if (code <= 0)
            return code;
    }
    if (n > r->raw.length - r->taken)
        n = r->raw.length - r->taken;
    memcpy(out, r->raw.data + r->taken, n);
    r->taken += n;
    return (ssize_t)n;
}

void pack_seek(struct pack_reader *r, uint64_t at)
{
    buf_reset(&r->raw);
    r->taken = 0;
    r->at = at;
    r->want = SEEK_SIZE;
}
