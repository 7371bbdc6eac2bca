/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trouble - what the journal's disk does to the daemon: a disk that takes nothing, a disk that failed, and damage that
 * was found. */
#ifndef KEEPER_TROUBLE_H
#define KEEPER_TROUBLE_H

#include "core/keeper/keeper.h"
#include "core/model/event.h"

/* Before journal_open(): records are folded into it. */
void trouble_open(struct keeper *keeper);
void trouble_close(struct keeper *keeper);

/* ---- found at the start ---------------------------------------------------------------------------------------- */

void trouble_fold(struct keeper *keeper, const struct event *event);
/* After journal_open(): records what was repaired, what is damaged and not recorded yet, and whether the last daemon
 * stopped because its disk had failed. */
void trouble_tell(struct keeper *keeper, const struct journal_recovery *recovery);
/* What of it a snapshot keeps, and takes back. */
json_t *trouble_save(const struct keeper *keeper);
void trouble_restore(struct keeper *keeper, const json_t *saved);
/* The damage that is known was seen by somebody: how much there was. */
uint32_t trouble_acknowledge(struct keeper *keeper, const char *by);

/* A configuration came into force. */
void trouble_configure(struct keeper *keeper);

/* ---- while it runs --------------------------------------------------------------------------------------------- */

/* Looks whether the disk takes records, and records when that changes. */
void trouble_check(struct keeper *keeper);
/* Whether one more record may wait for the disk; counts those that may not. */
bool trouble_takes(struct keeper *keeper);
/* NULL, or the code by which a command that must be recorded is refused, with the sentence in *why. */
const char *trouble_refuses(const struct keeper *keeper, struct why *why);
/* A sync has failed: leaves a note for the daemon that will be started next. */
void trouble_failed(struct keeper *keeper, int code);
/* For status. */
json_t *trouble_view(const struct keeper *keeper);

#endif
