/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_link - what a peer had written arrives whole, however it ended: over bytes of ours that it never read, before
 * we wrote to it, in the middle of what we write. The peer is a process that is gone before the loop looks. */
#include "core/keeper/link.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/spawn.h"
#include "tests/tap.h"

#define FRAMES 100u /* more bytes than one read takes, fewer than a socket holds */
#define FRAME_BYTES 1000u

struct stage {
    uv_loop_t loop;
    struct links dirty;
    struct link link;
    int peer; /* the other end, or -1 */
    unsigned frames, close_at, ends;
    const char *why;
    bool closed;
};

static bool on_frame(struct link *link, struct wire_frame *frame)
{
    struct stage *stage = link->owner;
    if (frame->type != WIRE_LOG || wire_u64(&frame->payload) != stage->frames)
        return false;
    stage->frames++;
    if (stage->frames == stage->close_at)
        link_close(link);
    return true;
}

static void on_end(struct link *link, const char *why)
{
    struct stage *stage = link->owner;
    stage->ends++;
    stage->why = why;
    link_close(link);
}

static void on_closed(struct link *link)
{
    struct stage *stage = link->owner;
    stage->closed = true;
}

static void raise_curtain(struct stage *stage)
{
    int pair[2] = { -1, -1 };
    memset(stage, 0, sizeof *stage);
    stage->link.owner = stage;
    stage->link.on_frame = on_frame;
    stage->link.on_end = on_end;
    stage->link.on_closed = on_closed;
    bool good = uv_loop_init(&stage->loop) == 0 && spawn_pair(pair) == 0 &&
                link_open(&stage->link, &stage->loop, &stage->dirty, pair[0]) == 0;
    stage->peer = pair[1];
    tap_ok(good, "a link over a socketpair");
}

static void say(struct stage *stage, size_t bytes)
{
    struct buf *out = &stage->link.out;
    size_t begin = wire_begin(out, WIRE_PING);
    for (size_t i = 0; i < bytes; i += 8)
        wire_put_u64(out, 7);
    wire_end(out, begin);
    link_changed(&stage->link);
    links_flush(&stage->dirty);
}

/* Writes FRAMES frames, and `tail` after them, and is gone. */
static void act(struct stage *stage, const char *tail, size_t length)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct buf out = { 0 };
        for (unsigned i = 0; i < FRAMES; i++) {
            size_t begin = wire_begin(&out, WIRE_LOG);
            wire_put_u64(&out, i);
            for (size_t n = 8; n < FRAME_BYTES; n += 8)
                wire_put_u64(&out, n);
            wire_end(&out, begin);
        }
        buf_add(&out, tail, length);
        _exit(write(stage->peer, out.data, out.length) == (ssize_t)out.length ? 0 : 1);
    }
    int status = -1;
    close(stage->peer);
    tap_ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "the peer wrote its frames and is gone");
}

static void drop_curtain(struct stage *stage)
{
    link_close(&stage->link);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    tap_ok(stage->closed && uv_loop_close(&stage->loop) == 0, "nothing of it is left in the loop");
}

/* Until the link has closed itself, which it does at the end of the peer. */
static void watch(struct stage *stage)
{
    for (int i = 0; i < 100 && !stage->link.closing; i++) {
        links_flush(&stage->dirty);
        uv_run(&stage->loop, UV_RUN_NOWAIT);
    }
}

static void expect_all(struct stage *stage, const char *when)
{
    watch(stage);
    tap_ok(stage->frames == FRAMES, "%s: all of its frames arrive (%u)", when, stage->frames);
    tap_ok(stage->ends == 1 && stage->why == NULL, "and then its end, once, which is no breach (%s)",
           stage->why ? stage->why : "none");
    drop_curtain(stage);
}

static void test_unread(size_t bytes, const char *when)
{
    struct stage stage;
    raise_curtain(&stage);
    say(&stage, bytes);
    act(&stage, "", 0);
    expect_all(&stage, when);
}

static void test_late(const char *when)
{
    struct stage stage;
    raise_curtain(&stage);
    act(&stage, "", 0);
    say(&stage, 8);
    tap_ok(stage.ends == 0 && link_waiting(&stage.link) == 0, "writing to one that is gone is not its end");
    say(&stage, 8);
    tap_is_int(link_waiting(&stage.link), 0, "what is written then is dropped");
    expect_all(&stage, when);
}

static void test_breach(void)
{
    struct stage stage;
    raise_curtain(&stage);
    say(&stage, 8);
    act(&stage, "not a frame", 11);
    watch(&stage);
    tap_is_int(stage.frames, FRAMES, "the frames before what is no frame arrive");
    tap_is_text(stage.why, "protocol violation", "and the breach is told as one");
    drop_curtain(&stage);
}

static void test_handler_closes(void)
{
    struct stage stage;
    raise_curtain(&stage);
    stage.close_at = 3;
    say(&stage, 8);
    act(&stage, "", 0);
    watch(&stage);
    tap_ok(stage.frames == 3 && stage.ends == 0, "a handler that closes the link hears nothing more");
    drop_curtain(&stage);
}

int main(void)
{
    test_unread(8, "it did not read a ping");
    test_unread(4u << 20, "it did not read what the socket could not even take");
    test_late("it was written to when it was gone");
    test_breach();
    test_handler_closes();
    return tap_done();
}
