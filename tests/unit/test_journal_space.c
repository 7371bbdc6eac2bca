/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the journal does about space: the reserve is kept, given back when the disk is full and made again; segments
 * are as large as the configuration says, from the next record on; each that is finished is compressed soon, and what
 * is written behind a compressed one stands in a new segment.
 *
 * The disk here is full as long as the reserve takes its place, or to the last byte. */
#include "core/base/log.h"
#include "core/journal/reserve.h"
#include "core/journal/segment.h"
#include "core/journal/writer.h"
#include "tests/journal.h"
#include "tests/tap.h"

#define RESERVE_BYTES 65536
#define LITTLE_MS 10
#define LITTLE_TIMES 1000

static enum {
    ROOM,
    FULL_BUT_RESERVE,
    FULL
} space;

static ssize_t full_write(void *self, int fd, const void *bytes, size_t n)
{
    (void)self;
    if (space == FULL || (space == FULL_BUT_RESERVE && file_exists(RESERVE_NAME)))
        return -ENOSPC;
    return disk_system.write(NULL, fd, bytes, n);
}

static struct journal_recovery recovery;

static struct journal *open_journal(uint64_t reserve_bytes, uint64_t segment_bytes)
{
    static struct journal_disk disk;
    struct journal_options options = {
        .folder = folder, .segment_bytes = segment_bytes, .reserve_bytes = reserve_bytes, .tend = true
    };
    struct writer_open request = { .disk = &disk, .options = &options, .retry_ms = 1 };
    struct journal *journal = NULL;
    disk = disk_system;
    disk.write = full_write;
    if (writer_open(&request, &journal, &recovery, &why) != 0)
        printf("# %s\n", why.text);
    return journal;
}

static int append(struct journal *journal)
{
    return wait_durable(journal, journal_append(journal, T0, "check.state", "keeper", "\"text\":\"some words\""));
}

/* Whether the file comes to be there, or to be gone. */
static bool becomes(const char *name, bool there)
{
    for (int i = 0; i < LITTLE_TIMES && file_exists(name) != there; i++)
        poll(NULL, 0, LITTLE_MS);
    return file_exists(name) == there;
}

/* All of it, however long it was stalled. */
static bool gets_durable(const struct journal *journal)
{
    for (int i = 0; i < LITTLE_TIMES && journal_durable(journal) < journal_last(journal); i++)
        poll(NULL, 0, LITTLE_MS);
    return journal_durable(journal) == journal_last(journal);
}

static bool has_enough(const struct journal *journal)
{
    for (int i = 0; i < LITTLE_TIMES && journal_is_low(journal); i++)
        poll(NULL, 0, LITTLE_MS);
    return !journal_is_low(journal);
}

/* ---- the reserve ------------------------------------------------------------------------------------------------- */

static void test_reserve(void)
{
    struct stat st;
    empty_folder();
    space = ROOM;
    struct journal *journal = open_journal(RESERVE_BYTES, 0);
    if (journal == NULL)
        die(why.text);
    tap_ok(becomes(RESERVE_NAME, true), "a reserve is made");
    stat(path_of(RESERVE_NAME), &st);
    tap_ok(st.st_size == RESERVE_BYTES && st.st_blocks * 512 >= RESERVE_BYTES, "of real blocks");
    space = FULL_BUT_RESERVE;
    tap_is_int(append(journal), 0, "the disk is full: the reserve is given back, and the record is on disk");
    space = FULL;
    tap_is_int(append(journal), -ENOSPC, "full to the last byte: the record waits");
    tap_ok(journal_is_low(journal) && !file_exists(RESERVE_NAME), "and no reserve is made meanwhile");
    space = ROOM;
    tap_ok(gets_durable(journal), "room again: it is written");
    tap_ok(has_enough(journal) && becomes(RESERVE_NAME, true), "and the reserve is made again");
    journal_configure(journal, &(struct journal_options){ .reserve_bytes = 0 });
    tap_ok(becomes(RESERVE_NAME, false), "when none is wanted any more it goes");
    tap_is_int(journal_close(&journal), 0, "and all is well");
}

/* Recovery has something to write: the copy of a torn tail. */
static void test_start_on_full_disk(void)
{
    empty_folder();
    space = ROOM;
    struct journal *journal = open_journal(RESERVE_BYTES, 0);
    append(journal);
    tap_ok(becomes(RESERVE_NAME, true), "a reserve, and a daemon that is killed");
    journal_close(&journal);
    append_bytes(FIRST_SEGMENT, "{\"seq\":3,\"at", 12);
    space = FULL_BUT_RESERVE;
    journal = open_journal(RESERVE_BYTES, 0);
    tap_ok(journal != NULL && recovery.cut && journal_stalled(journal) == 0,
           "a full disk at the start: the reserve makes room for the recovery");
    tap_is_int(journal != NULL ? append(journal) : -1, 0, "and for what is to be told");
    journal_close(&journal);
    space = ROOM;
}

