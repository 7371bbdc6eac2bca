/* SPDX-License-Identifier: GPL-3.0-or-later */
/* content - finds out what passes by, by its first bytes, and whether its end is right.
 *
 * Dumps in SQL: mariadb-dump and mysqldump end with "-- Dump completed on 2026-11-21  3:04:05", pg_dump with "--
 * PostgreSQL database dump complete"; both in the last 4 KiB, not always on the last line. A dump without comments
 * (--compact, --skip-comments) has neither a beginning nor an end that could be told, so nothing proves it. A trailer
 * proves that the program ended, not that the tables were in it: those are counted. */
#include "plugins/backup-restore/content.h"

#include <math.h>
#include <string.h>

#define SAMPLE_EVERY ((uint64_t)16 * 1024 * 1024)
#define SAMPLE_SIZE ((uint64_t)64 * 1024)
#define SAMPLE_SKIP ((uint64_t)1024)
#define RANDOM_BITS 7.5
#define RANDOM_LEAST 8192
#define LINE_MAX_SEEN 24

static bool has_text(const unsigned char *bytes, size_t count, const char *text)
{
    return memmem(bytes, count, text, strlen(text)) != NULL;
}

/* ---- as it passes ---------------------------------------------------------------------------------------------- */

static void keep_head(struct content *c, const unsigned char *bytes, size_t count)
{
    size_t n = CONTENT_HEAD - c->head_size;
    n = n < count ? n : count;
    memcpy(c->head + c->head_size, bytes, n);
    c->head_size += n;
}

static void keep_tail(struct content *c, const unsigned char *bytes, size_t count)
{
    if (count >= CONTENT_TAIL) {
        memcpy(c->tail, bytes + count - CONTENT_TAIL, CONTENT_TAIL);
        c->tail_size = CONTENT_TAIL;
        return;
    }
    size_t over = c->tail_size + count > CONTENT_TAIL ? c->tail_size + count - CONTENT_TAIL : 0;
    memmove(c->tail, c->tail + over, c->tail_size - over);
    memcpy(c->tail + c->tail_size - over, bytes, count);
    c->tail_size += count - over;
}

/* All but the last 8 bytes go into the sum: those are the sum that the file names. */
static void sum_rdb(struct content *c, const unsigned char *bytes, size_t count)
{
    if (count < 8) { /* rare: byte by byte through what is held */
        for (size_t i = 0; i < count; i++) {
            if (c->held_size == 8) {
                c->crc = redis_crc(c->crc, c->held, 1);
                memmove(c->held, c->held + 1, 7);
                c->held_size = 7;
            }
            c->held[c->held_size++] = bytes[i];
        }
        return;
    }
    c->crc = redis_crc(c->crc, c->held, c->held_size);
    c->crc = redis_crc(c->crc, bytes, count - 8);
    memcpy(c->held, bytes + count - 8, 8);
    c->held_size = 8;
}

/* Statements at the beginning of a line. One that is cut by the end of a buffer is missed: they are counted to see
 * whether there are any. */
static void count_statements(struct content *c, const unsigned char *bytes, size_t count)
{
    const unsigned char *end = bytes + count;
    for (const unsigned char *line = bytes; line && line < end && end - line > 12;) {
        c->tables += memcmp(line, "CREATE TABLE", 12) == 0;
        c->rows += memcmp(line, "INSERT INTO", 11) == 0 || memcmp(line, "COPY ", 5) == 0;
        line = memchr(line, '\n', (size_t)(end - line));
        line = line ? line + 1 : NULL;
    }
}

/* A text may lie across two buffers: the end of what came before is in the tail. */
static void look_for_expected(struct content *c, const unsigned char *bytes, size_t count)
{
    unsigned char seam[512];
    size_t before = c->tail_size < 256 ? c->tail_size : 256, after = count < 256 ? count : 256;
    memcpy(seam, c->tail + c->tail_size - before, before);
    memcpy(seam + before, bytes, after);
    for (size_t i = 0; i < c->expected; i++)
        c->seen[i] = c->seen[i] || has_text(bytes, count, c->expect[i]) || has_text(seam, before + after, c->expect[i]);
}

