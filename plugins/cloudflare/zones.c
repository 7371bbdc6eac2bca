/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zones - which zones there are, and everything that is a property of one: status, settings, DNSSEC. The looks of a
 * zone are one table: path, permission, and who judges. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/cloudflare/cloudflare.h"
#include "plugins/common/say.h"

#define DEVELOPMENT_S 10800 /* it ends by itself */
#define WANTS_MAX 32

/* ---- settings -------------------------------------------------------------------------------------------------- */

/* What a value of a setting means; one that is not in the table is fine. */
static const struct {
    const char *id, *value;
    enum belfry_state state;
    const char *text;
} meanings[] = {
    { "ssl", "off", BELFRY_CRITICAL, "no HTTPS at all" },
    { "ssl", "flexible", BELFRY_CRITICAL, "Cloudflare speaks to the origin without encryption" },
    { "ssl", "full", BELFRY_WARNING, "the origin's certificate is not verified" },
    { "always_use_https", "off", BELFRY_WARNING, "plain HTTP is served, too" },
    { "min_tls_version", "1.0", BELFRY_WARNING, "TLS 1.0 is taken; 1.2 is the least" },
    { "min_tls_version", "1.1", BELFRY_WARNING, "TLS 1.1 is taken; 1.2 is the least" },
    { "tls_1_3", "off", BELFRY_OK, "TLS 1.3 is off" },
    { "security_level", "off", BELFRY_WARNING, "no visitor is challenged" },
    { "security_level", "essentially_off", BELFRY_WARNING, "hardly a visitor is challenged" },
    { "security_level", "under_attack", BELFRY_OK, "every visitor is challenged" },
};

static const char *const settings[] = { "ssl", "always_use_https", "min_tls_version", "tls_1_3", "security_level" };
#define SETTINGS (sizeof settings / sizeof settings[0])

/* A wanted value: "ssl=full", "security_header.strict_transport_security.enabled=true". */
struct want {
    const char *id, *path, *value;
};

static struct want split_want(struct cf *c, const char *text)
{
    size_t name = strcspn(text, "="), id = strcspn(text, ".=");
    return (struct want){ say_copy(c->p, text, id), text[id] == '.' ? say_copy(c->p, text + id + 1, name - id - 1) : "",
                          text[name] ? text + name + 1 : "" };
}

static const char *value_text(struct cf *c, const json_t *value, const char *path)
{
    const json_t *at = tree_at(value, path);
    if (json_is_boolean(at))
        return json_is_true(at) ? "true" : "false";
    return tree_text(c->p, at, "", NULL);
}

static void judge_value(struct cf *c, const char *id, const char *value, struct cf_finding *f)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(meanings[i].id, id) == 0 && strcmp(meanings[i].value, value) == 0) {
            cf_find(c, f, meanings[i].state, "%s: %s", value, meanings[i].text);
            return;
        }
    cf_find(c, f, BELFRY_OK, "%s", cf_words(c, value));
}

/* The event of a change, and how long ago it was. */
static void judge_change(struct cf *c, const char *part, const char *value, int64_t modified, struct cf_finding *f)
{
    struct cf_note *before = cf_note_find(c, NOTE_SETTING, part);
    if (before && strcmp(before->text, cf_words(c, value)) != 0)
        belfry_event(c->p, "setting.changed", part, "'%s', before it was '%s'%s", cf_words(c, value), before->text,
                     modified > 0 ? belfry_print(c->p, "; changed %s ago", belfry_ago(c->p, modified)) : "");
    cf_note_put(c, NOTE_SETTING, part, cf_words(c, value), true);
    if (modified > 0 && modified <= c->now && (double)(c->now - modified) < belfry_number(c->p, "recent"))
        f->text = belfry_print(c->p, "%s (changed %s ago)", f->text, belfry_ago(c->p, modified));
}

static void judge_setting(struct cf *c, const struct cf_zone *z, const struct cf_call *call, const struct want *want)
{
    const char *dot = *want->path ? "." : "",
               *part = belfry_print(c->p, "%s/%s%s%s", z->name, want->id, dot, want->path);
    struct cf_finding f = { .state = BELFRY_OK };
    if (call->refusal.kind != CF_FINE) {
        cf_note_hold(c, NOTE_SETTING, part);
        cf_missed(c, part, call);
        return;
    }
    const char *value = value_text(c, tree_at(call->result, "value"), want->path);
    if (!value) {
        cf_part(c, part, BELFRY_UNKNOWN, "GET %.100s tells no value", call->path);
        cf_note_hold(c, NOTE_SETTING, part);
        return;
    }
    if (!want->value)
        judge_value(c, want->id, value, &f);
    else if (strcmp(value, want->value) == 0)
        cf_find(c, &f, BELFRY_OK, "%s, as wanted", cf_words(c, value));
    else
        cf_find(c, &f, BELFRY_WARNING, "'%s', wanted is '%s'", cf_words(c, value), want->value);
    if (f.state != BELFRY_OK && json_is_false(tree_at(call->result, "editable")))
        f.text = belfry_print(c->p, "%s; the plan does not allow to change it", f.text);
    judge_change(c, part, value, tree_time(call->result, "modified_on"), &f);
    cf_tell(c, part, &f);
}

