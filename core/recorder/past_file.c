/* SPDX-License-Identifier: GPL-3.0-or-later */
/* past_file - FILE.rrd.past, in the fields of core/base/wire.h:
 *
 *     magic u32, version u32, last_s u64, metrics (count u32; name text, cells (count u32; hour u8, day u32, samples
 * u32, values (count u8, f64 each))), and a hash u64 of all before it
 *
 * It has at most 34 KB a metric. */
#include "core/recorder/past.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/model/result.h"
#include "core/model/series.h"

#define MAGIC 0x54534150u /* "PAST" */
#define VERSION 1
#define CELLS_MAX (PAST_DAYS * BASELINE_HOURS)
#define CELL_BYTES_MIN 18
#define CELL_BYTES_MAX (10 + 8 * PAST_VALUES)
#define BYTES_MAX (SERIES_SOURCES_MAX * (RESULT_NAME_MAX + 8 + CELLS_MAX * CELL_BYTES_MAX) + 64)
#define HASH_BYTES 8

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void read_cell(struct wire_reader *r, struct past_metric *metric)
{
    uint32_t hour = wire_u8(r), day = wire_u32(r), samples = wire_u32(r), kept = wire_u8(r);
    if (hour >= BASELINE_HOURS || day > INT32_MAX || kept == 0 || kept > PAST_VALUES || samples < kept)
        r->failed = true;
    if (r->failed)
        return;
    struct past_cell *cell = &metric->cells[day % PAST_DAYS][hour];
    *cell = (struct past_cell){ .day = (int32_t)day, .count = samples, .kept = kept };
    for (uint32_t i = 0; i < kept; i++) {
        cell->values[i] = wire_f64(r);
        if (!isfinite(cell->values[i]) || (i > 0 && cell->values[i] < cell->values[i - 1]))
            r->failed = true;
    }
}

static void read_metric(struct wire_reader *r, struct arena *arena, struct past_metric *metric)
{
    metric->name = wire_text(r, arena, RESULT_NAME_MAX);
    if (!metric->name || !metric->name[0])
        r->failed = true;
    uint32_t cells = wire_count(r, CELLS_MAX, CELL_BYTES_MIN);
    for (uint32_t i = 0; i < cells && !r->failed; i++)
        read_cell(r, metric);
}

static bool read_all(struct wire_reader *r, struct arena *arena, struct past *out)
{
    if (wire_u32(r) != MAGIC || wire_u32(r) != VERSION)
        return false;
    out->last_s = (int64_t)wire_u64(r);
    out->count = wire_count(r, SERIES_SOURCES_MAX, 8);
    if (r->failed || out->last_s < 0)
        return false;
    out->metrics = arena_array(arena, out->count ? out->count : 1, sizeof(*out->metrics));
    for (uint32_t i = 0; i < out->count && !r->failed; i++)
        read_metric(r, arena, &out->metrics[i]);
    return wire_done(r) == 0;
}

/* Whether the hash at the end is that of what stands before it. */
static bool is_whole(const char *bytes, size_t length)
{
    const unsigned char *end = (const unsigned char *)bytes + length;
    if (length < HASH_BYTES)
        return false;
    struct wire_reader r = { .at = end - HASH_BYTES, .end = end };
    return wire_u64(&r) == text_hash_more(0, bytes, length - HASH_BYTES);
}

int past_read(struct arena *arena, const char *path, struct past *out, struct why *why)
{
    char *bytes;
    size_t length;
    *out = (struct past){ 0 };
    int code = file_read(arena, path, BYTES_MAX, &bytes, &length);
    if (code < 0)
        return why_say(why, code, "'%s': %s", path, error_text(code));
    struct wire_reader r = { .at = (unsigned char *)bytes, .end = (unsigned char *)bytes + length };
    if (is_whole(bytes, length)) {
        r.end -= HASH_BYTES;
        if (read_all(&r, arena, out))
            return 0;
    }
    *out = (struct past){ 0 };
    return why_say(why, ERROR_DAMAGED, "'%s' is damaged", path);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void put_cell(struct buf *out, const struct past_cell *cell, uint32_t hour)
{
    wire_put_u8(out, (uint8_t)hour);
    wire_put_u32(out, (uint32_t)cell->day);
    wire_put_u32(out, cell->count);
    wire_put_u8(out, (uint8_t)cell->kept);
    for (uint32_t i = 0; i < cell->kept; i++)
        wire_put_f64(out, cell->values[i]);
}

static void put_metric(struct buf *out, const struct past_metric *metric)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CELLS_MAX; i++)
        count += metric->cells[i / BASELINE_HOURS][i % BASELINE_HOURS].count > 0;
    wire_put_text(out, metric->name);
    wire_put_u32(out, count);
    for (uint32_t i = 0; i < CELLS_MAX; i++) {
        const struct past_cell *cell = &metric->cells[i / BASELINE_HOURS][i % BASELINE_HOURS];
        if (cell->count > 0)
            put_cell(out, cell, i % BASELINE_HOURS);
    }
}

static int write_bytes(const char *path, const struct buf *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644); /* as the RRD file */
    if (fd < 0)
        return -errno;
    size_t done = 0;
    while (done < bytes->length) {
        ssize_t n = write(fd, bytes->data + done, bytes->length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    int code = done == bytes->length ? 0 : errno ? -errno : -EIO;
    return close(fd) == 0 ? code : -errno;
}

int past_write(const char *path, const struct past *past, struct why *why)
{
    struct arena arena = { 0 };
    struct buf out = { 0 };
    const char *fresh = arena_print(&arena, "%s.new", path);
    wire_put_u32(&out, MAGIC);
    wire_put_u32(&out, VERSION);
    wire_put_u64(&out, (uint64_t)past->last_s);
    wire_put_u32(&out, past->count);
    for (uint32_t i = 0; i < past->count; i++)
        put_metric(&out, &past->metrics[i]);
    wire_put_u64(&out, text_hash_more(0, out.data, out.length));
    int code = write_bytes(fresh, &out);
    if (code == 0 && rename(fresh, path) != 0)
        code = -errno;
    if (code < 0) {
        unlink(fresh);
        why_say(why, code, "'%s': %s", path, error_text(code));
    }
    buf_close(&out);
    arena_close(&arena);
    return code;
}
