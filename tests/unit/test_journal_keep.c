/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of finished segments: compressed without losing a byte, at whatever moment that is interrupted; indexed,
 * so that a question gets the same answer faster; dropped behind a tombstone, so that verify still holds. The second
 * verifier (tests/peers/journal_verify.py) must find the same each time. */
#include <pthread.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/journal/key.h"
#include "core/journal/seal.h"
#include "core/journal/tend.h"
#include "core/journal/writer.h"
#include "tests/journal_bad_disk.h"
#include "tests/journal_peer.h"
#include "tests/tap.h"

#define RECORDS 2500u
#define SEGMENT_BYTES (256u << 10)
#define STEP_MS 1000
#define SPOIL_STEP 397u /* bytes of an index; test_journal_index.c does more */

/* ---- a journal ------------------------------------------------------------------------------------------------- */

static void append_one(struct journal *journal, unsigned i)
{
    char members[512];
    static const char *const types[] = { "check.state", "breaker.open", "service.state", "plugin.loaded" };
    static const char *const names[] = { "check", "breaker", "service", "plugin" };
    char text[300] = "";
    memset(text, 'x', i % 7 * 40);
    snprintf(members, sizeof members, "\"%s\":\"s%u/c%u%s\",\"text\":\"\xc3\xa4 %u %s\"", names[i % 4], i / 100, i % 10,
             i % 3 == 0 ? "@a" : "", i, text);
    journal_append(journal, T0 + (int64_t)i * STEP_MS, types[i % 4], "keeper", members);
}

static struct journal *open_journal(bool tend)
{
    struct journal_recovery recovery;
    struct journal *journal =
        open_with((struct journal_options){ .segment_bytes = SEGMENT_BYTES, .tend = tend }, &recovery);
    tap_ok(recovery.damage[0] == '\0' && !recovery.cut, "it opens without damage%s", recovery.damage);
    return journal;
}

static void make_journal(void)
{
    empty_folder();
    struct journal *journal = open_journal(false);
    for (unsigned i = 0; i < RECORDS; i++)
        append_one(journal, i);
    journal_close(&journal);
}

/* Compresses and indexes all there is to do. */
static void tend_all(const struct journal_disk *disk)
{
    int fd = open_folder();
    struct tend *tend = tend_open(disk, fd);
    while (tend_step(tend))
        ;
    tend_close(&tend);
    close(fd);
}

/* ---- what is in it ---------------------------------------------------------------------------------------------- */

struct sum {
    uint64_t count, last_seq;
    char hash[DIGEST_HEX_SIZE];
};

static int add(void *context, const struct journal_record *record)
{
    struct buf *all = context;
    buf_print(all, "%s %" PRIu64 " ", record->segment, record->line_number);
    buf_add(all, record->line, record->length);
    buf_char(all, '\n');
    return 0;
}

static void ask(const struct journal_filter *filter, char hex[DIGEST_HEX_SIZE])
{
    struct buf all = { 0 };
    unsigned char digest[DIGEST_SIZE];
    if (journal_query(folder, filter, add, &all, &why) != 0)
        die(why.text);
    digest_sha256(all.data, all.length, digest);
    digest_hex(digest, hex);
    buf_close(&all);
}

static unsigned count_files(const char *suffix)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name), m = strlen(suffix);
        count += n > m && strcmp(entry->d_name + n - m, suffix) == 0;
    }
    closedir(dir);
    return count;
}

/* ---- compressing ------------------------------------------------------------------------------------------------- */

static const struct journal_filter everything;

