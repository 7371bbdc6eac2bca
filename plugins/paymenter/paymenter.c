/* SPDX-License-Identifier: GPL-3.0-or-later */
/* paymenter - a Paymenter shop (1.2 or newer) by its web pages and its admin API: does it answer, may we look, what
 * lies about for too long, and was what is paid for delivered?
 *
 * A ladder: the page customers see; the API without a key, which must refuse with Paymenter's own words; with a key
 * that is none where no key is configured (that takes a look into the database); with the key. Then one kind of
 * findings after the other, each with a part; then the shop's tables, where an account for them is given (books.c). An
 * order that is stuck has a part of its own. A right that the key lacks makes a WARNING of one part, and a CRITICAL
 * verdict when it lacks all.
 *
 * Diagnostics: refusals are explained in ask.c. What the API doesn't show (cron and queue themselves, failed jobs,
 * mail, payments and gateways) is said to be not looked at without SQL, never to be well.
 */
#include <string.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"
#include "plugins/paymenter/shop.h"

#define JUNK_KEY "PAYM0000000000000000000000000000000000000000000000000000000000000000"

/* The first ones are those of looks[], in its order; the others are asked by SQL. */
static const char *const kinds[] = { "orders",    "cron",       "invoices", "tickets",     "provisioning",
                                     "scheduler", "daily cron", "queue",    "failed jobs", "mail",
                                     "payments",  "gateways",   NULL };

