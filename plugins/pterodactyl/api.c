/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api - calls to the panel: few, counted, and none when the limit that its users share comes near.
 *
 * The panel counts per user and minute, so every call here takes one from the billing system that has a key of the same
 * user. Three things end the calls of a run: max_calls, X-RateLimit-Remaining under keep_free, and 429. After a 429 no
 * run asks until Retry-After has passed. What was left out is said. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/pterodactyl/pterodactyl.h"

#define WAIT_MAX_S 900
#define WAIT_DEFAULT_S 60

enum belfry_state ptero_worse(enum belfry_state a, enum belfry_state b)
{
    static const int weight[] = { 0, 1, 3, 2 };
    return weight[b] > weight[a] ? b : a;
}

void ptero_trouble(struct ptero *t, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = t->p->host->print(t->p, format, args);
    va_end(args);
    t->troubles = belfry_print(t->p, "%s; %s", t->troubles, text);
    t->state = ptero_worse(t->state, state);
}

void ptero_say(struct ptero *t, const char *part, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = t->p->host->print(t->p, format, args);
    va_end(args);
    belfry_part(t->p, part, state, "%s", text);
    if (state == BELFRY_OK)
        return;
    if (t->bad++ == 0 || ptero_worse(t->worst, state) != t->worst)
        t->worst_text = text;
    t->worst = ptero_worse(t->worst, state);
}

const char *ptero_name(struct ptero *t, const char *name)
{
    return say_excerpt(t->p, name, strlen(name));
}

bool ptero_room(struct ptero *t)
{
    return t->parts++ < (size_t)belfry_integer(t->p, "max_parts");
}

/* What a status means. Rows are tried in order; code and detail are looked for in the panel's error. */
struct meaning {
    long from, to;
    const char *code, *detail; /* part of the error's name or text; NULL: any */
    enum belfry_state state;
    bool reached;
    const char *text;
};

static const struct meaning meanings[] = {
    { 400, 400, "TwoFactor", NULL, BELFRY_CRITICAL, true, "wants two-factor authentication of the key's owner" },
    { 400, 400, NULL, NULL, BELFRY_UNKNOWN, true, "refuses the request" },
    { 401, 401, NULL, NULL, BELFRY_CRITICAL, true, "does not know the key (deleted, mistyped or of another panel)" },
    { 403, 403, NULL, "IP address", BELFRY_CRITICAL, true, "does not allow the key from this address (allowed IPs)" },
    { 403, 403, NULL, "access the API", BELFRY_CRITICAL, true, "says the key's owner is no administrator" },
    { 403, 403, "AccessDenied", NULL, BELFRY_UNKNOWN, true, "does not allow this" },
    { 403, 403, NULL, NULL, BELFRY_CRITICAL, true, "or a proxy before it refuses (a challenge page?)" },
    { 404, 404, NULL, NULL, BELFRY_CRITICAL, true, "does not have that (is 'url' the panel's address?)" },
    { 409, 409, NULL, NULL, BELFRY_UNKNOWN, true, "says the server's state does not allow it" },
    { 429, 429, NULL, NULL, BELFRY_UNKNOWN, true, "has had too many calls from this user" },
    { 503, 503, NULL, "Service Unavailable", BELFRY_CRITICAL, false, "is in maintenance mode (php artisan down)" },
    { 504, 504, "DaemonConnection", NULL, BELFRY_CRITICAL, true, "does not reach the node's Wings" },
    { 500, 599, NULL, NULL, BELFRY_CRITICAL, false, "fails" },
    { 300, 399, NULL, NULL, BELFRY_UNKNOWN, true, "sends elsewhere" },
    { 0, 999, NULL, NULL, BELFRY_UNKNOWN, true, "gives no usable answer" },
};

static const struct meaning *find_meaning(long status, const char *code, const char *detail)
{
    size_t i = 0;
    for (; i + 1 < sizeof meanings / sizeof meanings[0]; i++) {
        const struct meaning *m = &meanings[i];
        if (status >= m->from && status <= m->to && (!m->code || strstr(code, m->code)) &&
            (!m->detail || strstr(detail, m->detail)))
            break;
    }
    return &meanings[i];
}

