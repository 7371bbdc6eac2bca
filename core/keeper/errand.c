/* SPDX-License-Identifier: GPL-3.0-or-later */
/* errand - see errand.h. The job is one frame WIRE_DRILL; the answers are WIRE_DRILL_PROGRESS and one WIRE_DRILL_DONE.
 */
#include "core/keeper/errand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/digest.h"

#define TEXT_BYTES_MAX (1u << 20)

static void on_gone(struct child *child)
{
    struct errand *errand = child->owner;
    errand->busy = false;
    if (errand->closed)
        errand->type->forget(errand->owner);
}

static bool on_frame(struct child *child, struct wire_frame *frame)
{
    struct errand *errand = child->owner;
    struct arena arena = { 0 };
    bool last = frame->type == WIRE_DRILL_DONE, good = last || frame->type == WIRE_DRILL_PROGRESS;
    const char *text = good ? wire_text(&frame->payload, &arena, TEXT_BYTES_MAX) : NULL;
    json_t *json = text && wire_done(&frame->payload) == 0 ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    good = json_is_object(json) && errand->type->take(errand->owner, json, last);
    json_decref(json);
    arena_close(&arena);
    return good;
}

static void on_exit_of(struct child *child)
{
    struct errand *errand = child->owner;
    char end[64];
    errand->type->ended(errand->owner, child_end_text(child, end, sizeof end));
    child_close(child);
}

int errand_start(struct errand *errand, const char *name, const char *job)
{
    struct child *child = &errand->child;
    const char *argv[] = { errand->type->program, NULL };
    const struct spawn_limit limits[] = { { RLIMIT_CORE, 0 } };
    const struct child_spec spec = { .program = spawn_member(errand->type->program),
                                     .argv = argv,
                                     .limits = limits,
                                     .limit_count = 1,
                                     .extra_fd = -1,
                                     .outlives = true };
    memset(child, 0, sizeof *child);
    snprintf(child->name, sizeof child->name, "%s %s", errand->type->title, name);
    child->owner = errand;
    child->on_frame = on_frame;
    child->on_exit = on_exit_of;
    child->on_gone = on_gone;
    int failed = child_start(child, &errand->keeper->loop, &errand->keeper->dirty, &spec);
    if (failed)
        return failed;
    size_t begin = wire_begin(&child->link.out, WIRE_DRILL);
    wire_put_text(&child->link.out, job);
    wire_end(&child->link.out, begin);
    link_changed(&child->link);
    child_move(child, LIFE_IS_READY);
    errand->busy = true;
    return 0;
}

void errand_stop(struct errand *errand)
{
    struct link *link = &errand->child.link;
    wire_end(&link->out, wire_begin(&link->out, WIRE_STOP));
    link_changed(link);
}

void errand_watch(struct errand *errand, int64_t now_ms, int64_t stalled_ms)
{
    if (!errand->busy)
        return;
    child_forgive(&errand->child, stalled_ms);
    child_watch(&errand->child, now_ms, true); /* it may have a large folder to remove, or wait for a slow disk */
}

bool errand_is(const struct errand *errand, pid_t pid)
{
    return errand->busy && errand->child.pid == pid;
}

void errand_close(struct errand *errand)
{
    errand->closed = true;
    if (errand->busy)
        child_close(&errand->child);
    else
        errand->type->forget(errand->owner);
}

/* ---- what drills and runbooks share besides ---------------------------------------------------------------------- */

void errand_id(char out[DRILL_ID_SIZE])
{
    unsigned char random[(DRILL_ID_SIZE - 1) / 2];
    digest_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
}

json_t *errand_figures(const json_t *evidence)
{
    static const char *const said[] = { "drill", "runbook", "id", "result", "phase", "reason", "started_ms", "ms" };
    json_t *copy = json_copy((json_t *)(uintptr_t)evidence);
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        json_object_del(copy, said[i]);
    return copy;
}

void errand_keep(json_t **at, json_t *json)
{
    json_decref(*at);
    *at = json;
}

void errand_show(struct keeper *keeper, const char *service, const char *name)
{
    char id[96];
    snprintf(id, sizeof id, "%s/%s", service, name);
    uint32_t slot = schedule_find(keeper->schedule, id);
    if (slot == SCHEDULE_NONE || keeper->stopping)
        return;
    schedule_run_now(keeper->schedule, slot, clock_instant());
    dispatch_all(keeper);
    keeper_plan(keeper);
}
