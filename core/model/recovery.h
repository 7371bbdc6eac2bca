/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recovery - a runbook that is being followed, as plain data: the table that it lives by, and its document. Pure: the
 * time is an argument. core/keeper/recovery.c does what it says.
 *
 * The document is one JSON object that says everything of a rehearsal: it stands in recovery.started, each
 * recovery.step replaces one of its steps, and its end makes evidence of it. So a rehearsal is a fold over the journal,
 * and neither a restart nor another configuration changes what is being followed.
 *
 *     {"runbook", "title", "tier", "id", "by", "started", "started_ms", "rto_ms", "rpo_ms", "steps": [
 *      {"number", "name", "kind", "what", "within_ms", "state", "began_ms", "ended_ms", "by", "note", "output",
 * "rpo_ms"}]} */
#ifndef MODEL_RECOVERY_H
#define MODEL_RECOVERY_H

#include "core/model/runbook.h"

enum recovery_state {
    RECOVERY_IDLE,
    RECOVERY_NOTED,    /* its next step is in the journal and waits for the disk */
    RECOVERY_ASKED,    /* people are to do it, and to say so */
    RECOVERY_RUNNING,  /* we do it */
    RECOVERY_DOUBTFUL, /* nobody knows what became of the command: people are to say it */
    RECOVERY_ENDING,   /* the evidence is being written */
    RECOVERY_STATE_COUNT
};

enum recovery_event {
    RECOVERY_START,
    RECOVERY_ON_DISK_MANUAL, /* the record of the step's begin is on disk: one of people */
    RECOVERY_ON_DISK,        /* ... of ours */
    RECOVERY_LOST,           /* the process of the command died, or we: it may be done, half done or not */
    RECOVERY_STEP,           /* the step is done or skipped, and another one follows */
    RECOVERY_END,            /* none follows; or it failed, or was cancelled */
    RECOVERY_KEPT,           /* the evidence is written, or can't be */
    RECOVERY_EVENT_COUNT
};

/* RECOVERY_STATE_COUNT: that can't be. */
enum recovery_state recovery_next(enum recovery_state state, enum recovery_event event);
/* "idle", "starting", "asked", "running", "doubtful", "ending" */
const char *recovery_state_name(enum recovery_state state);

/* A new document. id, by: borrowed. */
json_t *recovery_open(const struct runbook *runbook, const char *id, const char *by, int64_t wall_ms);
/* Whether it is a document at all: what comes from a file is looked at. */
bool recovery_is_good(const json_t *doc);
/* The step that is to be done or being done (borrowed); NULL when none is. */
json_t *recovery_step(const json_t *doc);
uint32_t recovery_step_count(const json_t *doc);
/* Puts a step, as a record has it, in the place of the one with its number. */
void recovery_put_step(json_t *doc, const json_t *step);
enum step_kind recovery_step_kind(const json_t *step);
/* How it ended: "passed", "failed", "cancelled", or "running". A target that was missed is a failure. */
const char *recovery_result(const json_t *doc);
/* What the records and files say of one that ended, new; "reason" tells why it failed. */
json_t *recovery_evidence(const json_t *doc);

/* So long before it is due it is called to mind: `remind`, and never more than half of its period, so that what is held
 * each day or week is not asked for all the time. */
int64_t recovery_early_ms(const char *on, int64_t remind_ms);
/* When it is due: the first time by the calendar after it was last held (or known at all). One that was held at most
 * `remind` before it was due was held for that. INT64_MAX: never. */
int64_t recovery_due_ms(const char *on, int64_t known_wall_ms, int64_t held_wall_ms, int64_t remind_ms);

#endif
