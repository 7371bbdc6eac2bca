/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify - reads a whole journal from the raw bytes and reports what is at fault, by segment, line and kind (the kinds
 * are told at the top of segment.c).
 *
 * It needs no daemon and takes no lock. A journal that is being written is read up to the length that each segment had
 * when it was opened; the last segment may end in an unfinished line, which is no fault. If that line was finished a
 * moment later it was being written just then, and is not even called torn. */
#include "core/journal/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/journal/chain.h"
#include "core/journal/segment.h"

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

static void check_line(struct journal_report *report, struct chain *chain, const struct segment_line *line)
{
    struct record record;
    struct chain_fault fault;
    bool stands = chain_take(chain, line, &record, &fault);
    if (fault.kind != NULL)
        note_fault(report, chain->segment, line->number, &fault);
    if (!stands)
        return;
    if (report->records++ == 0)
        report->first_seq = record.seq;
    report->last_seq = record.seq;
}

/* Bytes without a newline at the end of a segment. */
static int check_rest(struct journal_report *report, struct chain *chain, struct segment_lines *lines,
                      const struct segment_line *line, bool is_last)
{
    static const struct chain_fault fault = { "syntax", "an unfinished line in a segment that is not the last" };
    uint64_t end = lines->end;
    if (!is_last) {
        note_fault(report, chain->segment, line->number, &fault);
        chain->gap = true;
        return 0;
    }
    int code = segment_lines_refresh(lines);
    report->torn_tail = lines->end == end;
    return code;
}

static int check_lines(struct journal_report *report, struct chain *chain, struct segment_lines *lines, bool is_last)
{
    static const struct chain_fault empty = { "segment", "a segment without any record that is not the last" };
    struct segment_line line;
    int next;
    while ((next = segment_lines_next(lines, &line)) == SEGMENT_LINE)
        check_line(report, chain, &line);
    if (next == SEGMENT_REST)
        return check_rest(report, chain, lines, &line, is_last);
    if (next == SEGMENT_END && lines->number == 0 && !is_last)
        note_fault(report, chain->segment, 0, &empty);
    return next;
}

static int check_segments(struct journal_report *report, int folder, const struct segment_list *list, struct why *why)
{
    struct chain chain = { 0 };
    for (size_t i = 0; i < list->count; i++) {
        struct segment_lines lines;
        chain_begin_segment(&chain, list->names[i], i > 0 ? list->names[i - 1] : "");
        int code = segment_lines_open(&lines, folder, list->names[i]);
        if (code == 0) {
            code = check_lines(report, &chain, &lines, i + 1 == list->count);
            segment_lines_close(&lines);
        }
        if (code < 0)
            return why_say(why, code, "the journal's segment '%s' can't be read: %s", list->names[i], error_text(code));
        report->segments++;
    }
    text_copy(report->journal_id, sizeof report->journal_id, chain.journal);
    text_copy(report->head_hash, sizeof report->head_hash, chain.last_hash);
    return 0;
}

int journal_verify(const char *folder, struct journal_report *report, struct why *why)
{
    *report = (struct journal_report){ 0 };
    int fd = segment_open_folder(folder, why);
    if (fd < 0)
        return fd;
    struct segment_list list;
    int code = segment_list_open(&list, fd);
    if (code < 0)
        why_say(why, code, "the journal '%s' can't be read: %s", folder, error_text(code));
    else
        code = check_segments(report, fd, &list, why);
    segment_list_close(&list);
    close(fd);
    return code;
}
