/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request - what belfry-graph is asked for on its command line (graph.c tells what the options mean). */
#ifndef RECORDER_REQUEST_H
#define RECORDER_REQUEST_H

#include "core/recorder/picture.h"

#define REQUEST_METRICS_MAX 64

/* A --size: of each picture, unless width or height are given. */
struct request_size {
    const char *name;
    int width, height;
    bool thumb, grows;
};

struct request {
    const char *folder, *check, *part, *draw, *title, *out, *export;
    const char *wanted[REQUEST_METRICS_MAX];
    uint32_t wanted_count;
    const char *history_file;
    const struct request_size *size;
    int64_t since_s, until_s, compare_s, step_s;
    int64_t width, height; /* 0: those of the size */
    double percentile;
    bool dark, svg, list, baseline;
    /* not from the command line: what happened meanwhile, when has_history; installed fonts */
    struct history history;
    struct picture_fonts fonts;
    bool has_history;
};

/* Whether the arguments make a request; nothing in it is unchecked then. */
bool request_read(int argc, char **argv, struct request *out);
/* Tells how it is used. */
void request_usage(void);

#endif