/* ---- segments ---------------------------------------------------------------------------------------------------- */

static void test_configured_size(void)
{
    empty_folder();
    struct journal *journal = open_journal(0, 0);
    for (int i = 0; i < 20; i++)
        append(journal);
    tap_ok(!file_exists("00000000000000000022.jsonl"), "a segment is large unless it is said so");
    journal_configure(journal, &(struct journal_options){ .segment_bytes = 1000 });
    append(journal);
    tap_ok(file_exists("00000000000000000022.jsonl"), "a smaller size that is configured is in force at once");
    journal_close(&journal);
}

/* Appends until a new segment is begun. */
static void finish_segment(struct journal *journal, char begun[SEGMENT_NAME_SIZE])
{
    char next[SEGMENT_NAME_SIZE];
    do {
        append(journal);
        segment_name(next, journal_last(journal) - 1);
    } while (!file_exists(next));
    memcpy(begun, next, SEGMENT_NAME_SIZE);
}

/* The thread has looked for work and found none when a segment is finished: it must look again. */
static void test_compressed_soon(void)
{
    char begun[SEGMENT_NAME_SIZE] = FIRST_SEGMENT, next[SEGMENT_NAME_SIZE];
    const char *late = NULL;
    empty_folder();
    struct journal *journal = open_journal(0, 1000);
    append(journal);
    for (int i = 0; i < 6 && late == NULL; i++) {
        poll(NULL, 0, 5);
        finish_segment(journal, next);
        if (!becomes(begun, false))
            late = "a segment stays as it was";
        memcpy(begun, next, sizeof begun);
    }
    tap_ok(late == NULL, "each segment is compressed as soon as it is finished%s%s", late != NULL ? ": " : "",
           late != NULL ? late : "");
    journal_close(&journal);
}

/* ---- behind a compressed segment --------------------------------------------------------------------------------- */

/* The name of the last segment, the one before it being compressed; all is closed. */
static void make_compressed(char last[SEGMENT_NAME_SIZE])
{
    empty_folder();
    struct journal *journal = open_journal(0, 1000);
    append(journal);
    finish_segment(journal, last);
    tap_ok(becomes(FIRST_SEGMENT, false), "a segment is compressed");
    journal_close(&journal);
}

static void run(const char *command)
{
    char line[1200];
    snprintf(line, sizeof line, "cd '%s' && %s", folder, command);
    if (system(line) != 0)
        die(command);
}

static void test_empty_behind_compressed(void)
{
    char last[SEGMENT_NAME_SIZE];
    struct journal_report report;
    make_compressed(last);
    write_whole(last, "", 0); /* killed before its first line was written */
    struct journal *journal = open_journal(0, 1000);
    tap_ok(journal != NULL && recovery.damage[0] == '\0', "nothing behind a compressed one: it opens without damage%s",
           recovery.damage);
    tap_ok(journal != NULL && append(journal) == 0 && !file_exists(FIRST_SEGMENT), "and goes on in a new segment");
    journal_close(&journal);
    tap_is_int(journal_verify(folder, NULL, &report, &why) == 0 ? report.fault_count : UINT32_MAX, 0,
               "and it verifies");
}

/* No crash leaves that: it is damage, and nothing of it is cut. */
static void test_unfinished_compressed(void)
{
    char last[SEGMENT_NAME_SIZE];
    size_t before, after;
    make_compressed(last);
    unlink(path_of(last));
    run("zcat *.gz | head -c -5 | gzip >new && mv new " FIRST_SEGMENT ".gz");
    free(read_whole(FIRST_SEGMENT ".gz", &before));
    struct journal *journal = open_journal(0, 1000);
    tap_ok(journal != NULL && !recovery.cut, "a compressed one ends in half a line: it opens, and nothing is cut");
    tap_ok(strstr(recovery.damage, "an unfinished line") != NULL, "the damage is named: %s", recovery.damage);
    tap_is_int(journal != NULL ? append(journal) : -1, 0, "and goes on");
    journal_close(&journal);
    free(read_whole(FIRST_SEGMENT ".gz", &after));
    tap_ok(before == after && !file_exists(FIRST_SEGMENT), "it stays as it is");
}

int main(void)
{
    log_setup(LOG_LEVEL_ERROR);
    make_folder();
    test_reserve();
    test_start_on_full_disk();
    test_configured_size();
    test_compressed_soon();
    test_empty_behind_compressed();
    test_unfinished_compressed();
    remove_folder();
    return tap_done();
}
