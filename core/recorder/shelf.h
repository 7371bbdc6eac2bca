/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shelf - all that is recorded of one check: its RRD file and those of its parts, with their legends and heads, and the
 * plugin's ready-made graphs as the legends tell them. Only reads. */
#ifndef RECORDER_SHELF_H
#define RECORDER_SHELF_H

#include "core/recorder/header.h"
#include "core/recorder/legend.h"

#define SHELF_FILES_MAX 4096

struct shelf_file {
    const char *path, *name; /* name: below the shelf's folder */
    struct legend legend;
    struct header header;
    const char *trouble; /* why there is no drawing it (the legend may be empty then), or NULL */
};

struct shelf {
    const char *folder;       /* of the service */
    struct shelf_file *files; /* that of the check first, if there is one; then the parts by file name */
    uint32_t count;
    const struct plugin_view *views; /* of the file written last; in the plugin's order */
    uint32_t view_count;
};

/* The files of the check, or with a part only that of the part. 0, also when there are none; or a negative code. */
int shelf_open(struct arena *arena, const char *rrd, const char *check, const char *part, int64_t now_s,
               struct shelf *out);
/* The same, as the files are: what rrdcached has not written yet is not asked for. */
int shelf_open_as_is(struct arena *arena, const char *rrd, const char *check, const char *part, int64_t now_s,
                     struct shelf *out);
/* Whether a live metric of the file may be drawn. */
bool shelf_has(const struct shelf_file *file, const struct legend_metric *metric);

#endif
