/* SPDX-License-Identifier: GPL-3.0-or-later */
/* segment - the files of a journal: their names, their list, and reading one line by line. Internal to the room; the
 * format of the whole journal is told at the top of segment.c. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/journal/pack.h"

#define SEGMENT_VERSION 1u
#define SEGMENT_ID_SIZE 33u   /* the journal's id: 32 hex digits and a NUL */
#define SEGMENT_NAME_SIZE 27u /* 20 digits, ".jsonl" and a NUL */
#define SEGMENT_PACKED ".gz"  /* behind the name of one that is compressed */

/* The name of the segment whose first record is seq. */
char *segment_name(char out[SEGMENT_NAME_SIZE], uint64_t seq);
bool segment_is_name(const char *name, size_t length);
/* The number in the name. */
uint64_t segment_first_seq(const char *name);

/* The segments of a folder in order, compressed or not, each by the name that it has uncompressed. */
struct segment_list {
    char (*names)[SEGMENT_NAME_SIZE];
    size_t count;
};
int segment_list_open(struct segment_list *list, int folder);
void segment_list_close(struct segment_list *list);

/* Opens the folder for reading names: a descriptor or a negative code, explained. */
int segment_open_folder(const char *folder, struct why *why);

/* Reads lines by pread() up to the length that the file had at open (or refresh), so that a journal which is being
 * written can be read at any time. When only the compressed file is there, that one is read; offsets are those of the
 * uncompressed bytes all the same. */
struct segment_lines {
    int fd;                     /* -1: not open, or compressed */
    struct pack_reader *packed; /* or NULL */
    uint64_t end;               /* nothing behind it is read */
    uint64_t offset;            /* in the file: where the next line begins */
    uint64_t number;            /* of the last line returned, from 1 */
    char *bytes;                /* what lies in the file from offset on: bytes[start .. fill) */
    size_t start, fill, size;
};
struct segment_line {
    char *text; /* without the newline, NUL-terminated; lives until the next call */
    size_t length;
    uint64_t offset, number, bytes; /* bytes: in the file, the newline included */
};
enum segment_next {
    SEGMENT_END = 0,
    SEGMENT_LINE = 1,
    SEGMENT_REST = 2,   /* bytes without a newline at the end of the file; not consumed */
    SEGMENT_DAMAGED = 3 /* compressed bytes that can't be unpacked, and the line that they are in; what follows goes on
                           behind them. It counts as a line; bytes: so many there can have been at most */
};

int segment_lines_open(struct segment_lines *lines, int folder, const char *name);
void segment_lines_close(struct segment_lines *lines);
/* enum segment_next, or -errno. A line longer than any record may be comes with length 0. */
int segment_lines_next(struct segment_lines *lines, struct segment_line *line);
/* Takes the file's present length; an unfinished line is read again from its beginning. 0 or -errno. */
int segment_lines_refresh(struct segment_lines *lines);
/* Of a compressed segment: the next line is line number + 1, which begins the member at packed_at and is at offset. */
void segment_lines_seek(struct segment_lines *lines, uint64_t packed_at, uint64_t offset, uint64_t number);
bool segment_lines_is_open(const struct segment_lines *lines);

#endif
