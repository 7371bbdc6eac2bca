/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal on a good disk: appending, rotation, opening again, what recovery repairs and what it leaves alone,
 * snapshots, questions. */
#include <pthread.h>
#include <time.h>

#include "core/base/clock.h"
#include "tests/journal.h"
#include "tests/tap.h"

/* ---- helpers ---------------------------------------------------------------------------------------------------- */

struct seen {
    uint64_t count, first, last;
    bool in_order;
    uint64_t stop_at; /* 0: never */
    char types[64][64], who[64];
};

static int see(void *context, const struct journal_record *record)
{
    struct seen *seen = context;
    if (seen->count == 0)
        *seen = (struct seen){ .first = record->seq, .in_order = true, .stop_at = seen->stop_at };
    else if (record->seq <= seen->last)
        seen->in_order = false;
    if (seen->count < 64)
        snprintf(seen->types[seen->count], sizeof seen->types[0], "%s", record->type);
    snprintf(seen->who, sizeof seen->who, "%s", record->who);
    seen->count++;
    seen->last = record->seq;
    return seen->stop_at != 0 && record->seq >= seen->stop_at ? 42 : 0;
}

static struct journal_recovery recovery;

static struct journal *open_journal(uint64_t segment_bytes, uint64_t after, struct seen *seen)
{
    struct journal_options options = { .folder = folder, .segment_bytes = segment_bytes };
    struct journal *journal = NULL;
    int code = journal_open(&options, after, seen != NULL ? see : NULL, seen, &journal, &recovery, &why);
    if (code != 0)
        printf("# journal_open: %d %s\n", code, why.text);
    return journal;
}

static void append_some(struct journal *journal, unsigned n)
{
    char members[128];
    for (unsigned i = 0; i < n; i++) {
        snprintf(members, sizeof members, "\"check\":\"redis/server\",\"text\":\"number %u\"", i);
        journal_append(journal, T0 + (int64_t)journal_last(journal) * 1000, "check.state", "keeper", members);
    }
}

/* A journal of n records after the first, closed again. */
static void make_journal(uint64_t segment_bytes, unsigned n)
{
    empty_folder();
    struct journal *journal = open_journal(segment_bytes, 0, NULL);
    append_some(journal, n);
    journal_close(&journal);
}

