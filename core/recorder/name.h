/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name - from the names of monitoring to the names of RRD: which file a check or a part has, and which data source a
 * metric. Both mappings are injective, and the name itself wherever it fits. doc/time-series.md describes them for
 * people; belfry-graph and belfry-recorder agree because both ask here. */
#ifndef RECORDER_NAME_H
#define RECORDER_NAME_H

#include "core/base/arena.h"

/* A data-source name with its NUL: [a-zA-Z0-9_]{1,19}. */
#define NAME_SOURCE_SIZE 20
char *name_source(char out[NAME_SOURCE_SIZE], const char *metric);

/* The file name (without .rrd) of a part, at most NAME_PART_MAX bytes. part is not empty. */
#define NAME_PART_MAX 120
char *name_part(struct arena *arena, const char *part);

/* folder/service/check.rrd, or folder/service/check/PART.rrd; NULL when check is no check id or part is empty. */
char *name_file(struct arena *arena, const char *folder, const char *check, const char *part);

#endif
