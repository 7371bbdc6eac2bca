/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store - RRD files through librrd: make, migrate, update, fetch. With picture.c the only callers of librrd. Files are
 * handed in only after header_read() took them. */
#ifndef RECORDER_STORE_H
#define RECORDER_STORE_H

#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/recorder/args.h"
#include "core/recorder/layout.h"

/* Makes the file at path by way of path.new: written, read back and compared, fsynced, renamed. With history (the path
 * of the old file, usually the same) the values of its archives are taken over; start_s is then ignored. */
struct store_make {
    const char *path;
    const struct layout *layout;
    int64_t start_s; /* values may be later than this */
    const char *history;
    int64_t last_s; /* of the history: the new file's, too */
    int64_t now_s;
};
int store_make(struct arena *arena, const struct store_make *make, struct why *why);

/* Writes rows ("SECONDS:v1:v2..."), the values in the order of sources ("a:b:c"; NULL: in that of the file). Rows not
 * later than the file's last update are skipped. */
int store_update(const char *path, const char *sources, const struct args *rows, struct why *why);

/* Values of one consolidation function. The point i belongs to the time (start_s + i * step_s, + step_s]. */
struct store_values {
    int64_t start_s;
    uint64_t step_s;
    uint64_t count; /* of points */
    uint64_t source_count;
    char **sources;
    double *values; /* [point * source_count + source]; NaN: unknown */
};
struct store_fetch {
    const char *path, *function;
    int64_t since_s, until_s;
    uint64_t step_s; /* wanted */
};
int store_fetch(const struct store_fetch *fetch, struct store_values *out, struct why *why);
void store_values_close(struct store_values *values);

#endif
