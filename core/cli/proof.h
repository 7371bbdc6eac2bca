/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proof - what others need of the journal's proofs: its head. */
#ifndef CLI_PROOF_H
#define CLI_PROOF_H

#include "core/journal/journal.h"

/* The journal's id and last record, and when that was made; seq 0: there is none. 0 or a negative code. */
int proof_head(const char *folder, struct journal_anchor *head, int64_t *wall_ms, struct why *why);

#endif
