/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recovery - what the keeper's files on runbooks share: recovery.c follows them, recovery_step.c does the steps that
 * are not done by people, recovery_state.c knows what the journal says of them, recovery_command.c answers for them.
 * The rest of the keeper sees keeper.h; the table that a rehearsal lives by is in core/model/recovery.c. */
#ifndef KEEPER_RECOVERY_H
#define KEEPER_RECOVERY_H

#include "core/keeper/errand.h"
#include "core/model/recovery.h"

/* What belfry-recovery is waited for. */
enum waited {
    WAITED_NONE,
    WAITED_COMMAND,
    WAITED_EVIDENCE
};

struct rehearsal {
    struct rehearsals *all;
    struct rehearsal *next;
    char name[65];
    enum recovery_state state;
    json_t *doc;  /* what is being followed; NULL: nothing is */
    uint64_t seq; /* of the record that must be on disk before the step begins */
    int64_t known_wall_ms, held_wall_ms, passed_wall_ms;
    int64_t cancelled_wall_ms; /* when the one began that was cancelled last: by itself it begins on a later date */
    int64_t reminded_wall_ms, told_wall_ms; /* what was due, when it was called to mind, and told to be due */
    int64_t due_wall_ms;                    /* follows from these and the configuration */
    char result[16];
    int64_t began_ms, again_ms; /* monotonic, of the step that runs */
    char run[DRILL_ID_SIZE];    /* of its drill */
    struct {
        char drill[65], run[DRILL_ID_SIZE];
    } unwanted;    /* a drill that was not waited for, until it is cancelled */
    uint64_t runs; /* so many runs of its check must be behind it */
    struct errand errand;
    enum waited waited;
    bool resumed;   /* by a daemon that was started anew */
    json_t *answer; /* of that */
    json_t *last;   /* evidence of the last one, since the daemon's start */
};

struct rehearsals {
    struct keeper *keeper;
    struct rehearsal *first;
};

/* ---- recovery_state.c */
struct rehearsal *rehearsal_find(const struct rehearsals *all, const char *name);
/* Makes it when there is none. */
struct rehearsal *rehearsal_get(struct rehearsals *all, const char *name);

/* ---- recovery.c: 0, or a negative code with *why */
extern const struct errand_type recovery_errand;
int rehearsal_start(struct rehearsal *r, const char *by, struct why *why);
/* What people say of the step: "done", "failed", "skipped"; note: or NULL. */
int rehearsal_say(struct rehearsal *r, const char *state, const char *note, const char *by, struct why *why);
int rehearsal_cancel(struct rehearsal *r, const char *by, struct why *why);
/* The step that runs came to an end. found: what it found, is added to the step; or NULL. */
void rehearsal_step_ended(struct rehearsal *r, bool good, const char *note, const json_t *found);
/* Nobody knows what became of it. */
void rehearsal_step_lost(struct rehearsal *r, const char *note);
/* Gives an errand to a process of its own; the end of a command comes to step_answered(). */
int rehearsal_send(struct rehearsal *r, json_t *job);

/* ---- recovery_step.c */
void step_begin(struct rehearsal *r, const json_t *step);
void step_watch(struct rehearsal *r, const json_t *step, int64_t now_ms);
/* It is not waited for any longer. */
void step_stop(struct rehearsal *r, const json_t *step);
/* In each housekeeping: what step_stop() could not do at once. */
void step_tidy(struct rehearsal *r);
/* The process of the command has ended; its answer is in r->answer, or NULL. */
void step_answered(struct rehearsal *r, const char *end);

#endif
