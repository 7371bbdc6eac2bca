/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_journal - reader, verify and recovery of the journal.
 *
 * The input is a letter and the text of a journal's segments, with a form feed between one segment and the next; a
 * segment is named after the number in its first line. By the letter:
 *     r   the bytes are taken as they are
 *     h   lines that are long enough get the hash that their bytes give (no fuzzer finds one)
 *     c   and the "prev" and "end" that make them a chain
 *
 * What must hold: verify can always be asked; recovery loses no finished line and makes no new fault; what is appended
 * behind it is there afterwards; a second recovery finds nothing to do; what is read from a line as an event is written
 * as that event. */
#include <string.h>
#include <sys/stat.h>

#include "core/base/digest.h"
#include "core/journal/journal.h"
#include "core/journal/key.h"
#include "core/journal/record.h"
#include "core/journal/segment.h"
#include "core/model/event.h"
#include "tests/fuzz/fuzz.h"

#define SEGMENTS_MAX 16

struct piece {
    char name[SEGMENT_NAME_SIZE];
    size_t finished; /* bytes up to the last newline */
    char *bytes;
};

struct pieces {
    struct piece list[SEGMENTS_MAX];
    unsigned count;
    char prev[DIGEST_HEX_SIZE];
};

static const char *folder(void)
{
    static char path[300];
    if (!path[0])
        snprintf(path, sizeof path, "%s", fuzz_path("journal"));
    mkdir(path, 0700);
    return path;
}

static char *file(const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    return path;
}

/* ---- making the journal ---------------------------------------------------------------------------------------- */

/* Writes the hash in force over what follows the first place of the mark in the line. */
static void put_hash(char *line, size_t n, const char *mark, const char *hash)
{
    size_t length = strlen(mark);
    char *at = n > length + 64 ? memmem(line, n - length - 64, mark, length) : NULL;
    if (at)
        memcpy(at + length, hash, 64);
}

static void mend_line(struct pieces *pieces, char letter, char *line, size_t n)
{
    if (n < RECORD_TAIL_SIZE + 1)
        return;
    if (letter == 'c') {
        put_hash(line, n - RECORD_TAIL_SIZE, "\"prev\":\"", pieces->prev);
        put_hash(line, n - RECORD_TAIL_SIZE, "\"end\":\"", pieces->prev);
    }
    unsigned char digest[DIGEST_SIZE];
    char hash[DIGEST_HEX_SIZE];
    digest_sha256(line, n - RECORD_TAIL_SIZE, digest);
    digest_hex(digest, hash);
    memcpy(line + n - 66, hash, 64);
    memcpy(pieces->prev, hash, sizeof hash);
}

static uint64_t first_seq(const char *bytes, size_t n, unsigned turn)
{
    static const char before[] = "{\"seq\":";
    uint64_t seq = 0;
    size_t at = sizeof before - 1;
    if (n > at && memcmp(bytes, before, at) == 0)
        for (; at < n && bytes[at] >= '0' && bytes[at] <= '9' && seq < UINT64_C(10000000000000000); at++)
            seq = seq * 10 + (uint64_t)(bytes[at] - '0');
    return seq > 0 ? seq : 1000 * (uint64_t)turn + 1;
}

static void make_segment(struct pieces *pieces, char letter, const char *bytes, size_t n)
{
    struct piece *piece = &pieces->list[pieces->count++];
    segment_name(piece->name, first_seq(bytes, n, pieces->count));
    piece->bytes = malloc(n + 1);
    fuzz_must(piece->bytes != NULL, "there is memory");
    memcpy(piece->bytes, bytes, n);
    piece->finished = 0;
    for (char *newline; (newline = memchr(piece->bytes + piece->finished, '\n', n - piece->finished)) != NULL;) {
        size_t length = (size_t)(newline - piece->bytes) - piece->finished;
        if (letter != 'r')
            mend_line(pieces, letter, piece->bytes + piece->finished, length);
        piece->finished += length + 1;
    }
    fuzz_write(file(piece->name), piece->bytes, n);
}

/* ---- what must hold -------------------------------------------------------------------------------------------- */

