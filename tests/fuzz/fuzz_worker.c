/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_worker - what a worker does with the frames of a keeper: the bytes are what the keeper sent. The plugin asks for
 * all it can. Every answer is a frame that the keeper takes, and there is one for each run that was asked for. */
#include "core/worker/serve.c"

#include <inttypes.h>

#include "core/model/ledger.h"
#include "tests/fuzz/fuzz.h"

static const struct belfry_option options[] = { { "host", BELFRY_HOST, "A host", .fallback = "127.0.0.1" },
                                                { "port", BELFRY_PORT, "A port", .required = true },
                                                { "names", BELFRY_TEXT, "A list", .list = true },
                                                { "pairs", BELFRY_TEXT, "A map", .map = true },
                                                { "every", BELFRY_DURATION, "A duration", .fallback = "1s" },
                                                { "limit", BELFRY_RANGE, "A range", .fallback = NULL },
                                                { "password", BELFRY_TEXT, "A secret", .secret = true },
                                                BELFRY_END };
static const struct belfry_metric metrics[] = { { "value", "B", "A value", .warn = "10" }, BELFRY_END };

static void run_plugin(struct belfry_probe *p)
{
    double rate;
    const char *last = belfry_kept(p, "last");
    for (size_t i = 0; i < belfry_count(p, "names"); i++)
        belfry_measure_part(p, belfry_item(p, "names", i), "value", (double)i);
    for (size_t i = 0; i < belfry_count(p, "pairs"); i++)
        belfry_keep(p, belfry_key(p, "pairs", i), belfry_item(p, "pairs", i));
    belfry_rate(p, "count", 17, &rate);
    belfry_measure(p, "value", (double)belfry_integer(p, "port"));
    belfry_ok(p, "%s %s", belfry_text(p, "host"), last ? last : "");
}

static const struct belfry_plugin descriptor = { .magic = BELFRY_MAGIC,
                                                 .size = sizeof descriptor,
                                                 .abi = BELFRY_ABI,
                                                 .option_size = sizeof options[0],
                                                 .metric_size = sizeof metrics[0],
                                                 .view_size = sizeof(struct belfry_view),
                                                 .name = "fuzz",
                                                 .version = "1",
                                                 .summary = "For tests",
                                                 .options = options,
                                                 .metrics = metrics,
                                                 .run = run_plugin };
static struct loaded_plugin plugin = { .plugin = &descriptor };
static struct ledger ledger;
static struct book book = { .ledger = &ledger };
static int keeper_fd;

static void set_up(void)
{
    int pair[2];
    struct why why;
    plugin_info_make(&plugin.arena, &descriptor, &plugin.info, &why);
    fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0, "there are sockets");
    keeper_fd = fcntl(pair[0], F_DUPFD_CLOEXEC, 100);
    fuzz_must(keeper_fd >= 0 && (pair[1] == FRAMES_FD || dup2(pair[1], FRAMES_FD) == FRAMES_FD),
              "there are descriptors");
    if (pair[0] != FRAMES_FD)
        close(pair[0]);
    book.process = getpid();
}

/* As the keeper does; returns the number of results. */
static unsigned take_answers(struct buf *answers)
{
    struct wire_frame frame;
    struct arena arena = { 0 };
    struct result result;
    unsigned results = 0;
    size_t at = 0;
    int size;
    while ((size = wire_next(answers->data + at, answers->length - at, &frame)) > 0) {
        if (frame.type == WIRE_RESULT) {
            wire_u64(&frame.payload);
            wire_u32(&frame.payload);
            fuzz_must(result_decode(&frame.payload, &arena, &result) == 0 && wire_done(&frame.payload) == 0,
                      "the keeper takes every result");
            results++;
        }
        at += (size_t)size;
    }
    fuzz_must(size == 0 && at == answers->length, "what a worker sends are whole frames");
    arena_close(&arena);
    return results;
}

static void receive(struct buf *answers)
{
    for (;;) {
        char *room = buf_room(answers, 65536);
        ssize_t n = room ? recv(keeper_fd, room, 65536, MSG_DONTWAIT) : -1;
        if (n <= 0)
            return;
        answers->length += (size_t)n;
    }
}

/* Well-formed frames at the beginning, up to the first that a worker refuses, ask for so many runs. */
static unsigned count_asked(const uint8_t *bytes, size_t n)
{
    struct wire_frame frame;
    unsigned asked = 0;
    int size;
    for (size_t at = 0; (size = wire_next(bytes + at, n - at, &frame)) > 0; at += (size_t)size)
        asked += frame.type == WIRE_RUN;
    return asked;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!keeper_fd)
        set_up();
    struct buf answers = { 0 };
    struct worker w = { .setup = { .plugin = &plugin, .book = &book, .concurrency = 4 }, .epoll_fd = -1 };
    w.resolver = resolver_new();
    w.out.max_bytes = OUT_MAX_BYTES;
    w.in.max_bytes = WIRE_FRAME_MAX + WIRE_HEADER_SIZE + READ_BYTES;
    job_queue_open(&w.waiting);
    fuzz_must(open_worker(&w) == 0, "a worker can be made");
    buf_add(&w.in, bytes, n);
    int rc = take_frames(&w);
    for (unsigned turns = 0; w.running > 0 || w.waiting.first; turns++) {
        fuzz_must(turns < 10000, "runs come to their end");
        sched_turn(w.sched);
        start_waiting(&w);
    }
    while (w.out.length > 0) {
        fuzz_must(flush(&w) == 0, "answers can be sent");
        receive(&answers);
    }
    receive(&answers);
    unsigned results = take_answers(&answers), asked = count_asked(bytes, n);
    fuzz_must(rc < 0 ? results <= asked : results == asked, "there is one result for each run that was asked for");
    close_worker(&w);
    buf_close(&answers);
    return 0;
}