/* The panel's own words, from {"errors":[{...}]} or Wings' {"error":"..."}; "" when there are none. */
static const char *own_words(struct ptero *t, const struct web_answer *answer, const char **code)
{
    const char *why = NULL;
    *code = "";
    json_t *tree = answer->body_size > 0 && answer->body[0] == '{' ? tree_read(t->p, answer, &why) : NULL;
    if (!tree)
        return "";
    *code = tree_text(t->p, tree, "errors.0.code", "");
    const char *detail = tree_text(t->p, tree, "errors.0.detail", NULL);
    detail = detail ? detail : tree_text(t->p, tree, "error", "");
    if (tree_at(tree, "errors.0.meta.trace"))
        t->debug_seen = true;
    json_decref(tree);
    size_t length = strlen(detail);
    while (length > 0 && detail[length - 1] == '.')
        length--;
    return say_excerpt(t->p, detail, length);
}

static const char *extras(struct ptero *t, const struct web_answer *answer, const struct meaning *m, const char *right)
{
    if (m->code && strcmp(m->code, "AccessDenied") == 0 && right)
        return belfry_print(t->p, "; the key needs %s", right);
    if (answer->status == 429 && answer->retry_after_s >= 0)
        return belfry_print(t->p, "; it asks to wait %s", say_seconds(t->p, fmin(answer->retry_after_s, 1e6)));
    if (answer->status >= 300 && answer->status < 400)
        return belfry_print(t->p, ": to '%s'%s", ptero_name(t, answer->location),
                            strstr(answer->location, "login") ? " (a login page: the key is not taken)" : "");
    return "";
}

void ptero_explain(struct ptero *t, const struct web_answer *answer, const char *credential, const char *right,
                   struct ptero_refusal *refusal)
{
    *refusal = (struct ptero_refusal){ .code = "" };
    if (answer->end != WEB_ANSWERED) {
        refusal->state = answer->end == WEB_MISUSED ? BELFRY_UNKNOWN : BELFRY_CRITICAL;
        refusal->reached = answer->end != WEB_UNREACHABLE;
        refusal->text = answer->why;
        return;
    }
    if (answer->status >= 200 && answer->status < 300 && !answer->cut)
        return;
    const char *detail = own_words(t, answer, &refusal->code);
    const struct meaning *m = find_meaning(answer->status, refusal->code, detail);
    refusal->state = m->state;
    refusal->reached = m->reached;
    if (answer->cut && answer->status < 300) {
        refusal->text =
            belfry_print(t->p, "%s answered with more than %s", answer->what, say_bytes(t->p, WEB_BODY_MAX));
        return;
    }
    const char *who = answer->status == 401 || answer->status == 403 ? belfry_print(t->p, " (%s)", credential) : "";
    refusal->text = belfry_print(t->p, "%s answered %ld: it %s%s%s%s%s", answer->what, answer->status, m->text, who,
                                 extras(t, answer, m, right), *detail ? ": " : "", detail);
}

static const char *wait_key(struct ptero *t, const struct ptero_api *api)
{
    return belfry_print(t->p, "wait_%c", api->letter);
}

/* Whether an earlier run was told to wait until later than now. */
static bool must_wait(struct ptero *t, const struct ptero_api *api)
{
    const char *kept = belfry_kept(t->p, wait_key(t, api));
    int64_t until = kept ? strtoll(kept, NULL, 10) : 0;
    return until > t->now && until <= t->now + WAIT_MAX_S;
}

static const char *reason_to_stop(struct ptero *t, struct ptero_api *api)
{
    if (must_wait(t, api)) {
        api->left_percent = 0;
        return "the panel has asked to wait (429) and the time has not passed";
    }
    if (t->calls >= t->calls_max)
        return belfry_print(t->p, "max_calls (%lld) are used up", (long long)t->calls_max);
    if (t->bytes > PTERO_BYTES_MAX)
        return belfry_print(t->p, "the answers of this run have more than %s", say_bytes(t->p, PTERO_BYTES_MAX));
    return NULL;
}

