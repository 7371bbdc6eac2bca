/* SPDX-License-Identifier: GPL-3.0-or-later */
/* setup - what the daemon finds when it starts: its folders, the locks that keep a second one out, the journal, the
 * snapshot.
 *
 * The snapshot, state/snapshot.json, is {"head": HASH, "schedule": ..., "damage": ..., "drills": ..., "recovery": ...,
 * "checks": {ID: {"kept": BASE64, "last": BASE64}}}: the schedule's state as of one journal record, the hash of that
 * record (which a snapshot of another journal, or one that is newer than the journal, does not have), what trouble.c
 * knows of, and for each check what is convenient but not history, as core/model encodes it on the wire. Records that
 * are younger are folded in. Throwing it away costs one rate sample and one run.
 *
 * Diagnostics: `another belfryd has 'FOLDER'`, `journal: a torn last record was cut, kept in FILE`, `snapshot is
 * damaged, or not of this journal, and not used`. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/keeper/keeper.h"
#include "core/keeper/trouble.h"

#define LOCK_WAIT_MS 1000

/* ---- folders and locks ----------------------------------------------------------------------------------------- */

static int make_folder(const char *folder, unsigned mode)
{
    int failed = file_make_folders(folder, mode);
    if (failed)
        log_error("keeper", "'%s' can't be made: %s; set state_dir and run_dir to folders that this user may write to",
                  folder, error_text(failed));
    return failed ? EX_CANTCREAT : 0;
}

/* Waits a moment for it: a daemon that was just killed has its lock until the kernel has taken it apart. */
static bool lock_file(int fd)
{
    const struct timespec pause = { 0, 20 * 1000000 };
    int64_t end_ms = clock_now_ms() + LOCK_WAIT_MS;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || clock_now_ms() >= end_ms)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* `folder` is what the setting `setting` says. */
static int take_lock(const char *folder, const char *name, const char *setting, int *fd)
{
    struct arena arena = { 0 };
    const char *path = file_join(&arena, folder, name);
    int status = 0;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0 && errno == EROFS) /* then it locks all the same */
        *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0) {
        log_error("keeper", "'%s' can't be opened: %s; set %s to a folder that this user may write to", path,
                  strerror(errno), setting);
        status = EX_CANTCREAT;
    } else if (!lock_file(*fd)) {
        char pid[32] = "";
        ssize_t n = pread(*fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
        log_error("keeper", "another belfryd (process %s) has '%s'; stop it, or set another %s",
                  pid[0] ? pid : "unknown", folder, setting);
        status = EX_TEMPFAIL;
    } else if (ftruncate(*fd, 0) != 0 || dprintf(*fd, "%d\n", (int)getpid()) < 0) {
        log_warn("keeper", "'%s' can't be written: %s", path, strerror(errno));
    }
    arena_close(&arena);
    return status;
}

/* The second lock keeps a daemon with another state folder from taking this one's control socket away. */
static int take_locks(struct keeper *keeper)
{
    const struct config *config = keeper->config;
    int status = take_lock(config->state_dir, "lock", "state_dir", &keeper->lock_fd);
    return status ? status : take_lock(config->run_dir, "control.lock", "run_dir", &keeper->control_lock_fd);
}

/* ---- snapshot -------------------------------------------------------------------------------------------------- */

static void put_base64(struct buf *out, const struct buf *bytes)
{
    size_t size = 4 * ((bytes->length + 2) / 3);
    buf_char(out, '"');
    char *room = buf_room(out, size + 1);
    if (room && bytes->length > 0) {
        EVP_EncodeBlock((unsigned char *)room, (const unsigned char *)bytes->data, (int)bytes->length);
        out->length += size;
    }
    buf_char(out, '"');
}

static void get_base64(struct buf *out, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    buf_reset(out);
    if (length == 0 || length % 4 != 0)
        return;
    char *room = buf_room(out, length / 4 * 3 + 1);
    int n = room ? EVP_DecodeBlock((unsigned char *)room, (const unsigned char *)text, (int)length) : -1;
    if (n < 0)
        return;
    size_t padding = text[length - 1] != '=' ? 0 : text[length - 2] != '=' ? 1 : 2;
    out->length = (size_t)n - padding;
}

