/* SPDX-License-Identifier: GPL-3.0-or-later */
/* journal_image - a sealed journal made at random, as lines in memory, and an attacker's tools: lines are taken out,
 * put in, changed, and made to hold again as far as one can who has this key or that. */
#ifndef TESTS_JOURNAL_IMAGE_H
#define TESTS_JOURNAL_IMAGE_H

#include "core/base/digest.h"
#include "core/journal/key.h"
#include "core/journal/record.h"
#include "core/journal/seal.h"
#include "core/journal/segment.h"
#include "tests/journal.h"

#define LINES_MAX 1024
#define EVERY_MS 60000

/* ---- a sealed journal, made at random --------------------------------------------------------------------------- */

static uint64_t seed;

/* 0 .. n - 1 */
static inline unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

struct image {
    struct image_line {
        char *text;
        bool begins; /* a segment */
    } lines[LINES_MAX];
    size_t count;
    char id[SEGMENT_ID_SIZE];
    struct key first, newest; /* of epoch 0; the daemon's */
    int64_t end_ms;           /* the time of the last record */
    struct journal_anchor head;
};

/* From the daemon's start to its stop, or to its death. */
static inline void run_daemon(struct instant *now, unsigned records, bool dies, uint64_t segment_bytes)
{
    struct seal_options sealing = { folder, path_of("journal.key"), EVERY_MS };
    struct journal *journal = open_with((struct journal_options){ .segment_bytes = segment_bytes }, NULL);
    struct why trouble;
    struct seal *seal = seal_open(journal, &sealing, *now, &trouble);
    if (seal == NULL || trouble.text[0] != '\0')
        die(trouble.text);
    for (unsigned i = 0; i < records; i++) {
        unsigned step = draw(20) == 0 ? 150000 : draw(20000);
        now->mono_ms += step;
        now->wall_ms += step;
        seal_before(seal, *now);
        journal_append(journal, now->wall_ms, draw(2) ? "check.state" : "breaker.open", "keeper",
                       draw(3) ? "\"check\":\"redis/server\",\"text\":\"\xc3\xa4 \\\"x\\\",\"" : "");
    }
    if (dies) /* what a kill leaves: no stop seal; the key file is that of the last seal on disk */
        seal_abandon(&seal);
    else
        seal_close(&seal, *now);
    journal_close(&journal);
    now->wall_ms += 1000 * draw(100000);
}

static inline struct key set_up(void)
{
    struct key shown, first;
    key_draw(&shown);
    first = shown;
    key_evolve(&first, 1);
    if (key_store(path_of("journal.key"), &first) != 0)
        die("key");
    return shown;
}

static inline void load_line(struct image *image, const char *text, bool begins)
{
    struct record record;
    if (image->count == LINES_MAX || record_parse(text, strlen(text), &record) != 0)
        die("load");
    image->lines[image->count++] = (struct image_line){ strdup(text), begins };
    image->end_ms = record_wall_ms(&record);
    image->head.seq = record.seq;
    memcpy(image->head.hash, record.hash, 64);
}

static inline void load(struct image *image)
{
    struct segment_list list;
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || segment_list_open(&list, fd) != 0)
        die("load");
    for (size_t i = 0; i < list.count; i++) {
        size_t length;
        char *bytes = read_whole(list.names[i], &length), *next = bytes, *line;
        for (bool begins = true; (line = strsep(&next, "\n")) != NULL && next != NULL; begins = false)
            load_line(image, line, begins);
        free(bytes);
    }
    segment_list_close(&list);
    close(fd);
    memcpy(image->id, strstr(image->lines[0].text, "\"journal\":\"") + 11, 32);
    memcpy(image->head.journal, image->id, 32);
}

static inline void unload(struct image *image)
{
    for (size_t i = 0; i < image->count; i++)
        free(image->lines[i].text);
    *image = (struct image){ 0 };
}

/* A clean stop, a death, and at the end it dies or runs on. */
static inline void make_image(struct image *image)
{
    struct instant now = { 1000000, T0 };
    uint64_t segment_bytes = 4000 + draw(12000);
    *image = (struct image){ 0 };
    empty_folder();
    image->first = set_up();
    run_daemon(&now, 25 + draw(20), false, segment_bytes);
    run_daemon(&now, 15 + draw(20), true, segment_bytes);
    run_daemon(&now, 25 + draw(20), true, segment_bytes);
    load(image);
    if (key_read(path_of("journal.key"), &image->newest, &why) != 0)
        die(why.text);
}

static inline void copy_image(struct image *to, const struct image *from)
{
    *to = *from;
    for (size_t i = 0; i < from->count; i++)
        to->lines[i].text = strdup(from->lines[i].text);
}

