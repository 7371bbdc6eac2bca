/* SPDX-License-Identifier: GPL-3.0-or-later */
/* index - the file. All numbers are little endian; "number" is 7 bits a byte, the lowest first, the highest bit set in
 * all but the last; "signed" is such a number, the sign in its lowest bit.
 *
 *     8 bytes      "belfryX2"
 *     32 bytes     the mark of the segment's compressed file (pack_mark())
 *     u32, u32     how many blocks B and keys K there are
 *     B times      bytes compressed, bytes, lines, records (numbers); when there are records: the least number of one
 *                  (signed, less that of the block before) and how many less than the greatest; the same of their times
 *     K times      u32 key, ascending, and u32: where behind the keys the list of its blocks begins, one behind the
 *                  other
 *     lists        numbers of blocks, ascending: the first one, then the differences
 *     32 bytes     the SHA-256 of all that
 *
 * A key is the hash of a type or a subject. That two have the same costs a look at a block, no more. A segment in which
 * a line spans two blocks, or that is damaged, has B = 0: it can only be read as a whole. */
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
#include "core/base/wire.h"

#define MAGIC "belfryX2"
#define MAGIC_SIZE 8u
#define HEAD_SIZE (MAGIC_SIZE + DIGEST_SIZE + 8u)
#define KEY_SIZE 8u
#define FILE_MAX (64u << 20)
#define BLOCK_LEAST 4u /* bytes of one */

char *index_name(char out[INDEX_NAME_SIZE], const char *segment)
{
    snprintf(out, INDEX_NAME_SIZE, "%.20s.idx", segment);
    return out;
}