static void put_baselines(struct buf *out, const struct watched *watched)
{
    struct buf bytes = { 0 };
    if (watched->baselines.count == 0)
        return;
    baseline_save(&bytes, watched);
    buf_text(out, ",\"baselines\":");
    put_base64(out, &bytes);
    buf_close(&bytes);
}

static void compose_snapshot(struct keeper *keeper, struct buf *out, bool with_last)
{
    static const struct buf none = { 0 };
    const char *comma = "";
    json_t *trouble = trouble_save(keeper), *drills = drill_save(keeper), *recovery = recovery_save(keeper);
    buf_print(out, "{\"head\":\"%s\",\"schedule\":", journal_head(keeper->journal));
    schedule_snapshot(keeper->schedule, out);
    char *damage = json_dumps(trouble, JSON_COMPACT);
    char *drilled = json_dumps(drills, JSON_COMPACT);
    char *recovered = json_dumps(recovery, JSON_COMPACT);
    buf_print(out, ",\"damage\":%s,\"drills\":%s,\"recovery\":%s,\"checks\":{", damage ? damage : "[]",
              drilled ? drilled : "[]", recovered ? recovered : "[]");
    free(damage);
    free(drilled);
    free(recovered);
    json_decref(trouble);
    json_decref(drills);
    json_decref(recovery);
    for (uint32_t i = 0; i < keeper->watched_count; i++) {
        const struct watched *watched = keeper->watched[i];
        if (!watched->known)
            continue;
        buf_text(out, comma);
        buf_json_text(out, watched->id);
        buf_text(out, ":{\"kept\":");
        put_base64(out, &watched->kept);
        buf_text(out, ",\"last\":");
        put_base64(out, with_last ? &watched->last : &none);
        put_baselines(out, watched);
        buf_char(out, '}');
        comma = ",";
    }
    buf_text(out, "}}");
}

void setup_snapshot(struct keeper *keeper, bool force)
{
    uint64_t seq = journal_last(keeper->journal);
    int64_t now_ms = clock_now_ms();
    if (!force && (keeper->runs == keeper->snapshot_runs || now_ms - keeper->snapshot_ms < SNAPSHOT_EVERY_MS))
        return;
    keeper->snapshot_ms = now_ms;
    keeper->snapshot_runs = keeper->runs;
    struct buf out = { 0 };
    struct arena arena = { 0 };
    compose_snapshot(keeper, &out, true);
    if (out.overflowed) { /* huge results of many checks: they are shown again after the next run */
        buf_reset(&out);
        compose_snapshot(keeper, &out, false);
    }
    if (out.overflowed)
        log_warn("keeper", "the state of all checks does not fit into a snapshot; the next start reads the journal");
    else
        journal_snapshot(keeper->journal, file_join(&arena, keeper->config->state_dir, "state/snapshot.json"), seq,
                         out.data, out.length);
    arena_close(&arena);
    buf_close(&out);
}

/* Whether the journal has the record that the snapshot stands for. */
static bool is_of_journal(const struct keeper *keeper, struct arena *arena, uint64_t seq, const char *head)
{
    char hash[DIGEST_HEX_SIZE];
    return head && journal_find(file_join(arena, keeper->config->state_dir, "journal"), seq, hash) == 0 &&
           strcmp(hash, head) == 0;
}

/* Returns the number of the record that the snapshot stands for, 0 when there is none. */
static uint64_t read_snapshot(struct keeper *keeper)
{
    struct arena arena = { 0 };
    const char *path = file_join(&arena, keeper->config->state_dir, "state/snapshot.json");
    uint64_t seq = 0;
    char *text = NULL;
    size_t length = 0;
    int failed = journal_snapshot_read(&arena, path, &seq, &text, &length);
    json_t *root = failed ? NULL : json_loadb(text, length, 0, NULL);
    char *schedule = root ? json_dumps(json_object_get(root, "schedule"), JSON_COMPACT) : NULL;
    bool known = is_of_journal(keeper, &arena, seq, json_string_value(json_object_get(root, "head")));
    if (schedule && known && schedule_restore_snapshot(keeper->schedule, schedule, strlen(schedule)) == 0) {
        keeper->remembered = json_incref(json_object_get(root, "checks"));
        trouble_restore(keeper, json_object_get(root, "damage"));
        drill_restore(keeper, json_object_get(root, "drills"));
        recovery_restore(keeper, json_object_get(root, "recovery"));
    } else {
        seq = 0;
        if (failed != -ENOENT)
            log_warn("keeper", "snapshot '%s' is %s and not used: the journal is read from its beginning", path,
                     schedule && !known ? "not of this journal" : "damaged");
    }
    free(schedule);
    json_decref(root);
    arena_close(&arena);
    return seq;
}

