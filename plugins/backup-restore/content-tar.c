/* SPDX-License-Identifier: GPL-3.0-or-later */
/* content-tar - walks through a tar archive by the sizes in its headers, each of which has a checksum of its own. A
 * whole archive ends with two blocks of zeros. A size of more than 8 GiB is in a record of pax before the header
 * ("LENGTH size=BYTES"), or in the header in binary; the map of a sparse file of GNU goes on in blocks behind it. */
#include <stdlib.h>
#include <string.h>

#include "plugins/backup-restore/content.h"

static bool all_zero(const unsigned char *block)
{
    for (int i = 0; i < 512; i++)
        if (block[i] != 0)
            return false;
    return true;
}

static bool sum_fits(const unsigned char *block)
{
    unsigned sum = 8 * ' ', told = 0;
    for (int i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? 0 : block[i];
    for (int i = 148; i < 156; i++)
        told = block[i] >= '0' && block[i] <= '7' ? told * 8 + block[i] - '0' : told;
    return sum == told;
}

/* Octal, or big endian when the first bit is set. */
static uint64_t read_size(const unsigned char *field)
{
    uint64_t n = 0;
    if (field[0] & 0x80) {
        for (int i = 4; i < 12; i++)
            n = n << 8 | field[i];
        return n;
    }
    for (int i = 0; i < 12; i++)
        n = field[i] >= '0' && field[i] <= '7' ? n * 8 + field[i] - '0' : n;
    return n;
}

bool tar_begins(const unsigned char *bytes, size_t count)
{
    return count >= 512 && memcmp(bytes + 257, "ustar", 5) == 0 && sum_fits(bytes);
}

/* The size among the records of pax that were kept. */
static void read_records(struct tar_walk *w)
{
    for (size_t at = 0; at < w->record_bytes;) {
        const char *record = w->records + at;
        char *end;
        size_t length = strtoul(record, &end, 10), left = w->record_bytes - at;
        if (length == 0 || length > left)
            return;
        if (strncmp(end, " size=", 6) == 0) {
            w->size = strtoull(end + 6, NULL, 10);
            w->has_size = true;
        }
        at += length;
    }
}

static void skip_data(struct tar_walk *w)
{
    w->broken |= w->size > (uint64_t)1 << 60;
    w->skip = (w->size + 511) / 512 * 512;
}

static void begin_member(struct tar_walk *w, char type)
{
    bool has_data = !strchr("123456", type) || type == 0, describes = type != 0 && strchr("xgLK", type);
    if (!has_data)
        w->size = 0;
    else if (describes || !w->has_size)
        w->size = read_size(w->header + 124);
    w->has_size &= describes;
    w->in_records = type == 'x';
    w->record_bytes = 0;
    w->in_map = type == 'S' && w->header[482] != 0;
    w->members += !describes;
    if (!w->in_map)
        skip_data(w);
}

static void read_header(struct tar_walk *w)
{
    w->filled = 0;
    if (w->in_map) {
        w->in_map = w->header[504] != 0;
        if (!w->in_map)
            skip_data(w);
    } else if (all_zero(w->header)) {
        w->ended = ++w->zeros >= 2;
    } else {
        w->broken = w->zeros > 0 || !sum_fits(w->header);
        begin_member(w, (char)w->header[156]);
    }
}

static void pass(struct tar_walk *w, const unsigned char *bytes, size_t n)
{
    size_t room = TAR_RECORDS_MAX - 1 - w->record_bytes, kept = n < room ? n : room;
    w->skip -= n;
    if (!w->in_records)
        return;
    memcpy(w->records + w->record_bytes, bytes, kept);
    w->record_bytes += kept;
    w->records[w->record_bytes] = '\0';
    if (w->skip == 0)
        read_records(w);
}

void tar_feed(struct tar_walk *w, const unsigned char *bytes, size_t count)
{
    while (count > 0 && !w->ended && !w->broken) {
        size_t n = w->skip > 0 ? (w->skip < count ? (size_t)w->skip : count) : 512 - w->filled;
        n = n < count ? n : count;
        if (w->skip > 0) {
            pass(w, bytes, n);
        } else {
            memcpy(w->header + w->filled, bytes, n);
            w->filled += n;
            if (w->filled == 512)
                read_header(w);
        }
        bytes += n;
        count -= n;
    }
}
