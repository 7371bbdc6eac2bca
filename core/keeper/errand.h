/* SPDX-License-Identifier: GPL-3.0-or-later */
/* errand - a process that is given one job, a JSON object, may say in JSON how it gets on, and ends: belfry-drill,
 * belfry-recovery. It outlives the keeper for as long as it needs to clean up: the end of its socket tells it. What
 * drills and runbooks share besides is here, too: ids, and what a record keeps of an evidence. */
#ifndef KEEPER_ERRAND_H
#define KEEPER_ERRAND_H

#include "core/keeper/child.h"
#include "core/keeper/keeper.h"

struct errand_type {
    const char *program, *title; /* "belfry-drill", "drill" */
    /* What it said, a JSON object, borrowed; last: it is its outcome. False: it must not say that. */
    bool (*take)(void *owner, json_t *json, bool last);
    void (*ended)(void *owner, const char *end); /* "SIGKILL"; it is gone a little later */
    void (*forget)(void *owner);                 /* after errand_close(): frees the owner */
};

/* Embed it; the first three are set before. */
struct errand {
    const struct errand_type *type;
    struct keeper *keeper;
    void *owner;
    /* inner */
    struct child child;
    bool busy; /* there is a process; another one can't be started yet */
    bool closed;
};

/* name: whose errand it is, for the log. 0 or a negative code. */
int errand_start(struct errand *errand, const char *name, const char *job);
/* Tells it to stop: it cleans up and says its outcome. */
void errand_stop(struct errand *errand);
/* In each housekeeping. */
void errand_watch(struct errand *errand, int64_t now_ms, int64_t stalled_ms);
bool errand_is(const struct errand *errand, pid_t pid);
/* The keeper ends: the owner is freed, now or when the process is out of the loop. */
void errand_close(struct errand *errand);

/* A new id of a run. */
void errand_id(char out[DRILL_ID_SIZE]);
/* A copy of the evidence without what the record says by itself; the caller's. */
json_t *errand_figures(const json_t *evidence);
/* Takes over json. */
void errand_keep(json_t **at, json_t *json);
/* The check that shows how it went shows it at once. */
void errand_show(struct keeper *keeper, const char *service, const char *name);

#endif