static const struct belfry_option options[] = {
    { "url", BELFRY_URL, "Where the shop is", .required = true, .example = "https://billing.example.net" },
    { "token", BELFRY_TEXT, "Key of the admin API (PAYM...); without it only the ladder's first steps are made",
      .secret = true, .example = "@paymenter" },
    { "page", BELFRY_TEXT, "The page that is asked for as customers do", .fallback = "/", .example = "/products" },
    { "company", BELFRY_TEXT, "Text that must be in that page: the company's name", .example = "Example Hosting" },
    { "skip", BELFRY_TEXT, "What is not looked at", .list = true, .choices = kinds, .example = "tickets" },
    { "cancel_after", BELFRY_DURATION, "Paymenter's own setting: unpaid orders are cancelled after", .fallback = "7d",
      .example = "14d" },
    { "suspend_after", BELFRY_DURATION, "Paymenter's own setting: overdue services are suspended after",
      .fallback = "2d", .example = "4d" },
    { "terminate_after", BELFRY_DURATION, "Paymenter's own setting: overdue services are terminated after",
      .fallback = "14d", .example = "30d" },
    { "invoice_after", BELFRY_DURATION, "A pending invoice counts as long overdue so long after it was due",
      .fallback = "15d", .example = "30d" },
    { "maintenance_grace", BELFRY_DURATION, "How long maintenance mode is no warning", .fallback = "0s",
      .example = "15m" },
    { "webhooks", BELFRY_TEXT, "Gateways whose webhook is tried with a call that must be refused (a POST)",
      .list = true, .choices = (const char *const[]){ "stripe", NULL }, .example = "stripe" },
    { "panel_url", BELFRY_URL, "The Pterodactyl panel, to tell delivered services from those only called active",
      .example = "https://panel.example.net" },
    { "panel_token", BELFRY_TEXT, "Application key of the panel that may read servers and users", .secret = true,
      .example = "@panel" },
    { "panel_calls", BELFRY_INTEGER, "How many services are looked up on the panel in one run", .fallback = "20",
      .example = "10" },
    { "look_back", BELFRY_DURATION, "Services that changed within this time are looked up", .fallback = "7d",
      .example = "2d" },
    { "products", BELFRY_INTEGER, "Ids of the products whose services live on that panel; else all with a server",
      .list = true, .example = "3" },
    { "plain_http", BELFRY_FLAG,
      "Whether tokens may go over http:// to another host, where all in between can read them", .fallback = "false",
      .example = "true" },
    { "sql_host", BELFRY_HOST, "Host of the shop's MariaDB or MySQL, for what the API does not show",
      .example = "db1.example.net" },
    { "sql_port", BELFRY_PORT, "TCP port of that server", .fallback = "3306", .example = "3307" },
    { "sql_socket", BELFRY_PATH, "Unix socket of that server, instead of host and port",
      .example = "/run/mysqld/mysqld.sock" },
    { "sql_user", BELFRY_TEXT, "Account that can only read; doc/plugins/paymenter.md has the statements that create it",
      .fallback = "belfry_shop", .example = "belfry_shop" },
    { "sql_password", BELFRY_TEXT, "Password of that account; none for unix_socket authentication", .secret = true,
      .example = "@paymenter-sql" },
    { "sql_database", BELFRY_TEXT, "Database of the shop", .fallback = "paymenter", .example = "billing" },
    { "sql_tls", BELFRY_FLAG, "Talk to it over TLS only, with a certificate that is verified against CA and host name",
      .fallback = "false", .example = "true" },
    { "sql_tls_ca", BELFRY_PATH, "File of the authorities to trust there, instead of the system's",
      .example = "/etc/ssl/mariadb-ca.pem" },
    { "sql_tls_cert", BELFRY_PATH, "Certificate to show to it", .example = "/etc/belfry/mariadb.crt" },
    { "sql_tls_key", BELFRY_PATH, "Key of that certificate", .example = "/etc/belfry/mariadb.key" },
    { "sql_tls_name", BELFRY_TEXT, "Name that its certificate must bear, instead of the host's",
      .example = "db1.example.net" },
    { "failed_within", BELFRY_DURATION, "Jobs that failed within this time count", .fallback = "1d", .example = "2h" },
    { "ca_file", BELFRY_PATH, "Certificates to trust instead of the system's", .example = "/etc/ssl/private-ca.pem" },
    { "tls_verify", BELFRY_FLAG, "Whether certificates are verified", .fallback = "true", .example = "false" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "time_web", "s", "Time of the customers' page", .warn = "2", .crit = "5", .min = "0" },
    { "time_api", "s", "Time of one authorised request", .warn = "2", .crit = "5", .min = "0" },
    { "rights_missing", "", "Lists that the key has no right to see", .min = "0" },
    { "maintenance", "s", "How long maintenance mode has been seen", .warn = "900", .crit = "3600", .min = "0" },
    { "order_age", "s", "Age of the newest order: silence in sales", .min = "0" },
    { "orders_pending", "", "Services that wait for their payment or activation", .min = "0" },
    { "orders_stuck", "", "Orders that are paid for and not delivered, as far as is known", .min = "0" },
    { "paid_not_active", "s", "How long ago a service was paid that is still pending, one part a service",
      .warn = "300", .crit = "900", .min = "0" },
    { "overdue_pending", "", "Unpaid orders that the daily cron should have cancelled a day ago", .warn = "0",
      .crit = "4", .min = "0" },
    { "overdue_active", "", "Active services that the daily cron should have suspended a day ago", .warn = "0",
      .crit = "4", .min = "0" },
    { "overdue_suspended", "", "Suspended services that the daily cron should have terminated a day ago", .warn = "0",
      .crit = "4", .min = "0" },
    { "invoices_pending", "", "Invoices that are not paid", .min = "0" },
    { "invoices_overdue", "", "Pending invoices that are long overdue", .min = "0" },
    { "invoice_overdue", "s", "How long the oldest pending invoice is overdue", .min = "0" },
    { "ticket_wait", "s", "How long the oldest open ticket waits for an answer", .warn = "43200", .crit = "86400",
      .min = "0" },
    { "unprovisioned", "s", "How long a service has been active without its server on the panel, one part a service",
      .warn = "300", .crit = "900", .min = "0" },
    { "unprovisioned_count", "", "Active services without their server on the panel", .min = "0" },
    { "owner_mismatch", "", "Servers that belong to another panel user than the service's customer", .crit = "0",
      .min = "0" },
    { "scheduler_age", "s", "Time since the scheduler ran (SQL)", .warn = "180", .crit = "600", .min = "0" },
    { "cron_age", "s", "Time since the daily cron ended well (SQL)", .warn = "90000", .crit = "176400", .min = "0" },
    { "cron_steps", "", "Kinds of work that the daily cron told of on its last day (SQL)",
      .warn = "8:", .crit = "1:", .min = "0" },
    { "queue_waiting", "", "Jobs that wait in the table (SQL)", .warn = "50", .crit = "500", .min = "0" },
    { "queue_oldest", "s", "How long the oldest of them waits (SQL)", .warn = "120", .crit = "600", .min = "0" },
    { "failed_server_jobs", "", "Jobs that change a server and failed within failed_within (SQL)", .crit = "0",
      .min = "0" },
    { "failed_jobs", "", "Other jobs that failed within failed_within (SQL)", .warn = "0", .min = "0" },
    { "failed_jobs_total", "", "Failed jobs that nobody has retried or forgotten (SQL)", .min = "0" },
    { "creation_failed", "", "Active services whose server was not created, where no panel is asked (SQL)", .crit = "0",
      .min = "0" },
    { "mails_failed", "", "Mails that failed within an hour (SQL)", .warn = "0", .crit = "9", .min = "0" },
    { "mail_wait", "s", "How long the oldest mail waits (SQL)", .warn = "600", .crit = "3600", .min = "0" },
    { "invoices_unbooked", "", "Invoices that are pending although their payments succeeded (SQL)", .warn = "0",
      .min = "0" },
    { "payments_failed_percent", "%", "Share of a day's payments that failed, one part a gateway, from 5 on (SQL)",
      .warn = "20", .crit = "50", .min = "0", .max = "100" },
    { "payments_stuck", "", "Payments in process for more than 3 days, one part a gateway (SQL)", .warn = "0",
      .min = "0" },
    { "payment_age", "s", "Time since the last payment, of all and one part a gateway (SQL)", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "stuck", "Orders: paid for and not delivered", "orders_stuck unprovisioned_count creation_failed",
      .style = BELFRY_LINES },
    { "queue", "Queue: how long the oldest job and mail wait", "queue_oldest mail_wait", .style = BELFRY_LINES },
    { "jobs", "Jobs: waiting and failed", "queue_waiting failed_server_jobs failed_jobs", .style = BELFRY_LINES },
    { "orders", "Orders and invoices pending", "orders_pending invoices_pending invoices_overdue",
      .style = BELFRY_LINES },
    { "times", "Response times of page and API", "time_web time_api", .style = BELFRY_LINES },
    BELFRY_END,
};

