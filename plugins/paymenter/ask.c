/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ask - requests to Paymenter's admin API: what its refusals mean, and lists page by page.
 *
 * Refusals are told apart by words of their bodies (doc/plugins/paymenter.md lists them). Lists are JSON:API: the end
 * is the page without "links.next", whose address is never followed because it has lost filter, sort and size.
 */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/paymenter/shop.h"

#define PAGES_MAX 10

/* ---- refusals ------------------------------------------------------------------------------------------------ */

static const struct {
    long status;
    const char *words; /* in the body; NULL: whatever it has */
    enum belfry_state state;
    const char *text;
} refusals[] = {
    { 401, "missing a valid bearer token", BELFRY_CRITICAL,
      "Paymenter saw no key: the web server or proxy drops the Authorization header, or 'token' is not an admin key "
      "(PAYM...)" },
    { 401, "invalid or has been disabled", BELFRY_CRITICAL,
      "the key in 'token' is wrong or disabled: see Admin > API" },
    { 401, NULL, BELFRY_CRITICAL,
      "something in front of Paymenter wants another login (basic authentication of a proxy?)" },
    { 403, "do not have permission to access this resource", BELFRY_CRITICAL,
      "the key may not be used from this address, or is no admin key: see its IP addresses in Admin > API, and "
      "'trusted_proxies' when a proxy is in front" },
    { 403, "This action is unauthorized", BELFRY_CRITICAL, "the key in 'token' lacks the right" },
    { 403, NULL, BELFRY_CRITICAL, "not Paymenter's own refusal: a firewall or proxy in front keeps Belfry out" },
    { 404, "The route api", BELFRY_UNKNOWN, "no admin API: Paymenter before 1.2, or 0.x, is not supported" },
    { 404, NULL, BELFRY_UNKNOWN, "no Paymenter at this address, or one before 1.2: see 'url'" },
};

bool shop_says(const struct web_answer *answer, const char *text)
{
    return strstr(answer->body, text) != NULL;
}

/* APP_DEBUG shows files, queries and settings to everybody who can make an error happen. */
static void look_for_debug(struct shop *s, const struct web_answer *answer)
{
    if (answer->status >= 400 && shop_says(answer, "\"exception\":") && shop_says(answer, "\"trace\":"))
        belfry_part(s->p, "debug", BELFRY_CRITICAL,
                    "APP_DEBUG is on: errors show the program's inside to everybody; set APP_DEBUG=false in .env");
}

/* What "php artisan down" answers; kept, so that its length is known. */
static bool is_maintenance(struct shop *s, const struct web_answer *answer)
{
    if (answer->end != WEB_ANSWERED || answer->status != 503 || !shop_says(answer, "\"Service Unavailable\""))
        return false;
    const char *kept = belfry_kept(s->p, "maintenance");
    int64_t since = kept ? strtoll(kept, NULL, 10) : 0, grace = (int64_t)belfry_number(s->p, "maintenance_grace");
    if (since <= 0 || since > s->now) {
        since = s->now;
        belfry_event(s->p, "maintenance.started", NULL, "Paymenter is in maintenance mode");
    }
    belfry_keep(s->p, "maintenance", belfry_print(s->p, "%lld", (long long)since));
    belfry_measure(s->p, "maintenance", (double)(s->now - since));
    const char *text = "in maintenance mode (php artisan down), seen for";
    if (s->now - since < grace)
        belfry_ok(s->p, "%s %s; nothing else was looked at", text, belfry_ago(s->p, since));
    else
        belfry_warning(s->p, "%s %s; nothing else was looked at", text, belfry_ago(s->p, since));
    return true;
}

const char *shop_base(struct belfry_probe *p, const char *option)
{
    const char *url = belfry_text(p, option);
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/')
        length--;
    return say_copy(p, url, length);
}

static bool refuse(struct shop *s, const struct web_answer *answer)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i].status != answer->status || (refusals[i].words && !shop_says(answer, refusals[i].words)))
            continue;
        const char *what = belfry_print(s->p, "%s: status %ld: %s", answer->what, answer->status, refusals[i].text);
        if (refusals[i].state == BELFRY_CRITICAL)
            belfry_critical(s->p, "%s", what);
        else
            belfry_unknown(s->p, "%s", what);
        return true;
    }
    return false;
}

bool shop_refused(struct shop *s, const struct web_answer *answer)
{
    if (answer->end == WEB_ANSWERED)
        look_for_debug(s, answer);
    s->ended = is_maintenance(s, answer) || (answer->end == WEB_ANSWERED && refuse(s, answer)) ||
               web_refused(s->p, answer, "Paymenter", "the key in 'token'");
    return s->ended;
}

/* ---- what is said of it -------------------------------------------------------------------------------------- */

void shop_sum_up(struct shop *s, const char *piece)
{
    s->summary = s->summary ? belfry_print(s->p, "%s, %s", s->summary, piece) : piece;
}

int64_t shop_time(struct shop *s, const json_t *item, const char *path, bool may_be_null)
{
    int64_t when = tree_time(item, path);
    if (when <= 0 && !(may_be_null && json_is_null(tree_at(item, path))))
        s->unreadable++;
    return when > 0 ? when : 0;
}

