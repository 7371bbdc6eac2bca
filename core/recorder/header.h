/* SPDX-License-Identifier: GPL-3.0-or-later */
/* header - reads and checks the head of an RRD file by ourselves. librrd trusts what it finds in a file (fuzzed files
 * crash it), so no file is handed to it before this room found every count, name and size sound. */
#ifndef RECORDER_HEADER_H
#define RECORDER_HEADER_H

#include <stdint.h>
#include <sys/types.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/model/series.h"

#define HEADER_SOURCES_MAX 1024u
#define HEADER_ARCHIVES_MAX 128u
#define HEADER_ROWS_MAX SERIES_POINTS_MAX

struct header_source {
    char name[20], type[20]; /* type: GAUGE, DERIVE, ... */
    uint64_t heartbeat_s;
    double min, max; /* NaN: unbounded */
};

struct header_archive {
    char function[20]; /* AVERAGE, MIN, MAX, LAST */
    uint64_t rows, steps;
    double unknown_part; /* xff */
};

struct header {
    uint64_t step_s;
    int64_t last_s; /* of the last update */
    struct header_source *sources;
    uint32_t source_count;
    struct header_archive *archives;
    uint32_t archive_count;
    off_t size_bytes; /* of the file */
    ino_t inode;
};

/* 0; -errno (-ENOENT: there is no file); ERROR_DAMAGED when it is no RRD file that we could have made (*why says what
 * is wrong). now_s: a last update more than a day later is damage too. */
int header_read(struct arena *arena, const char *path, int64_t now_s, struct header *out, struct why *why);
const struct header_source *header_find(const struct header *header, const char *name);
/* Only the last update of a file with these counts that was read before; negative when it can't be read. */
int64_t header_read_last(const char *path, uint64_t sources, uint64_t archives);
/* The size of a file with these counts, in bytes. */
uint64_t header_file_size(uint64_t sources, uint64_t archives, uint64_t rows);

#endif
