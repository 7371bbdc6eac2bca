/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Verify: every flipped bit, every kind of tampering is found and named; and a second verifier that knows nothing but
 * the documented format (tests/peers/journal_verify.py) comes to the same findings. */
#include "tests/journal_peer.h"
#include "tests/tap.h"

#define SEGMENTS_MAX 8

/* ---- a journal in memory ------------------------------------------------------------------------------------------
 */

/* Segments as lists of lines without newlines. */
struct image {
    struct image_segment {
        char name[32];
        char *lines[64];
        size_t count;
    } segments[SEGMENTS_MAX];
    size_t count;
};

static void make_journal(unsigned n, uint64_t segment_bytes)
{
    empty_folder();
    struct journal *journal = open_with((struct journal_options){ .segment_bytes = segment_bytes }, NULL);
    for (unsigned i = 0; i < n; i++)
        journal_append(journal, T0 + i, i % 2 ? "check.state" : "breaker.open", "keeper",
                       i % 3 ? "\"check\":\"redis/server\",\"text\":\"\xc3\xa4 \\\"x\\\",\"" : "");
    journal_close(&journal);
}

static void load_segment(struct image *image, uint64_t first)
{
    struct image_segment *segment = &image->segments[image->count];
    snprintf(segment->name, sizeof segment->name, "%020" PRIu64 ".jsonl", first);
    if (!file_exists(segment->name))
        return;
    image->count++;
    size_t length;
    char *bytes = read_whole(segment->name, &length), *next = bytes, *line;
    while ((line = strsep(&next, "\n")) != NULL && next != NULL)
        segment->lines[segment->count++] = strdup(line);
    free(bytes);
}

static struct image load(uint64_t last)
{
    struct image image = { 0 };
    for (uint64_t first = 1; first <= last; first++)
        load_segment(&image, first);
    return image;
}

static void unload(struct image *image)
{
    for (size_t i = 0; i < SEGMENTS_MAX; i++)
        for (size_t j = 0; j < image->segments[i].count; j++)
            free(image->segments[i].lines[j]);
}

static void store(const struct image *image)
{
    empty_folder();
    for (size_t i = 0; i < image->count; i++) {
        const struct image_segment *segment = &image->segments[i];
        write_whole(segment->name, "", 0);
        for (size_t j = 0; j < segment->count; j++) {
            append_bytes(segment->name, segment->lines[j], strlen(segment->lines[j]));
            append_bytes(segment->name, "\n", 1);
        }
    }
}

static void remove_line(struct image_segment *segment, size_t at)
{
    free(segment->lines[at]);
    segment->count--;
    memmove(segment->lines + at, segment->lines + at + 1, (segment->count - at) * sizeof segment->lines[0]);
}

static void insert_line(struct image_segment *segment, size_t at, const char *line)
{
    memmove(segment->lines + at + 1, segment->lines + at, (segment->count - at) * sizeof segment->lines[0]);
    segment->lines[at] = strdup(line);
    segment->count++;
}

static void swap_lines(struct image_segment *segment, size_t a, size_t b)
{
    char *line = segment->lines[a];
    segment->lines[a] = segment->lines[b];
    segment->lines[b] = line;
}

static void change(char *line, const char *from, const char *to)
{
    char *at = strstr(line, from);
    if (at == NULL || strlen(from) != strlen(to))
        die("change");
    memcpy(at, to, strlen(to));
}

/* ---- tampering ----------------------------------------------------------------------------------------------------
 */

/* The folder's first fault must be this one; "" for none. */
static void expect_fault(const char *kind, uint64_t line, const char *what)
{
    struct journal_report report = verify_with(NULL);
    const char *got = report.fault_count > 0 ? report.faults[0].kind : "";
    bool good = strcmp(got, kind) == 0;
    if (good && report.fault_count > 0)
        good = report.faults[0].line == line;
    tap_ok(good, "%s: %s at line %" PRIu64, what, kind[0] != '\0' ? kind : "no fault", line);
    if (!good)
        printf("# got %s %s line %" PRIu64 ": %s\n", report.faults[0].segment, got, report.faults[0].line,
               report.faults[0].text);
    compare_with_peer(&report, "", what);
}

typedef void tamper(struct image *image);

