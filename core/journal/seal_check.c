/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seal_check - the rules 9 to 12 of doc/journal-format.md for a line, and what is demanded of the journal's end.
 *
 * The key given is that of an epoch before the first seal (what `belfry journal seal --setup` has shown); it is evolved
 * along. When a seal is not of its key, keys of other epochs are tried once, so that the report can say whether an old
 * epoch was sealed with a newer key or the key is not this journal's at all. */
#include "core/journal/seal_check.h"

#include <string.h>

#include "core/journal/seal.h"

/* So far ahead a newer key is looked for: six weeks of quarters of an hour. */
#define SEARCH_EPOCHS 4096u
/* Forged epoch numbers must not keep us busy for ever. */
#define STEPS_MAX (16u * KEY_STEPS_MAX)

/* ---- keys ------------------------------------------------------------------------------------------------------ */

struct signed_bytes {
    const char *journal, *bytes, *mac;
    size_t length;
};

static bool fits(const struct key *key, const struct signed_bytes *what)
{
    char mac[DIGEST_HEX_SIZE];
    key_sign(key, what->journal, what->bytes, what->length, mac);
    return memcmp(mac, what->mac, DIGEST_HEX_SIZE - 1) == 0;
}

/* The epoch whose key has made it, or 0. */
static uint64_t find_epoch(const struct key *first, uint64_t epoch, const struct signed_bytes *what)
{
    struct key key = *first;
    uint64_t found = 0;
    while (found == 0 && key.epoch < epoch + SEARCH_EPOCHS && key_evolve(&key, key.epoch + 1) == 0)
        if (fits(&key, what))
            found = key.epoch;
    key_wipe(&key);
    return found;
}

static bool reach(struct seal_check *check, uint64_t epoch)
{
    if (epoch < check->key.epoch)
        check->key = check->proof->keys[check->keys_used - 1];
    uint64_t steps = epoch - check->key.epoch;
    if (epoch < check->key.epoch || check->steps + steps > STEPS_MAX)
        return false;
    check->steps += steps;
    return key_evolve(&check->key, epoch) == 0;
}

static bool is_key_wrong(struct seal_check *check, const char *journal, const struct segment_line *line,
                         const struct record_seal *seal, struct chain_fault *fault)
{
    const struct signed_bytes what = { journal, line->text, seal->mac, (size_t)(seal->signed_end - line->text) };
    unsigned long long epoch = seal->epoch, other = 0;
    const struct key *first = &check->proof->keys[check->keys_used - 1];
    if (!reach(check, seal->epoch))
        return chain_say(fault, "seal-key", "the seal of epoch %llu can't be checked: the key begins with epoch %llu",
                         epoch, (unsigned long long)first->epoch);
    if (fits(&check->key, &what))
        return false;
    if (!check->key_told && epoch - first->epoch < KEY_STEPS_MAX)
        other = find_epoch(first, epoch, &what);
    check->key_told = true;
    if (other != 0)
        return chain_say(fault, "seal-key", "epoch %llu is sealed with the key of epoch %llu", epoch, other);
    return chain_say(
        fault, "seal-key",
        "the seal of epoch %llu is not made with its key: something up to here was changed, or the key is another "
        "journal's",
        epoch);
}

/* ---- a line ---------------------------------------------------------------------------------------------------- */

/* Whether the seal begins sealing anew, which is allowed to who has kept a key for it. */
static bool is_begun_anew(const struct seal_check *check, const struct record_seal *seal)
{
    return seal->begins && seal->epoch == 1 && check->keys_used < check->proof->key_count;
}

static bool is_epoch_wrong(const struct seal_check *check, const struct record_seal *seal, struct chain_fault *fault)
{
    unsigned long long epoch = seal->epoch, last = check->epoch;
    if (is_begun_anew(check, seal) || seal->epoch == check->epoch + 1)
        return false;
    if (check->any && seal->begins)
        return chain_say(fault, "seal-epoch", "sealing was begun anew behind epoch %llu, and no key was given for that",
                         last);
    if (check->any)
        return chain_say(fault, "seal-epoch", "the seal of epoch %llu follows that of %llu", epoch, last);
    return chain_say(fault, "seal-epoch", "the first seal is of epoch %llu, not of 1", epoch);
}

