/* SPDX-License-Identifier: GPL-3.0-or-later */
/* segment - the files of a journal.
 *
 * THE FORMAT, version 1 (doc/journal-format.md tells the same with examples, for those who write another reader)
 *
 * A journal is a folder of segments. A segment is a file named by the number of its first record, 20 decimal digits and
 * ".jsonl"; the order of the names is the order of the records. Other files in the folder do not belong to the chain
 * ("NAME.torn-OFFSET" keeps bytes that a recovery has cut).
 *
 * A finished segment may be compressed (pack.c), its name then ends in ".jsonl.gz"; the first ones may have been
 * dropped behind a tombstone (tend.c, tomb.c). What follows is said of the uncompressed bytes.
 *
 * A segment is a sequence of lines, each ended by one newline (0x0a), each a record, each a JSON object of exactly this
 * form, without any space outside of strings:
 *
 *     {"seq":N,"at":"T","type":"Y","who":"W","prev":"P",MEMBERS,"hash":"H"}
 *
 *   N  the record's number: decimal without leading zeros, 1 to 18 digits; the first record of a journal is 1, each
 *      further one is one more
 *   T  the wall clock in UTC, "2026-11-21T10:31:07.123Z"; it may step back
 *   Y  noun.verb of [a-z0-9_.], at most 63 bytes
 *   W  who caused it, a JSON string
 *   P  the hash of the record before, also when that is the last one of the segment before; 64 zeros in record 1
 *   H  64 lower-case hex digits: the SHA-256 of the raw bytes of the line from its '{' up to but not including the
 *      comma before "hash". That tail is always the last 75 bytes of the line, so it is found by counting and never by
 *      searching, and whatever MEMBERS contain cannot move it.
 *   ,MEMBERS  further JSON members, or nothing at all (then also no comma)
 *
 * A line with its newline has 210 to 262144 (JOURNAL_RECORD_MAX) bytes.
 *
 * The first record of each segment, and only that one, has the type journal.segment and begins its members with
 *
 *     "version":1,"journal":"ID","previous":"NAME","end":"P"
 *
 * ID is 32 hex digits drawn at random when the journal was begun, the same in all its segments. NAME is the file name
 * of the segment before, P the hash of its last record (the same text as "prev"); in the first segment both are null.
 * More members may follow; a reader ignores them. The record takes a number and its place in the chain like any other.
 *
 * A segment is complete and on disk before the next one is created, so only the last one can end in an unfinished line.
 *
 * WHAT HOLDS OF A LINE. A line stands by itself when it has the form and its hash holds. It is at fault, by the first
 * of these that applies (the names are the kinds that verify reports): syntax      it has not the form above, is too
 * long, or is an unfinished line in a segment that is not the last hash        its bytes do not give its hash
 *   journal-id  it begins a segment and carries another id than the first segment that was read
 *   segment     it is the first line and not journal.segment or of an unknown version, its number is not the file's
 *               name, it names another predecessor than the file before it, or "end" is not "prev"; or it is
 *               journal.segment elsewhere. A segment without any line that is not the last is also at fault.
 *   sequence    its number is not one more than that of the line before
 *   chain       its prev is not the hash of the line before
 * After a line with the fault syntax or hash, numbers and hashes can't be compared: the next line that stands by itself
 * need only have a greater number than the last one that did. After any other fault the line is taken as it stands.
 *
 * RECOVERY (journal_open) reads the last segment, and those before it from which records are wanted.
 * 1. A last segment without one finished line is removed (a crash right after its creation); what bytes it had are
 * kept.
 * 2. If the last segment ends in an unfinished line and nothing else in it is at fault, that is the torn tail of a
 * crash: the bytes are copied to NAME.torn-OFFSET (a further ".2", ".3" if that exists) and synced, then the segment is
 *    truncated to the end of the line before. A record is written with its newline last and acknowledged only when that
 *    is on disk, so nothing acknowledged is ever cut. A finished line is never cut, whatever it looks like: it may have
 *    been acknowledged before it was damaged.
 * 3. If anything else in the last segment is at fault, it is left exactly as it is and a new segment is begun. It goes
 *    on from the last record that stands by itself: prev and end are its hash. Its number leaves out as many numbers
 *    as there can have been records in the bytes behind that one, (bytes / 210), so no number is ever used twice.
 * Verify goes on reporting the damage and checks everything behind it.
 *
 * WHAT THE CHAIN DOES NOT SHOW. Who can write the files can compute all hashes anew from the changed record on; and a
 * journal whose end was cut at the end of a line is a valid, shorter journal. Against both there are seals with an
 * evolving key (journal.sealed records; seal.c makes them, seal_check.c checks them) and anchors outside of the files
 * (anchor.c); their form and rules are told in doc/journal-format.md. */
#include "core/journal/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/journal/journal.h"

