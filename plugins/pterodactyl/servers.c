/* SPDX-License-Identifier: GPL-3.0-or-later */
/* servers - the inventory, and the servers with which something is wrong: installs that failed or do not end,
 * transfers that do not end or came to nothing, servers that should run and don't.
 *
 * Since when a state lasts is not in the API. It is the first sight of it by this check, or `updated_at` where that is
 * older: the state can't be younger than the last change of its row. So nothing is called stuck too early, also in a
 * first run.
 *
 * When Wings restarts, the panel resets the servers that were installing to normal: an install that was cut off looks
 * well. So a server that was seen installing stays on the list until Wings has shown it running. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/pterodactyl/pterodactyl.h"

#define MIB 1048576.0
#define SERVERS_MAX 5000
#define UNPROVEN_AFTER_S 900
#define UNPROVEN_FOR_S 86400
#define STRANDED_FOR_S 86400

static double limit_of(const json_t *a, const char *path)
{
    double mib = tree_number(a, path);
    return mib > 0 ? mib * MIB : 0;
}

static void take_transfer(struct ptero *t, struct ptero_server *s, const json_t *a)
{
    const json_t *transfer = tree_at(a, "relationships.transfer.attributes");
    if (!json_is_object(transfer) || tree_at(transfer, "id") == NULL)
        return;
    s->transferring = tree_at(transfer, "successful") == NULL || json_is_null(tree_at(transfer, "successful"));
    s->transfer_since = tree_time(transfer, "created_at");
    s->transfer_from = tree_integer(transfer, "old_node", s->node);
    s->transfer_to = tree_integer(transfer, "new_node", 0);
    (void)t;
}

static struct ptero_server *new_server(struct ptero *t)
{
    if (t->server_count == t->server_room) {
        size_t room = t->server_room ? t->server_room * 2 : 128;
        struct ptero_server *more = belfry_alloc(t->p, room * sizeof *more);
        if (t->server_count)
            memcpy(more, t->servers, t->server_count * sizeof *more);
        t->servers = more;
        t->server_room = room;
    }
    return &t->servers[t->server_count];
}

static void take_server(struct ptero *t, const json_t *item)
{
    const json_t *a = tree_at(item, "attributes");
    int64_t id = tree_integer(a, "id", -1);
    if (id < 0 || t->server_count >= SERVERS_MAX)
        return;
    struct ptero_server *s = new_server(t);
    t->server_count++;
    *s = (struct ptero_server){ .id = id, .node = tree_integer(a, "node", -1), .updated = tree_time(a, "updated_at") };
    s->uuid = tree_text(t->p, a, "uuid", "");
    s->identifier = ptero_name(t, tree_text(t->p, a, "identifier", ""));
    if (!*s->identifier)
        s->identifier = belfry_print(t->p, "%.8s", ptero_name(t, s->uuid));
    s->name = ptero_name(t, tree_text(t->p, a, "name", ""));
    s->external = tree_text(t->p, a, "external_id", "");
    s->status = ptero_name(t, tree_text(t->p, a, "status", ""));
    s->suspended = strcmp(s->status, "suspended") == 0 || tree_flag(a, "suspended", false);
    s->memory_limit = limit_of(a, "limits.memory");
    s->disk_limit = limit_of(a, "limits.disk");
    s->backup_limit = tree_number(a, "feature_limits.backups");
    s->memory_used = s->disk_used = NAN;
    take_transfer(t, s, a);
    struct ptero_node *n = ptero_node_of(t, s->node);
    if (n)
        n->servers++;
}

void ptero_servers_read(struct ptero *t)
{
    struct ptero_refusal refusal;
    if (ptero_pages(t, &t->application, "/api/application/servers?include=transfer&per_page=100", "read on servers",
                    take_server, &refusal) == 0 &&
        t->server_count < SERVERS_MAX) {
        t->servers_known = true;
        for (size_t i = 0; i < t->node_count; i++)
            belfry_measure_part(t->p, t->nodes[i].part, "node_servers", (double)t->nodes[i].servers);
        return;
    }
    if (t->server_count >= SERVERS_MAX)
        ptero_trouble(t, BELFRY_WARNING, "only the first %d servers are looked at", SERVERS_MAX);
    else
        ptero_trouble(t, refusal.state == BELFRY_OK ? BELFRY_UNKNOWN : refusal.state, "servers %s: %s",
                      t->server_count ? "are known in part only" : "are not known", refusal.text);
}

struct ptero_server *ptero_server_by_uuid(struct ptero *t, const char *uuid)
{
    for (size_t i = 0; i < t->server_count; i++)
        if (strcmp(t->servers[i].uuid, uuid) == 0)
            return &t->servers[i];
    return NULL;
}

bool ptero_selected(struct ptero *t, const char *option, const struct ptero_server *s)
{
    for (size_t i = 0; i < belfry_count(t->p, option); i++) {
        const char *want = belfry_item(t->p, option, i);
        if (strcmp(want, "all") == 0 || strcmp(want, s->identifier) == 0 || strcmp(want, s->uuid) == 0 ||
            strcmp(want, s->name) == 0 || (*s->external && strcmp(want, s->external) == 0))
            return true;
    }
    return false;
}

/* ---- states ---------------------------------------------------------------------------------------------------- */

