/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key - the sealing key: one for each epoch, each made from the one before by a one-way function, so that who has
 * today's key can't make yesterday's seals. Who keeps the first one elsewhere can make them all, and so check them. */
#ifndef JOURNAL_KEY_H
#define JOURNAL_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/base/error.h"

/* As text "EPOCH:KEY", KEY as 64 hex digits. */
#define KEY_TEXT_SIZE 96
/* A step of so many epochs at once is not made: no journal has as many. (Twenty years of a seal every ten minutes.) */
#define KEY_STEPS_MAX (1u << 20)

struct key {
    uint64_t epoch;
    unsigned char bytes[DIGEST_SIZE];
};

/* A new one, of epoch 0: the key that is shown once and kept elsewhere; the first seal is made with that of epoch 1. */
void key_draw(struct key *key);
/* Makes it the key of that epoch; ERROR_RANGE when that one is earlier, or KEY_STEPS_MAX or more later. What it was
 * before is wiped. */
int key_evolve(struct key *key, uint64_t epoch);
void key_wipe(struct key *key);

/* The HMAC-SHA-256 of the journal's id, a newline and the bytes, as hex. */
void key_sign(const struct key *key, const char *journal_id, const char *bytes, size_t length,
              char mac[DIGEST_HEX_SIZE]);

char *key_format(char out[KEY_TEXT_SIZE], const struct key *key);
/* A newline at the end is allowed; 0 or ERROR_SYNTAX. */
int key_parse(const char *text, struct key *out);

/* The daemon's own: state_dir/journal.key. Reading refuses a file that others may read; 0, -ENOENT, or a negative code
 * that is explained. Storing replaces it atomically and then overwrites the bytes of the old file. */
int key_read(const char *path, struct key *out, struct why *why);
int key_store(const char *path, const struct key *key);

#endif
