/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wings - the daemon on each node: up, which version, and whether its servers are those that the panel believes in.
 *
 * Without a token Wings answers 401 with {"error":"..."}: that it is up is known, no more. With the node's token (the
 * `token` of its config.yml, not `token_id.token`) it tells its version and its servers, in two calls that no limit
 * counts. Their answers hold the servers' environment, secrets included: nothing of it is ever shown.
 *
 * Nodes are asked one after the other, those last that let us wait before or whose SFTP did not answer: one that is a
 * black hole costs no other node its answer. After a restart Wings sets up all its servers before it opens its port:
 * minutes of "connection refused" are normal then, and what attempts are for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/pterodactyl/pterodactyl.h"

#define NAMES_SHOWN 3

static const char *of_map(struct ptero *t, const char *option, const char *key)
{
    for (size_t i = 0; i < belfry_count(t->p, option); i++)
        if (strcmp(belfry_key(t->p, option, i), key) == 0)
            return belfry_item(t->p, option, i);
    return NULL;
}

/* The option's value for a node, by its name, its fqdn, or id_N (names in the configuration have
 * no spaces or dots). */
static const char *of_node(struct ptero *t, const char *option, const struct ptero_node *n)
{
    const char *value = of_map(t, option, n->name);
    if (!value && n->fqdn)
        value = of_map(t, option, n->fqdn);
    return value ? value : of_map(t, option, belfry_print(t->p, "id_%lld", (long long)n->id));
}

/* ---- version --------------------------------------------------------------------------------------------------- */

/* "v1.11.13-beta2" as a number that compares; false when it is none ("develop"). */
static bool version_number(const char *text, int64_t *out)
{
    int64_t number = 0;
    text += *text == 'v';
    for (int i = 0; i < 3; i++) {
        char *end;
        long piece = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
        if (piece < 0 || piece > 99999)
            return false;
        number = number * 100000 + piece;
        text = *end == '.' ? end + 1 : end;
        if (i < 2 && *end != '.')
            return false;
    }
    int beta = 0;
    const char *dash = strstr(text, "-beta");
    if (text[0] == '-' && (!dash || sscanf(dash, "-beta%d", &beta) != 1))
        return false;
    *out = number * 10000 + (dash ? (beta > 0 && beta < 9999 ? beta : 0) : 9999);
    return true;
}

static void judge_version(struct ptero *t, struct ptero_node *n, const char *version)
{
    struct rule {
        const char *option;
        enum belfry_state state;
        const char *text;
    };
    static const struct rule rules[] = {
        { "wings_floor", BELFRY_CRITICAL, "which has known holes: at least" },
        { "wings_wanted", BELFRY_WARNING, "older than wanted:" },
    };
    int64_t is, want;
    if (!version_number(version, &is)) {
        ptero_node_say(t, n, BELFRY_OK, "Wings '%s' is up", version);
        return;
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const char *least = belfry_text(t->p, rules[i].option);
        /* Pelican counts from 1.0 again: the fallback floor is one of Pterodactyl's */
        bool applies = i > 0 || !t->pelican || strcmp(least, "1.11.12") != 0;
        if (least && applies && version_number(least, &want) && is < want) {
            ptero_node_say(t, n, rules[i].state, "Wings %s is up, %s %s", version, rules[i].text, least);
            return;
        }
    }
    ptero_node_say(t, n, BELFRY_OK, "Wings %s is up", version);
}

static void note_version(struct ptero *t, const struct ptero_node *n, const char *version)
{
    const char *key = belfry_print(t->p, "wings_%lld", (long long)n->id), *before = belfry_kept(t->p, key);
    if (before && strcmp(before, version) != 0)
        belfry_event(t->p, "wings.updated", n->part, "Wings %s, before it was %s", version, before);
    belfry_keep(t->p, key, version);
}

/* ---- servers: Wings' view against the panel's ------------------------------------------------------------------ */

/* Some servers with the same thing wrong, the first few by name. */
struct group {
    size_t count;
    const char *names;
};

static void add(struct ptero *t, struct group *g, const char *name)
{
    if (g->count < NAMES_SHOWN)
        g->names = g->count ? belfry_print(t->p, "%s, %s", g->names, name) : name;
    else if (g->count == NAMES_SHOWN)
        g->names = belfry_print(t->p, "%s, ...", g->names);
    g->count++;
}