static const char *part_of(struct ptero *t, const struct ptero_server *s)
{
    return belfry_print(t->p, "server %s", s->identifier);
}

static const char *node_name(struct ptero *t, int64_t id)
{
    const struct ptero_node *n = ptero_node_of(t, id);
    return n ? n->name : belfry_print(t->p, "node %lld", (long long)id);
}

/* Since when a state lasts: the note's time, older when the row has not been changed for longer. */
static int64_t since(struct ptero *t, enum ptero_kind kind, const struct ptero_server *s, int64_t at_most)
{
    int64_t start = at_most > 0 && at_most < t->now ? at_most : t->now;
    struct ptero_note *n = ptero_note_touch(t, kind, s->id, start);
    if (n && n->values[0] > start)
        n->values[0] = start;
    return n && n->values[0] <= t->now ? n->values[0] : start;
}

static void installing(struct ptero *t, struct ptero_server *s)
{
    int64_t start = since(t, NOTE_INSTALL, s, s->updated);
    if (!ptero_room(t))
        return;
    ptero_say(t, part_of(t, s), BELFRY_OK, "'%s' on %s has been installing for %s", s->name, node_name(t, s->node),
              belfry_ago(t->p, start));
    belfry_measure_part(t->p, part_of(t, s), "install_age", (double)(t->now - start));
}

static void restoring(struct ptero *t, struct ptero_server *s)
{
    int64_t start = since(t, NOTE_RESTORE, s, s->updated);
    if (!ptero_room(t))
        return;
    ptero_say(t, part_of(t, s), BELFRY_OK, "'%s' on %s has been restoring a backup for %s", s->name,
              node_name(t, s->node), belfry_ago(t->p, start));
    belfry_measure_part(t->p, part_of(t, s), "restore_age", (double)(t->now - start));
}

static void failed(struct ptero *t, struct ptero_server *s)
{
    int64_t start = since(t, NOTE_FAILED, s, s->updated);
    const struct ptero_note *note = ptero_note_find(t, NOTE_FAILED, s->id);
    const char *what = strcmp(s->status, "install_failed") == 0 ? "install" : "reinstall";
    if (note && note->fresh && !t->first_run)
        belfry_event(t->p, "install.failed", part_of(t, s), "%s of '%s' on %s failed", what, s->name,
                     node_name(t, s->node));
    if (ptero_room(t))
        ptero_say(t, part_of(t, s), BELFRY_WARNING, "%s of '%s' on %s failed, at least %s ago", what, s->name,
                  node_name(t, s->node), belfry_ago(t->p, start));
}

/* Normal now, but seen installing before: has it run since? */
static void prove(struct ptero *t, struct ptero_server *s)
{
    const struct ptero_note *before = ptero_note_find(t, NOTE_INSTALL, s->id);
    const struct ptero_note *waits = ptero_note_find(t, NOTE_UNPROVEN, s->id);
    if ((!before && !waits) || (s->wings_state && strcmp(s->wings_state, "offline") != 0))
        return;
    const struct ptero_note *n = ptero_note_touch(t, NOTE_UNPROVEN, s->id, t->now);
    int64_t age = n ? t->now - n->values[0] : 0;
    if (age > UNPROVEN_FOR_S && n)
        ptero_note_find(t, NOTE_UNPROVEN, s->id)->live = false;
    else if (age > UNPROVEN_AFTER_S && s->wings_state && ptero_room(t))
        ptero_say(t, part_of(t, s), BELFRY_WARNING,
                  "install of '%s' on %s ended %s ago and it has never run since: perhaps it was cut off", s->name,
                  node_name(t, s->node), belfry_ago(t->p, n->values[0]));
}