static void test_pack(void)
{
    char before[DIGEST_HEX_SIZE], after[DIGEST_HEX_SIZE];
    make_journal();
    ask(&everything, before);
    struct journal_report raw = verify_with(NULL);
    tap_ok(raw.segments >= 4 && raw.fault_count == 0, "a journal of %" PRIu64 " segments", raw.segments);
    tend_all(&disk_system);
    tap_is_int(count_files(".jsonl"), 1, "only the last segment is left as it was");
    tap_is_int(count_files(".jsonl.gz"), (int64_t)raw.segments - 1, "the others are compressed");
    tap_is_int(count_files(".idx"), (int64_t)raw.segments - 1, "and indexed");
    tap_is_int(count_files(".new"), 0, "nothing half done is left");
    ask(&everything, after);
    tap_is_text(after, before, "every record is there, with file and line");
    struct journal_report packed = verify_with(NULL);
    tap_ok(packed.fault_count == 0 && packed.records == raw.records && packed.segments == raw.segments,
           "verify finds the same");
    compare_with_peer(&packed, "", "compressed");
    char command[800];
    snprintf(command, sizeof command, "gzip -t '%s'/*.gz && zcat '%s'/%s.gz | head -1 | grep -q journal.segment",
             folder, folder, FIRST_SEGMENT);
    tap_ok(system(command) == 0, "gzip reads the files");
    struct journal *journal = open_journal(true);
    append_one(journal, RECORDS);
    tap_is_int((int64_t)journal_last(journal), (int64_t)raw.last_seq + 1, "it goes on");
    journal_close(&journal);
    unlink(path_of(FIRST_SEGMENT ".gz"));
    tap_ok(verify_with(NULL).fault_count > 0, "a compressed segment that is missing is a fault");
}

/* Both are there after a crash: the raw one counts. */
static void test_both(void)
{
    size_t length;
    make_journal();
    char *raw = read_whole(FIRST_SEGMENT, &length);
    tend_all(&disk_system);
    write_whole(FIRST_SEGMENT, raw, length);
    write_whole(FIRST_SEGMENT ".gz", "nonsense", 8);
    struct journal_report report = verify_with(NULL);
    tap_is_int(report.fault_count, 0, "the file that is not compressed is preferred");
    compare_with_peer(&report, "", "both are there");
    tend_all(&disk_system);
    tap_ok(!file_exists(FIRST_SEGMENT) && verify_with(NULL).fault_count == 0, "and is compressed anew");
    free(raw);
}

/* ---- a disk that stops ------------------------------------------------------------------------------------------- */

static void test_stops(void)
{
    char before[DIGEST_HEX_SIZE], after[DIGEST_HEX_SIZE] = "";
    static struct bad_disk disk;
    const char *trouble = NULL;
    unsigned n = 1;
    for (bool came = true; came && trouble == NULL; n++) {
        make_journal();
        ask(&everything, before);
        bad_begin(&disk, n);
        tend_all(&disk.table);
        came = disk.operations >= n;
        ask(&everything, after);
        if (strcmp(before, after) != 0 || verify_with(NULL).fault_count > 0)
            trouble = "right behind the stop";
        tend_all(&disk_system);
        ask(&everything, after);
        if (strcmp(before, after) != 0 || verify_with(NULL).fault_count > 0 || count_files(".jsonl") != 1 ||
            count_files(".new") != 0)
            trouble = "after it was completed";
    }
    tap_ok(trouble == NULL && n > 30, "stopped at any of %u operations nothing is lost%s%s", n - 2,
           trouble != NULL ? ": " : "", trouble != NULL ? trouble : "");
    bad_begin(&disk, 0);
    make_journal();
    tend_all(&disk.table);
    buf_char(&disk.trace, '\0');
    const char *at = disk.trace.data;
    static const char *const order[] = {
        "write ;",      "sync ;", "rename " FIRST_SEGMENT ".gz;", "sync_folder ;", "remove " FIRST_SEGMENT ";",
        "sync_folder ;"
    };
    for (size_t i = 0; i < sizeof order / sizeof order[0] && at != NULL; i++)
        at = strstr(at, order[i]);
    const char *removed = strstr(disk.trace.data, "remove " FIRST_SEGMENT ";");
    tap_ok(at != NULL && removed != NULL, "it is synced, renamed and the name synced before the first one goes");
    buf_close(&disk.trace);
}

