/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealing, the writer's side: the key evolves and the old one is gone; key file and journal agree again after a crash
 * at any point; each record stands behind a seal that is not overdue; anchors are written and read back. */
#include <sys/socket.h>
#include <sys/un.h>

#include "core/base/text.h"
#include "core/journal/anchor.h"
#include "core/journal/key.h"
#include "core/journal/seal.h"
#include "core/journal/writer.h"
#include "tests/journal.h"
#include "tests/tap.h"

#define EVERY_MS 60000
#define KEY "journal.key"

static struct key shown; /* of epoch 0 */
static struct instant now;
static struct why trouble;

static void set_up(void)
{
    empty_folder();
    key_draw(&shown);
    struct key first = shown;
    key_evolve(&first, 1);
    if (key_store(path_of(KEY), &first) != 0)
        die(KEY);
    now = (struct instant){ 1000, T0 };
}

static struct journal *open_journal(void)
{
    return open_with((struct journal_options){ 0 }, NULL);
}

static struct seal *open_seal(struct journal *journal)
{
    struct seal_options options = { folder, path_of(KEY), EVERY_MS };
    return seal_open(journal, &options, now, &trouble);
}

static void pass(int64_t ms)
{
    now.mono_ms += ms;
    now.wall_ms += ms;
}

static void append(struct journal *journal, struct seal *seal)
{
    seal_before(seal, now);
    journal_append(journal, now.wall_ms, "check.state", "keeper", "\"check\":\"a/b\"");
}

/* A life of so many epochs, one record in each; it ends cleanly or is killed. */
static void live(unsigned epochs, bool dies)
{
    struct journal *journal = open_journal();
    struct seal *seal = open_seal(journal);
    for (unsigned i = 0; i < epochs; i++) {
        append(journal, seal);
        pass(EVERY_MS);
    }
    if (dies)
        seal_abandon(&seal);
    else
        seal_close(&seal, now);
    journal_close(&journal);
}

static struct journal_report verify_at(int64_t now_ms)
{
    struct key own = { 0 };
    key_read(path_of(KEY), &own, &why);
    const struct journal_proof proof = { .keys = &shown, .key_count = 1, .now_ms = now_ms, .key_epoch = own.epoch };
    return verify_with(&proof);
}

static void expect(const char *kind, const char *what)
{
    struct journal_report report = verify_at(now.wall_ms);
    const char *got = report.fault_count > 0 ? report.faults[0].kind : "";
    tap_is_text(got, kind, what);
    if (strcmp(got, kind) != 0)
        printf("# line %" PRIu64 ": %s\n", report.faults[0].line, report.faults[0].text);
}