static int visit(void *context, const struct journal_record *record)
{
    unsigned *count = context;
    struct arena arena = { 0 };
    struct event event;
    (*count)++;
    fuzz_must(strlen(record->type) < RECORD_TYPE_SIZE && record->length <= JOURNAL_RECORD_MAX,
              "a record has its bounds");
    if (event_decode(&arena, record->line, record->length, &event) == 0) {
        struct buf members = { 0 };
        event_encode(&members, &event);
        fuzz_must(strcmp(event_name(event.type), record->type) == 0, "an event has the type of its record");
        buf_close(&members);
    }
    arena_close(&arena);
    return 0;
}

static void verify(struct journal_report *report)
{
    struct key key = { .epoch = 0 };
    const struct journal_anchor anchor = { .seq = 2, .hash = RECORD_NO_HASH };
    const struct journal_proof proof = { .keys = &key, .key_count = 1, .anchors = &anchor, .anchor_count = 1 };
    struct journal_report sealed;
    struct why why = { "" };
    fuzz_must(journal_verify(folder(), NULL, report, &why) == 0 || why.text[0], "verify reads it or says why not");
    journal_verify(folder(), &proof, &sealed, &why);
}

static void query(void)
{
    const struct journal_filter filters[] = {
        { .last = 3 }, { .type = "check." }, { .subject = "shop/web" }, { .text = "HARD", .since_ms = 1000 }
    };
    struct why why = { "" };
    unsigned count = 0;
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        journal_query(folder(), &filters[i], visit, &count, &why);
}

static void must_be_there(const struct pieces *pieces)
{
    for (unsigned i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->list[i];
        size_t n = 0;
        if (piece->finished == 0)
            continue;
        char *bytes = fuzz_read(file(piece->name), &n);
        fuzz_must(bytes && n >= piece->finished && memcmp(bytes, piece->bytes, piece->finished) == 0,
                  "recovery leaves every finished line as it was");
        free(bytes);
    }
}

/* Whether it could be opened. */
static bool recover(struct journal_recovery *recovery, uint64_t *appended)
{
    const struct journal_options options = { .folder = folder(), .segment_bytes = 4096 };
    struct journal *journal = NULL;
    struct why why = { "" };
    unsigned count = 0;
    if (journal_open(&options, 0, visit, &count, &journal, recovery, &why) != 0) {
        fuzz_must(why.text[0] != '\0', "a journal that can't be opened says why");
        return false;
    }
    uint64_t before = journal_last(journal);
    *appended = journal_append(journal, 1795257067123, "config.loaded", "fuzz", "\"text\":\"behind\"");
    fuzz_must(*appended > before, "numbers grow");
    fuzz_must(journal_close(&journal) == 0, "what is appended is written");
    return true;
}

static void try_recovery(const struct pieces *pieces)
{
    struct journal_report before, after;
    struct journal_recovery first = { 0 }, second = { 0 };
    uint64_t appended = 0, again = 0;
    verify(&before);
    query();
    if (!recover(&first, &appended)) {
        must_be_there(pieces);
        return;
    }
    must_be_there(pieces);
    verify(&after);
    fuzz_must(after.last_seq == appended, "the appended record is the last");
    fuzz_must(before.fault_count > 0 || after.fault_count == 0, "recovery makes no fault");
    fuzz_must(before.fault_count == 0 || after.fault_count > 0, "recovery hides no fault");
    fuzz_must(!after.torn_tail || first.damage[0], "recovery leaves no torn tail where nothing else is at fault");
    fuzz_must(recover(&second, &again) && !second.cut && again > appended, "a second recovery has nothing to cut");
    must_be_there(pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct pieces pieces = { .prev = RECORD_NO_HASH };
    if (n < 1 || n > 100000)
        return 0;
    char letter = (char)bytes[0];
    const char *at = (const char *)bytes + 1, *end = (const char *)bytes + n;
    fuzz_empty(folder());
    while (at <= end && pieces.count < SEGMENTS_MAX) {
        const char *feed = memchr(at, '\f', (size_t)(end - at));
        make_segment(&pieces, letter, at, (size_t)((feed ? feed : end) - at));
        if (!feed)
            break;
        at = feed + 1;
    }
    /* two pieces of one name: the later one is the file */
    for (unsigned i = 0; i < pieces.count; i++)
        for (unsigned k = i + 1; k < pieces.count; k++)
            if (strcmp(pieces.list[i].name, pieces.list[k].name) == 0)
                pieces.list[i].finished = 0;
    try_recovery(&pieces);
    for (unsigned i = 0; i < pieces.count; i++)
        free(pieces.list[i].bytes);
    return 0;
}
