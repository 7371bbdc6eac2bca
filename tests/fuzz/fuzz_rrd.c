/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_rrd - the reader of RRD headers and that of legends. By the first byte: 'h' an RRD file, 'l' a legend.
 * A header that is taken is sound: librrd, which believes what it finds in a file, can then describe and fetch it. A
 * legend that is taken is printed and read again, and prints the same. */
#include <rrd.h>
#include <string.h>

#include "core/recorder/header.h"
#include "core/recorder/legend.h"
#include "tests/fuzz/fuzz.h"

#define NOW_S 1795257067 /* 2026-11-21 10:31:07 UTC */

static void try_librrd(const char *path)
{
    time_t start = NOW_S - 3600, end = NOW_S;
    unsigned long step = 0, source_count = 0;
    char **names = NULL;
    rrd_value_t *values = NULL;
    rrd_info_free(rrd_info_r(path));
    if (rrd_fetch_r(path, "AVERAGE", &start, &end, &step, &source_count, &names, &values) == 0) {
        for (unsigned long i = 0; i < source_count; i++)
            rrd_freemem(names[i]);
        rrd_freemem(names);
        rrd_freemem(values);
    }
    rrd_clear_error();
}

static void try_header(const uint8_t *bytes, size_t n)
{
    struct arena arena = { 0 };
    struct header header;
    struct why why = { "" };
    const char *path = fuzz_path("file.rrd");
    fuzz_write(path, bytes, n);
    if (header_read(&arena, path, NOW_S, &header, &why) == 0) {
        uint64_t rows = 0;
        for (uint32_t i = 0; i < header.archive_count; i++)
            rows += header.archives[i].rows;
        fuzz_must(header_file_size(header.source_count, header.archive_count, rows) == n, "the counts give the size");
        try_librrd(path);
    } else {
        fuzz_must(why.text[0] != '\0', "a refusal says why");
    }
    arena_close(&arena);
}

static void try_legend(const uint8_t *bytes, size_t n)
{
    struct arena arena = { 0 };
    struct legend legend, again;
    struct why why = { "" };
    struct buf first = { 0 }, second = { 0 };
    char path[600];
    snprintf(path, sizeof path, "%s", fuzz_path("legend.rrd"));
    fuzz_write(fuzz_path("legend.rrd" LEGEND_SUFFIX), bytes, n);
    if (legend_read(&arena, path, &legend, &why) == 0) {
        legend_print(&first, &legend);
        fuzz_write(fuzz_path("legend.rrd" LEGEND_SUFFIX), first.data, first.length);
        fuzz_must(legend_read(&arena, path, &again, &why) == 0, "what is printed can be read");
        legend_print(&second, &again);
        fuzz_must(strcmp(first.data, second.data) == 0, "what is printed is the same legend");
    }
    buf_close(&first);
    buf_close(&second);
    arena_close(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n > 0 && bytes[0] == 'h')
        try_header(bytes + 1, n - 1);
    else if (n > 0 && bytes[0] == 'l')
        try_legend(bytes + 1, n - 1);
    return 0;
}
