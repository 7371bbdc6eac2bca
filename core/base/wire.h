/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wire - the frame format between the processes of the family and on the control socket.
 *
 * A frame is an 8-byte header and a payload:
 *     u32 payload length (at most WIRE_FRAME_MAX; of WIRE_CONTROL, WIRE_CONTROL_MAX), u16 type, u16 WIRE_MARK
 * All integers are little endian, doubles are the 8 bytes of IEEE 754, a text is a u32 length and that many bytes
 * without a NUL. Fields are encoded one by one. Each side treats the other's bytes as hostile: the reader is bounds
 * checked and remembers its first error; a frame is refused unless it is read exactly to its end. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"

#define WIRE_MARK 0xB1F1u
#define WIRE_FRAME_MAX (4u << 20)
#define WIRE_CONTROL_MAX (48u << 20) /* the board of many thousand checks is one answer */
#define WIRE_HEADER_SIZE 8u

/* Who sends what. The comment names the payload, field by field; core/model encodes the larger ones. */
enum wire_type {
    /* keeper -> worker */
    WIRE_CHECK = 1,  /* check_define: slot u32, check (core/model/task.h) */
    WIRE_FORGET = 2, /* slot u32 */
    WIRE_RUN = 3,    /* run u64, slot u32, timeout_ms u32, kept (core/model/result.h) */
    WIRE_STOP = 4,   /* nothing: finish what runs, then exit */
    WIRE_PING = 5,   /* number u64; to the recorder, too */
    /* worker -> keeper */
    WIRE_READY = 16,    /* plugin_info (core/model/plugin.h), text of the sandbox: the plugin is loaded */
    WIRE_REJECTED = 17, /* path text, why text: it is not, and the process exits */
    WIRE_RESULT = 18,   /* run u64, slot u32, result (core/model/result.h) */
    WIRE_LOG = 19,      /* level u8, check id text, line text */
    WIRE_PONG = 20,     /* number u64; of the recorder, too */
    WIRE_CATALOG = 21,  /* a plugin file described: path text, file mark u64, plugin_info */
    /* keeper -> recorder */
    WIRE_SERIES = 32,        /* slot u32, series (core/model/series.h) */
    WIRE_SERIES_FORGET = 33, /* slot u32 */
    WIRE_SAMPLE = 34,        /* slot u32, wall_ms u64, count u16, count x f64 in the series' order */
    /* recorder -> keeper */
    WIRE_RECORDER_READY = 48,  /* text of the sandbox */
    WIRE_RECORDER_EVENT = 49,  /* level u8, slot u32, line text */
    WIRE_RECORDER_SAVED = 50,  /* samples u64 since the start that need not be sent again, counts (track.h) 9 x u64 */
    WIRE_RECORDER_MOVED = 51,  /* path text, text text: a file was moved aside, and why */
    WIRE_RECORDER_LEARNT = 52, /* slot u32, metric text, table (core/model/baseline.h): what it usually is */
    /* keeper -> belfry-drill; WIRE_STOP cancels, WIRE_PING asks for WIRE_PONG */
    WIRE_DRILL = 80, /* JSON text: the job (core/drill/drill.h) */
    /* belfry-drill -> keeper */
    WIRE_DRILL_PROGRESS = 88, /* JSON text: where it is */
    WIRE_DRILL_DONE = 89,     /* JSON text: the outcome */
    /* control socket, both ways: one JSON object (doc/control.md) */
    WIRE_CONTROL = 64
};

/* ---- writing: into a buf; wire_begin() and wire_end() bracket a frame ------------------------------------------- */

/* Returns the position to give to wire_end(). */
size_t wire_begin(struct buf *out, enum wire_type type);
/* Sets the length; 0, or ERROR_LIMIT when the payload is too large (the frame is then removed from out). */
int wire_end(struct buf *out, size_t begin);
void wire_put_u8(struct buf *out, uint8_t value);
void wire_put_u16(struct buf *out, uint16_t value);
void wire_put_u32(struct buf *out, uint32_t value);
void wire_put_u64(struct buf *out, uint64_t value);
void wire_put_f64(struct buf *out, double value);
/* NULL is written as the length 0xffffffff and read back as NULL. */
void wire_put_text(struct buf *out, const char *text);

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* A reader over one payload (borrowed). After the first error every get returns 0 or NULL. */
struct wire_reader {
    const unsigned char *at, *end;
    bool failed;
};

struct wire_frame {
    enum wire_type type;
    struct wire_reader payload;
};

/* Finds the frame at the start of n bytes: returns the frame's whole size (> 0), 0 when more bytes are needed, or
 * ERROR_PROTOCOL (wrong mark, too long). */
int wire_next(const void *bytes, size_t n, struct wire_frame *frame);

uint8_t wire_u8(struct wire_reader *r);
uint16_t wire_u16(struct wire_reader *r);
uint32_t wire_u32(struct wire_reader *r);
uint64_t wire_u64(struct wire_reader *r);
double wire_f64(struct wire_reader *r);
/* A copy in the arena, NUL terminated; fails when longer than max_bytes or when it contains a NUL. */
char *wire_text(struct wire_reader *r, struct arena *arena, size_t max_bytes);
/* A count that is followed by at least min_bytes for each: fails when over max, or when the payload is too short for it
 * (so that a lying count can't make us allocate). */
uint32_t wire_count(struct wire_reader *r, uint32_t max, size_t min_bytes);
/* 0 when everything was read and nothing failed, else ERROR_PROTOCOL. */
int wire_done(const struct wire_reader *r);

#endif
