/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index of a compressed segment: on random journals, random questions get the same answer, byte for byte, from the
 * segments as they were written, with the index, without, and with one that is damaged, cut short, of another segment
 * or of another journal. One that lies (its checksum holds) can't make a record up, and crashes nobody.
 *
 *     INDEX_JOURNALS=N    so many journals instead of the usual few; INDEX_SEED=N the first of them */
#include "core/base/text.h"
#include "core/journal/index.h"
#include "core/journal/pack.h"
#include "core/journal/segment.h"
#include "core/journal/tend.h"
#include "tests/journal.h"
#include "tests/tap.h"

#define RECORDS 1500u
#define QUESTIONS 30u
#define SEGMENT_BYTES (64u << 10)
#define STEP_MS 7000

static uint64_t seed;

/* 0 .. n - 1 */
static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

#define PICK(list) ((list)[draw(sizeof(list) / sizeof((list)[0]))])

/* ---- a journal -------------------------------------------------------------------------------------------------- */

static const char *const types[] = { "check.state",     "check.state", "check.state",   "check.added",
                                     "part.state",      "a.b.c",       "breaker.open",  "service.state",
                                     "incident.opened", "check",       "daemon.started" };
/* As they stand in a line. */
static const char *const subjects[] = { "web",         "web/up", "web/up@a",  "web/up/x", "we",     "w",
                                        "shop1/redis", "shop1",  "shop10/db", "\xc3\xa4", "a\\\"b", "a\\/b/c",
                                        "@",           "/",      "\\u0077eb", "a\\\\",    "check",  "" };
/* With a subject where a subject stands; some where none is asked for, or written as nobody does. */
static const char *const forms[] = { "\"check\":\"%s\"",
                                     "\"check\":\"%s\",\"text\":\"all well\"",
                                     "\"service\":\"%s\",\"text\":\"of \\\"web\\\"\"",
                                     "\"breaker\":\"%s\"",
                                     "\"plugin\":\"%s\",\"check\":\"shop1/redis\"",
                                     "\"text\":\"%s\"",
                                     "\"check\" : \"%s\"",
                                     "\"ch\\u0065ck\":\"%s\"",
                                     "\"check\":\"other\",\"check\":\"%s\"",
                                     "\"check\":\"%s\",\"check\":\"other\"",
                                     "\"inner\":{\"check\":\"%s\"}",
                                     "\"text\":\"check\",\"service\":\"%s\"",
                                     "\"check\":7,\"service\":\"%s\"",
                                     "\"check\":[\"%s\"]",
                                     "\"text\":\"no JSON %s" };

static void put_form(struct buf *out, const char *form, const char *subject)
{
    const char *at = strstr(form, "%s");
    buf_add(out, form, (size_t)(at - form));
    buf_text(out, subject);
    buf_text(out, at + 2);
}

/* Now and then most records are of one subject, so that others are missing in whole blocks. */
static void append_one(struct journal *journal, unsigned i, const char *usual)
{
    struct buf members = { 0 };
    const char *subject = usual != NULL && draw(50) != 0 ? usual : PICK(subjects);
    put_form(&members, draw(3) != 0 ? forms[0] : PICK(forms), subject);
    if (draw(100) == 0)
        for (unsigned n = draw(12000); n > 0; n--)
            buf_char(&members, ' '); /* larger than a block */
    int64_t back_ms = draw(200) == 0 ? (int64_t)draw(1000) * STEP_MS : 0;
    journal_append(journal, T0 + (int64_t)i * STEP_MS - back_ms, PICK(types),
                   draw(20) != 0 ? "keeper" : "a\"check\":\"web\"", members.data);
    buf_close(&members);
}

static void make_journal(void)
{
    struct journal_recovery recovery;
    empty_folder();
    struct journal *journal = open_with((struct journal_options){ .segment_bytes = SEGMENT_BYTES }, &recovery);
    const char *usual = NULL;
    for (unsigned i = 0; i < RECORDS; i++) {
        if (i % 100 == 0)
            usual = draw(3) == 0 ? NULL : PICK(subjects);
        append_one(journal, i, usual);
    }
    journal_close(&journal);
}

static void tend_all(void)
{
    int fd = open_folder();
    struct tend *tend = tend_open(&disk_system, fd);
    while (tend_step(tend))
        ;
    tend_close(&tend);
    close(fd);
}

