/* SPDX-License-Identifier: GPL-3.0-or-later */
/* money - orders and payments by the tables: what is paid and not active (by the time of the payment, which the API has
 * not), what is paid and not booked, and how each gateway does.
 *
 * Money is booked by the gateways' callbacks only. A gateway whose callback is blocked leaves payments at "processing",
 * or makes none at all; bank debits are at "processing" for days by nature.
 */
#include "plugins/paymenter/books.h"

#include <math.h>

#include "plugins/common/say.h"

#define PROCESSING_DAYS 3
#define UNBOOKED_S 900
#define FEWEST 5 /* payments a day from which on a share of failures says something */

/* ---- orders -------------------------------------------------------------------------------------------------- */

void books_orders(struct books *b)
{
    struct shop *s = b->s;
    const struct sql_rows *rows = books_ask(
        b, "orders",
        "SELECT s.id, COALESCE(MAX(t.updated_at), MAX(v.updated_at)) AS paid FROM services s JOIN invoice_items i ON "
        "i.reference_id = s.id AND i.reference_type LIKE '%Models%Service' JOIN invoices v ON v.id = i.invoice_id AND "
        "v.status = 'paid' LEFT JOIN invoice_transactions t ON t.invoice_id = v.id AND t.status = 'succeeded' WHERE "
        "s.status = 'pending' GROUP BY s.id ORDER BY s.id LIMIT 1000");
    if (!rows)
        return;
    for (size_t i = 0; i < rows->count && i < SHOP_STUCK_MAX; i++) {
        int64_t paid = books_time(b, sql_cell(rows, i, "paid"));
        const char *id = sql_cell(rows, i, "id"), *part = belfry_print(s->p, "service %s", id ? id : "?");
        if (paid == 0)
            continue;
        belfry_part(s->p, part, BELFRY_OK, "paid %s ago, and still pending", belfry_ago(s->p, paid));
        belfry_measure_part(s->p, part, "paid_not_active", shop_age(s, paid));
    }
    if (s->saw_orders) /* the API has counted them */
        return;
    s->stuck += rows->count;
    belfry_part(s->p, "orders", BELFRY_OK, "%zu paid and still pending", rows->count);
    if (rows->count > 0)
        shop_sum_up(s, belfry_print(s->p, "%zu paid but not active", rows->count));
}

/* ---- payments ------------------------------------------------------------------------------------------------ */

void books_payments(struct books *b)
{
    struct shop *s = b->s;
    const struct sql_rows *rows = books_ask(
        b, "payments",
        belfry_print(
            s->p,
            "SELECT COUNT(*) AS unbooked, MIN(booked) AS oldest FROM (SELECT v.id, SUM(t.amount) AS amount, "
            "MAX(t.updated_at) AS booked, (SELECT SUM(i.price * i.quantity) FROM invoice_items i WHERE "
            "i.invoice_id = v.id) AS due FROM invoices v JOIN invoice_transactions t ON t.invoice_id = v.id AND "
            "t.status = 'succeeded' WHERE v.status = 'pending' GROUP BY v.id) AS paid WHERE amount >= due AND "
            "booked < %s",
            books_when(b, s->now - UNBOOKED_S)));
    if (!rows || rows->count != 1)
        return;
    double unbooked = books_number(rows, 0, "unbooked");
    int64_t oldest = books_time(b, sql_cell(rows, 0, "oldest"));
    belfry_measure(s->p, "invoices_unbooked", unbooked);
    if (unbooked > 0)
        belfry_part(s->p, "payments", BELFRY_OK,
                    "%.0f invoices are pending although their payments succeeded, the first %s ago", unbooked,
                    belfry_ago(s->p, oldest));
    else
        belfry_part(s->p, "payments", BELFRY_OK, "what was paid is booked");
}

/* ---- gateways ------------------------------------------------------------------------------------------------ */

static int64_t tell_gateway(struct books *b, const struct sql_rows *rows, size_t row)
{
    struct belfry_probe *p = b->s->p;
    const char *name = sql_cell(rows, row, "name");
    const char *part = belfry_print(p, "gateway %s", name && *name ? name : "without a name");
    double good = books_number(rows, row, "good"), failed = books_number(rows, row, "failed");
    double stuck = books_number(rows, row, "stuck");
    int64_t last = books_time(b, sql_cell(rows, row, "last"));
    if (good + failed >= FEWEST)
        belfry_measure_part(p, part, "payments_failed_percent", failed * 100 / (good + failed));
    belfry_measure_part(p, part, "payments_stuck", stuck);
    if (last > 0)
        belfry_measure_part(p, part, "payment_age", shop_age(b->s, last));
    belfry_part(p, part, BELFRY_OK,
                "%.0f payments and %.0f failures in a day, %.0f in process for more than %d days, %s", good, failed,
                stuck, PROCESSING_DAYS,
                last > 0 ? belfry_print(p, "the last %s ago", belfry_ago(p, last)) : "never paid by");
    return last;
}

void books_gateways(struct books *b)
{
    struct shop *s = b->s;
    const char *day = books_when(b, s->now - SHOP_DAY), *days = books_when(b, s->now - PROCESSING_DAYS * SHOP_DAY);
    const struct sql_rows *rows = books_ask(
        b, "gateways",
        belfry_print(
            s->p,
            "SELECT e.extension AS name, SUM(t.status = 'succeeded' AND t.updated_at >= %s) AS good, SUM(t.status "
            "= 'failed' AND t.updated_at >= %s) AS failed, SUM(t.status = 'processing' AND t.created_at < %s) AS "
            "stuck, MAX(CASE WHEN t.status = 'succeeded' THEN t.updated_at END) AS last FROM extensions e LEFT "
            "JOIN invoice_transactions t ON t.gateway_id = e.id WHERE e.type = 'gateway' AND e.enabled = 1 AND "
            "e.deleted_at IS NULL GROUP BY e.id, e.extension ORDER BY e.extension LIMIT 50",
            day, day, days));
    if (!rows)
        return;
    int64_t newest = 0;
    for (size_t i = 0; i < rows->count; i++) {
        int64_t last = tell_gateway(b, rows, i);
        newest = last > newest ? last : newest;
    }
    if (newest > 0)
        belfry_measure(s->p, "payment_age", shop_age(s, newest));
    if (rows->count == 0)
        books_trouble(b, "gateways", BELFRY_WARNING, "none is enabled: nobody can pay");
    else
        belfry_part(s->p, "gateways", BELFRY_OK, "%zu enabled", rows->count);
}
