/* SPDX-License-Identifier: GPL-3.0-or-later */
/* provision - is there a server for each service that was paid for?
 *
 * Paymenter sets a service to active before its worker has asked the panel for a server, and leaves it active when that
 * fails. The only proof is the panel (Pterodactyl, Pelican's older API): its server's external_id is the service's id.
 * So the services that changed lately and whose product has a server are looked up there, one small request each, at
 * most `panel_calls` a run. What was found is kept and not asked for again; what is missing is kept and asked for until
 * it is there, however old it gets. 404 in the panel's own words means missing; no other answer does.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/say.h"
#include "plugins/paymenter/shop.h"

#define SERVICES_MAX 1024
#define KEPT_MAX 4000 /* bytes of one kept value */
#define FOUND_KEYS 3  /* kept values for what was found */
#define SPARE_MS 1500 /* left to the run when no more is asked */

struct service {
    const char *id, *email, *product; /* email "" when unknown */
    int64_t since;                    /* active, as far as we know */
    bool wrong, settled; /* wrong: kept until it is right; settled: no more to do, it is right or none of ours */
};

struct search {
    struct shop *s;
    struct web_client *panel;
    const char *products; /* ",3,7,": ids of those with a server */
    const char *found;    /* ",41,42,": ids that have their server, of an earlier run */
    char *still;          /* the same for the next run */
    size_t still_size;
    struct service services[SERVICES_MAX];
    size_t count, asked, missing, strangers;
    bool more;           /* than fit */
    const char *trouble; /* why the panel is not asked any more */
};

/* ---- sets of ids in a text ----------------------------------------------------------------------------------- */

static bool has_id(struct search *f, const char *set, const char *id)
{
    return strstr(set, belfry_print(f->s->p, ",%s,", id)) != NULL;
}

static bool is_id(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits < 19 && text[digits] == '\0';
}

/* Remembers that a service has its server, as far as there is room. */
static void settle(struct search *f, const char *id)
{
    size_t length = strlen(id);
    if (f->still_size + length + 1 > FOUND_KEYS * KEPT_MAX)
        return;
    memcpy(f->still + f->still_size, id, length);
    f->still[f->still_size + length] = ',';
    f->still_size += length + 1;
}

/* ---- what to look for ---------------------------------------------------------------------------------------- */

static bool see_product(void *context, const json_t *page, const json_t *item)
{
    struct search *f = context;
    const char *id = tree_text(f->s->p, item, "id", "");
    (void)page;
    if (is_id(id))
        f->products = belfry_print(f->s->p, "%s%s,", f->products, id);
    return true;
}

/* The products that have a server: as configured, or all whose server_id has any digit (a null has none). */
static bool find_products(struct search *f)
{
    struct belfry_probe *p = f->s->p;
    struct shop_list list = { "provisioning", "products", "filter%5Bserver_id%5D=0,1,2,3,4,5,6,7,8,9&sort=id", 100,
                              see_product,    f };
    f->products = ",";
    for (size_t i = 0; i < belfry_count(p, "products"); i++)
        f->products = belfry_print(p, "%s%s,", f->products, belfry_item(p, "products", i));
    return belfry_has(p, "products") || shop_read(f->s, &list) != SHOP_REFUSED;
}

/* "42:1790000000 57:1790000600" of the last run: services that were not in order. */
static void recall(struct search *f)
{
    const char *kept = belfry_kept(f->s->p, "missing");
    while (kept && *kept && f->count < SERVICES_MAX) {
        size_t digits = strspn(kept, "0123456789");
        char *end = NULL;
        if (digits == 0 || digits > 18 || kept[digits] != ':')
            return;
        struct service one = { .id = say_copy(f->s->p, kept, digits), .email = "", .product = "", .wrong = true };
        one.since = strtoll(kept + digits + 1, &end, 10);
        f->services[f->count++] = one;
        kept = end + (*end == ' ');
    }
}

static struct service *find_service(struct search *f, const char *id)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->services[i].id, id) == 0)
            return &f->services[i];
    return NULL;
}

static void fill(struct search *f, struct service *one, const json_t *page, const json_t *item)
{
    const json_t *user = shop_included(f->s, page, item, "user", 0);
    const json_t *product = shop_included(f->s, page, item, "product", 0);
    one->email = tree_text(f->s->p, user, "attributes.email", "");
    one->product = tree_text(f->s->p, product, "attributes.name", "");
}

static bool see_active(void *context, const json_t *page, const json_t *item)
{
    struct search *f = context;
    struct shop *s = f->s;
    int64_t changed = shop_time(s, item, "attributes.updated_at", false);
    if (changed == 0)
        return true;
    if (changed < s->now - (int64_t)belfry_number(s->p, "look_back"))
        return false;
    const char *id = tree_text(s->p, item, "id", ""),
               *product = tree_text(s->p, item, "relationships.product.data.id", "");
    if (!shop_is(item, "active") || !has_id(f, f->products, product))
        return true;
    struct service *known = find_service(f, id);
    if (!is_id(id)) {
        s->unreadable++;
    } else if (known) {
        fill(f, known, page, item);
    } else if (has_id(f, f->found, id)) {
        settle(f, id);
    } else if (f->count == SERVICES_MAX) {
        f->more = true;
    } else {
        f->services[f->count] = (struct service){ .id = id, .since = changed };
        fill(f, &f->services[f->count++], page, item);
    }
    return true;
}

