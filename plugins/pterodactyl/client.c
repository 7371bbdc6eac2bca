/* SPDX-License-Identifier: GPL-3.0-or-later */
/* client - backups and schedules, which only the client interface shows, one call a server and list.
 *
 * The lists looked at longest ago come first, of whichever kind, as many as the run's calls allow; what is known of the
 * others is kept from the run that saw them, so every server has its part in every run.
 *
 * Backups: completed_at null is running; set with is_successful false is failed. Schedules: due for minutes says that
 * the panel's cron is dead; one that is_processing for long never runs again by itself. */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/pterodactyl/pterodactyl.h"

#define DAY_S 86400
#define SELECTED_MAX 250

struct round {
    const char *option, *path, *right, *noun;
    enum ptero_kind kind;
    void (*read)(struct ptero *t, const struct ptero_server *s, const json_t *tree, struct ptero_note *note);
    void (*say)(struct ptero *t, const struct ptero_server *s, const struct ptero_note *note);
};

static const char *as_of(struct ptero *t, const struct ptero_note *n)
{
    return n->values[0] < t->now ? belfry_print(t->p, " (seen %s ago)", belfry_ago(t->p, n->values[0])) : "";
}

/* ---- backups --------------------------------------------------------------------------------------------------- */

enum {
    B_CHECKED,
    B_GOOD,
    B_FAILED,
    B_RUNS
};

static void read_backups(struct ptero *t, const struct ptero_server *s, const json_t *tree, struct ptero_note *note)
{
    int64_t good = 0, failed = 0, runs = 0, seen = note->values[B_CHECKED];
    for (size_t i = 0; i < tree_count(tree, "data"); i++) {
        const json_t *a = tree_at(tree_item(tree, "data", i), "attributes");
        int64_t created = tree_time(a, "created_at"), completed = tree_time(a, "completed_at");
        if (completed == 0 && created > 0)
            runs = runs == 0 || created < runs ? created : runs;
        else if (completed > good && tree_flag(a, "is_successful", false))
            good = completed;
        else if (completed > t->now - DAY_S && !tree_flag(a, "is_successful", false))
            failed++;
        if (completed > seen && !note->fresh && !tree_flag(a, "is_successful", true))
            belfry_event(t->p, "backup.failed", belfry_print(t->p, "backups %s", s->identifier),
                         "backup '%s' of '%s' failed", ptero_name(t, tree_text(t->p, a, "name", "")), s->name);
    }
    note->values[B_GOOD] = good;
    note->values[B_FAILED] = failed;
    note->values[B_RUNS] = runs;
}

static void say_backups(struct ptero *t, const struct ptero_server *s, const struct ptero_note *n)
{
    const char *part = belfry_print(t->p, "backups %s", s->identifier), *more = "";
    int64_t good = n->values[B_GOOD], runs = n->values[B_RUNS];
    if (n->values[B_FAILED] > 0)
        more = belfry_print(t->p, ", %lld failed in the last day", (long long)n->values[B_FAILED]);
    if (runs > 0)
        more = belfry_print(t->p, "%s, one has been running for %s", more, belfry_ago(t->p, runs));
    if (good > 0)
        ptero_say(t, part, BELFRY_OK, "last good backup of '%s' is %s old%s%s", s->name, belfry_ago(t->p, good), more,
                  as_of(t, n));
    else
        ptero_say(t, part, BELFRY_CRITICAL, "'%s' has no good backup%s%s", s->name, more, as_of(t, n));
    if (good > 0)
        belfry_measure_part(t->p, part, "backup_age", (double)(t->now > good ? t->now - good : 0));
    belfry_measure_part(t->p, part, "backups_failed", (double)n->values[B_FAILED]);
    belfry_measure_part(t->p, part, "backup_running", runs > 0 && runs < t->now ? (double)(t->now - runs) : 0);
}

/* ---- schedules ------------------------------------------------------------------------------------------------- */

enum {
    S_CHECKED,
    S_DUE,
    S_STUCK,
    S_COUNT
};

static int64_t sum_of_offsets(const json_t *a)
{
    int64_t sum = 0;
    for (size_t i = 0; i < tree_count(a, "relationships.tasks.data"); i++) {
        int64_t offset = tree_integer(tree_item(a, "relationships.tasks.data", i), "attributes.time_offset", 0);
        sum += offset > 0 && offset < DAY_S ? offset : 0;
    }
    return sum;
}

