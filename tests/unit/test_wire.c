/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_wire - the frame format against its description byte by byte, hostile input, and channels over a socketpair. */
#include "core/base/wire.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/spawn.h"
#include "tests/tap.h"

static void test_layout(void)
{
    static const unsigned char want[] = { 45,   0,    0,    0,    3,    0,    0xF1, 0xB1, 1,    0x34, 0x12, 0x78, 0x56,
                                          0x34, 0x12, 0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 1,    0xFE, 0xFF, 0xFF,
                                          0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0,    0,    0,    0xF8, 0x3F,
                                          2,    0,    0,    0,    'h',  'i',  0xFF, 0xFF, 0xFF, 0xFF };
    struct buf out = { 0 };
    size_t begin = wire_begin(&out, WIRE_RUN);
    wire_put_u8(&out, 1);
    wire_put_u16(&out, 0x1234);
    wire_put_u32(&out, 0x12345678);
    wire_put_u64(&out, 0x0123456789ABCDEF);
    wire_put_u64(&out, (uint64_t)-2);
    wire_put_f64(&out, 1.5);
    wire_put_text(&out, "hi");
    wire_put_text(&out, NULL);
    tap_is_int(wire_end(&out, begin), 0, "the frame ends");
    tap_is_int(out.length, WIRE_HEADER_SIZE + 41, "its size");
    unsigned char expected[sizeof want];
    memcpy(expected, want, sizeof want);
    expected[0] = 41;
    tap_ok(out.length == sizeof expected && memcmp(out.data, expected, sizeof expected) == 0, "its bytes");

    struct wire_frame frame;
    struct arena arena = { 0 };
    tap_is_int(wire_next(out.data, out.length, &frame), (int64_t)out.length, "the frame is found");
    tap_is_int(frame.type, WIRE_RUN, "its type");
    struct wire_reader *r = &frame.payload;
    tap_ok(wire_u8(r) == 1 && wire_u16(r) == 0x1234 && wire_u32(r) == 0x12345678 && wire_u64(r) == 0x0123456789ABCDEF &&
               wire_u64(r) == (uint64_t)-2 && wire_f64(r) == 1.5,
           "its numbers");
    tap_is_int(wire_done(r), ERROR_PROTOCOL, "not read to its end");
    tap_is_text(wire_text(r, &arena, 2), "hi", "its text");
    tap_ok(wire_text(r, &arena, 0) == NULL && !r->failed, "NULL stays NULL");
    tap_is_int(wire_done(r), 0, "read to its end");
    wire_u8(r);
    tap_ok(r->failed && wire_done(r) == ERROR_PROTOCOL, "nothing behind the end");
    arena_close(&arena);
    buf_close(&out);
}

static void test_header(void)
{
    struct buf out = { 0 };
    struct wire_frame frame;
    int early = 0;
    size_t begin = wire_begin(&out, WIRE_LOG);
    wire_put_u64(&out, 7);
    wire_end(&out, begin);
    size_t first = out.length;
    wire_end(&out, wire_begin(&out, WIRE_STOP));
    for (size_t n = 0; n < first; n++)
        early += wire_next(out.data, n, &frame) != 0;
    tap_is_int(early, 0, "a frame that is not whole needs more bytes");
    tap_is_int(wire_next(out.data, out.length, &frame), (int64_t)first, "the first of two");
    tap_is_int(wire_next(out.data + first, out.length - first, &frame), WIRE_HEADER_SIZE, "an empty one");
    tap_ok(frame.type == WIRE_STOP && wire_done(&frame.payload) == 0, "which is whole");
    out.data[6] ^= 1;
    tap_is_int(wire_next(out.data, out.length, &frame), ERROR_PROTOCOL, "a wrong mark");
    static const unsigned char large[] = { 1, 0, 0x40, 0, 3, 0, 0xF1, 0xB1 },
                               most[] = { 0, 0, 0x40, 0, 3, 0, 0xF1, 0xB1 };
    tap_is_int(wire_next(large, sizeof large, &frame), ERROR_PROTOCOL, "a length over the bound");
    tap_is_int(wire_next(most, sizeof most, &frame), 0, "the greatest length");
    buf_close(&out);
}