/* All settings that are looked at: those of the table unless skipped or wanted otherwise, then the wanted ones. */
static size_t list_settings(struct cf *c, struct want *wants)
{
    size_t n = 0;
    for (size_t i = 0; i < belfry_count(c->p, "want") && n < WANTS_MAX - SETTINGS; i++)
        wants[n++] = split_want(c, belfry_item(c->p, "want", i));
    size_t given = n;
    for (size_t i = 0; i < SETTINGS; i++) {
        bool wanted = false;
        for (size_t k = 0; k < given; k++)
            wanted = wanted || strcmp(wants[k].id, settings[i]) == 0;
        if (!wanted)
            wants[n++] = (struct want){ settings[i], "", NULL };
    }
    return n;
}

/* ---- the other looks ------------------------------------------------------------------------------------------- */

static void judge_dnssec(struct cf *c, const struct cf_zone *z, const struct cf_call *call)
{
    const char *part = belfry_print(c->p, "%s/dnssec", z->name), *status = tree_text(c->p, call->result, "status", "");
    if (call->refusal.kind != CF_FINE) {
        cf_note_hold(c, NOTE_PENDING, part);
        cf_missed(c, part, call);
    } else if (strcmp(status, "active") == 0) {
        cf_part(c, part, BELFRY_OK, "active");
    } else if (strcmp(status, "pending") == 0) {
        int64_t changed = tree_time(call->result, "modified_on");
        struct cf_note *n = cf_note_put(c, NOTE_PENDING, part, "", false);
        int64_t since = n && (changed <= 0 || changed > n->at) ? n->at : changed;
        belfry_measure_part(c->p, part, "dnssec_pending", since > 0 ? (double)(c->now - since) : (double)NAN);
        cf_part(c, part, BELFRY_OK, "pending: the DS record is not seen at the registrar yet");
    } else if (strcmp(status, "error") == 0) {
        cf_part(c, part, BELFRY_CRITICAL, "error: the zone's signatures are broken");
    } else if (strcmp(status, "disabled") == 0 || strcmp(status, "pending-disabled") == 0) {
        cf_part(c, part, BELFRY_WARNING, "%s: answers are not signed", status);
    } else {
        cf_part(c, part, BELFRY_UNKNOWN, "status '%s' is not known", cf_words(c, status));
    }
}

/* The looks of every zone beside its settings, asked in one go with them. */
enum look {
    LOOK_DNSSEC,
    LOOK_PACKS,
    LOOK_MANAGED,
    LOOK_CUSTOM,
    LOOK_CONFIG,
    LOOKS
};
static const struct {
    const char *skip, *path, *right;
} looks[LOOKS] = {
    [LOOK_DNSSEC] = { "dnssec", "dnssec", "DNS Read" },
    [LOOK_PACKS] = { "certificates", "ssl/certificate_packs?status=all&per_page=50", "SSL and Certificates Read" },
    [LOOK_MANAGED] = { "waf", "rulesets/phases/http_request_firewall_managed/entrypoint", "Zone WAF Read" },
    [LOOK_CUSTOM] = { "waf", "rulesets/phases/http_request_firewall_custom/entrypoint", "Zone WAF Read" },
    [LOOK_CONFIG] = { "config_rules", "rulesets/phases/http_config_settings/entrypoint", "Config Rules Read" },
};

static void judge_looks(struct cf *c, struct cf_zone *z, struct cf_call *calls)
{
    if (!cf_skipped(c, "dnssec"))
        judge_dnssec(c, z, &calls[LOOK_DNSSEC]);
    if (!cf_skipped(c, "certificates"))
        cf_packs_judge(c, z, &calls[LOOK_PACKS]);
    if (!cf_skipped(c, "waf"))
        cf_managed_judge(c, z, &calls[LOOK_MANAGED], &calls[LOOK_CUSTOM]);
    if (!cf_skipped(c, "config_rules"))
        cf_config_judge(c, z, &calls[LOOK_CONFIG]);
}

