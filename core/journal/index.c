/* SPDX-License-Identifier: GPL-3.0-or-later */
/* index - the file is a head, the blocks, and the SHA-256 of all that, in this machine's byte order (elsewhere the
 * magic number differs, and the file is made anew).
 *
 * The set of a block is a Bloom filter: three bits for each text in it. For a record of type "check.state" that has
 * "check":"web/up@a" those are check.state, check., web/up@a, web/up and web: whatever can be asked for. They are
 * found by their member's name in the raw line, so one in a nested object counts as well; that costs a look at the
 * block, no more. */
#include "core/journal/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/digest.h"
#include "core/base/error.h"

#define MAGIC UINT64_C(0x0131786479666c42)
#define SET_BITS (INDEX_SET_SIZE * 8u)
#define BLOCKS_MAX (1u << 20)

struct head {
    uint64_t magic, packed_size, count;
};

char *index_name(char out[INDEX_NAME_SIZE], const char *segment)
{
    snprintf(out, INDEX_NAME_SIZE, "%.20s.idx", segment);
    return out;
}

/* ---- the set --------------------------------------------------------------------------------------------------- */

/* FNV-1a; its upper and lower half make the three bits. */
static uint64_t hash_text(const char *text, size_t n)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 29);
}

static unsigned bit_of(uint64_t hash, unsigned i)
{
    return (unsigned)(((hash >> 32) * i + (hash & UINT32_MAX)) % SET_BITS);
}

static void put(struct index_block *block, const char *text, size_t n)
{
    uint64_t hash = hash_text(text, n);
    for (unsigned i = 0; i < 3; i++)
        block->set[bit_of(hash, i) / 8] |= (unsigned char)(1u << bit_of(hash, i) % 8);
}

static bool has(const struct index_block *block, const char *text, size_t n)
{
    uint64_t hash = hash_text(text, n);
    for (unsigned i = 0; i < 3; i++)
        if ((block->set[bit_of(hash, i) / 8] & 1u << bit_of(hash, i) % 8) == 0)
            return false;
    return true;
}

/* The whole, and each beginning that ends before (or, with `included`, after) one of the separators. */
static void put_prefixes(struct index_block *block, const char *text, size_t n, const char *separators, bool included)
{
    for (size_t i = 1; i < n; i++)
        if (strchr(separators, text[i]) != NULL)
            put(block, text, included ? i + 1 : i);
    put(block, text, n);
}

static void put_subjects(struct index_block *block, const struct record *record)
{
    static const char *const members[] = { "\"check\":\"", "\"service\":\"", "\"breaker\":\"", "\"plugin\":\"" };
    const char *end = record->members + record->members_length;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        size_t length = strlen(members[i]);
        const char *at = record->members;
        while (at != NULL && (at = memmem(at, (size_t)(end - at), members[i], length)) != NULL) {
            at += length;
            const char *quote = memchr(at, '"', (size_t)(end - at));
            if (quote != NULL)
                put_prefixes(block, at, (size_t)(quote - at), "/@", false);
        }
    }
}

bool index_may_hold(const struct index_block *block, const char *type, const struct buf *subject)
{
    return (type == NULL || has(block, type, strlen(type))) &&
           (subject == NULL || has(block, subject->data, subject->length));
}

/* ---- making ---------------------------------------------------------------------------------------------------- */

static void add_record(struct index_block *block, const struct record *record)
{
    int64_t wall_ms = record_wall_ms(record);
    if (block->records++ == 0) {
        block->first_seq = record->seq;
        block->least_ms = block->most_ms = wall_ms;
    }
    if (wall_ms < block->least_ms)
        block->least_ms = wall_ms;
    if (wall_ms > block->most_ms)
        block->most_ms = wall_ms;
    put_prefixes(block, record->type, record->type_length, ".", true);
    if (record->members_length > 0)
        put_subjects(block, record);
}

/* Room for the next one, which begins where the last one ended: carry holds offset and lines_before of that. */
static struct index_block *next_block(struct index *index)
{
    if ((index->count & (index->count - 1)) == 0)
        index->blocks = heap_grow(index->blocks, index->count == 0 ? 2 : index->count * 2 + 1, sizeof *index->blocks);
    if (index->count == 0)
        index->blocks[0] = (struct index_block){ 0 };
    return &index->blocks[index->count++];
}

