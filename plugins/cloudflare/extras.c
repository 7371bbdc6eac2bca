/* SPDX-License-Identifier: GPL-3.0-or-later */
/* extras - what is asked on request only: shares of errors at the edge (GraphQL, with a limit of its own), and until
 * when a domain is registered, where that is with Cloudflare. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "plugins/cloudflare/cloudflare.h"

#define LAG_S 60          /* what the last minute was is not told yet */
#define REQUESTS_LEAST 50 /* of fewer, a share means nothing */

static const char *iso(struct cf *c, int64_t when)
{
    time_t t = (time_t)when;
    struct tm parts;
    char text[32];
    if (!gmtime_r(&t, &parts) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return "";
    return belfry_print(c->p, "%s", text);
}

static const char *groups(struct cf *c, const char *name, int64_t seconds)
{
    int64_t end = c->now - LAG_S;
    return belfry_print(
        c->p,
        "%s: httpRequestsAdaptiveGroups(limit: 500, filter: {datetime_geq: \"%s\", datetime_lt: \"%s\", "
        "requestSource: \"eyeball\"}) { count dimensions { edgeResponseStatus } }",
        name, iso(c, end - seconds), iso(c, end));
}

/* The share of statuses from..from+99 in percent, NaN when there were too few requests; false when it is not told. */
static bool read_share(const json_t *list, int64_t from, double *share, double *all)
{
    double some = 0;
    *all = 0;
    if (!json_is_array(list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *group = json_array_get(list, i);
        int64_t status = tree_integer(group, "dimensions.edgeResponseStatus", -1);
        double count = tree_number(group, "count");
        if (status < 0 || isnan(count) || count < 0)
            return false;
        *all += count;
        some += status >= from && status < from + 100 ? count : 0;
    }
    *share = *all >= REQUESTS_LEAST ? 100 * some / *all : (double)NAN;
    return true;
}

static void judge_traffic(struct cf *c, const char *part, const json_t *zone)
{
    double errors_5xx, errors_4xx, requests, few;
    if (!read_share(tree_at(zone, "fifteen"), 400, &errors_4xx, &requests) ||
        !read_share(tree_at(zone, "five"), 500, &errors_5xx, &few)) {
        cf_part(c, part, BELFRY_UNKNOWN, "POST /graphql does not tell the zone's requests");
        return;
    }
    belfry_measure_part(c->p, part, "requests", requests);
    if (!isnan(errors_5xx))
        belfry_measure_part(c->p, part, "errors_5xx", errors_5xx);
    if (!isnan(errors_4xx))
        belfry_measure_part(c->p, part, "errors_4xx", errors_4xx);
    cf_part(c, part, BELFRY_OK, "%.0f requests in 15 min%s", requests,
            isnan(errors_5xx) || isnan(errors_4xx) ? ", too few for a share of errors" : "");
}

void cf_traffic_look(struct cf *c, const struct cf_zone *z)
{
    const char *part = belfry_print(c->p, "%s/traffic", z->name), *right = "Analytics Read";
    struct cf_refusal refusal;
    const char *query = belfry_print(c->p, "{ viewer { zones(filter: {zoneTag: \"%s\"}) { %s %s } } }", z->id,
                                     groups(c, "five", 300), groups(c, "fifteen", 900));
    json_t *tree = cf_graphql(c, query, right, &refusal);
    if (!tree)
        cf_missed_as(c, part, right, &refusal);
    else
        judge_traffic(c, part, tree_at(tree, "data.viewer.zones.0"));
    json_decref(tree);
}

/* ---- registration ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *status;
    enum belfry_state state;
} states[] = {
    { "active", BELFRY_OK },          { "registration_pending", BELFRY_WARNING }, { "expired", BELFRY_CRITICAL },
    { "suspended", BELFRY_CRITICAL }, { "redemption_period", BELFRY_CRITICAL },   { "pending_delete", BELFRY_CRITICAL },
};

static void judge_registration(struct cf *c, const char *part, const json_t *result)
{
    struct cf_finding f = { .state = BELFRY_OK };
    const char *status = tree_text(c->p, result, "status", "");
    int64_t end = tree_time(result, "expires_at");
    size_t i = 0, count = sizeof states / sizeof states[0];
    while (i < count && strcmp(states[i].status, status) != 0)
        i++;
    cf_find(c, &f, i < count ? states[i].state : BELFRY_UNKNOWN, "%s",
            *status ? cf_words(c, status) : "no status told");
    if (end > 0) {
        belfry_measure_part(c->p, part, "domain_days_left", (double)(end - c->now) / 86400);
        cf_find(c, &f, end > c->now ? BELFRY_OK : BELFRY_CRITICAL, "%s left", cf_days(c, end));
    } else {
        cf_find(c, &f, BELFRY_UNKNOWN, "the API does not tell when it ends");
    }
    if (json_is_false(tree_at(result, "auto_renew")))
        cf_find(c, &f, BELFRY_OK, "is not renewed by itself");
    cf_tell(c, part, &f);
}

void cf_registration_look(struct cf *c, const struct cf_zone *z)
{
    const char *part = belfry_print(c->p, "%s/registration", z->name), *account = c->account ? c->account : z->account;
    struct cf_call call = { .right = "Registrar: Domains Read" };
    if (!account) {
        cf_part(c, part, BELFRY_UNKNOWN, "the zone's account is not told: write it into 'account'");
        return;
    }
    call.path = belfry_print(c->p, "/accounts/%s/registrar/registrations/%s", web_escape(c->p, account),
                             web_escape(c->p, z->name));
    cf_ask(c, &call, 1);
    if (call.refusal.kind == CF_FINE)
        judge_registration(c, part, call.result);
    else if (call.refusal.status == 404 && call.refusal.code != 7003)
        cf_part(c, part, BELFRY_OK, "not registered with Cloudflare: its end can't be seen here");
    else
        cf_missed(c, part, &call);
    cf_done(&call, 1);
}
