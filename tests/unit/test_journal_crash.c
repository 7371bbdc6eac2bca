/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal on a bad disk (tests/journal_disk.h). A script of appends, rotations and a snapshot runs over a disk that
 * fails, tears or stops at operation n, for n = 1, 2, 3 ... until the script needs fewer operations than n; then the
 * power goes, the journal is opened again and everything that was acknowledged must be there, in an unbroken chain. The
 * same is done with a second stop in the middle of the recovery, and with a disk that refuses some operations of the
 * recovery and takes them a moment later: the journal is opened all the same, and what is appended meanwhile gets
 * there. */
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/journal/writer.h"
#include "tests/journal_disk.h"
#include "tests/tap.h"

/* ---- the script -------------------------------------------------------------------------------------------------- */

#define SEGMENT_BYTES 1200
#define SCRIPT_STEPS 24
#define SEQ_MAX 200
#define LATE_MAX 10 /* operations of a recovery */

static struct {
    unsigned texts[SEQ_MAX]; /* what record seq says; 0: not the script's */
    uint64_t acknowledged;
    unsigned torn, opened, late; /* of all rounds */
    uint64_t segment_bytes;
    char id[33]; /* of the journal that was acknowledged */
} script = { .segment_bytes = SEGMENT_BYTES };

static struct disk disk;

static struct journal *open_on(const struct journal_disk *table, journal_visit visit, void *context,
                               struct journal_recovery *recovery)
{
    struct journal_options options = { .folder = folder, .segment_bytes = script.segment_bytes };
    struct writer_open request = { table, &options, 0, visit, context, 1 };
    struct journal *journal = NULL;
    writer_open(&request, &journal, recovery, &why);
    script.torn += recovery->cut;
    return journal;
}

static void append_one(struct journal *journal)
{
    static unsigned number;
    char members[64];
    snprintf(members, sizeof members, "\"text\":\"number %u\"", ++number);
    uint64_t seq = journal_append(journal, T0, "check.state", "keeper", members);
    script.texts[seq] = number;
    if (script.texts[seq - 1] != number - 1)
        script.texts[seq - 1] = 0; /* a new segment's record took that number */
}

static void acknowledge(const struct journal *journal)
{
    snprintf(script.id, sizeof script.id, "%s", journal_id(journal));
    if (journal_durable(journal) > script.acknowledged)
        script.acknowledged = journal_durable(journal);
}

static void run_script(struct journal *journal)
{
    for (unsigned i = 0; i < SCRIPT_STEPS; i++) {
        append_one(journal);
        if (i % 3 == 2)
            append_one(journal);
        int code = i % 4 != 1 ? wait_durable(journal, journal_last(journal)) : 0; /* else two groups may become one */
        acknowledge(journal);
        if (code != 0)
            return;
        if (i % 5 == 4)
            journal_snapshot(journal, path_of("snapshot.json"), journal_last(journal), "{}", 2);
    }
}

/* ---- torn bytes are kept ----------------------------------------------------------------------------------------- */

static struct {
    char *bytes;
    size_t length;
} tail;

/* What stands behind the last newline of the last segment. */
static void remember_tail(void)
{
    char last[256] = "";
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (strlen(entry->d_name) == strlen(FIRST_SEGMENT) && strcmp(entry->d_name, last) > 0)
            snprintf(last, sizeof last, "%s", entry->d_name);
    closedir(dir);
    free(tail.bytes);
    tail.bytes = NULL;
    tail.length = 0;
    if (last[0] == '\0')
        return;
    size_t length;
    char *bytes = read_whole(last, &length);
    const char *newline = memrchr(bytes, '\n', length);
    size_t begin = newline != NULL ? (size_t)(newline + 1 - bytes) : 0;
    tail.length = length - begin;
    tail.bytes = memmove(bytes, bytes + begin, tail.length);
}

/* Some file ends with it. */
static bool is_tail_kept(void)
{
    bool found = tail.length == 0;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (!found && (entry = readdir(dir)) != NULL) {
        size_t length;
        if (entry->d_name[0] == '.')
            continue;
        char *bytes = read_whole(entry->d_name, &length);
        found = length >= tail.length && memcmp(bytes + length - tail.length, tail.bytes, tail.length) == 0;
        free(bytes);
    }
    closedir(dir);
    return found;
}