static void nothing(struct image *image)
{
    (void)image;
}
static void remove_one(struct image *image)
{
    remove_line(&image->segments[1], 2);
}
static void remove_first(struct image *image)
{
    remove_line(&image->segments[0], 0);
}
static void remove_two(struct image *image)
{
    remove_line(&image->segments[1], 2);
    remove_line(&image->segments[1], 2);
}
static void duplicate(struct image *image)
{
    insert_line(&image->segments[1], 3, image->segments[1].lines[2]);
}
static void append_old(struct image *image)
{
    struct image_segment *last = &image->segments[image->count - 1];
    insert_line(last, last->count, image->segments[0].lines[1]);
}
static void swap(struct image *image)
{
    swap_lines(&image->segments[1], 1, 2);
}
static void rewrite(struct image *image)
{
    change(image->segments[1].lines[2], "keeper", "nobody");
}
static void rewrite_and_hash(struct image *image)
{
    change(image->segments[1].lines[2], "keeper", "nobody");
    hash_again(image->segments[1].lines[2]);
}
static void rewrite_time(struct image *image)
{
    change(image->segments[0].lines[1], "2026-11-21", "2027-11-21");
    hash_again(image->segments[0].lines[1]);
}
static void rewrite_head(struct image *image)
{
    change(image->segments[1].lines[0], "\"version\":1", "\"version\":2");
    hash_again(image->segments[1].lines[0]);
}
static void rename_previous(struct image *image)
{
    change(image->segments[1].lines[0], "00000000000000000001.jsonl", "00000000000000000002.jsonl");
    hash_again(image->segments[1].lines[0]);
}
static void change_id(struct image *image)
{
    char *id = strstr(image->segments[1].lines[0], "\"journal\":\"") + 11;
    memcpy(id, "00112233445566778899aabbccddeeff", 32);
    hash_again(image->segments[1].lines[0]);
}
static void cut_earlier(struct image *image)
{
    remove_line(&image->segments[1], image->segments[1].count - 1);
}
static void cut_last(struct image *image)
{
    struct image_segment *last = &image->segments[image->count - 1];
    remove_line(last, last->count - 1);
}
static void empty_earlier(struct image *image)
{
    while (image->segments[1].count > 0)
        remove_line(&image->segments[1], 0);
}
static void drop_segment(struct image *image)
{
    empty_earlier(image);
    memmove(image->segments + 1, image->segments + 2, (SEGMENTS_MAX - 2) * sizeof image->segments[0]);
    memset(&image->segments[SEGMENTS_MAX - 1], 0, sizeof image->segments[0]);
    image->count--;
}
static void drop_first_segment(struct image *image)
{
    while (image->segments[0].count > 0)
        remove_line(&image->segments[0], 0);
    memmove(image->segments, image->segments + 1, (SEGMENTS_MAX - 1) * sizeof image->segments[0]);
    memset(&image->segments[SEGMENTS_MAX - 1], 0, sizeof image->segments[0]);
    image->count--;
}
static void rename_segment(struct image *image)
{
    memcpy(image->segments[1].name, "00000000000000000002", 20);
}
static void repeat_head(struct image *image)
{
    insert_line(&image->segments[1], 2, image->segments[1].lines[0]);
}
static void insert_garbage(struct image *image)
{
    insert_line(&image->segments[1], 2, "garbage");
}
static void insert_empty(struct image *image)
{
    insert_line(&image->segments[1], 2, "");
}
static void upper_case(struct image *image)
{
    char *line = image->segments[1].lines[2];
    for (char *c = line + strlen(line) - 66; *c != '"'; c++)
        *c = (char)(*c >= 'a' ? *c - 32 : *c);
}
static void add_space(struct image *image)
{
    struct image_segment *segment = &image->segments[1];
    char line[1024];
    snprintf(line, sizeof line, "{ %s", segment->lines[2] + 1);
    hash_again(line);
    remove_line(segment, 2);
    insert_line(segment, 2, line);
}

static void change_end(struct image *image)
{
    char *end = strstr(image->segments[1].lines[0], "\"end\":\"") + 7;
    memset(end, 'a', 64);
    hash_again(image->segments[1].lines[0]);
}
static void garbage_and_old(struct image *image)
{
    insert_line(&image->segments[1], 2, "garbage");
    insert_line(&image->segments[1], 3, image->segments[0].lines[1]);
}
static void begin_with_two(struct image *image)
{
    change(image->segments[0].lines[0], "\"seq\":1,", "\"seq\":2,");
    hash_again(image->segments[0].lines[0]);
    memcpy(image->segments[0].name, "00000000000000000002", 20);
}
static void change_time_form(struct image *image)
{
    change(image->segments[1].lines[2], "2026-11-21T", "2026-11-21 ");
    hash_again(image->segments[1].lines[2]);
}

/* what is done, the first fault and its line */
static const struct {
    const char *what;
    tamper *tamper;
    const char *kind;
    uint64_t line;
} tamperings[] = {
    { "an honest journal", nothing, "", 0 },
    { "a record removed", remove_one, "sequence", 3 },
    { "the first record removed", remove_first, "segment", 1 },
    { "two records removed", remove_two, "sequence", 3 },
    { "a record repeated", duplicate, "sequence", 4 },
    { "an old record appended", append_old, "sequence", 4 },
    { "two records exchanged", swap, "sequence", 2 },
    { "a record rewritten", rewrite, "hash", 3 },
    { "a record rewritten with its hash", rewrite_and_hash, "chain", 4 },
    { "a time rewritten with its hash", rewrite_time, "chain", 3 },
    { "an unknown version", rewrite_head, "segment", 1 },
    { "another predecessor named", rename_previous, "segment", 1 },
    { "another journal's id", change_id, "journal-id", 1 },
    { "an earlier segment cut at a line's end", cut_earlier, "sequence", 1 },
    { "the last segment cut at a line's end: not to be seen without a seal", cut_last, "", 0 },
    { "an earlier segment emptied", empty_earlier, "segment", 0 },
    { "a segment removed", drop_segment, "segment", 1 },
    { "the first segment removed", drop_first_segment, "segment", 1 },
    { "a segment renamed", rename_segment, "segment", 1 },
    { "a segment record in the middle", repeat_head, "segment", 3 },
    { "another end of the predecessor named", change_end, "segment", 1 },
    { "garbage and an old record inserted", garbage_and_old, "syntax", 3 },
    { "a journal that begins with 2", begin_with_two, "sequence", 1 },
    { "a time of another form, hashed anew", change_time_form, "syntax", 3 },
    { "garbage inserted", insert_garbage, "syntax", 3 },
    { "an empty line inserted", insert_empty, "syntax", 3 },
    { "a hash in upper case", upper_case, "syntax", 3 },
    { "a space added, hashed anew", add_space, "syntax", 3 },
};

