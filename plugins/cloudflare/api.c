/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api - calls to Cloudflare: few, counted, and what their refusals mean.
 *
 * The same missing scope is 403 with code 9109 or 10000, by service; a ruleset that was never made is 404 with 10003; a
 * rate limit is 429 with code 971 and lasts for five minutes. So codes are looked up in one table and never compared
 * with a range. After a 429 no run asks before Retry-After has passed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/cloudflare/cloudflare.h"
#include "plugins/common/say.h"

#define AT_ONCE 4
#define WAIT_MAX_S 900
#define WAIT_DEFAULT_S 300
#define KEEP_FREE_PERCENT 5
#define BATCH_MAX 64

/* ---- refusals -------------------------------------------------------------------------------------------------- */

/* Rows are tried in order; code 0 and words NULL are any. */
struct meaning {
    long from, to, code;
    const char *words; /* in the message */
    enum cf_kind kind;
    const char *text;
};

static const struct meaning meanings[] = {
    { 429, 429, 0, NULL, CF_LATER, "too many calls by this user or token (the dashboard counts, too)" },
    { 200, 499, 971, NULL, CF_LATER, "too many calls by this user or token (the dashboard counts, too)" },
    { 500, 599, 0, NULL, CF_LATER, "Cloudflare's API fails" },
    { 200, 499, 10003, NULL, CF_ABSENT, "nothing is configured" },
    { 200, 499, 6003, NULL, CF_TOKEN, "the token is malformed (a line end in it, or a global API key?)" },
    { 200, 499, 6111, NULL, CF_TOKEN, "the token is malformed (a line end in it, or a global API key?)" },
    { 200, 499, 1001, "Authorization", CF_TOKEN, "the Authorization header did not arrive (a proxy drops it?)" },
    { 200, 499, 9106, NULL, CF_TOKEN, "the Authorization header did not arrive (a proxy drops it?)" },
    { 200, 499, 9103, NULL, CF_TOKEN, "a global API key is not used here: make an API token" },
    { 200, 499, 1000, NULL, CF_TOKEN,
      "the token is not known: revoked, mistyped, or an account's token without 'account'" },
    { 403, 403, 9109, "from location", CF_TOKEN, "the token's client IP filter does not allow this host" },
    { 403, 403, 9109, "Invalid access token", CF_TOKEN, "the token is not known: revoked or mistyped" },
    { 200, 499, 1450, NULL, CF_ODD, "the zone's plan does not have this" },
    { 401, 401, 0, NULL, CF_SCOPE, "not allowed" },
    { 403, 403, 0, NULL, CF_SCOPE, "not allowed" },
    { 200, 499, 9109, NULL, CF_SCOPE, "not allowed" },
    { 200, 499, 10000, NULL, CF_SCOPE, "not allowed" },
    { 404, 404, 7003, NULL, CF_ODD, "no such zone or account: is the id right?" },
    { 404, 404, 0, NULL, CF_ODD, "there is no such thing: is 'url' the API's address, and are the ids right?" },
    { 300, 399, 0, NULL, CF_ODD, "a redirect instead of data (a proxy's login page?)" },
    { 0, 999, 0, NULL, CF_ODD, "no usable answer" },
};

static const struct meaning *find_meaning(long status, long code, const char *message)
{
    size_t i = 0;
    for (; i + 1 < sizeof meanings / sizeof meanings[0]; i++) {
        const struct meaning *m = &meanings[i];
        if (status >= m->from && status <= m->to && (m->code == 0 || m->code == code) &&
            (!m->words || strstr(message, m->words)))
            break;
    }
    return &meanings[i];
}

static const char *how_long(struct cf *c, const struct web_answer *answer)
{
    if (answer->status != 429 || answer->retry_after_s < 0)
        return "";
    return belfry_print(c->p, "; it asks to wait %s", say_seconds(c->p, fmin(answer->retry_after_s, 1e6)));
}

static void refuse(struct cf_refusal *refusal, enum cf_kind kind, const char *text)
{
    refusal->kind = kind;
    refusal->text = text;
}

/* An envelope that says no, or a status that is none of 2xx. The code counts where the array is `errors`. */
static void explain(struct cf *c, const struct web_answer *answer, const json_t *tree, struct cf_refusal *refusal)
{
    const char *own = tree ? tree_text(c->p, tree, "errors.0.message", "") : "", *title = NULL;
    refusal->code = (long)tree_integer(tree, "errors.0.code", 0);
    const struct meaning *m = find_meaning(answer->status, refusal->code, own);
    if (m->code == 0 && tree_integer(tree, "errors.0.error_chain.0.code", 0) == 6111)
        m = find_meaning(answer->status, 6111, own);
    if (!tree && (title = web_message(c->p, answer)))
        own = title;
    const char *code = refusal->code ? belfry_print(c->p, ", code %ld", refusal->code) : "";
    const char *html = !tree && answer->body_size > 0 ? " with no JSON" : "";
    refuse(refusal, m->kind,
           belfry_print(c->p, "%s answered %ld%s%s: %s%s%s%s%s", answer->what, answer->status, code, html, m->text,
                        how_long(c, answer), *own ? " ('" : "", cf_words(c, own), *own ? "')" : ""));
    refusal->reached = answer->status < 500;
}

