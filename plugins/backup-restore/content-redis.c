/* SPDX-License-Identifier: GPL-3.0-or-later */
/* content-redis - RDB files: "REDIS" and a version of four digits ("VALKEY" and three), auxiliary fields, data, 0xff,
 * and CRC-64 (Jones' polynomial, reflected) of all before it. A sum of zero says that the server was told to write
 * none, and proves nothing. The auxiliary field ctime says when it was made, whatever the file's name and times say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/backup-restore/content.h"

#define POLYNOMIAL 0x95ac9329ac4bc9b5ULL
#define OP_AUX 0xfa
#define OP_END 0xff

/* Four bits at a time: the table is in the code, and nothing is made before the first use. */
static uint64_t nibble(uint64_t value)
{
    for (int i = 0; i < 4; i++)
        value = value & 1 ? value >> 1 ^ POLYNOMIAL : value >> 1;
    return value;
}

uint64_t redis_crc(uint64_t crc, const unsigned char *bytes, size_t count)
{
    uint64_t table[256];
    for (uint64_t i = 0; i < 256; i++)
        table[i] = nibble(nibble(i));
    for (size_t i = 0; i < count; i++)
        crc = table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
    return crc;
}

struct reader {
    const unsigned char *at, *end;
};

/* A string of RDB as text (integers as decimal); false when it is none that fits. */
static bool read_string(struct reader *r, char *into, size_t size)
{
    if (r->at >= r->end)
        return false;
    unsigned first = *r->at++;
    size_t left = (size_t)(r->end - r->at);
    if (first >= 0xc0 && first <= 0xc2) { /* an integer of 1, 2 or 4 bytes, little endian */
        size_t width = (size_t)1 << (first - 0xc0);
        uint32_t value = 0;
        if (left < width)
            return false;
        for (size_t i = 0; i < width; i++)
            value |= (uint32_t)r->at[i] << 8 * i;
        r->at += width;
        snprintf(into, size, "%u", value);
        return true;
    }
    size_t n = first & 0x3f;
    if (first >> 6 == 1 && left >= 1)
        n = n << 8 | *r->at++;
    else if (first >> 6 != 0)
        return false;
    if (n > (size_t)(r->end - r->at))
        return false;
    snprintf(into, size, "%.*s", (int)n, (const char *)r->at);
    r->at += n;
    return true;
}

/* Reads the auxiliary fields; *empty: there is nothing after them. */
static void read_fields(const struct content *c, struct backup_proof *proof, bool *empty)
{
    struct reader r = { c->head + 9, c->head + c->head_size };
    char name[64], value[64];
    while (r.at < r.end && *r.at == OP_AUX) {
        r.at++;
        if (!read_string(&r, name, sizeof name) || !read_string(&r, value, sizeof value))
            return;
        if (strcmp(name, "ctime") == 0)
            proof->made = strtoll(value, NULL, 10);
    }
    *empty = r.at < r.end && *r.at == OP_END;
}

void redis_end(struct content *c, struct backup_proof *proof)
{
    uint64_t sum = 0;
    bool empty = false;
    proof->what = "Redis RDB";
    proof->data = "/var/lib/redis";
    for (size_t i = 0; i < c->held_size; i++)
        sum |= (uint64_t)c->held[i] << 8 * i;
    read_fields(c, proof, &empty);
    bool ends = c->total >= 18 && c->tail_size >= 9 && c->tail[c->tail_size - 9] == OP_END;
    if (ends && sum == c->crc)
        proof->whole = true;
    else if (ends && sum == 0)
        backup_find(c->run, &proof->bad, BELFRY_WARNING,
                    "has no checksum (rdbchecksum no), so nothing proves it; set 'rdbchecksum yes'");
    else
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "its checksum is wrong: cut off or damaged");
    if (empty)
        backup_find_empty(c->run, proof, "key");
}