static void test_tries_again(void)
{
    static struct bad_disk disk;
    make_journal();
    unsigned raw = count_files(".jsonl");
    int fd = open_folder();
    bad_begin(&disk, 4);
    struct tend *tend = tend_open(&disk.table, fd);
    while (tend_step(tend))
        ;
    tap_ok(raw > 2 && count_files(".jsonl") == raw, "what the disk had no room for stays as it is");
    disk.fail_at = 0;
    tend_wake(tend); /* the next segment is finished */
    while (tend_step(tend))
        ;
    tend_close(&tend);
    close(fd);
    tap_ok(count_files(".jsonl") == 1, "and is compressed with the next one, when there is room again");
    tap_ok(count_files(".new") == 0 && verify_with(NULL).fault_count == 0, "as a whole");
    buf_close(&disk.trace);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void test_flips(void)
{
    char before[DIGEST_HEX_SIZE], after[DIGEST_HEX_SIZE];
    size_t length;
    unsigned found = 0, harmless = 0, missed = 0;
    make_journal();
    tend_all(&disk_system);
    ask(&everything, before);
    char *bytes = read_whole(FIRST_SEGMENT ".gz", &length);
    for (size_t bit = 0; bit < length * 8; bit += bit < 160 ? 1 : 3989) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        write_whole(FIRST_SEGMENT ".gz", bytes, length);
        struct journal_report report = verify_with(NULL);
        unlink(path_of("00000000000000000001.idx"));
        ask(&everything, after);
        bool same = strcmp(before, after) == 0;
        found += report.fault_count > 0;
        harmless += report.fault_count == 0 && same;
        missed += report.fault_count == 0 && !same;
        if (bit == 80 || bit % (3989 * 100) == 160)
            compare_with_peer(&report, "", "a flipped bit");
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    tap_ok(found > 200 && missed == 0 && harmless < 8,
           "each of %u flipped bits of a compressed segment is found, or changes no record (%u)", found, harmless);
    write_whole(FIRST_SEGMENT ".gz", bytes, length / 2);
    struct journal_report report = verify_with(NULL);
    tap_ok(report.fault_count > 0 && report.records > RECORDS / 2,
           "half of it is missing: the other segments are read");
    compare_with_peer(&report, "", "half a file");
    struct journal_options options = { .folder = folder };
    struct journal_recovery recovery;
    struct journal *journal;
    tap_is_int(journal_open(&options, 0, NULL, NULL, &journal, &recovery, &why), 0, "and it can be opened");
    tap_ok(strstr(recovery.damage, "packed") != NULL, "and the damage is named: %s", recovery.damage);
    journal_close(&journal);
    free(bytes);
}

/* ---- the index --------------------------------------------------------------------------------------------------- */

static const struct journal_filter questions[] = {
    { .type = "breaker." },
    { .type = "check.state", .subject = "s3" },
    { .subject = "s12/c4" },
    { .subject = "s5/c5@a" },
    { .subject = "s" },
    { .text = "\"text\":\"\xc3\xa4 77 " },
    { .type = "plugin.loaded", .last = 7 },
    { .subject = "s7", .last = 3 },
    { .since_ms = T0 + 500 * STEP_MS, .until_ms = T0 + 900 * STEP_MS },
    { .since_ms = T0 + 500 * STEP_MS, .until_ms = T0 + 900 * STEP_MS, .type = "check.state", .subject = "s6" },
    { .until_ms = T0 - 1 },
    { .type = "no.such" },
};

static void remove_indexes(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -f '%s'/*.idx", folder);
    if (system(command) != 0)
        die(command);
}

/* A file that only claims to be an index. */
static void spoil_index(size_t at)
{
    size_t length;
    char *bytes = read_whole("00000000000000000001.idx", &length);
    bytes[at < length ? at : length - 1] ^= 4;
    write_whole("00000000000000000001.idx", bytes, length);
    free(bytes);
}

static void test_index(void)
{
    enum {
        COUNT = sizeof questions / sizeof questions[0]
    };
    char want[COUNT][DIGEST_HEX_SIZE], got[DIGEST_HEX_SIZE];
    make_journal();
    for (size_t i = 0; i < COUNT; i++)
        ask(&questions[i], want[i]);
    tend_all(&disk_system);
    for (size_t i = 0; i < COUNT; i++) {
        ask(&questions[i], got);
        tap_ok(strcmp(got, want[i]) == 0, "question %zu gets the same answer by the index", i + 1);
    }
    size_t length, again;
    char *index = read_whole("00000000000000000001.idx", &length), *rebuilt;
    size_t tries = 0;
    for (size_t at = 0; at < length + SPOIL_STEP; at += SPOIL_STEP, tries++) {
        spoil_index(at);
        ask(&questions[tries % COUNT], got);
        if (strcmp(got, want[tries % COUNT]) != 0)
            break;
        if (tries % 8 != 0)
            write_whole("00000000000000000001.idx", index, length);
        else
            tend_all(&disk_system);
        rebuilt = read_whole("00000000000000000001.idx", &again);
        bool same = again == length && memcmp(rebuilt, index, length) == 0;
        free(rebuilt);
        if (!same)
            die("a spoilt index was not made anew");
    }
    tap_is_text(got, want[(tries - 1) % COUNT], "a spoilt index is not believed, and made anew");
    remove_indexes();
    for (size_t i = 0; i < COUNT; i++) {
        ask(&questions[i], got);
        tap_ok(strcmp(got, want[i]) == 0, "question %zu gets the same answer without an index", i + 1);
    }
    tend_all(&disk_system);
    rebuilt = read_whole("00000000000000000001.idx", &again);
    tap_ok(again == length && memcmp(rebuilt, index, length) == 0, "and one that is missing is made anew");
    free(rebuilt);
    free(index);
}

/* ---- following --------------------------------------------------------------------------------------------------- */

/* Each record must come once, in order, while segments are finished and compressed under the reader. */
struct follower {
    uint64_t next;
    bool wrong;
};

static int take(void *context, const struct journal_record *record)
{
    struct follower *follower = context;
    follower->wrong = follower->wrong || record->seq != follower->next;
    follower->next = record->seq + 1;
    return strstr(record->line, "the last one") != NULL || follower->wrong;
}

static void *follow(void *context)
{
    const struct journal_filter filter = { .follow = true };
    struct why trouble;
    journal_query(folder, &filter, take, context, &trouble);
    return NULL;
}

static void test_follow(void)
{
    struct follower follower = { .next = 1 };
    pthread_t thread;
    empty_folder();
    struct journal *journal = open_journal(true);
    pthread_create(&thread, NULL, follow, &follower);
    for (unsigned i = 0; i < RECORDS; i++) {
        append_one(journal, i);
        if (i % 50 == 0)
            poll(NULL, 0, 5);
    }
    for (int i = 0; i < 1000 && count_files(".idx") < 3; i++)
        poll(NULL, 0, 10);
    uint64_t last = journal_append(journal, T0, "check.state", "keeper", "\"text\":\"the last one\"");
    pthread_join(thread, NULL);
    journal_close(&journal);
    tap_ok(!follower.wrong && follower.next == last + 1 && count_files(".gz") >= 3,
           "who follows gets each record once, also those of segments that are compressed meanwhile");
}

/* ---- retention ----------------------------------------------------------------------------------------------------
 */

static bool wait_ripe(const struct journal *journal, uint64_t *last_seq)
{
    for (int i = 0; i < 1000; i++) {
        if (journal_ripe(journal, last_seq))
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

/* Drops until nothing is ripe for a moment; how many segments. */
static unsigned drop_all(struct journal *journal, struct seal *seal, unsigned want)
{
    unsigned count = 0;
    uint64_t last_seq;
    while (count < want && wait_ripe(journal, &last_seq)) {
        uint64_t seq = journal_drop(journal, T0 + (int64_t)RECORDS * STEP_MS);
        seal_make(seal, (struct instant){ T0 + (int64_t)RECORDS * STEP_MS, T0 + (int64_t)RECORDS * STEP_MS }, "drop");
        journal_drop_files(journal);
        tap_ok(seq > last_seq, "the tombstone of what ends with %" PRIu64 " is record %" PRIu64, last_seq, seq);
        count++;
    }
    return count;
}

static void test_keep_size(void)
{
    make_journal();
    struct journal_report all = verify_with(NULL);
    struct journal *journal = open_journal(true);
    const struct journal_keep keep = { .bytes = SEGMENT_BYTES / 4 };
    uint64_t last_seq;
    poll(NULL, 0, 50);
    tap_ok(!journal_ripe(journal, &last_seq), "nothing is dropped unless it is said so");
    journal_set_keep(journal, &keep);
    unsigned dropped = drop_all(journal, NULL, 1);
    journal_close(&journal);
    struct journal_report rest = verify_with(NULL);
    tap_ok(dropped == 1 && rest.segments == all.segments - 1 && rest.fault_count == 0,
           "the oldest segment was dropped, and verify holds");
    tap_ok(rest.dropped_seq + 1 == rest.first_seq && rest.first_seq > 1, "and says so");
    tap_ok(!file_exists(FIRST_SEGMENT) && !file_exists(FIRST_SEGMENT ".gz") && !file_exists("00000000000000000001.idx"),
           "its files are gone");
    compare_with_peer(&rest, "", "one was dropped");

    journal = open_journal(true);
    journal_set_keep(journal, &(struct journal_keep){ .bytes = 1 });
    dropped = drop_all(journal, NULL, (unsigned)all.segments - 2);
    journal_close(&journal);
    rest = verify_with(NULL);
    tap_ok(rest.segments == 1 && rest.fault_count == 0, "all but the last one can go, %u at once", dropped);
    compare_with_peer(&rest, "", "all but the last were dropped");
    struct journal *again = open_journal(true);
    append_one(again, 1);
    journal_close(&again);
    tap_is_int(verify_with(NULL).fault_count, 0, "and it goes on");
}

static void test_keep_time(void)
{
    make_journal();
    struct journal_report all = verify_with(NULL);
    struct journal *journal = open_journal(true);
    uint64_t last_seq;
    journal_set_keep(journal, &(struct journal_keep){ .ms = (int64_t)RECORDS * STEP_MS });
    poll(NULL, 0, 300);
    tap_ok(!journal_ripe(journal, &last_seq), "what is younger stays, whatever the clock says now");
    journal_set_keep(journal, &(struct journal_keep){ .ms = (int64_t)RECORDS * STEP_MS / 2 });
    tap_ok(wait_ripe(journal, &last_seq), "what is older is ripe");
    unsigned dropped = drop_all(journal, NULL, 1);
    journal_close(&journal);
    struct journal_report rest = verify_with(NULL);
    tap_ok(dropped == 1 && rest.segments == all.segments - 1 && rest.fault_count == 0, "and goes");
}

/* Without a tombstone nothing may be missing. */
static void test_missing(void)
{
    make_journal();
    tend_all(&disk_system);
    unlink(path_of(FIRST_SEGMENT ".gz"));
    struct journal_report report = verify_with(NULL);
    tap_ok(report.fault_count > 0 && report.dropped_seq == 0, "a first segment that is missing is a fault: %s",
           report.faults[0].text);
    compare_with_peer(&report, "", "the first one is missing");

    make_journal();
    struct journal *journal = open_journal(true);
    journal_set_keep(journal, &(struct journal_keep){ .bytes = SEGMENT_BYTES / 4 });
    drop_all(journal, NULL, 1);
    journal_close(&journal);
    report = verify_with(NULL);
    char name[40];
    snprintf(name, sizeof name, "%020" PRIu64 ".jsonl.gz", report.first_seq);
    tap_ok(unlink(path_of(name)) == 0, "one more is removed by hand");
    report = verify_with(NULL);
    tap_ok(report.fault_count > 0, "and that one is a fault: %s", report.faults[0].text);
    compare_with_peer(&report, "", "one too many is missing");
}

/* A crash between the tombstone and the removal: the segment is there, and can be dropped again. */
static void test_tombstone_only(void)
{
    make_journal();
    struct journal *journal = open_journal(true);
    uint64_t last_seq;
    journal_set_keep(journal, &(struct journal_keep){ .bytes = SEGMENT_BYTES / 4 });
    wait_ripe(journal, &last_seq);
    journal_drop(journal, T0);
    journal_close(&journal);
    struct journal_report report = verify_with(NULL);
    tap_ok(report.first_seq == 1 && report.fault_count == 0, "a tombstone alone is no fault");
    compare_with_peer(&report, "", "a tombstone alone");
    journal = open_journal(true);
    journal_set_keep(journal, &(struct journal_keep){ .bytes = SEGMENT_BYTES / 4 });
    drop_all(journal, NULL, 1);
    journal_close(&journal);
    report = verify_with(NULL);
    tap_ok(report.first_seq > 1 && report.fault_count == 0, "and the segment is dropped by the next one");
}

static void test_keep_sealed(void)
{
    char arguments[KEY_TEXT_SIZE + 8];
    struct key key;
    char text[KEY_TEXT_SIZE];
    empty_folder();
    key_draw(&key);
    key_store(path_of("journal.key"), &key);
    key_evolve(&key, 1);
    key_store(path_of("journal.key"), &key);
    struct journal *journal = open_journal(true);
    struct seal_options sealing = { folder, path_of("journal.key"), 100 * STEP_MS };
    struct why trouble;
    struct instant now = { T0, T0 };
    struct seal *seal = seal_open(journal, &sealing, now, &trouble);
    struct key first = key; /* of epoch 1: evolves as well as that of 0 */
    for (unsigned i = 0; i < RECORDS; i++) {
        now.mono_ms = now.wall_ms = T0 + (int64_t)i * STEP_MS;
        seal_before(seal, now);
        append_one(journal, i);
    }
    wait_durable(journal, journal_last(journal));
    journal_set_keep(journal, &(struct journal_keep){ .bytes = SEGMENT_BYTES / 4 });
    drop_all(journal, seal, 2);
    now.mono_ms = now.wall_ms += STEP_MS;
    seal_close(&seal, now);
    journal_close(&journal);
    struct journal_proof proof = { .keys = &first, .key_count = 1 };
    struct journal_report report = verify_with(&proof);
    tap_ok(report.fault_count == 0 && report.first_seq > 1 && report.seals > 5 && report.seals_held == report.seals,
           "a sealed journal holds with the first key, though its first seals were dropped: %s",
           report.fault_count > 0 ? report.faults[0].text : "");
    snprintf(arguments, sizeof arguments, "--key %s", key_format(text, &first));
    compare_with_peer(&report, arguments, "sealed and dropped");
    report = verify_with(NULL);
    tap_is_int(report.fault_count, 0, "and without a key");
    key_draw(&first);
    tap_ok(verify_with(&proof).fault_count > 0, "but not with another one");
}

int main(void)
{
    log_setup(LOG_LEVEL_ERROR);
    make_folder();
    test_pack();
    test_both();
    test_stops();
    test_tries_again();
    test_flips();
    test_index();
    test_follow();
    test_keep_size();
    test_keep_time();
    test_missing();
    test_tombstone_only();
    test_keep_sealed();
    remove_folder();
    return tap_done();
}
