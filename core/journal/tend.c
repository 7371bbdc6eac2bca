/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tend - works on one finished segment at a time, in steps of some blocks each, so that a record that must be written
 * never waits for long. "Finished" is every segment but the last: nobody writes it any more.
 *
 * Compressing: NAME.gz.new is written block by block (each is unpacked again and compared before it is written), synced
 * and renamed to NAME.gz, the folder is synced, the index is written; then NAME is removed. At any moment NAME, NAME.gz
 * or both are whole, and readers prefer NAME; who finds NAME compresses it, again if need be. A compressed segment
 * without an index that fits gets one by reading it through.
 *
 * Dropping: the oldest segment is ripe when its records are older than keep (measured at the beginning of the newest
 * segment, or now if that is earlier: a clock that is years ahead at boot must not cost us the history), or when all
 * files together are larger than keep_bytes. It is read once more, so that its end, its faults and the seals up to
 * there can be recorded, and offered to the keeper. That one sees to it that nothing of the present state depends on
 * the segment, and records journal.dropped; only when that is on disk are the files removed. A crash before that leaves
 * files that are ripe at the next start again.
 *
 * Trouble of the disk costs nothing but room: what could not be done is tried again when the next segment is finished,
 * or at the next start.
 *
 * Diagnostics: `segment 'NAME' can't be compressed|indexed|looked at|removed: WHY`. */
#include "core/journal/tend.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/journal/chain.h"
#include "core/journal/index_make.h"
#include "core/journal/pack.h"
#include "core/journal/seal_check.h"
#include "core/journal/tomb.h"

#define BLOCK_BYTES (8u << 10) /* as little as a question can unpack; doc/adr/0044-index-by-subject.md */
#define STEP_BYTES (256u << 10)
#define STEP_MOST (768u << 10) /* with its last line */
#define LINES_A_STEP 1000u
#define GZ_NAME_SIZE (SEGMENT_NAME_SIZE + sizeof ".gz.new")
_Static_assert(STEP_MOST > STEP_BYTES + BLOCK_BYTES + JOURNAL_RECORD_MAX && STEP_MOST <= PACK_MEMBER_MAX,
               "a line must fit");

enum work {
    WORK_NONE, /* until tend_wake() */
    WORK_LOOK, /* what is there to do? */
    WORK_PACK,
    WORK_INDEX,
    WORK_READ, /* the oldest one, to be dropped */
    WORK_WAIT  /* for the keeper, and then for the record */
};

struct tend {
    const struct journal_disk *disk;
    int folder;
    struct journal_keep keep;
    enum work work;
    uint64_t tended;              /* segments that begin up to here are compressed and indexed, */
    uint64_t failed;              /* but for those from here on, for which the disk had no room; 0: all are */
    char name[SEGMENT_NAME_SIZE]; /* being worked on */

    /* compressing, indexing */
    int from, to;
    uint64_t offset, packed_at;
    struct buf raw, packed;
    struct pack_reader *reader;
    struct index_maker maker;

    /* reading */
    struct segment_lines lines;
    struct chain chain;
    struct seal_check seals; /* up to the end of what was read */
    struct record_dropped ripe;

    /* shared with the keeper, under the lock */
    pthread_mutex_t *lock;
    struct journal_keep wanted;
    bool keep_changed, offered;
    struct record_dropped offer;
};

static const struct journal_proof no_proof;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Puts away what belongs to the segment being worked on. */
static void put_away(struct tend *t)
{
    close_fd(&t->from);
    close_fd(&t->to);
    pack_close(&t->reader);
    segment_lines_close(&t->lines);
    index_maker_close(&t->maker);
    buf_reset(&t->raw);
    buf_reset(&t->packed);
    t->offset = t->packed_at = 0;
    t->name[0] = '\0';
}

/* ---- compressing ------------------------------------------------------------------------------------------------ */

static char *packed_name(char out[GZ_NAME_SIZE], const char *segment, const char *suffix)
{
    snprintf(out, GZ_NAME_SIZE, "%s" SEGMENT_PACKED "%s", segment, suffix);
    return out;
}