static void transfer(struct ptero *t, struct ptero_server *s)
{
    int64_t start = since(t, NOTE_TRANSFER, s, s->transfer_since);
    struct ptero_note *n = ptero_note_find(t, NOTE_TRANSFER, s->id);
    if (n) {
        n->values[1] = s->transfer_from;
        n->values[2] = s->transfer_to;
    }
    if (!ptero_room(t))
        return;
    ptero_say(t, part_of(t, s), BELFRY_OK, "'%s' has been moving from %s to %s for %s", s->name,
              node_name(t, s->transfer_from), node_name(t, s->transfer_to), belfry_ago(t->p, start));
    belfry_measure_part(t->p, part_of(t, s), "transfer_age", (double)(t->now - start));
}

/* No transfer now: did one that was seen before come to nothing? The panel then leaves the server where it was. */
static void stranded(struct ptero *t, struct ptero_server *s)
{
    const struct ptero_note *before = ptero_note_find(t, NOTE_TRANSFER, s->id);
    struct ptero_note *n = ptero_note_find(t, NOTE_STRANDED, s->id);
    if (before && s->node == before->values[1] && before->values[2] != s->node) {
        int64_t from = before->values[1], to = before->values[2];
        n = ptero_note_touch(t, NOTE_STRANDED, s->id, t->now);
        if (!n)
            return;
        n->values[0] = t->now;
        n->values[1] = from;
        n->values[2] = to;
        belfry_event(t->p, "transfer.failed", part_of(t, s), "'%s' was to move from %s to %s and did not", s->name,
                     node_name(t, from), node_name(t, to));
    }
    if (!n || t->now - n->values[0] > STRANDED_FOR_S || s->node != n->values[1])
        return;
    n->live = true;
    if (ptero_room(t))
        ptero_say(t, part_of(t, s), BELFRY_WARNING, "the transfer of '%s' from %s to %s failed %s ago", s->name,
                  node_name(t, n->values[1]), node_name(t, n->values[2]), belfry_ago(t->p, n->values[0]));
}

struct status_row {
    const char *status, *metric;
    void (*judge)(struct ptero *t, struct ptero_server *s);
};

static const struct status_row statuses[] = {
    { "installing", "servers_installing", installing }, { "install_failed", "servers_failed", failed },
    { "reinstall_failed", "servers_failed", failed },   { "restoring_backup", "servers_restoring", restoring },
    { "suspended", "servers_suspended", NULL },
};
#define STATUSES (sizeof statuses / sizeof statuses[0])

static void judge(struct ptero *t, struct ptero_server *s)
{
    for (size_t i = 0; i < STATUSES; i++)
        if (strcmp(s->status, statuses[i].status) == 0 && statuses[i].judge)
            statuses[i].judge(t, s);
    if (!*s->status)
        prove(t, s);
    if (s->transferring)
        transfer(t, s);
    else
        stranded(t, s);
}

static void count(struct ptero *t)
{
    for (size_t row = 0; row < STATUSES; row++) {
        double n = 0;
        if (row > 0 && strcmp(statuses[row].metric, statuses[row - 1].metric) == 0)
            continue;
        for (size_t i = 0; i < t->server_count; i++)
            for (size_t other = 0; other < STATUSES; other++)
                n += strcmp(statuses[other].metric, statuses[row].metric) == 0 &&
                     strcmp(t->servers[i].status, statuses[other].status) == 0;
        belfry_measure(t->p, statuses[row].metric, n);
    }
    double transfers = 0;
    for (size_t i = 0; i < t->server_count; i++)
        transfers += t->servers[i].transferring;
    belfry_measure(t->p, "servers", (double)t->server_count);
    belfry_measure(t->p, "servers_moving", transfers);
}

