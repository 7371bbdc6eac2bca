/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runbook - how something is recovered, as it is configured: steps in their order, and what they may take. The tables
 * are of the kind that drills have (drill.h): config_recovery.c reads by them, config_show.c prints by them. What
 * becomes of a runbook that is being followed, a rehearsal or the real thing, is in recovery.h. */
#ifndef MODEL_RUNBOOK_H
#define MODEL_RUNBOOK_H

#include "core/model/drill.h"

/* A whole runbook, with what becomes of each step, is one record of the journal (JOURNAL_RECORD_MAX). */
#define RUNBOOK_STEPS_MAX 32
#define RUNBOOK_NAME_MAX 100  /* bytes of a step's name */
#define RUNBOOK_TEXT_MAX 1000 /* of what is to be done, a command line, ... */
#define RUNBOOK_NOTE_MAX 500
#define RUNBOOK_OUTPUT_MAX 1000 /* the end of what a command printed */
#define RUNBOOK_WORDS_MAX 64

enum step_kind {
    STEP_DO, /* by people */
    STEP_COMMAND,
    STEP_DRILL,
    STEP_CHECK,
    STEP_KIND_COUNT
};

/* Exactly one of the kinds is set. */
struct runbook_step {
    const char *name;
    const char *kinds[STEP_KIND_COUNT]; /* text for people, command line, name of a drill, id of a check */
    int64_t within_ms;                  /* of commands and checks */
    int line;
};

/* How long recovery may take, and how old the data may be. */
struct tier {
    const char *name;
    int64_t rto_ms, rpo_ms;
};

struct runbook {
    const char *name;
    const char *file;
    int line;
    const char *title, *tier, *on, *start;
    int64_t rto_ms, rpo_ms; /* of the tier, unless it has its own; rpo_ms 0: none */
    int64_t remind_ms, overdue_ms;
    struct runbook_step *steps;
    uint32_t step_count;
};

extern const struct drill_field runbook_fields[];
extern const struct drill_field runbook_step_fields[];
extern const struct drill_field tier_fields[];
/* 1, 2 and 3, unless the configuration has others of these names; ends with a row without name. */
extern const struct tier runbook_tiers[];

/* "do", "command", ... */
const char *step_kind_name(enum step_kind kind);
/* STEP_KIND_COUNT when there is none of that name. */
enum step_kind step_kind_from_name(const char *name);
enum step_kind runbook_step_kind(const struct runbook_step *step);
/* What no setting on its own can say, and what follows from others: its name, the time that it may take. */
int runbook_step_complete(struct runbook_step *step, struct arena *arena, struct why *why);
int runbook_complete(struct runbook *runbook, const struct tier *tier, struct why *why);
/* No step waits for people, and it shall: the calendar may start it. */
bool runbook_starts_itself(const struct runbook *runbook);
/* A command line as words, NULL-terminated: parted by blanks, "..." and '...' keep them. NULL with *why. */
const char *const *runbook_words(struct arena *arena, const char *line, struct why *why);

#endif
