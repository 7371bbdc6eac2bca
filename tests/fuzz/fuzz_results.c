/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_results - what the keeper does with the frames of a worker. A check of every plugin is in flight there, as run
 * 1000 + its slot; the bytes are what the worker sent. The board can be shown afterwards, whatever was taken. */
#include "core/keeper/worker.c"

#include "core/keeper/view.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/stage.h"

static void fly(struct keeper *keeper, struct worker *worker)
{
    struct instant now = clock_instant();
    for (uint32_t slot = 0; slot < keeper->watched_count; slot++) {
        struct watched *watched = keeper->watched[slot];
        if (!watched->known || watched->worker == worker)
            continue;
        watched_unlink(watched);
        if (watched->run == 0)
            schedule_run_now(keeper->schedule, slot, now); /* which starts it */
        watched_unlink(watched);
        watched->worker = watched->run ? worker : NULL;
        if (watched->run)
            watched_push(&worker->flights, watched);
    }
}

/* Frames may name a run by its place: 1000 + slot stands for the number of the run there. */
static void name_run(struct keeper *keeper, struct wire_frame *frame, uint8_t copy[], size_t n)
{
    memcpy(copy, frame->payload.at, n);
    frame->payload.at = copy;
    frame->payload.end = copy + n;
    if (frame->type != WIRE_RESULT || n < 8)
        return;
    uint64_t number = 0;
    for (unsigned i = 8; i-- > 0;)
        number = number << 8 | copy[i];
    if (number < 1000 || number - 1000 >= keeper->watched_count)
        return;
    number = keeper->watched[number - 1000]->run;
    for (unsigned i = 0; i < 8; i++)
        copy[i] = (uint8_t)(number >> 8 * i);
}

static bool give(struct keeper *keeper, struct worker *worker, struct wire_frame *frame)
{
    size_t n = (size_t)(frame->payload.end - frame->payload.at);
    uint8_t *copy = malloc(n ? n : 1);
    fuzz_must(copy != NULL, "there is memory");
    name_run(keeper, frame, copy, n);
    bool taken = on_frame(&worker->child, frame);
    free(copy);
    return taken;
}

static void show(struct keeper *keeper)
{
    struct buf lines = { 0 };
    json_t *services = view_services(keeper, NULL);
    fuzz_must(json_is_array(services), "the board can be shown");
    json_decref(services);
    for (uint32_t slot = 0; slot < keeper->watched_count; slot++)
        if (keeper->watched[slot]->known)
            fuzz_must(view_nagios(keeper, slot, &lines) <= BELFRY_UNKNOWN, "a check has a state");
    buf_close(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct keeper *keeper = stage_keeper();
    struct worker worker = { .keeper = keeper, .was_ready = true };
    struct wire_frame frame;
    worker.child.owner = &worker;
    worker.child.life = LIFE_READY;
    worker.child.link.fd = -1;
    fly(keeper, &worker);
    int size;
    for (size_t at = 0; (size = wire_next(bytes + at, n - at, &frame)) > 0; at += (size_t)size)
        if (!give(keeper, &worker, &frame))
            break;
    show(keeper);
    while (worker.flights.first) {
        struct watched *watched = worker.flights.first;
        watched_unlink(watched);
        watched->worker = NULL;
    }
    stage_turn(keeper, 1);
    return 0;
}
