/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_index - the reader of a segment's index, and questions that are led by it.
 *
 * The journal is always the same: a compressed segment of some blocks, and the one behind it. By the first byte of the
 * input: 'r' the rest is the file NUMBER.idx; 'h' it is what stands between the segment's mark and the checksum, both
 * of which are made to hold (no fuzzer finds them).
 *
 * What must hold: every record that a question is answered with is one that it asks for, and comes once, in its order;
 * an index that is not believed changes no answer. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/journal/index.h"
#include "core/journal/journal.h"
#include "core/journal/segment.h"
#include "core/journal/tend.h"
#include "tests/fuzz/fuzz.h"

#define RECORDS 300u
#define SEGMENT "00000000000000000001.jsonl"
#define HEAD_SIZE 40u /* magic and mark */

struct seen {
    const char *must; /* stands in each line */
    uint64_t last_seq, count;
};

static char folder[300];
static int folder_fd;
static char head[HEAD_SIZE];

static const struct {
    struct journal_filter filter;
    const char *must;
} questions[] = {
    { { .subject = "shop/web" }, "\"check\":\"shop/web" },
    { { .type = "breaker." }, "\"type\":\"breaker." },
    { { .type = "check.state", .subject = "rare" }, "\"check\":\"rare/one\"" },
    { { .subject = "shop", .last = 3 }, "\"check\":\"shop/" },
    { { .first_seq = 100, .last_seq = 140 }, "\"seq\":1" },
};

static void make_journal(void)
{
    const struct journal_options options = { .folder = folder, .segment_bytes = 64u << 10 };
    struct journal_recovery recovery;
    struct journal *journal;
    struct why why;
    size_t n = 0;
    snprintf(folder, sizeof folder, "%s", fuzz_path("journal"));
    fuzz_must(journal_open(&options, 0, NULL, NULL, &journal, &recovery, &why) == 0, "a journal can be made");
    for (unsigned i = 0; i < RECORDS; i++)
        journal_append(journal, 1795257067123 + i, i % 7 ? "check.state" : "breaker.open", "fuzz",
                       i == 77 ? "\"check\":\"rare/one\""
                       : i % 3 ? "\"check\":\"shop/web\""
                               : "\"check\":\"shop/db@a\"");
    journal_close(&journal);
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct tend *tend = tend_open(&disk_system, folder_fd);
    while (tend_step(tend))
        ;
    tend_close(&tend);
    char path[400];
    snprintf(path, sizeof path, "%s/00000000000000000001.idx", folder);
    char *bytes = fuzz_read(path, &n);
    fuzz_must(bytes && n > HEAD_SIZE, "it is indexed");
    memcpy(head, bytes, HEAD_SIZE);
    free(bytes);
}

static int visit(void *context, const struct journal_record *record)
{
    struct seen *seen = context;
    fuzz_must(strstr(record->line, seen->must) != NULL, "only what is asked for is shown");
    fuzz_must(record->seq > seen->last_seq && record->seq <= RECORDS + 9, "each record comes once, in its order");
    seen->last_seq = record->seq;
    seen->count++;
    return 0;
}

static uint64_t ask(size_t i)
{
    struct seen seen = { .must = questions[i].must };
    struct why why;
    fuzz_must(journal_query(folder, &questions[i].filter, visit, &seen, &why) == 0, "the journal can be read");
    return seen.count;
}

static void write_index(const uint8_t *bytes, size_t n)
{
    struct buf file = { 0 };
    unsigned char digest[DIGEST_SIZE];
    char path[400];
    if (bytes[0] == 'h')
        buf_add(&file, head, HEAD_SIZE);
    buf_add(&file, bytes + 1, n - 1);
    digest_sha256(file.data, file.length, digest);
    if (bytes[0] == 'h')
        buf_add(&file, digest, sizeof digest);
    snprintf(path, sizeof path, "%s/00000000000000000001.idx", folder);
    fuzz_write(path, file.data ? file.data : "", file.length);
    buf_close(&file);
}

static bool is_believed(void)
{
    struct pack_reader *packed = NULL;
    struct index index;
    int fd = openat(folder_fd, SEGMENT ".gz", O_RDONLY | O_CLOEXEC);
    fuzz_must(pack_open(&packed, fd) == 0, "the segment is there");
    bool believed = index_read(&index, folder_fd, SEGMENT, packed) == 0;
    if (believed)
        index_close(&index);
    pack_close(&packed);
    return believed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static uint64_t counts[sizeof questions / sizeof questions[0]];
    if (n < 1 || n > 100000)
        return 0;
    if (!folder[0]) {
        make_journal();
        for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
            counts[i] = ask(i);
    }
    write_index(bytes, n);
    bool believed = is_believed();
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        uint64_t count = ask(i);
        fuzz_must(believed || count == counts[i], "what is not believed changes no answer");
    }
    return 0;
}
