/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recover - the steps of "RECOVERY" in segment.c: drop a last segment that never got a whole line, read from the
 * segment that holds the first record wanted, then judge the end of the last one: whole, torn or damaged. Nothing is
 * changed on disk before everything was read, apart from step 1. A dry run does all of it but the changes. */
#include "core/journal/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/journal/chain.h"
#include "core/journal/record.h"
#include "core/journal/tomb.h"

#define COPY_SIZE (64u << 10)
#define SAVED_NAMES_MAX 100u

/* One recovery. */
struct recovery {
    const struct recover_request *request;
    struct journal_recovery *report;
    struct why *why;
    struct segment_list list;
    struct chain chain;
    uint64_t visited; /* the greatest number given to visit, or that is not wanted */
    bool dropped;     /* the last segment was empty, and was removed */
    /* of the segment read last */
    uint64_t faults;           /* finished lines at fault */
    bool unfinished;           /* it ends without a newline */
    bool packed;               /* it is compressed: nothing is written behind it */
    uint64_t last_offset, end; /* of the line or rest read last, and the file's length */
};

static int explain(const struct recovery *r, int code, const char *name)
{
    return why_say(r->why, code, "the journal's segment '%s' can't be read or repaired: %s", name, error_text(code));
}

/* ---- the torn tail --------------------------------------------------------------------------------------------- */

/* A new file beside the segment that no earlier recovery has used. */
static int open_saved(const struct recovery *r, const char *segment, uint64_t offset)
{
    const struct journal_disk *disk = r->request->disk;
    char *name = r->report->saved;
    for (unsigned n = 1; n <= SAVED_NAMES_MAX; n++) {
        int end = snprintf(name, sizeof r->report->saved, "%s.torn-%llu", segment, (unsigned long long)offset);
        if (n > 1)
            snprintf(name + end, sizeof r->report->saved - (size_t)end, ".%u", n);
        int fd = disk->open(disk->self, r->request->folder, name, O_WRONLY | O_CREAT | O_EXCL);
        if (fd != -EEXIST)
            return fd;
    }
    return -EEXIST;
}