/* ---- what must hold afterwards ----------------------------------------------------------------------------------- */

struct check {
    uint64_t next;
    const char *trouble;
};

static int check_record(void *context, const struct journal_record *record)
{
    struct check *check = context;
    const char *text = strstr(record->line, "\"text\":\"number ");
    if (record->seq != check->next++)
        check->trouble = "a number is missing or twice";
    if (text != NULL && record->seq < SEQ_MAX && script.texts[record->seq] != 0 &&
        (unsigned)strtoul(text + 15, NULL, 10) != script.texts[record->seq])
        check->trouble = "a record is another than was acknowledged";
    return 0;
}

static const char *check_snapshot(uint64_t last)
{
    struct arena arena = { 0 };
    uint64_t seq = 0;
    char *json;
    size_t length;
    int code = journal_snapshot_read(&arena, path_of("snapshot.json"), &seq, &json, &length);
    arena_close(&arena);
    if (code != 0 && code != -ENOENT)
        return "a snapshot is neither old nor new";
    return code == 0 && seq > last ? "a snapshot is ahead of its journal" : NULL;
}

static const char *check_whole(void)
{
    struct journal_report report;
    if (journal_verify(folder, NULL, &report, &why) != 0)
        return "verify can't read it";
    if (report.fault_count > 0)
        printf("# %s line %" PRIu64 " %s: %s\n", report.faults[0].segment, report.faults[0].line, report.faults[0].kind,
               report.faults[0].text);
    return report.fault_count > 0 || report.torn_tail ? "verify finds faults" : NULL;
}