/* Those of the table that are not skipped are asked; the calls of the others stay empty. */
static void ask_looks(struct cf *c, struct cf_zone *z, struct cf_call *calls)
{
    struct cf_call asked[LOOKS];
    size_t at[LOOKS], n = 0;
    for (size_t i = 0; i < LOOKS; i++) {
        calls[i] = (struct cf_call){ .right = looks[i].right };
        if (cf_skipped(c, looks[i].skip))
            continue;
        calls[i].path = belfry_print(c->p, "/zones/%s/%s", z->id, looks[i].path);
        at[n] = i;
        asked[n++] = calls[i];
    }
    cf_ask(c, asked, n);
    for (size_t i = 0; i < n; i++)
        calls[at[i]] = asked[i];
}

static void look_at_settings(struct cf *c, const struct cf_zone *z)
{
    struct want wants[WANTS_MAX];
    struct cf_call calls[WANTS_MAX];
    size_t n = cf_skipped(c, "settings") ? 0 : list_settings(c, wants);
    for (size_t i = 0; i < n; i++)
        calls[i] =
            (struct cf_call){ .path = belfry_print(c->p, "/zones/%s/settings/%s", z->id, web_escape(c->p, wants[i].id)),
                              .right = "Zone Settings Read" };
    cf_ask(c, calls, n);
    for (size_t i = 0; i < n; i++)
        judge_setting(c, z, &calls[i], &wants[i]);
    cf_done(calls, n);
}

static void judge_zone(struct cf *c, const struct cf_zone *z)
{
    const char *part = belfry_print(c->p, "%s/zone", z->name); /* a protected name may be the zone's own */
    struct cf_finding f = { .state = BELFRY_OK };
    cf_find(c, &f, BELFRY_OK, "%s", *z->status ? z->status : "no status");
    if (strcmp(z->status, "active") != 0)
        cf_find(c, &f, *z->status ? BELFRY_CRITICAL : BELFRY_UNKNOWN, "%s",
                strcmp(z->status, "pending") == 0 ? "the name servers are not Cloudflare's yet"
                : strcmp(z->status, "moved") == 0 ? "the name servers are no longer Cloudflare's"
                : *z->status                      ? "the zone is not active"
                                                  : "the API does not tell its status");
    if (!z->paused_known)
        cf_find(c, &f, BELFRY_UNKNOWN, "the API does not tell whether it is paused");
    else if (z->paused)
        cf_find(c, &f, BELFRY_WARNING, "paused: Cloudflare only answers DNS, nothing is protected");
    if (z->development_left > 0) {
        struct cf_note *n = cf_note_put(c, NOTE_DEVELOP, z->name, "", false);
        double on = fmax(DEVELOPMENT_S - z->development_left, n ? (double)(c->now - n->at) : 0);
        belfry_measure_part(c->p, part, "development_mode", fmax(0, on));
        cf_find(c, &f, BELFRY_OK, "development mode, ends in %s", say_seconds(c->p, z->development_left));
    }
    cf_tell(c, part, &f);
}

static void look_at(struct cf *c, struct cf_zone *z)
{
    struct cf_call calls[LOOKS];
    judge_zone(c, z);
    look_at_settings(c, z);
    ask_looks(c, z, calls);
    judge_looks(c, z, calls);
    z->packs = calls[LOOK_PACKS];
    z->packs_known = z->packs.result && z->packs.refusal.kind == CF_FINE;
    if (!cf_skipped(c, "access_rules"))
        cf_allowlist_look(c, z);
    if (!cf_skipped(c, "records"))
        cf_records_look(c, z);
    cf_done(calls, LOOKS);
    z->packs_known = false;
    if (belfry_flag(c->p, "traffic"))
        cf_traffic_look(c, z);
    if (belfry_flag(c->p, "registration"))
        cf_registration_look(c, z);
}

/* ---- the list -------------------------------------------------------------------------------------------------- */

static bool is_id(const char *text)
{
    return strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32;
}

static void add_zone(struct cf *c, const json_t *item)
{
    const char *id = tree_text(c->p, item, "id", ""), *name = tree_text(c->p, item, "name", "");
    if (!is_id(id) || !*name) {
        cf_trouble(c, BELFRY_UNKNOWN, "the list of zones has one without id or name");
        return;
    }
    if (belfry_has(c->p, "zone") && !cf_listed(c, "zone", name) && !cf_listed(c, "zone", id))
        return;
    for (size_t i = 0; i < c->zone_count; i++)
        if (strcmp(c->zones[i].id, id) == 0)
            return;
    if (c->zone_count == CF_ZONES_MAX) {
        c->zones_known = false;
        return;
    }
    c->zones[c->zone_count++] = (struct cf_zone){ .id = id,
                                                  .name = cf_words(c, name),
                                                  .status = cf_words(c, tree_text(c->p, item, "status", "")),
                                                  .type = tree_text(c->p, item, "type", ""),
                                                  .account = tree_text(c->p, item, "account.id", NULL),
                                                  .paused = tree_flag(item, "paused", false),
                                                  .paused_known = json_is_boolean(tree_at(item, "paused")),
                                                  .development_left = tree_number(item, "development_mode") };
}