static void say_group(struct ptero *t, struct ptero_node *n, const struct group *g, enum belfry_state state,
                      const char *text)
{
    if (g->count)
        ptero_node_say(t, n, state, "%zu server%s %s (%s)", g->count, g->count > 1 ? "s" : "", text, g->names);
}

struct view {
    struct ptero *t;
    struct ptero_node *n;
    struct group orphans, elsewhere, suspension;
    size_t running;
    bool broken;
};

static void take(struct view *v, const json_t *item)
{
    struct ptero *t = v->t;
    const char *uuid = tree_text(t->p, item, "configuration.uuid", NULL);
    const char *state = tree_text(t->p, item, "state", NULL);
    v->broken = v->broken || !uuid || !state;
    if (!uuid || !state)
        return;
    v->running += strcmp(state, "running") == 0;
    struct ptero_server *s = ptero_server_by_uuid(t, uuid);
    if (!s) {
        add(t, &v->orphans, belfry_print(t->p, "%.8s", ptero_name(t, uuid)));
        return;
    }
    if (s->node != v->n->id) {
        if (!s->transferring)
            add(t, &v->elsewhere, s->identifier);
        return;
    }
    s->wings_state = ptero_name(t, state);
    s->wings_suspended = tree_flag(item, "is_suspended", false);
    s->memory_used = tree_number(item, "utilization.memory_bytes");
    s->disk_used = tree_number(item, "utilization.disk_bytes");
    if (s->wings_suspended != s->suspended)
        add(t, &v->suspension, s->identifier);
}

static void compare(struct ptero *t, struct ptero_node *n, const json_t *list)
{
    struct view v = { .t = t, .n = n };
    struct group missing = { 0 };
    for (size_t i = 0; i < json_array_size(list); i++)
        take(&v, json_array_get(list, i));
    belfry_measure_part(t->p, n->part, "servers_running", (double)v.running);
    if (v.broken)
        ptero_node_say(t, n, BELFRY_UNKNOWN, "Wings lists servers without uuid or state");
    if (!t->servers_known)
        return;
    for (size_t i = 0; i < t->server_count; i++) {
        const struct ptero_server *s = &t->servers[i];
        if (s->node == n->id && !s->wings_state && !s->transferring && strcmp(s->status, "installing") != 0)
            add(t, &missing, s->identifier);
    }
    if (!v.broken)
        say_group(t, n, &missing, BELFRY_CRITICAL, "of the panel not known to Wings");
    say_group(t, n, &v.orphans, BELFRY_WARNING, "on Wings not known to the panel");
    say_group(t, n, &v.elsewhere, BELFRY_WARNING, "here that the panel has on another node");
    say_group(t, n, &v.suspension, BELFRY_WARNING, "suspended for one of panel and Wings only");
}

/* ---- one node -------------------------------------------------------------------------------------------------- */

static json_t *read_answer(struct ptero *t, struct ptero_node *n, const struct web_answer *answer)
{
    const char *why = NULL;
    if (answer->end == WEB_ANSWERED && answer->status == 403) {
        ptero_node_say(t, n, BELFRY_CRITICAL, "Wings is up and refuses the token in 'wings_token' (rotated?)");
        return NULL;
    }
    if (answer->end == WEB_ANSWERED && answer->status == 401) {
        ptero_node_say(t, n, BELFRY_CRITICAL, "Wings is up and does not take the form of the token in 'wings_token'");
        return NULL;
    }
    struct ptero_refusal refusal;
    ptero_explain(t, answer, "the token in option 'wings_token'", NULL, &refusal);
    json_t *tree = refusal.text ? NULL : tree_read(t->p, answer, &why);
    if (!tree)
        ptero_node_say(t, n, refusal.text ? refusal.state : BELFRY_UNKNOWN, "Wings: %s",
                       refusal.text ? refusal.text
                       : why        ? why
                                    : "no answer");
    t->bytes += answer->body_size;
    return tree;
}

static void ask_servers(struct ptero *t, struct ptero_node *n, struct web_client *wings)
{
    if (t->bytes > PTERO_BYTES_MAX) {
        ptero_node_say(t, n, BELFRY_UNKNOWN, "its servers were not asked for: the run has read too much");
        return;
    }
    json_t *list = read_answer(t, n, web_ask(wings, "GET", "/api/servers", NULL));
    if (json_is_array(list)) {
        n->listed = true;
        compare(t, n, list);
    } else if (list) {
        ptero_node_say(t, n, BELFRY_UNKNOWN, "Wings answers GET /api/servers without a list");
    }
    json_decref(list);
}

