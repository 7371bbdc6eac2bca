/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keep - what makes it safe to drop old segments of the journal (doc/adr/0041). State is what is folded from the
 * journal, and the snapshot is only a convenience; so before a segment goes, the folded state is written into the
 * journal itself as a checkpoint: records of the type journal.checkpoint,
 *
 *     "part":K,"parts":N,"digest":"H","state":"TEXT"
 *
 * whose texts joined are what schedule_snapshot() writes, and H the SHA-256 of that. They follow each other without any
 * record of the state between them. Who folds the journal and comes to the last one takes it for all that was before.
 *
 * A segment goes when a checkpoint behind it is in the journal: its tombstone is recorded, the journal is sealed, and
 * when all that is on disk the files are removed. One segment in each housekeeping at most.
 *
 * Diagnostics: `journal: N records read, at NUMBER` every two seconds of a long start; `a checkpoint of the journal is
 * incomplete or damaged and passed over`; `'NAME' was dropped`. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/keeper/keeper.h"

#define CHECKPOINT "journal.checkpoint"
#define PART_BYTES (100u << 10)
#define STATE_MAX (256u << 20)
#define PROGRESS_MS 2000

struct keep {
    uint64_t checkpoint_seq; /* of the last one that is whole, 0: none is known */
    struct buf state;        /* while one is read: its parts so far */
    uint64_t parts;
    uint64_t records; /* read by this start */
    int64_t told_ms;
};

static void hash_state(const struct buf *state, char hex[DIGEST_HEX_SIZE])
{
    unsigned char digest[DIGEST_SIZE];
    digest_sha256(state->data, state->length, digest);
    digest_hex(digest, hex);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* So many bytes from `at` on make a part; a character is not cut. */
static size_t part_length(const struct buf *state, size_t at)
{
    size_t n = state->length - at;
    if (n <= PART_BYTES)
        return n;
    for (n = PART_BYTES; n > PART_BYTES - 4 && ((unsigned char)state->data[at + n] & 0xc0) == 0x80;)
        n--;
    return n;
}

static uint64_t count_parts(const struct buf *state)
{
    uint64_t parts = 0;
    for (size_t at = 0; at < state->length; at += part_length(state, at))
        parts++;
    return parts;
}

static void append_part(struct keeper *keeper, const char *head, const char *text, size_t n)
{
    struct buf members = { 0 };
    struct instant now = clock_instant();
    char *copy = heap_alloc(n + 1);
    memcpy(copy, text, n);
    copy[n] = '\0';
    buf_print(&members, "%s,\"state\":", head);
    buf_json_text(&members, copy);
    free(copy);
    seal_before(keeper->seal, now);
    keeper->keep->checkpoint_seq = journal_append(keeper->journal, now.wall_ms, CHECKPOINT, "keeper", members.data);
    buf_close(&members);
}

static bool write_checkpoint(struct keeper *keeper)
{
    struct buf state = { .max_bytes = STATE_MAX };
    char hash[DIGEST_HEX_SIZE], head[128];
    schedule_snapshot(keeper->schedule, &state);
    hash_state(&state, hash);
    uint64_t part = 0, parts = count_parts(&state);
    for (size_t at = 0, n; !state.overflowed && at < state.length; at += n) {
        n = part_length(&state, at);
        snprintf(head, sizeof head, "\"part\":%llu,\"parts\":%llu,\"digest\":\"%s\"", (unsigned long long)++part,
                 (unsigned long long)parts, hash);
        append_part(keeper, head, state.data + at, n);
    }
    bool good = !state.overflowed;
    buf_close(&state);
    return good;
}

void keep_housekeeping(struct keeper *keeper)
{
    uint64_t last_seq;
    if (journal_error(keeper->journal) != 0 || !journal_ripe(keeper->journal, &last_seq))
        return;
    if (keeper->keep->checkpoint_seq <= last_seq) {
        drill_restate(keeper);
        recovery_restate(keeper);
    }
    if (keeper->keep->checkpoint_seq <= last_seq && !write_checkpoint(keeper)) {
        log_warn("keeper", "the state does not fit into a checkpoint: the journal's old segments are kept");
        return;
    }
    struct instant now = clock_instant();
    seal_before(keeper->seal, now);
    journal_drop(keeper->journal, now.wall_ms);
    seal_make(keeper->seal, now, "drop");
    journal_drop_files(keeper->journal);
    log_info("journal", "the segment that ends with record %llu is dropped", (unsigned long long)last_seq);
}

void keep_configure(struct keeper *keeper)
{
    const struct journal_keep keep = { keeper->config->journal_keep_ms, keeper->config->journal_keep_bytes };
    journal_set_keep(keeper->journal, &keep);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void take_whole(struct keeper *keeper, const char *digest, uint64_t seq)
{
    struct keep *keep = keeper->keep;
    char hash[DIGEST_HEX_SIZE];
    hash_state(&keep->state, hash);
    if (digest && strcmp(hash, digest) == 0 &&
        schedule_restore_snapshot(keeper->schedule, keep->state.data, keep->state.length) == 0)
        keep->checkpoint_seq = seq;
    else
        log_warn("journal", "the checkpoint at record %llu is incomplete or damaged and passed over",
                 (unsigned long long)seq);
}

/* A part that does not continue what is there is passed over with it. */
static void take_part(struct keeper *keeper, const struct journal_record *record)
{
    struct keep *keep = keeper->keep;
    json_t *json = json_loadb(record->line, record->length, 0, NULL);
    json_int_t part = json_integer_value(json_object_get(json, "part"));
    json_int_t parts = json_integer_value(json_object_get(json, "parts"));
    const char *text = json_string_value(json_object_get(json, "state"));
    if (part == 1) {
        keep->parts = 0;
        buf_reset(&keep->state);
    }
    if (text && part > 0 && keep->parts + 1 == (uint64_t)part) {
        keep->parts++;
        keep->state.max_bytes = STATE_MAX;
        buf_text(&keep->state, text);
        if (part == parts)
            take_whole(keeper, json_string_value(json_object_get(json, "digest")), record->seq);
    }
    json_decref(json);
}

static void tell_progress(struct keep *keep, const struct journal_record *record)
{
    int64_t now_ms = clock_now_ms();
    char count[TEXT_COUNT_SIZE];
    if (keep->told_ms == 0)
        keep->told_ms = now_ms;
    if (now_ms - keep->told_ms < PROGRESS_MS)
        return;
    keep->told_ms = now_ms;
    log_info("journal", "%s read, at %llu", text_count(count, keep->records, "record"),
             (unsigned long long)record->seq);
}

void keep_open(struct keeper *keeper)
{
    keeper->keep = heap_alloc(sizeof *keeper->keep);
    *keeper->keep = (struct keep){ 0 };
}

bool keep_fold(struct keeper *keeper, const struct journal_record *record)
{
    if (keeper->keep->records++ % 1024 == 0)
        tell_progress(keeper->keep, record);
    if (strcmp(record->type, CHECKPOINT) != 0)
        return false;
    take_part(keeper, record);
    return true;
}

void keep_folded(struct keeper *keeper)
{
    buf_close(&keeper->keep->state);
    keeper->keep->state = (struct buf){ 0 };
}

void keep_close(struct keeper *keeper)
{
    if (keeper->keep)
        buf_close(&keeper->keep->state);
    free(keeper->keep);
    keeper->keep = NULL;
}
