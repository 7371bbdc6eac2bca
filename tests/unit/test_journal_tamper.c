/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tampering with sealed journals: what somebody could do who can write all files, can compute every hash anew, and has
 * the newest key. Each kind of it is done to many journals made at random (TAMPER_JOURNALS of them, 30 unless told;
 * `make torture-journal` does 100), and must be found and called by its name; the second verifier
 * (tests/peers/journal_verify.py) must find the same. Then every bit of a sealed journal of 64 KiB is flipped. */
#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/journal/key.h"
#include "core/journal/record.h"
#include "core/journal/seal.h"
#include "core/journal/verify.h"
#include "tests/journal_image.h"
#include "tests/journal_peer.h"
#include "tests/tap.h"

#define DAY_MS (24 * 3600 * 1000)

/* ---- what is done ---------------------------------------------------------------------------------------------- */

/* What verify is given beside key and the time of the last record. */
struct given {
    struct journal_proof proof;
    struct key key;
    struct journal_anchor anchor;
};
typedef void tamper(struct image *image, const struct image *other, struct given *given);

static void do_nothing(struct image *image, const struct image *other, struct given *given)
{
    (void)image;
    (void)other;
    (void)given;
}
static void flip_bit(struct image *image, const struct image *other, struct given *given)
{
    char *line = image->lines[draw((unsigned)image->count)].text;
    (void)other;
    (void)given;
    size_t at;
    char flipped;
    do {
        at = draw((unsigned)strlen(line));
        flipped = (char)(line[at] ^ (1 << draw(8)));
    } while (flipped == '\0' || flipped == '\n');
    line[at] = flipped;
}
static void remove_one(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    remove_at(image, pick(image));
}
static void remove_and_rebuild(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = pick(image);
    remove_at(image, at);
    rebuild(image, at, NULL);
}
static void exchange(struct image *image)
{
    size_t at;
    do
        at = pick(image);
    while (is_seal(image, at + 1) || image->lines[at + 1].begins);
    char *text = image->lines[at].text;
    image->lines[at].text = image->lines[at + 1].text;
    image->lines[at + 1].text = text;
}
static void exchange_two(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    exchange(image);
}
static void exchange_and_rebuild(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    exchange(image);
    rebuild(image, 1, NULL);
}
static void repeat_and_rebuild(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = pick(image);
    insert_at(image, at, image->lines[at].text);
    rebuild(image, at, NULL);
}
static void rewrite_hashed(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = pick(image);
    change(image, at, "keeper", "nobody");
    hash_again(image->lines[at].text);
}
static void rewrite_and_rebuild(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = pick(image);
    change(image, at, "keeper", "nobody");
    rebuild(image, at, NULL);
}
static void backdate_and_rebuild(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = pick(image);
    change(image, at, "\"at\":\"2026", "\"at\":\"2025");
    rebuild(image, at, NULL);
}
static void splice_one(struct image *image, const struct image *other, struct given *given)
{
    (void)given;
    replace(image, pick(image), strdup(other->lines[pick(other)].text));
}
static void splice_and_rebuild(struct image *image, const struct image *other, struct given *given)
{
    (void)given;
    size_t at = pick(image);
    replace(image, at, strdup(other->lines[pick(other)].text));
    rebuild(image, at, NULL);
}
static void insert_and_rebuild(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = pick(image);
    insert_at(image, at, image->lines[pick(image)].text);
    rebuild(image, at, NULL);
}
/* Cut at the end of a record, and looked at a day later. */
static void cut_off(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    given->proof.now_ms += DAY_MS;
    cut(image, pick(image) + 1);
}
static void cut_behind_seal(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    size_t at;
    do
        at = pick_seal(image);
    while (strstr(image->lines[at].text, "\"why\":\"stop\"") != NULL);
    given->proof.now_ms += DAY_MS;
    cut(image, at + 1);
}
/* Nothing but the anchor shows it when it was done just now. */
static void cut_anchored(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    given->proof.now_ms = 0;
    given->anchor = image->head;
    given->proof.anchor_count = 1;
    cut(image, image->count - 1 - draw(10));
}
static void cut_to_stop(struct image *image)
{
    size_t at = 0;
    while (strstr(image->lines[at].text, "\"why\":\"stop\"") == NULL)
        at++;
    cut(image, at + 1);
}
static void cut_to_stop_anchored(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    given->anchor = image->head;
    given->proof.anchor_count = 1;
    cut_to_stop(image);
}
static void cut_to_stop_key(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    given->proof.key_epoch = image->newest.epoch;
    cut_to_stop(image);
}
static void remove_seal(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = pick_seal(image);
    remove_at(image, at);
    rebuild(image, at, NULL);
}
static void strip(struct image *image, size_t from)
{
    for (size_t i = image->count; i-- > from;)
        if (is_seal(image, i))
            remove_at(image, i);
    rebuild(image, from, NULL);
}
static void strip_all(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    strip(image, 0);
}
static void strip_rest(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    given->proof.now_ms += DAY_MS;
    strip(image, pick_seal(image) + 1);
}
static void reseal_newest(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = pick(image);
    change(image, at, "keeper", "nobody");
    rebuild(image, at, &image->newest);
}
/* From there on seals of the newest epoch and later ones, all with the right keys. */
static void reseal_numbered(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    struct key key = image->newest;
    size_t at = pick(image);
    change(image, at, "keeper", "nobody");
    for (size_t i = next_seal(image, at); i < image->count; i = next_seal(image, i + 1)) {
        char text[512], *line = image->lines[i].text, *epoch = strstr(line, "\"epoch\":");
        snprintf(text, sizeof text, "%.*s\"epoch\":%" PRIu64 "%s", (int)(epoch - line), line, key.epoch,
                 strstr(epoch, ",\"every\""));
        replace(image, i, strdup(text));
        key_evolve(&key, key.epoch + 1);
    }
    rebuild(image, at, NULL);
    key = image->newest;
    for (size_t i = next_seal(image, at); i < image->count; i = next_seal(image, i + 1)) {
        sign_again(image, image->lines[i].text, &key);
        hash_again(image->lines[i].text);
        rebuild(image, i + 1, NULL);
        key_evolve(&key, key.epoch + 1);
    }
}
static void begin_anew(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    size_t at = next_seal(image, pick(image));
    char *epoch = strstr(image->lines[at].text, "\"epoch\":"), text[512];
    struct key key;
    snprintf(text, sizeof text, "%.*s\"epoch\":1,\"every\":60,\"why\":\"begin\"%s",
             (int)(epoch - image->lines[at].text), image->lines[at].text, strstr(epoch, ",\"mac\""));
    replace(image, at, strdup(text));
    key_draw(&key);
    key_evolve(&key, 1);
    rebuild(image, at, &key);
}
/* Who has no key at hand still has the anchor. */
static void rewrite_anchored(struct image *image, const struct image *other, struct given *given)
{
    given->proof.key_count = 0;
    given->anchor = image->head;
    given->proof.anchor_count = 1;
    rewrite_and_rebuild(image, other, given);
}
static void give_wrong_key(struct image *image, const struct image *other, struct given *given)
{
    (void)image;
    given->key = other->first;
}
static void give_newest_key(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    given->key = image->newest;
}
static void append_unsealed(struct image *image, const struct image *other, struct given *given)
{
    char text[1024], at[TEXT_TIME_SIZE];
    (void)other;
    size_t from = pick(image);
    snprintf(text, sizeof text, "%s", image->lines[from].text);
    memcpy(strstr(text, "\"at\":\"") + 6, text_format_utc(at, image->end_ms + 3600000), 24);
    given->proof.now_ms = 0;
    insert_at(image, image->count, text);
    rebuild(image, image->count - 1, NULL);
}
static void drop_first_segment(struct image *image, const struct image *other, struct given *given)
{
    (void)other;
    (void)given;
    do
        remove_at(image, 0);
    while (!image->lines[0].begins);
}
/* A whole journal of somebody else, against an anchor. */
static void replace_all(struct image *image, const struct image *other, struct given *given)
{
    given->key = other->first;
    given->anchor = image->head;
    given->proof.now_ms = 0;
    given->proof.anchor_count = 1;
    for (size_t i = 0; i < image->count; i++)
        free(image->lines[i].text);
    copy_image(image, other);
}