#define NAME_DIGITS 20u
#define BUFFER_FIRST (64u << 10)
#define BUFFER_MAX (512u << 10)
_Static_assert(BUFFER_MAX > JOURNAL_RECORD_MAX, "a record must fit into the buffer");

/* ---- names ----------------------------------------------------------------------------------------------------- */

char *segment_name(char out[SEGMENT_NAME_SIZE], uint64_t seq)
{
    snprintf(out, SEGMENT_NAME_SIZE, "%020llu.jsonl", (unsigned long long)seq);
    return out;
}

bool segment_is_name(const char *name, size_t length)
{
    if (length != SEGMENT_NAME_SIZE - 1 || memcmp(name + NAME_DIGITS, ".jsonl", 6) != 0)
        return false;
    for (size_t i = 0; i < NAME_DIGITS; i++)
        if (name[i] < '0' || name[i] > '9')
            return false;
    return name[0] == '0' && name[1] == '0'; /* numbers have at most 18 digits */
}

uint64_t segment_first_seq(const char *name)
{
    uint64_t seq = 0;
    for (size_t i = 0; i < NAME_DIGITS; i++)
        seq = seq * 10 + (uint64_t)(name[i] - '0');
    return seq;
}

/* ---- the list -------------------------------------------------------------------------------------------------- */

int segment_open_folder(const char *folder, struct why *why)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES)
        return why_say(why, -EACCES,
                       "the journal '%s' can only be read by the user that belfryd runs as: run this as that user",
                       folder);
    if (fd < 0 && errno == ENOENT)
        return why_say(why, -ENOENT, "there is no journal '%s': belfryd begins it when it starts", folder);
    if (fd < 0)
        return why_say(why, -errno, "the journal '%s' can't be opened: %s", folder, error_text(-errno));
    return fd;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int collect_names(struct segment_list *list, DIR *dir)
{
    size_t size = 0;
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name), suffix = strlen(SEGMENT_PACKED);
        bool packed = length > suffix && strcmp(entry->d_name + length - suffix, SEGMENT_PACKED) == 0;
        if (!segment_is_name(entry->d_name, packed ? length - suffix : length))
            continue;
        if (list->count == size) {
            size = size == 0 ? 16 : size * 2;
            list->names = heap_grow(list->names, size, sizeof *list->names);
        }
        text_copy(list->names[list->count++], SEGMENT_NAME_SIZE, entry->d_name);
    }
    return -errno;
}

/* A segment that is there twice, compressed and not yet removed, counts once. */
static void drop_doubles(struct segment_list *list)
{
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++)
        if (n == 0 || strcmp(list->names[n - 1], list->names[i]) != 0)
            memmove(list->names[n++], list->names[i], SEGMENT_NAME_SIZE);
    list->count = n;
}

int segment_list_open(struct segment_list *list, int folder)
{
    *list = (struct segment_list){ 0 };
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int code = -errno;
        close(fd);
        return code;
    }
    int code = collect_names(list, dir);
    closedir(dir);
    if (code < 0) {
        segment_list_close(list);
        return code;
    }
    if (list->count > 0)
        qsort(list->names, list->count, sizeof *list->names, compare_names);
    drop_doubles(list);
    return 0;
}