/* Reads the limit's state from an answer, and stops in time. */
static void heed_limit(struct ptero *t, struct ptero_api *api, const struct web_answer *answer)
{
    if (answer->status == 429) {
        double wait_s = answer->retry_after_s >= 0 ? fmin(answer->retry_after_s, WAIT_MAX_S) : WAIT_DEFAULT_S;
        belfry_keep(t->p, wait_key(t, api), belfry_print(t->p, "%lld", (long long)(t->now + (int64_t)ceil(wait_s))));
        api->stopped = "the panel refuses more calls for now (429)";
        api->left_percent = 0;
        return;
    }
    if (!(answer->rate_limit > 0) || answer->rate_remaining < 0)
        return;
    api->left_percent = fmin(api->left_percent, 100 * answer->rate_remaining / answer->rate_limit);
    if (!api->stopped && 100 * answer->rate_remaining < (double)belfry_integer(t->p, "keep_free") * answer->rate_limit)
        api->stopped = belfry_print(t->p, "only %.0f of %.0f calls a minute are left, which are the panel's users'",
                                    answer->rate_remaining, answer->rate_limit);
}

json_t *ptero_ask(struct ptero *t, struct ptero_api *api, const char *path, const char *right,
                  struct ptero_refusal *refusal)
{
    if (!api->stopped)
        api->stopped = reason_to_stop(t, api);
    if (api->stopped) {
        *refusal = (struct ptero_refusal){ BELFRY_UNKNOWN, true, belfry_print(t->p, "not asked: %s", api->stopped),
                                           "stopped" };
        return NULL;
    }
    const struct web_answer *answer = web_ask(api->client, "GET", path, NULL);
    t->calls++;
    t->api_s += answer->total_s;
    t->bytes += answer->body_size;
    if (answer->end == WEB_ANSWERED)
        heed_limit(t, api, answer);
    ptero_explain(t, answer, belfry_print(t->p, "the key in option '%s'", api->option), right, refusal);
    if (refusal->text)
        return NULL;
    const char *why = NULL;
    json_t *tree = tree_read(t->p, answer, &why);
    if (tree && json_is_object(tree))
        return tree;
    json_decref(tree);
    *refusal = (struct ptero_refusal){ BELFRY_UNKNOWN, true,
                                       why ? why : belfry_print(t->p, "%s answered with no object", answer->what), "" };
    return NULL;
}

/* What is wrong with a page of a list, or NULL. */
static const char *page_problem(struct ptero *t, const json_t *tree, const char *path, int64_t page)
{
    if (!json_is_array(tree_at(tree, "data")))
        return belfry_print(t->p, "GET %.100s answered without a list: is it a Pterodactyl panel?", path);
    int64_t current = tree_integer(tree, "meta.pagination.current_page", page);
    int64_t pages = tree_integer(tree, "meta.pagination.total_pages", -1);
    if (pages < 0 && tree_at(tree, "meta.pagination"))
        return belfry_print(t->p, "GET %.100s answered without a number of pages", path);
    if (current != page || (page < pages && tree_count(tree, "data") == 0))
        return belfry_print(t->p, "GET %.100s: page %lld of %lld came back as another or empty", path, (long long)page,
                            (long long)pages);
    return NULL;
}

int ptero_pages(struct ptero *t, struct ptero_api *api, const char *path, const char *right,
                void (*visit)(struct ptero *t, const json_t *item), struct ptero_refusal *refusal)
{
    int64_t pages = 1;
    for (int64_t page = 1; page <= pages; page++) {
        json_t *tree = ptero_ask(t, api, belfry_print(t->p, "%s&page=%lld", path, (long long)page), right, refusal);
        if (!tree)
            return -1;
        const char *wrong = page_problem(t, tree, path, page);
        for (size_t i = 0; !wrong && i < tree_count(tree, "data"); i++)
            visit(t, tree_item(tree, "data", i));
        pages = tree_integer(tree, "meta.pagination.total_pages", 1);
        json_decref(tree);
        if (wrong) {
            *refusal = (struct ptero_refusal){ BELFRY_UNKNOWN, true, wrong, "" };
            return -1;
        }
    }
    return 0;
}