/* ---- asking the panel ---------------------------------------------------------------------------------------- */

/* States of a server that is no good to its owner. */
static const struct {
    const char *status;
    enum belfry_state state;
    const char *text;
} conditions[] = {
    { "install_failed", BELFRY_CRITICAL, "its server is there, but its installation failed" },
    { "reinstall_failed", BELFRY_CRITICAL, "its server is there, but its reinstallation failed" },
    { "suspended", BELFRY_WARNING, "active here, suspended on the panel" },
};

static const char *part_of(struct search *f, const struct service *one)
{
    return belfry_print(f->s->p, "service %s", one->id);
}

static void say_missing(struct search *f, const struct service *one, const char *what)
{
    f->missing++;
    if (++f->s->stuck > SHOP_STUCK_MAX)
        return;
    const char *part = part_of(f, one);
    belfry_part(f->s->p, part, BELFRY_OK, "active for %s, and %s%s%s", belfry_ago(f->s->p, one->since), what,
                *one->product ? ": " : "", one->product);
    belfry_measure_part(f->s->p, part, "unprovisioned", shop_age(f->s, one->since));
}

/* The server is there. Whose, and in which state? */
static void judge_server(struct search *f, struct service *one, const json_t *server)
{
    struct belfry_probe *p = f->s->p;
    const char *status = tree_text(p, server, "attributes.status", "");
    const char *owner = tree_text(p, server, "attributes.relationships.user.attributes.email", "");
    if (strcmp(status, "installing") == 0) {
        one->wrong = true;
        say_missing(f, one, "its server is still being installed");
        return;
    }
    bool fine = true;
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++)
        if (strcmp(status, conditions[i].status) == 0) {
            belfry_part(p, part_of(f, one), conditions[i].state, "%s", conditions[i].text);
            fine = false;
        }
    if (*owner && *one->email && strcasecmp(owner, one->email) != 0) {
        belfry_part(p, part_of(f, one), BELFRY_CRITICAL, "its server belongs to somebody else on the panel");
        f->strangers++;
        fine = false;
    }
    if (fine && one->wrong)
        belfry_event(p, "order.provisioned", part_of(f, one), "has its server, became active %s ago",
                     belfry_ago(p, one->since));
    one->settled = fine;
    one->wrong = !fine;
    if (fine)
        settle(f, one->id);
}

static void read_server(struct search *f, struct service *one, const struct web_answer *answer)
{
    const char *why = NULL;
    json_t *tree = tree_read(f->s->p, answer, &why);
    if (!tree)
        f->trouble = why;
    else if (strcmp(tree_text(f->s->p, tree, "attributes.external_id", ""), one->id) != 0)
        f->trouble = belfry_print(f->s->p, "%s answers with another server than the one asked for", answer->what);
    else
        judge_server(f, one, tree);
    json_decref(tree);
}

static void ask_panel(struct search *f, struct service *one)
{
    struct belfry_probe *p = f->s->p;
    const struct web_answer *answer =
        web_ask(f->panel, "GET", belfry_print(p, "/api/application/servers/external/%s?include=user", one->id), NULL);
    f->asked++;
    if (answer->end != WEB_ANSWERED)
        f->trouble = answer->why;
    else if (answer->status == 404 && shop_says(answer, "\"NotFoundHttpException\"")) {
        one->wrong = true;
        say_missing(f, one, "the panel has no server for it");
    } else if (answer->status == 429)
        f->trouble =
            belfry_print(p, "the panel wants fewer requests (status 429%s)",
                         answer->retry_after_s >= 0 ? belfry_print(p, ", again in %.0f s", answer->retry_after_s) : "");
    else if (answer->status == 401 || answer->status == 403)
        f->trouble = belfry_print(p,
                                  "the panel refuses the key in 'panel_token' (status %ld): it needs to read servers "
                                  "and users",
                                  answer->status);
    else if (answer->status != 200 || answer->cut)
        f->trouble = belfry_print(p, "%s: status %ld%s: is there a Pterodactyl panel at 'panel_url'?", answer->what,
                                  answer->status, answer->cut ? ", too long" : "");
    else
        read_server(f, one, answer);
}

/* A service that was missing and has left the list of the lately changed: is it active still? False when the run has
 * ended. */
static bool look_again(struct search *f, struct service *one)
{
    struct shop *s = f->s;
    const struct web_answer *answer =
        web_ask(s->client, "GET", belfry_print(s->p, "/api/v1/admin/services/%s", one->id), NULL);
    if (answer->end == WEB_ANSWERED && answer->status == 404 && shop_says(answer, "No query results")) {
        one->settled = true;
        return true;
    }
    if (shop_refused(s, answer))
        return false;
    const char *why = NULL;
    json_t *tree = tree_read(s->p, answer, &why);
    if (!tree) {
        belfry_unknown(s->p, "%s", why);
        s->ended = true;
    } else {
        one->settled = json_is_object(tree_at(tree, "data.attributes")) && !shop_is(tree_at(tree, "data"), "active");
    }
    json_decref(tree);
    return !s->ended;
}

