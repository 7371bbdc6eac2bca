/* SPDX-License-Identifier: GPL-3.0-or-later */
/* access - Zero Trust: does an Access application stand before each route that should have one, does it let everybody
 * in, and when do service tokens end.
 *
 * Of the applications whose destination covers a route (host, or a wildcard for one label; path at a border) the
 * longest one decides. */
#include <string.h>
#include <strings.h>

#include "plugins/cloudflare/cloudflare.h"

#define APPS_RIGHT "Access: Apps and Policies Read"
#define TOKENS_RIGHT "Access: Service Tokens Read"

static const char *const kinds[] = { "self_hosted", "ssh", "vnc", "rdp" }; /* those that stand before a route */

static bool stands_before(struct cf *c, const json_t *app)
{
    const char *type = tree_text(c->p, app, "type", "");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i], type) == 0)
            return true;
    return false;
}

/* Destination number i: the newer list, the older list, then the one domain. NULL past the end. */
static const char *destination(const json_t *app, size_t i)
{
    size_t newer = tree_count(app, "destinations"), older = tree_count(app, "self_hosted_domains");
    if (i < newer) {
        const json_t *at = tree_item(app, "destinations", i);
        const char *type = json_string_value(tree_at(at, "type")), *uri = json_string_value(tree_at(at, "uri"));
        return uri && (!type || strcmp(type, "public") == 0) ? uri : "";
    }
    i -= newer;
    if (i < older) {
        const char *domain = json_string_value(tree_item(app, "self_hosted_domains", i));
        return domain ? domain : "";
    }
    return i == older && newer + older == 0 ? json_string_value(tree_at(app, "domain")) : NULL;
}

static bool same_host(const char *pattern, size_t length, const char *host, size_t host_length)
{
    if (length > 2 && strncmp(pattern, "*.", 2) == 0) {
        const char *dot = memchr(host, '.', host_length);
        size_t left = dot ? host_length - (size_t)(dot + 1 - host) : 0;
        return dot && left == length - 2 && strncasecmp(pattern + 2, dot + 1, left) == 0;
    }
    return length == host_length && strncasecmp(pattern, host, length) == 0;
}

/* How many bytes of the route a destination covers; 0: it does not. */
static size_t covers(const char *pattern, const char *route)
{
    size_t host = strcspn(pattern, "/"), route_host = strcspn(route, "/");
    const char *path = pattern + host, *route_path = route + route_host;
    size_t length = strlen(path);
    if (!same_host(pattern, host, route, route_host))
        return 0;
    while (length > 0 && (path[length - 1] == '*' || path[length - 1] == '/'))
        length--;
    if (strncmp(path, route_path, length) != 0 || (route_path[length] && route_path[length] != '/'))
        return 0;
    return host + length + 1;
}

/* ---- judging an application ------------------------------------------------------------------------------------ */

static bool is_for_everyone(const json_t *policy)
{
    for (size_t i = 0; i < tree_count(policy, "include"); i++)
        if (tree_at(tree_item(policy, "include", i), "everyone"))
            return true;
    return false;
}

static void judge_app(struct cf *c, const json_t *app, enum belfry_state open, struct cf_finding *f)
{
    const json_t *policies = tree_at(app, "policies");
    const char *name = cf_words(c, tree_text(c->p, app, "name", "without a name"));
    if (!json_is_array(policies)) {
        cf_find(c, f, BELFRY_UNKNOWN, "application '%s': its policies are not told", name);
        return;
    }
    if (json_array_size(policies) == 0)
        cf_find(c, f, BELFRY_WARNING, "application '%s' has no policy: nobody gets in", name);
    for (size_t i = 0; i < json_array_size(policies); i++) {
        const json_t *policy = json_array_get(policies, i);
        if (strcmp(tree_text(c->p, policy, "decision", ""), "bypass") == 0 && is_for_everyone(policy))
            cf_find(c, f, open, "application '%s' has a bypass for everyone: nobody is asked", name);
    }
    if (!f->text)
        cf_find(c, f, BELFRY_OK, "application '%s', policies: %zu", name, json_array_size(policies));
}