static int begin_pack(struct tend *t)
{
    char fresh[GZ_NAME_SIZE];
    t->from = openat(t->folder, t->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (t->from < 0)
        return -errno;
    t->to = t->disk->open(t->disk->self, t->folder, packed_name(fresh, t->name, ".new"), O_WRONLY | O_CREAT | O_TRUNC);
    return t->to < 0 ? t->to : 0;
}

/* How many of the bytes make the next block: whole lines, the first one alone (so that a segment's time is quickly
 * known). Bytes without any line's end are cut where the room ends. */
static size_t block_length(const struct tend *t, const char *bytes, size_t n)
{
    const char *newline = NULL;
    if (t->offset > 0 && n > BLOCK_BYTES)
        newline = memrchr(bytes, '\n', BLOCK_BYTES);
    else if (t->offset > 0)
        return n;
    if (newline == NULL)
        newline = memchr(bytes, '\n', n);
    return newline != NULL ? (size_t)(newline - bytes) + 1 : n;
}

/* Fills t->raw from t->offset; 0 or -errno. */
static int read_some(struct tend *t)
{
    buf_reset(&t->raw);
    for (;;) {
        char *room = buf_room(&t->raw, STEP_MOST - t->raw.length);
        ssize_t n = pread(t->from, room, STEP_MOST - t->raw.length, (off_t)(t->offset + t->raw.length));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            t->raw.length += (size_t)n;
        if (n == 0 || t->raw.length == STEP_MOST)
            return 0;
    }
}

static int open_packed(const struct tend *t, const char *segment, struct pack_reader **out)
{
    char name[GZ_NAME_SIZE];
    int fd = openat(t->folder, packed_name(name, segment, ""), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int code = fd < 0 ? -errno : pack_open(out, fd);
    if (code < 0 && fd >= 0)
        close(fd);
    return code;
}

/* Of what t->reader reads. */
static int write_index(struct tend *t)
{
    return index_finish(&t->maker, t->reader, &(struct index_place){ t->disk, t->folder, t->name });
}

static int finish_pack(struct tend *t)
{
    char fresh[GZ_NAME_SIZE], name[GZ_NAME_SIZE];
    const struct journal_disk *disk = t->disk;
    int code = disk->sync(disk->self, t->to);
    if (code == 0)
        code = disk->rename(disk->self, t->folder, packed_name(fresh, t->name, ".new"), packed_name(name, t->name, ""));
    if (code == 0)
        code = disk->sync_folder(disk->self, t->folder);
    if (code == 0)
        code = open_packed(t, t->name, &t->reader);
    if (code == 0)
        code = write_index(t);
    if (code == 0)
        code = disk->remove(disk->self, t->folder, t->name);
    return code == 0 ? disk->sync_folder(disk->self, t->folder) : code;
}

/* Appends the block that the bytes begin with to t->packed; its length, or a negative code. */
static ssize_t pack_block(struct tend *t, const char *bytes, size_t n)
{
    size_t length = block_length(t, bytes, n), before = t->packed.length;
    int code = pack_member(&t->packed, bytes, length);
    if (code < 0)
        return code;
    index_add(&t->maker, t->packed_at, bytes, length);
    t->offset += length;
    t->packed_at += t->packed.length - before;
    return (ssize_t)length;
}

/* 1: there is more, 0: done, or a negative code. */
static int pack_some(struct tend *t)
{
    int code = read_some(t);
    if (code < 0 || t->raw.length == 0)
        return code < 0 ? code : finish_pack(t);
    buf_reset(&t->packed);
    for (size_t done = 0; done < t->raw.length && done < STEP_BYTES;) {
        ssize_t n = pack_block(t, t->raw.data + done, t->raw.length - done);
        if (n < 0)
            return (int)n;
        done += (size_t)n;
    }
    code = disk_write_all(t->disk, t->to, t->packed.data, t->packed.length);
    return code == 0 ? 1 : code;
}

static int step_pack(struct tend *t)
{
    char fresh[GZ_NAME_SIZE];
    int code = t->from < 0 ? begin_pack(t) : 0;
    if (code == 0)
        code = pack_some(t);
    if (code < 0)
        t->disk->remove(t->disk->self, t->folder, packed_name(fresh, t->name, ".new"));
    return code;
}

/* ---- indexing --------------------------------------------------------------------------------------------------- */

/* 1: there is more, 0: done, or a negative code. */
static int step_index(struct tend *t)
{
    int code = t->reader == NULL ? open_packed(t, t->name, &t->reader) : 0;
    for (size_t n = 0, done = 0; code >= 0 && done < STEP_BYTES; done += n) {
        code = pack_next(t->reader);
        if (code == 0)
            return write_index(t);
        if (code == ERROR_DAMAGED) {
            index_add_damage(&t->maker);
            return 1;
        }
        const char *bytes = pack_bytes(t->reader, &n);
        if (code == 1)
            index_add(&t->maker, pack_began(t->reader), bytes, n);
    }
    return code < 0 ? code : 1;
}

static bool is_indexed(const struct tend *t, const char *segment)
{
    struct pack_reader *reader = NULL;
    struct index index;
    bool good = open_packed(t, segment, &reader) == 0 && index_read(&index, t->folder, segment, reader) == 0;
    if (good)
        index_close(&index);
    pack_close(&reader);
    return good;
}

/* ---- dropping --------------------------------------------------------------------------------------------------- */

static int64_t begin_of(const struct tend *t, const char *segment)
{
    return record_begin_ms(t->folder, segment, INT64_MAX); /* not known: not old */
}

static uint64_t size_of(const struct tend *t, const char *segment)
{
    char packed[GZ_NAME_SIZE];
    struct stat st;
    if (fstatat(t->folder, segment, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
        fstatat(t->folder, packed_name(packed, segment, ""), &st, AT_SYMLINK_NOFOLLOW) == 0)
        return (uint64_t)st.st_size;
    return 0;
}

static bool is_too_old(const struct tend *t, const struct segment_list *list)
{
    int64_t now_ms = clock_wall_ms(), newest_ms = begin_of(t, list->names[list->count - 1]);
    int64_t end_ms = begin_of(t, list->names[1]);
    if (newest_ms < now_ms)
        now_ms = newest_ms;
    return t->keep.ms > 0 && end_ms != INT64_MAX && end_ms < now_ms - t->keep.ms;
}

static bool is_too_large(const struct tend *t, const struct segment_list *list)
{
    uint64_t bytes = 0;
    for (size_t i = 0; t->keep.bytes > 0 && i < list->count; i++)
        bytes += size_of(t, list->names[i]);
    return bytes > t->keep.bytes;
}

static int begin_read(struct tend *t)
{
    int code = segment_lines_open(&t->lines, t->folder, t->name);
    struct tomb tomb = { 0 };
    t->chain = (struct chain){ 0 };
    if (code == 0 && segment_first_seq(t->name) > 1)
        code = tomb_find(t->folder, t->name, &tomb);
    tomb_seed_chain(&tomb, &t->chain);
    t->seals = (struct seal_check){ .proof = &no_proof };
    tomb_seed_seals(&tomb, &t->seals);
    chain_begin_segment(&t->chain, t->name, t->chain.segment);
    text_copy(t->ripe.segment, sizeof t->ripe.segment, t->name);
    t->ripe.records = t->ripe.faults = 0;
    return code;
}

static void read_line(struct tend *t, const struct segment_line *line)
{
    struct record record;
    struct chain_fault fault, later = { 0 };
    if (chain_take(&t->chain, line, &record, &fault)) {
        t->ripe.records++;
        seal_check_take(&t->seals, &t->chain, line, &record, &later);
    }
    t->ripe.faults += fault.kind != NULL || later.kind != NULL;
}

static void finish_read(struct tend *t)
{
    struct record_dropped *ripe = &t->ripe;
    ripe->last_seq = t->chain.last_seq;
    text_copy(ripe->end, sizeof ripe->end, t->chain.begun ? t->chain.last_hash : RECORD_NO_HASH);
    ripe->begun = t->seals.any && t->seals.begun == 0 ? 1 : t->seals.begun;
    ripe->epoch = t->seals.epoch;
    ripe->every_s = t->seals.every_s;
    ripe->sealed_ms = t->seals.at_ms;
}

static int step_read(struct tend *t)
{
    struct segment_line line;
    int next = SEGMENT_LINE, code = segment_lines_is_open(&t->lines) ? 0 : begin_read(t);
    for (unsigned i = 0; code == 0 && i < LINES_A_STEP; i++) {
        next = segment_lines_next(&t->lines, &line);
        if (next == SEGMENT_LINE)
            read_line(t, &line);
        else if (next == SEGMENT_DAMAGED || next == SEGMENT_REST)
            t->ripe.faults++;
        if (next != SEGMENT_LINE && next != SEGMENT_DAMAGED)
            break;
    }
    if (code < 0 || next < 0)
        return code < 0 ? code : next;
    if (next == SEGMENT_LINE || next == SEGMENT_DAMAGED)
        return 1;
    finish_read(t);
    return 0;
}

/* ---- what is there to do --------------------------------------------------------------------------------------- */

static bool is_there(const struct tend *t, const char *name)
{
    return faccessat(t->folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The next one to be compressed or indexed, or to be dropped. So many at once are looked at. */
#define LOOKS_A_STEP 16u

static enum work choose(struct tend *t, const struct segment_list *list)
{
    unsigned looks = 0;
    for (size_t i = 0; i + 1 < list->count; i++) {
        const char *name = list->names[i];
        if (segment_first_seq(name) <= t->tended)
            continue;
        if (looks++ == LOOKS_A_STEP)
            return WORK_LOOK;
        bool raw = is_there(t, name);
        text_copy(t->name, sizeof t->name, name);
        if (raw || !is_indexed(t, name))
            return raw ? WORK_PACK : WORK_INDEX;
        t->tended = segment_first_seq(name);
    }
    if (list->count < 2 || !(is_too_old(t, list) || is_too_large(t, list)))
        return WORK_NONE;
    text_copy(t->name, sizeof t->name, list->names[0]);
    text_copy(t->ripe.next, sizeof t->ripe.next, list->names[1]);
    return WORK_READ;
}

static void look(struct tend *t)
{
    struct segment_list list = { 0 };
    t->work = segment_list_open(&list, t->folder) == 0 ? choose(t, &list) : WORK_NONE;
    segment_list_close(&list);
}

/* What the keeper has set meanwhile; an offer that was made by an older setting is taken back. */
static void take_keep(struct tend *t)
{
    pthread_mutex_lock(t->lock);
    if (t->keep_changed && (t->work != WORK_WAIT || t->offered)) {
        t->keep = t->wanted;
        t->keep_changed = t->offered = false;
        if (t->work == WORK_NONE || t->work == WORK_WAIT)
            t->work = WORK_LOOK;
    }
    pthread_mutex_unlock(t->lock);
}

static void offer(struct tend *t)
{
    pthread_mutex_lock(t->lock);
    t->offer = t->ripe;
    t->offered = true;
    pthread_mutex_unlock(t->lock);
}

static void work(struct tend *t)
{
    static const struct {
        int (*step)(struct tend *t);
        const char *what;
    } works[] = { [WORK_PACK] = { step_pack, "compressed" },
                  [WORK_INDEX] = { step_index, "indexed" },
                  [WORK_READ] = { step_read, "looked at" } };
    bool read = t->work == WORK_READ;
    int code = works[t->work].step(t);
    if (code == 1)
        return;
    if (code < 0)
        log_warn("journal", "segment '%s' can't be %s: %s; it stays as it is", t->name, works[t->work].what,
                 error_text(code));
    if (!read && code < 0 && t->failed == 0)
        t->failed = segment_first_seq(t->name);
    if (!read)
        t->tended = segment_first_seq(t->name);
    else if (code == 0)
        offer(t);
    put_away(t);
    t->work = !read ? WORK_LOOK : code == 0 ? WORK_WAIT : WORK_NONE;
}

bool tend_step(struct tend *t)
{
    take_keep(t);
    if (t->work == WORK_NONE || t->work == WORK_WAIT)
        return false;
    if (t->work == WORK_LOOK)
        look(t);
    else
        work(t);
    return true;
}

void tend_wake(struct tend *t)
{
    if (t->failed != 0)
        t->tended = t->failed - 1;
    t->failed = 0;
    if (t->work == WORK_NONE)
        t->work = WORK_LOOK;
}

/* The raw one last: readers prefer it, and while it is there the segment is whole. */
void tend_remove(struct tend *t, const char *segment)
{
    char index[INDEX_NAME_SIZE], packed[GZ_NAME_SIZE];
    const char *const names[] = { index_name(index, segment), packed_name(packed, segment, ""), segment };
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof names / sizeof names[0]; i++) {
        code = t->disk->remove(t->disk->self, t->folder, names[i]);
        if (code == -ENOENT)
            code = 0;
    }
    if (code == 0)
        code = t->disk->sync_folder(t->disk->self, t->folder);
    if (code < 0)
        log_warn("journal", "segment '%s' can't be removed: %s; it is tried again", segment, error_text(code));
    t->work = code < 0 ? WORK_NONE : WORK_LOOK;
}

/* ---- from outside ----------------------------------------------------------------------------------------------- */

struct tend *tend_open(const struct journal_disk *disk, int folder)
{
    struct tend *t = heap_alloc(sizeof *t);
    *t = (struct tend){ .disk = disk, .folder = folder, .from = -1, .to = -1, .lines = { .fd = -1 } };
    t->work = WORK_LOOK;
    t->lock = heap_alloc(sizeof *t->lock);
    pthread_mutex_init(t->lock, NULL);
    return t;
}

void tend_close(struct tend **tend)
{
    struct tend *t = *tend;
    if (t == NULL)
        return;
    put_away(t);
    buf_close(&t->raw);
    buf_close(&t->packed);
    pthread_mutex_destroy(t->lock);
    free(t->lock);
    free(t);
    *tend = NULL;
}

void tend_set_keep(struct tend *t, const struct journal_keep *keep)
{
    pthread_mutex_lock(t->lock);
    t->wanted = *keep;
    t->keep_changed = true;
    pthread_mutex_unlock(t->lock);
}

bool tend_ripe(const struct tend *t, struct record_dropped *out)
{
    pthread_mutex_lock(t->lock);
    bool offered = t->offered && !t->keep_changed;
    *out = t->offer;
    pthread_mutex_unlock(t->lock);
    return offered;
}

bool tend_take(struct tend *t, struct record_dropped *out)
{
    pthread_mutex_lock(t->lock);
    bool offered = t->offered;
    *out = t->offer;
    t->offered = false;
    pthread_mutex_unlock(t->lock);
    return offered;
}