/* Oldest of two times, 0 being none. */
static int64_t older(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a == 0 ? b : a;
    return a < b ? a : b;
}

static void read_schedules(struct ptero *t, const struct ptero_server *s, const json_t *tree, struct ptero_note *note)
{
    int64_t due = 0, stuck = 0, active = 0;
    (void)s;
    for (size_t i = 0; i < tree_count(tree, "data"); i++) {
        const json_t *a = tree_at(tree_item(tree, "data", i), "attributes");
        if (!tree_flag(a, "is_active", false))
            continue;
        active++;
        int64_t next = tree_time(a, "next_run_at"), updated = tree_time(a, "updated_at");
        if (tree_flag(a, "is_processing", false))
            stuck = older(stuck, (updated > 0 ? updated : t->now) + sum_of_offsets(a));
        else if (next > 0 && next < t->now)
            due = older(due, next);
    }
    note->values[S_DUE] = due;
    note->values[S_STUCK] = stuck;
    note->values[S_COUNT] = active;
}

static void say_schedules(struct ptero *t, const struct ptero_server *s, const struct ptero_note *n)
{
    const char *part = belfry_print(t->p, "schedules %s", s->identifier), *more = "";
    int64_t due = n->values[S_DUE], stuck = n->values[S_STUCK];
    /* what was due when it was seen may have run since: its age ends at that sight */
    double due_s = due > 0 ? (double)(n->values[S_CHECKED] - due) : 0;
    double stuck_s = stuck > 0 ? (double)(n->values[S_CHECKED] - stuck) : 0;
    if (due_s > 60)
        more = belfry_print(t->p, ", one was due %s ago (does the panel's cron run?)", belfry_ago(t->p, due));
    if (stuck_s > 0)
        more =
            belfry_print(t->p, "%s, one has been running for %s and should have ended", more, belfry_ago(t->p, stuck));
    ptero_say(t, part, BELFRY_OK, "%lld active schedule%s of '%s'%s%s", (long long)n->values[S_COUNT],
              n->values[S_COUNT] == 1 ? "" : "s", s->name, more, as_of(t, n));
    belfry_measure_part(t->p, part, "schedule_overdue", due_s > 0 ? due_s : 0);
    belfry_measure_part(t->p, part, "schedule_stuck", stuck_s > 0 ? stuck_s : 0);
}

static const struct round backups = { "backups",  "backups?per_page=50", "backup.read on the server",
                                      "backups",  NOTE_BACKUP,           read_backups,
                                      say_backups };
static const struct round schedules = {
    "schedules",  "schedules?include=tasks", "schedule.read on the server", "schedules", NOTE_SCHEDULE, read_schedules,
    say_schedules
};

/* ---- in turn ---------------------------------------------------------------------------------------------------- */

struct choice {
    const struct round *round;
    const struct ptero_server *server;
    int64_t checked;
    bool asked;
    const char *why; /* it is not known, or NULL */
};

struct ptero_choices {
    struct choice *list;
    size_t count;
};

static const struct round *const rounds[] = { &backups, &schedules };
#define ROUNDS (sizeof rounds / sizeof rounds[0])

static int by_age(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;
    if (x->checked != y->checked)
        return x->checked < y->checked ? -1 : 1;
    return x->server < y->server ? -1 : x->server > y->server;
}

/* A server in another state answers 409, and its schedules are skipped on purpose. */
static bool can_be_asked(const struct round *r, const struct ptero_server *s)
{
    return !*s->status && !s->suspended && !s->transferring && (r->kind != NOTE_BACKUP || s->backup_limit != 0.0);
}

static void choose(struct ptero *t, const struct round *r, struct ptero_choices *all)
{
    for (size_t i = 0, chosen = 0; i < t->server_count && chosen < SELECTED_MAX; i++) {
        const struct ptero_server *s = &t->servers[i];
        if (!ptero_selected(t, r->option, s) || !can_be_asked(r, s))
            continue;
        const struct ptero_note *n = ptero_note_find(t, r->kind, s->id);
        all->list[all->count++] = (struct choice){ r, s, n ? n->values[0] : 0, false, NULL };
        chosen++;
    }
}