static void ask_with_token(struct ptero *t, struct ptero_node *n, struct web_client *wings,
                           const struct web_answer *answer)
{
    json_t *tree = read_answer(t, n, answer);
    if (!tree)
        return;
    const char *version = tree_text(t->p, tree, "version", NULL);
    double containers = tree_number(tree, "docker.containers.running");
    json_decref(tree);
    if (!version) {
        ptero_node_say(t, n, BELFRY_UNKNOWN, "what answers at %s is not Wings", n->fqdn);
        return;
    }
    version = ptero_name(t, version);
    judge_version(t, n, version);
    note_version(t, n, version);
    if (!isnan(containers))
        belfry_measure_part(t->p, n->part, "containers_running", containers);
    ask_servers(t, n, wings);
}

/* No token: Wings' own 401 says that it is there. */
static void judge_knock(struct ptero *t, struct ptero_node *n, const struct web_answer *answer)
{
    struct ptero_refusal refusal;
    if (answer->end == WEB_ANSWERED && answer->status == 401 && strstr(answer->body, "\"error\"")) {
        ptero_node_say(t, n, BELFRY_OK, "Wings is up (no token: version and servers not looked at)");
        return;
    }
    ptero_explain(t, answer, "no token", NULL, &refusal);
    if (answer->end == WEB_ANSWERED && answer->status < 500)
        ptero_node_say(t, n, BELFRY_CRITICAL, "what answers is not Wings: status %ld instead of Wings' 401",
                       answer->status);
    else
        ptero_node_say(t, n, refusal.state, "Wings: %s", refusal.text ? refusal.text : "no answer");
}

static void ask_node(struct ptero *t, struct ptero_node *n)
{
    const char *token = of_node(t, "wings_token", n), *url = of_node(t, "wings_url", n);
    struct web_setup setup = { .bearer = token,
                               .plain_http = belfry_flag(t->p, "plain_http"),
                               .ca_file = belfry_text(t->p, "ca_file"),
                               .insecure = !belfry_flag(t->p, "tls_verify"),
                               .headers = { "Accept: application/json" } };
    setup.base = url ? url : belfry_print(t->p, "%s://%s:%lld", n->scheme, n->fqdn, (long long)n->api_port);
    struct web_client *wings = web_open(t->p, &setup);
    const struct web_answer *answer = web_ask(wings, "GET", token ? "/api/system?v=2" : "/api/system", NULL);
    n->asked = true;
    if (answer->end == WEB_UNREACHABLE && belfry_left_ms(t->p) <= 0)
        ptero_note_touch(t, NOTE_SLOW, n->id, t->now);
    if (answer->end == WEB_ANSWERED)
        belfry_measure_part(t->p, n->part, "wings_time", answer->total_s);
    if (answer->end == WEB_ANSWERED && !isnan(answer->cert_days))
        belfry_measure_part(t->p, n->part, "cert_days_left", answer->cert_days);
    if (token)
        ask_with_token(t, n, wings, answer);
    else
        judge_knock(t, n, answer);
    web_close(&wings);
}

static void ask_or_skip(struct ptero *t, struct ptero_node *n)
{
    if (n->maintenance || n->asked)
        return;
    if (!n->fqdn && !of_node(t, "wings_url", n)) {
        n->asked = true;
        ptero_node_say(t, n, BELFRY_UNKNOWN, "its address in the panel is no host name: Wings was not asked");
        return;
    }
    if (belfry_left_ms(t->p) > 0) {
        ask_node(t, n);
        return;
    }
    n->asked = true;
    ptero_notes_hold(t, "n");
    ptero_node_say(t, n, BELFRY_UNKNOWN, "no time was left to ask its Wings");
}

void ptero_wings(struct ptero *t)
{
    for (size_t i = 0; i < t->node_count; i++) {
        struct ptero_node *n = &t->nodes[i];
        n->slow = n->sftp < 0 || ptero_note_find(t, NOTE_SLOW, n->id);
        if (!n->slow)
            ask_or_skip(t, n);
    }
    for (size_t i = 0; i < t->node_count; i++)
        ask_or_skip(t, &t->nodes[i]);
    for (size_t i = 0; i < t->node_count; i++)
        if (t->nodes[i].sftp < 0)
            ptero_node_say(t, &t->nodes[i], BELFRY_CRITICAL, "SFTP at port %lld: %s", (long long)t->nodes[i].sftp_port,
                           t->nodes[i].sftp_why);
}