/* what is done, how the first fault may be called */
static const struct {
    const char *what;
    tamper *tamper;
    const char *kinds;
} tamperings[] = {
    { "nothing", do_nothing, "" },
    { "a bit flipped", flip_bit, "hash syntax" },
    { "a record removed", remove_one, "sequence" },
    { "a record removed, the chain rebuilt", remove_and_rebuild, "seal-key" },
    { "two records exchanged", exchange_two, "sequence" },
    { "two records exchanged, the chain rebuilt", exchange_and_rebuild, "seal-key" },
    { "a record repeated, the chain rebuilt", repeat_and_rebuild, "seal-key" },
    { "a record inserted, the chain rebuilt", insert_and_rebuild, "seal-key seal-missing" },
    { "a record rewritten with its hash", rewrite_hashed, "chain" },
    { "a record rewritten, the chain rebuilt", rewrite_and_rebuild, "seal-key" },
    { "a record backdated, the chain rebuilt", backdate_and_rebuild, "seal-key" },
    { "a record of another journal", splice_one, "sequence chain" },
    { "a record of another journal, the chain rebuilt", splice_and_rebuild, "seal-key seal-missing" },
    { "the end cut off, seen by the time", cut_off, "seal-overdue" },
    { "the end cut off behind a seal, seen by the time", cut_behind_seal, "seal-overdue" },
    { "the end cut off, seen by an anchor", cut_anchored, "anchor" },
    { "cut off behind a clean stop, seen by an anchor", cut_to_stop_anchored, "anchor" },
    { "cut off behind a clean stop, seen by the daemon's key", cut_to_stop_key, "seal-cut" },
    { "a seal removed, the chain rebuilt", remove_seal, "seal-epoch seal-missing" },
    { "all seals removed, the chain rebuilt", strip_all, "seal-missing" },
    { "the later seals removed, the chain rebuilt", strip_rest, "seal-missing seal-overdue" },
    { "rewritten and sealed again with the newest key", reseal_newest, "seal-key" },
    { "rewritten and sealed again as the newest epochs", reseal_numbered, "seal-epoch" },
    { "sealing begun anew with another key", begin_anew, "seal-epoch" },
    { "a record rewritten, the chain rebuilt, seen by an anchor", rewrite_anchored, "anchor" },
    { "a wrong key given", give_wrong_key, "seal-key" },
    { "the newest key given", give_newest_key, "seal-key" },
    { "a record appended an hour later without a seal", append_unsealed, "seal-missing" },
    { "the first segment removed", drop_first_segment, "segment" },
    { "another journal in its place, seen by an anchor", replace_all, "anchor" },
};

