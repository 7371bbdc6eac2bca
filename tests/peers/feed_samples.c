/* SPDX-License-Identifier: GPL-3.0-or-later */
/* feed_samples RECORDER FOLDER [OPTION VALUE]... - plays the keeper for belfry-recorder: starts it with these options,
 * sends it what stands on stdin, prints what it reports, and ends with its exit status. A line is one of
 *
 *     series SLOT CHECK PART STEP METRIC...     PART "-": of the check as a whole; METRIC: NAME,UNIT[,KIND[,WAS]]
 *     SLOT SECONDS VALUE...                     a value is a number, or U
 *
 * KIND is gauge, counter, or learnt: a gauge whose baseline is wanted.
 * Archives are the default ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/base/text.h"
#include "tests/peers/keeper_of_recorder.h"

#define SOURCES_MAX 16
#define ARGS_MAX 16
#define BATCH_BYTES 65536

static struct series_archive archives[] = {
    { 0, 2 * 86400 }, { 300, 14 * 86400 }, { 1800, 61 * 86400 }, { 21600, 2 * 365 * 86400 }
};

/* The next word of the line; ends the program when there is none. */
static const char *take_word(char **line)
{
    const char *word;
    while ((word = strsep(line, " \n")) != NULL && *word == '\0')
        ;
    if (word == NULL) {
        fputs("feed_samples: a word is missing\n", stderr);
        exit(2);
    }
    return word;
}

static int64_t take_integer(char **line)
{
    int64_t value = 0;
    if (text_integer(take_word(line), &value) != 0) {
        fputs("feed_samples: not a number\n", stderr);
        exit(2);
    }
    return value;
}

static bool has_more(const char *line)
{
    return line && line[strspn(line, " \n")] != '\0';
}

static struct series_source read_source(char *word)
{
    struct series_source source = { .metric = strsep(&word, ","), .min = NAN, .max = NAN, .unit = "" };
    const char *kind;
    if (word)
        source.unit = strsep(&word, ",");
    kind = word ? strsep(&word, ",") : "gauge";
    source.kind = strcmp(kind, "counter") == 0 ? BELFRY_COUNTER : BELFRY_GAUGE;
    source.baseline = strcmp(kind, "learnt") == 0;
    source.was = word;
    return source;
}

static void put_series(struct buf *out, char *line)
{
    struct series_source sources[SOURCES_MAX];
    int64_t slot = take_integer(&line);
    const char *check = take_word(&line), *part = take_word(&line);
    uint32_t step_s = (uint32_t)take_integer(&line);
    struct series series = { .check = check,
                             .part = strcmp(part, "-") == 0 ? NULL : part,
                             .step_s = step_s,
                             .heartbeat_s = step_s * 5 / 2,
                             .sources = sources,
                             .archives = archives,
                             .archive_count = sizeof archives / sizeof *archives };
    archives[0].point_s = step_s;
    while (has_more(line) && series.source_count < SOURCES_MAX)
        sources[series.source_count++] = read_source((char *)(uintptr_t)take_word(&line));
    keeper_put_series(out, (uint32_t)slot, &series);
}

static void put_sample(struct buf *out, char *line)
{
    double values[SOURCES_MAX];
    uint16_t count = 0;
    int64_t slot = take_integer(&line), at_s = take_integer(&line);
    for (; has_more(line) && count < SOURCES_MAX; count++)
        if (text_number(take_word(&line), &values[count]) != 0)
            values[count] = NAN;
    keeper_put_sample(out, (uint32_t)slot, at_s, values, count);
}

static int send_all(struct keeper_peer *keeper)
{
    static const char series[] = "series ";
    struct buf out = { 0 };
    char *line = NULL;
    size_t size = 0;
    int code = 0;
    while (code == 0 && getline(&line, &size, stdin) > 0) {
        if (strncmp(line, series, sizeof series - 1) == 0)
            put_series(&out, line + sizeof series - 1);
        else
            put_sample(&out, line);
        if (out.length > BATCH_BYTES)
            code = keeper_send(keeper, &out);
    }
    if (code == 0)
        code = keeper_send(keeper, &out);
    buf_close(&out);
    free(line);
    return code;
}

int main(int argc, char **argv)
{
    const char *args[ARGS_MAX] = { argv[1], "--rrd", argv[2] };
    struct keeper_peer keeper;
    if (argc < 3 || argc > ARGS_MAX - 2)
        return 2;
    for (int i = 3; i < argc; i++)
        args[i] = argv[i];
    if (!keeper_start(&keeper, args, STDERR_FILENO, false))
        return 2;
    bool good = send_all(&keeper) == 0;
    int status = keeper_end_printing(&keeper);
    return good && status >= 0 ? status : 1;
}