/* Asks for as many as may be, the missing first; the others are missing as they were, or wait for the next run. */
static size_t look_up(struct search *f)
{
    int64_t most = belfry_integer(f->s->p, "panel_calls");
    size_t waiting = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct service *one = &f->services[i];
        bool may = !f->trouble && (int64_t)f->asked < most && belfry_left_ms(f->s->p) > SPARE_MS;
        if (may && one->wrong && !*one->product && !look_again(f, one))
            return 0;
        if (one->settled)
            continue;
        if (may)
            ask_panel(f, one);
        if ((!may || f->trouble) && one->wrong && !one->settled)
            say_missing(f, one, "was not in order when the panel was last asked");
        waiting += !may && !one->wrong;
    }
    return waiting;
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

/* A value has its bound, so the set is cut into several, after commas. */
static void keep_found(struct search *f)
{
    size_t at = 0;
    for (int i = 0; i < FOUND_KEYS; i++) {
        size_t length = strlen(f->still + at);
        while (length > KEPT_MAX || (length > 0 && f->still[at + length - 1] != ','))
            length--;
        belfry_keep(f->s->p, belfry_print(f->s->p, "found%d", i),
                    length ? say_copy(f->s->p, f->still + at, length) : NULL);
        at += length;
    }
}

static const char *recall_found(struct belfry_probe *p)
{
    const char *all = "";
    for (int i = 0; i < FOUND_KEYS; i++) {
        const char *kept = belfry_kept(p, belfry_print(p, "found%d", i));
        all = belfry_print(p, "%s%s", all, kept ? kept : "");
    }
    return all;
}

static void keep(struct search *f)
{
    const char *missing = "";
    for (size_t i = 0; i < f->count; i++)
        if (f->services[i].wrong && !f->services[i].settled && strlen(missing) < KEPT_MAX - 40)
            missing = belfry_print(f->s->p, "%s%s%s:%lld", missing, *missing ? " " : "", f->services[i].id,
                                   (long long)f->services[i].since);
    belfry_keep(f->s->p, "missing", *missing ? missing : NULL);
    keep_found(f);
}

static void conclude(struct search *f, enum shop_end end, size_t waiting)
{
    struct belfry_probe *p = f->s->p;
    belfry_measure(p, "unprovisioned_count", (double)f->missing);
    if (!f->trouble)
        belfry_measure(p, "owner_mismatch", (double)f->strangers);
    if (f->trouble)
        belfry_part(p, "provisioning", BELFRY_UNKNOWN, "can't be told: %s", f->trouble);
    else if (!f->products[1])
        belfry_part(p, "provisioning", BELFRY_UNKNOWN,
                    "no product has a server in Paymenter: write those of this panel into 'products'");
    else if (end == SHOP_CUT || f->more)
        belfry_part(p, "provisioning", BELFRY_UNKNOWN, "too many services changed lately: set a shorter 'look_back'");
    else
        belfry_part(p, "provisioning", BELFRY_OK, "%zu without a server, %zu asked for, %zu in the next runs",
                    f->missing, f->asked, waiting);
    if (waiting > 0)
        shop_sum_up(f->s, belfry_print(p, "%zu not looked up on the panel yet", waiting));
    if (f->missing > 0)
        shop_sum_up(f->s, belfry_print(p, "%zu active without a server", f->missing));
}

static void search(struct search *f)
{
    struct shop *s = f->s;
    struct shop_list list = { "provisioning",
                              "services",
                              s->users ? "filter%5Bstatus%5D=active&include=product,user&sort=-updated_at"
                                       : "filter%5Bstatus%5D=active&include=product&sort=-updated_at",
                              100,
                              see_active,
                              f };
    recall(f);
    if (!find_products(f))
        return;
    enum shop_end end = shop_read(s, &list);
    if (end == SHOP_REFUSED)
        return;
    size_t waiting = look_up(f);
    if (s->ended)
        return;
    keep(f);
    conclude(f, end, waiting);
}

void shop_provisioning(struct shop *s)
{
    struct belfry_probe *p = s->p;
    struct search *f = belfry_alloc(p, sizeof *f);
    struct web_setup setup = { .base = shop_base(p, "panel_url"),
                               .bearer = belfry_text(p, "panel_token"),
                               .plain_http = belfry_flag(p, "plain_http"),
                               .ca_file = belfry_text(p, "ca_file"),
                               .insecure = !belfry_flag(p, "tls_verify"),
                               .headers = { "Accept: application/json" } };
    f->s = s;
    f->found = recall_found(p);
    f->still = belfry_alloc(p, FOUND_KEYS * KEPT_MAX + 1);
    f->still[0] = ',';
    f->still_size = 1;
    f->panel = web_open(p, &setup);
    search(f);
    web_close(&f->panel);
}