static uint64_t epoch_on_disk(void)
{
    struct key key = { 0 };
    return key_read(path_of(KEY), &key, &why) == 0 ? key.epoch : 0;
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */

static void test_key(void)
{
    struct key key, other;
    char text[KEY_TEXT_SIZE], mac[DIGEST_HEX_SIZE], again[DIGEST_HEX_SIZE];
    tap_is_int(key_parse("0:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", &key), 0, "a key");
    key_evolve(&key, 2);
    tap_is_text(key_format(text, &key), "2:f7e8447baebde03252b70258b27d84d043665ab0c4b8c02ad57f7550141e1051",
                "evolves as documented");
    other = key;
    tap_is_int(key_evolve(&key, 1), ERROR_RANGE, "never back");
    tap_is_int(key_evolve(&key, UINT64_C(1) << 40), ERROR_RANGE, "nor too far at once");
    tap_ok(memcmp(&key, &other, sizeof key) == 0, "and is what it was");
    key_sign(&key, "00112233445566778899aabbccddeeff", "abc", 3, mac);
    key_evolve(&key, 3);
    key_sign(&key, "00112233445566778899aabbccddeeff", "abc", 3, again);
    tap_ok(strcmp(mac, again) != 0, "the next key signs otherwise");
    static const char *const bad[] = { "", "1", "1:", ":00", "x:00", "-1:00", "1:zz", "1:0g" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        tap_is_int(key_parse(bad[i], &key), ERROR_SYNTAX, "no key");
}

static void test_key_file(void)
{
    char before[256] = "", after[256] = "";
    set_up();
    int fd = open(path_of(KEY), O_RDONLY);
    ssize_t n = pread(fd, before, sizeof before, 0);
    struct key key;
    key_read(path_of(KEY), &key, &why);
    key_evolve(&key, 2);
    tap_is_int(key_store(path_of(KEY), &key), 0, "a key is replaced");
    tap_is_int(pread(fd, after, sizeof after, 0) >= n ? 0 : 1, 0, "the old file is open still");
    bool zeros = true;
    for (ssize_t i = 0; i < n; i++)
        zeros &= after[i] == '\0';
    tap_ok(zeros && before[0] == '1', "and has no byte of the old key any more");
    close(fd);
    struct stat st;
    tap_ok(stat(path_of(KEY), &st) == 0 && (st.st_mode & 07777) == 0600, "the new one is for its owner alone");
    chmod(path_of(KEY), 0640);
    tap_is_int(key_read(path_of(KEY), &key, &why), ERROR_REFUSED, "one that others may read is refused");
    write_whole(KEY, "5:xyz\n", 6);
    chmod(path_of(KEY), 0600);
    tap_is_int(key_read(path_of(KEY), &key, &why), ERROR_DAMAGED, "one that is damaged too");
}

/* ---- epochs ---------------------------------------------------------------------------------------------------- */

static void test_epochs(void)
{
    set_up();
    live(3, false);
    expect("", "three epochs and a clean stop");
    tap_is_int((int64_t)epoch_on_disk(), 5, "the key on disk is of the next epoch");
    struct journal_report report = verify_at(now.wall_ms + (INT64_C(1) << 40));
    tap_ok(report.fault_count == 0 && report.stopped && report.seals == 4 && report.seals_held == 4,
           "after a clean stop nothing is overdue");
    pass(10 * EVERY_MS);
    live(2, true);
    expect("", "started again, two epochs, killed");
    pass(100 * EVERY_MS);
    expect("seal-overdue", "dead for long: overdue");
    live(1, false);
    expect("", "until it starts again");
    live(0, true);
    expect("", "a start is a seal");
}

/* A seal when idle, when it is due exactly, and when the clock was stepped. */
static void test_due(void)
{
    set_up();
    struct journal *journal = open_journal();
    struct seal *seal = open_seal(journal);
    uint64_t last = journal_last(journal);
    pass(EVERY_MS - 1);
    seal_before(seal, now);
    tap_is_int((int64_t)journal_last(journal), (int64_t)last, "not before it is due");
    pass(1);
    seal_before(seal, now);
    tap_is_int((int64_t)journal_last(journal), (int64_t)last + 1, "idle: a seal when it is due");
    now.wall_ms += 3600 * 1000;
    append(journal, seal);
    tap_is_int((int64_t)journal_last(journal), (int64_t)last + 3, "the clock was stepped: a seal before the record");
    now.wall_ms -= 7200 * 1000;
    append(journal, seal);
    tap_is_int((int64_t)journal_last(journal), (int64_t)last + 5, "stepped back: likewise");
    seal_set_every(seal, 1000);
    pass(1000);
    append(journal, seal);
    tap_is_int((int64_t)journal_last(journal), (int64_t)last + 7, "a shorter epoch holds at once");
    seal_set_every(seal, EVERY_MS);
    pass(1000);
    append(journal, seal);
    tap_is_int((int64_t)journal_last(journal), (int64_t)last + 9,
               "a longer one only from the next seal: it was promised");
    seal_close(&seal, now);
    journal_close(&journal);
    expect("", "and verify is content");
}

/* ---- a crash between journal and key file ----------------------------------------------------------------------- */

static struct key read_key(void)
{
    struct key key;
    if (key_read(path_of(KEY), &key, &why) != 0)
        die(why.text);
    return key;
}

static void test_crash(void)
{
    for (unsigned behind = 0; behind <= 3; behind++) {
        set_up();
        live(2, true);
        struct key old = read_key();
        live(behind, true);
        if (behind > 0)
            key_store(path_of(KEY), &old); /* the seals are on disk, the keys behind them were not stored */
        live(1, false);
        tap_is_text(trouble.text, "", "the key was behind: nothing to tell");
        expect("", "the key was behind and catches up");
    }
    set_up();
    live(2, true);
    size_t length;
    char *bytes = read_whole(FIRST_SEGMENT, &length);
    struct key before = read_key();
    live(0, true); /* one seal, of which only a part got to disk, and so no later key */
    char *more = read_whole(FIRST_SEGMENT, &length);
    write_whole(FIRST_SEGMENT, more, length - 20);
    key_store(path_of(KEY), &before);
    live(1, false);
    tap_is_text(trouble.text, "", "a torn seal: nothing to tell of the key");
    expect("", "a torn seal is made again");
    free(more);
    free(bytes);
}

static int fail_sync(void *self, int fd)
{
    (void)fd;
    return *(bool *)self ? -EIO : 0;
}

/* The key file must not be ahead of the journal: a seal that is not on disk leaves it as it is. */
static void test_order(void)
{
    bool fails = false;
    struct journal_disk disk = disk_system;
    disk.self = &fails;
    disk.sync = fail_sync;
    set_up();
    struct journal_options options = { .folder = folder, .segment_bytes = 0 };
    struct writer_open request = { &disk, &options, 0, NULL, NULL, 0 };
    struct journal_recovery recovery;
    struct journal *journal;
    if (writer_open(&request, &journal, &recovery, &why) != 0)
        die(why.text);
    struct seal *seal = open_seal(journal);
    append(journal, seal);
    wait_durable(journal, journal_last(journal));
    fails = true;
    pass(EVERY_MS);
    append(journal, seal);
    seal_abandon(&seal);
    tap_is_int(journal_close(&journal), -EIO, "a seal does not get to the disk");
    tap_is_int((int64_t)epoch_on_disk(), 2, "and the key on disk stays that of its epoch");
}

static void test_first_seal(void)
{
    set_up();
    live(0, true);
    struct key first = shown;
    key_evolve(&first, 1);
    key_store(path_of(KEY), &first); /* as if killed behind the very first seal */
    live(1, false);
    expect("", "killed right behind the first seal");
    set_up();
    struct journal *journal = open_journal(); /* records before sealing was set up */
    append(journal, NULL);
    pass(INT64_C(10) * 24 * 3600 * 1000);
    append(journal, NULL);
    journal_close(&journal);
    live(2, false);
    expect("", "a journal that was not sealed before");
}

/* A record whose newline was changed is no torn tail: it may have been acknowledged. */
static void test_newline(void)
{
    set_up();
    live(2, true);
    size_t length;
    char *bytes = read_whole(FIRST_SEGMENT, &length);
    bytes[length - 1] ^= 1;
    write_whole(FIRST_SEGMENT, bytes, length);
    expect("syntax", "a changed newline at the very end");
    live(1, false);
    char *after = read_whole(FIRST_SEGMENT, &length);
    tap_ok(memcmp(bytes, after, length) == 0, "and recovery cuts nothing");
    expect("syntax", "verify names it for ever");
    free(bytes);
    free(after);
}

/* ---- trouble --------------------------------------------------------------------------------------------------- */

static bool tells(const char *words)
{
    return strstr(trouble.text, words) != NULL;
}

static void test_trouble(void)
{
    set_up();
    live(2, false);
    size_t stop_length, length;
    char *stopped = read_whole(FIRST_SEGMENT, &stop_length);
    live(3, false);
    write_whole(FIRST_SEGMENT, stopped, stop_length);
    expect("seal-cut", "cut behind a clean stop: the daemon's key shows it");
    live(1, false);
    tap_ok(tells("cut off"), "and the daemon says so: %s", trouble.text);
    expect("seal-epoch", "and verify does for ever");
    free(stopped);

    set_up();
    live(2, false);
    struct key key = read_key();
    unlink(path_of(KEY));
    struct journal *journal = open_journal();
    tap_ok(open_seal(journal) == NULL && tells("is missing"), "the key is missing: %s", trouble.text);
    pass(3 * EVERY_MS);
    append(journal, NULL);
    journal_close(&journal);
    expect("seal-missing", "and what is written without it is not sealed");

    set_up();
    live(2, true);
    char *bytes = read_whole(FIRST_SEGMENT, &length);
    key_draw(&key);
    key_evolve(&key, 2);
    key_store(path_of(KEY), &key);
    live(0, true);
    tap_ok(tells("not made with"), "another key: %s", trouble.text);
    expect("seal-epoch", "and verify says so");
    free(bytes);

    set_up();
    journal = open_journal();
    unlink(path_of(KEY));
    tap_ok(open_seal(journal) == NULL && trouble.text[0] == '\0', "never set up: not sealed, and nothing to tell");
    journal_close(&journal);
    struct journal_report report = verify_at(now.wall_ms);
    tap_ok(report.fault_count == 1 && strcmp(report.faults[0].kind, "seal-missing") == 0, "but who has a key is told");
}

/* The key was lost, sealing is set up again: who has both keys can check all of it. */
static void test_anew(void)
{
    set_up();
    live(2, false);
    struct key keys[2] = { shown }, first;
    key_draw(&keys[1]);
    first = keys[1];
    key_evolve(&first, 1);
    key_store(path_of(KEY), &first);
    live(2, false);
    expect("seal-epoch", "begun anew, with the first key alone");
    struct journal_report report;
    const struct journal_proof proof = { .keys = keys, .key_count = 2, .now_ms = now.wall_ms };
    journal_verify(folder, &proof, &report, &why);
    tap_ok(report.fault_count == 0 && report.seals == report.seals_held && report.seals == 6, "with both keys: good");
}

/* ---- anchors --------------------------------------------------------------------------------------------------- */

static const struct anchor_sink *sink(const char *name)
{
    for (const struct anchor_sink *at = anchor_sinks; at->name != NULL; at++)
        if (strcmp(at->name, name) == 0)
            return at;
    return NULL;
}

static void test_anchors(void)
{
    char line[ANCHOR_LINE_SIZE];
    struct anchor_list list;
    struct journal_report report;
    set_up();
    live(3, true);
    report = verify_at(0);
    struct journal_anchor anchor = { .seq = report.last_seq };
    memcpy(anchor.hash, report.head_hash, sizeof anchor.hash);
    memcpy(anchor.journal, report.journal_id, 33);
    anchor_format(line, &anchor, T0);
    tap_is_int(sink("file")->write(path_of("heads"), line), 0, "a head is written to a file");
    live(1, true);
    append_bytes("heads", "a line of something else\n", 25);
    tap_is_int(anchor_read(path_of("heads"), &list, &why), 0, "and read back");
    const struct journal_proof proof = { .anchors = list.items, .anchor_count = list.count };
    journal_verify(folder, &proof, &report, &why);
    tap_ok(list.count == 1 && report.fault_count == 0 && report.anchors_held == 1, "and holds");
    list.items[0].journal[0] = list.items[0].journal[0] == 'a' ? 'b' : 'a';
    journal_verify(folder, &proof, &report, &why);
    tap_ok(report.fault_count == 1 && strstr(report.faults[0].text, "is of the journal") != NULL, "of another journal");
    anchor_close(&list);
    write_whole("heads", "journal=x head=5:00\n", 20);
    tap_is_int(anchor_read(path_of("heads"), &list, &why), ERROR_SYNTAX, "a damaged anchor is refused");
    write_whole("heads", "nothing\n", 8);
    tap_is_int(anchor_read(path_of("heads"), &list, &why), ERROR_SYNTAX, "a file without anchors too");
    tap_ok(sink("file")->write("/nonexistent/x", line) == -ENOENT && sink("syslog")->write("/nonexistent", line) < 0,
           "a sink that can't be written says so");
    tap_is_int(anchor_parse("5", &anchor), ERROR_SYNTAX, "no anchor");
    tap_is_int(anchor_parse("0:", &anchor), ERROR_SYNTAX, "no anchor");
}

/* A daemon that listens as syslog's does. */
static void test_syslog(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char got[256] = "";
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of("log"));
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        die("bind");
    tap_is_int(sink("syslog")->write(path_of("log"), "belfry head=5:x"), 0, "a head is told to syslog");
    if (recv(fd, got, sizeof got - 1, MSG_DONTWAIT) < 0)
        die("recv");
    tap_ok(strncmp(got, "<37>belfry[", 11) == 0 && strstr(got, "]: belfry head=5:x") != NULL, "as auth.notice: %s",
           got);
    close(fd);
}

int main(void)
{
    make_folder();
    test_key();
    test_key_file();
    test_epochs();
    test_due();
    test_crash();
    test_order();
    test_first_seal();
    test_newline();
    test_trouble();
    test_anew();
    test_anchors();
    test_syslog();
    remove_folder();
    return tap_done();
}