/* ---- and what is found ------------------------------------------------------------------------------------------ */

/* What the second verifier is told of what was given. */
static void put_arguments(struct buf *out, const struct given *given)
{
    char text[KEY_TEXT_SIZE], at[TEXT_TIME_SIZE];
    buf_print(out, "--key-epoch %" PRIu64, given->proof.key_epoch);
    if (given->proof.key_count > 0)
        buf_print(out, " --key %s", key_format(text, &given->key));
    if (given->proof.now_ms != 0)
        buf_print(out, " --as-of %s", text_format_utc(at, given->proof.now_ms));
    if (given->proof.anchor_count > 0)
        buf_print(out, " --anchor %" PRIu64 ":%s", given->anchor.seq, given->anchor.hash);
}

/* The first 16 faults are compared. */
static bool agrees(const struct journal_report *report, const struct given *given)
{
    struct buf ours = { 0 }, theirs = { 0 }, arguments = { 0 };
    print_report(&ours, report);
    put_arguments(&arguments, given);
    ask_peer(&theirs, arguments.data);
    buf_close(&arguments);
    bool same = report->fault_count > 16 ? strncmp(ours.data, theirs.data, ours.length - 1) == 0
                                         : strcmp(ours.data, theirs.data) == 0;
    if (!same)
        printf("# ours:\n%s# theirs:\n%s", ours.data, theirs.data);
    buf_close(&ours);
    buf_close(&theirs);
    return same;
}

