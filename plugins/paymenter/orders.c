/* SPDX-License-Identifier: GPL-3.0-or-later */
/* orders - what lies in the shop for too long: paid orders that are not active, what the daily cron should have ended
 * long ago, invoices, tickets.
 *
 * The API has neither the time of a payment nor the cron's own records. The payment is taken from the invoice's last
 * change; the cron is judged by its effects: active services that it should have suspended, suspended ones it should
 * have terminated, unpaid orders it should have cancelled, each with a day of grace, because expires_at is midnight in
 * the shop's own time zone and the cron runs once a day.
 */
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/paymenter/shop.h"

#define PAGE 100

/* ---- orders -------------------------------------------------------------------------------------------------- */

struct pending {
    struct shop *s;
    size_t waiting, paid, late;
    int64_t newest; /* order */
};

/* When the first of a service's invoices was paid; 0 when none was. */
static int64_t paid_at(struct shop *s, const json_t *page, const json_t *item)
{
    int64_t first = 0;
    for (size_t i = 0; i < shop_related(s, item, "invoices"); i++) {
        const json_t *invoice = shop_included(s, page, item, "invoices", i);
        s->unreadable += !invoice;
        if (!invoice || !shop_is(invoice, "paid"))
            continue;
        int64_t when = shop_time(s, invoice, "attributes.updated_at", false);
        if (when > 0 && (first == 0 || when < first))
            first = when;
    }
    return first;
}

static bool see_pending(void *context, const json_t *page, const json_t *item)
{
    struct pending *w = context;
    struct shop *s = w->s;
    if (!shop_is(item, "pending"))
        return true;
    int64_t paid = paid_at(s, page, item), created = shop_time(s, item, "attributes.created_at", false);
    int64_t grace = (int64_t)belfry_number(s->p, "cancel_after") + SHOP_DAY;
    w->waiting++;
    w->paid += paid > 0;
    w->late += paid == 0 && created > 0 && created < s->now - grace;
    if (paid > 0 && ++s->stuck <= SHOP_STUCK_MAX) {
        const char *part = belfry_print(s->p, "service %s", tree_text(s->p, item, "id", "?"));
        belfry_part(s->p, part, BELFRY_OK, "paid %s ago, and still pending", belfry_ago(s->p, paid));
        belfry_measure_part(s->p, part, "paid_not_active", shop_age(s, paid));
    }
    return true;
}

static bool see_order(void *context, const json_t *page, const json_t *item)
{
    struct pending *w = context;
    (void)page;
    w->newest = shop_time(w->s, item, "attributes.created_at", false);
    return false;
}

/* The state of a part for a list that may have been longer than what was read. */
static void say_list(struct shop *s, const char *kind, enum shop_end end, const char *text)
{
    if (end == SHOP_READ)
        belfry_part(s->p, kind, BELFRY_OK, "%s", text);
    else if (end == SHOP_CUT)
        belfry_part(s->p, kind, BELFRY_UNKNOWN, "%s, and more than could be looked at", text);
}

void shop_orders(struct shop *s)
{
    struct pending w = { .s = s };
    struct shop_list newest = { "sales", "orders", "sort=-created_at", 1, see_order, &w };
    struct shop_list list = { "orders", "services",  "filter%5Bstatus%5D=pending&include=invoices&sort=created_at",
                              PAGE,     see_pending, &w };
    enum shop_end end = shop_read(s, &newest);
    if (s->ended)
        return;
    if (end == SHOP_READ && w.newest > 0)
        belfry_measure(s->p, "order_age", shop_age(s, w.newest));
    end = shop_read(s, &list);
    if (end == SHOP_REFUSED)
        return;
    s->saw_orders = true;
    belfry_measure(s->p, "orders_pending", (double)w.waiting);
    belfry_measure(s->p, "overdue_pending", (double)w.late);
    say_list(s, "orders", end,
             belfry_print(s->p, "%zu pending, %zu of them paid, %zu unpaid for longer than they may be", w.waiting,
                          w.paid, w.late));
    shop_sum_up(s, belfry_print(s->p, "%zu order%s pending", w.waiting, w.waiting == 1 ? "" : "s"));
    if (w.paid > 0)
        shop_sum_up(s, belfry_print(s->p, "%zu paid but not active", w.paid));
}

/* ---- the cron by its effects --------------------------------------------------------------------------------- */

struct overdue {
    struct shop *s;
    const char *status;
    int64_t before;
    size_t count;
    int64_t oldest;
};

/* Sorted by expires_at: the first that is not overdue ends the list. One-time services have none. */
static bool see_overdue(void *context, const json_t *page, const json_t *item)
{
    struct overdue *o = context;
    int64_t expires = shop_time(o->s, item, "attributes.expires_at", true);
    (void)page;
    if (expires <= 0 || !shop_is(item, o->status))
        return true;
    if (expires >= o->before)
        return false;
    o->count++;
    if (o->oldest == 0 || expires < o->oldest)
        o->oldest = expires;
    return true;
}