static struct journal_report verify(void)
{
    struct journal_report report;
    int code = journal_verify(folder, NULL, &report, &why);
    if (code != 0)
        printf("# journal_verify: %d %s\n", code, why.text);
    for (uint32_t i = 0; i < report.fault_count && i < 3; i++)
        printf("# fault: %s line %" PRIu64 " %s: %s\n", report.faults[i].segment, report.faults[i].line,
               report.faults[i].kind, report.faults[i].text);
    return report;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void test_append(void)
{
    empty_folder();
    struct journal *journal = open_journal(0, 0, NULL);
    tap_is_int(journal_last(journal), 1, "a new journal begins with its segment record");
    tap_is_int(journal_durable(journal), 1, "which is durable at once");
    tap_is_int(journal_append(journal, T0, "daemon.started", "keeper", ""), 2, "the first record is number 2");
    journal_append(journal, T0, "check.state", "a \"b\" \\c", "\"text\":\"x\n,\\\"hash\\\":\"");
    tap_is_int(wait_durable(journal, 3), 0, "it becomes durable");
    tap_is_int(journal_queued_bytes(journal), 0, "nothing is queued any more");
    tap_is_int(journal_close(&journal), 0, "it closes");
    tap_ok(journal == NULL, "and the pointer is gone");

    size_t length;
    char *bytes = read_whole(FIRST_SEGMENT, &length);
    const char *second = bytes + line_offset(bytes, 2);
    tap_ok(
        strncmp(
            second,
            "{\"seq\":2,\"at\":\"2026-11-21T10:31:07.123Z\",\"type\":\"daemon.started\",\"who\":\"keeper\",\"prev\":\"",
            84) == 0,
        "a line has the documented form");
    tap_ok(line_offset(bytes, 4) == length, "a newline in members does not end the line");
    free(bytes);
    struct stat st;
    tap_ok(stat(path_of(FIRST_SEGMENT), &st) == 0 && (st.st_mode & 07777) == 0600, "the file's mode is 0600");

    struct seen seen = { 0 };
    journal = open_journal(0, 0, &seen);
    tap_ok(seen.count == 3 && seen.first == 1 && seen.in_order, "opening again visits everything");
    tap_is_text(seen.types[0], "journal.segment", "the type is handed over");
    tap_is_text(seen.who, "a \"b\" \\c", "and who, without escapes");
    tap_is_int(journal_last(journal), 3, "the numbers go on");
    tap_ok(!recovery.cut && recovery.damage[0] == '\0', "nothing had to be repaired");
    journal_append(journal, T0, "daemon.started", "keeper", "");
    journal_close(&journal);
    struct journal_report report = verify();
    tap_ok(report.fault_count == 0 && report.records == 4 && report.last_seq == 4 && !report.torn_tail,
           "verify passes");
    tap_ok(strlen(report.journal_id) == 32 && strlen(report.head_hash) == 64, "and tells id and head");
}

static void test_large_members(void)
{
    empty_folder();
    struct journal *journal = open_journal(0, 0, NULL);
    char *members = malloc(JOURNAL_RECORD_MAX + 1);
    memset(members, 'x', JOURNAL_RECORD_MAX);
    memcpy(members, "\"text\":\"", 8);
    members[JOURNAL_RECORD_MAX - 1] = '"';
    members[JOURNAL_RECORD_MAX] = '\0';
    journal_append(journal, T0, "check.state", "keeper", members);
    members[JOURNAL_RECORD_MAX - 401] = '"';
    members[JOURNAL_RECORD_MAX - 400] = '\0';
    journal_append(journal, T0, "check.state", "keeper", members);
    tap_is_int(journal_close(&journal), 0, "members that are too long do not spoil the journal");
    free(members);
    tap_ok(verify().fault_count == 0 && verify().records == 3, "and verify passes over the longest line");
}

static void test_rotation(void)
{
    make_journal(2000, 40);
    struct journal_report report = verify();
    tap_ok(report.fault_count == 0 && report.segments > 4, "segments follow each other in the chain");
    tap_is_int(report.records, 41 + report.segments - 1, "each begins with a record of its own");
    struct seen seen = { 0 };
    struct journal *journal = open_journal(2000, report.last_seq - 12, &seen);
    tap_ok(seen.count == 12 && seen.last == report.last_seq && seen.in_order,
           "opening visits only what comes after, over more than one segment");
    tap_is_int(journal_last(journal), report.last_seq, "the last number is known");
    append_some(journal, 20);
    journal_close(&journal);
    tap_ok(verify().fault_count == 0, "rotation goes on after opening again");

    memset(&seen, 0, sizeof seen);
    journal = open_journal(2000, UINT64_MAX - 1, &seen);
    tap_ok(journal != NULL && seen.count == 0, "'after' behind the end visits nothing");
    journal_close(&journal);
    seen = (struct seen){ .stop_at = 5 };
    struct journal_options options = { .folder = folder, .segment_bytes = 0 };
    tap_is_int(journal_open(&options, 0, see, &seen, &journal, &recovery, &why), 42, "visit can stop it");
    tap_ok(journal == NULL, "and then nothing is open");
}

static void test_second_writer(void)
{
    make_journal(0, 2);
    struct journal *journal = open_journal(0, 0, NULL);
    append_bytes(FIRST_SEGMENT, "x", 1);
    append_some(journal, 1);
    tap_is_int(wait_durable(journal, 4), ERROR_REFUSED, "a file that grew without us is an error");
    append_some(journal, 1);
    tap_is_int(journal_close(&journal), ERROR_REFUSED, "and stays one");
    tap_ok(verify().records == 3, "nothing was written behind it");

    make_journal(0, 2);
    journal = open_journal(0, 0, NULL);
    unlink(path_of(FIRST_SEGMENT));
    append_some(journal, 1);
    tap_is_int(wait_durable(journal, 4), ERROR_REFUSED, "a file that was deleted is an error");
    journal_close(&journal);
}

/* ---- recovery --------------------------------------------------------------------------------------------------- */

static void check_tail(const char *tail, size_t n, const char *what)
{
    make_journal(0, 5);
    size_t length, saved_length;
    free(read_whole(FIRST_SEGMENT, &length));
    append_bytes(FIRST_SEGMENT, tail, n);
    struct seen seen = { 0 };
    struct journal *journal = open_journal(0, 0, &seen);
    tap_ok(recovery.cut && recovery.damage[0] == '\0' && recovery.offset == length && recovery.bytes == n, "%s is cut",
           what);
    tap_is_text(recovery.segment, FIRST_SEGMENT, "the segment is named");
    char *saved = read_whole(recovery.saved, &saved_length);
    tap_ok(saved_length == n && memcmp(saved, tail, n) == 0, "the bytes are kept in '%s'", recovery.saved);
    free(saved);
    tap_ok(seen.count == 6 && journal_last(journal) == 6, "nothing else is lost");
    append_some(journal, 1);
    journal_close(&journal);
    tap_ok(verify().fault_count == 0 && verify().records == 7, "and verify passes");
}

static void test_torn_tails(void)
{
    check_tail("{\"seq\":7,\"at\"", 13, "an unfinished line");
    char zeros[5000] = { 0 };
    check_tail(zeros, sizeof zeros, "a tail of zeros");

    make_journal(0, 5);
    append_bytes(FIRST_SEGMENT, "abc", 3);
    struct journal_report report = verify();
    tap_ok(report.torn_tail && report.fault_count == 0 && report.records == 6, "verify calls it a torn tail");
    struct journal *journal = open_journal(0, 0, NULL);
    journal_close(&journal);
    append_bytes(FIRST_SEGMENT, "abd", 3);
    journal = open_journal(0, 0, NULL);
    journal_close(&journal);
    tap_ok(strstr(recovery.saved, ".2") != NULL && file_exists(recovery.saved), "an earlier copy is not overwritten");
}

static void test_complete_line_without_newline(void)
{
    make_journal(0, 5);
    size_t length;
    char *bytes = read_whole(FIRST_SEGMENT, &length);
    write_whole(FIRST_SEGMENT, bytes, length - 1);
    free(bytes);
    struct journal *journal = open_journal(0, 0, NULL);
    tap_ok(recovery.cut && journal_last(journal) == 5, "a line that lacks only its newline was never acknowledged");
    journal_close(&journal);
    tap_ok(verify().fault_count == 0, "and verify passes");
}

static void test_empty_segment(void)
{
    make_journal(0, 5);
    write_whole("00000000000000000007.jsonl", "", 0);
    tap_ok(verify().fault_count == 0, "an empty last segment is no fault");
    struct journal *journal = open_journal(0, 0, NULL);
    tap_ok(!recovery.cut && !file_exists("00000000000000000007.jsonl"), "and is removed");
    tap_is_int(journal_last(journal), 6, "the one before it goes on");
    journal_close(&journal);

    write_whole("00000000000000000007.jsonl", "{\"seq\":7", 8);
    journal = open_journal(1, 0, NULL);
    tap_ok(recovery.cut && file_exists("00000000000000000007.jsonl.torn-0"), "a torn first line is kept aside");
    append_some(journal, 1);
    journal_close(&journal);
    tap_ok(file_exists("00000000000000000007.jsonl") && verify().fault_count == 0, "the same name can be used again");

    empty_folder();
    write_whole(FIRST_SEGMENT, "{\"s", 3);
    journal = open_journal(0, 0, NULL);
    tap_ok(journal != NULL && journal_last(journal) == 1, "a journal that was torn at its birth begins anew");
    journal_close(&journal);
    tap_ok(verify().fault_count == 0, "and verify passes");
}

/* Damages the last segment by flipping a bit in line n, then opens, appends and verifies. */
static void check_damage(unsigned n, size_t offset, const char *kind, const char *what)
{
    make_journal(0, 5);
    size_t length, after_length;
    char *bytes = read_whole(FIRST_SEGMENT, &length);
    size_t at = line_offset(bytes, n) + offset;
    bytes[at] = (char)(bytes[at] ^ 1);
    write_whole(FIRST_SEGMENT, bytes, length);
    struct seen seen = { 0 };
    struct journal *journal = open_journal(0, 0, &seen);
    tap_ok(strstr(recovery.damage, FIRST_SEGMENT) != NULL && !recovery.cut, "%s is reported: %s", what,
           recovery.damage);
    tap_is_int(seen.count, 5, "all other records are visited");
    tap_ok(journal_last(journal) >= 7, "no number is used again (%" PRIu64 ")", journal_last(journal));
    append_some(journal, 3);
    journal_close(&journal);
    char *now = read_whole(FIRST_SEGMENT, &after_length);
    tap_ok(after_length == length && memcmp(bytes, now, length) == 0, "the damaged segment is left alone");
    free(bytes);
    free(now);
    struct journal_report report = verify();
    tap_ok(report.fault_count == 1 && report.faults[0].line == n && strcmp(report.faults[0].kind, kind) == 0,
           "verify reports exactly that line");
    tap_is_int(report.records, 5 + 4, "and the new segment holds");
    journal = open_journal(0, 6, NULL);
    tap_ok(recovery.damage[0] == '\0', "which is gone on with the next time");
    journal_close(&journal);
    tap_is_int(verify().segments, 2, "without a further segment");
}

static void test_damage(void)
{
    check_damage(3, 37, "hash", "damage in the middle"); /* in the time */
    check_damage(6, 30, "hash", "damage of the last record");
    check_damage(6, 0, "syntax", "damage of the last record's form");
    check_damage(1, 37, "hash", "damage of the segment record");
    check_damage(1, 0, "syntax", "damage of the segment record's form");
}

static void test_hopeless(void)
{
    empty_folder();
    char *bytes = malloc(3 << 20);
    memset(bytes, 'x', 3 << 20);
    bytes[2 << 20] = bytes[(2 << 20) + 1] = bytes[(3 << 20) - 1] = '\n';
    write_whole(FIRST_SEGMENT, bytes, 3 << 20);
    free(bytes);
    struct journal *journal = open_journal(0, 0, NULL);
    tap_ok(journal != NULL && recovery.damage[0] != '\0', "a folder of garbage is reported and written on");
    append_some(journal, 1);
    journal_close(&journal);
    struct journal_report report = verify();
    tap_ok(report.fault_count == 3 && report.records == 2, "only the garbage is at fault");

    empty_folder();
    if (mkdir(path_of(FIRST_SEGMENT), 0700) < 0)
        die("mkdir");
    tap_ok(open_journal(0, 0, NULL) == NULL && strstr(why.text, FIRST_SEGMENT) != NULL,
           "a folder as segment is refused");
    rmdir(path_of(FIRST_SEGMENT));
    if (symlink("/etc/passwd", path_of(FIRST_SEGMENT)) < 0)
        die("symlink");
    tap_ok(open_journal(0, 0, NULL) == NULL, "a symlink as segment is refused");
}

/* ---- snapshots -------------------------------------------------------------------------------------------------- */

static void test_snapshot(void)
{
    make_journal(0, 5);
    struct arena arena = { 0 };
    uint64_t seq = 0;
    char *json = NULL, path[512];
    size_t length = 0;
    snprintf(path, sizeof path, "%s", path_of("snapshot.json"));
    tap_is_int(journal_snapshot_read(&arena, path, &seq, &json, &length), -ENOENT, "no snapshot yet");
    struct journal *journal = open_journal(0, 0, NULL);
    journal_snapshot(journal, path, 1000, "{\"never\":1}", 11);
    append_some(journal, 2);
    journal_snapshot(journal, path, 8, "{\"a\":1}", 7);
    tap_is_int(journal_close(&journal), 0, "closing writes the snapshot whose records are durable");
    tap_ok(journal_snapshot_read(&arena, path, &seq, &json, &length) == 0 && seq == 8 && length == 7 &&
               strcmp(json, "{\"a\":1}") == 0,
           "it reads back");

    size_t size;
    unsigned accepted = 0;
    char *bytes = read_whole("snapshot.json", &size);
    for (size_t i = 0; i < size * 8; i++) {
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << (i % 8)));
        write_whole("snapshot.json", bytes, size);
        accepted += journal_snapshot_read(&arena, path, &seq, &json, &length) != ERROR_DAMAGED;
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << (i % 8)));
    }
    tap_is_int(accepted, 0, "any flipped bit is noticed");
    for (size_t i = 0; i < size; i++) {
        write_whole("snapshot.json", bytes, i);
        accepted += journal_snapshot_read(&arena, path, &seq, &json, &length) != ERROR_DAMAGED;
    }
    tap_is_int(accepted, 0, "any cut is noticed");
    free(bytes);
    arena_close(&arena);
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