void index_add(struct index *index, uint64_t packed_at, const char *bytes, size_t n)
{
    struct index_block *block = next_block(index);
    uint64_t lines = block->lines_before, offset = block->offset;
    const char *at = bytes, *end = bytes + n, *newline;
    block->packed_at = packed_at;
    while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        struct record record;
        if (record_parse(at, (size_t)(newline - at), &record) == 0)
            add_record(block, &record);
        lines++;
        at = newline + 1;
    }
    /* the one behind the last says where that ends */
    index->blocks[index->count] = (struct index_block){ .offset = offset + n, .lines_before = lines };
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

static int write_file(const struct journal_disk *disk, int folder, const char *name, const struct buf *bytes)
{
    int fd = disk->open(disk->self, folder, name, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return fd;
    int code = disk_write_all(disk, fd, bytes->data, bytes->length);
    close(fd);
    return code;
}

int index_write(const struct index *index, const struct journal_disk *disk, int folder, const char *segment)
{
    char name[INDEX_NAME_SIZE], fresh[INDEX_NAME_SIZE + 4];
    unsigned char digest[DIGEST_SIZE];
    struct buf bytes = { .max_bytes = 1u << 30 };
    const struct head head = { MAGIC, index->packed_size, index->count };
    buf_add(&bytes, &head, sizeof head);
    buf_add(&bytes, index->blocks, index->count * sizeof *index->blocks);
    digest_sha256(bytes.data, bytes.length, digest);
    buf_add(&bytes, digest, sizeof digest);
    snprintf(fresh, sizeof fresh, "%s.new", index_name(name, segment));
    int code = bytes.overflowed ? ERROR_LIMIT : write_file(disk, folder, fresh, &bytes);
    if (code == 0)
        code = disk->rename(disk->self, folder, fresh, name);
    if (code < 0)
        disk->remove(disk->self, folder, fresh);
    buf_close(&bytes);
    return code;
}

static int read_bytes(int fd, void *out, size_t n)
{
    ssize_t got;
    do
        got = read(fd, out, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : (size_t)got == n ? 0 : ERROR_DAMAGED;
}

/* Takes the bytes apart: head, blocks, digest. */
static int take_apart(struct index *out, const char *bytes, size_t n, uint64_t packed_size)
{
    struct head head;
    unsigned char digest[DIGEST_SIZE];
    if (n < sizeof head + DIGEST_SIZE)
        return ERROR_DAMAGED;
    memcpy(&head, bytes, sizeof head);
    digest_sha256(bytes, n - DIGEST_SIZE, digest);
    if (head.magic != MAGIC || head.packed_size != packed_size || head.count == 0 || head.count > BLOCKS_MAX ||
        n != sizeof head + head.count * sizeof *out->blocks + DIGEST_SIZE ||
        memcmp(digest, bytes + n - DIGEST_SIZE, DIGEST_SIZE) != 0)
        return ERROR_DAMAGED;
    *out = (struct index){ .packed_size = head.packed_size, .count = head.count };
    out->blocks = heap_alloc(head.count * sizeof *out->blocks);
    memcpy(out->blocks, bytes + sizeof head, head.count * sizeof *out->blocks);
    return 0;
}

int index_read(struct index *out, int folder, const char *segment, uint64_t packed_size)
{
    char name[INDEX_NAME_SIZE];
    struct stat st;
    *out = (struct index){ 0 };
    int fd = openat(folder, index_name(name, segment), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int code = ERROR_DAMAGED;
    char *bytes = NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        (size_t)st.st_size <= BLOCKS_MAX * sizeof *out->blocks) {
        bytes = heap_alloc((size_t)st.st_size);
        code = read_bytes(fd, bytes, (size_t)st.st_size);
    }
    if (code == 0)
        code = take_apart(out, bytes, (size_t)st.st_size, packed_size);
    free(bytes);
    close(fd);
    return code;
}

void index_close(struct index *index)
{
    free(index->blocks);
    *index = (struct index){ 0 };
}
