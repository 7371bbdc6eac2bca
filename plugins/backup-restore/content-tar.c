/* SPDX-License-Identifier: GPL-3.0-or-later */
/* content-tar - walks through a tar archive by the sizes in its headers, each of which has a checksum of its own. A
 * whole archive ends with two blocks of zeros. */
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

static void read_header(struct tar_walk *w)
{
    w->filled = 0;
    if (all_zero(w->header)) {
        w->ended = ++w->zeros >= 2;
        return;
    }
    char type = (char)w->header[156];
    bool has_data = !strchr("123456", type) || type == 0;
    uint64_t size = has_data ? read_size(w->header + 124) : 0;
    w->broken = w->zeros > 0 || !sum_fits(w->header) || size > (uint64_t)1 << 60;
    w->skip = (size + 511) / 512 * 512;
    w->members += type == 0 || !strchr("xgLK", type);
}

void tar_feed(struct tar_walk *w, const unsigned char *bytes, size_t count)
{
    while (count > 0 && !w->ended && !w->broken) {
        size_t n = w->skip > 0 ? (w->skip < count ? (size_t)w->skip : count) : 512 - w->filled;
        n = n < count ? n : count;
        if (w->skip > 0) {
            w->skip -= n;
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
