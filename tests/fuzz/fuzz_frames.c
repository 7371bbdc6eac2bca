/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_frames - frames between processes. The bytes are a stream of frames: wire_next() and a channel find the same
 * ones in it, each payload is read by the reader of its type, and what a reader takes it can write and read again. A
 * result that is taken is judged and printed as a Nagios plugin would. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/channel.h"
#include "core/config/catalog.h"
#include "core/model/baseline.h"
#include "core/model/plugin.h"
#include "core/model/result.h"
#include "core/model/series.h"
#include "core/model/task.h"
#include "core/model/verdict.h"
#include "tests/fuzz/fuzz.h"

static struct wire_reader reader_of(const struct buf *buf)
{
    return (struct wire_reader){ .at = (const unsigned char *)buf->data,
                                 .end = (const unsigned char *)buf->data + buf->length };
}

/* what name() reads, writes and reads again, is written the same. */
#define TRY_CODEC(name, type)                                                                                          \
    static bool try_##name(struct wire_reader *r, struct arena *arena, type *out)                                      \
    {                                                                                                                  \
        struct buf first = { 0 }, second = { 0 };                                                                      \
        type again;                                                                                                    \
        if (name##_decode(r, arena, out) != 0 || wire_done(r) != 0)                                                    \
            return false;                                                                                              \
        name##_encode(&first, out);                                                                                    \
        struct wire_reader written = reader_of(&first);                                                                \
        fuzz_must(name##_decode(&written, arena, &again) == 0 && wire_done(&written) == 0,                             \
                  "what was written is read");                                                                         \
        name##_encode(&second, &again);                                                                                \
        fuzz_must(first.length == second.length && memcmp(first.data, second.data, first.length) == 0,                 \
                  "what was read is written again");                                                                   \
        buf_close(&first);                                                                                             \
        buf_close(&second);                                                                                            \
        return true;                                                                                                   \
    }
TRY_CODEC(task, struct task)
TRY_CODEC(kept, struct kept)
TRY_CODEC(plugin_info, struct plugin_info)
TRY_CODEC(result, struct result)
TRY_CODEC(series, struct series)

/* Not so the numbers of hours without samples, which are not written. */
static void try_table(struct wire_reader *r)
{
    struct baseline_table table;
    struct buf out = { 0 };
    const unsigned char *begin = r->at;
    char words[BASELINE_WORDS_SIZE];
    if (baseline_decode(r, &table) != 0)
        return;
    baseline_encode(&out, &table);
    fuzz_must(out.length == (size_t)(r->at - begin) && memcmp(out.data, begin, out.length) == 0,
              "a table that was read is written again");
    for (unsigned i = 0; i < BASELINE_HOURS; i++)
        baseline_words(words, &table.hours[i], "s");
    buf_close(&out);
}

static void judge(struct arena *arena, const struct result *result)
{
    const struct threshold thresholds[] = {
        { .metric = "value", .warn_given = true, .warn = { .range = { .set = true, .start = 0, .end = 5 } } },
        { .metric = "time",
          .part = "a",
          .crit_given = true,
          .crit = { .range = { .set = true, .inside = true, .start = 1, .end = 2 } } },
    };
    struct verdict verdict;
    struct buf line = { 0 };
    verdict_judge(arena, result, thresholds, 2, &verdict);
    verdict_nagios(&line, "fuzz", &verdict, result);
    fuzz_must(verdict.state <= BELFRY_UNKNOWN, "a verdict is a state");
    fuzz_must(line.length > 0 && line.data[line.length - 1] == '\n', "the output ends with a newline");
    const char *bar = strchr(line.data, '|'), *newline = strchr(line.data, '\n');
    fuzz_must(!bar || (bar < newline && !strchr(bar + 1, '|')), "performance data is on the first line only");
    for (size_t i = 0; i < line.length; i++)
        fuzz_must((unsigned char)line.data[i] >= ' ' || line.data[i] == '\n', "the output has no control characters");
    buf_close(&line);
}

/* Each payload is tried by every reader: they are few, and the type in the frame decides nothing else. */
static void try_payload(const struct wire_frame *frame)
{
    struct arena arena = { 0 };
    struct task task;
    struct kept kept;
    struct plugin_info info;
    struct result result;
    struct series series;
    struct wire_reader r = frame->payload;
    try_task(&r, &arena, &task);
    r = frame->payload;
    try_kept(&r, &arena, &kept);
    r = frame->payload;
    try_plugin_info(&r, &arena, &info);
    r = frame->payload;
    try_series(&r, &arena, &series);
    r = frame->payload;
    if (try_result(&r, &arena, &result))
        judge(&arena, &result);
    r = frame->payload;
    try_table(&r);
    struct catalog *catalog = catalog_new();
    struct wire_frame copy = *frame;
    catalog_take(catalog, &copy);
    catalog_finish(catalog);
    catalog_close(&catalog);
    arena_close(&arena);
}

static unsigned count_by_channel(const uint8_t *bytes, size_t n, int *end)
{
    struct channel channel = { .fd = memfd_create("fuzz", MFD_CLOEXEC) };
    struct wire_frame frame;
    unsigned count = 0;
    fuzz_must(write(channel.fd, bytes, n) == (ssize_t)n && lseek(channel.fd, 0, SEEK_SET) == 0,
              "a file can be written");
    while ((*end = channel_read(&channel, &frame, -1)) == 1)
        count++;
    channel_close(&channel);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct wire_frame frame;
    unsigned count = 0;
    size_t at = 0;
    int size, end;
    while ((size = wire_next(bytes + at, n - at, &frame)) > 0) {
        fuzz_must((size_t)size <= n - at, "a frame is not longer than the bytes");
        try_payload(&frame);
        at += (size_t)size;
        count++;
    }
    fuzz_must(count_by_channel(bytes, n, &end) == count, "a channel finds the same frames");
    fuzz_must((end == 0) == (size == 0 && at == n), "a channel ends well between frames only");
    return 0;
}