static void sample(struct content *c, const unsigned char *bytes, size_t count)
{
    size_t from = c->total < SAMPLE_SKIP ? (size_t)(SAMPLE_SKIP - c->total) : 0; /* the first bytes are headers */
    if (c->total % SAMPLE_EVERY >= SAMPLE_SIZE)
        return;
    for (size_t i = from; i < count && i < SAMPLE_SIZE; i++)
        c->histogram[bytes[i]]++;
}

static void recognize(struct content *c)
{
    c->known = true;
    c->is_rdb = c->head_size >= 9 && (memcmp(c->head, "REDIS0", 6) == 0 || memcmp(c->head, "VALKEY", 6) == 0);
    c->is_tar = tar_begins(c->head, c->head_size);
    c->is_pgp = pgp_encrypted(c->head, c->head_size);
    if (c->is_pgp)
        pgp_begin(&c->pgp);
}

static void feed_walks(struct content *c, const unsigned char *bytes, size_t count)
{
    if (c->is_rdb)
        sum_rdb(c, bytes, count);
    if (c->is_tar)
        tar_feed(&c->tar, bytes, count);
    if (c->is_pgp)
        pgp_feed(&c->pgp, bytes, count);
}

void content_feed(void *content, const unsigned char *bytes, size_t count)
{
    struct content *c = content;
    if (count == 0)
        return;
    size_t before = c->head_size;
    bool was_known = c->known;
    keep_head(c, bytes, count);
    size_t used = c->head_size - before;
    if (!c->known && c->head_size == CONTENT_HEAD) {
        recognize(c);
        feed_walks(c, c->head, c->head_size);
    }
    if (was_known || c->known)
        feed_walks(c, was_known ? bytes : bytes + used, was_known ? count : count - used);
    count_statements(c, bytes, count);
    if (c->expected > 0)
        look_for_expected(c, bytes, count);
    sample(c, bytes, count);
    keep_tail(c, bytes, count);
    c->total += count;
}

/* ---- at its end ------------------------------------------------------------------------------------------------ */

/* The rest of the line after a text in the head; NULL when it isn't there. */
static const char *after(struct content *c, const unsigned char *bytes, size_t count, const char *text)
{
    const char *at = memmem(bytes, count, text, strlen(text));
    if (!at)
        return NULL;
    at += strlen(text);
    size_t left = (size_t)((const char *)bytes + count - at), n = 0;
    while (n < left && n < 128 && at[n] != '\n' && at[n] != '\r')
        n++;
    return belfry_print(c->run->p, "%.*s", (int)n, at);
}

/* "2026-11-21  3:04:05", the hour padded with a blank, of the site's zone. */
static int64_t read_completed(struct content *c, const char *text)
{
    char time[20];
    if (!text || strlen(text) < 19)
        return 0;
    memcpy(time, text, 19);
    time[19] = '\0';
    time[11] = time[11] == ' ' ? '0' : time[11];
    int64_t when = zone_time(c->run->zone, time);
    return when > 0 ? when : 0;
}

static void end_sql(struct content *c, struct backup_proof *proof, const char *trailer)
{
    if (has_text(c->tail, c->tail_size, trailer))
        proof->whole = true;
    else
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "is cut off: its last line '%s' is missing", trailer);
    if (proof->whole && c->tables == 0 && c->rows == 0)
        backup_find_empty(c->run, proof, "table");
}

static void end_mysql(struct content *c, struct backup_proof *proof)
{
    proof->what = has_text(c->head, c->head_size, "-- MariaDB dump") ? "MariaDB dump" : "MySQL dump";
    proof->data = "/var/lib/mysql";
    const char *name = after(c, c->head, c->head_size, "    Database: ");
    proof->database = name && *name ? name : NULL;
    proof->made = read_completed(c, after(c, c->tail, c->tail_size, "-- Dump completed on "));
    end_sql(c, proof, "-- Dump completed");
}

static void end_postgres(struct content *c, struct backup_proof *proof)
{
    bool cluster = has_text(c->head, c->head_size < 512 ? c->head_size : 512, "-- PostgreSQL database cluster dump");
    proof->what = cluster ? "PostgreSQL cluster dump" : "PostgreSQL dump";
    proof->data = "/var/lib/postgresql";
    const char *name = after(c, c->head, c->head_size, "\\connect ");
    proof->database = name && *name && !cluster ? name : NULL;
    end_sql(c, proof,
            cluster ? "-- PostgreSQL database cluster dump complete" : "-- PostgreSQL database dump complete");
}