#define FILES_MAX 64

struct file {
    char name[64];
};

/* The names that end so. */
static unsigned list_files(const char *suffix, struct file files[FILES_MAX])
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && count < FILES_MAX && (entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name), m = strlen(suffix);
        if (n > m && strcmp(entry->d_name + n - m, suffix) == 0)
            text_copy(files[count++].name, sizeof files[0].name, entry->d_name);
    }
    closedir(dir);
    return count;
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

static const char *const asked_types[] = { "check.state", "check.", "breaker.", "service.state", "a.",
                                           "a.b.",        "a.b.c",  "check",    "no.such",       "." };
static const char *const asked_subjects[] = { "web",         "web/up", "web/up@a", "we",    "w",   "shop1",
                                              "shop1/redis", "shop10", "\xc3\xa4", "a\"b",  "a/b", "a/b/c",
                                              "a\\",         "nobody", "check",    "other", "",    "@" };

struct question {
    struct journal_filter filter;
    struct journal_pick picks[3];
};

static void ask_anything(struct question *question)
{
    static const char *const texts[] = { "ALL WELL", "web", "\"seq\":7", "nowhere" };
    *question = (struct question){ .filter = { .type = draw(2) ? PICK(asked_types) : NULL,
                                               .subject = draw(3) ? PICK(asked_subjects) : NULL } };
    struct journal_filter *filter = &question->filter;
    if (draw(4) == 0)
        filter->since_ms = T0 + (int64_t)draw(RECORDS) * STEP_MS;
    if (draw(4) == 0)
        filter->until_ms = T0 + (int64_t)draw(RECORDS) * STEP_MS;
    if (draw(5) == 0)
        filter->first_seq = draw(RECORDS) + 1;
    if (draw(5) == 0)
        filter->last_seq = filter->first_seq + draw(RECORDS / 4) + 1;
    if (draw(5) == 0)
        filter->text = PICK(texts);
    if (draw(4) == 0)
        filter->last = draw(20) + 1;
    if (draw(3) == 0)
        filter->pick_count = draw(3) + 1;
    for (size_t i = 0; i < filter->pick_count; i++)
        question->picks[i] =
            (struct journal_pick){ draw(2) ? PICK(asked_types) : NULL, draw(2) ? PICK(asked_subjects) : NULL };
    filter->picks = question->picks;
    if (draw(2) == 0 && filter->pick_count > 0)
        filter->type = filter->subject = NULL;
}

static int add(void *context, const struct journal_record *record)
{
    struct buf *all = context;
    buf_print(all, "%s %" PRIu64 " ", record->segment, record->line_number);
    buf_add(all, record->line, record->length);
    buf_char(all, '\n');
    return 0;
}

static void answer(struct buf *out, const struct journal_filter *filter)
{
    buf_reset(out);
    buf_text(out, "");
    if (journal_query(folder, filter, add, out, &why) != 0)
        die(why.text);
}

/* All questions of a journal, and what they were answered at first. */
static struct question questions[QUESTIONS];
static struct buf answers[QUESTIONS];

static void ask_first(void)
{
    for (unsigned i = 0; i < QUESTIONS; i++) {
        ask_anything(&questions[i]);
        answer(&answers[i], &questions[i].filter);
    }
}

/* How many are answered otherwise now. */
static unsigned ask_again(unsigned every)
{
    struct buf got = { 0 };
    unsigned wrong = 0;
    for (unsigned i = draw(every); i < QUESTIONS; i += every) {
        answer(&got, &questions[i].filter);
        wrong += strcmp(got.data, answers[i].data) != 0;
    }
    buf_close(&got);
    return wrong;
}

/* ---- indexes that are not what they should be ------------------------------------------------------------------- */

enum harm {
    HARM_FLIP,
    HARM_CUT,
    HARM_EMPTY,
    HARM_OTHER,
    HARM_MISSING,
    HARM_COUNT
};

static void harm(const char *name, const char *other, enum harm how)
{
    size_t n;
    char *bytes = read_whole(how == HARM_OTHER && file_exists(other) ? other : name, &n);
    if (how == HARM_FLIP)
        bytes[draw((unsigned)n)] ^= (char)(1 << draw(8));
    else if (how == HARM_CUT)
        n = draw((unsigned)n);
    else if (how == HARM_EMPTY)
        n = 0;
    if (how == HARM_MISSING)
        unlink(path_of(name));
    else
        write_whole(name, bytes, n);
    free(bytes);
}

