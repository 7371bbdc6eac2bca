/* SPDX-License-Identifier: GPL-3.0-or-later */
/* late - see late.h. The recovery is made anew, with a disk that takes it, and must come to the end that the dry one
 * had come to: the records in memory are chained to that. If it does not (a disk that had failed has lost what was
 * still in memory), the journal fails, and its owner begins again from the disk. */
#include "core/journal/late.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/journal/pump.h"

bool late_heals(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EROFS || code == -EIO;
}

void late_begin(struct journal *j, const struct recover_end *end, int code)
{
    j->late = heap_alloc(sizeof *j->late);
    j->late->end = *end;
    atomic_store(&j->stalled, code);
}

bool late_waits(const struct journal *j)
{
    return j->late != NULL && !atomic_load(&j->late->done);
}

/* What reading the segment again each second would only find out later. */
static int probe(const struct journal *j, const char *segment)
{
    const struct journal_disk *disk = j->live.disk;
    int fd = segment[0] != '\0' ? disk->open(disk->self, j->live.folder, segment, O_RDWR | O_APPEND) : -ENOENT;
    if (fd >= 0)
        close(fd);
    return fd == -ENOENT || fd >= 0 ? 0 : fd;
}

static bool is_same(const struct recover_end *a, const struct recover_end *b)
{
    return a->seq == b->seq && a->size == b->size && a->new_segment == b->new_segment &&
           strcmp(a->segment, b->segment) == 0 && strcmp(a->hash, b->hash) == 0 && strcmp(a->journal, b->journal) == 0;
}

static int recover_now(struct journal *j, struct recover_end *end)
{
    const struct recover_request request = { .disk = j->live.disk,
                                             .folder = j->live.folder,
                                             .after = j->late->end.seq };
    struct why unused;
    int code = probe(j, j->late->end.segment);
    if (code == 0)
        code = recover_end(&request, end, &j->late->report, &unused);
    if (code == 0 && !is_same(end, &j->late->end))
        code = ERROR_REFUSED;
    return code;
}

int late_complete(struct journal *j)
{
    struct recover_end end;
    if (!late_waits(j))
        return 0;
    int code = recover_now(j, &end);
    if (code == 0 && end.segment[0] == '\0')
        code = live_sync_parent(&j->live);
    else if (code == 0 && !end.new_segment)
        code = live_open(&j->live, end.segment, end.size);
    if (code < 0) {
        live_close(&j->live);
        return code;
    }
    j->written = j->synced = end.seq;
    atomic_store(&j->durable, end.seq);
    atomic_store(&j->late->done, true);
    return 0;
}

bool journal_recovered(struct journal *j, struct journal_recovery *recovery)
{
    if (j->late == NULL || j->late->told || !atomic_load(&j->late->done))
        return false;
    j->late->told = true;
    *recovery = j->late->report;
    return true;
}