void segment_list_close(struct segment_list *list)
{
    free(list->names);
    *list = (struct segment_list){ 0 };
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

int segment_lines_refresh(struct segment_lines *lines)
{
    struct stat st;
    if (lines->packed != NULL) /* never changes */
        return 0;
    if (fstat(lines->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    lines->end = (uint64_t)st.st_size;
    lines->start = lines->fill = 0;
    return 0;
}

/* O_NONBLOCK: a FIFO of that name must not stop us */
static int open_reading(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static int open_packed(struct segment_lines *lines, int folder, const char *name)
{
    char packed[SEGMENT_NAME_SIZE + sizeof SEGMENT_PACKED];
    snprintf(packed, sizeof packed, "%s" SEGMENT_PACKED, name);
    int fd = open_reading(folder, packed);
    int code = fd < 0 ? fd : pack_open(&lines->packed, fd);
    if (code < 0 && fd >= 0)
        close(fd);
    lines->end = UINT64_MAX;
    return code;
}

int segment_lines_open(struct segment_lines *lines, int folder, const char *name)
{
    *lines = (struct segment_lines){ .fd = open_reading(folder, name) };
    int code = lines->fd == -ENOENT ? open_packed(lines, folder, name)
               : lines->fd < 0      ? lines->fd
                                    : segment_lines_refresh(lines);
    if (code < 0) {
        segment_lines_close(lines);
        return code;
    }
    lines->size = BUFFER_FIRST;
    lines->bytes = heap_alloc(lines->size + 1);
    return 0;
}

void segment_lines_close(struct segment_lines *lines)
{
    if (lines->fd >= 0)
        close(lines->fd);
    pack_close(&lines->packed);
    free(lines->bytes);
    *lines = (struct segment_lines){ .fd = -1 };
}

void segment_lines_seek(struct segment_lines *lines, uint64_t packed_at, uint64_t offset, uint64_t number)
{
    pack_seek(lines->packed, packed_at);
    lines->offset = offset;
    lines->number = number;
    lines->start = lines->fill = 0;
}

bool segment_lines_is_open(const struct segment_lines *lines)
{
    return lines->fd >= 0 || lines->packed != NULL;
}

static void grow_buffer(struct segment_lines *lines)
{
    lines->size *= 2;
    lines->bytes = heap_grow(lines->bytes, lines->size + 1, 1);
}

/* Moves what is left to the front and reads behind it: the bytes read, 0 at the end, or -errno. */
static ssize_t fill_buffer(struct segment_lines *lines)
{
    size_t rest = lines->fill - lines->start;
    memmove(lines->bytes, lines->bytes + lines->start, rest);
    lines->start = 0;
    lines->fill = rest;
    uint64_t at = lines->offset + rest;
    uint64_t want = at < lines->end ? lines->end - at : 0;
    if (want > lines->size - rest)
        want = lines->size - rest;
    ssize_t n;
    if (lines->packed != NULL)
        n = pack_read(lines->packed, lines->bytes + rest, (size_t)want);
    else
        do
            n = pread(lines->fd, lines->bytes + rest, (size_t)want, (off_t)at);
        while (n < 0 && errno == EINTR);
    if (n < 0)
        return lines->packed != NULL ? n : -errno;
    lines->fill += (size_t)n;
    return n;
}

/* Hands out bytes[start .. start + bytes), of which the last is the newline. */
static int give_line(struct segment_lines *lines, struct segment_line *line, size_t bytes)
{
    char *text = lines->bytes + lines->start;
    text[bytes - 1] = '\0';
    *line = (struct segment_line){ text, bytes - 1, lines->offset, ++lines->number, bytes };
    lines->start += bytes;
    lines->offset += bytes;
    return SEGMENT_LINE;
}

static int give_rest(const struct segment_lines *lines, struct segment_line *line, uint64_t offset)
{
    size_t n = lines->fill - lines->start;
    char *text = lines->bytes + lines->start;
    text[n] = '\0';
    *line = (struct segment_line){ text, n, offset, lines->number + 1, lines->offset + n - offset };
    return SEGMENT_REST;
}

/* What was read of the line that the damage is in is not shown. */
static int give_damage(struct segment_lines *lines, struct segment_line *line)
{
    uint64_t most = (lines->fill - lines->start) + pack_passed(lines->packed) * PACK_RATIO_MAX;
    lines->offset += lines->fill - lines->start;
    lines->start = lines->fill = 0;
    lines->bytes[0] = '\0';
    *line = (struct segment_line){ lines->bytes, 0, lines->offset, ++lines->number, most };
    return SEGMENT_DAMAGED;
}

/* The buffer is full and holds no newline: finds the line's end. */
static int skip_long_line(struct segment_lines *lines, struct segment_line *line)
{
    uint64_t offset = lines->offset;
    for (;;) {
        const char *newline = memchr(lines->bytes + lines->start, '\n', lines->fill - lines->start);
        size_t take =
            newline != NULL ? (size_t)(newline + 1 - lines->bytes) - lines->start : lines->fill - lines->start;
        lines->start += take;
        lines->offset += take;
        if (newline != NULL) {
            lines->bytes[lines->size] = '\0';
            *line =
                (struct segment_line){ lines->bytes + lines->size, 0, offset, ++lines->number, lines->offset - offset };
            return SEGMENT_LINE;
        }
        ssize_t n = fill_buffer(lines);
        if (n == ERROR_DAMAGED)
            return give_damage(lines, line);
        if (n < 0)
            return (int)n;
        if (n == 0) {
            int next = give_rest(lines, line, offset);
            lines->offset = offset;
            return next;
        }
    }
}

int segment_lines_next(struct segment_lines *lines, struct segment_line *line)
{
    for (;;) {
        size_t rest = lines->fill - lines->start;
        const char *begin = lines->bytes + lines->start;
        const char *newline = rest > 0 ? memchr(begin, '\n', rest) : NULL;
        if (newline != NULL)
            return give_line(lines, line, (size_t)(newline - begin) + 1);
        if (rest == BUFFER_MAX)
            return skip_long_line(lines, line);
        if (rest == lines->size)
            grow_buffer(lines);
        ssize_t n = fill_buffer(lines);
        if (n == ERROR_DAMAGED)
            return give_damage(lines, line);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return lines->fill > 0 ? give_rest(lines, line, lines->offset) : SEGMENT_END;
    }
}