static bool is_one_of(const char *kinds, const char *kind)
{
    size_t n = strlen(kind);
    for (const char *at = kinds; (at = strstr(at, kind)) != NULL; at++)
        if ((at == kinds || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

static bool is_found(size_t row, const struct journal_report *report)
{
    const char *kinds = tamperings[row].kinds;
    bool good = kinds[0] == '\0' ? report->fault_count == 0
                                 : report->fault_count > 0 && is_one_of(kinds, report->faults[0].kind);
    if (!good)
        printf("# '%s' with seed %" PRIu64 ": %u faults, %s:%" PRIu64 ": %s: %s\n", tamperings[row].what, seed,
               report->fault_count, report->faults[0].segment, report->faults[0].line, report->faults[0].kind,
               report->faults[0].text);
    if (strcmp(tamperings[row].what, "rewritten and sealed again with the newest key") == 0)
        good &= strstr(report->faults[0].text, "sealed with the key of epoch") != NULL;
    return good;
}

struct tally {
    unsigned missed, disagreed;
};

static void tamper_once(size_t row, const struct image *image, const struct image *other, bool ask, struct tally *tally)
{
    struct image changed;
    struct journal_report report;
    struct given given = { .proof = { .key_count = 1, .now_ms = image->end_ms + 1000 }, .key = image->first };
    given.proof.keys = &given.key;
    given.proof.anchors = &given.anchor;
    copy_image(&changed, image);
    tamperings[row].tamper(&changed, other, &given);
    store(&changed);
    if (journal_verify(folder, &given.proof, &report, &why) != 0)
        die(why.text);
    tally->missed += !is_found(row, &report);
    if (ask)
        tally->disagreed += !agrees(&report, &given);
    unload(&changed);
}

static void test_tamperings(unsigned journals)
{
    enum {
        rows = sizeof tamperings / sizeof tamperings[0]
    };
    struct tally tallies[rows] = { 0 };
    struct image *image = calloc(2, sizeof *image), *other = image + 1;
    unsigned asked = has_python() ? 2 : 0;
    make_image(other);
    for (unsigned i = 0; i < journals; i++) {
        make_image(image);
        for (size_t row = 0; row < rows; row++)
            tamper_once(row, image, other, i < asked, &tallies[row]);
        unload(other);
        *other = *image;
    }
    unload(other);
    free(image);
    for (size_t row = 0; row < rows; row++) {
        tap_ok(tallies[row].missed == 0, "%s: %u of %u journals: %s", tamperings[row].what,
               journals - tallies[row].missed, journals, tamperings[row].kinds);
        if (asked > 0)
            tap_is_int(tallies[row].disagreed, 0, "and the second verifier agrees");
    }
    if (asked == 0)
        tap_skip("the second verifier", "no /usr/bin/python3");
}

/* ---- every bit -------------------------------------------------------------------------------------------------- */

#define BITS_BYTES (64u << 10)

/* One segment; where each line begins, and the verification up to there. */
struct flips {
    struct given given;
    struct journal_report report;
    char *bytes;
    size_t length, count;
    size_t *begins; /* count + 1 of them */
    struct verifier *before;
    struct segment_lines lines;
};

static void make_long(struct flips *f)
{
    struct instant now = { 1000000, T0 };
    empty_folder();
    f->given.key = set_up();
    do {
        free(f->bytes);
        run_daemon(&now, 40, true, 0);
        f->bytes = read_whole(FIRST_SEGMENT, &f->length);
    } while (f->length < BITS_BYTES);
    f->given.proof = (struct journal_proof){ .keys = &f->given.key, .key_count = 1 };
}

/* So that a flip in a line need not be verified from the beginning. */
static void note_states(struct flips *f)
{
    struct verifier v;
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    if (segment_lines_open(&f->lines, fd, FIRST_SEGMENT) != 0)
        die(FIRST_SEGMENT);
    close(fd);
    verify_begin(&v, &f->given.proof, &f->report);
    chain_begin_segment(&v.chain, FIRST_SEGMENT, "");
    for (size_t at = 0; at < f->length; f->count++) {
        f->begins = reallocarray(f->begins, f->count + 2, sizeof *f->begins);
        f->before = reallocarray(f->before, f->count + 1, sizeof *f->before);
        f->begins[f->count] = at;
        f->before[f->count] = v;
        at = (size_t)((char *)memchr(f->bytes + at, '\n', f->length - at) - f->bytes) + 1;
        f->begins[f->count + 1] = f->lines.end = at;
        if (verify_lines(&v, &f->lines, false) < 0)
            die("verify");
    }
}

/* From line i on, and so many lines: whether something is found. */
static bool finds(struct flips *f, size_t i, size_t count)
{
    struct verifier v = f->before[i];
    bool is_last = i + count >= f->count;
    f->report = (struct journal_report){ .records = i, .first_seq = i > 0 };
    f->lines.offset = f->begins[i];
    f->lines.number = i;
    f->lines.start = f->lines.fill = 0;
    f->lines.end = is_last ? f->length : f->begins[i + count];
    if (f->lines.size > 1024)
        f->lines.size = 1024;
    if (verify_lines(&v, &f->lines, is_last) < 0)
        die("verify");
    return f->report.fault_count > 0;
}

static void test_every_bit(void)
{
    struct flips f = { 0 };
    make_long(&f);
    note_states(&f);
    tap_ok(f.length >= BITS_BYTES && f.report.fault_count == 0 && f.report.records == f.count,
           "a sealed journal of %zu bytes, %zu records", f.length, f.count);
    unsigned missed = 0;
    int fd = open(path_of(FIRST_SEGMENT), O_WRONLY);
    for (size_t i = 0; i < f.count; i++)
        for (size_t bit = f.begins[i] * 8; bit < f.begins[i + 1] * 8; bit++) {
            char flipped = (char)(f.bytes[bit / 8] ^ (1 << (bit % 8)));
            if (pwrite(fd, &flipped, 1, (off_t)(bit / 8)) != 1)
                die("pwrite");
            size_t lines = bit / 8 + 1 == f.begins[i + 1] ? 2 : 1; /* a newline joins two */
            missed += !finds(&f, i, lines) && !finds(&f, i, f.count);
            if (pwrite(fd, f.bytes + bit / 8, 1, (off_t)(bit / 8)) != 1)
                die("pwrite");
        }
    tap_is_int(missed, 0, "each of its bits flipped in turn is found");
    missed = 0;
    for (size_t i = 0; i < f.count; i++)
        missed += finds(&f, i, 1);
    tap_is_int(missed, 0, "and nothing is found without");
    close(fd);
    segment_lines_close(&f.lines);
    free(f.bytes);
    free(f.begins);
    free(f.before);
}

int main(void)
{
    const char *journals = getenv("TAMPER_JOURNALS"), *given = getenv("TAMPER_SEED");
    int64_t n = 30, from = 1;
    if (journals != NULL)
        text_integer(journals, &n);
    if (given != NULL)
        text_integer(given, &from);
    seed = (uint64_t)from;
    make_folder();
    test_tamperings((unsigned)n);
    test_every_bit();
    remove_folder();
    return tap_done();
}