static int copy_bytes(const struct journal_disk *disk, int from, uint64_t offset, int to)
{
    char bytes[COPY_SIZE];
    for (;;) {
        ssize_t n = pread(from, bytes, sizeof bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        int code = disk_write_all(disk, to, bytes, (size_t)n);
        if (code < 0)
            return code;
        offset += (uint64_t)n;
    }
}

/* Copies what lies behind offset into a file of its own, on disk; its digest goes into the report. */
static int save_tail(struct recovery *r, const char *segment, int from, uint64_t offset)
{
    const struct journal_disk *disk = r->request->disk;
    int to = open_saved(r, segment, offset);
    if (to < 0)
        return to;
    unsigned char digest[DIGEST_SIZE];
    int code = copy_bytes(disk, from, offset, to);
    if (code == 0)
        code = digest_file(from, offset, digest);
    if (code == 0)
        digest_hex(digest, r->report->sha256);
    if (code == 0)
        code = disk->sync(disk->self, to);
    if (code == 0)
        code = disk->sync_folder(disk->self, r->request->folder);
    close(to);
    if (code < 0) /* it will be tried again, perhaps each second */
        disk->remove(disk->self, r->request->folder, r->report->saved);
    return code;
}

static void report_cut(struct recovery *r, const char *segment, uint64_t offset, uint64_t bytes)
{
    r->report->cut = true;
    text_copy(r->report->segment, sizeof r->report->segment, segment);
    r->report->offset = offset;
    r->report->bytes = bytes;
}

static int cut_tail(struct recovery *r, const char *segment)
{
    const struct journal_disk *disk = r->request->disk;
    int fd = disk->open(disk->self, r->request->folder, segment, O_RDWR);
    if (fd < 0)
        return fd;
    int code = save_tail(r, segment, fd, r->last_offset);
    if (code == 0)
        code = disk->truncate(disk->self, fd, r->last_offset);
    if (code == 0)
        code = disk->sync(disk->self, fd);
    close(fd);
    if (code == 0)
        report_cut(r, segment, r->last_offset, r->end - r->last_offset);
    return code;
}

/* ---- a last segment without a line ------------------------------------------------------------------------------ */

/* 1: it has a finished line; 0: it was removed; or a negative code. */
static int drop_empty(struct recovery *r, const char *segment)
{
    const struct journal_disk *disk = r->request->disk;
    struct segment_lines lines;
    struct segment_line line;
    int code = segment_lines_open(&lines, r->request->folder, segment);
    if (code < 0)
        return code;
    code = lines.packed != NULL ? SEGMENT_LINE : segment_lines_next(&lines, &line); /* compressed: it was finished */
    if (code == SEGMENT_REST && !r->request->dry) {
        report_cut(r, segment, 0, lines.end);
        code = save_tail(r, segment, lines.fd, 0);
    }
    segment_lines_close(&lines);
    if (r->request->dry)
        return code == SEGMENT_REST ? 0 : code;
    if (code != 0) /* a line, or trouble */
        return code;
    code = disk->remove(disk->self, r->request->folder, segment);
    return code < 0 ? code : disk->sync_folder(disk->self, r->request->folder);
}

/* Of the last segment only: the one before it was complete when this one was begun. */
static int drop_last_if_empty(struct recovery *r)
{
    if (r->list.count == 0)
        return 0;
    const char *segment = r->list.names[r->list.count - 1];
    int code = drop_empty(r, segment);
    if (code < 0)
        return explain(r, code, segment);
    r->dropped = code == 0;
    r->list.count -= r->dropped;
    return 0;
}

/* ---- from disk -------------------------------------------------------------------------------------------------- */

/* What is read here is shown and written on, so it must be on disk, and what is read must be what is on disk: a daemon
 * that was killed may have written without a sync, and one whose sync has failed has left pages in memory that the
 * system calls written. Only the last segment can be in such a state. */
static int secure_last(struct recovery *r)
{
    const struct journal_disk *disk = r->request->disk;
    const char *segment = r->list.names[r->list.count - 1];
    if (r->request->dry)
        return 0;
    int fd = disk->open(disk->self, r->request->folder, segment, O_RDONLY | O_NONBLOCK);
    if (fd == -ENOENT) /* compressed, which was on disk before the other was removed */
        return 0;
    if (fd < 0)
        return explain(r, fd, segment);
    int code = disk->sync(disk->self, fd);
    if (code == 0)
        code = disk->sync_folder(disk->self, r->request->folder);
    if (code == 0)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return code < 0 ? explain(r, code, segment) : 0;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static void note_damage(struct recovery *r, const char *segment, uint64_t line, const struct chain_fault *fault)
{
    struct journal_recovery *report = r->report;
    if (report->fault_count < sizeof report->faults / sizeof report->faults[0]) {
        struct journal_fault *out = &report->faults[report->fault_count];
        text_copy(out->segment, sizeof out->segment, segment);
        out->line = line;
        text_copy(out->kind, sizeof out->kind, fault->kind);
        text_copy(out->text, sizeof out->text, fault->text);
    }
    if (report->fault_count++ == 0)
        snprintf(report->damage, sizeof report->damage, "'%s' line %llu: %s: %s", segment, (unsigned long long)line,
                 fault->kind, fault->text);
}

static int show(struct recovery *r, const struct record *record, const struct segment_line *line)
{
    if (record->seq <= r->visited)
        return 0;
    r->visited = record->seq;
    if (r->request->visit == NULL)
        return 0;
    struct record_texts texts;
    struct journal_record out;
    record_show(record, line, r->chain.segment, &texts, &out);
    return r->request->visit(r->request->context, &out);
}

static int read_line(struct recovery *r, const struct segment_line *line)
{
    struct record record;
    struct chain_fault fault;
    bool stands = chain_take(&r->chain, line, &record, &fault);
    r->last_offset = line->offset;
    if (fault.kind != NULL) {
        r->faults++;
        note_damage(r, r->chain.segment, line->number, &fault);
    }
    return stands ? show(r, &record, line) : 0;
}

static int note_unpacked(struct recovery *r, const struct segment_line *line)
{
    static const struct chain_fault fault = { "packed", "a compressed block is damaged" };
    r->faults++;
    note_damage(r, r->chain.segment, line->number, &fault);
    r->chain.gap = true;
    r->chain.bytes_behind += line->bytes;
    return 0;
}

static int read_lines(struct recovery *r, struct segment_lines *lines)
{
    struct segment_line line;
    int next;
    while ((next = segment_lines_next(lines, &line)) == SEGMENT_LINE || next == SEGMENT_DAMAGED) {
        int code = next == SEGMENT_LINE ? read_line(r, &line) : note_unpacked(r, &line);
        if (code != 0)
            return code;
    }
    if (next == SEGMENT_REST && chain_is_newline_changed(&line)) { /* it may have been acknowledged: not torn */
        static const struct chain_fault fault = { "syntax", "the newline of the last record was changed" };
        r->faults++;
        note_damage(r, r->chain.segment, line.number, &fault);
    }
    if (next == SEGMENT_REST) {
        r->unfinished = true;
        r->last_offset = line.offset;
        r->chain.gap = true;
        r->chain.bytes_behind += line.bytes;
    }
    return next < 0 ? next : 0;
}

static int read_segment(struct recovery *r, size_t i)
{
    const char *name = r->list.names[i];
    chain_begin_segment(&r->chain, name, i > 0 ? r->list.names[i - 1] : r->chain.segment);
    r->faults = 0;
    r->unfinished = false;
    r->last_offset = 0;
    struct segment_lines lines;
    int code = segment_lines_open(&lines, r->request->folder, name);
    if (code < 0)
        return explain(r, code, name);
    r->end = lines.end;
    r->packed = lines.packed != NULL;
    code = read_lines(r, &lines);
    segment_lines_close(&lines);
    return code < 0 ? explain(r, code, name) : code;
}

/* An unfinished line is at fault in any segment but the last, and so is to have no line at all. */
static void judge_older(struct recovery *r)
{
    static const struct chain_fault unfinished = { "syntax", "an unfinished line" },
                                    empty = { "segment", "it has no line at all" };
    if (r->unfinished || r->end == 0)
        note_damage(r, r->chain.segment, 0, r->unfinished ? &unfinished : &empty);
}

static int read_from(struct recovery *r, size_t first)
{
    r->chain = (struct chain){ 0 };
    r->report->fault_count = 0;
    r->report->damage[0] = '\0';
    if (first == 0 && segment_first_seq(r->list.names[0]) > 1) {
        struct tomb tomb;
        int code = tomb_find(r->request->folder, r->list.names[0], &tomb);
        if (code < 0)
            return explain(r, code, r->list.names[0]);
        tomb_seed_chain(&tomb, &r->chain);
    }
    for (size_t i = first; i < r->list.count; i++) {
        int code = read_segment(r, i);
        if (code != 0)
            return code;
        if (r->chain.unknown_version != 0)
            return why_say(r->why, ERROR_UNSUPPORTED,
                           "the journal's segment '%s' has format version %llu; this release reads version %u",
                           r->list.names[i], (unsigned long long)r->chain.unknown_version, SEGMENT_VERSION);
        if (i + 1 < r->list.count)
            judge_older(r);
    }
    return 0;
}

/* Begins with the segment that holds record after + 1; further back when nothing there says where the chain is. */
static int read_all(struct recovery *r)
{
    size_t first = r->list.count;
    while (first > 0 && (first == r->list.count || segment_first_seq(r->list.names[first]) > r->visited + 1))
        first--;
    for (;; first--) {
        int code = read_from(r, first);
        if (code != 0 || first == 0 || (r->chain.begun && r->chain.journal[0] != '\0'))
            return code;
    }
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static int judge_end(struct recovery *r)
{
    const char *segment = r->chain.segment;
    if ((r->dropped || r->packed) && (r->unfinished || r->end == 0)) { /* one was behind it: this is no torn tail */
        judge_older(r);
        r->faults++;
    }
    if (!r->unfinished || r->faults > 0)
        return 0;
    int code = r->request->dry ? 0 : cut_tail(r, segment);
    if (code < 0)
        return explain(r, code, segment);
    r->unfinished = false;
    r->chain.gap = false;
    r->chain.bytes_behind = 0;
    r->end = r->last_offset;
    return 0;
}

static void fill_end(const struct recovery *r, struct recover_end *end)
{
    memcpy(end->journal, r->chain.journal, sizeof end->journal);
    text_copy(end->segment, sizeof end->segment, r->chain.segment);
    text_copy(end->hash, sizeof end->hash, r->chain.begun ? r->chain.last_hash : RECORD_NO_HASH);
    end->size = r->end;
    text_copy(r->report->end_segment, sizeof r->report->end_segment, r->chain.segment);
    r->report->end_bytes = r->end;
    r->report->end_seq = r->chain.last_seq;
    end->new_segment = r->faults > 0 || r->unfinished || r->packed;
    end->seq = r->chain.last_seq;
    if (!end->new_segment)
        return;
    uint64_t least = segment_first_seq(r->chain.segment);
    end->seq = (end->seq > least ? end->seq : least) + r->chain.bytes_behind / RECORD_LEAST;
}

static int recover(struct recovery *r, struct recover_end *end)
{
    int code = segment_list_open(&r->list, r->request->folder);
    if (code < 0)
        return why_say(r->why, code, "the journal's folder can't be read: %s", error_text(code));
    code = drop_last_if_empty(r);
    if (code < 0 || r->list.count == 0)
        return code;
    code = secure_last(r);
    if (code == 0)
        code = read_all(r);
    if (code == 0)
        code = judge_end(r);
    if (code == 0)
        fill_end(r, end);
    return code;
}

int recover_end(const struct recover_request *request, struct recover_end *end, struct journal_recovery *recovery,
                struct why *why)
{
    struct recovery r = { .request = request, .report = recovery, .why = why, .visited = request->after };
    *recovery = (struct journal_recovery){ 0 };
    *end = (struct recover_end){ .hash = RECORD_NO_HASH };
    int code = recover(&r, end);
    end->visited = r.visited;
    segment_list_close(&r.list);
    return code;
}
