/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tomb - the search is a question like any other, for journal.dropped records that name the segment, so the index
 * helps; the last one counts. A record that does not stand by itself is none. */
#include "core/journal/tomb.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/journal/reader.h"

struct search {
    const char *first;
    struct tomb *out;
};

static int take(void *context, const struct journal_record *shown)
{
    struct search *search = context;
    struct record record;
    struct tomb tomb = { .seq = shown->seq, .wall_ms = shown->wall_ms };
    if (record_parse(shown->line, shown->length, &record) == 0 && record_hash_holds(shown->line, shown->length) &&
        record_parse_dropped(&record, &tomb.dropped) == 0 && strcmp(tomb.dropped.next, search->first) == 0)
        *search->out = tomb;
    return 0;
}

int tomb_find(int folder, const char *first, struct tomb *out)
{
    char text[SEGMENT_NAME_SIZE + 16];
    struct search search = { first, out };
    const struct journal_filter filter = { .type = RECORD_DROPPED, .text = text };
    *out = (struct tomb){ 0 };
    snprintf(text, sizeof text, "\"next\":\"%s\"", first);
    return reader_query(folder, &filter, take, &search);
}

void tomb_seed_chain(const struct tomb *tomb, struct chain *chain)
{
    if (tomb->seq == 0)
        return;
    chain->begun = true;
    chain->last_seq = segment_first_seq(tomb->dropped.next) - 1;
    text_copy(chain->last_hash, sizeof chain->last_hash, tomb->dropped.end);
    text_copy(chain->segment, sizeof chain->segment, tomb->dropped.segment);
}

void tomb_seed_seals(const struct tomb *tomb, struct seal_check *check)
{
    const struct record_dropped *dropped = &tomb->dropped;
    if (tomb->seq == 0 || dropped->epoch == 0)
        return;
    check->any = true;
    check->begun = dropped->begun;
    check->epoch = dropped->epoch;
    check->every_s = dropped->every_s;
    check->at_ms = dropped->sealed_ms;
    check->keys_used = dropped->begun < check->proof->key_count ? (size_t)dropped->begun : check->proof->key_count;
    if (check->keys_used > 0)
        check->key = check->proof->keys[check->keys_used - 1];
}
