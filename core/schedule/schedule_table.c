/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule_table - checks, circuits and services: made, found, dropped. A service lives as long as it has a check; its
 * name is what stands before the '/' of the check's id. */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/schedule/schedule_private.h"

void schedule_slots_add(struct slots *slots, uint32_t slot)
{
    if (slots->count == slots->size) {
        slots->size = slots->size ? slots->size * 2 : 4;
        slots->items = heap_grow(slots->items, slots->size, sizeof *slots->items);
    }
    slots->items[slots->count++] = slot;
}

static void remove_slot(struct slots *slots, uint32_t slot)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        if (slots->items[i] == slot) {
            slots->items[i] = slots->items[--slots->count];
            return;
        }
    }
}

void schedule_keep_text(const char **kept, const char *text)
{
    if (!text)
        text = "";
    if (*kept && strcmp(*kept, text) == 0)
        return;
    char *copy = heap_text(text);
    free((void *)*kept);
    *kept = copy;
}

/* ---- services ---------------------------------------------------------------------------------------------------- */

/* Finds or adds. */
static struct service *get_service(struct schedule *s, const char *name, size_t length)
{
    char *copy = heap_array(1, length + 1);
    memcpy(copy, name, length);
    copy[length] = '\0';
    struct service *service = map_get(&s->services, copy);
    if (service) {
        free(copy);
        return service;
    }
    service = heap_array(1, sizeof *service);
    *service = (struct service){ .name = copy, .state = BELFRY_UNKNOWN };
    map_put(&s->services, service->name, service);
    return service;
}

static void drop_service(struct schedule *s, struct service *service)
{
    map_remove(&s->services, service->name);
    free(service->members.items);
    free(service->name);
    free(service);
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static uint32_t take_slot(struct schedule *s)
{
    uint32_t slot = s->first_free;
    while (slot < s->slot_count && s->checks[slot])
        slot++;
    s->first_free = slot + 1;
    if (slot < s->slot_count)
        return slot;
    if (s->slot_count == s->slot_size) {
        s->slot_size = s->slot_size ? s->slot_size * 2 : 64;
        s->checks = heap_grow(s->checks, s->slot_size, sizeof(struct check *));
    }
    return s->slot_count++;
}

struct check *schedule_check_add(struct schedule *s, const char *id)
{
    struct check *c = heap_array(1, sizeof *c);
    uint32_t slot = take_slot(s);
    *c = (struct check){
        .slot = slot, .hash = text_hash(id), .id = heap_text(id), .grid_ms = NEVER_MS, .started_ms = INT64_MIN
    };
    c->view.standing = standing_unknown();
    c->view.due_ms = NEVER_MS;
    schedule_keep_text(&c->view.text, "");
    s->checks[slot] = c;
    map_put(&s->checks_by_id, c->id, c);
    c->service = get_service(s, id, strcspn(id, "/"));
    schedule_slots_add(&c->service->members, slot);
    return c;
}

struct check *schedule_check_get(struct schedule *s, const char *id)
{
    struct check *c = map_get(&s->checks_by_id, id);
    return c ? c : schedule_check_add(s, id);
}

void schedule_check_drop(struct schedule *s, struct check *c)
{
    timers_clear(&s->check_timers, c->slot);
    map_remove(&s->checks_by_id, c->id);
    s->checks[c->slot] = NULL;
    if (c->slot < s->first_free)
        s->first_free = c->slot;
    remove_slot(&c->service->members, c->slot);
    if (c->service->members.count == 0)
        drop_service(s, c->service);
    while (c->view.part_count > 0)
        schedule_part_drop(c, c->view.part_count - 1);
    free((void *)c->view.parts);
    free((void *)c->view.text);
    free(c->id);
    free(c);
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

struct part_view *schedule_parts(struct check *c)
{
    return (struct part_view *)c->view.parts;
}

/* The array has room for the next power of two. */
struct part_view *schedule_part_add(struct check *c, const char *name)
{
    uint32_t n = c->view.part_count;
    if ((n & (n - 1)) == 0)
        c->view.parts = heap_grow(schedule_parts(c), n ? (size_t)n * 2 : 1, sizeof(struct part_view));
    struct part_view *part = schedule_parts(c) + c->view.part_count++;
    *part = (struct part_view){ .name = heap_text(name), .standing = standing_unknown() };
    schedule_keep_text(&part->text, "");
    return part;
}

void schedule_part_drop(struct check *c, uint32_t i)
{
    struct part_view *parts = schedule_parts(c);
    free((void *)parts[i].name);
    free((void *)parts[i].text);
    uint32_t rest = --c->view.part_count - i;
    memmove(parts + i, parts + i + 1, rest * sizeof *parts);
}

/* ---- circuits ---------------------------------------------------------------------------------------------------- */

struct circuit *schedule_circuit_get(struct schedule *s, const char *name)
{
    struct circuit *circuit = map_get(&s->circuits_by_name, name);
    if (circuit)
        return circuit;
    if (s->circuit_count == s->circuit_size) {
        s->circuit_size = s->circuit_size ? s->circuit_size * 2 : 64;
        s->circuits = heap_grow(s->circuits, s->circuit_size, sizeof(struct circuit *));
    }
    circuit = heap_array(1, sizeof *circuit);
    circuit->name = heap_text(name);
    circuit->number = s->circuit_count;
    circuit->breaker.random = (uint32_t)text_hash_more(s->seed, name, strlen(name)) | 1;
    s->circuits[s->circuit_count++] = circuit;
    map_put(&s->circuits_by_name, circuit->name, circuit);
    return circuit;
}

/* The last one takes its number; both are left without a timer. */
void schedule_circuit_drop(struct schedule *s, struct circuit *circuit)
{
    struct circuit *last = s->circuits[--s->circuit_count];
    timers_clear(&s->circuit_timers, circuit->number);
    timers_clear(&s->circuit_timers, last->number);
    last->number = circuit->number;
    s->circuits[circuit->number] = last;
    map_remove(&s->circuits_by_name, circuit->name);
    free(circuit->members.items);
    free(circuit->name);
    free(circuit);
}

void schedule_forget_all(struct schedule *s)
{
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (s->checks[i])
            schedule_check_drop(s, s->checks[i]);
    }
    s->slot_count = s->first_free = 0;
    while (s->circuit_count > 0)
        schedule_circuit_drop(s, s->circuits[s->circuit_count - 1]);
}
