/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wal - what the recorder has taken and no RRD file has yet: a small file of the frames that the keeper sent, written
 * before they are acknowledged. After a crash they are handled again; rows that a file has by then are skipped there.
 * The file is written anew, with only what still waits, when it has doubled; so it stays small.
 *
 * It is written and not synced: it survives the death of every process, not that of the machine. */
#ifndef RECORDER_WAL_H
#define RECORDER_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/wire.h"

#define WAL_NAME ".pending"
#define WAL_SIZE_MIN (4u << 20) /* below it, it is not worth while to write it anew */
#define WAL_BATCH_MAX (128u << 20)

struct wal {
    char *path;          /* NULL: none is kept */
    int fd;              /* -1: nothing was written yet */
    int64_t size, limit; /* of the file; beyond the limit it is to be written anew */
    uint32_t generation; /* counts the files; never 0 */
    struct buf batch;    /* frames to be written */
    bool failing;        /* reported */
};

/* FOLDER/.pending; nothing is written or read. */
void wal_open(struct wal *wal, const char *folder);
/* Gives every whole frame of the file that was left behind to take, until that returns a negative code. A torn or
 * damaged end is where it ends. Returns how many frames there were; 0 when there is no file. */
uint64_t wal_replay(const struct wal *wal, int (*take)(void *context, struct wire_frame *frame), void *context);
/* Appends the batch as one record. 0 or a negative code; the batch is empty afterwards. */
int wal_commit(struct wal *wal, struct why *why);
/* A new file, with the batch as its only content, takes the place of the old one. */
int wal_renew(struct wal *wal, struct why *why);
bool wal_is_full(const struct wal *wal);
/* Moves the file that was left behind aside: it has crashed us too often. */
int wal_set_aside(const struct wal *wal, int64_t now_s);
/* Nothing waits: removes the file. */
void wal_remove(struct wal *wal);
void wal_close(struct wal *wal);

#endif
