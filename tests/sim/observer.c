/* SPDX-License-Identifier: GPL-3.0-or-later */
/* observer - see the header. */
#include "tests/sim/observer.h"

#include <stdio.h>
#include <string.h>

struct subject {
    const char *name;
    bool present; /* added, named by a result */
    bool known, confirmed;
    enum belfry_state state, hard_state;
    bool hard;
    /* a breaker */
    int breaker;
    bool held;
    int64_t opened_ms, pause_ms;
};

void observer_violate(struct observer *observer, enum property property, const char *format, ...)
{
    struct violations *v = observer->violations;
    if (v->count[property]++)
        return;
    v->seed[property] = observer->seed;
    char *text = v->text[property];
    int n = snprintf(text, sizeof v->text[0], "after %lld ms: ", (long long)observer->true_ms);
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof v->text[0] - (size_t)n, format, args);
    va_end(args);
}

void observer_close(struct observer *observer)
{
    map_close(&observer->checks);
    map_close(&observer->parts);
    map_close(&observer->services);
    map_close(&observer->breakers);
    arena_close(&observer->arena);
}

static struct subject *find(struct observer *o, struct map *map, const char *name)
{
    struct subject *subject = map_get(map, name);
    if (subject)
        return subject;
    subject = arena_alloc(&o->arena, sizeof *subject);
    subject->name = arena_text(&o->arena, name);
    subject->state = BELFRY_UNKNOWN;
    map_put(map, subject->name, subject);
    return subject;
}

static void forget(struct subject *subject)
{
    const char *name = subject->name;
    *subject = (struct subject){ .name = name, .state = BELFRY_UNKNOWN };
}

/* Why this event can't follow on what was said before; NULL when it can. */
static const char *find_fault(const struct subject *was, const struct event *e)
{
    bool open = was->confirmed && was->hard_state != BELFRY_OK;
    if (e->from != was->state)
        return "from is not what was said before";
    if (e->to == BELFRY_OK && e->hard)
        return was->confirmed && !open ? "closed twice" : NULL;
    if (e->to == BELFRY_OK)
        return open || !was->known || was->state == BELFRY_OK ? "a soft recovery from nothing soft" : NULL;
    if (!e->hard)
        return open ? "a soft problem inside a confirmed one" : NULL;
    return open && was->hard_state == e->to ? "opened twice" : NULL;
}

static void see_state(struct observer *o, struct subject *subject, const struct event *e, enum property property)
{
    const char *fault = find_fault(subject, e);
    bool was_open = subject->confirmed && subject->hard_state != BELFRY_OK;
    if (fault || !subject->present)
        observer_violate(o, property, "%s: %s", subject->name, fault ? fault : "not there");
    subject->known = true;
    subject->state = e->to;
    if (!e->hard)
        return;
    subject->confirmed = true;
    subject->hard_state = e->to;
    o->problems += !was_open && e->to != BELFRY_OK;
    o->recoveries += was_open && e->to == BELFRY_OK;
}

static void see_part(struct observer *o, const struct event *e)
{
    char name[512];
    snprintf(name, sizeof name, "%s %s", e->check, e->part);
    struct subject *part = find(o, &o->parts, name);
    if (e->type == EVENT_PART_GONE) {
        if (!part->present)
            observer_violate(o, PART_ORDER, "%s: gone twice", name);
        forget(part);
        return;
    }
    part->present = true;
    see_state(o, part, e, PART_ORDER);
}

/* The parts of a removed check go with it. */
static void forget_parts(struct observer *o, const char *check)
{
    size_t length = strlen(check);
    struct subject *part;
    for (size_t i = 0; (part = map_next(&o->parts, &i)) != NULL;) {
        if (strncmp(part->name, check, length) == 0 && part->name[length] == ' ')
            forget(part);
    }
}

