/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_control - the control socket: a client connects, sends the bytes and goes. By the first byte: 'b' the rest is
 * sent as it is; otherwise each line of it is a request and is put into a frame. Every answer is a frame with one JSON
 * object that says whether it is "ok", and another client is answered afterwards. */
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/channel.h"
#include "core/base/clock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/stage.h"

static void compose(struct buf *out, const uint8_t *bytes, size_t n)
{
    char *text = fuzz_text(bytes, n), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        size_t begin = wire_begin(out, WIRE_CONTROL);
        wire_put_text(out, line);
        wire_end(out, begin);
    }
    free(text);
}

static void check_answer(struct wire_frame *frame)
{
    struct arena arena = { 0 };
    fuzz_must(frame->type == WIRE_CONTROL, "an answer is a control frame");
    const char *text = wire_text(&frame->payload, &arena, WIRE_CONTROL_MAX);
    fuzz_must(text && wire_done(&frame->payload) == 0, "an answer is one text");
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    fuzz_must(json_is_boolean(json_object_get(json, "ok")), "an answer is an object that says whether it is ok");
    json_decref(json);
    arena_close(&arena);
}

/* Sends and reads while the keeper's loop turns so often, or until so many answers have come. */
static unsigned talk(struct keeper *keeper, const struct buf *bytes, unsigned turns, unsigned wanted)
{
    struct channel client = { .fd = channel_connect(keeper->config->control_socket) };
    struct wire_frame frame;
    unsigned answers = 0;
    size_t sent = 0;
    fuzz_must(client.fd >= 0, "a client can connect");
    while (turns-- > 0 && answers < wanted) {
        size_t left = bytes->length - sent;
        ssize_t done = left > 0 ? send(client.fd, bytes->data + sent, left, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        sent += done > 0 ? (size_t)done : 0;
        stage_turn(keeper, 1);
        int64_t until_ms = wanted == 1 ? clock_now_ms() + 2 : 0; /* the journal's thread may still have to write */
        while (channel_read(&client, &frame, until_ms) == 1) {
            check_answer(&frame);
            answers++;
        }
    }
    channel_close(&client);
    stage_turn(keeper, 2);
    return answers;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char question[] = "{\"verb\":\"breaker\",\"action\":\"list\"}";
    struct keeper *keeper = stage_keeper();
    struct buf out = { 0 };
    if (n < 1)
        return 0;
    if (bytes[0] == 'b')
        buf_add(&out, bytes + 1, n - 1);
    else
        compose(&out, bytes + 1, n - 1);
    talk(keeper, &out, 6 + (unsigned)(out.length / 65536), UINT32_MAX);
    buf_reset(&out);
    compose(&out, (const uint8_t *)question, sizeof question - 1);
    fuzz_must(talk(keeper, &out, 5000, 1) == 1, "the next client is answered");
    buf_close(&out);
    return 0;
}
