/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rules - do Cloudflare's managed rules run for everything, does a configuration rule weaken the zone's settings, and
 * who passes without being looked at.
 *
 * Managed rules run when an enabled rule executes a managed ruleset, not overridden to off or log, and no broad skip
 * comes before it. A zone that never had a rule answers 404 with 10003; a Free zone has the free managed ruleset all
 * the same, which shows in the list of rulesets. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/cloudflare/cloudflare.h"

#define FREE_RULES "77454fe2d30c4220b5701f6fdfb893ba"
#define WIDE_V4 24
#define WIDE_V6 48
#define NAMED_MAX 3

static const struct {
    const char *id, *name;
} managed_sets[] = {
    { "efb7b8c949ac4650a09736fc376e9aee", "Cloudflare Managed Ruleset" },
    { "4814384a9e5d4991b9815dcfc25d2f1f", "OWASP Core Ruleset" },
    { FREE_RULES, "Free Managed Ruleset" },
};

static const char *set_name(const char *id)
{
    for (size_t i = 0; i < sizeof managed_sets / sizeof managed_sets[0]; i++)
        if (strcmp(managed_sets[i].id, id) == 0)
            return managed_sets[i].name;
    return NULL;
}

static bool is_text(const json_t *at, const char *path, const char *text)
{
    const char *value = json_string_value(tree_at(at, path));
    return value && strcmp(value, text) == 0;
}

static const char *expression_of(const json_t *rule)
{
    const char *text = json_string_value(tree_at(rule, "expression"));
    return text ? text : "";
}

static bool is_everything(const char *expression)
{
    return strcmp(expression, "true") == 0 || strcmp(expression, "(true)") == 0;
}

/* Whether an expression holds for all protected names of the zone, as far as it can be seen: each is named in it, and
 * nothing is negated. */
static bool names_all(struct cf *c, const struct cf_zone *z, const char *expression)
{
    size_t named = 0;
    if (strstr(expression, "not") || strstr(expression, "ne ") || strchr(expression, '!') ||
        strstr(expression, " and "))
        return false;
    for (size_t i = 0; i < c->protect_count; i++) {
        const char *host = c->protect[i];
        if (!cf_in_zone(host, z->name))
            continue;
        if (!strcasestr(expression, belfry_print(c->p, "\"%s\"", host)))
            return false;
        named++;
    }
    return named > 0;
}

static bool has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        if (item && strcmp(item, text) == 0)
            return true;
    }
    return false;
}

/* A rule that lets everything past the managed rules: the rest of its own phase, or their phase. */
static bool skips_managed(const json_t *rule, bool same_phase)
{
    if (!is_text(rule, "action", "skip") || json_is_false(tree_at(rule, "enabled")) ||
        !is_everything(expression_of(rule)))
        return false;
    return (same_phase && is_text(rule, "action_parameters.ruleset", "current")) ||
           has_text(tree_at(rule, "action_parameters.phases"), "http_request_firewall_managed");
}

static void judge_rule(struct cf *c, const struct cf_zone *z, const json_t *rule, struct cf_finding *f, size_t *running)
{
    const char *id = tree_text(c->p, rule, "action_parameters.id", ""), *name = set_name(id);
    if (!is_text(rule, "action", "execute"))
        return;
    name = name ? name : belfry_print(c->p, "ruleset %s", cf_words(c, id));
    if (!json_is_boolean(tree_at(rule, "enabled")))
        cf_find(c, f, BELFRY_UNKNOWN, "the API does not tell whether %s is enabled", name);
    else if (!json_is_true(tree_at(rule, "enabled")))
        cf_find(c, f, BELFRY_WARNING, "%s is switched off", name);
    else if (json_is_false(tree_at(rule, "action_parameters.overrides.enabled")))
        cf_find(c, f, BELFRY_WARNING, "%s is switched off by an override", name);
    else if (is_text(rule, "action_parameters.overrides.action", "log"))
        cf_find(c, f, BELFRY_WARNING, "%s only logs", name);
    else if (!is_everything(expression_of(rule)) && !names_all(c, z, expression_of(rule)))
        cf_find(c, f, BELFRY_WARNING, "%s runs only where %s", name, cf_words(c, expression_of(rule))), ++*running;
    else
        cf_find(c, f, BELFRY_OK, "%s", name), ++*running;
}

/* No rule executes anything. The list of rulesets tells a Free zone, whose rules run by themselves, from another. */
static void judge_none(struct cf *c, const struct cf_zone *z, const char *part)
{
    struct cf_call call = { .path = belfry_print(c->p, "/zones/%s/rulesets", z->id), .right = "Zone WAF Read" };
    bool free_set = false, paid_set = false;
    cf_ask(c, &call, 1);
    for (size_t i = 0; i < json_array_size(call.result); i++) {
        const json_t *set = json_array_get(call.result, i);
        const char *id = tree_text(c->p, set, "id", "");
        if (!is_text(set, "kind", "managed") || !is_text(set, "phase", "http_request_firewall_managed"))
            continue;
        free_set = free_set || strcmp(id, FREE_RULES) == 0;
        paid_set = paid_set || (strcmp(id, FREE_RULES) != 0 && set_name(id));
    }
    if (call.refusal.kind != CF_FINE)
        cf_missed(c, part, &call);
    else if (free_set && !paid_set)
        cf_part(c, part, BELFRY_OK, "Free Managed Ruleset, which a Free zone has by itself");
    else
        cf_part(c, part, BELFRY_CRITICAL, "no managed rules run: nothing executes a managed ruleset");
    cf_done(&call, 1);
}