/* Asks and notes what is said: NULL, or why it is not known. */
static const char *look(struct ptero *t, const struct round *r, const struct ptero_server *s)
{
    struct ptero_refusal refusal;
    json_t *tree =
        ptero_ask(t, &t->client, belfry_print(t->p, "/api/client/servers/%s/%s", web_escape(t->p, s->uuid), r->path),
                  r->right, &refusal);
    const char *why = tree ? NULL : refusal.text;
    if (tree && !json_is_array(tree_at(tree, "data")))
        why = belfry_print(t->p, "the answer about its %s has no list", r->noun);
    struct ptero_note *n = why ? NULL : ptero_note_touch(t, r->kind, s->id, 0);
    if (n) {
        r->read(t, s, tree, n);
        n->values[0] = t->now;
    }
    json_decref(tree);
    return why;
}

/* Whether servers of `running` run is asked later, and matters more: half of what is left is theirs, if they need it.
 */
static int64_t calls_to_spend(struct ptero *t)
{
    int64_t left = t->calls_max - t->calls, later = 0;
    for (size_t i = 0; i < t->server_count; i++)
        later += ptero_selected(t, "running", &t->servers[i]);
    return left - (later < left / 2 ? later : left / 2);
}

static void ask(struct ptero *t, struct ptero_choices *all)
{
    const char *used_up = belfry_print(t->p, "max_calls (%lld) are used up", (long long)t->calls_max);
    int64_t most = t->calls + calls_to_spend(t);
    for (size_t i = 0; i < all->count; i++) {
        struct choice *c = &all->list[i];
        bool may = t->calls < most;
        c->why = may ? look(t, c->round, c->server) : used_up;
        c->asked = may && !t->client.stopped;
    }
}

static void say_list(struct ptero *t, const struct choice *c, const struct ptero_note *n)
{
    const struct round *r = c->round;
    const struct ptero_server *s = c->server;
    if (c->why && c->asked)
        ptero_say(t, belfry_print(t->p, "%s %s", r->noun, s->identifier), BELFRY_UNKNOWN, "%s of '%s': %s", r->noun,
                  s->name, c->why);
    else
        r->say(t, s, n);
}

static void say_round(struct ptero *t, const struct round *r)
{
    const char *reason = NULL;
    size_t unseen = 0;
    for (size_t i = 0; i < t->lists->count; i++) {
        const struct choice *c = &t->lists->list[i];
        if (c->round != r)
            continue;
        const struct ptero_note *n = ptero_note_find(t, r->kind, c->server->id);
        if (n)
            ptero_note_touch(t, r->kind, c->server->id, 0);
        bool refused = c->asked && c->why;
        if (!n && !refused) {
            unseen++;
            reason = t->client.stopped ? t->client.stopped : c->why ? c->why : "too many to remember";
        } else if (ptero_room(t))
            say_list(t, c, n);
    }
    if (unseen)
        ptero_trouble(t, BELFRY_UNKNOWN, "%s of %zu server%s not looked at yet: %s", r->noun, unseen,
                      unseen > 1 ? "s" : "", reason);
}

void ptero_lists_ask(struct ptero *t)
{
    struct ptero_choices *all = t->lists = belfry_alloc(t->p, sizeof *all);
    *all = (struct ptero_choices){ belfry_alloc(t->p, ROUNDS * SELECTED_MAX * sizeof *all->list), 0 };
    for (size_t i = 0; i < ROUNDS; i++) {
        if (!belfry_has(t->p, rounds[i]->option))
            continue;
        if (!t->servers_known)
            ptero_notes_hold(t, rounds[i]->kind == NOTE_BACKUP ? "b" : "s");
        if (t->client.client)
            choose(t, rounds[i], all);
        else
            ptero_trouble(t, BELFRY_UNKNOWN, "%s are to be watched, but client_key is not given", rounds[i]->noun);
    }
    if (all->count)
        qsort(all->list, all->count, sizeof *all->list, by_age);
    ask(t, all);
}

void ptero_lists_say(struct ptero *t)
{
    for (size_t i = 0; i < ROUNDS; i++)
        say_round(t, rounds[i]);
}