/* ---- the ladder ---------------------------------------------------------------------------------------------- */

/* A client with a key, or without; header is one more to send, or NULL. */
static struct web_client *open_client(struct belfry_probe *p, const char *bearer, const char *header)
{
    struct web_setup setup = { .base = shop_base(p, "url"),
                               .bearer = bearer,
                               /* the one that must be refused is no secret */
                               .plain_http = belfry_flag(p, "plain_http") || (bearer && strcmp(bearer, JUNK_KEY) == 0),
                               .ca_file = belfry_text(p, "ca_file"),
                               .insecure = !belfry_flag(p, "tls_verify"),
                               .headers = { "Accept: application/json", header } };
    return web_open(p, &setup);
}

static void end_run(struct shop *s)
{
    s->ended = true;
}

static void look_at_page(struct shop *s, struct web_client *anyone)
{
    struct belfry_probe *p = s->p;
    const char *company = belfry_text(p, "company");
    const struct web_answer *answer = web_ask(anyone, "GET", belfry_text(p, "page"), NULL);
    if (answer->end == WEB_ANSWERED && answer->status == 200 && answer->cut) /* more than enough of a page */
        belfry_detail(p, "the page is longer than was read");
    else if (shop_refused(s, answer))
        return;
    belfry_measure(p, "time_web", answer->total_s);
    if (answer->body_size == 0 || !strstr(answer->content_type, "html"))
        belfry_part(p, "web", BELFRY_CRITICAL, "%s answers with no web page", answer->what);
    else if (company && !shop_says(answer, company))
        belfry_part(p, "web", BELFRY_CRITICAL, "'%s' is not in the page: a proxy's default page, or a broken one?",
                    company);
    else
        belfry_part(p, "web", BELFRY_OK, "status %ld in %s", answer->status, say_seconds(p, answer->total_s));
}