void cf_managed_judge(struct cf *c, const struct cf_zone *z, struct cf_call *managed, struct cf_call *custom)
{
    const char *part = belfry_print(c->p, "%s/waf", z->name);
    struct cf_finding f = { .state = BELFRY_OK };
    size_t running = 0, looked = 0;
    bool skipped = false;
    if (managed->refusal.kind != CF_FINE && managed->refusal.kind != CF_ABSENT) {
        cf_missed(c, part, managed);
        return;
    }
    for (size_t i = 0; i < tree_count(managed->result, "rules"); i++) {
        const json_t *rule = tree_item(managed->result, "rules", i);
        skipped = skipped || (running == 0 && skips_managed(rule, true));
        looked += is_text(rule, "action", "execute");
        judge_rule(c, z, rule, &f, &running);
    }
    for (size_t i = 0; i < tree_count(custom->result, "rules"); i++)
        skipped = skipped || skips_managed(tree_item(custom->result, "rules", i), false);
    if (looked == 0) {
        judge_none(c, z, part);
        return;
    }
    if (running == 0)
        cf_find(c, &f, BELFRY_CRITICAL, "no managed rules run");
    if (skipped)
        cf_find(c, &f, BELFRY_CRITICAL, "a skip rule lets everything past the managed rules");
    if (custom->refusal.kind != CF_FINE && custom->refusal.kind != CF_ABSENT)
        cf_find(c, &f, BELFRY_UNKNOWN, "whether a custom rule skips them is not known: %s", custom->refusal.text);
    cf_tell(c, part, &f);
}

/* ---- configuration rules --------------------------------------------------------------------------------------- */

static const struct {
    const char *path, *value;
    enum belfry_state state;
} weak[] = {
    { "action_parameters.ssl", "off", BELFRY_CRITICAL },
    { "action_parameters.ssl", "flexible", BELFRY_CRITICAL },
    { "action_parameters.ssl", "full", BELFRY_WARNING },
    { "action_parameters.security_level", "off", BELFRY_WARNING },
    { "action_parameters.security_level", "essentially_off", BELFRY_WARNING },
};

void cf_config_judge(struct cf *c, const struct cf_zone *z, const struct cf_call *call)
{
    const char *part = belfry_print(c->p, "%s/config_rules", z->name);
    struct cf_finding f = { .state = BELFRY_OK };
    size_t rules = tree_count(call->result, "rules");
    if (call->refusal.kind != CF_FINE && call->refusal.kind != CF_ABSENT) {
        cf_missed(c, part, call);
        return;
    }
    for (size_t i = 0; i < rules; i++) {
        const json_t *rule = tree_item(call->result, "rules", i);
        if (json_is_false(tree_at(rule, "enabled")))
            continue;
        for (size_t k = 0; k < sizeof weak / sizeof weak[0]; k++)
            if (is_text(rule, weak[k].path, weak[k].value))
                cf_find(c, &f, weak[k].state, "%s is '%s' where %s", strchr(weak[k].path, '.') + 1, weak[k].value,
                        cf_words(c, expression_of(rule)));
    }
    if (!f.text)
        cf_find(c, &f, BELFRY_OK, "rules: %zu, none weakens TLS or the security level", rules);
    cf_tell(c, part, &f);
}

/* ---- access rules ---------------------------------------------------------------------------------------------- */

/* Whether an allow rule is for more than a few machines. */
static bool is_wide(struct cf *c, const json_t *rule)
{
    const char *target = tree_text(c->p, rule, "configuration.target", "");
    const char *value = tree_text(c->p, rule, "configuration.value", ""), *slash = strchr(value, '/');
    if (strcmp(target, "country") == 0 || strcmp(target, "asn") == 0)
        return true;
    return slash && strtol(slash + 1, NULL, 10) < (strchr(value, ':') ? WIDE_V6 : WIDE_V4);
}

void cf_allowlist_look(struct cf *c, const struct cf_zone *z)
{
    const char *part = belfry_print(c->p, "%s/access_rules", z->name), *named = "";
    struct cf_list *list = belfry_alloc(c->p, sizeof *list);
    const char *path = belfry_print(c->p, "/zones/%s/firewall/access_rules/rules?mode=whitelist&per_page=100&", z->id);
    size_t rules = 0, wide = 0;
    const json_t *rule;
    bool complete = cf_list_read(c, list, path, "Firewall Services Read");
    while ((rule = cf_list_next(list))) {
        if (!is_text(rule, "mode", "whitelist"))
            continue;
        rules++;
        if (is_wide(c, rule) && wide++ < NAMED_MAX)
            named = belfry_print(c->p, "%s%s%s", named, *named ? ", " : "",
                                 cf_words(c, tree_text(c->p, rule, "configuration.value", "")));
    }
    if (!complete)
        cf_missed_as(c, part, "Firewall Services Read", &list->refusal);
    else if (wide > 0)
        cf_part(c, part, BELFRY_WARNING, "%zu wide allow rule%s, which no other rule looks at: %s%s", wide,
                wide == 1 ? "" : "s", named, wide > NAMED_MAX ? ", ..." : "");
    else
        cf_part(c, part, BELFRY_OK, "allow rules: %zu, none is wide", rules);
    cf_list_done(list);
}