static void end_tar(struct content *c, struct backup_proof *proof)
{
    proof->what = "tar archive";
    if (c->tar.broken)
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "is damaged: a header's checksum is wrong");
    else if (!c->tar.ended)
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "is cut off: the end of the archive is missing");
    else if (c->tar.members == 0)
        backup_find_empty(c->run, proof, "file");
    proof->whole = c->tar.ended && !c->tar.broken;
}

/* Packings that are not read. */
static const char *other_packing(const struct content *c)
{
    static const struct {
        const char *magic, *name;
    } packings[] = { { "BZh", "bzip2" },
                     { "PK\003\004", "zip" },
                     { "7z\274\257\047\034", "7z" },
                     { "\004\"M\030", "lz4" },
                     { "Rar!", "rar" } };
    for (size_t i = 0; i < sizeof packings / sizeof packings[0]; i++)
        if (strncmp((const char *)c->head, packings[i].magic, strlen(packings[i].magic)) == 0)
            return packings[i].name;
    return NULL;
}

/* SQL that says nothing of itself, or bytes of which we know nothing. */
static void end_other(struct content *c, struct backup_proof *proof, bool packed)
{
    bool sql = c->tables + c->rows > 0, taken = c->summed || belfry_flag(c->run->p, "unproven");
    const char *packing = other_packing(c);
    proof->what = sql ? "SQL without comments" : packing ? belfry_print(c->run->p, "%s file", packing) : "file";
    proof->whole = packed || c->summed; /* the packing has a checksum and an end */
    if (sql && !taken)
        backup_find(c->run, &proof->bad, BELFRY_WARNING,
                    "says nowhere that it is complete (--compact or --skip-comments?); 'unproven = true' takes it so");
    else if (packing && !packed && !taken)
        backup_find(c->run, &proof->bad, BELFRY_WARNING,
                    "is packed by %s, which is not read, so nothing proves it: pack it by gzip, zstd or xz, lay a "
                    ".sha256 beside it, or 'unproven = true' takes it so",
                    packing);
}

static double bits_a_byte(const struct content *c, uint64_t *n)
{
    double bits = 0;
    *n = 0;
    for (int i = 0; i < 256; i++)
        *n += c->histogram[i];
    for (int i = 0; i < 256; i++) {
        double share = (double)c->histogram[i] / (double)*n;
        bits -= c->histogram[i] > 0 ? share * log2(share) : 0;
    }
    return bits;
}

static void end_encrypted(struct content *c, struct backup_proof *proof)
{
    uint64_t n;
    double bits = bits_a_byte(c, &n);
    bool armoured = c->head_size > 5 && memcmp(c->head, "-----", 5) == 0;
    proof->what = belfry_print(c->run->p, "%s file", proof->cipher);
    if (!armoured && n >= RANDOM_LEAST && bits < RANDOM_BITS)
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL,
                    "begins like %s, but its bytes are not encrypted (%.1f bits a byte)", proof->cipher, bits);
}

static void end_known(struct content *c, bool packed, struct backup_proof *proof)
{
    size_t head = c->head_size < 1024 ? c->head_size : 1024;
    if (c->total == 0)
        proof->what = "file";
    else if (crypt_end(c, proof))
        end_encrypted(c, proof);
    else if (c->is_rdb)
        redis_end(c, proof);
    else if (c->is_tar)
        end_tar(c, proof);
    else if (c->head_size > 5 && memcmp(c->head, "PGDMP", 5) == 0)
        pg_end(c, proof);
    else if (has_text(c->head, head, "-- MariaDB dump") || has_text(c->head, head, "-- MySQL dump"))
        end_mysql(c, proof);
    else if (has_text(c->head, head, "-- PostgreSQL database"))
        end_postgres(c, proof);
    else
        end_other(c, proof, packed);
}

void content_end(struct content *c, const char *packed, struct backup_proof *proof)
{
    if (!c->known) {
        recognize(c);
        feed_walks(c, c->head, c->head_size);
    }
    end_known(c, packed != NULL, proof);
    if (packed)
        proof->what = belfry_print(c->run->p, "%s in %s", proof->what, packed);
    if (c->total == 0)
        backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "is empty");
    for (size_t i = 0; i < c->expected && !proof->cipher; i++)
        if (!c->seen[i])
            backup_find(c->run, &proof->bad, BELFRY_CRITICAL, "does not contain '%s'", c->expect[i]);
}