/* Each index is harmed in some way. */
static unsigned test_harm(void)
{
    struct file files[FILES_MAX];
    unsigned count = list_files(".idx", files);
    for (unsigned i = 0; i < count; i++)
        harm(files[i].name, files[(i + 1) % count].name, (enum harm)draw(HARM_COUNT));
    return ask_again(1);
}

/* Changes what stands in the file and makes its checksum hold again. */
static void make_liar(const char *name)
{
    size_t n;
    unsigned char digest[DIGEST_SIZE];
    char *bytes = read_whole(name, &n);
    for (unsigned i = draw(40) + 1; i > 0; i--)
        bytes[40 + draw((unsigned)n - 40 - DIGEST_SIZE)] = (char)draw(256);
    digest_sha256(bytes, n - DIGEST_SIZE, digest);
    memcpy(bytes + n - DIGEST_SIZE, digest, DIGEST_SIZE);
    write_whole(name, bytes, n);
    free(bytes);
}

/* Whether each line of the one, but for file and line number, is in the other, once and in its order. */
static bool is_part(char *part, const char *whole)
{
    for (char *line = strtok_r(part, "\n", &part); line != NULL && whole != NULL; line = strtok_r(NULL, "\n", &part)) {
        const char *record = strchr(line, '{');
        whole = strstr(whole, record);
        whole = whole != NULL ? whole + strlen(record) : NULL;
    }
    return whole != NULL;
}

/* Questions of which an answer was made up. */
static unsigned test_liars(void)
{
    struct file files[FILES_MAX];
    struct buf got = { 0 };
    unsigned count = list_files(".idx", files), wrong = 0;
    for (unsigned i = 0; i < count; i++)
        make_liar(files[i].name);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        if (questions[i].filter.last != 0) /* of those that are found */
            continue;
        answer(&got, &questions[i].filter);
        wrong += !is_part(got.data, answers[i].data);
    }
    buf_close(&got);
    return wrong;
}

/* Written by somebody else: members that end where no line does. */
static void pack_anyhow(const char *name)
{
    size_t n;
    char raw[64];
    struct buf packed = { 0 };
    snprintf(raw, sizeof raw, "%.26s", name);
    char command[1200];
    snprintf(command, sizeof command, "zcat '%s' >'%s'", path_of(name), path_of(raw));
    if (system(command) != 0)
        die(command);
    char *bytes = read_whole(raw, &n);
    for (size_t at = 0, length; at < n; at += length) {
        length = 1 + draw(20000);
        length = length > n - at ? n - at : length;
        pack_member(&packed, bytes + at, length);
    }
    write_whole(name, packed.data, packed.length);
    unlink(path_of(raw));
    buf_close(&packed);
    free(bytes);
}

static unsigned test_packed_anyhow(void)
{
    struct file files[FILES_MAX];
    unsigned count = list_files(".gz", files), wrong;
    for (unsigned i = 0; i < count; i++)
        pack_anyhow(files[i].name);
    wrong = ask_again(2);
    tend_all();
    return wrong + ask_again(1);
}

/* ---- the property ------------------------------------------------------------------------------------------------ */

static void test_journal(uint64_t first_seed)
{
    static const char *const kinds[] = { "compressed and indexed", "with indexes that were harmed",
                                         "with those that tending made anew", "with indexes that lie",
                                         "packed by somebody else" };
    unsigned wrong[5];
    struct file files[FILES_MAX];
    seed = first_seed;
    make_journal();
    ask_first();
    tend_all();
    unsigned indexes = list_files(".idx", files);
    wrong[0] = ask_again(1);
    wrong[1] = test_harm();
    bool no_more = list_files(".idx", files) <= indexes && list_files(".new", files) == 0;
    tend_all();
    wrong[2] = ask_again(1) + (list_files(".idx", files) != indexes);
    wrong[3] = test_liars();
    wrong[4] = test_packed_anyhow();
    bool good = indexes > 3 && no_more;
    for (unsigned i = 0; i < 5; i++) {
        good = good && wrong[i] == 0;
        if (wrong[i] > 0)
            printf("# %u of %u questions are answered otherwise %s\n", wrong[i], QUESTIONS, kinds[i]);
    }
    tap_ok(good, "journal %" PRIu64 ": every question has one answer, whatever the indexes of %u segments are",
           first_seed, indexes);
}

