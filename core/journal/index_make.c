/* SPDX-License-Identifier: GPL-3.0-or-later */
/* index_make - what a block holds, as keys.
 *
 * For a record of the type check.state that has "check":"web/up@a" those are the types check.state and check., and the
 * subjects web/up@a, web/up and web: whatever can be asked for (match.c says what is found by a question; a key too few
 * would hide a record from it, one too many only costs a look). In a line without a backslash a member's name and value
 * stand as they are, and are found by searching; one in a nested object counts as well. Any other line is parsed. */
#include "core/journal/index_make.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/journal/match.h"
#include "core/journal/record.h"

static void add_key(struct index_maker *maker, enum index_kind kind, const char *text, size_t n)
{
    uint64_t pair = (uint64_t)index_key(kind, text, n) << 32 | (maker->index.count - 1);
    buf_add(&maker->pairs, &pair, sizeof pair);
}

static void add_type(struct index_maker *maker, const struct record *record)
{
    for (size_t i = 0; i < record->type_length; i++)
        if (record->type[i] == '.')
            add_key(maker, INDEX_TYPE, record->type, i + 1);
    add_key(maker, INDEX_TYPE, record->type, record->type_length);
}

static void add_subject(struct index_maker *maker, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] == '/' || text[i] == '@')
            add_key(maker, INDEX_SUBJECT, text, i);
    add_key(maker, INDEX_SUBJECT, text, n);
}

/* Each "name":"value" in the bytes, in which there is no backslash; false when something is written otherwise. */
static bool add_plain(struct index_maker *maker, const char *name, const char *at, const char *end)
{
    char quoted[MATCH_MEMBER_SIZE + 2];
    size_t n = (size_t)snprintf(quoted, sizeof quoted, "\"%s\"", name);
    while ((at = memmem(at, (size_t)(end - at), quoted, n)) != NULL) {
        at += n;
        if (end - at < 2 || at[0] != ':' || at[1] != '"')
            return false;
        at += 2;
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (quote == NULL)
            return false;
        add_subject(maker, at, (size_t)(quote - at));
    }
    return true;
}

/* What is no JSON matches no subject. */
static void add_parsed(struct index_maker *maker, const char *line, size_t length)
{
    json_t *root = json_loadb(line, length, 0, NULL);
    for (size_t i = 0; match_members[i] != NULL; i++) {
        const char *value = json_string_value(json_object_get(root, match_members[i]));
        if (value != NULL)
            add_subject(maker, value, strlen(value));
    }
    json_decref(root);
}

static void add_subjects(struct index_maker *maker, const struct record *record, const char *line, size_t length)
{
    const char *at = record->members, *end = at + record->members_length;
    bool plain = memchr(line, '\\', length) == NULL;
    for (size_t i = 0; plain && match_members[i] != NULL; i++)
        plain = add_plain(maker, match_members[i], at, end);
    if (!plain)
        add_parsed(maker, line, length);
}

static void add_figures(struct index_block *block, const struct record *record)
{
    int64_t wall_ms = record_wall_ms(record);
    if (block->records++ == 0) {
        block->least_seq = block->most_seq = record->seq;
        block->least_ms = block->most_ms = wall_ms;
    }
    if (record->seq < block->least_seq)
        block->least_seq = record->seq;
    if (record->seq > block->most_seq)
        block->most_seq = record->seq;
    if (wall_ms < block->least_ms)
        block->least_ms = wall_ms;
    if (wall_ms > block->most_ms)
        block->most_ms = wall_ms;
}

/* Room for the next one, which begins where the last one ended, and for one behind it. */
static struct index_block *next_block(struct index *index)
{
    if ((index->count & (index->count - 1)) == 0)
        index->blocks = heap_grow(index->blocks, index->count == 0 ? 2 : index->count * 2 + 1, sizeof *index->blocks);
    if (index->count == 0)
        index->blocks[0] = (struct index_block){ 0 };
    return &index->blocks[index->count++];
}

static int compare_pairs(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Sorts what stands from byte `from` on, and leaves each once. */
static void sort_pairs(struct buf *pairs, size_t from)
{
    size_t count = (pairs->length - from) / sizeof(uint64_t), kept = 0;
    if (count == 0)
        return;
    uint64_t *all = (uint64_t *)(void *)(pairs->data + from);
    qsort(all, count, sizeof *all, compare_pairs);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || all[kept - 1] != all[i])
            all[kept++] = all[i];
    pairs->length = from + kept * sizeof *all;
}

void index_add(struct index_maker *maker, uint64_t packed_at, const char *bytes, size_t n)
{
    struct index_block *block = next_block(&maker->index);
    uint64_t lines = block->lines_before, offset = block->offset;
    const char *at = bytes, *end = bytes + n, *newline;
    size_t from = maker->pairs.length;
    block->packed_at = packed_at;
    while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        struct record record;
        if (record_parse(at, (size_t)(newline - at), &record) == 0) {
            add_figures(block, &record);
            add_type(maker, &record);
            add_subjects(maker, &record, at, (size_t)(newline - at));
        }
        lines++;
        at = newline + 1;
    }
    sort_pairs(&maker->pairs, from);
    maker->odd = maker->odd || at < end;
    maker->index.blocks[maker->index.count] = (struct index_block){ .offset = offset + n, .lines_before = lines };
}

void index_add_damage(struct index_maker *maker)
{
    maker->odd = true;
}

int index_finish(struct index_maker *maker, const struct pack_reader *packed, const struct index_place *place)
{
    if (maker->odd || maker->pairs.overflowed || maker->index.count == 0)
        maker->index.count = maker->pairs.length = 0;
    else
        maker->index.blocks[maker->index.count].packed_at = pack_size(packed);
    sort_pairs(&maker->pairs, 0);
    const struct index_keys keys = { (const uint64_t *)(const void *)maker->pairs.data,
                                     maker->pairs.length / sizeof(uint64_t) };
    return index_write(&maker->index, &keys, packed, place);
}

void index_maker_close(struct index_maker *maker)
{
    index_close(&maker->index);
    buf_close(&maker->pairs);
    *maker = (struct index_maker){ 0 };
}