static inline void store(const struct image *image)
{
    char name[SEGMENT_NAME_SIZE] = "none";
    struct buf bytes = { 0 };
    struct record record = { .seq = 1 };
    empty_folder();
    for (size_t i = 0; i < image->count; i++) {
        if (image->lines[i].begins) {
            if (i > 0)
                write_whole(name, bytes.data, bytes.length);
            buf_reset(&bytes);
            record_parse(image->lines[i].text, strlen(image->lines[i].text), &record);
            segment_name(name, record.seq);
        }
        buf_text(&bytes, image->lines[i].text);
        buf_char(&bytes, '\n');
    }
    write_whole(name, bytes.data, bytes.length);
    buf_close(&bytes);
}

/* ---- an attacker's tools --------------------------------------------------------------------------------------- */

static inline bool is_type(const struct image *image, size_t at, const char *type)
{
    struct record record;
    return record_parse(image->lines[at].text, strlen(image->lines[at].text), &record) == 0 && record_is(&record, type);
}

static inline bool is_seal(const struct image *image, size_t at)
{
    return is_type(image, at, RECORD_SEALED);
}

static inline size_t last_seal(const struct image *image)
{
    size_t at = image->count;
    while (!is_seal(image, --at))
        ;
    return at;
}

static inline size_t next_seal(const struct image *image, size_t at)
{
    while (at < image->count && !is_seal(image, at))
        at++;
    return at;
}

/* An ordinary record, sealed, and behind the first seal. */
static inline size_t pick(const struct image *image)
{
    size_t at, end = last_seal(image);
    do
        at = 3 + draw((unsigned)end - 3);
    while (is_seal(image, at) || image->lines[at].begins);
    return at;
}

/* A seal that is not the last. */
static inline size_t pick_seal(const struct image *image)
{
    size_t at, end = last_seal(image);
    do
        at = draw((unsigned)end);
    while (!is_seal(image, at));
    return at;
}

static inline void remove_at(struct image *image, size_t at)
{
    free(image->lines[at].text);
    image->count--;
    memmove(image->lines + at, image->lines + at + 1, (image->count - at) * sizeof image->lines[0]);
}

static inline void insert_at(struct image *image, size_t at, const char *text)
{
    memmove(image->lines + at + 1, image->lines + at, (image->count - at) * sizeof image->lines[0]);
    image->lines[at] = (struct image_line){ strdup(text), false };
    image->count++;
}

/* So many lines remain. */
static inline void cut(struct image *image, size_t count)
{
    while (image->count > count)
        remove_at(image, image->count - 1);
}

static inline void replace(struct image *image, size_t at, char *text)
{
    free(image->lines[at].text);
    image->lines[at].text = text;
}

static inline void change(struct image *image, size_t at, const char *from, const char *to)
{
    char *found = strstr(image->lines[at].text, from);
    if (found == NULL || strlen(from) != strlen(to))
        die("change");
    memcpy(found, to, strlen(to));
}

/* The line with another number and another hash before it; a segment's head also with its predecessor. */
static inline char *place(const char *line, uint64_t seq, const char *prev, const char *before)
{
    struct buf out = { 0 };
    struct record record;
    struct record_segment head;
    if (record_parse(line, strlen(line), &record) != 0)
        die("place");
    buf_print(&out, "{\"seq\":%" PRIu64, seq);
    buf_add(&out, record.at - 7, (size_t)(record.prev - record.at) + 7);
    buf_add(&out, prev, 64);
    if (record_is(&record, RECORD_SEGMENT) && before[0] != '\0' && record_parse_segment(&record, &head) == 0)
        buf_print(&out, "\",\"version\":1,\"journal\":\"%.32s\",\"previous\":\"%s\",\"end\":\"%.64s\"", head.journal,
                  before, prev);
    else
        buf_add(&out, record.prev + 64, (size_t)(record.hash - 9 - record.prev - 64));
    buf_print(&out, ",\"hash\":\"%064d\"}", 0);
    return out.data;
}

static inline void sign_again(const struct image *image, char *line, const struct key *key)
{
    char mac[DIGEST_HEX_SIZE];
    char *end = tail_of(line) - RECORD_MAC_SIZE;
    key_sign(key, image->id, line, (size_t)(end - line), mac);
    memcpy(end + 8, mac, 64);
}

/* Computes numbers, hashes and heads anew from there on, and with a key all seals too. */
static inline void rebuild(struct image *image, size_t from, const struct key *key)
{
    char before[SEGMENT_NAME_SIZE] = "", prev[DIGEST_HEX_SIZE] = RECORD_NO_HASH;
    uint64_t seq = 0;
    for (size_t i = 0; i < image->count; i++) {
        struct record record;
        if (i >= from) {
            replace(image, i, place(image->lines[i].text, seq + 1, prev, before));
            if (key != NULL && is_seal(image, i))
                sign_again(image, image->lines[i].text, key);
            hash_again(image->lines[i].text);
        }
        if (record_parse(image->lines[i].text, strlen(image->lines[i].text), &record) != 0)
            die("rebuild");
        seq = record.seq;
        memcpy(prev, record.hash, 64);
        if (image->lines[i].begins)
            segment_name(before, seq);
    }
}

#endif
