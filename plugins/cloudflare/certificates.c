/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificates - the edge's certificate packs. A pack has several certificates (ECDSA and RSA, old and new): of each
 * signature the newest counts, and the pack lasts as long as the first of these ends. A pack that lives shorter than 42
 * days is judged by the share of its life that is left (a third, a sixth), for 14 days' notice would never end there.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "plugins/cloudflare/cloudflare.h"

#define SIGNATURES_MAX 8
#define SHORT_LIFE_DAYS 42

/* States of a pack beside "active", by how they begin. backup_issued is a spare that is not served. */
static const struct {
    const char *begins;
    enum belfry_state state;
    bool counts; /* a pack that is or should be served */
} states[] = {
    { "active", BELFRY_OK, true },
    { "expired", BELFRY_CRITICAL, true },
    { "backup_issued", BELFRY_OK, false },
    { "staging_", BELFRY_OK, false },
    { "deleted", BELFRY_OK, false },
    { "pending_deletion", BELFRY_OK, false },
    { "pending_cleanup", BELFRY_OK, false },
    { "deletion_timed_out", BELFRY_WARNING, true },
    { "pending_expiration", BELFRY_WARNING, true },
    { "initializing_timed_out", BELFRY_CRITICAL, true },
    { "validation_timed_out", BELFRY_CRITICAL, true },
    { "issuance_timed_out", BELFRY_CRITICAL, true },
    { "deployment_timed_out", BELFRY_CRITICAL, true },
    { "initializing", BELFRY_WARNING, true },
    { "pending_", BELFRY_WARNING, true },
    { "holding_deployment", BELFRY_WARNING, true },
    { "deactivating", BELFRY_WARNING, true },
    { "inactive", BELFRY_WARNING, true },
};

static size_t find_state(const char *status)
{
    size_t i = 0;
    while (i < sizeof states / sizeof states[0] && strncmp(status, states[i].begins, strlen(states[i].begins)) != 0)
        i++;
    return i;
}

static bool is_active(const json_t *pack)
{
    const char *status = json_string_value(tree_at(pack, "status"));
    return status && strcmp(status, "active") == 0;
}

/* The newest end of each signature. */
struct ends {
    const char *signature[SIGNATURES_MAX];
    int64_t at[SIGNATURES_MAX];
    size_t count;
};

static void add_end(struct ends *e, const char *signature, int64_t at)
{
    size_t i = 0;
    while (i < e->count && strcmp(e->signature[i], signature) != 0)
        i++;
    if (i == SIGNATURES_MAX)
        return;
    e->count += i == e->count;
    e->signature[i] = signature;
    e->at[i] = at > e->at[i] ? at : e->at[i];
}

/* When the pack ends, or 0: not told. */
static int64_t find_end(struct cf *c, const json_t *pack, const char **signature)
{
    struct ends e = { .count = 0 };
    int64_t first = 0;
    for (size_t i = 0; i < tree_count(pack, "certificates"); i++) {
        const json_t *certificate = tree_item(pack, "certificates", i);
        if (strcmp(tree_text(c->p, certificate, "status", ""), "backup_issued") != 0)
            add_end(&e, tree_text(c->p, certificate, "signature", ""), tree_time(certificate, "expires_on"));
    }
    for (size_t i = 0; i < e.count; i++)
        if (first == 0 || (e.at[i] > 0 && e.at[i] < first)) {
            first = e.at[i];
            *signature = e.signature[i];
        }
    return first;
}

static void measure(struct cf *c, const char *part, double days, double life_days)
{
    if (life_days > 0 && life_days < SHORT_LIFE_DAYS)
        belfry_measure_part(c->p, part, "cert_life_left", fmax(0, fmin(100, 100 * days / life_days)));
    else
        belfry_measure_part(c->p, part, "cert_days_left", days);
}

