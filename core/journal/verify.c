/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify - reads a whole journal from the raw bytes and reports what is at fault, by segment, line and kind (the kinds
 * are told at the top of segment.c, those of seals and anchors in doc/journal-format.md).
 *
 * It needs no daemon and takes no lock. A journal that is being written is read up to the length that each segment had
 * when it was opened; the last segment may end in an unfinished line, which is no fault. If that line was finished a
 * moment later it was being written just then, and is not even called torn. */
#include "core/journal/verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/journal/segment.h"
#include "core/journal/tomb.h"

#define FAULTS_MAX (sizeof(((struct journal_report *)0)->faults) / sizeof(((struct journal_report *)0)->faults[0]))

static void note_fault(struct journal_report *report, const char *segment, uint64_t line,
                       const struct chain_fault *fault)
{
    size_t i = report->fault_count++;
    if (i >= FAULTS_MAX)
        return;
    text_copy(report->faults[i].segment, sizeof report->faults[i].segment, segment);
    report->faults[i].line = line;
    text_copy(report->faults[i].kind, sizeof report->faults[i].kind, fault->kind);
    text_copy(report->faults[i].text, sizeof report->faults[i].text, fault->text);
}

/* Of the journal's end, or of the journal as a whole. */
static void note_at_end(void *context, const struct chain_fault *fault)
{
    struct verifier *v = context;
    note_fault(v->report, v->chain.segment, v->line, fault);
}

/* ---- anchors --------------------------------------------------------------------------------------------------- */

__attribute__((__format__(__printf__, 2, 3))) static void say_anchor(struct chain_fault *fault, const char *format, ...)
{
    va_list args;
    if (fault->kind != NULL) /* the first one of a line is told */
        return;
    va_start(args, format);
    fault->kind = "anchor";
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
}

/* The anchors up to this record. Those of numbers that are not in the journal's beginning any more are passed over. */
static void check_anchors(struct verifier *v, const struct record *record, struct chain_fault *fault)
{
    const struct journal_proof *proof = v->proof;
    for (; v->next_anchor < proof->anchor_count && proof->anchors[v->next_anchor].seq <= record->seq;
         v->next_anchor++) {
        const struct journal_anchor *anchor = &proof->anchors[v->next_anchor];
        unsigned long long seq = anchor->seq;
        if (anchor->journal[0] != '\0' && strcmp(anchor->journal, v->chain.journal) != 0)
            say_anchor(fault, "the anchor at %llu is of the journal %s, not of %s", seq, anchor->journal,
                       v->chain.journal);
        else if (anchor->seq == record->seq && memcmp(anchor->hash, record->hash, DIGEST_HEX_SIZE - 1) == 0)
            v->report->anchors_held++;
        else if (anchor->seq == record->seq)
            say_anchor(fault, "record %llu is not the one that was anchored", seq);
        else if (anchor->seq >= v->report->first_seq)
            say_anchor(fault, "record %llu was anchored, but is not in the journal", seq);
    }
}