void ptero_servers_judge(struct ptero *t)
{
    if (!t->servers_known)
        ptero_notes_hold(t, "irxutf");
    for (size_t i = 0; i < t->server_count; i++)
        judge(t, &t->servers[i]);
    if (t->servers_known)
        count(t);
}

/* ---- servers that should run ----------------------------------------------------------------------------------- */

/* The state by the panel, which asks Wings: for a node whose Wings did not tell it to us. */
static void ask_state(struct ptero *t, struct ptero_server *s, const char **why)
{
    struct ptero_refusal refusal = { .text = "neither a token of its Wings nor client_key is given" };
    json_t *tree = NULL;
    if (t->client.client)
        tree =
            ptero_ask(t, &t->client, belfry_print(t->p, "/api/client/servers/%s/resources", web_escape(t->p, s->uuid)),
                      "access to the server", &refusal);
    *why = refusal.text;
    if (!tree)
        return;
    s->wings_state = tree_text(t->p, tree, "attributes.current_state", NULL);
    s->memory_used = tree_number(tree, "attributes.resources.memory_bytes");
    s->disk_used = tree_number(tree, "attributes.resources.disk_bytes");
    *why = "the panel does not tell its state";
    json_decref(tree);
}

static void measure_use(struct ptero *t, const struct ptero_server *s, const char *part)
{
    if (s->memory_limit > 0 && !isnan(s->memory_used))
        belfry_measure_part(t->p, part, "memory_used", 100 * s->memory_used / s->memory_limit);
    if (s->disk_limit > 0 && !isnan(s->disk_used))
        belfry_measure_part(t->p, part, "disk_used", 100 * s->disk_used / s->disk_limit);
}

static void should_run(struct ptero *t, struct ptero_server *s)
{
    const char *part = part_of(t, s), *why = NULL;
    if (*s->status || s->transferring) {
        if (s->suspended && ptero_room(t))
            ptero_say(t, part, BELFRY_WARNING, "'%s' should run and is suspended", s->name);
        return; /* the other states have a part of their own */
    }
    if (!s->wings_state)
        ask_state(t, s, &why);
    if (!ptero_room(t))
        return;
    if (!s->wings_state) {
        ptero_notes_hold(t, "d");
        ptero_say(t, part, BELFRY_UNKNOWN, "whether '%s' runs is not known: %s", s->name, why);
        return;
    }
    measure_use(t, s, part);
    bool runs = strcmp(s->wings_state, "running") == 0;
    int64_t start = runs ? t->now : since(t, NOTE_DOWN, s, t->now);
    ptero_say(t, part, BELFRY_OK, "'%s' on %s is %s%s%s", s->name, node_name(t, s->node), s->wings_state,
              runs ? "" : ", seen for ", runs ? "" : belfry_ago(t->p, start));
    belfry_measure_part(t->p, part, "down_age", (double)(t->now - start));
}

static bool listed(struct ptero *t, const char *want)
{
    for (size_t i = 0; i < t->server_count; i++) {
        const struct ptero_server *s = &t->servers[i];
        if (strcmp(want, s->identifier) == 0 || strcmp(want, s->uuid) == 0 || strcmp(want, s->name) == 0 ||
            strcmp(want, s->external) == 0)
            return true;
    }
    return strcmp(want, "all") == 0;
}

/* Names in an option that fit no server. */
static void report_strangers(struct ptero *t, const char *option)
{
    for (size_t i = 0; i < belfry_count(t->p, option); i++) {
        const char *want = belfry_item(t->p, option, i);
        if (!listed(t, want))
            ptero_trouble(t, BELFRY_CRITICAL, "the panel has no server '%s' (option '%s')", want, option);
    }
}

void ptero_servers_running(struct ptero *t)
{
    static const char *const lists[] = { "running", "backups", "schedules" };
    if (!t->servers_known)
        ptero_notes_hold(t, "d");
    for (size_t i = 0; t->servers_known && i < sizeof lists / sizeof lists[0]; i++)
        report_strangers(t, lists[i]);
    for (size_t i = 0; i < t->server_count; i++)
        if (ptero_selected(t, "running", &t->servers[i]))
            should_run(t, &t->servers[i]);
}