/* The API must refuse, and in these words. */
static void expect_refusal(struct shop *s, struct web_client *client, const char *words)
{
    const struct web_answer *answer = web_ask(client, "GET", "/api/v1/admin/users?per_page=1", NULL);
    if (answer->end == WEB_ANSWERED && answer->status == 401 && shop_says(answer, words))
        return;
    if (answer->end == WEB_ANSWERED && answer->status == 200 && shop_says(answer, "\"data\"")) {
        belfry_critical(s->p, "the admin API shows users without a valid key");
        end_run(s);
    } else if (!shop_refused(s, answer)) {
        belfry_unknown(s->p, "%s without a key: status %ld with '%s': not Paymenter's admin API", answer->what,
                       answer->status, say_excerpt(s->p, answer->body, answer->body_size));
        end_run(s);
    }
}

/* Stripe's is the only one whose refusal is known. */
static void try_webhooks(struct shop *s)
{
    if (!belfry_has(s->p, "webhooks"))
        return;
    struct web_client *stripe = open_client(s->p, NULL, "Stripe-Signature: t=0,v1=belfry");
    const struct web_answer *answer = web_ask(stripe, "POST", "/extensions/stripe/webhook", "{}");
    web_close(&stripe);
    if (answer->end != WEB_ANSWERED) {
        shop_refused(s, answer);
    } else if (answer->status == 400 && shop_says(answer, "Invalid signature")) {
        belfry_part(s->p, "webhook stripe", BELFRY_OK, "can be reached, and refuses a false signature");
    } else {
        belfry_part(s->p, "webhook stripe", BELFRY_CRITICAL,
                    "answers a false signature with status %ld instead of 400 'Invalid signature': payments won't be "
                    "booked",
                    answer->status);
        shop_sum_up(s, "the webhook of stripe is broken");
    }
}

static void climb(struct shop *s)
{
    struct web_client *anyone = open_client(s->p, NULL, NULL), *stranger = NULL;
    look_at_page(s, anyone);
    if (!s->ended)
        expect_refusal(s, anyone, "missing a valid bearer token");
    if (!s->ended)
        try_webhooks(s);
    if (!s->ended && !belfry_has(s->p, "token")) {
        stranger = open_client(s->p, JUNK_KEY, NULL);
        expect_refusal(s, stranger, "invalid or has been disabled");
        web_close(&stranger);
    }
    web_close(&anyone);
}

/* ---- with the key -------------------------------------------------------------------------------------------- */

static bool see_user(void *context, const json_t *page, const json_t *item)
{
    (void)page;
    (void)item;
    *(size_t *)context = 1;
    return false;
}

/* The last rung. Without the right to see users there is no owner to compare, and the rest goes on. */
static void show_key(struct shop *s)
{
    size_t seen = 0;
    struct shop_list list = { "api", "users", "sort=id", 1, see_user, &seen };
    double begin = now_s();
    enum shop_end end = shop_read(s, &list);
    if (end == SHOP_REFUSED)
        return;
    double took = now_s() - begin;
    s->users = 1;
    belfry_measure(s->p, "time_api", took);
    if (seen)
        belfry_part(s->p, "api", BELFRY_OK, "the key is good, answered in %s", say_seconds(s->p, took));
    else
        belfry_part(s->p, "api", BELFRY_WARNING, "answers, but has no user at all: is its database the right one?");
}

bool shop_skipped(struct belfry_probe *p, const char *kind)
{
    for (size_t i = 0; i < belfry_count(p, "skip"); i++)
        if (strcmp(belfry_item(p, "skip", i), kind) == 0)
            return true;
    return strcmp(kind, "provisioning") == 0 && !belfry_has(p, "panel_url");
}

static void (*const looks[])(struct shop *s) = { show_key,      shop_orders,  shop_cron,
                                                 shop_invoices, shop_tickets, shop_provisioning };

static void look_inside(struct shop *s)
{
    for (size_t i = 0; i < sizeof looks / sizeof looks[0] && !s->ended; i++)
        if (i == 0 || !shop_skipped(s->p, kinds[i - 1]))
            looks[i](s);
}

