/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reader - questions to a journal, without the daemon: which records of a time, a type, a subject, with a text.
 *
 * A segment is passed over when its first record and that of the next one lie on the same side of the time window, with
 * an hour to spare because the wall clock may step. (Two large steps within one segment could hide its records from a
 * question with a window; a question without one reads everything.) match.c tells which lines match. `last` counts the
 * matches backwards, segment by segment, until there are enough, and then reads forward from there.
 *
 * `follow` waits by inotify (and at least once a second, should inotify fail) and reads on. An unfinished line is left
 * alone until its newline is there. What is shown may be not yet durable: it stands in the file, but the fdatasync may
 * still be under way.
 *
 * Of a compressed segment only those blocks are unpacked that can hold what is asked for, when there is an index that
 * fits (index.h); without one, all of them.
 *
 * Lines that have not the form of a record are passed over here; naming them is verify's task. */
#include "core/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/journal/index.h"
#include "core/journal/match.h"
#include "core/journal/record.h"
#include "core/journal/segment.h"

#define CLOCK_SLACK_MS (3600 * 1000)
#define FOLLOW_POLL_MS 1000
#define TIME_UNKNOWN INT64_MIN
#define AFTER_DAMAGE UINT64_MAX
#define LAST_BYTES (64u << 10)

/* Of a block, while a row is looked at: it has its type, its subject; */
#define MARK_TYPE 1u
#define MARK_SUBJECT 2u
/* then: it can hold the filter's own row, one of the others, a match. */
#define MARK_OWN 4u
#define MARK_PICK 8u
#define MARK_WANTED 16u

struct query {
    journal_visit visit;
    void *context;
    int folder, watch;
    struct match match;
    struct segment_list list;
    int64_t *begins;   /* the time of each segment's first record and of the very last one, or TIME_UNKNOWN; NULL: not
                          needed yet */
    uint64_t last_end; /* the length of the last segment when it was first read: nothing behind it belongs to `last` */
    uint64_t skip;     /* so many matches are not shown */
    struct segment_lines lines;
    char name[SEGMENT_NAME_SIZE]; /* of the segment in lines; "": none is open */
    struct index index;           /* of it, when it is compressed and there is one */
    unsigned char *marks;         /* of its blocks, each with MARK_WANTED or without */
    uint64_t block, block_end;    /* the one being read, and the offset where it ends */
};

/* ---- which segments --------------------------------------------------------------------------------------------- */

/* The time of a segment's last record, when it stands in the file's last bytes. */
static int64_t last_time(const struct query *q, const char *name)
{
    struct segment_lines lines;
    struct segment_line line;
    struct record record;
    int64_t wall_ms = TIME_UNKNOWN;
    if (segment_lines_open(&lines, q->folder, name) == 0 && lines.packed == NULL) {
        lines.offset = lines.end > LAST_BYTES ? lines.end - LAST_BYTES : 0;
        while (segment_lines_next(&lines, &line) == SEGMENT_LINE)
            if (record_parse(line.text, line.length, &record) == 0)
                wall_ms = record_wall_ms(&record);
    }
    segment_lines_close(&lines);
    return wall_ms;
}

static void read_begins(struct query *q)
{
    size_t count = q->list.count;
    q->begins = heap_alloc((count + 1) * sizeof *q->begins);
    for (size_t i = 0; i < count; i++)
        q->begins[i] = record_begin_ms(q->folder, q->list.names[i], TIME_UNKNOWN);
    q->begins[count] = count > 0 ? last_time(q, q->list.names[count - 1]) : TIME_UNKNOWN;
}

/* Whether segment i can hold records of the numbers that are asked for, by its name and the next one's. */
static bool may_hold_numbers(const struct query *q, size_t i)
{
    const struct journal_filter *filter = q->match.filter;
    return (filter->last_seq == 0 || segment_first_seq(q->list.names[i]) <= filter->last_seq) &&
           (i + 1 >= q->list.count || segment_first_seq(q->list.names[i + 1]) > filter->first_seq);
}

/* Whether segment i can hold records of the window, by the times of its first record and of the next segment's, or of
 * the last record of all. When one of them is not known it may; so may the last segment, which grows, anything that is
 * new. */