static void take_seal(struct seal_check *check, const char *journal, const struct segment_line *line,
                      const struct record *record, struct chain_fault *fault)
{
    struct record_seal seal;
    if (record_parse_seal(record, &seal) < 0) {
        chain_say(fault, "seal", "not a seal of the journal's form");
        return;
    }
    bool wrong = is_epoch_wrong(check, &seal, fault);
    if ((!check->any && check->proof->key_count > 0) || is_begun_anew(check, &seal))
        check->key = check->proof->keys[check->keys_used++];
    if (!wrong && check->keys_used > 0)
        check->held += !is_key_wrong(check, journal, line, &seal, fault);
    check->begun += !check->any || (seal.begins && seal.epoch == 1);
    check->any = true;
    check->stopped = seal.stops;
    check->late_told = false;
    check->epoch = seal.epoch;
    check->at_ms = record_wall_ms(record);
    check->every_s = seal.every_s;
    check->seals++;
    check->unsealed = 0;
}

/* How long after the last seal there must have been the next one. */
static int64_t limit_ms(const struct seal_check *check)
{
    int64_t every_s = check->every_s < 366 * 86400 ? (int64_t)check->every_s : 366 * 86400;
    return every_s * 1000 + SEAL_GRACE_MS;
}

static void take_other(struct seal_check *check, const struct record *record, struct chain_fault *fault)
{
    bool is_segment = record_is(record, RECORD_SEGMENT);
    if (!is_segment)
        check->stopped = false;
    check->unsealed++;
    if (!check->any || is_segment || check->late_told)
        return;
    int64_t behind_ms = record_wall_ms(record) - check->at_ms;
    if (behind_ms <= limit_ms(check))
        return;
    check->late_told = true;
    chain_say(fault, "seal-missing", "the record is %lld s behind the seal of epoch %llu: the next one is missing",
              (long long)(behind_ms / 1000), (unsigned long long)check->epoch);
}

void seal_check_take(struct seal_check *check, const struct chain *chain, const struct segment_line *line,
                     const struct record *record, struct chain_fault *fault)
{
    if (record_is(record, RECORD_SEALED))
        take_seal(check, chain->journal, line, record, fault);
    else
        take_other(check, record, fault);
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static bool is_none(const struct seal_check *check, struct chain_fault *fault)
{
    if (check->keys_used >= check->proof->key_count)
        return false;
    if (check->seals == 0)
        return chain_say(fault, "seal-missing", "a key was given, but no record is a seal");
    return chain_say(fault, "seal-missing", "%zu keys were given, but sealing was begun %zu times only",
                     check->proof->key_count, check->keys_used);
}

static bool is_cut(const struct seal_check *check, struct chain_fault *fault)
{
    if (check->epoch + 1 >= check->proof->key_epoch)
        return false;
    return chain_say(fault, "seal-cut",
                     "the daemon's key is of epoch %llu, but the last seal is of %llu: records were cut off",
                     (unsigned long long)check->proof->key_epoch, (unsigned long long)check->epoch);
}

static bool is_overdue(const struct seal_check *check, struct chain_fault *fault)
{
    int64_t since_ms = check->proof->now_ms - check->at_ms;
    if (!check->any || check->stopped || check->proof->now_ms == 0 || since_ms <= limit_ms(check))
        return false;
    return chain_say(
        fault, "seal-overdue",
        "the last seal is %lld s old and not that of a clean stop: the daemon does not seal, or records were cut "
        "off",
        (long long)(since_ms / 1000));
}

void seal_check_end(const struct seal_check *check, void (*note)(void *context, const struct chain_fault *fault),
                    void *context)
{
    static bool (*const rules[])(const struct seal_check *check, struct chain_fault *fault) = { is_none, is_cut,
                                                                                                is_overdue };
    struct chain_fault fault;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i](check, &fault))
            note(context, &fault);
}