static void test_too_large(void)
{
    static char bytes[WIRE_FRAME_MAX + 1];
    struct buf out = { 0 };
    wire_end(&out, wire_begin(&out, WIRE_STOP));
    size_t begin = wire_begin(&out, WIRE_RESULT);
    buf_add(&out, bytes, WIRE_FRAME_MAX);
    tap_is_int(wire_end(&out, begin), 0, "the largest frame");
    out.length = begin;
    begin = wire_begin(&out, WIRE_RESULT);
    buf_add(&out, bytes, sizeof bytes);
    tap_is_int(wire_end(&out, begin), ERROR_LIMIT, "one byte more is refused");
    tap_is_int(out.length, WIRE_HEADER_SIZE, "and removed, the frame before it stays");
    begin = wire_begin(&out, WIRE_CONTROL);
    while (out.length - begin < WIRE_HEADER_SIZE + WIRE_CONTROL_MAX)
        buf_add(&out, bytes, WIRE_FRAME_MAX);
    struct wire_frame frame;
    tap_is_int(wire_end(&out, begin), 0, "an answer on the control socket may be larger");
    tap_is_int(wire_next(out.data + begin, out.length - begin, &frame), WIRE_HEADER_SIZE + WIRE_CONTROL_MAX,
               "and is read");
    out.length = begin;
    begin = wire_begin(&out, WIRE_CONTROL);
    while (out.length - begin <= WIRE_HEADER_SIZE + WIRE_CONTROL_MAX)
        buf_add(&out, bytes, sizeof bytes);
    tap_is_int(wire_end(&out, begin), ERROR_LIMIT, "but not without an end");
    buf_close(&out);
    struct buf small = { .max_bytes = 20 };
    wire_end(&small, wire_begin(&small, WIRE_STOP));
    begin = wire_begin(&small, WIRE_PING);
    wire_put_u64(&small, 1);
    tap_is_int(wire_end(&small, begin), ERROR_LIMIT, "a frame that the buffer cut is refused");
    tap_ok(small.length == WIRE_HEADER_SIZE && !small.overflowed, "and removed");
    buf_close(&small);
}

static struct wire_reader reader(const void *bytes, size_t n)
{
    return (struct wire_reader){ .at = bytes, .end = (const unsigned char *)bytes + n };
}

static void test_hostile_fields(void)
{
    struct arena arena = { 0 };
    static const unsigned char lying[] = { 0xFE, 0xFF, 0xFF, 0xFF, 'a' }, with_nul[] = { 3, 0, 0, 0, 'a', 0, 'b' };
    static const unsigned char three[] = { 3, 0, 0, 0, 'a', 'b', 'c' };
    struct wire_reader r = reader(lying, sizeof lying);
    tap_ok(!wire_text(&r, &arena, SIZE_MAX) && r.failed, "a text that claims more than is there");
    tap_ok(wire_u8(&r) == 0 && wire_u64(&r) == 0 && !wire_text(&r, &arena, 9), "after an error nothing is read");
    r = reader(with_nul, sizeof with_nul);
    tap_ok(!wire_text(&r, &arena, 10) && r.failed, "a text with a NUL");
    r = reader(three, sizeof three);
    tap_ok(!wire_text(&r, &arena, 2) && r.failed, "a text over its bound");
    r = reader(three, 3);
    tap_ok(!wire_text(&r, &arena, 2) && r.failed, "half a length");
    static const unsigned char count[12] = { 2, 0, 0, 0 };
    r = reader(count, sizeof count);
    tap_ok(wire_count(&r, 2, 4) == 2 && !r.failed, "a count with enough bytes behind it");
    r = reader(count, sizeof count);
    tap_ok(wire_count(&r, 1, 4) == 0 && r.failed, "a count over its bound");
    r = reader(count, sizeof count);
    tap_ok(wire_count(&r, 2, 5) == 0 && r.failed, "a count with too few bytes behind it");
    tap_is_int(arena.used_bytes, 0, "nothing was allocated for any of them");
    arena_close(&arena);
}

/* ---- channel */

static void test_channel(void)
{
    int pair[2];
    tap_is_int(spawn_pair(pair), 0, "a pair of sockets");
    struct channel a = { .fd = pair[0] }, b = { .fd = pair[1] };
    struct buf out = { 0 };
    struct wire_frame frame;
    for (uint64_t i = 1; i <= 3; i++) {
        size_t begin = wire_begin(&out, WIRE_PING);
        wire_put_u64(&out, i);
        wire_end(&out, begin);
    }
    tap_is_int(channel_write(&a, &out, -1), 0, "three frames written");
    tap_is_int(out.length, 0, "the buffer is empty");
    for (uint64_t i = 1; i <= 3; i++) {
        bool good = channel_read(&b, &frame, -1) == 1 && wire_u64(&frame.payload) == i;
        tap_ok(good && wire_done(&frame.payload) == 0, "frame %d", (int)i);
    }
    int64_t before = clock_now_ms();
    tap_is_int(channel_read(&b, &frame, before + 30), -ETIMEDOUT, "the deadline");
    tap_ok(clock_now_ms() >= before + 29, "is waited for");
    tap_is_int(channel_read(&b, &frame, before), -ETIMEDOUT, "a deadline that has passed");
    char half[] = { 8, 0, 0 };
    tap_is_int(write(a.fd, half, sizeof half), sizeof half, "half a header");
    tap_is_int(channel_read(&b, &frame, clock_now_ms() + 10), -ETIMEDOUT, "is not yet a frame");
    channel_close(&a);
    tap_is_int(a.fd, -1, "closed");
    tap_is_int(channel_read(&b, &frame, -1), ERROR_PROTOCOL, "an end inside a frame");
    buf_text(&out, "xyz");
    tap_is_int(channel_write(&b, &out, -1), -EPIPE, "writing to nobody gives no signal");
    channel_close(&b);
    buf_close(&out);
}

