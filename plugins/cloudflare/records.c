/* SPDX-License-Identifier: GPL-3.0-or-later */
/* records - are the protected names really proxied, and does another record give the origin away.
 *
 * A name is protected when all of its A, AAAA and CNAME records are proxied, in an active zone that is not paused. An
 * origin (the content of a proxied A or AAAA) is exposed when a record that is not proxied says it, too: an A or AAAA,
 * an MX by its target, an SPF or other TXT by ip4: or ip6:. Nothing is judged by half a list. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/cloudflare/cloudflare.h"

#define EXPOSED_MAX 50
#define ORIGINS_MAX 16
#define TUNNEL_END ".cfargotunnel.com"

struct record {
    const char *type, *name, *content;
    bool proxied, proxied_known, proxiable;
};

struct records {
    struct cf *c;
    struct cf_zone *z;
    struct record *all;
    size_t count;
    const char **origins; /* sorted */
    size_t origin_count;
};

static bool is_type(const struct record *r, const char *type)
{
    return strcasecmp(r->type, type) == 0;
}

static bool is_address(const struct record *r)
{
    return is_type(r, "A") || is_type(r, "AAAA");
}

static bool leads(const struct record *r)
{
    return is_address(r) || is_type(r, "CNAME");
}

bool cf_in_zone(const char *host, const char *zone)
{
    size_t h = strlen(host), n = strlen(zone);
    h -= h > 0 && host[h - 1] == '.';
    return h >= n && strncasecmp(host + h - n, zone, n) == 0 && (h == n || host[h - n - 1] == '.');
}

bool cf_is_of_zone(struct cf *c, const struct cf_zone *z, const char *host)
{
    for (size_t i = 0; i < c->zone_count; i++)
        if (strlen(c->zones[i].name) > strlen(z->name) && cf_in_zone(host, c->zones[i].name))
            return false;
    return cf_in_zone(host, z->name);
}

/* ---- protected names ------------------------------------------------------------------------------------------- */

static bool has_name(const struct records *rs, const char *name)
{
    for (size_t i = 0; i < rs->count; i++)
        if (leads(&rs->all[i]) && cf_same_name(rs->all[i].name, name))
            return true;
    return false;
}

/* The name whose records answer for a host: its own, or the nearest wildcard's; NULL. */
static const char *answering(const struct records *rs, const char *host)
{
    if (has_name(rs, host))
        return host;
    for (const char *dot = strchr(host, '.'); dot && cf_in_zone(dot + 1, rs->z->name); dot = strchr(dot + 1, '.')) {
        const char *wild = belfry_print(rs->c->p, "*%s", dot);
        if (has_name(rs, wild))
            return wild;
    }
    return NULL;
}

static bool points_to(const char *content, const char *id)
{
    size_t length = strlen(id);
    return *id && strncasecmp(content, id, length) == 0 &&
           strncasecmp(content + length, TUNNEL_END, strlen(TUNNEL_END)) == 0;
}

/* A name that leads to a tunnel: the tunnel must be there. Its own health is a part of its own. */
static void judge_tunnel(struct cf *c, const struct record *r, struct cf_finding *f)
{
    const json_t *tunnel;
    bool found = false;
    if (!strcasestr(r->content, TUNNEL_END) || !c->tunnels_known)
        return;
    while ((tunnel = cf_list_next(&c->tunnels)))
        found =
            found || (points_to(r->content, tree_text(c->p, tunnel, "id", "")) && tree_time(tunnel, "deleted_at") == 0);
    if (!found)
        cf_find(c, f, BELFRY_CRITICAL, "it leads to a tunnel that the account does not have: %s",
                cf_words(c, r->content));
}

static void judge_record(struct records *rs, const struct record *r, size_t proxied, struct cf_finding *f)
{
    struct cf *c = rs->c;
    if (!r->proxied_known)
        cf_find(c, f, BELFRY_UNKNOWN, "the API does not tell whether its %s is proxied", r->type);
    else if (!r->proxied && !r->proxiable)
        cf_find(c, f, BELFRY_OK, "its %s %s can't be proxied", r->type, cf_words(c, r->content));
    else if (!r->proxied)
        cf_find(c, f, BELFRY_CRITICAL, "not proxied: its %s %s is open to everybody%s", r->type,
                cf_words(c, r->content), proxied ? ", beside others that are proxied" : "");
    else
        judge_tunnel(c, r, f);
}

