/* SPDX-License-Identifier: GPL-3.0-or-later */
/* content-pg - archives of pg_dump -Fc: "PGDMP", version, sizes of integers and offsets, format, compression, the local
 * time of its making, the database's name; a table of contents; then the data, each item as a block of pieces with
 * their lengths, ended by a piece of none. An archive is whole when each item of the contents that has data has its
 * block. Versions 1.12 (PostgreSQL 9.0) to 1.16 are known; of others only the head is read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/backup-restore/content.h"

#define STRING_MAX (64 * 1024 * 1024)
#define ENTRIES_MAX 1000000
#define PACE_BYTES (256 * 1024)
#define VERSION(major, minor) ((major)*100 + (minor))

/* Reads from memory (the head) or from a file. */
struct archive {
    FILE *file;
    const unsigned char *at, *end;
    int version, int_size, offset_size, format;
    bool ended; /* there was nothing more to read */
    bool late;
    int64_t passed; /* bytes of the file that were not looked at */
    struct backup_run *run;
};

static int get_byte(struct archive *a)
{
    int c = a->file ? getc_unlocked(a->file) : a->at < a->end ? *a->at++ : EOF;
    a->ended = a->ended || c == EOF;
    return c;
}

static int64_t get_int(struct archive *a)
{
    int sign = get_byte(a);
    uint64_t n = 0;
    for (int i = 0; i < a->int_size; i++)
        n |= (uint64_t)(get_byte(a) & 0xff) << 8 * (i & 7);
    n &= INT64_MAX;
    return sign ? -(int64_t)n : (int64_t)n;
}

static void pass(struct archive *a, int64_t count)
{
    for (int64_t i = 0; i < count && !a->ended && !a->late; i++) {
        get_byte(a);
        if (a->file && ++a->passed % PACE_BYTES == 0)
            a->late = !proof_pace(a->run, PACE_BYTES);
    }
}

/* The string, cut to fit; its length, -1 for none. */
static int64_t get_string(struct archive *a, char *into, size_t size)
{
    int64_t n = get_int(a), i = 0;
    if (n > STRING_MAX)
        a->ended = true;
    for (; i < n && i < (int64_t)size - 1 && !a->ended; i++)
        into[i] = (char)get_byte(a);
    if (size > 0)
        into[i] = '\0';
    pass(a, n - i);
    return n;
}

static void skip_strings(struct archive *a, int count)
{
    for (int i = 0; i < count; i++)
        get_string(a, NULL, 0);
}

static bool read_head(struct archive *a, struct backup_run *run, struct backup_proof *proof)
{
    char magic[5], name[128], time[40];
    int64_t t[7];
    for (int i = 0; i < 5; i++)
        magic[i] = (char)get_byte(a);
    int major = get_byte(a), minor = get_byte(a);
    a->version = VERSION(major, minor);
    get_byte(a); /* revision */
    a->int_size = get_byte(a);
    a->offset_size = get_byte(a);
    a->format = get_byte(a);
    if (a->ended || memcmp(magic, "PGDMP", 5) != 0 || a->int_size > 8 || a->offset_size > 16 ||
        a->version < VERSION(1, 12) || a->version > VERSION(1, 16))
        return false;
    if (a->version >= VERSION(1, 15))
        get_byte(a);
    else
        get_int(a); /* compression */
    for (int i = 0; i < 7; i++)
        t[i] = get_int(a);
    snprintf(time, sizeof time, "%04d-%02d-%02d %02d:%02d:%02d", (int)(t[5] % 8000) + 1900, (int)(t[4] % 100) + 1,
             (int)(t[3] % 100), (int)(t[2] % 100), (int)(t[1] % 100), (int)(t[0] % 100));
    int64_t made = zone_time(run->zone, time);
    proof->made = made > 0 ? made : 0;
    if (get_string(a, name, sizeof name) > 0)
        proof->database = belfry_print(run->p, "%s", name);
    skip_strings(a, 2); /* versions of server and pg_dump */
    return !a->ended;
}

void pg_end(struct content *c, struct backup_proof *proof)
{
    struct archive a = { .at = c->head, .end = c->head + c->head_size };
    proof->what = "PostgreSQL archive";
    proof->data = "/var/lib/postgresql";
    if (!read_head(&a, c->run, proof) && a.ended)
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "is cut off within its head");
}

/* One item of the contents: whether it has data. */
static bool read_entry(struct archive *a)
{
    get_int(a);         /* id */
    get_int(a);         /* whether there was a dumper */
    skip_strings(a, 4); /* table oid, oid, tag, description */
    get_int(a);         /* section */
    skip_strings(a, 5); /* definition, drop, copy, namespace, tablespace */
    if (a->version >= VERSION(1, 14))
        skip_strings(a, 1); /* access method */
    if (a->version >= VERSION(1, 16))
        get_int(a);     /* kind of relation */
    skip_strings(a, 2); /* owner, oids */
    while (!a->ended && get_string(a, NULL, 0) >= 0) {
        /* dependencies */
    }
    int state = get_byte(a);
    pass(a, a->offset_size);
    return state == 1 || state == 2; /* 3: no data */
}

/* The pieces of an item to the one of no bytes. */
static void pass_data(struct archive *a)
{
    for (int64_t n; !a->ended && !a->late && (n = get_int(a)) > 0;)
        pass(a, n);
}

static void pass_blobs(struct archive *a)
{
    while (!a->ended && !a->late && get_int(a) != 0)
        pass_data(a);
}

/* How many blocks are there, up to the first that is not whole. */
static int64_t count_blocks(struct archive *a, int64_t most)
{
    int64_t n = 0;
    while (n < most && !a->ended && !a->late) {
        int type = get_byte(a);
        get_int(a); /* id */
        if (type == 1)
            pass_data(a);
        else if (type == 3)
            pass_blobs(a);
        else
            break;
        n += !a->ended;
    }
    return n;
}

void pg_read_archive(struct backup_run *run, const char *path, struct backup_proof *proof)
{
    struct archive a = { .file = backup_open(path), .run = run };
    struct backup_proof ignored = { 0 };
    if (!a.file)
        return; /* it was just read */
    bool known = read_head(&a, run, &ignored) && a.format == 1;
    int64_t entries = known ? get_int(&a) : 0, wanted = 0;
    for (int64_t i = 0; i < entries && entries <= ENTRIES_MAX && !a.ended; i++)
        wanted += read_entry(&a);
    int64_t found = known && !a.ended ? count_blocks(&a, wanted) : 0;
    proof->unread = a.late;
    if (a.late)
        backup_find(run, &proof->bad, BELFRY_UNKNOWN, "could not be read to its end in the time; raise timeout");
    else if (known && (a.ended || found < wanted))
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "is cut off: %lld of %lld items have their data",
                    (long long)found, (long long)wanted);
    else if (known && wanted == 0)
        backup_find_empty(run, proof, "table with data");
    proof->whole = known && !a.ended && found == wanted;
    backup_close(a.file);
}