static void end_maintenance(struct shop *s)
{
    if (!belfry_kept(s->p, "maintenance"))
        return;
    belfry_event(s->p, "maintenance.ended", NULL, "Paymenter has left maintenance mode");
    belfry_keep(s->p, "maintenance", NULL);
}

static bool has_books(struct belfry_probe *p)
{
    return belfry_has(p, "sql_host") || belfry_has(p, "sql_socket");
}

static void say_verdict(struct shop *s)
{
    struct belfry_probe *p = s->p;
    belfry_measure(p, "rights_missing", (double)s->refused);
    belfry_measure(p, "orders_stuck", (double)s->stuck);
    if (s->stuck > SHOP_STUCK_MAX)
        belfry_detail(p, "%zu more stuck orders have no part of their own", s->stuck - SHOP_STUCK_MAX);
    if (!has_books(p))
        belfry_detail(
            p, "not shown by the API: scheduler, queue, failed jobs, mail, payments, gateways: set sql_socket or "
               "sql_host");
    if (!belfry_has(p, "panel_url"))
        belfry_detail(p, "active services were not looked up on a panel: set panel_url (active is not delivered)");
    if (s->asked > 0 && s->refused == s->asked)
        belfry_critical(p, "the key in 'token' has no right to see anything: give it the admin.*.view rights");
    else if (s->unreadable > 0)
        belfry_unknown(p, "%zu values make no sense (times, ids, things left out)%s%s", s->unreadable,
                       s->summary ? "; else: " : "", s->summary ? s->summary : "");
    else if (s->refused > 0)
        belfry_warning(p, "the key in 'token' may not see %zu of %zu lists asked for%s%s", s->refused, s->asked,
                       s->summary ? "; " : "", s->summary ? s->summary : "");
    else
        belfry_ok(p, "shop and admin API answer%s%s%s", s->summary ? "; " : "", s->summary ? s->summary : "",
                  belfry_has(p, "token") ? "" : "; without 'token' nothing was looked at by the API");
}

/* What the option types can't say: NULL or what is wrong. */
static const char *problem(struct belfry_probe *p)
{
    int64_t calls = belfry_integer(p, "panel_calls");
    if (belfry_has(p, "panel_url") != belfry_has(p, "panel_token"))
        return "panel_url and panel_token belong together: give both or none";
    if (belfry_text(p, "page")[0] != '/')
        return "page must begin with '/': write the path of a page";
    if (calls < 1 || calls > 200)
        return "panel_calls must be 1 to 200";
    return shop_books_problem(p);
}

static void run(struct belfry_probe *p)
{
    struct shop s = { .p = p, .now = time(NULL) };
    const char *wrong = problem(p);
    if (wrong) {
        belfry_unknown(p, "%s", wrong);
        return;
    }
    climb(&s);
    if (s.ended)
        return;
    end_maintenance(&s);
    if (!belfry_has(p, "token") && !has_books(p)) {
        belfry_ok(p, "shop and admin API answer%s%s; without 'token' nothing inside was looked at",
                  s.summary ? "; " : "", s.summary ? s.summary : "");
        return;
    }
    if (belfry_has(p, "token")) {
        s.client = open_client(p, belfry_text(p, "token"), NULL);
        look_inside(&s);
        web_close(&s.client);
    }
    if (!s.ended && has_books(p))
        shop_books(&s);
    if (!s.ended)
        say_verdict(&s);
}

BELFRY_PLUGIN("paymenter", "1.0", "A Paymenter shop: pages, admin API, stuck and undelivered orders", options, metrics,
              run, .views = views, .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES,
              .description = "Needs a key of the shop: Admin > API > New, with these permissions only:\n"
                             "    admin.users.view admin.orders.view admin.services.view\n"
                             "    admin.invoices.view admin.products.view admin.tickets.view\n"
                             "Scheduler, queue, failed jobs, mail and payments are in the database only: "
                             "doc/plugins/paymenter.md has the GRANTs of an account for sql_socket or sql_host, and "
                             "the rights of a key for panel_url. Give it a timeout of 20 s.\n")