double shop_age(const struct shop *s, int64_t when)
{
    return s->now > when ? (double)(s->now - when) : 0;
}

bool shop_is(const json_t *item, const char *status)
{
    const char *text = json_string_value(tree_at(item, "attributes.status"));
    return text && strcmp(text, status) == 0;
}

/* ---- lists --------------------------------------------------------------------------------------------------- */

/* A right that is missing is no reason to give up the rest. */
static bool lacks_right(struct shop *s, const struct shop_list *list, const struct web_answer *answer)
{
    if (answer->end != WEB_ANSWERED)
        return false;
    if (answer->status == 403 && shop_says(answer, "This action is unauthorized")) {
        belfry_part(s->p, list->kind, BELFRY_WARNING, "not looked at: the key lacks the right admin.%s.view",
                    list->resource);
        s->refused++;
        return true;
    }
    if (answer->status != 400)
        return false;
    bool include = shop_says(answer, "Requested include(s)");
    const char *message = web_message(s->p, answer);
    s->refused += include;
    belfry_part(s->p, list->kind, include ? BELFRY_WARNING : BELFRY_UNKNOWN, "not looked at: %s: %s",
                include ? "the key lacks the right to see what belongs to it" : "this version refuses the question",
                message ? message : "no words");
    return true;
}

static void fail(struct shop *s, const struct web_answer *answer, const char *what)
{
    belfry_unknown(s->p, "%s: %s", answer->what, what);
    s->ended = true;
}

/* The tree of a page, or NULL with the verdict said. */
static json_t *parse(struct shop *s, const struct web_answer *answer, int page)
{
    const char *why = NULL;
    json_t *tree = tree_read(s->p, answer, &why);
    if (!tree) {
        belfry_unknown(s->p, "%s", why);
        s->ended = true;
        return NULL;
    }
    int64_t at = tree_integer(tree, "meta.current_page", page);
    if (!json_is_array(tree_at(tree, "data")))
        fail(s, answer, "the answer has no list 'data': not Paymenter's admin API");
    else if (at != page)
        fail(s, answer, belfry_print(s->p, "asked for page %d, got %lld: a cache in between?", page, (long long)at));
    if (!s->ended)
        return tree;
    json_decref(tree);
    return NULL;
}

/* Gives the items away; false when visit has seen enough. */
static bool visit_all(struct shop *s, const struct shop_list *list, const struct web_answer *answer, const json_t *tree)
{
    for (size_t i = 0; i < tree_count(tree, "data"); i++) {
        const json_t *item = tree_item(tree, "data", i);
        if (!json_is_object(tree_at(item, "attributes")) || !*tree_text(s->p, item, "id", "")) {
            fail(s, answer, "an item has no id or no attributes: not Paymenter's admin API");
            return false;
        }
        if (!list->visit(list->context, tree, item))
            return false;
    }
    return true;
}

enum shop_end shop_read(struct shop *s, const struct shop_list *list)
{
    s->asked++;
    for (int page = 1; page <= PAGES_MAX; page++) {
        const char *path = belfry_print(s->p, "/api/v1/admin/%s?%s&per_page=%d&page=%d", list->resource, list->query,
                                        list->per_page, page);
        const struct web_answer *answer = web_ask(s->client, "GET", path, NULL);
        if (lacks_right(s, list, answer) || shop_refused(s, answer))
            return SHOP_REFUSED;
        json_t *tree = parse(s, answer, page);
        if (!tree)
            return SHOP_REFUSED;
        bool more = visit_all(s, list, answer, tree) && *tree_text(s->p, tree, "links.next", "");
        json_decref(tree);
        if (!more)
            return s->ended ? SHOP_REFUSED : SHOP_READ;
    }
    return SHOP_CUT;
}

/* ---- what is included ---------------------------------------------------------------------------------------- */

static const json_t *relation_at(struct shop *s, const json_t *item, const char *relation)
{
    return tree_at(item, belfry_print(s->p, "relationships.%s.data", relation));
}

size_t shop_related(struct shop *s, const json_t *item, const char *relation)
{
    const json_t *data = relation_at(s, item, relation);
    return json_is_array(data) ? json_array_size(data) : json_is_object(data);
}

const json_t *shop_included(struct shop *s, const json_t *page, const json_t *item, const char *relation, size_t i)
{
    const json_t *data = relation_at(s, item, relation);
    const json_t *link = json_is_array(data) ? json_array_get(data, i) : i == 0 ? data : NULL;
    const char *type = link ? json_string_value(tree_at(link, "type")) : NULL;
    int64_t id = type ? tree_integer(link, "id", -1) : -1;
    for (size_t k = 0; id >= 0 && k < tree_count(page, "included"); k++) {
        const json_t *one = tree_item(page, "included", k);
        const char *its = json_string_value(tree_at(one, "type"));
        if (its && strcmp(its, type) == 0 && tree_integer(one, "id", -1) == id)
            return one;
    }
    return NULL;
}