static void test_tampering(void)
{
    for (size_t i = 0; i < sizeof tamperings / sizeof tamperings[0]; i++) {
        make_journal(14, 1200);
        struct image image = load(40);
        tamperings[i].tamper(&image);
        store(&image);
        expect_fault(tamperings[i].kind, tamperings[i].line, tamperings[i].what);
        unload(&image);
    }
}

static void test_splice(void)
{
    make_journal(14, 1200);
    struct image other = load(40);
    make_journal(14, 1200);
    struct image image = load(40);
    free(image.segments[1].lines[2]);
    image.segments[1].lines[2] = strdup(other.segments[1].lines[2]);
    store(&image);
    expect_fault("chain", 3, "a record of another journal");
    unload(&image);

    make_journal(14, 1200);
    image = load(40);
    struct image_segment own = image.segments[1];
    image.segments[1] = other.segments[1];
    store(&image);
    expect_fault("journal-id", 1, "a segment of another journal");
    image.segments[1] = own;
    unload(&image);
    unload(&other);
}

static void test_torn(void)
{
    make_journal(14, 1200);
    append_bytes(FIRST_SEGMENT, "{\"seq\"", 6);
    expect_fault("syntax", verify_with(NULL).faults[0].line, "an unfinished line in an earlier segment");
    make_journal(3, 0);
    append_bytes(FIRST_SEGMENT, "{\"seq\"", 6);
    tap_ok(verify_with(NULL).torn_tail, "an unfinished last line is called torn");
    expect_fault("", 0, "an unfinished last line");
    char *line = malloc(300000);
    memset(line, 'x', 300000);
    line[299999] = '\n';
    append_bytes(FIRST_SEGMENT, line, 300000);
    expect_fault("syntax", 5, "a line that is too long");
    for (int i = 0; i < 5; i++)
        append_bytes(FIRST_SEGMENT, line, 299999);
    expect_fault("syntax", 5, "an unfinished line that is longer than any buffer");
    append_bytes(FIRST_SEGMENT, "\n", 1);
    expect_fault("syntax", 5, "a line that is longer than any buffer");
    free(line);
}

/* Every bit of every segment, the newline at the very end too. */
static void test_every_bit(void)
{
    make_journal(12, 1200);
    struct image image = load(40);
    unsigned flips = 0, missed = 0;
    for (size_t i = 0; i < image.count; i++) {
        size_t length;
        const char *name = image.segments[i].name;
        char *bytes = read_whole(name, &length);
        int fd = open(path_of(name), O_WRONLY);
        for (size_t bit = 0; bit < length * 8; bit++, flips++) {
            char flipped = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
            if (pwrite(fd, &flipped, 1, (off_t)(bit / 8)) != 1)
                die("pwrite");
            struct journal_report report = verify_with(NULL);
            missed += report.fault_count == 0;
            if (pwrite(fd, bytes + bit / 8, 1, (off_t)(bit / 8)) != 1)
                die("pwrite");
        }
        close(fd);
        free(bytes);
    }
    tap_ok(flips > 32 * 1024, "%u bits flipped, one after the other", flips);
    tap_is_int(missed, 0, "every flipped bit is found");
    tap_is_int(verify_with(NULL).fault_count, 0, "and nothing is found without");
    unload(&image);
}

/* Some of those flips, chosen over the whole file, for both verifiers. */
static void test_peer_on_flips(void)
{
    make_journal(6, 1200);
    size_t length;
    char *bytes = read_whole(FIRST_SEGMENT, &length);
    for (size_t bit = 3; bit < length * 8; bit += length * 8 / 12 + 1) {
        char what[64];
        snprintf(what, sizeof what, "bit %zu flipped", bit);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
        write_whole(FIRST_SEGMENT, bytes, length);
        struct journal_report report = verify_with(NULL);
        compare_with_peer(&report, "", what);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
    free(bytes);
}

int main(void)
{
    make_folder();
    tap_ok(journal_verify("/nonexistent", NULL, &(struct journal_report){ 0 }, &why) == -ENOENT, "no such journal: %s",
           why.text);
    test_tampering();
    test_splice();
    test_torn();
    test_every_bit();
    test_peer_on_flips();
    remove_folder();
    return tap_done();
}
