/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name - injective names for data sources and files.
 *
 * A data source is called as its metric when that is 1 to 19 of [a-zA-Z0-9_]. Any other metric becomes PREFIX_HASH:
 * 8 readable bytes ('_' for what does not fit), '_', and 50 bits of the name's SHA-256 in ten of [A-Z2-7]. A metric
 * that looks like such a name itself is hashed too, so that a plain name never equals a made one.
 *
 * A part's file is the part with every byte outside [A-Za-z0-9_.-], and a leading dot, written as %XX. What would be
 * longer than NAME_PART_MAX is cut, and '~' and 16 hex digits of the SHA-256 are added: '~' never stands in a name
 * that was not cut. */
#include "core/recorder/name.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"

#define PREFIX_LENGTH 8
#define HASH_SIZE 32
#define HASH_LENGTH 10
#define PART_HASH_LENGTH 16

static const char hash_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
_Static_assert(PREFIX_LENGTH + 1 + HASH_LENGTH + 1 == NAME_SOURCE_SIZE, "a made name has exactly the greatest length");

/* By GLib, which librrd is made of: to load OpenSSL takes longer than to draw a sparkline. */
static void hash(const char *name, size_t length, unsigned char out[HASH_SIZE])
{
    gsize size = HASH_SIZE;
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)name, (gssize)length);
    g_checksum_get_digest(sum, out, &size);
    g_checksum_free(sum);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Whether a plain name could be one that we make. */
static bool looks_made(const char *name, size_t length)
{
    if (length != NAME_SOURCE_SIZE - 1 || name[PREFIX_LENGTH] != '_')
        return false;
    return strspn(name + PREFIX_LENGTH + 1, hash_letters) == HASH_LENGTH;
}

static bool is_plain(const char *metric, size_t length)
{
    if (length == 0 || length >= NAME_SOURCE_SIZE)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_word(metric[i]))
            return false;
    return !looks_made(metric, length);
}

char *name_source(char out[NAME_SOURCE_SIZE], const char *metric)
{
    size_t length = strlen(metric);
    if (is_plain(metric, length)) {
        memcpy(out, metric, length + 1);
        return out;
    }
    unsigned char digest[HASH_SIZE];
    hash(metric, length, digest);
    for (size_t i = 0; i < PREFIX_LENGTH; i++)
        out[i] = i < length && is_word(metric[i]) ? metric[i] : '_';
    out[PREFIX_LENGTH] = '_';
    uint64_t bits = 0;
    for (size_t i = 0; i < 7; i++)
        bits = bits << 8 | digest[i];
    for (size_t i = 0; i < HASH_LENGTH; i++, bits >>= 5)
        out[PREFIX_LENGTH + 1 + i] = hash_letters[bits & 31];
    out[NAME_SOURCE_SIZE - 1] = '\0';
    return out;
}

static bool fits_file(char c)
{
    return is_word(c) || c == '.' || c == '-';
}

char *name_part(struct arena *arena, const char *part)
{
    size_t length = strlen(part), used = 0, cut = 0;
    char *out = arena_alloc(arena, 3 * length + PART_HASH_LENGTH + 2);
    for (size_t i = 0; i < length; i++) {
        if (used <= NAME_PART_MAX - PART_HASH_LENGTH - 1)
            cut = used;
        if (fits_file(part[i]) && !(i == 0 && part[i] == '.'))
            out[used++] = part[i];
        else
            used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned)(unsigned char)part[i]);
    }
    out[used] = '\0';
    if (used <= NAME_PART_MAX)
        return out;
    unsigned char digest[HASH_SIZE];
    hash(part, length, digest);
    out[cut++] = '~';
    for (size_t i = 0; i < PART_HASH_LENGTH / 2; i++)
        snprintf(out + cut + 2 * i, 3, "%02x", digest[i]);
    return out;
}

char *name_file(struct arena *arena, const char *folder, const char *check, const char *part)
{
    if (!text_is_check_id(check) || (part && !*part))
        return NULL;
    if (!part)
        return arena_print(arena, "%s/%s.rrd", folder, check);
    return arena_print(arena, "%s/%s/%s.rrd", folder, check, name_part(arena, part));
}