static void check_last_anchor(struct verifier *v)
{
    struct chain_fault fault = { 0 };
    const struct journal_proof *proof = v->proof;
    if (v->next_anchor >= proof->anchor_count)
        return;
    say_anchor(&fault, "the journal ends with %llu, but record %llu was anchored: records were cut off",
               (unsigned long long)v->chain.last_seq, (unsigned long long)proof->anchors[proof->anchor_count - 1].seq);
    note_at_end(v, &fault);
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static void check_line(struct verifier *v, const struct segment_line *line)
{
    struct record record;
    struct chain_fault fault, later = { 0 };
    struct journal_report *report = v->report;
    bool stands = chain_take(&v->chain, line, &record, &fault);
    v->line = line->number;
    if (stands) {
        if (report->records++ == 0)
            report->first_seq = record.seq;
        report->last_seq = record.seq;
        seal_check_take(&v->seals, &v->chain, line, &record, &later);
        check_anchors(v, &record, &later);
    }
    if (fault.kind == NULL)
        fault = later;
    if (fault.kind != NULL)
        note_fault(report, v->chain.segment, line->number, &fault);
}

/* Bytes without a newline at the end of a segment. */
static int check_rest(struct verifier *v, struct segment_lines *lines, const struct segment_line *line, bool is_last)
{
    static const struct chain_fault unfinished = { "syntax", "an unfinished line in a segment that is not the last" };
    static const struct chain_fault changed = { "syntax", "the newline of the last record was changed" };
    uint64_t end = lines->end;
    bool whole = is_last && chain_is_newline_changed(line);
    if (!is_last || whole) {
        note_fault(v->report, v->chain.segment, line->number, whole ? &changed : &unfinished);
        v->chain.gap = true;
        return 0;
    }
    int code = segment_lines_refresh(lines);
    v->report->torn_tail = lines->end == end;
    return code;
}

/* Compressed bytes that can't be unpacked: how many lines they were is not known. */
static void note_unpacked(struct verifier *v, const struct segment_line *line)
{
    static const struct chain_fault fault = { "packed", "a compressed block is damaged, its records can't be read" };
    note_fault(v->report, v->chain.segment, line->number, &fault);
    v->line = line->number;
    v->chain.gap = true;
}

int verify_lines(struct verifier *v, struct segment_lines *lines, bool is_last)
{
    static const struct chain_fault empty = { "segment", "a segment without any record that is not the last" };
    struct segment_line line;
    int next;
    while ((next = segment_lines_next(lines, &line)) == SEGMENT_LINE || next == SEGMENT_DAMAGED)
        if (next == SEGMENT_LINE)
            check_line(v, &line);
        else
            note_unpacked(v, &line);
    if (next == SEGMENT_REST)
        return check_rest(v, lines, &line, is_last);
    if (next == SEGMENT_END && lines->number == 0 && !is_last)
        note_fault(v->report, v->chain.segment, 0, &empty);
    return next;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

void verify_begin(struct verifier *v, const struct journal_proof *proof, struct journal_report *report)
{
    static const struct journal_proof none = { 0 };
    *report = (struct journal_report){ 0 };
    *v = (struct verifier){ .report = report, .proof = proof != NULL ? proof : &none };
    v->seals.proof = v->proof;
}

void verify_end(struct verifier *v)
{
    struct journal_report *report = v->report;
    seal_check_end(&v->seals, note_at_end, v);
    check_last_anchor(v);
    text_copy(report->journal_id, sizeof report->journal_id, v->chain.journal);
    text_copy(report->head_hash, sizeof report->head_hash, v->chain.last_hash);
    report->seals = v->seals.seals;
    report->seals_held = v->seals.held;
    report->seal_epoch = v->seals.epoch;
    report->sealed_ms = v->seals.at_ms;
    report->unsealed = v->seals.unsealed;
    report->stopped = v->seals.stopped;
    key_wipe(&v->seals.key);
}

/* A journal whose first segments were dropped is checked from the tombstone on. */
static int begin_behind_dropped(struct verifier *v, int folder, const struct segment_list *list)
{
    struct tomb tomb;
    if (list->count == 0 || segment_first_seq(list->names[0]) <= 1)
        return 0;
    int code = tomb_find(folder, list->names[0], &tomb);
    tomb_seed_chain(&tomb, &v->chain);
    tomb_seed_seals(&tomb, &v->seals);
    v->report->dropped_seq = tomb.seq != 0 ? v->chain.last_seq : 0;
    v->report->dropped_ms = tomb.wall_ms;
    return code < 0 ? code : 0;
}

static int check_segments(struct verifier *v, int folder, const struct segment_list *list, struct why *why)
{
    int code = begin_behind_dropped(v, folder, list);
    if (code < 0)
        return why_say(why, code, "the journal can't be read: %s", error_text(code));
    for (size_t i = 0; i < list->count; i++) {
        struct segment_lines lines;
        chain_begin_segment(&v->chain, list->names[i], i > 0 ? list->names[i - 1] : v->chain.segment);
        code = segment_lines_open(&lines, folder, list->names[i]);
        if (code == 0) {
            code = verify_lines(v, &lines, i + 1 == list->count);
            segment_lines_close(&lines);
        }
        if (code < 0)
            return why_say(why, code, "the journal's segment '%s' can't be read: %s", list->names[i], error_text(code));
        v->report->segments++;
    }
    verify_end(v);
    return 0;
}

/* Segments that are dropped meanwhile are not in the next list any more. */
#define TRIES 5

static int verify_once(const char *folder, const struct journal_proof *proof, struct journal_report *report,
                       struct why *why)
{
    struct verifier v;
    verify_begin(&v, proof, report);
    int fd = segment_open_folder(folder, why);
    if (fd < 0)
        return fd == -ENOENT ? ERROR_UNKNOWN_NAME : fd;
    struct segment_list list;
    int code = segment_list_open(&list, fd);
    if (code < 0)
        why_say(why, code, "the journal '%s' can't be read: %s", folder, error_text(code));
    else
        code = check_segments(&v, fd, &list, why);
    segment_list_close(&list);
    close(fd);
    return code;
}

int journal_verify(const char *folder, const struct journal_proof *proof, struct journal_report *report,
                   struct why *why)
{
    int code = -ENOENT;
    for (unsigned i = 0; i < TRIES && code == -ENOENT; i++)
        code = verify_once(folder, proof, report, why);
    return code == ERROR_UNKNOWN_NAME ? -ENOENT : code;
}