static bool may_hold(struct query *q, size_t i)
{
    const struct journal_filter *filter = q->match.filter;
    int64_t since = i + 1 < q->list.count ? filter->since_ms : 0, until = filter->until_ms;
    if (filter->follow && i + 1 >= q->list.count)
        return true;
    if (!may_hold_numbers(q, i))
        return false;
    if (since == 0 && until == 0)
        return true;
    if (q->begins == NULL)
        read_begins(q);
    int64_t begin_ms = q->begins[i], end_ms = q->begins[i + 1];
    if (begin_ms == TIME_UNKNOWN || end_ms == TIME_UNKNOWN)
        return true;
    int64_t least = begin_ms < end_ms ? begin_ms : end_ms;
    int64_t most = begin_ms < end_ms ? end_ms : begin_ms;
    return (since == 0 || most + CLOCK_SLACK_MS >= since) && (until == 0 || least - CLOCK_SLACK_MS <= until);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* Marks the blocks that can hold what a row asks for. */
static void mark_row(const struct query *q, const struct match_row *row, unsigned char bit)
{
    const struct index *index = &q->index;
    unsigned char *marks = q->marks, need = 0;
    bool found = true;
    if (row->type != NULL) {
        need |= MARK_TYPE;
        found = index_mark(index, INDEX_TYPE, row->type, marks, MARK_TYPE);
    }
    if (row->subject != NULL && found) {
        need |= MARK_SUBJECT;
        found = index_mark(index, INDEX_SUBJECT, row->subject, marks, MARK_SUBJECT);
    }
    for (uint64_t i = 0; i < index->count; i++) {
        if (found && (marks[i] & need) == need)
            marks[i] |= bit;
        marks[i] &= (unsigned char)~(MARK_TYPE | MARK_SUBJECT);
    }
}

static bool may_block_hold(const struct query *q, const struct index_block *block)
{
    const struct journal_filter *filter = q->match.filter;
    return block->records > 0 && block->most_seq >= filter->first_seq &&
           (filter->last_seq == 0 || block->least_seq <= filter->last_seq) &&
           (filter->since_ms == 0 || block->most_ms >= filter->since_ms) &&
           (filter->until_ms == 0 || block->least_ms <= filter->until_ms);
}

/* Marks the blocks of the open segment that can hold a match. */
static void mark_blocks(struct query *q)
{
    const unsigned char need = q->match.count > 1 ? MARK_OWN | MARK_PICK : MARK_OWN;
    q->marks = heap_grow(q->marks, q->index.count + 1, 1);
    memset(q->marks, 0, q->index.count);
    for (size_t i = 0; i < q->match.count; i++)
        mark_row(q, &q->match.rows[i], i == 0 ? MARK_OWN : MARK_PICK);
    for (uint64_t i = 0; i < q->index.count; i++)
        if ((q->marks[i] & need) == need && may_block_hold(q, &q->index.blocks[i]))
            q->marks[i] |= MARK_WANTED;
}

/* -ENOENT: it was dropped meanwhile. */
static int open_segment(struct query *q, size_t i)
{
    segment_lines_close(&q->lines);
    index_close(&q->index);
    memcpy(q->name, q->list.names[i], sizeof q->name);
    int code = segment_lines_open(&q->lines, q->folder, q->name);
    if (code == 0 && q->lines.packed != NULL)
        (void)index_read(&q->index, q->folder, q->name, q->lines.packed); /* it can be done without */
    mark_blocks(q);
    q->block = 0;
    q->block_end = 0;
    return code;
}

/* The block that was read does not end where the index says: it is not to be believed. */
static bool is_elsewhere(const struct query *q)
{
    return q->block > 0 && q->lines.offset != AFTER_DAMAGE &&
           pack_position(q->lines.packed) != q->index.blocks[q->block].packed_at;
}

/* Goes to the next block that can hold a match; false when there is none. */
static bool next_block(struct query *q)
{
    const struct index_block *blocks = q->index.blocks;
    uint64_t i = q->block;
    if (is_elsewhere(q)) {
        index_close(&q->index); /* what follows is read as a whole */
        return true;
    }
    while (i < q->index.count && (q->marks[i] & MARK_WANTED) == 0)
        i++;
    if (i == q->index.count)
        return false;
    if (blocks[i].offset != q->lines.offset)
        segment_lines_seek(&q->lines, blocks[i].packed_at, blocks[i].offset, blocks[i].lines_before);
    q->block = i + 1;
    q->block_end = i + 1 < q->index.count ? blocks[i + 1].offset : UINT64_MAX;
    return true;
}

/* The next line that can be a match, as segment_lines_next(); what can't be unpacked is passed over. */
static int next_line(struct query *q, struct segment_line *line)
{
    int next;
    do {
        if (q->index.count > 0 && q->lines.offset >= q->block_end && !next_block(q))
            return SEGMENT_END;
        next = segment_lines_next(&q->lines, line);
        if (next == SEGMENT_DAMAGED && q->index.count > 0)
            q->lines.offset = AFTER_DAMAGE; /* on with the next block, wherever we are */
    } while (next == SEGMENT_DAMAGED);
    return next;
}

/* While counting and then showing the last n matches, the last segment keeps the length that it had at first. */
static void fix_length(struct query *q, size_t i)
{
    if (q->match.filter->last == 0 || i + 1 < q->list.count)
        return;
    if (q->last_end == 0)
        q->last_end = q->lines.end;
    q->lines.end = q->last_end;
}

static int begin_segment(struct query *q, size_t i)
{
    int code = open_segment(q, i);
    if (code == 0)
        fix_length(q, i);
    return code;
}

/* Counts the matches in what is left of the open segment. */
static int count_matches(struct query *q, uint64_t *count)
{
    struct segment_line line;
    struct record record;
    int next;
    while ((next = next_line(q, &line)) == SEGMENT_LINE)
        *count += match_takes(&q->match, &line, &record);
    return next < 0 ? next : 0;
}

static int show(struct query *q, const struct segment_line *line, const struct record *record)
{
    if (q->skip > 0) {
        q->skip--;
        return 0;
    }
    struct record_texts texts;
    struct journal_record out;
    record_show(record, line, q->name, &texts, &out);
    return q->visit(q->context, &out);
}

/* Shows the matches in what is left of the open segment. */
static int show_matches(struct query *q)
{
    struct segment_line line;
    struct record record;
    int next;
    while ((next = next_line(q, &line)) == SEGMENT_LINE) {
        int code = match_takes(&q->match, &line, &record) ? show(q, &line, &record) : 0;
        if (code != 0)
            return code;
    }
    return next < 0 ? next : 0;
}

/* Goes back from the end until there are enough matches; sets *from and how many of them are too many. */
static int find_last(struct query *q, size_t *from)
{
    uint64_t count = 0;
    size_t i = q->list.count;
    while (i > 0 && count < q->match.filter->last) {
        if (!may_hold(q, --i))
            continue;
        int code = begin_segment(q, i);
        if (code == 0)
            code = count_matches(q, &count);
        if (code < 0 && code != -ENOENT)
            return code;
    }
    *from = i;
    q->skip = count > q->match.filter->last ? count - q->match.filter->last : 0;
    return 0;
}

static int read_present(struct query *q)
{
    size_t from = 0;
    int code = q->match.filter->last != 0 ? find_last(q, &from) : 0;
    for (size_t i = from; code == 0 && i < q->list.count; i++) {
        if (!may_hold(q, i))
            continue;
        code = begin_segment(q, i);
        if (code == 0)
            code = show_matches(q);
        else if (code == -ENOENT)
            code = 0;
    }
    q->skip = 0;
    return code;
}

/* ---- follow ----------------------------------------------------------------------------------------------------- */

static void watch_folder(struct query *q, const char *folder)
{
    q->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (q->watch >= 0 && inotify_add_watch(q->watch, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
        close(q->watch);
        q->watch = -1;
    }
}

static void wait_for_change(const struct query *q)
{
    char events[4096];
    struct pollfd watch = { .fd = q->watch, .events = POLLIN }; /* -1: poll only waits */
    if (poll(&watch, 1, FOLLOW_POLL_MS) > 0)
        while (read(q->watch, events, sizeof events) > 0)
            ;
}

/* An empty segment that a recovery has removed, to make it anew under the same name. (One that was read from is gone
 * because it was compressed or dropped.) */
static bool is_removed(const struct segment_lines *lines)
{
    struct stat st;
    return lines->fd >= 0 && lines->number == 0 && fstat(lines->fd, &st) == 0 && st.st_nlink == 0;
}

/* The index of the first segment behind the open one, or with `again` of that one too; the count when there is none. */
static size_t find_next(const struct query *q, bool again)
{
    size_t i = q->list.count;
    while (i > 0 && strcmp(q->list.names[i - 1], q->name) >= (again ? 0 : 1))
        i--;
    return i;
}

static int reload_list(struct query *q)
{
    segment_list_close(&q->list);
    free(q->begins);
    q->begins = NULL;
    return segment_list_open(&q->list, q->folder);
}

static int read_on(struct query *q)
{
    if (!segment_lines_is_open(&q->lines))
        return 0;
    int code = segment_lines_refresh(&q->lines);
    return code == 0 ? show_matches(q) : code;
}

/* The list is taken before reading: when a newer segment is in it, the open one is complete. */
static int follow(struct query *q)
{
    for (;;) {
        int code = reload_list(q);
        if (code == 0)
            code = read_on(q);
        if (code != 0)
            return code;
        size_t next = find_next(q, is_removed(&q->lines));
        if (next == q->list.count)
            wait_for_change(q);
        else
            code = open_segment(q, next);
        if (code < 0 && code != -ENOENT)
            return code;
    }
}

/* ---- the question ----------------------------------------------------------------------------------------------- */

static int answer(struct query *q)
{
    int code = reload_list(q);
    if (code == 0)
        code = read_present(q);
    if (code == 0 && q->match.filter->follow)
        code = follow(q);
    segment_lines_close(&q->lines);
    index_close(&q->index);
    segment_list_close(&q->list);
    free(q->begins);
    match_close(&q->match);
    free(q->marks);
    return code;
}

int reader_query(int folder, const struct journal_filter *filter, journal_visit visit, void *context)
{
    struct query q = { .visit = visit, .context = context, .folder = folder, .watch = -1, .lines = { .fd = -1 } };
    match_open(&q.match, filter);
    return answer(&q);
}

int journal_query(const char *folder, const struct journal_filter *filter, journal_visit visit, void *context,
                  struct why *why)
{
    struct query q = { .visit = visit, .context = context, .watch = -1, .lines = { .fd = -1 } };
    q.folder = segment_open_folder(folder, why);
    if (q.folder < 0)
        return q.folder;
    match_open(&q.match, filter);
    if (filter->follow)
        watch_folder(&q, folder);
    int code = answer(&q);
    if (code < 0)
        why_say(why, code, "the journal '%s' can't be read: %s", folder, error_text(code));
    if (q.watch >= 0)
        close(q.watch);
    close(q.folder);
    return code;
}

/* ---- one record ------------------------------------------------------------------------------------------------- */

int journal_find(const char *folder, uint64_t seq, char hash[65])
{
    struct segment_list list = { 0 };
    struct segment_lines lines = { .fd = -1 };
    struct segment_line line;
    int next = SEGMENT_END, fd = segment_open_folder(folder, NULL);
    if (fd < 0)
        return fd;
    int code = segment_list_open(&list, fd);
    size_t i = list.count;
    while (i > 0 && segment_first_seq(list.names[i - 1]) > seq)
        i--;
    if (code == 0)
        code = i > 0 ? segment_lines_open(&lines, fd, list.names[i - 1]) : -ENOENT;
    bool found = false;
    while (code == 0 && !found && (next = segment_lines_next(&lines, &line)) > SEGMENT_END && next != SEGMENT_REST) {
        struct record record;
        found = next == SEGMENT_LINE && record_parse(line.text, line.length, &record) == 0 && record.seq == seq &&
                record_hash_holds(line.text, line.length);
        if (found)
            text_copy(hash, 65, record.hash);
    }
    segment_lines_close(&lines);
    segment_list_close(&list);
    close(fd);
    return code != 0 ? code : next < 0 ? next : found ? 0 : -ENOENT;
}