static void test_channel_pipe(void)
{
    int ends[2];
    struct wire_frame frame;
    struct buf out = { 0 };
    tap_is_int(pipe(ends), 0, "a pipe");
    struct channel writer = { .fd = ends[1] }, reads = { .fd = ends[0] };
    wire_end(&out, wire_begin(&out, WIRE_STOP));
    tap_is_int(channel_write(&writer, &out, -1), 0, "takes frames too");
    tap_ok(channel_read(&reads, &frame, -1) == 1 && frame.type == WIRE_STOP, "and gives them back");
    channel_close(&writer);
    channel_close(&reads);
    buf_close(&out);
}

static void test_channel_end(void)
{
    int pair[2];
    struct wire_frame frame;
    spawn_pair(pair);
    struct channel b = { .fd = pair[1] };
    close(pair[0]);
    tap_is_int(channel_read(&b, &frame, -1), 0, "an end between frames");
    channel_close(&b);
    spawn_pair(pair);
    b = (struct channel){ .fd = pair[1] };
    tap_is_int(write(pair[0], "GET / HTTP/1.1\r\n", 16), 16, "another protocol");
    tap_is_int(channel_read(&b, &frame, -1), ERROR_PROTOCOL, "is refused");
    channel_close(&b);
    close(pair[0]);
}

static void *read_slowly(void *channel)
{
    struct wire_frame frame;
    static unsigned long sum;
    int code;
    while ((code = channel_read(channel, &frame, -1)) == 1) {
        while (frame.payload.at < frame.payload.end)
            sum += *frame.payload.at++;
    }
    return code == 0 ? &sum : NULL;
}

/* Larger than any socket buffer: the writer must wait for the reader. */
static void test_channel_large(void)
{
    int pair[2];
    spawn_pair(pair);
    struct channel a = { .fd = pair[0] }, b = { .fd = pair[1] };
    struct buf out = { 0 };
    unsigned long want = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, read_slowly, &b);
    for (int i = 0; i < 3; i++) {
        size_t begin = wire_begin(&out, WIRE_CONTROL);
        for (size_t j = 0; j < WIRE_FRAME_MAX; j++) {
            buf_char(&out, (char)(j % 100));
            want += j % 100;
        }
        wire_end(&out, begin);
    }
    tap_is_int(channel_write(&a, &out, -1), 0, "three of the largest frames written");
    channel_close(&a);
    void *sum = NULL;
    pthread_join(thread, &sum);
    tap_ok(sum && *(unsigned long *)sum == want, "and read");
    channel_close(&b);
    spawn_pair(pair);
    a = (struct channel){ .fd = pair[0] };
    buf_reset(&out);
    memset(buf_room(&out, 8u << 20), 0, 8u << 20);
    out.length = 8u << 20;
    tap_is_int(channel_write(&a, &out, clock_now_ms() + 20), -ETIMEDOUT, "a reader that does not read");
    channel_close(&a);
    close(pair[1]);
    buf_close(&out);
}

static void test_connect(void)
{
    char path[64];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(path, sizeof path, "/tmp/belfry-test-wire-%d.sock", (int)getpid());
    unlink(path);
    tap_is_int(channel_connect(path), -ENOENT, "nobody listens");
    memcpy(address.sun_path, path, strlen(path) + 1);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    tap_is_int(channel_connect(path), -ECONNREFUSED, "a socket that nobody serves");
    listen(listener, 1);
    int fd = channel_connect(path);
    tap_ok(fd >= 0, "connected");
    close(fd);
    close(listener);
    unlink(path);
    char wide[200];
    memset(wide, 'a', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    tap_is_int(channel_connect(wide), -ENAMETOOLONG, "a path that no socket can have");
}

int main(void)
{
    test_layout();
    test_header();
    test_too_large();
    test_hostile_fields();
    test_channel();
    test_channel_pipe();
    test_channel_end();
    test_channel_large();
    test_connect();
    return tap_done();
}
