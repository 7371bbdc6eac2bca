/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snapshot - writing the file that journal_snapshot_read() reads. Internal to the room. */
#ifndef JOURNAL_SNAPSHOT_H
#define JOURNAL_SNAPSHOT_H

#include <stdint.h>

#include "core/base/buf.h"
#include "core/journal/disk.h"

/* Replaces path atomically; 0 or a negative code, and then the old file is still there. */
int snapshot_write(const struct journal_disk *disk, const char *path, uint64_t seq, const struct buf *json);

#endif
