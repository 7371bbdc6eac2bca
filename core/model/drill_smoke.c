/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill_smoke - the tables. What is asked holds for a shop or panel in service: tables that may well be empty must only
 * be there (min_rows 0). Money is checked for rows that hang in the air: no billing leaves an item without its invoice,
 * a dump that was cut does.
 *
 * How old the data is, is told by what the application itself writes all the time. Paymenter writes times in its own
 * zone, which a scratch server does not know: the answer may be off by 14 hours, is allowed as much more than `rpo`,
 * and is no measure of it (loose). A quiet panel writes nothing for days: its newest line has a week. */
#include "core/model/drill_smoke.h"

#include <string.h>

#define DAY INT64_C(86400000)

#define THERE(app, of, least)                                                                                          \
    {                                                                                                                  \
        .name = app ": " of, .table = of, .min_rows = least                                                            \
    }
#define NONE(app, title, question)                                                                                     \
    {                                                                                                                  \
        .name = app ": " title, .sql = question, .range = "0:0"                                                        \
    }
#define WITHOUT(of, key, other)                                                                                        \
    "SELECT COUNT(*) FROM " of " x LEFT JOIN " other " y ON y.id = x." key " WHERE x." key " IS NOT NULL AND y.id IS " \
    "NULL"
#define NEWEST_MIGRATION(app)                                                                                          \
    {                                                                                                                  \
        .name = app ": newest migration", .sql = "SELECT migration FROM migrations ORDER BY id DESC LIMIT 1"           \
    }

static const struct drill_assertion paymenter[] = {
    THERE("paymenter", "users", 1),
    THERE("paymenter", "settings", 1),
    THERE("paymenter", "migrations", 1),
    THERE("paymenter", "orders", 0),
    THERE("paymenter", "services", 0),
    THERE("paymenter", "invoices", 0),
    THERE("paymenter", "invoice_items", 0),
    THERE("paymenter", "invoice_transactions", 0),
    THERE("paymenter", "products", 0),
    THERE("paymenter", "extensions", 0),
    THERE("paymenter", "tickets", 0),
    NEWEST_MIGRATION("paymenter"),
    NONE("paymenter", "services of a status that is not known",
         "SELECT COUNT(*) FROM services WHERE status NOT IN ('pending', 'active', 'suspended', 'cancelled')"),
    NONE("paymenter", "invoices of a status that is not known",
         "SELECT COUNT(*) FROM invoices WHERE status NOT IN ('pending', 'paid', 'cancelled')"),
    NONE("paymenter", "items without their invoice", WITHOUT("invoice_items", "invoice_id", "invoices")),
    NONE("paymenter", "transactions without their invoice", WITHOUT("invoice_transactions", "invoice_id", "invoices")),
    NONE("paymenter", "services without their order", WITHOUT("services", "order_id", "orders")),
    { .name = "paymenter: newest activity",
      .fresh = "SELECT MAX(at) FROM (SELECT CAST(value AS DATETIME) at FROM settings WHERE `key` = "
               "'last_scheduler_run' UNION ALL SELECT MAX(created_at) FROM users UNION ALL SELECT MAX(created_at) FROM "
               "orders UNION ALL SELECT MAX(updated_at) FROM services UNION ALL SELECT MAX(updated_at) FROM "
               "invoice_transactions) newest",
      .loose = true },
};

static const struct drill_assertion pterodactyl[] = {
    THERE("pterodactyl", "users", 1),
    THERE("pterodactyl", "nodes", 1),
    THERE("pterodactyl", "servers", 1),
    THERE("pterodactyl", "allocations", 1),
    THERE("pterodactyl", "migrations", 1),
    THERE("pterodactyl", "eggs", 1),
    THERE("pterodactyl", "api_keys", 0),
    THERE("pterodactyl", "backups", 0),
    THERE("pterodactyl", "schedules", 0),
    THERE("pterodactyl", "activity_logs", 0),
    NEWEST_MIGRATION("pterodactyl"),
    NONE("pterodactyl", "servers without their node", WITHOUT("servers", "node_id", "nodes")),
    NONE("pterodactyl", "allocations without their server", WITHOUT("allocations", "server_id", "servers")),
    NONE("pterodactyl", "schedules without their server", WITHOUT("schedules", "server_id", "servers")),
    NONE("pterodactyl", "servers without an address",
         "SELECT COUNT(*) FROM servers s WHERE NOT EXISTS (SELECT 1 FROM allocations a WHERE a.server_id = s.id)"),
    { .name = "pterodactyl: newest activity",
      .fresh =
          "SELECT MAX(at) FROM (SELECT MAX(timestamp) at FROM activity_logs UNION ALL SELECT MAX(last_run_at) FROM "
          "schedules UNION ALL SELECT MAX(updated_at) FROM servers UNION ALL SELECT MAX(created_at) FROM backups) "
          "newest",
      .within_ms = 7 * DAY,
      .loose = true },
};

#define ROWS(table) (uint32_t)(sizeof(table) / sizeof((table)[0]))

static const struct {
    const char *name;
    const struct drill_assertion *rows;
    uint32_t count;
} smokes[] = { { "paymenter", paymenter, ROWS(paymenter) }, { "pterodactyl", pterodactyl, ROWS(pterodactyl) } };

_Static_assert(ROWS(paymenter) <= DRILL_SMOKE_MAX && ROWS(pterodactyl) <= DRILL_SMOKE_MAX, "room for their findings");

const struct drill_assertion *drill_smoke_find(const char *smoke, uint32_t *count)
{
    for (size_t i = 0; smoke && i < sizeof smokes / sizeof smokes[0]; i++)
        if (strcmp(smokes[i].name, smoke) == 0) {
            *count = smokes[i].count;
            return smokes[i].rows;
        }
    *count = 0;
    return NULL;
}
