/* SPDX-License-Identifier: GPL-3.0-or-later */
/* series - on the wire: check text, part text, step_s u32, heartbeat_s u32, sources (count u32; metric text, kind u8,
 * min f64, max f64, unit, warn, crit, was texts), archives (count u32; point_s u32, length_s u32), views as
 * plugin_view.c has them. WANTS_BASELINE is set beside the kind of a source whose baseline is wanted. */
#include "core/model/series.h"

#include "belfry/plugin.h"
#include "core/base/text.h"
#include "core/model/result.h"

#define CHECK_ID_MAX 256
#define SOURCE_BYTES_MIN 37
#define ARCHIVE_BYTES 8
#define WANTS_BASELINE 0x80

void series_encode(struct buf *out, const struct series *series)
{
    wire_put_text(out, series->check);
    wire_put_text(out, series->part);
    wire_put_u32(out, series->step_s);
    wire_put_u32(out, series->heartbeat_s);
    wire_put_u32(out, series->source_count);
    for (uint32_t i = 0; i < series->source_count; i++) {
        const struct series_source *source = &series->sources[i];
        wire_put_text(out, source->metric);
        wire_put_u8(out, (uint8_t)(source->kind | (source->baseline ? WANTS_BASELINE : 0)));
        wire_put_f64(out, source->min);
        wire_put_f64(out, source->max);
        wire_put_text(out, source->unit);
        wire_put_text(out, source->warn);
        wire_put_text(out, source->crit);
        wire_put_text(out, source->was);
    }
    wire_put_u32(out, series->archive_count);
    for (uint32_t i = 0; i < series->archive_count; i++) {
        wire_put_u32(out, series->archives[i].point_s);
        wire_put_u32(out, series->archives[i].length_s);
    }
    plugin_views_encode(out, series->views, series->view_count);
}

static void read_sources(struct wire_reader *r, struct arena *arena, struct series *out)
{
    out->source_count = wire_count(r, SERIES_SOURCES_MAX, SOURCE_BYTES_MIN);
    out->sources = arena_array(arena, out->source_count, sizeof *out->sources);
    for (uint32_t i = 0; i < out->source_count && !r->failed; i++) {
        struct series_source *source = &out->sources[i];
        source->metric = wire_text(r, arena, RESULT_NAME_MAX);
        uint8_t kind = wire_u8(r);
        source->kind = kind & ~WANTS_BASELINE;
        source->baseline = (kind & WANTS_BASELINE) != 0;
        source->min = wire_f64(r);
        source->max = wire_f64(r);
        source->unit = wire_text(r, arena, RESULT_NAME_MAX);
        source->warn = wire_text(r, arena, RESULT_RANGE_MAX);
        source->crit = wire_text(r, arena, RESULT_RANGE_MAX);
        source->was = wire_text(r, arena, RESULT_NAME_MAX);
        if (!source->metric || !source->metric[0] || source->kind > BELFRY_COUNTER)
            r->failed = true;
    }
}

static void read_archives(struct wire_reader *r, struct arena *arena, struct series *out)
{
    out->archive_count = wire_count(r, SERIES_ARCHIVES_MAX, ARCHIVE_BYTES);
    out->archives = arena_array(arena, out->archive_count, sizeof *out->archives);
    for (uint32_t i = 0; i < out->archive_count && !r->failed; i++) {
        out->archives[i].point_s = wire_u32(r);
        out->archives[i].length_s = wire_u32(r);
        /* a point may be longer than the whole: a check every three days, an archive of two; it then has one point */
        if (out->archives[i].point_s == 0 || out->archives[i].length_s == 0)
            r->failed = true;
    }
}

int series_decode(struct wire_reader *r, struct arena *arena, struct series *out)
{
    *out = (struct series){ 0 };
    out->check = wire_text(r, arena, CHECK_ID_MAX);
    out->part = wire_text(r, arena, RESULT_PART_MAX);
    out->step_s = wire_u32(r);
    out->heartbeat_s = wire_u32(r);
    if (!out->check || !text_is_check_id(out->check) || (out->part && !out->part[0]) || out->step_s == 0 ||
        out->heartbeat_s == 0)
        r->failed = true;
    read_sources(r, arena, out);
    read_archives(r, arena, out);
    out->view_count = plugin_views_decode(r, arena, &out->views);
    return r->failed ? ERROR_PROTOCOL : 0;
}