/* Where a name really comes from. CNAMEs are probed by their target, except those of tunnels, which have no door. */
static size_t list_origins(const struct records *rs, const char *name, const char **addresses)
{
    size_t n = 0;
    for (size_t i = 0; i < belfry_count(rs->c->p, "origin") && n < ORIGINS_MAX; i++)
        addresses[n++] = belfry_item(rs->c->p, "origin", i);
    for (size_t i = 0; i < rs->count && n < ORIGINS_MAX; i++) {
        const struct record *r = &rs->all[i];
        if (leads(r) && r->proxied && cf_same_name(r->name, name) && !strcasestr(r->content, TUNNEL_END))
            addresses[n++] = r->content;
    }
    return n;
}

static void judge_host(struct records *rs, const char *host)
{
    struct cf *c = rs->c;
    struct cf_finding f = { .state = BELFRY_OK };
    const char *name = answering(rs, host), *addresses[ORIGINS_MAX];
    size_t proxied = 0, matching = 0;
    for (size_t i = 0; name && i < rs->count; i++)
        if (leads(&rs->all[i]) && cf_same_name(rs->all[i].name, name))
            matching++, proxied += rs->all[i].proxied;
    for (size_t i = 0; name && i < rs->count; i++)
        if (leads(&rs->all[i]) && cf_same_name(rs->all[i].name, name))
            judge_record(rs, &rs->all[i], proxied, &f);
    if (!name)
        cf_find(c, &f, BELFRY_UNKNOWN, "the zone has no A, AAAA or CNAME for it (a load balancer, or mistyped?)");
    else if (matching == proxied)
        cf_find(c, &f, BELFRY_OK, "proxied%s", name == host ? "" : belfry_print(c->p, " by %s", name));
    if (rs->z->paused)
        cf_find(c, &f, BELFRY_CRITICAL, "the zone is paused: the name answers with the origin itself");
    if (strcmp(rs->z->status, "active") != 0)
        cf_find(c, &f, BELFRY_CRITICAL, "the zone is '%s', not active", rs->z->status);
    if (rs->z->packs_known && !cf_packs_cover(rs->z, host))
        cf_find(c, &f, BELFRY_CRITICAL, "no edge certificate is for this name (a wildcard is for one label only)");
    if (belfry_flag(c->p, "outside"))
        cf_outside_judge(c, host, &f);
    cf_tell(c, host, &f);
    c->hosts++;
    if (belfry_flag(c->p, "origin_probe"))
        cf_origin_plan(c, host, addresses, list_origins(rs, name ? name : host, addresses));
}

/* ---- what gives the origin away -------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

/* The addresses of all proxied names, sorted. */
static void collect_origins(struct records *rs)
{
    rs->origins = belfry_alloc(rs->c->p, (rs->count + 1) * sizeof *rs->origins);
    for (size_t i = 0; i < rs->count; i++)
        if (is_address(&rs->all[i]) && rs->all[i].proxied)
            rs->origins[rs->origin_count++] = rs->all[i].content;
    qsort(rs->origins, rs->origin_count, sizeof *rs->origins, compare_texts);
}

static bool is_origin(const struct records *rs, const char *address)
{
    return bsearch(&address, rs->origins, rs->origin_count, sizeof *rs->origins, compare_texts) != NULL;
}

static const char *address_of(const struct records *rs, const char *name)
{
    for (size_t i = 0; i < rs->count; i++)
        if (is_address(&rs->all[i]) && cf_same_name(rs->all[i].name, name) && is_origin(rs, rs->all[i].content))
            return rs->all[i].content;
    return NULL;
}

/* The origin that a text names by ip4: or ip6:, as SPF does; NULL. */
static const char *named_origin(const char *text, const struct records *rs)
{
    char address[64];
    for (const char *at = strcasestr(text, "ip"); at; at = strcasestr(at + 1, "ip")) {
        if ((at[2] != '4' && at[2] != '6') || at[3] != ':')
            continue;
        size_t length = strspn(at + 4, "0123456789abcdefABCDEF.:");
        if (length == 0 || length >= sizeof address)
            continue;
        memcpy(address, at + 4, length);
        address[length] = '\0';
        if (is_origin(rs, address))
            return belfry_print(rs->c->p, "%s", address);
    }
    return NULL;
}

