/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_source - one configuration file and its includes as one text that libconfig can be trusted with. Only
 * core/config includes this header. */
#ifndef CONFIG_CONFIG_SOURCE_H
#define CONFIG_CONFIG_SOURCE_H

#include "core/base/buf.h"
#include "core/config/config_report.h"

/* From this line of the text on, lines come from place, one by one. */
struct source_span {
    unsigned text_line;
    struct place place;
};

struct source {
    struct buf text;
    struct source_span *spans;
    uint32_t span_count;
    size_t whole_bytes; /* of the text: the top-level settings before the first mistake that can't be mended */
    unsigned text_line; /* while reading */
    /* What is wrong has been reported: */
    bool broken;     /* libconfig would refuse it */
    bool mended;     /* it would have */
    bool incomplete; /* names or an include could not be read */
};

/* The files read so far, in order; shared by all sources of one configuration. */
struct source_files {
    struct arena *arena; /* of the paths: the model points to them */
    const char **paths;  /* room for CONFIG_FILES_MAX */
    uint32_t count;
};

/* Reads path and what it includes; what is wrong is reported. */
void source_read(struct source *source, const char *path, struct source_files *files, struct report *report);
void source_close(struct source *source);
/* Where a line of the text was written. */
struct place source_place(const struct source *source, unsigned text_line);

#endif
