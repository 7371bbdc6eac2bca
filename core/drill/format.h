/* SPDX-License-Identifier: GPL-3.0-or-later */
/* format - what the first bytes of a backup say it is. */
#ifndef DRILL_FORMAT_H
#define DRILL_FORMAT_H

#include "core/drill/drill.h"
#include "core/drill/tool.h"

#define HEAD_BYTES 65536

struct head {
    unsigned char bytes[HEAD_BYTES];
    size_t length;
};

/* Undoes encryption or compression: a tool that reads stdin and writes stdout. */
struct decoder {
    const char *name;
    enum phase phase;
    bool (*is)(const struct head *head);
    /* Fills in the tool; key_fd: a file with the key, or -1. */
    int (*prepare)(struct run *run, struct tool *tool);
    int growth; /* content is about so many times as large */
};

const struct decoder *decoder_find(const char *name);                            /* NULL: none of that name */
const struct decoder *decoder_detect(enum phase phase, const struct head *head); /* NULL: none fits */

/* What is to be restored. */
struct backup_kind {
    const char *name;
    bool (*is)(const struct head *head); /* NULL: a folder */
    const char *const *folder_files[2]; /* that a folder of this kind has: the one list or the other, NULL-terminated */
    const struct server_type *server;   /* or NULL */
    int (*look)(struct run *run);       /* which backup of a repository it is; NULL: told by its path */
    int (*restore)(struct run *run);
    bool server_last;                 /* the server starts on what was restored */
    int disk_tenths, memory_tenths;   /* needed for each 10 bytes of content */
    int64_t disk_bytes, memory_bytes; /* and as such */
    const char *trailer;              /* that a whole one ends with, or NULL */
    const char *stamp;                /* before the time in the trailer */
};

const struct backup_kind *kind_find(const char *name);
const struct backup_kind *kind_detect(const struct head *head);
const struct backup_kind *kind_of_folder(int fd);
extern const struct backup_kind backup_kinds[];

#endif