/* FNV-1a, its halves folded. */
uint32_t index_key(enum index_kind kind, const char *text, size_t n)
{
    uint64_t hash = (UINT64_C(0xcbf29ce484222325) ^ (uint64_t)kind) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static void put_number(struct buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        wire_put_u8(out, (uint8_t)(value | 0x80));
    wire_put_u8(out, (uint8_t)value);
}

static uint64_t get_number(struct wire_reader *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        unsigned char byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    in->failed = true;
    return 0;
}

/* Differences are taken modulo 2^64. */
static void put_signed(struct buf *out, uint64_t value)
{
    put_number(out, value >> 63 != 0 ? ~value << 1 | 1 : value << 1);
}

static uint64_t get_signed(struct wire_reader *in)
{
    uint64_t value = get_number(in);
    return (value & 1) != 0 ? ~(value >> 1) : value >> 1;
}

static uint32_t load(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/* What the next block's figures are told against. The block behind the last one says where that one ends. */
static void put_block(struct buf *out, const struct index_block *block, struct index_block *before)
{
    put_number(out, block[1].packed_at - block->packed_at);
    put_number(out, block[1].offset - block->offset);
    put_number(out, block[1].lines_before - block->lines_before);
    put_number(out, block->records);
    if (block->records == 0)
        return;
    put_signed(out, block->least_seq - before->least_seq);
    put_number(out, block->most_seq - block->least_seq);
    put_signed(out, (uint64_t)block->least_ms - (uint64_t)before->least_ms);
    put_number(out, (uint64_t)block->most_ms - (uint64_t)block->least_ms);
    *before = *block;
}

/* One list, of the pairs with the same key; how many they are. */
static size_t put_list(struct buf *out, const uint64_t *pairs, size_t n)
{
    uint32_t before = 0;
    size_t i = 0;
    for (; i < n && pairs[i] >> 32 == pairs[0] >> 32; i++) {
        put_number(out, (uint32_t)pairs[i] - before);
        before = (uint32_t)pairs[i];
    }
    return i;
}

static void put_all(struct buf *out, const struct index *index, const struct index_keys *pairs, const void *mark)
{
    struct buf lists = { .max_bytes = FILE_MAX }, keys = { .max_bytes = FILE_MAX };
    struct index_block before = { 0 };
    for (size_t i = 0; i < pairs->count;) {
        wire_put_u32(&keys, (uint32_t)(pairs->pairs[i] >> 32));
        wire_put_u32(&keys, (uint32_t)lists.length);
        i += put_list(&lists, pairs->pairs + i, pairs->count - i);
    }
    buf_add(out, MAGIC, MAGIC_SIZE);
    buf_add(out, mark, DIGEST_SIZE);
    wire_put_u32(out, (uint32_t)index->count);
    wire_put_u32(out, (uint32_t)(keys.length / KEY_SIZE));
    for (uint64_t i = 0; i < index->count; i++)
        put_block(out, &index->blocks[i], &before);
    buf_add(out, keys.data, keys.length);
    buf_add(out, lists.data, lists.length);
    unsigned char digest[DIGEST_SIZE];
    digest_sha256(out->data, out->length, digest);
    buf_add(out, digest, sizeof digest);
    out->overflowed = out->overflowed || keys.overflowed || lists.overflowed;
    buf_close(&keys);
    buf_close(&lists);
}

static int write_file(const struct journal_disk *disk, int folder, const char *name, const struct buf *bytes)
{
    int fd = disk->open(disk->self, folder, name, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return fd;
    int code = disk_write_all(disk, fd, bytes->data, bytes->length);
    close(fd);
    return code;
}

int index_write(const struct index *index, const struct index_keys *keys, const struct pack_reader *packed,
                const struct index_place *place)
{
    const struct journal_disk *disk = place->disk;
    char name[INDEX_NAME_SIZE], fresh[INDEX_NAME_SIZE + 4];
    unsigned char mark[DIGEST_SIZE];
    struct buf bytes = { .max_bytes = FILE_MAX };
    int code = pack_mark(packed, mark);
    if (code < 0)
        return code;
    put_all(&bytes, index, keys, mark);
    snprintf(fresh, sizeof fresh, "%s.new", index_name(name, place->segment));
    code = bytes.overflowed ? ERROR_LIMIT : write_file(disk, place->folder, fresh, &bytes);
    if (code == 0)
        code = disk->rename(disk->self, place->folder, fresh, name);
    if (code < 0)
        disk->remove(disk->self, place->folder, fresh);
    buf_close(&bytes);
    return code;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static uint64_t get_bounded(struct wire_reader *in, uint64_t most)
{
    uint64_t value = get_number(in);
    in->failed = in->failed || value > most;
    return in->failed ? 0 : value;
}

static void get_block(struct wire_reader *in, struct index_block *block, struct index_block *before)
{
    block[1] = (struct index_block){ .packed_at = block->packed_at + get_bounded(in, 2 * PACK_MEMBER_MAX),
                                     .offset = block->offset + get_bounded(in, PACK_MEMBER_MAX),
                                     .lines_before = block->lines_before + get_bounded(in, PACK_MEMBER_MAX) };
    in->failed = in->failed || block[1].packed_at == block->packed_at;
    block->records = get_number(in);
    if (block->records == 0)
        return;
    block->least_seq = before->least_seq + get_signed(in);
    block->most_seq = block->least_seq + get_number(in);
    block->least_ms = (int64_t)((uint64_t)before->least_ms + get_signed(in));
    block->most_ms = (int64_t)((uint64_t)block->least_ms + get_number(in));
    *before = *block;
}

static bool is_whole(const unsigned char *bytes, size_t n, const unsigned char mark[DIGEST_SIZE])
{
    unsigned char digest[DIGEST_SIZE];
    if (n < HEAD_SIZE + DIGEST_SIZE || memcmp(bytes, MAGIC, MAGIC_SIZE) != 0 ||
        memcmp(bytes + MAGIC_SIZE, mark, DIGEST_SIZE) != 0)
        return false;
    digest_sha256(bytes, n - DIGEST_SIZE, digest);
    return memcmp(digest, bytes + n - DIGEST_SIZE, DIGEST_SIZE) == 0;
}

/* Takes out->bytes apart. */
static int take_apart(struct index *out, size_t n, const unsigned char mark[DIGEST_SIZE])
{
    if (!is_whole(out->bytes, n, mark))
        return ERROR_DAMAGED;
    struct wire_reader in = { .at = out->bytes + HEAD_SIZE - 8, .end = out->bytes + n - DIGEST_SIZE };
    struct index_block before = { 0 };
    uint32_t count = wire_u32(&in);
    out->key_count = wire_u32(&in);
    if (count > n / BLOCK_LEAST || out->key_count > n / KEY_SIZE)
        return ERROR_DAMAGED;
    out->blocks = heap_array(count + 1, sizeof *out->blocks);
    out->blocks[0] = before;
    for (out->count = 0; out->count < count && !in.failed; out->count++)
        get_block(&in, &out->blocks[out->count], &before);
    if (in.failed || (size_t)(in.end - in.at) < out->key_count * KEY_SIZE)
        return ERROR_DAMAGED;
    out->keys = in.at;
    out->lists = in.at + out->key_count * KEY_SIZE;
    out->lists_size = (size_t)(in.end - out->lists);
    return 0;
}

static int read_whole(int fd, unsigned char *out, size_t n)
{
    ssize_t got;
    do
        got = pread(fd, out, n, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : (size_t)got == n ? 0 : ERROR_DAMAGED;
}

int index_read(struct index *out, int folder, const char *segment, const struct pack_reader *packed)
{
    char name[INDEX_NAME_SIZE];
    unsigned char mark[DIGEST_SIZE];
    struct stat st;
    *out = (struct index){ 0 };
    int fd = openat(folder, index_name(name, segment), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int code = ERROR_DAMAGED;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MAX)
        code = pack_mark(packed, mark);
    if (code == 0) {
        out->bytes = heap_alloc((size_t)st.st_size);
        code = read_whole(fd, out->bytes, (size_t)st.st_size);
    }
    close(fd);
    if (code == 0)
        code = take_apart(out, (size_t)st.st_size, mark);
    if (code < 0)
        index_close(out);
    return code;
}

void index_close(struct index *index)
{
    free(index->blocks);
    free(index->bytes);
    *index = (struct index){ 0 };
}

/* ---- asking ----------------------------------------------------------------------------------------------------- */

/* The first key that is not less. */
static size_t search(const struct index *index, uint32_t key)
{
    size_t from = 0, to = index->key_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (load(index->keys + middle * KEY_SIZE) < key)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static size_t list_begin(const struct index *index, size_t i)
{
    size_t at = i < index->key_count ? load(index->keys + i * KEY_SIZE + 4) : index->lists_size;
    return at < index->lists_size ? at : index->lists_size;
}

bool index_mark(const struct index *index, enum index_kind kind, const char *text, unsigned char *marks,
                unsigned char bits)
{
    uint32_t key = index_key(kind, text, strlen(text));
    size_t i = search(index, key);
    if (i == index->key_count || load(index->keys + i * KEY_SIZE) != key)
        return false;
    struct wire_reader in = { .at = index->lists + list_begin(index, i),
                              .end = index->lists + list_begin(index, i + 1) };
    uint64_t block = 0;
    while (in.at < in.end && !in.failed) {
        block += get_number(&in);
        if (block >= index->count)
            break;
        marks[block] |= bits;
    }
    return true;
}
