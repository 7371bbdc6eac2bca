/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account - the account's tunnels. healthy and degraded serve; down was connected and is not; inactive never ran. Names
 * may be those of a deleted tunnel, too, which the list leaves out only when it is told to. */
#include <math.h>
#include <string.h>

#include "plugins/cloudflare/cloudflare.h"

static const char *tunnel_path(struct cf *c, const char *more)
{
    return belfry_print(c->p, "/accounts/%s/cfd_tunnel%s", web_escape(c->p, c->account), more);
}

void cf_tunnels_read(struct cf *c)
{
    if (!c->account || cf_skipped(c, "tunnels"))
        return;
    c->tunnels_known =
        cf_list_read(c, &c->tunnels, tunnel_path(c, "?is_deleted=false&per_page=1000&"), "Cloudflare Tunnel Read");
}

/* "1 connector with 2 connections": dead ones that are still tracked don't count. Only asked for a tunnel in trouble.
 */
static const char *connections_of(struct cf *c, const char *id)
{
    struct cf_call call = { .path = tunnel_path(c, belfry_print(c->p, "/%s/connections", web_escape(c->p, id))),
                            .right = "Cloudflare Tunnel Read" };
    size_t connectors = 0, connections = 0;
    cf_ask(c, &call, 1);
    for (size_t i = 0; i < json_array_size(call.result); i++) {
        const json_t *connector = json_array_get(call.result, i);
        size_t alive = 0;
        for (size_t k = 0; k < tree_count(connector, "conns"); k++)
            alive += !tree_flag(tree_item(connector, "conns", k), "is_pending_reconnect", false);
        connectors += alive > 0;
        connections += alive;
    }
    const char *text = call.refusal.kind == CF_FINE
                           ? belfry_print(c->p, ", %zu connector%s with %zu connection%s", connectors,
                                          connectors == 1 ? "" : "s", connections, connections == 1 ? "" : "s")
                           : "";
    cf_done(&call, 1);
    return text;
}

static void judge_degraded(struct cf *c, const char *part, const char *id)
{
    bool first_run = c->first_run;
    struct cf_note *n = cf_note_put(c, NOTE_DEGRADED, part, "", false);
    cf_note_put(c, NOTE_SERVED, part, "", true);
    belfry_measure_part(c->p, part, "tunnel_degraded", n ? (double)(c->now - n->at) : (double)NAN);
    if (first_run)
        cf_part(c, part, BELFRY_WARNING, "degraded, since when is not known%s", connections_of(c, id));
    else
        cf_part(c, part, BELFRY_OK, "degraded%s%s", n ? belfry_print(c->p, " for %s", belfry_ago(c->p, n->at)) : "",
                connections_of(c, id));
}

static void judge_down(struct cf *c, const json_t *tunnel, const char *part)
{
    int64_t since = tree_time(tunnel, "conns_inactive_at");
    cf_note_put(c, NOTE_SERVED, part, "", true);
    if (since > 0 && since <= c->now) {
        belfry_measure_part(c->p, part, "tunnel_down", (double)(c->now - since));
        cf_part(c, part, BELFRY_OK, "down for %s", belfry_ago(c->p, since));
    } else {
        cf_part(c, part, BELFRY_CRITICAL, "down, since when is not told");
    }
}

static void judge_tunnel(struct cf *c, const json_t *tunnel, const char *part)
{
    const char *status = tree_text(c->p, tunnel, "status", "");
    bool served = tree_time(tunnel, "conns_active_at") > 0 || cf_note_find(c, NOTE_SERVED, part);
    if (strcmp(status, "healthy") == 0) {
        cf_note_put(c, NOTE_SERVED, part, "", true);
        cf_part(c, part, BELFRY_OK, "healthy");
    } else if (strcmp(status, "degraded") == 0) {
        judge_degraded(c, part, tree_text(c->p, tunnel, "id", ""));
    } else if (strcmp(status, "down") == 0) {
        judge_down(c, tunnel, part);
    } else if (strcmp(status, "inactive") == 0) {
        cf_note_hold(c, NOTE_SERVED, part);
        cf_part(c, part, served || belfry_has(c->p, "tunnel") ? BELFRY_CRITICAL : BELFRY_OK, "inactive, %s",
                served ? "though it has run" : "it has never run");
    } else {
        cf_part(c, part, BELFRY_UNKNOWN, "status '%s' is not known", cf_words(c, status));
    }
}

/* A name that two living tunnels have gets a piece of the id. */
static const char *tunnel_part(struct cf *c, const json_t *tunnel, size_t twins)
{
    const char *name = cf_words(c, tree_text(c->p, tunnel, "name", "?"));
    return twins > 1 ? belfry_print(c->p, "tunnel/%s %.8s", name, tree_text(c->p, tunnel, "id", ""))
                     : belfry_print(c->p, "tunnel/%s", name);
}

static bool lives(const json_t *tunnel)
{
    return tree_time(tunnel, "deleted_at") == 0;
}

static size_t count_name(struct cf *c, const char *name)
{
    struct cf_list list = c->tunnels; /* a cursor of its own */
    const json_t *tunnel;
    size_t n = 0;
    list.page = list.item = 0;
    while ((tunnel = cf_list_next(&list)))
        n += lives(tunnel) && strcmp(tree_text(c->p, tunnel, "name", ""), name) == 0;
    return n;
}

void cf_tunnels_judge(struct cf *c)
{
    const json_t *tunnel;
    if (!c->account && belfry_has(c->p, "tunnel"))
        cf_trouble(c, BELFRY_UNKNOWN, "tunnels are to be watched, but 'account' is not given");
    if (!c->account || cf_skipped(c, "tunnels"))
        return;
    if (!c->tunnels_known) {
        cf_missed_below(c, "tunnels", "tunnel/", "Cloudflare Tunnel Read", &c->tunnels.refusal);
        return;
    }
    while ((tunnel = cf_list_next(&c->tunnels))) {
        const char *name = tree_text(c->p, tunnel, "name", "");
        if (!lives(tunnel) || (belfry_has(c->p, "tunnel") && !cf_listed(c, "tunnel", name)))
            continue;
        judge_tunnel(c, tunnel, tunnel_part(c, tunnel, count_name(c, name)));
        c->tunnels_seen++;
    }
    for (size_t i = 0; i < belfry_count(c->p, "tunnel"); i++)
        if (count_name(c, belfry_item(c->p, "tunnel", i)) == 0)
            cf_part(c, belfry_print(c->p, "tunnel/%s", belfry_item(c->p, "tunnel", i)), BELFRY_CRITICAL,
                    "the account has no such tunnel");
}