/* What was named and is not there. */
static void miss_zones(struct cf *c)
{
    for (size_t i = 0; i < belfry_count(c->p, "zone"); i++) {
        const char *want = belfry_item(c->p, "zone", i);
        bool found = false;
        for (size_t k = 0; k < c->zone_count; k++)
            found = found || cf_same_name(want, c->zones[k].name) || strcmp(want, c->zones[k].id) == 0;
        if (!found)
            cf_part(c, belfry_print(c->p, "%s/zone", cf_host_name(c, want)), BELFRY_UNKNOWN,
                    "the token sees no such zone: it is not there, or the token lacks 'Zone Read' for it");
    }
    if (c->zone_count == 0 && !belfry_has(c->p, "zone"))
        cf_trouble(c, BELFRY_UNKNOWN, "the token sees no zone: there is none, or it lacks 'Zone Read'");
}

void cf_zones_read(struct cf *c)
{
    const char *query = "", *first = belfry_item(c->p, "zone", 0);
    const json_t *item;
    struct cf_list *list = belfry_alloc(c->p, sizeof *list);
    if (c->account)
        query = belfry_print(c->p, "account.id=%s&", web_escape(c->p, c->account));
    if (belfry_count(c->p, "zone") == 1 && !is_id(first))
        query = belfry_print(c->p, "%sname=%s&", query, web_escape(c->p, cf_host_name(c, first)));
    c->zones = belfry_alloc(c->p, CF_ZONES_MAX * sizeof *c->zones);
    c->zones_known = cf_list_read(c, list, belfry_print(c->p, "/zones?%sper_page=50&", query), "Zone Read");
    while ((item = cf_list_next(list)))
        add_zone(c, item);
    c->zones_late = list->refusal.kind == CF_LATER;
    if (list->refusal.kind == CF_SCOPE)
        cf_trouble(c, BELFRY_UNKNOWN, "the token lacks the permission 'Zone Read': %s", list->refusal.text);
    else if (list->refusal.kind != CF_FINE)
        cf_trouble(c, BELFRY_UNKNOWN, "the zones are not known%s: %s", c->zone_count ? " completely" : "",
                   list->refusal.text);
    else if (!c->zones_known)
        cf_trouble(c, BELFRY_UNKNOWN, "more than %d zones: name some in 'zone', in several checks", CF_ZONES_MAX);
    else
        miss_zones(c);
    cf_list_done(list);
}

/* ---- zone by zone ---------------------------------------------------------------------------------------------- */

/* Calls that one zone takes, when no list has a second page. */
static int64_t calls_a_zone(struct cf *c)
{
    return (int64_t)(SETTINGS + LOOKS + belfry_count(c->p, "want")) + 2 + belfry_flag(c->p, "traffic") +
           belfry_flag(c->p, "registration");
}

/* A zone that is not this run's turn: what was seen of it and of its protected names stands for a while. */
static void put_off(struct cf *c, const struct cf_zone *z, const char *why)
{
    struct cf_refusal refusal = { CF_LATER, true, 0, 0, belfry_print(c->p, "not asked: %s", why) };
    const char *below = belfry_print(c->p, "%s/", z->name);
    cf_missed_below(c, belfry_print(c->p, "%szone", below), below, "", &refusal);
    for (size_t i = 0; i < c->protect_count; i++)
        if (!c->host_seen[i] && cf_is_of_zone(c, z, c->protect[i])) {
            c->host_seen[i] = true;
            cf_missed_as(c, c->protect[i], "", &refusal);
        }
}

/* With more zones than calls, each run goes on where the last one ended. */
void cf_zones_look(struct cf *c)
{
    const char *kept = belfry_kept(c->p, "next"), *next = NULL, *why = NULL;
    size_t first = 0;
    for (size_t i = 0; kept && i < c->zone_count; i++)
        first = strcmp(c->zones[i].id, kept) == 0 ? i : first;
    for (size_t i = 0; i < c->zone_count; i++) {
        struct cf_zone *z = &c->zones[(first + i) % c->zone_count];
        if (!why && c->stopped)
            why = c->stopped;
        else if (!why && c->calls + calls_a_zone(c) > c->calls_max)
            why = belfry_print(c->p, "max_calls (%lld) are used up", (long long)c->calls_max);
        if (!why) {
            look_at(c, z);
            continue;
        }
        next = next ? next : z->id;
        put_off(c, z, why);
    }
    if (next || kept)
        belfry_keep(c->p, "next", next);
    for (size_t i = 0; !c->zones_late && i < c->protect_count; i++)
        if (!c->host_seen[i])
            cf_part(c, c->protect[i], BELFRY_UNKNOWN,
                    "no zone that was looked at has it: see 'zone', and the token's zones");
}