static void see_service_go(struct observer *o, const char *check)
{
    char name[128];
    size_t length = strcspn(check, "/");
    struct subject *other;
    for (size_t i = 0; (other = map_next(&o->checks, &i)) != NULL;) {
        if (other->present && strncmp(other->name, check, length + 1) == 0)
            return;
    }
    snprintf(name, sizeof name, "%.*s", (int)length, check);
    forget(find(o, &o->services, name));
}

static void see_presence(struct observer *o, const struct event *e)
{
    struct subject *check = find(o, &o->checks, e->check);
    bool added = e->type == EVENT_CHECK_ADDED;
    if (check->present == added)
        observer_violate(o, CHECK_ORDER, "%s: %s twice", check->name, added ? "added" : "removed");
    forget(check);
    check->present = added;
    if (added)
        return;
    forget_parts(o, e->check);
    see_service_go(o, e->check);
}

static void see_service(struct observer *o, const struct event *e)
{
    struct subject *service = find(o, &o->services, e->service);
    if (e->from != service->state || e->to == e->from)
        observer_violate(o, SERVICE_ORDER, "%s: from %d to %d after %d", e->service, e->from, e->to, service->state);
    service->state = e->to;
}

static void see_breaker(struct observer *o, const struct event *e)
{
    static const bool may_follow[3][3] = {
        /* to         closed open   half-open */
        [0] = { false, true, false },
        [1] = { true, false, true },
        [2] = { true, true, false },
    };
    struct subject *breaker = find(o, &o->breakers, e->breaker);
    if (e->type == EVENT_BREAKER_HELD) {
        breaker->held = strcmp(e->name, "open") == 0;
        breaker->opened_ms = o->true_ms; /* let go, it ends at once */
        breaker->pause_ms = 0;
        return;
    }
    int to = e->type == EVENT_BREAKER_OPEN ? 1 : e->type == EVENT_BREAKER_HALF_OPEN ? 2 : 0;
    if (!may_follow[breaker->breaker][to])
        observer_violate(o, BREAKER_ORDER, "%s: from %d to %d", e->breaker, breaker->breaker, to);
    breaker->breaker = to;
    breaker->opened_ms = o->true_ms;
    breaker->pause_ms = e->pause_ms;
    o->openings += to == 1;
}

void observer_see(struct observer *o, const struct event *e)
{
    switch (e->type) {
    case EVENT_CHECK_STATE:
        see_state(o, find(o, &o->checks, e->check), e, CHECK_ORDER);
        break;
    case EVENT_PART_STATE:
    case EVENT_PART_GONE:
        see_part(o, e);
        break;
    case EVENT_CHECK_ADDED:
    case EVENT_CHECK_REMOVED:
        see_presence(o, e);
        break;
    case EVENT_SERVICE_STATE:
        see_service(o, e);
        break;
    case EVENT_BREAKER_OPEN:
    case EVENT_BREAKER_HALF_OPEN:
    case EVENT_BREAKER_CLOSED:
    case EVENT_BREAKER_HELD:
        see_breaker(o, e);
        break;
    default:
        break;
    }
}

int observer_breaker(const struct observer *observer, const char *name)
{
    const struct subject *breaker = map_get(&observer->breakers, name);
    return breaker ? breaker->breaker : 0;
}

void observer_check_pauses(struct observer *o, int64_t slack_ms)
{
    const struct subject *b;
    for (size_t i = 0; (b = map_next(&o->breakers, &i)) != NULL;) {
        if (b->breaker == 1 && !b->held && o->true_ms - b->opened_ms > b->pause_ms + b->pause_ms / 10 + slack_ms)
            observer_violate(o, BREAKER_ORDER, "%s: still open after %lld ms", b->name,
                             (long long)(o->true_ms - b->opened_ms));
    }
}

void observer_disturb(struct observer *o)
{
    struct subject *b;
    for (size_t i = 0; (b = map_next(&o->breakers, &i)) != NULL;)
        b->opened_ms = o->true_ms;
}