static int64_t q0; /* the time of the first event */

static void make_questionable(void)
{
    static const char *const events[][2] = {
        { "check.state", "\"check\":\"redis/server\",\"text\":\"refused\"" },
        { "check.state", "\"check\":\"redis/server@a\",\"text\":\"fine\"" },
        { "breaker.open", "\"breaker\":\"redis/server\",\"text\":\"Refused\"" },
        { "breaker.closed", "\"breaker\":\"cloudflare-api\",\"text\":\"redis\"" },
        { "service.state", "\"service\":\"redis\",\"from\":\"OK\"" },
        { "plugin.loaded", "\"plugin\":\"redis2\",\"text\":\"\"" },
    };
    empty_folder();
    q0 = clock_wall_ms();
    struct journal *journal = open_journal(1000, 0, NULL);
    for (int64_t i = 0; i < 60; i++)
        journal_append(journal, q0 + i * 3600 * 1000, events[i % 6][0], "keeper", events[i % 6][1]);
    journal_close(&journal);
}

static struct seen ask(struct journal_filter filter)
{
    struct seen seen = { 0 };
    int code = journal_query(folder, &filter, see, &seen, &why);
    if (code != 0)
        printf("# journal_query: %d %s\n", code, why.text);
    return seen;
}

static void test_query(void)
{
    make_questionable();
    uint64_t all = verify().records;
    tap_is_int(ask((struct journal_filter){ 0 }).count, all, "no filter shows all");
    tap_is_int(ask((struct journal_filter){ .type = "check.state" }).count, 20, "one type");
    tap_is_int(ask((struct journal_filter){ .type = "check" }).count, 0, "not a part of a type");
    tap_is_int(ask((struct journal_filter){ .type = "breaker." }).count, 20, "a group of types");
    tap_is_int(ask((struct journal_filter){ .subject = "redis" }).count, 40, "a service, its checks and breakers");
    tap_is_int(ask((struct journal_filter){ .subject = "redis/server" }).count, 30, "a check and its instances");
    tap_is_int(ask((struct journal_filter){ .subject = "redis/server@a" }).count, 10, "one instance");
    tap_is_int(ask((struct journal_filter){ .subject = "cloudflare-api" }).count, 10, "a breaker");
    tap_is_int(ask((struct journal_filter){ .subject = "redis2" }).count, 10, "a plugin");
    tap_is_int(ask((struct journal_filter){ .text = "REFUSED" }).count, 20, "a text in any case");
    struct seen seen = ask((struct journal_filter){ .type = "check.state", .last = 5 });
    tap_ok(seen.count == 5 && seen.in_order, "the last five, in order, over segments");
    tap_is_int(ask((struct journal_filter){ .last = 1 }).first, verify().last_seq, "the last one");
    tap_is_int(ask((struct journal_filter){ .last = 1000 }).count, all, "more than there are");
    int64_t hour = 3600 * 1000;
    seen =
        ask((struct journal_filter){ .since_ms = q0 + 10 * hour, .until_ms = q0 + 19 * hour, .type = "check.state" });
    tap_is_int(seen.count, 4, "a window in time, both ends included");
    tap_is_int(ask((struct journal_filter){ .since_ms = q0 + 57 * hour, .subject = "redis" }).count, 1, "an open end");
    tap_ok(ask((struct journal_filter){ .until_ms = q0 }).count >= 1, "an open beginning");
    struct journal_filter filter = { 0 };
    seen = (struct seen){ .stop_at = 7 };
    tap_is_int(journal_query(folder, &filter, see, &seen, &why), 42, "visit stops it");
    tap_is_int(journal_query("/nonexistent", &filter, see, &seen, &why), -ENOENT, "no such journal");
}