static enum shop_end find_overdue(struct overdue *o)
{
    /* "20" is in every date of this century and in no null */
    const char *query =
        belfry_print(o->s->p, "filter%%5Bstatus%%5D=%s&filter%%5Bexpires_at%%5D=20&sort=expires_at", o->status);
    struct shop_list list = { "cron", "services", query, PAGE, see_overdue, o };
    return shop_read(o->s, &list);
}

void shop_cron(struct shop *s)
{
    int64_t suspend = (int64_t)belfry_number(s->p, "suspend_after") + SHOP_DAY;
    int64_t terminate = (int64_t)belfry_number(s->p, "terminate_after") + SHOP_DAY;
    struct overdue active = { s, "active", s->now - suspend, 0, 0 };
    struct overdue suspended = { s, "suspended", s->now - terminate, 0, 0 };
    enum shop_end first = find_overdue(&active);
    if (first == SHOP_REFUSED)
        return;
    enum shop_end second = find_overdue(&suspended);
    if (second == SHOP_REFUSED)
        return;
    belfry_measure(s->p, "overdue_active", (double)active.count);
    belfry_measure(s->p, "overdue_suspended", (double)suspended.count);
    const char *text = "nothing is left undone that the daily cron should have done";
    if (active.count + suspended.count > 0)
        text = belfry_print(s->p,
                            "%zu active service%s should have been suspended, %zu suspended terminated: the daily "
                            "cron does not do its work (the oldest expired %s ago)",
                            active.count, active.count == 1 ? "" : "s", suspended.count,
                            belfry_ago(s->p, active.oldest ? active.oldest : suspended.oldest));
    say_list(s, "cron", first == SHOP_CUT ? first : second, text);
    if (active.count + suspended.count > 0)
        shop_sum_up(s, belfry_print(s->p, "%zu left undone by the cron", active.count + suspended.count));
}

/* ---- invoices ------------------------------------------------------------------------------------------------ */

struct bills {
    struct shop *s;
    size_t open, overdue;
    int64_t oldest;
};

static bool see_invoice(void *context, const json_t *page, const json_t *item)
{
    struct bills *b = context;
    (void)page;
    if (!shop_is(item, "pending"))
        return true;
    int64_t due = shop_time(b->s, item, "attributes.due_at", true);
    b->open++;
    if (due <= 0 || due >= b->s->now)
        return true;
    b->overdue += due < b->s->now - (int64_t)belfry_number(b->s->p, "invoice_after");
    if (b->oldest == 0 || due < b->oldest)
        b->oldest = due;
    return true;
}

void shop_invoices(struct shop *s)
{
    struct bills b = { .s = s };
    struct shop_list list = { "invoices", "invoices",  "filter%5Bstatus%5D=pending&sort=created_at",
                              PAGE,       see_invoice, &b };
    enum shop_end end = shop_read(s, &list);
    if (end == SHOP_REFUSED)
        return;
    belfry_measure(s->p, "invoices_pending", (double)b.open);
    belfry_measure(s->p, "invoices_overdue", (double)b.overdue);
    belfry_measure(s->p, "invoice_overdue", b.oldest ? shop_age(s, b.oldest) : 0);
    const char *oldest = b.oldest ? belfry_print(s->p, ", the oldest due %s ago", belfry_ago(s->p, b.oldest)) : "";
    say_list(s, "invoices", end, belfry_print(s->p, "%zu pending, %zu long overdue%s", b.open, b.overdue, oldest));
    if (b.overdue > 0)
        shop_sum_up(s, belfry_print(s->p, "%zu invoice%s long overdue", b.overdue, b.overdue == 1 ? "" : "s"));
}

/* ---- tickets ------------------------------------------------------------------------------------------------- */

struct desk {
    struct shop *s;
    int64_t since;
};

static bool see_ticket(void *context, const json_t *page, const json_t *item)
{
    struct desk *d = context;
    (void)page;
    if (!shop_is(item, "open"))
        return true;
    d->since = shop_time(d->s, item, "attributes.updated_at", false);
    return d->since <= 0;
}

void shop_tickets(struct shop *s)
{
    struct desk d = { .s = s };
    struct shop_list list = { "tickets", "tickets", "filter%5Bstatus%5D=open&sort=updated_at", 20, see_ticket, &d };
    enum shop_end end = shop_read(s, &list);
    if (end == SHOP_REFUSED)
        return;
    belfry_measure(s->p, "ticket_wait", d.since > 0 ? shop_age(s, d.since) : 0);
    say_list(s, "tickets", end,
             d.since > 0
                 ? belfry_print(s->p, "the oldest without an answer has waited for %s", belfry_ago(s->p, d.since))
                 : "none waits for an answer");
}