static void judge_pack(struct cf *c, const struct cf_zone *z, const json_t *pack)
{
    struct cf_finding f = { .state = BELFRY_OK };
    const char *type = cf_words(c, tree_text(c->p, pack, "type", "unknown")), *signature = "";
    const char *host = cf_words(c, tree_text(c->p, pack, "hosts.0", "?"));
    const char *status = tree_text(c->p, pack, "status", ""),
               *error = tree_text(c->p, pack, "validation_errors.0.message", NULL);
    const char *part = belfry_print(c->p, "%s/certificate %s %s", z->name, type, host);
    size_t state = find_state(status);
    bool known = state < sizeof states / sizeof states[0];
    if (known && !states[state].counts)
        return;
    int64_t end = find_end(c, pack, &signature);
    double days = (double)(end - c->now) / 86400;
    cf_find(c, &f, known ? states[state].state : BELFRY_UNKNOWN, "%s",
            *status ? cf_words(c, status) : "no status told");
    if (end > 0 && days <= 0)
        cf_find(c, &f, BELFRY_CRITICAL, "its certificate %sexpired %s ago",
                *signature ? belfry_print(c->p, "(%s) ", cf_words(c, signature)) : "", belfry_ago(c->p, end));
    else if (end > 0)
        cf_find(c, &f, BELFRY_OK, "%.0f day%s left", days, nearbyint(days) == 1 ? "" : "s");
    else if (is_active(pack))
        cf_find(c, &f, BELFRY_UNKNOWN, "the API does not tell when its certificate ends");
    if (error)
        cf_find(c, &f, BELFRY_WARNING, "validation: %s", cf_words(c, error));
    if (end > 0)
        measure(c, part, days, tree_number(pack, "validity_days"));
    cf_tell(c, part, &f);
}

/* No pack serves: then the zone may still have universal certificates switched off, which says why. */
static void judge_none(struct cf *c, const struct cf_zone *z)
{
    struct cf_call call = { .path = belfry_print(c->p, "/zones/%s/ssl/universal/settings", z->id),
                            .right = "SSL and Certificates Read" };
    cf_ask(c, &call, 1);
    const char *why = "";
    if (call.refusal.kind == CF_FINE && json_is_false(tree_at(call.result, "enabled")))
        why = ": universal certificates are switched off, and there is no other";
    cf_part(c, belfry_print(c->p, "%s/certificates", z->name), BELFRY_CRITICAL, "no certificate pack is active%s", why);
    cf_done(&call, 1);
}

void cf_packs_judge(struct cf *c, struct cf_zone *z, const struct cf_call *call)
{
    const char *part = belfry_print(c->p, "%s/certificates", z->name);
    size_t active = 0;
    if (call->refusal.kind != CF_FINE) {
        cf_missed_below(c, part, belfry_print(c->p, "%s/certificate ", z->name), call->right, &call->refusal);
        return;
    }
    if (!json_is_array(call->result)) {
        cf_part(c, part, BELFRY_UNKNOWN, "GET %.100s answered without a list", call->path);
        return;
    }
    for (size_t i = 0; i < json_array_size(call->result); i++) {
        const json_t *pack = json_array_get(call->result, i);
        judge_pack(c, z, pack);
        active += is_active(pack);
    }
    if (active == 0)
        judge_none(c, z);
    else
        cf_part(c, part, BELFRY_OK, "%zu active", active);
    if (tree_integer(call->tree, "result_info.total_pages", 1) > 1)
        cf_trouble(c, BELFRY_UNKNOWN, "%s has more certificate packs than one page", z->name);
}

/* A wildcard stands for one label. */
static bool covers(const char *pattern, const char *host)
{
    if (strncmp(pattern, "*.", 2) != 0)
        return cf_same_name(pattern, host);
    const char *dot = strchr(host, '.');
    return dot && dot != host && cf_same_name(pattern + 2, dot + 1);
}

bool cf_packs_cover(const struct cf_zone *z, const char *host)
{
    for (size_t i = 0; i < json_array_size(z->packs.result); i++) {
        const json_t *pack = json_array_get(z->packs.result, i);
        for (size_t k = 0; is_active(pack) && k < tree_count(pack, "hosts"); k++) {
            const char *pattern = json_string_value(tree_item(pack, "hosts", k));
            if (pattern && covers(pattern, host))
                return true;
        }
    }
    return false;
}
