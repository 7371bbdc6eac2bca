/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trouble - see trouble.h.
 *
 * While the disk takes nothing (full, read-only, broken), checks are run and judged as ever; their events wait in
 * memory, as many bytes of them as the reserve has, and what is more is counted. Commands that must be recorded are
 * refused. All of this ends by itself when the disk takes records again. Records (journal.space):
 *
 *     low      space is short: the reserve was given back, and records are written into its place
 *     stalled  nothing can be written (this one is, once something can be again)
 *     back     all is well; count: events that were not recorded
 *
 * So it is with a disk that takes nothing when the daemon starts; what the journal's recovery has to write waits, too.
 *
 * Damage (journal.damaged) is on the board until somebody has said that it was seen (journal.acknowledged).
 *
 * state_dir/state/journal-failed holds, in one line, why a daemon stopped whose sync had failed. */
#include "core/keeper/trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/log.h"

#define DAMAGE_MAX 64u
#define WAITING_BYTES (16u << 20)       /* without a reserve */
#define WAITING_BYTES_SLOW (256u << 20) /* of a disk that is slow */

enum space {
    SPACE_FINE,
    SPACE_LOW,
    SPACE_STALLED
};
static const char *const space_names[] = { "fine", "low", "stalled" };

struct damage {
    char segment[64], kind[32], text[256];
    int64_t line, at_ms;
    bool seen;
};

struct trouble {
    enum space space;
    int code; /* of the stall, or of the one before */
    int64_t since_ms;
    uint64_t unrecorded;
    char recovered[512]; /* what was done at the start, or "" */
    int64_t recovered_ms;
    struct damage damage[DAMAGE_MAX];
    uint32_t damage_count;
};

void trouble_open(struct keeper *keeper)
{
    keeper->trouble = heap_alloc(sizeof *keeper->trouble);
}

void trouble_close(struct keeper *keeper)
{
    if (keeper->trouble && keeper->trouble->unrecorded > 0)
        log_error("keeper", "while the disk took nothing, too many events came: %llu more are not recorded",
                  (unsigned long long)keeper->trouble->unrecorded);
    free(keeper->trouble);
    keeper->trouble = NULL;
}

/* ---- damage ---------------------------------------------------------------------------------------------------- */

static const struct damage *find_damage(const struct trouble *trouble, const char *segment, int64_t line)
{
    for (uint32_t i = 0; i < trouble->damage_count; i++)
        if (trouble->damage[i].line == line && strcmp(trouble->damage[i].segment, segment) == 0)
            return &trouble->damage[i];
    return NULL;
}

static struct damage *add_damage(struct trouble *trouble, const char *segment, int64_t line)
{
    if (!segment || trouble->damage_count == DAMAGE_MAX || find_damage(trouble, segment, line))
        return NULL;
    struct damage *damage = &trouble->damage[trouble->damage_count++];
    text_copy(damage->segment, sizeof damage->segment, segment);
    damage->line = line;
    return damage;
}

void trouble_fold(struct keeper *keeper, const struct event *event)
{
    struct trouble *trouble = keeper->trouble;
    if (event->type == EVENT_JOURNAL_ACKNOWLEDGED)
        for (uint32_t i = 0; i < trouble->damage_count; i++)
            trouble->damage[i].seen = true;
    if (event->type != EVENT_JOURNAL_DAMAGED)
        return;
    struct damage *damage = add_damage(trouble, event->path, event->line);
    if (!damage)
        return;
    text_copy(damage->kind, sizeof damage->kind, event->name ? event->name : "");
    text_copy(damage->text, sizeof damage->text, event->text ? event->text : "");
    damage->at_ms = event->wall_ms;
}

json_t *trouble_save(const struct keeper *keeper)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < keeper->trouble->damage_count; i++) {
        const struct damage *damage = &keeper->trouble->damage[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:s, s:I, s:b}", "segment", damage->segment, "line",
                                              (json_int_t)damage->line, "kind", damage->kind, "text", damage->text,
                                              "at", (json_int_t)damage->at_ms, "seen", damage->seen));
    }
    return list;
}

void trouble_restore(struct keeper *keeper, const json_t *saved)
{
    for (size_t i = 0; i < json_array_size(saved); i++) {
        const char *segment = NULL, *kind = NULL, *text = NULL;
        json_int_t line = 0, at_ms = 0;
        int seen = 0;
        if (json_unpack(json_array_get(saved, i), "{s:s, s:I, s:s, s:s, s:I, s:b}", "segment", &segment, "line", &line,
                        "kind", &kind, "text", &text, "at", &at_ms, "seen", &seen) != 0)
            continue;
        struct damage *damage = add_damage(keeper->trouble, segment, line);
        if (!damage)
            continue;
        text_copy(damage->kind, sizeof damage->kind, kind);
        text_copy(damage->text, sizeof damage->text, text);
        damage->at_ms = at_ms;
        damage->seen = seen != 0;
    }
}