/* Opens on a good disk: NULL, or what is wrong. */
static const char *check_recovered(void)
{
    if (!is_tail_kept())
        return "torn bytes are lost";
    struct check check = { .next = 1 };
    struct journal_recovery recovery;
    struct journal *journal = open_on(&disk_system, check_record, &check, &recovery);
    if (journal == NULL)
        return "it can't be opened any more";
    script.opened++;
    const char *trouble = check.trouble;
    if (trouble == NULL && recovery.damage[0] != '\0')
        trouble = "a crash looks like damage";
    if (trouble == NULL && script.acknowledged > 0 && strcmp(journal_id(journal), script.id) != 0)
        trouble = "it is another journal";
    if (trouble == NULL && journal_last(journal) < script.acknowledged)
        trouble = "an acknowledged record is lost";
    if (trouble == NULL)
        trouble = check_snapshot(journal_last(journal));
    append_one(journal);
    append_one(journal);
    if (wait_durable(journal, journal_last(journal)) != 0 && trouble == NULL)
        trouble = "it can't be written any more";
    journal_close(&journal);
    return trouble != NULL ? trouble : check_whole();
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

/* Runs the script over the faulty disk and cuts the power; whether the fault came. */
static bool crash(enum fault fault, enum cut cut, unsigned n)
{
    empty_folder();
    memset(script.texts, 0, sizeof script.texts);
    script.acknowledged = 0;
    disk_begin(&disk, fault, n, n * 7 + cut);
    struct journal_recovery recovery;
    struct journal *journal = open_on(&disk.table, NULL, NULL, &recovery);
    if (journal != NULL) {
        acknowledge(journal);
        run_script(journal);
        /* what is acknowledged after an error would be a lie: read it once more at the very end */
        acknowledge(journal);
        journal_close(&journal);
    }
    if (cut != CUT_KILL)
        cut_power(&disk, cut);
    remember_tail();
    return disk.operations >= n;
}

/* The process is killed in operation n: all it wrote is still in memory. It starts again, shows what it finds, and only
 * then the power goes: what was shown must stay. Whether operation n came. */
static bool kill_and_crash(enum fault fault, enum cut cut, unsigned n)
{
    bool came = crash(fault, CUT_KILL, n);
    struct journal_recovery recovery;
    disk.fault = FAULT_NONE;
    disk.stopped = false;
    for (size_t i = 0; i < disk.count; i++)
        disk.files[i].fd = -1;
    script.segment_bytes = n % 2 ? SEGMENT_BYTES : 1; /* 1: goes on in a new segment at once */
    struct journal *journal = open_on(&disk.table, NULL, NULL, &recovery);
    script.segment_bytes = SEGMENT_BYTES;
    if (journal != NULL) {
        acknowledge(journal);
        if (n % 4 < 2)
            append_one(journal);
        wait_durable(journal, journal_last(journal));
        acknowledge(journal);
    }
    journal_close(&journal);
    cut_power(&disk, cut);
    return came;
}

/* Crashes once more in operation m of the recovery; whether it has so many. */
static bool crash_again(enum fault fault, enum cut cut, unsigned m)
{
    disk_begin(&disk, fault, m, m * 13 + cut);
    struct journal_recovery recovery;
    struct journal *journal = open_on(&disk.table, NULL, NULL, &recovery);
    journal_close(&journal);
    cut_power(&disk, cut);
    return disk.operations >= m;
}

/* The disk refuses some operations from the m-th of the recovery on, and then takes them: NULL, or what is wrong. */
static const char *recover_late(enum cut cut, unsigned m, bool *came)
{
    disk_begin(&disk, FAULT_REFUSE, m, m * 17 + cut);
    struct journal_recovery recovery;
    struct journal *journal = open_on(&disk.table, NULL, NULL, &recovery);
    if (journal == NULL)
        return "it is not opened";
    append_one(journal);
    append_one(journal);
    int code = -ETIMEDOUT;
    for (int i = 0; i < 1000 && code != 0 && journal_error(journal) == 0; i++)
        code = wait_durable(journal, journal_last(journal));
    acknowledge(journal);
    if (journal_recovered(journal, &recovery)) {
        script.late++;
        script.torn += recovery.cut;
    }
    const char *trouble = code != 0                             ? "it does not get to the disk"
                          : journal_stalled(journal) != 0       ? "it has not recovered"
                          : disk.operations >= m && !disk.stays ? "the folder is not on disk"
                                                                : NULL;
    journal_close(&journal);
    cut_power(&disk, cut);
    *came = disk.operations >= m;
    return trouble;
}

static void report(const char *trouble, enum fault fault, enum cut cut, unsigned n, unsigned m)
{
    printf("# fault %s at operation %u (then %u), cut %d: %s (%" PRIu64 " acknowledged)\n", fault_names[fault], n, m,
           (int)cut, trouble, script.acknowledged);
}

static void test_crashes(enum fault fault, enum cut cut)
{
    const char *trouble = NULL;
    unsigned n = 1;
    for (bool came = true; came && trouble == NULL; n++) {
        came = crash(fault, cut, n);
        trouble = check_recovered();
        if (trouble != NULL)
            report(trouble, fault, cut, n, 0);
    }
    tap_ok(trouble == NULL && n > 60, "fault '%s', cut %d: nothing is lost at any of %u operations", fault_names[fault],
           (int)cut, n - 2);
}

static void test_kills(enum fault fault, enum cut cut)
{
    const char *trouble = NULL;
    unsigned n = 1;
    for (bool came = true; came && trouble == NULL; n++) {
        came = kill_and_crash(fault, cut, n);
        trouble = check_recovered();
        if (trouble != NULL)
            report(trouble, fault, cut, n, 0);
    }
    tap_ok(trouble == NULL && n > 60, "killed by '%s', started, cut %d: what was shown stays (%u operations)",
           fault_names[fault], (int)cut, n - 2);
}

static void test_crashes_in_recovery(enum fault fault, enum cut cut, enum cut second)
{
    const char *trouble = NULL;
    unsigned rounds = 0;
    bool came = true;
    for (unsigned n = 1; came && trouble == NULL; n++) {
        bool again = true;
        for (unsigned m = 1; again && trouble == NULL; m++, rounds++) {
            came = crash(fault, cut, n);
            again = crash_again(fault, second, m);
            trouble = check_recovered();
            if (trouble != NULL)
                report(trouble, fault, cut, n, m);
        }
    }
    tap_ok(trouble == NULL && rounds > 80,
           "fault '%s', cut %d then %d: nor by a second crash in the recovery (%u rounds)", fault_names[fault],
           (int)cut, (int)second, rounds);
}

static void test_late_recovery(enum fault fault, enum cut cut)
{
    const char *trouble = NULL;
    unsigned rounds = 0;
    bool came = true;
    for (unsigned n = 1; came && trouble == NULL; n += 3) {
        bool again = true;
        for (unsigned m = 1; again && m <= LATE_MAX && trouble == NULL; m++, rounds++) {
            came = crash(fault, cut, n);
            trouble = recover_late(cut, m, &again);
            if (trouble == NULL)
                trouble = check_recovered();
            if (trouble != NULL)
                report(trouble, fault, cut, n, m);
        }
    }
    tap_ok(trouble == NULL && rounds > 80,
           "fault '%s', cut %d: the disk that refuses to recover takes it later (%u rounds)", fault_names[fault],
           (int)cut, rounds);
}

/* ---- what is found later is not what was read -------------------------------------------------------------------- */

static int open_read_only(void *self, int at, const char *name, int flags)
{
    const _Atomic bool *read_only = self;
    return *read_only && (flags & O_ACCMODE) != O_RDONLY ? -EROFS : disk_system.open(NULL, at, name, flags);
}

/* A record that was read at the start is gone from the disk when that takes writes again. */
static void test_lost_meanwhile(void)
{
    _Atomic bool read_only = false;
    struct journal_disk table = disk_system;
    struct journal_recovery recovery;
    size_t length;
    table.self = &read_only;
    table.open = open_read_only;
    empty_folder();
    struct journal *journal = open_on(&table, NULL, NULL, &recovery);
    append_one(journal);
    append_one(journal);
    journal_close(&journal);
    read_only = true;
    journal = open_on(&table, NULL, NULL, &recovery);
    tap_ok(journal != NULL && journal_stalled(journal) == -EROFS, "a journal on a read-only disk is opened, stalled");
    tap_is_int((int64_t)journal_durable(journal), 0, "nothing of it counts as being on disk");
    append_one(journal);
    char *bytes = read_whole(FIRST_SEGMENT, &length);
    write_whole(FIRST_SEGMENT, bytes, line_offset(bytes, 3));
    free(bytes);
    read_only = false;
    for (int i = 0; i < 1000 && journal_error(journal) == 0; i++)
        wait_durable(journal, journal_last(journal));
    tap_is_int(journal_error(journal), ERROR_REFUSED, "it fails when a record that was read has been lost");
    tap_is_int(journal_close(&journal), ERROR_REFUSED, "which its owner gets to know");
    bytes = read_whole(FIRST_SEGMENT, &length);
    tap_is_int((int64_t)length, (int64_t)line_offset(bytes, 3), "and nothing is written behind the gap");
    free(bytes);
}

int main(void)
{
    log_setup(LOG_LEVEL_ERROR); /* snapshots that can't be written are told as warnings */
    make_folder();
    test_lost_meanwhile();
    for (enum cut cut = CUT_NONE; cut <= CUT_ALL; cut++)
        for (enum fault fault = FAULT_ONCE; fault <= FAULT_SHORT; fault++)
            test_crashes(fault, cut);
    for (enum cut cut = CUT_NONE; cut <= CUT_ALL; cut++)
        for (enum fault fault = FAULT_STOP; fault <= FAULT_TEAR; fault++)
            test_kills(fault, cut);
    for (enum cut cut = CUT_PART; cut <= CUT_ALL; cut++)
        for (enum cut second = CUT_NONE; second <= CUT_ALL; second++) {
            test_crashes_in_recovery(FAULT_STOP, cut, second);
            test_crashes_in_recovery(FAULT_TEAR, cut, second);
        }
    for (enum cut cut = CUT_NONE; cut <= CUT_ALL; cut++) {
        test_late_recovery(FAULT_STOP, cut);
        test_late_recovery(FAULT_TEAR, cut);
    }
    printf("# %u recoveries, %u torn tails, %u late\n", script.opened, script.torn, script.late);
    tap_ok(script.late >= 100, "some were put off");
    tap_ok(script.torn >= 100, "enough torn tails were among them");
    disk_begin(&disk, FAULT_NONE, 0, 0);
    free(tail.bytes);
    remove_folder();
    return tap_done();
}
