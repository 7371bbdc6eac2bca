/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chain - the rules for a line, in the order in which they are told at the top of segment.c; the first that is broken
 * is the line's fault. */
#include "core/journal/chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

bool chain_say(struct chain_fault *fault, const char *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault->kind = kind;
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return true;
}

static bool is_journal_foreign(struct chain *chain, const struct record_segment *head, struct chain_fault *fault)
{
    if (chain->journal[0] == '\0')
        memcpy(chain->journal, head->journal, SEGMENT_ID_SIZE - 1);
    if (memcmp(chain->journal, head->journal, SEGMENT_ID_SIZE - 1) == 0)
        return false;
    return chain_say(fault, "journal-id", "the segment belongs to the journal %.32s, not to %s", head->journal,
                     chain->journal);
}

static bool is_predecessor_wrong(const struct chain *chain, const struct record *record,
                                 const struct record_segment *head, struct chain_fault *fault)
{
    if (head->previous == NULL && chain->before[0] != '\0')
        return chain_say(fault, "segment", "the segment says that it is the first, but '%s' is before it",
                         chain->before);
    if (head->previous != NULL && chain->before[0] == '\0')
        return chain_say(fault, "segment", "the segment before it, '%.26s', is missing", head->previous);
    if (head->previous != NULL && memcmp(chain->before, head->previous, SEGMENT_NAME_SIZE - 1) != 0)
        return chain_say(fault, "segment", "the segment follows '%.26s', but '%s' is before it", head->previous,
                         chain->before);
    const char *end = head->end != NULL ? head->end : RECORD_NO_HASH;
    if (memcmp(end, record->prev, DIGEST_HEX_SIZE - 1) != 0)
        return chain_say(fault, "segment", "the end of the segment before is not the hash before");
    return false;
}

/* The first line of a segment. */
static bool is_head_wrong(struct chain *chain, const struct record *record, struct chain_fault *fault)
{
    struct record_segment head;
    if (!record_is(record, RECORD_SEGMENT) || record_parse_segment(record, &head) < 0)
        return chain_say(fault, "segment", "the first record is not " RECORD_SEGMENT);
    if (is_journal_foreign(chain, &head, fault))
        return true;
    if (head.version != SEGMENT_VERSION) {
        chain->unknown_version = head.version;
        return chain_say(fault, "segment", "format version %llu is not known", (unsigned long long)head.version);
    }
    if (record->seq != segment_first_seq(chain->segment))
        return chain_say(fault, "segment", "the first record is %llu, not the number in the file's name",
                         (unsigned long long)record->seq);
    return is_predecessor_wrong(chain, record, &head, fault);
}

static bool is_number_wrong(const struct chain *chain, const struct record *record, bool first_of_all,
                            struct chain_fault *fault)
{
    unsigned long long got = record->seq, last = chain->last_seq;
    if (first_of_all && got != 1)
        return chain_say(fault, "sequence", "the first record is %llu, not 1", got);
    if (chain->begun && (chain->gap ? got <= last : got != last + 1))
        return chain_say(fault, "sequence", "record %llu follows %llu", got, last);
    return false;
}

static bool is_link_wrong(const struct chain *chain, const struct record *record, bool first_of_all,
                          struct chain_fault *fault)
{
    if (chain->gap || (!chain->begun && !first_of_all))
        return false;
    const char *want = first_of_all ? RECORD_NO_HASH : chain->last_hash;
    if (memcmp(record->prev, want, DIGEST_HEX_SIZE - 1) == 0)
        return false;
    return chain_say(fault, "chain", "record %llu does not carry the hash of the one before it",
                     (unsigned long long)record->seq);
}

static void check_place(struct chain *chain, const struct segment_line *line, const struct record *record,
                        struct chain_fault *fault)
{
    bool first_of_all = !chain->begun && !chain->gap && chain->before[0] == '\0';
    if (line->number == 1 && is_head_wrong(chain, record, fault))
        return;
    if (line->number != 1 && record_is(record, RECORD_SEGMENT)) {
        chain_say(fault, "segment", "a " RECORD_SEGMENT " record in the middle");
        return;
    }
    if (!is_number_wrong(chain, record, first_of_all, fault))
        is_link_wrong(chain, record, first_of_all, fault);
}

void chain_begin_segment(struct chain *chain, const char *name, const char *before)
{
    text_copy(chain->before, sizeof chain->before, before); /* which may be chain->segment */
    text_copy(chain->segment, sizeof chain->segment, name);
}

bool chain_take(struct chain *chain, const struct segment_line *line, struct record *record, struct chain_fault *fault)
{
    fault->kind = NULL;
    if (record_parse(line->text, line->length, record) < 0)
        chain_say(fault, "syntax", "not a record of the journal's form");
    else if (!record_hash_holds(line->text, line->length))
        chain_say(fault, "hash", "the bytes of the line do not give its hash");
    if (fault->kind != NULL) {
        chain->gap = true;
        chain->bytes_behind += line->bytes;
        return false;
    }
    check_place(chain, line, record, fault);
    chain->begun = true;
    chain->gap = false;
    chain->bytes_behind = 0;
    chain->last_seq = record->seq;
    memcpy(chain->last_hash, record->hash, DIGEST_HEX_SIZE - 1);
    chain->last_hash[DIGEST_HEX_SIZE - 1] = '\0';
    return true;
}

bool chain_is_newline_changed(const struct segment_line *rest)
{
    struct record record;
    return rest->length > RECORD_LEAST - 1 && rest->text[rest->length - 1] != '\0' &&
           record_parse(rest->text, rest->length - 1, &record) == 0 && record_hash_holds(rest->text, rest->length - 1);
}