static void record(struct keeper *keeper, const struct event *event)
{
    struct event stamped = *event;
    stamped.wall_ms = clock_wall_ms();
    keeper_emit(keeper, &stamped);
    trouble_fold(keeper, &stamped);
}

uint32_t trouble_acknowledge(struct keeper *keeper, const char *by)
{
    uint32_t count = 0;
    char text[64];
    for (uint32_t i = 0; i < keeper->trouble->damage_count; i++)
        count += !keeper->trouble->damage[i].seen;
    snprintf(text, sizeof text, "%u %s", count, count == 1 ? "place" : "places");
    if (count > 0)
        record(keeper, &(struct event){ .type = EVENT_JOURNAL_ACKNOWLEDGED, .by = by, .text = text });
    keeper->trouble->recovered[0] = '\0';
    return count;
}

/* ---- at the start ---------------------------------------------------------------------------------------------- */

static char *note_path(struct keeper *keeper, struct arena *arena)
{
    return file_join(arena, keeper->config->state_dir, "state/journal-failed");
}

/* Best effort: the disk has just failed. It need not survive more than this daemon. */
void trouble_failed(struct keeper *keeper, int code)
{
    struct arena arena = { 0 };
    int fd = open(note_path(keeper, &arena), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || dprintf(fd, "%s (%s)\n", error_text(code), error_name(code)) < 0)
        log_warn("keeper", "no note of it could be left: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    arena_close(&arena);
}

static void tell_recovered(struct keeper *keeper, const struct event *event)
{
    struct trouble *trouble = keeper->trouble;
    text_copy(trouble->recovered, sizeof trouble->recovered, event->text);
    trouble->recovered_ms = clock_wall_ms();
    record(keeper, event);
}

static void drop_note(struct keeper *keeper)
{
    struct arena arena = { 0 };
    unlink(note_path(keeper, &arena));
    arena_close(&arena);
}

/* Why the last daemon stopped, if it was the disk: its own word is better than a note that the disk may not have taken.
 */
static char *failure_before(struct keeper *keeper, struct arena *arena)
{
    char *why = NULL;
    size_t length;
    if (keeper->again.restarted)
        return arena_print(arena, "%s (%s); it has started again by itself", error_text(keeper->again.code),
                           error_name(keeper->again.code));
    if (file_read(arena, note_path(keeper, arena), 256, &why, &length) != 0)
        return NULL;
    why[strcspn(why, "\n")] = '\0';
    return why;
}

static void tell_failed(struct keeper *keeper, const struct journal_recovery *recovery)
{
    struct arena arena = { 0 };
    char text[400];
    const char *why = failure_before(keeper, &arena);
    if (why) {
        snprintf(
            text, sizeof text,
            "the daemon had stopped because its disk failed: %s; what is on disk was read again, up to record %llu",
            why, (unsigned long long)recovery->end_seq);
        tell_recovered(keeper, &(struct event){ .type = EVENT_JOURNAL_RECOVERED,
                                                .path = recovery->end_segment,
                                                .offset = (int64_t)recovery->end_bytes,
                                                .text = text });
        drop_note(keeper);
    }
    arena_close(&arena);
}

static void tell_cut(struct keeper *keeper, const struct journal_recovery *recovery)
{
    char text[300], count[TEXT_COUNT_SIZE];
    snprintf(text, sizeof text, "a torn last record was cut at offset %llu: %s, kept in %s",
             (unsigned long long)recovery->offset, text_count(count, recovery->bytes, "byte"), recovery->saved);
    tell_recovered(keeper, &(struct event){ .type = EVENT_JOURNAL_RECOVERED,
                                            .path = recovery->segment,
                                            .offset = (int64_t)recovery->offset,
                                            .bytes = (int64_t)recovery->bytes,
                                            .sha256 = recovery->sha256,
                                            .text = text });
}

/* What was repaired, and what is damaged and not known yet. */
static void tell_found(struct keeper *keeper, const struct journal_recovery *recovery)
{
    uint32_t kept = sizeof recovery->faults / sizeof recovery->faults[0];
    if (recovery->cut)
        tell_cut(keeper, recovery);
    for (uint32_t i = 0; i < recovery->fault_count && i < kept; i++) {
        const struct journal_fault *fault = &recovery->faults[i];
        if (!find_damage(keeper->trouble, fault->segment, (int64_t)fault->line))
            record(keeper, &(struct event){ .type = EVENT_JOURNAL_DAMAGED,
                                            .path = fault->segment,
                                            .line = (int64_t)fault->line,
                                            .name = fault->kind,
                                            .text = fault->text });
    }
}

void trouble_tell(struct keeper *keeper, const struct journal_recovery *recovery)
{
    tell_failed(keeper, recovery);
    tell_found(keeper, recovery);
}

void trouble_configure(struct keeper *keeper)
{
    const struct journal_options options = { .segment_bytes = keeper->config->journal_segment_bytes,
                                             .sync_every_ms = keeper->config->journal_sync_ms,
                                             .reserve_bytes = keeper->config->journal_reserve_bytes };
    journal_configure(keeper->journal, &options);
}

/* ---- while it runs --------------------------------------------------------------------------------------------- */

static uint64_t waiting_bytes(const struct keeper *keeper)
{
    if (!journal_stalled(keeper->journal))
        return WAITING_BYTES_SLOW;
    return keeper->config->journal_reserve_bytes ? keeper->config->journal_reserve_bytes : WAITING_BYTES;
}

bool trouble_takes(struct keeper *keeper)
{
    if (journal_queued_bytes(keeper->journal) < waiting_bytes(keeper))
        return true;
    keeper->trouble->unrecorded++;
    return false;
}

static void tell_space(struct keeper *keeper, enum space now)
{
    const struct trouble *trouble = keeper->trouble;
    struct event event = { .type = EVENT_JOURNAL_SPACE, .count = (int64_t)trouble->unrecorded };
    char text[400];
    event.text = text;
    if (now == SPACE_FINE) {
        event.name = "back";
        snprintf(text, sizeof text, "the journal is written again, after %.0f s; %llu %s not recorded",
                 (double)(clock_now_ms() - trouble->since_ms) / 1000, (unsigned long long)trouble->unrecorded,
                 trouble->unrecorded == 1 ? "event was" : "events were");
    } else if (now == SPACE_LOW) {
        event.name = "low";
        snprintf(text, sizeof text,
                 "the disk of '%s' is full: the reserve was given back; commands that must be recorded are refused",
                 keeper->config->state_dir);
    } else {
        event.name = "stalled";
        snprintf(text, sizeof text, "the journal in '%s' can't be written: %s (%s); events wait in memory",
                 keeper->config->state_dir, error_text(trouble->code), error_name(trouble->code));
    }
    keeper_emit(keeper, &event);
}

void trouble_check(struct keeper *keeper)
{
    struct trouble *trouble = keeper->trouble;
    struct journal_recovery recovery;
    if (journal_recovered(keeper->journal, &recovery)) {
        tell_found(keeper, &recovery);
        drop_note(keeper);
    }
    int code = journal_stalled(keeper->journal);
    bool low = journal_is_low(keeper->journal);
    enum space now = code ? SPACE_STALLED : low ? SPACE_LOW : SPACE_FINE;
    if (code || low)
        trouble->code = code ? code : -ENOSPC;
    if (now == trouble->space)
        return;
    if (trouble->space == SPACE_FINE)
        trouble->since_ms = clock_now_ms();
    trouble->space = now;
    tell_space(keeper, now);
    if (now == SPACE_FINE)
        trouble->unrecorded = 0;
}

const char *trouble_refuses(const struct keeper *keeper, struct why *why)
{
    static const struct {
        int code;
        const char *name, *remedy;
    } kinds[] = {
        { -ENOSPC, "disk-full", "free some space" },
        { -EDQUOT, "disk-full", "free some space, or raise the quota" },
        { -EROFS, "read-only", "make the file system writable again" },
        { 0, "disk-error", "look at the disk" },
    };
    const struct trouble *trouble = keeper->trouble;
    size_t i = 0;
    if (trouble->space == SPACE_FINE)
        return NULL;
    while (kinds[i].code && kinds[i].code != trouble->code)
        i++;
    why_say(why, trouble->code, "nothing was done: it could not be recorded, the disk of '%s' gives %s (%s); %s",
            keeper->config->state_dir, error_name(trouble->code), error_text(trouble->code), kinds[i].remedy);
    return kinds[i].name;
}

static json_t *view_damage(const struct trouble *trouble)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < trouble->damage_count; i++) {
        const struct damage *damage = &trouble->damage[i];
        if (!damage->seen)
            json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:s, s:I}", "segment", damage->segment, "line",
                                                  (json_int_t)damage->line, "kind", damage->kind, "text", damage->text,
                                                  "at", (json_int_t)damage->at_ms));
    }
    return list;
}

json_t *trouble_view(const struct keeper *keeper)
{
    const struct trouble *trouble = keeper->trouble;
    bool fine = trouble->space == SPACE_FINE;
    char sync[TEXT_DURATION_SIZE] = "always";
    if (keeper->config->journal_sync_ms)
        text_format_duration(sync, keeper->config->journal_sync_ms);
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "sync", sync, "state",
                     space_names[trouble->space], "error", fine ? json_null() : json_string(error_name(trouble->code)),
                     "waiting_bytes", (json_int_t)journal_queued_bytes(keeper->journal), "unrecorded",
                     (json_int_t)trouble->unrecorded, "durable", (json_int_t)journal_durable(keeper->journal),
                     "recovered", trouble->recovered[0] ? json_string(trouble->recovered) : json_null(), "damage",
                     view_damage(trouble), "anchor_failed", guard_view(keeper));
}