struct follower {
    pthread_t thread;
    _Atomic unsigned shown;
    struct seen seen;
    int code;
};

static int see_followed(void *context, const struct journal_record *record)
{
    struct follower *f = context;
    f->shown++;
    return see(&f->seen, record);
}

static void *run_follower(void *context)
{
    struct follower *f = context;
    struct journal_filter filter = { .follow = true, .last = 2 };
    struct why unused;
    f->code = journal_query(folder, &filter, see_followed, f, &unused);
    return NULL;
}

static void test_follow(void)
{
    make_journal(3000, 5);
    struct follower f = { .seen = { .stop_at = 60 } };
    append_bytes(FIRST_SEGMENT, "half a line", 11); /* as a crash leaves it */
    pthread_create(&f.thread, NULL, run_follower, &f);
    for (unsigned i = 0; f.shown < 2 && i < 10000; i++)
        usleep(1000);
    struct journal *journal = open_journal(3000, 0, NULL); /* cuts it */
    while (journal_last(journal) < 60) {
        append_some(journal, 1);
        wait_durable(journal, journal_last(journal));
    }
    pthread_join(f.thread, NULL);
    journal_close(&journal);
    tap_is_int(f.code, 42, "follow ends when visit says so");
    tap_ok(f.seen.in_order && f.seen.last == 60 && f.seen.count == 60 - f.seen.first + 1,
           "follow shows each record once, in order, over segments");
}

/* ---- speed ------------------------------------------------------------------------------------------------------ */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_speed(void)
{
    empty_folder();
    struct journal *journal = open_journal(0, 0, NULL);
    double begin = now();
    append_some(journal, 100000);
    double appended = now();
    wait_durable(journal, journal_last(journal));
    double durable = now();
    journal_close(&journal);
    printf("# append: %.2f us each, 100000 durable after %.3f s\n", (appended - begin) * 10, durable - begin);
    struct seen seen = { 0 };
    begin = now();
    journal = open_journal(0, 0, &seen);
    double opened = now() - begin;
    journal_close(&journal);
    begin = now();
    bool good = verify().fault_count == 0;
    printf("# open and visit 100000: %.3f s, verify: %.3f s\n", opened, now() - begin);
    tap_ok(good && seen.count >= 100001, "100000 records are written and read");
}

int main(void)
{
    make_folder();
    test_append();
    test_large_members();
    test_rotation();
    test_second_writer();
    test_torn_tails();
    test_complete_line_without_newline();
    test_empty_segment();
    test_damage();
    test_hopeless();
    test_snapshot();
    test_query();
    test_follow();
    test_speed();
    remove_folder();
    return tap_done();
}