/* ---- reading members --------------------------------------------------------------------------------------------- */

/* Appends a member of exactly so many bytes, of noise. */
static void add_member(struct buf *file, size_t packed)
{
    static char noise[40000];
    size_t before = file->length;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)draw(256);
    for (size_t n = packed - 60; n < packed && file->length != before + packed; n++) {
        file->length = before;
        if (pack_member(file, noise, n) != 0)
            die("pack_member");
    }
}

/* The reader takes 4 KiB and then 16 KiB at a time: wherever a member's header stands in them, it is found. */
static void test_windows(void)
{
    unsigned wrong = 0;
    empty_folder();
    for (size_t less = 0; less < 24; less++) {
        struct buf file = { 0 };
        struct pack_reader *reader;
        add_member(&file, (20u << 10) - less);
        add_member(&file, 300);
        add_member(&file, (4u << 10) - 300 - less);
        add_member(&file, 200);
        write_whole("windows", file.data, file.length);
        if (pack_open(&reader, open(path_of("windows"), O_RDONLY | O_CLOEXEC)) != 0)
            die("windows");
        for (unsigned i = 0; i < 4; i++)
            wrong += pack_next(reader) != 1;
        wrong += pack_next(reader) != 0;
        pack_seek(reader, (20u << 10) - less);
        wrong += pack_next(reader) != 1 || pack_passed(reader) != 300;
        wrong += pack_next(reader) != 1 || pack_next(reader) != 1 || pack_next(reader) != 0;
        pack_close(&reader);
        buf_close(&file);
    }
    tap_is_int(wrong, 0, "a member is found wherever it begins");
}

/* ---- what it saves ----------------------------------------------------------------------------------------------- */

static void test_blocks(void)
{
    struct journal_recovery recovery;
    struct pack_reader *packed = NULL;
    struct index index;
    empty_folder();
    struct journal *journal = open_with((struct journal_options){ .segment_bytes = 4 * SEGMENT_BYTES }, &recovery);
    for (unsigned i = 0; i < RECORDS; i++)
        journal_append(journal, T0, "check.state", "keeper",
                       i == 200 ? "\"check\":\"rare/one\"" : "\"check\":\"web/up\"");
    journal_close(&journal);
    tend_all();
    int fd = open_folder();
    int code = pack_open(&packed, open(path_of(FIRST_SEGMENT ".gz"), O_RDONLY | O_CLOEXEC));
    tap_ok(code == 0 && index_read(&index, fd, FIRST_SEGMENT, packed) == 0 && index.count > 20,
           "an index of many blocks");
    unsigned char marks[4096] = { 0 };
    unsigned rare = 0, many = 0;
    tap_ok(!index_mark(&index, INDEX_SUBJECT, "nobody", marks, 4) &&
               index_mark(&index, INDEX_SUBJECT, "rare", marks, 1) &&
               index_mark(&index, INDEX_TYPE, "check.", marks, 2),
           "knows what is there");
    for (uint64_t i = 0; i < index.count; i++) {
        rare += (marks[i] & 1) != 0;
        many += (marks[i] & 2) != 0;
    }
    tap_ok(rare == 1 && many == index.count - 1, /* the first one is the line that begins the segment */
           "and leads to one block, where only one has it");
    struct journal_filter filter = { .subject = "rare/one" };
    struct buf got = { 0 };
    answer(&got, &filter);
    tap_ok(strstr(got.data, "rare/one") != NULL && strstr(got.data, " 202 {") != NULL, "in which it is line 202");
    buf_close(&got);
    index_close(&index);
    pack_close(&packed);
    close(fd);
}

static uint64_t number_of(const char *name, uint64_t usual)
{
    int64_t value;
    const char *text = getenv(name);
    return text != NULL && text_integer(text, &value) == 0 && value > 0 ? (uint64_t)value : usual;
}

int main(void)
{
    make_folder();
    uint64_t first = number_of("INDEX_SEED", 1), count = number_of("INDEX_JOURNALS", 6);
    test_windows();
    test_blocks();
    for (uint64_t i = 0; i < count; i++)
        test_journal(first + i);
    for (unsigned i = 0; i < QUESTIONS; i++)
        buf_close(&answers[i]);
    remove_folder();
    return tap_done();
}