void setup_adopt(struct keeper *keeper, struct watched *watched)
{
    const json_t *check = json_object_get(keeper->remembered, watched->id);
    if (!check)
        return;
    struct arena arena = { 0 };
    struct kept kept;
    struct result result;
    get_base64(&watched->kept, json_string_value(json_object_get(check, "kept")));
    get_base64(&watched->last, json_string_value(json_object_get(check, "last")));
    struct buf baselines = { 0 };
    get_base64(&baselines, json_string_value(json_object_get(check, "baselines")));
    baseline_restore(watched, &baselines);
    buf_close(&baselines);
    struct wire_reader r = { .at = (const unsigned char *)watched->kept.data,
                             .end = (const unsigned char *)watched->kept.data + watched->kept.length };
    if (watched->kept.length > 0 && (kept_decode(&r, &arena, &kept) != 0 || wire_done(&r) != 0))
        buf_reset(&watched->kept);
    if (!dispatch_last(keeper, watched, &arena, &result))
        buf_reset(&watched->last);
    arena_close(&arena);
}

void setup_forget_remembered(struct keeper *keeper)
{
    json_decref(keeper->remembered);
    keeper->remembered = NULL;
}

/* ---- journal --------------------------------------------------------------------------------------------------- */

static int fold(void *context, const struct journal_record *record)
{
    struct keeper *keeper = context;
    struct event event;
    if (keep_fold(keeper, record))
        return 0;
    arena_reset(&keeper->scratch);
    if (event_decode(&keeper->scratch, record->line, record->length, &event) != 0)
        return 0;
    schedule_restore_event(keeper->schedule, &event);
    trouble_fold(keeper, &event);
    drill_fold(keeper, &event);
    recovery_fold(keeper, &event);
    return 0;
}

static int open_journal(struct keeper *keeper)
{
    struct arena arena = { 0 };
    struct why why = { "" };
    struct journal_recovery recovery = { 0 };
    const struct journal_options options = { .folder = file_join(&arena, keeper->config->state_dir, "journal"),
                                             .tend = true };
    trouble_open(keeper);
    keep_open(keeper);
    drill_open(keeper);
    recovery_open_all(keeper);
    uint64_t seq = read_snapshot(keeper);
    int failed = journal_open(&options, seq, fold, keeper, &keeper->journal, &recovery, &why);
    if (failed)
        log_error("keeper", "the journal in '%s' can't be opened: %s", options.folder, why.text);
    keep_folded(keeper);
    drill_folded(keeper);
    recovery_folded(keeper);
    if (!failed) {
        guard_open(keeper);
        trouble_tell(keeper, &recovery);
    }
    arena_close(&arena);
    return failed ? EX_IOERR : 0;
}

int setup_state(struct keeper *keeper)
{
    struct arena arena = { 0 };
    const struct config *config = keeper->config;
    int status = make_folder(config->state_dir, 0700);
    if (!status)
        status = make_folder(file_join(&arena, config->state_dir, "state"), 0700);
    if (!status)
        status = make_folder(config->run_dir, 0750);
    if (!status)
        status = take_locks(keeper);
    if (!status)
        panic_watch(file_join(&arena, config->state_dir, "state"));
    if (!status)
        status = open_journal(keeper);
    arena_close(&arena);
    return status;
}

int setup_close(struct keeper *keeper)
{
    int failed = 0;
    if (keeper->journal) {
        guard_close(keeper);
        failed = journal_close(&keeper->journal);
        if (failed)
            log_error("keeper", "the journal could not be completed: %s", error_text(failed));
    }
    trouble_close(keeper);
    keep_close(keeper);
    setup_forget_remembered(keeper);
    if (keeper->control_lock_fd >= 0)
        close(keeper->control_lock_fd);
    if (keeper->lock_fd >= 0)
        close(keeper->lock_fd);
    return failed ? EX_IOERR : 0;
}
