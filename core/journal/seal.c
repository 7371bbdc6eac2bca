/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seal - an epoch is what lies between two seals. It ends when "every" has passed, when the wall clock was stepped, at
 * a clean stop, and at the next start after a crash; its number is one more than that of the epoch before.
 * seal_before() is called before each record, so a record never stands behind a seal that was due: that is what verify
 * checks.
 *
 * Record, then evolve (doc/adr/0040): the seal of epoch E is on disk before the key file is replaced by the key of
 * E + 1; the journal's thread does the latter (journal_after). In memory the key is gone at once. So after a crash the
 * key file is that of E, with or without the seal of E in the journal, or of E + 1 with it. seal_open() tells them
 * apart by the last seal, and only moves the key forward.
 *
 * Diagnostics (*trouble): the key is missing though the journal has seals; the key can't be read; the journal ends
 * before the key's epoch (records were cut off); the last seal was not made with this key. Sealing goes on where there
 * is a key; verify names the gap for ever. */
#include "core/journal/seal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/journal/key.h"
#include "core/journal/record.h"
#include "core/journal/segment.h"

#define CLOCK_STEP_MS 1000
/* Without a key, or before the first seal, so much of the journal's end is searched for seals. */
#define SEARCH_BYTES (64u << 20)

struct seal {
    struct journal *journal;
    char *key_path;
    struct key key; /* of the epoch that is under way */
    int64_t every_ms;
    int64_t due_ms; /* monotonic: what the last seal has promised */
    struct instant last;
};

/* ---- the key on disk ------------------------------------------------------------------------------------------- */

/* On the journal's thread. */
struct store {
    char *path;
    struct key key;
};

static void store_key(void *context, bool durable)
{
    struct store *store = context;
    int code = durable ? key_store(store->path, &store->key) : 0;
    if (code < 0)
        log_error("journal", "the sealing key '%s' can't be replaced: %s; it stays that of an earlier epoch",
                  store->path, error_text(code));
    key_wipe(&store->key);
    free(store->path);
    free(store);
}

static void store_after(struct seal *seal, uint64_t seq)
{
    struct store *store = heap_alloc(sizeof *store);
    *store = (struct store){ heap_text(seal->key_path), seal->key };
    journal_after(seal->journal, seq, store_key, store);
}

/* ---- sealing --------------------------------------------------------------------------------------------------- */

static void sign(void *context, const char *bytes, size_t length, char mac[DIGEST_HEX_SIZE])
{
    const struct seal *seal = context;
    key_sign(&seal->key, journal_id(seal->journal), bytes, length, mac);
}

static void make(struct seal *seal, struct instant now, const char *why)
{
    char members[128];
    int64_t every_s = seal->every_ms / 1000 > 0 ? seal->every_ms / 1000 : 1;
    snprintf(members, sizeof members, "\"epoch\":%llu,\"every\":%lld,\"why\":\"%s\"",
             (unsigned long long)seal->key.epoch, (long long)every_s, why);
    const struct journal_entry entry = { now.wall_ms, RECORD_SEALED, "journal", members, sign, seal };
    uint64_t seq = journal_append_entry(seal->journal, &entry);
    key_evolve(&seal->key, seal->key.epoch + 1);
    store_after(seal, seq);
    seal->last = now;
    seal->due_ms = now.mono_ms + every_s * 1000;
}

static bool is_stepped(const struct seal *seal, struct instant now)
{
    int64_t by_ms = (now.wall_ms - now.mono_ms) - (seal->last.wall_ms - seal->last.mono_ms);
    return by_ms > CLOCK_STEP_MS || by_ms < -CLOCK_STEP_MS;
}

void seal_before(struct seal *seal, struct instant now)
{
    if (seal == NULL)
        return;
    if (is_stepped(seal, now))
        make(seal, now, "clock");
    else if (now.mono_ms >= seal->due_ms)
        make(seal, now, "due");
}

void seal_make(struct seal *seal, struct instant now, const char *why)
{
    if (seal != NULL)
        make(seal, now, why);
}

void seal_set_every(struct seal *seal, int64_t every_ms)
{
    if (seal == NULL)
        return;
    seal->every_ms = every_ms > 0 ? every_ms : SEAL_EVERY_MS;
    if (seal->due_ms > seal->last.mono_ms + seal->every_ms)
        seal->due_ms = seal->last.mono_ms + seal->every_ms;
}

/* ---- the last seal of a journal --------------------------------------------------------------------------------- */

struct last {
    bool found;
    uint64_t epoch;
    struct buf bytes; /* that were signed */
    char mac[DIGEST_HEX_SIZE];
};