/* ---- the limit ------------------------------------------------------------------------------------------------- */

static void heed_limit(struct cf *c, const struct web_answer *answer)
{
    if (answer->status == 429) {
        double wait_s = answer->retry_after_s >= 0 ? fmin(answer->retry_after_s, WAIT_MAX_S) : WAIT_DEFAULT_S;
        belfry_keep(c->p, "wait", belfry_print(c->p, "%lld", (long long)(c->now + (int64_t)ceil(wait_s))));
        c->stopped = "Cloudflare refuses more calls for now (429)";
        c->rate_left = 0;
        return;
    }
    if (!(answer->rate_limit > 0) || answer->rate_remaining < 0)
        return;
    double left = 100 * answer->rate_remaining / answer->rate_limit;
    c->rate_left = fmin(c->rate_left, left);
    if (left < KEEP_FREE_PERCENT && !c->stopped)
        c->stopped = belfry_print(c->p, "only %.0f of %.0f calls are left of the rate limit, for the next %s",
                                  answer->rate_remaining, answer->rate_limit,
                                  say_seconds(c->p, fmax(0, fmin(answer->rate_reset_s, 1e6))));
}

static const char *reason_to_stop(struct cf *c)
{
    const char *kept = belfry_kept(c->p, "wait");
    int64_t until = kept ? strtoll(kept, NULL, 10) : 0;
    if (until <= c->now || until > c->now + WAIT_MAX_S)
        return NULL;
    c->rate_left = 0;
    return belfry_print(c->p, "Cloudflare has asked to wait (429), for %s more",
                        say_seconds(c->p, (double)(until - c->now)));
}

