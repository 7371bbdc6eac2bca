/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_perfdata - what a Nagios plugin prints, read by the exec plugin in a real run: the first byte says whether its
 * ranges are thresholds, the rest is the output. The result keeps every bound that the wire has, can be judged, and
 * what is printed of it as performance data is read again with the same values. */
#include <math.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/model/verdict.h"
#include "core/worker/run.h"
#include "plugins/exec/exec.h"
#include "tests/fuzz/fuzz.h"

static const char *output;
static bool judged;

static void run_plugin(struct belfry_probe *p)
{
    struct exec_text text;
    exec_split(p, output, &text);
    fuzz_must(text.first != NULL && text.metrics != NULL, "there is always a first line");
    belfry_ok(p, "%s", text.first);
    if (text.rest)
        belfry_detail(p, "%s", text.rest);
    exec_measure(p, text.metrics, judged);
}

static const struct belfry_option options[] = { BELFRY_END };
static const struct belfry_metric metrics[] = { BELFRY_END };
static const struct belfry_plugin descriptor = { .magic = BELFRY_MAGIC,
                                                 .size = sizeof descriptor,
                                                 .abi = BELFRY_ABI,
                                                 .option_size = sizeof options[0],
                                                 .metric_size = sizeof metrics[0],
                                                 .name = "fuzz",
                                                 .version = "1",
                                                 .summary = "For tests",
                                                 .options = options,
                                                 .metrics = metrics,
                                                 .run = run_plugin };
static struct loaded_plugin plugin = { .plugin = &descriptor };

static void no_log(struct run *run, int level, const char *line)
{
    (void)run;
    (void)level;
    (void)line;
}

static const struct run_host host = { .wait = run_wait_poll, .log = no_log };

static void execute(struct run *run, struct arena *arena, const char *text)
{
    static const struct values none;
    const struct run_order order = { .plugin = &plugin,
                                     .values = &none,
                                     .id = "fuzz",
                                     .arena = arena,
                                     .host = &host,
                                     .start_ns = clock_now_ns(),
                                     .deadline_ns = INT64_MAX };
    output = text;
    run_begin(run, &order);
    run_execute(run);
}

/* The result as it arrives at the keeper. */
static void over_the_wire(const struct result *given, struct arena *arena, struct result *out)
{
    struct buf bytes = { 0 };
    result_encode(&bytes, given);
    struct wire_reader r = { .at = (const unsigned char *)bytes.data,
                             .end = (const unsigned char *)bytes.data + bytes.length };
    fuzz_must(result_decode(&r, arena, out) == 0 && wire_done(&r) == 0, "the keeper takes the result");
    buf_close(&bytes);
}

static void print(const struct result *result, struct arena *arena, struct buf *out)
{
    struct verdict verdict;
    verdict_judge(arena, result, NULL, 0, &verdict);
    verdict_nagios(out, "fuzz", &verdict, result);
}

static bool same_values(const struct result *a, const struct result *b)
{
    if (a->metric_count != b->metric_count)
        return false;
    for (uint32_t i = 0; i < a->metric_count; i++) {
        double one = a->metrics[i].value, two = b->metrics[i].value;
        if (!(isnan(one) && isnan(two)) && one != two)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct run first = { 0 }, second = { 0 };
    struct arena arena = { 0 };
    struct result result, again, third;
    struct buf line = { 0 }, twice = { 0 };
    if (n < 1 || n > EXEC_OUTPUT_MAX)
        return 0;
    char *text = fuzz_text(bytes + 1, n - 1);
    judged = bytes[0] & 1;
    execute(&first, &arena, text);
    over_the_wire(&first.result, &arena, &result);
    print(&result, &arena, &line);
    if (result.end == RESULT_RETURNED && !result.truncated) {
        execute(&second, &arena, line.data);
        over_the_wire(&second.result, &arena, &again);
        print(&again, &arena, &twice);
        execute(&second, &arena, twice.data);
        over_the_wire(&second.result, &arena, &third);
        fuzz_must(same_values(&again, &third), "what is printed is read as it was printed");
    }
    run_close(&first);
    run_close(&second);
    buf_close(&line);
    buf_close(&twice);
    arena_close(&arena);
    free(text);
    return 0;
}
