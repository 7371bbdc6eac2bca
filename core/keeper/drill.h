/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - what the keeper's files on restore drills share: drill.c runs them, drill_state.c knows what the journal says
 * of them, drill_command.c answers for them. The rest of the keeper sees keeper.h. */
#ifndef KEEPER_DRILL_H
#define KEEPER_DRILL_H

#include "core/keeper/errand.h"

enum stage {
    STAGE_IDLE,
    STAGE_NOTED,
    STAGE_RUNNING,
    STAGE_LEFT, /* what a run left behind is to be cleaned up */
    STAGE_REAPING
};

struct drilling {
    struct drills *drills;
    struct drilling *next;
    char name[65];
    enum stage stage;
    char id[DRILL_ID_SIZE]; /* of the run that is open, or "" */
    char *workspace;        /* of that */
    int64_t started_wall_ms, passed_wall_ms, due_wall_ms, again_ms;
    char result[16];
    uint64_t seq;
    char *job; /* until it is sent */
    bool plan, done;
    char by[32];                               /* who cancels it */
    json_t *progress, *noted, *last, *planned; /* noted: the progress that the journal has */
    struct errand errand;                      /* its belfry-drill */
    char lost[128];                            /* why it is left */
};

struct drills {
    struct keeper *keeper;
    struct drilling *first;
};

/* ---- drill_state.c */
struct drilling *drilling_find(const struct drills *drills, const char *name);
/* Makes it when there is none. */
struct drilling *drilling_get(struct drills *drills, const char *name);

/* ---- drill.c */
extern const struct errand_type drill_errand;
/* backup: its name, or NULL; by: who wants it. 0, or a negative code with *why; the run's id is in d->id. */
int drilling_start(struct drilling *d, const char *backup, bool plan, const char *by, struct why *why);
/* Of one that runs. */
void drilling_cancel(struct drilling *d, const char *by);

#endif
