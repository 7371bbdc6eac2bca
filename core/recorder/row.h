/* SPDX-License-Identifier: GPL-3.0-or-later */
/* row - a waiting sample as librrd and rrdcached take it: "SECONDS:v1:v2...". */
#ifndef RECORDER_ROW_H
#define RECORDER_ROW_H

#include <stdbool.h>

#include "core/recorder/args.h"
#include "core/recorder/track.h"

/* One argument more: the row, its values as the series has its sources; with in_columns, as the file has them. */
void row_add(struct args *args, const struct track *track, const double *row, bool in_columns);

#endif
