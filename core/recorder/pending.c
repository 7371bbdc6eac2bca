/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pending - the frames that go into the write-ahead file: those of the keeper, WIRE_SERIES and WIRE_SAMPLE, made anew
 * from the tracks. */
#include "core/recorder/pending.h"

#include "core/base/wire.h"

static void put_sample(struct buf *out, const struct track *track, uint64_t wall_ms, const double *values)
{
    size_t begin = wire_begin(out, WIRE_SAMPLE);
    wire_put_u32(out, track->slot);
    wire_put_u64(out, wall_ms);
    wire_put_u16(out, track->source_count);
    for (uint16_t i = 0; i < track->source_count; i++)
        wire_put_f64(out, values[i]);
    wire_end(out, begin);
}

/* Once in each write-ahead file. */
static void put_series(struct wal *wal, struct track *track)
{
    if (track->generation == wal->generation)
        return;
    size_t begin = wire_begin(&wal->batch, WIRE_SERIES);
    wire_put_u32(&wal->batch, track->slot);
    buf_add(&wal->batch, track->payload, track->payload_size);
    wire_end(&wal->batch, begin);
    track->generation = wal->generation;
}

void pending_add(struct wal *wal, struct track *track, uint64_t wall_ms, const double *values)
{
    put_series(wal, track);
    put_sample(&wal->batch, track, wall_ms, values);
}

/* The write-ahead file anew, with what waits. */
static int rewrite(struct wal *wal, const struct queue *queue, struct why *why)
{
    wal->generation++;
    for (uint32_t slot = 0; slot < queue->size; slot++) {
        struct track *track = queue->tracks[slot];
        for (uint32_t i = 0; track && i < track->row_count; i++) {
            const double *row = track_row(track, i);
            pending_add(wal, track, (uint64_t)row[0] * 1000, row + 1);
        }
    }
    int code = wal_renew(wal, why);
    if (code < 0)
        wal->limit = wal->size + WAL_SIZE_MIN; /* not with every sample */
    return code;
}

void pending_save(struct wal *wal, const struct queue *queue, struct track_room *room)
{
    struct why why = { "" };
    int code = wal_commit(wal, &why);
    if (code < 0)
        wal->generation++; /* series that did not get there are written again */
    else if (wal_is_full(wal))
        code = rewrite(wal, queue, &why);
    if (code < 0 && !wal->failing)
        room->report(room->context, LOG_LEVEL_ERROR, 0, why.text);
    wal->failing = code < 0;
}