static void judge_route(struct cf *c, struct cf_list *apps, const char *route)
{
    struct cf_finding f = { .state = BELFRY_OK };
    const json_t *app, *best = NULL;
    const char *pattern;
    size_t longest = 0;
    while ((app = cf_list_next(apps)))
        for (size_t i = 0; stands_before(c, app) && (pattern = destination(app, i)); i++)
            if (*pattern && covers(pattern, route) > longest) {
                longest = covers(pattern, route);
                best = app;
            }
    if (best)
        judge_app(c, best, BELFRY_CRITICAL, &f);
    else
        cf_find(c, &f, BELFRY_CRITICAL, "no Access application stands before it");
    cf_tell(c, belfry_print(c->p, "access/%s", route), &f);
}

void cf_access_look(struct cf *c)
{
    struct cf_list *apps = belfry_alloc(c->p, sizeof *apps);
    const json_t *app;
    if (!c->account && belfry_has(c->p, "access"))
        cf_trouble(c, BELFRY_UNKNOWN, "routes need Access, but 'account' is not given");
    if (!c->account || cf_skipped(c, "access"))
        return;
    if (!cf_list_read(c, apps,
                      belfry_print(c->p, "/accounts/%s/access/apps?per_page=100&", web_escape(c->p, c->account)),
                      APPS_RIGHT)) {
        cf_missed_below(c, "access", "access/", APPS_RIGHT, &apps->refusal);
        cf_list_done(apps);
        return;
    }
    while ((app = cf_list_next(apps))) {
        const char *first = destination(app, 0);
        struct cf_finding f = { .state = BELFRY_OK };
        if (!stands_before(c, app) || (first && cf_listed(c, "access", first)))
            continue;
        judge_app(c, app, BELFRY_WARNING, &f);
        cf_tell(
            c,
            belfry_print(c->p, "access/%s", cf_words(c, first && *first ? first : tree_text(c->p, app, "name", "?"))),
            &f);
        c->apps_seen++;
    }
    for (size_t i = 0; i < belfry_count(c->p, "access"); i++)
        judge_route(c, apps, belfry_item(c->p, "access", i));
    c->apps_seen += belfry_count(c->p, "access");
    cf_list_done(apps);
}

/* ---- service tokens -------------------------------------------------------------------------------------------- */

void cf_service_tokens_look(struct cf *c)
{
    struct cf_list *list = belfry_alloc(c->p, sizeof *list);
    const json_t *item;
    if (!c->account || cf_skipped(c, "service_tokens"))
        return;
    bool complete = cf_list_read(
        c, list, belfry_print(c->p, "/accounts/%s/access/service_tokens?per_page=100&", web_escape(c->p, c->account)),
        TOKENS_RIGHT);
    while (complete && (item = cf_list_next(list))) {
        const char *part = belfry_print(c->p, "service_token/%s", cf_words(c, tree_text(c->p, item, "name", "?")));
        int64_t end = tree_time(item, "expires_at");
        if (json_is_false(tree_at(item, "enabled"))) {
            cf_part(c, part, BELFRY_OK, "switched off");
        } else if (end > 0) {
            belfry_measure_part(c->p, part, "service_token_days_left", (double)(end - c->now) / 86400);
            cf_part(c, part, end <= c->now ? BELFRY_CRITICAL : BELFRY_OK, end <= c->now ? "expired %s ago" : "%s left",
                    end <= c->now ? belfry_ago(c->p, end) : cf_days(c, end));
        } else {
            bool told = tree_at(item, "expires_at") && !json_is_null(tree_at(item, "expires_at"));
            cf_part(c, part, told ? BELFRY_UNKNOWN : BELFRY_OK, told ? "when it ends can't be read" : "without an end");
        }
    }
    if (!complete)
        cf_missed_below(c, "service_tokens", "service_token/", TOKENS_RIGHT, &list->refusal);
    cf_list_done(list);
}