static void take_seal(struct last *last, const struct segment_line *line)
{
    struct record record;
    struct record_seal seal;
    if (memmem(line->text, line->length, RECORD_SEALED, strlen(RECORD_SEALED)) == NULL ||
        record_parse(line->text, line->length, &record) < 0 || !record_is(&record, RECORD_SEALED) ||
        record_parse_seal(&record, &seal) < 0)
        return;
    last->found = true;
    last->epoch = seal.epoch;
    buf_reset(&last->bytes);
    buf_add(&last->bytes, line->text, (size_t)(seal.signed_end - line->text));
    memcpy(last->mac, seal.mac, DIGEST_HEX_SIZE - 1);
    last->mac[DIGEST_HEX_SIZE - 1] = '\0';
}

static int search_segment(int folder, const char *name, struct last *last, uint64_t *bytes)
{
    struct segment_lines lines;
    struct segment_line line;
    int next, code = segment_lines_open(&lines, folder, name);
    if (code < 0)
        return code;
    while ((next = segment_lines_next(&lines, &line)) == SEGMENT_LINE || next == SEGMENT_DAMAGED)
        take_seal(last, &line);
    *bytes += lines.offset;
    segment_lines_close(&lines);
    return next < 0 ? next : 0;
}

/* Backwards, segment by segment. */
static int find_last(const char *path, struct last *last, uint64_t most_bytes, struct why *why)
{
    struct segment_list list = { 0 };
    uint64_t bytes = 0;
    int folder = segment_open_folder(path, why);
    if (folder < 0)
        return folder;
    int code = segment_list_open(&list, folder);
    for (size_t i = list.count; code == 0 && i > 0 && !last->found && bytes < most_bytes; i--)
        code = search_segment(folder, list.names[i - 1], last, &bytes);
    segment_list_close(&list);
    close(folder);
    return code < 0 ? why_say(why, code, "the journal's last seal can't be read: %s", error_text(code)) : 0;
}

/* ---- open ------------------------------------------------------------------------------------------------------ */

/* The seal of the key's epoch, or of a later one, is in the journal: the key goes behind it. */
static void catch_up(struct seal *seal, const struct last *last, struct why *trouble)
{
    char mac[DIGEST_HEX_SIZE];
    struct key key = seal->key;
    int code = key_evolve(&key, last->epoch);
    if (code == 0)
        key_sign(&key, journal_id(seal->journal), last->bytes.data, last->bytes.length, mac);
    if (code == 0 && strcmp(mac, last->mac) == 0) {
        key_evolve(&key, last->epoch + 1);
        seal->key = key;
    } else {
        why_say(trouble, ERROR_DAMAGED, "the journal's last seal, of epoch %llu, was not made with the sealing key",
                (unsigned long long)last->epoch);
    }
    key_wipe(&key);
}

static void compare(struct seal *seal, const struct last *last, struct why *trouble)
{
    if (last->found && last->epoch >= seal->key.epoch)
        catch_up(seal, last, trouble);
    else if ((last->found ? last->epoch : 0) + 1 != seal->key.epoch)
        why_say(trouble, ERROR_DAMAGED,
                "the journal ends with the seal of epoch %llu, but the sealing key is of epoch %llu: records were cut "
                "off, or this is not the key's journal",
                (unsigned long long)last->epoch, (unsigned long long)seal->key.epoch);
}

static int read_key(const struct seal_options *options, struct key *key, struct last *last, struct why *trouble)
{
    int code = key_read(options->key_path, key, trouble);
    uint64_t most = code == 0 && key->epoch > 1 ? UINT64_MAX : SEARCH_BYTES;
    int found = find_last(options->folder, last, most, trouble);
    if (code == 0)
        return found;
    if (code == -ENOENT && last->found)
        why_say(trouble, code, "the journal is not sealed any more: the key '%s' is missing", options->key_path);
    return code;
}

struct seal *seal_open(struct journal *journal, const struct seal_options *options, struct instant now,
                       struct why *trouble)
{
    struct key key = { 0 };
    struct last last = { 0 };
    struct seal *seal = NULL;
    *trouble = (struct why){ "" };
    if (read_key(options, &key, &last, trouble) == 0) {
        seal = heap_alloc(sizeof *seal);
        *seal = (struct seal){ .journal = journal, .key_path = heap_text(options->key_path), .key = key };
        seal->every_ms = options->every_ms > 0 ? options->every_ms : SEAL_EVERY_MS;
        compare(seal, &last, trouble);
        make(seal, now, seal->key.epoch == 1 ? "begin" : "start");
    }
    key_wipe(&key);
    buf_close(&last.bytes);
    return seal;
}

void seal_abandon(struct seal **seal)
{
    struct seal *s = *seal;
    if (s == NULL)
        return;
    key_wipe(&s->key);
    free(s->key_path);
    free(s);
    *seal = NULL;
}

void seal_close(struct seal **seal, struct instant now)
{
    if (*seal != NULL && journal_error((*seal)->journal) == 0)
        make(*seal, now, "stop");
    seal_abandon(seal);
}