/* True when the calls may be made; else each of them is refused. */
static bool may_ask(struct cf *c, struct cf_call *calls, size_t count)
{
    if (!c->stopped)
        c->stopped = reason_to_stop(c);
    const char *why = c->stopped;
    if (!why && c->calls + (int64_t)count > c->calls_max)
        why = belfry_print(c->p, "max_calls (%lld) would be exceeded", (long long)c->calls_max);
    for (size_t i = 0; why && i < count; i++)
        calls[i].refusal = (struct cf_refusal){ CF_LATER, true, 0, 0, belfry_print(c->p, "not asked: %s", why) };
    return !why;
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

struct batch {
    struct cf *c;
    struct cf_call *calls[BATCH_MAX];
};

static void read_envelope(struct cf *c, const struct web_answer *answer, struct cf_call *call)
{
    struct cf_refusal *refusal = &call->refusal;
    const char *why = NULL;
    bool good = answer->status >= 200 && answer->status < 300;
    call->tree = tree_read(c->p, answer, &why);
    if (call->tree && !json_is_object(call->tree)) {
        json_decref(call->tree);
        call->tree = NULL;
        why = belfry_print(c->p, "%s answered with no object", answer->what);
    }
    const json_t *success = tree_at(call->tree, "success");
    call->result = tree_at(call->tree, "result");
    if (!good || json_is_false(success))
        explain(c, answer, call->tree, refusal);
    else if (!call->tree)
        refuse(refusal, CF_ODD, why);
    else if (!json_is_true(success))
        refuse(refusal, CF_ODD,
               belfry_print(c->p, "%s answered without saying success: is it Cloudflare's API?", answer->what));
    else if (!call->result || json_is_null(call->result))
        refuse(refusal, CF_ODD, belfry_print(c->p, "%s answered success without a result", answer->what));
}

static void read_call(struct cf *c, const struct web_answer *answer, struct cf_call *call)
{
    c->calls++;
    c->api_s += answer->total_s;
    call->refusal = (struct cf_refusal){ .kind = CF_FINE, .reached = true, .status = answer->status };
    if (answer->end == WEB_ANSWERED) {
        heed_limit(c, answer);
        read_envelope(c, answer, call);
        return;
    }
    call->refusal.reached = answer->end != WEB_UNREACHABLE;
    refuse(&call->refusal, answer->end == WEB_UNREACHABLE ? CF_LATER : CF_ODD,
           belfry_print(c->p, "%s: %s", answer->what, answer->why));
}

static void on_answer(void *context, size_t i, const struct web_answer *answer)
{
    struct batch *b = context;
    read_call(b->c, answer, b->calls[i]);
}

static void ask_some(struct cf *c, struct batch *b, size_t count)
{
    const char *paths[BATCH_MAX];
    for (size_t i = 0; i < count; i++) {
        paths[i] = b->calls[i]->path;
        json_decref(b->calls[i]->tree);
        b->calls[i]->tree = NULL;
        b->calls[i]->result = NULL;
    }
    web_ask_all(c->client, paths, count, AT_ONCE, on_answer, b);
}

/* 403 with 10000 comes now and then during trouble at Cloudflare, and always when a scope is missing. */
static bool may_pass(const struct cf_call *call)
{
    return call->refusal.kind == CF_SCOPE && call->refusal.code == 10000;
}

void cf_ask(struct cf *c, struct cf_call *calls, size_t count)
{
    struct batch b = { .c = c };
    size_t n = 0;
    if (count > BATCH_MAX || !may_ask(c, calls, count))
        return;
    for (size_t i = 0; i < count; i++)
        b.calls[i] = &calls[i];
    ask_some(c, &b, count);
    for (size_t i = 0; i < count; i++)
        if (may_pass(&calls[i]))
            b.calls[n++] = &calls[i];
    if (n > 0 && !c->stopped && c->calls + (int64_t)n <= c->calls_max)
        ask_some(c, &b, n);
}

void cf_done(struct cf_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(calls[i].tree);
        calls[i].tree = NULL;
        calls[i].result = NULL;
    }
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

static const char *page_problem(struct cf *c, const struct cf_call *call, int64_t page, bool more)
{
    if (!json_is_array(call->result))
        return belfry_print(c->p, "GET %.100s answered without a list", call->path);
    if (tree_integer(call->tree, "result_info.page", page) != page)
        return belfry_print(c->p, "GET %.100s came back as another page", call->path);
    return more && json_array_size(call->result) == 0 ? belfry_print(c->p, "GET %.100s came back empty", call->path)
                                                      : NULL;
}

/* Whether another page follows; without a number of pages, a page that is not full is the last. */
static bool goes_on(const struct cf_call *call, int64_t page, int64_t asked)
{
    int64_t pages = tree_integer(call->tree, "result_info.total_pages", -1);
    int64_t size = tree_integer(call->tree, "result_info.per_page", asked);
    if (pages >= 0)
        return page < pages;
    return size > 0 && (int64_t)json_array_size(call->result) >= size;
}

static int64_t size_asked(const char *path)
{
    const char *at = strstr(path, "per_page=");
    return at ? strtoll(at + strlen("per_page="), NULL, 10) : INT64_MAX;
}

bool cf_list_read(struct cf *c, struct cf_list *list, const char *path, const char *right)
{
    bool more = true;
    *list = (struct cf_list){ 0 };
    for (int64_t page = 1; more && list->count < CF_PAGES_MAX; page++) {
        struct cf_call *call = &list->pages[list->count];
        call->path = belfry_print(c->p, "%spage=%lld", path, (long long)page);
        call->right = right;
        cf_ask(c, call, 1);
        list->count++;
        list->refusal = call->refusal;
        if (call->refusal.kind != CF_FINE)
            return false;
        more = goes_on(call, page, size_asked(path));
        const char *wrong = page_problem(c, call, page, more);
        if (wrong) {
            refuse(&list->refusal, CF_ODD, wrong);
            return false;
        }
    }
    if (more)
        refuse(&list->refusal, CF_ODD, belfry_print(c->p, "GET %.100s has more than %d pages", path, CF_PAGES_MAX));
    return !more;
}

const json_t *cf_list_next(struct cf_list *list)
{
    while (list->page < list->count) {
        const json_t *item = json_array_get(list->pages[list->page].result, list->item++);
        if (item)
            return item;
        list->page++;
        list->item = 0;
    }
    list->page = list->item = 0;
    return NULL;
}

void cf_list_done(struct cf_list *list)
{
    cf_done(list->pages, list->count);
    list->count = 0;
}

/* ---- GraphQL --------------------------------------------------------------------------------------------------- */

/* Errors come with status 200 there, and data beside them. */
json_t *cf_graphql(struct cf *c, const char *query, const char *right, struct cf_refusal *refusal)
{
    struct cf_call call = { .path = "/graphql", .right = right };
    if (!may_ask(c, &call, 1)) {
        *refusal = call.refusal;
        return NULL;
    }
    json_t *body = json_pack("{s:s}", "query", query);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    const struct web_answer *answer = web_ask(c->client, "POST", call.path, text ? text : "{}");
    free(text);
    json_decref(body);
    read_call(c, answer, &call);
    *refusal = call.refusal;
    const char *wrong = tree_text(c->p, call.tree, "errors.0.message", NULL);
    bool good = answer->end == WEB_ANSWERED && answer->status == 200 && call.tree;
    if (good && wrong) {
        const char *code = tree_text(c->p, call.tree, "errors.0.extensions.code", "");
        bool scope =
            strcmp(code, "authz") == 0 || strstr(wrong, "not authorized") || strstr(wrong, "does not have access");
        refuse(refusal, scope ? CF_SCOPE : CF_ODD, belfry_print(c->p, "POST /graphql says '%s'", cf_words(c, wrong)));
    } else if (good && json_is_object(tree_at(call.tree, "data"))) {
        refusal->kind = CF_FINE;
        return call.tree;
    }
    json_decref(call.tree);
    return NULL;
}