static const char *why_exposed(const struct records *rs, const struct record *r)
{
    struct cf *c = rs->c;
    const char *origin = NULL;
    if (is_address(r) && !r->proxied && r->proxied_known && is_origin(rs, r->content))
        return belfry_print(c->p, "%s %s is not proxied and is the address of a proxied name", r->type,
                            cf_words(c, r->content));
    if (is_type(r, "MX") && (origin = address_of(rs, r->content)))
        return belfry_print(c->p, "MX leads to %s, which is the address of a proxied name", cf_words(c, origin));
    if ((is_type(r, "TXT") || is_type(r, "SPF")) && (origin = named_origin(r->content, rs)))
        return belfry_print(c->p, "%s names %s, which is the address of a proxied name", r->type, cf_words(c, origin));
    if (leads(r) && r->name[0] == '*' && !r->proxied && r->proxied_known && r->proxiable)
        return belfry_print(c->p, "the wildcard's %s %s is not proxied", r->type, cf_words(c, r->content));
    return NULL;
}

/* A name of which some addresses are proxied and some not, whether it is listed as protected or not. */
static const char *why_half(const struct records *rs, const struct record *r)
{
    if (!leads(r) || r->proxied || !r->proxied_known || !r->proxiable || cf_listed(rs->c, "protect", r->name))
        return NULL;
    for (size_t i = 0; i < rs->count; i++)
        if (leads(&rs->all[i]) && rs->all[i].proxied && cf_same_name(rs->all[i].name, r->name))
            return belfry_print(rs->c->p, "%s %s is not proxied, beside its %s that is", r->type,
                                cf_words(rs->c, r->content), rs->all[i].type);
    return NULL;
}

static void judge_exposure(struct records *rs)
{
    struct cf *c = rs->c;
    size_t exposed = 0;
    collect_origins(rs);
    for (size_t i = 0; i < rs->count; i++) {
        const struct record *r = &rs->all[i];
        const char *why = cf_listed(c, "exposed", r->name) ? NULL : why_exposed(rs, r);
        why = why || cf_listed(c, "exposed", r->name) ? why : why_half(rs, r);
        if (why && exposed++ < EXPOSED_MAX)
            cf_part(c, belfry_print(c->p, "%s/exposed %s %s", rs->z->name, cf_words(c, r->name), r->type),
                    BELFRY_WARNING, "%s", why);
    }
    if (exposed > EXPOSED_MAX)
        cf_trouble(c, BELFRY_WARNING, "%s: %zu more records give an origin away", rs->z->name, exposed - EXPOSED_MAX);
    cf_part(c, belfry_print(c->p, "%s/records", rs->z->name), BELFRY_OK,
            exposed ? "records: %zu, of which %zu give an origin away" : "records: %zu, none gives an origin away",
            rs->count, exposed);
}

/* ---- the list -------------------------------------------------------------------------------------------------- */

/* The texts live in the list's trees. */
static struct record read_record(const json_t *item)
{
    static const char *const names[] = { "type", "name", "content" };
    const char *texts[3];
    for (size_t i = 0; i < 3; i++) {
        const char *text = json_string_value(tree_at(item, names[i]));
        texts[i] = text ? text : "";
    }
    return (struct record){ .type = texts[0],
                            .name = texts[1],
                            .content = texts[2],
                            .proxied = tree_flag(item, "proxied", false),
                            .proxied_known = json_is_boolean(tree_at(item, "proxied")),
                            .proxiable = tree_flag(item, "proxiable", true) };
}

static void judge_all(struct records *rs, const struct cf_list *list, bool complete)
{
    struct cf *c = rs->c;
    for (size_t i = 0; i < c->protect_count; i++) {
        const char *host = c->protect[i];
        if (c->host_seen[i] || !cf_is_of_zone(c, rs->z, host))
            continue;
        c->host_seen[i] = true;
        if (complete)
            judge_host(rs, host);
        else
            cf_missed_as(c, host, "DNS Read", &list->refusal);
    }
    if (complete)
        judge_exposure(rs);
    else
        cf_missed_below(c, belfry_print(c->p, "%s/records", rs->z->name),
                        belfry_print(c->p, "%s/exposed ", rs->z->name), "DNS Read", &list->refusal);
}

void cf_records_look(struct cf *c, struct cf_zone *z)
{
    struct cf_list *list = belfry_alloc(c->p, sizeof *list);
    struct records rs = { .c = c, .z = z };
    const json_t *item;
    size_t room = 0;
    bool complete =
        cf_list_read(c, list, belfry_print(c->p, "/zones/%s/dns_records?per_page=1000&", z->id), "DNS Read");
    for (size_t i = 0; i < list->count; i++)
        room += json_array_size(list->pages[i].result);
    rs.all = belfry_alloc(c->p, (room + 1) * sizeof *rs.all);
    while (rs.count < room && (item = cf_list_next(list)))
        rs.all[rs.count++] = read_record(item);
    judge_all(&rs, list, complete);
    cf_list_done(list);
}
