/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wire - the codec of the frame format described in wire.h: no system call and no allocation but the buffer's own. */
#include "core/base/wire.h"

#include <assert.h>
#include <string.h>

#include "core/base/error.h"

#define NO_TEXT 0xffffffffu

static size_t greatest_payload(unsigned type)
{
    return type == WIRE_CONTROL ? WIRE_CONTROL_MAX : WIRE_FRAME_MAX;
}

/* ---- writing */

/* value as n little-endian bytes. */
static void store(unsigned char *at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static void put(struct buf *out, uint64_t value, size_t n)
{
    char *room = buf_room(out, n);
    if (!room)
        return;
    store((unsigned char *)room, value, n);
    out->length += n;
}

size_t wire_begin(struct buf *out, enum wire_type type)
{
    size_t begin = out->length;
    put(out, 0, 4);
    put(out, (uint16_t)type, 2);
    put(out, WIRE_MARK, 2);
    return begin;
}

int wire_end(struct buf *out, size_t begin)
{
    assert(begin <= out->length);
    size_t n = out->length - begin;
    const unsigned char *header = (const unsigned char *)out->data + begin;
    if (n < WIRE_HEADER_SIZE || out->overflowed || n - WIRE_HEADER_SIZE > greatest_payload(header[4])) {
        out->length = begin;
        out->overflowed = false; /* only whole frames are left */
        out->data[begin] = '\0';
        return ERROR_LIMIT;
    }
    store((unsigned char *)out->data + begin, n - WIRE_HEADER_SIZE, 4);
    return 0;
}

void wire_put_u8(struct buf *out, uint8_t value)
{
    put(out, value, 1);
}

void wire_put_u16(struct buf *out, uint16_t value)
{
    put(out, value, 2);
}

void wire_put_u32(struct buf *out, uint32_t value)
{
    put(out, value, 4);
}

void wire_put_u64(struct buf *out, uint64_t value)
{
    put(out, value, 8);
}

void wire_put_f64(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(out, bits, 8);
}

void wire_put_text(struct buf *out, const char *text)
{
    if (!text) {
        put(out, NO_TEXT, 4);
        return;
    }
    size_t length = strlen(text);
    char *room = buf_room(out, 4 + length);
    if (!room)
        return; /* wire_end() refuses the frame */
    store((unsigned char *)room, length, 4);
    memcpy(room + 4, text, length);
    out->length += 4 + length;
}

/* ---- reading */

static size_t left(const struct wire_reader *r)
{
    return r->failed ? 0 : (size_t)(r->end - r->at);
}

/* The next n bytes as a little-endian number; 0 and failed when they are not there. */
static uint64_t get(struct wire_reader *r, size_t n)
{
    if (left(r) < n) {
        r->failed = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)r->at[i] << (8 * i);
    r->at += n;
    return value;
}

int wire_next(const void *bytes, size_t n, struct wire_frame *frame)
{
    struct wire_reader header = { .at = bytes, .end = (const unsigned char *)bytes + n };
    if (n < WIRE_HEADER_SIZE)
        return 0;
    uint32_t length = wire_u32(&header);
    uint16_t type = wire_u16(&header);
    if (wire_u16(&header) != WIRE_MARK || length > greatest_payload(type))
        return ERROR_PROTOCOL;
    if (n - WIRE_HEADER_SIZE < length)
        return 0;
    frame->type = (enum wire_type)type;
    frame->payload = (struct wire_reader){ .at = header.at, .end = header.at + length };
    return (int)(WIRE_HEADER_SIZE + length);
}

uint8_t wire_u8(struct wire_reader *r)
{
    return (uint8_t)get(r, 1);
}

uint16_t wire_u16(struct wire_reader *r)
{
    return (uint16_t)get(r, 2);
}

uint32_t wire_u32(struct wire_reader *r)
{
    return (uint32_t)get(r, 4);
}

uint64_t wire_u64(struct wire_reader *r)
{
    return get(r, 8);
}

double wire_f64(struct wire_reader *r)
{
    uint64_t bits = get(r, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

char *wire_text(struct wire_reader *r, struct arena *arena, size_t max_bytes)
{
    uint32_t length = wire_u32(r);
    if (r->failed || length == NO_TEXT)
        return NULL;
    if (length > max_bytes || length > left(r) || memchr(r->at, '\0', length)) {
        r->failed = true;
        return NULL;
    }
    char *text = arena_text_n(arena, (const char *)r->at, length);
    r->at += length;
    return text;
}

uint32_t wire_count(struct wire_reader *r, uint32_t max, size_t min_bytes)
{
    uint32_t count = wire_u32(r);
    if (count > max || (min_bytes && count > left(r) / min_bytes)) {
        r->failed = true;
        return 0;
    }
    return count;
}

int wire_done(const struct wire_reader *r)
{
    return r->failed || r->at != r->end ? ERROR_PROTOCOL : 0;
}
