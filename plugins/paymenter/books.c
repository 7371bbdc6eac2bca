/* SPDX-License-Identifier: GPL-3.0-or-later */
/* books - what the API does not show, by SQL: connects, sees that the account can only read, reads the settings, and
 * then asks one kind of findings after the other, each with a part.
 *
 * The account has rights on single columns (doc/plugins/paymenter.md creates it by the table below). A right that is
 * missing, a table or a column that this version has not: that part is UNKNOWN and names it, and the rest goes on.
 * Nothing secret is read: no payload, no mail, no encrypted setting leaves the server.
 *
 * Paymenter writes times in its own zone (the setting `timezone`) and leaves the session's zone alone: so they are read
 * as text, and NOW() is not used.
 */
#include "plugins/paymenter/books.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/net.h"
#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define SPARE_S 0.7 /* left to the run when the database is silent */
#define LEAST_S 0.2

/* What the account must be allowed to read. */
static const struct {
    const char *table, *columns;
} rights[] = {
    { "cron_stats", "`key`, date" },
    { "email_logs", "status, created_at" },
    { "extensions", "id, type, extension, enabled, deleted_at" },
    { "failed_jobs", "uuid, payload, failed_at" },
    { "invoice_items", "invoice_id, reference_type, reference_id, price, quantity" },
    { "invoice_transactions", "invoice_id, gateway_id, amount, status, created_at, updated_at" },
    { "invoices", "id, status, updated_at" },
    { "jobs", "reserved_at, available_at" },
    { "services", "id, status" },
    { "settings", "`key`, value, settingable_type, encrypted" },
};

/* What an account may have and still only read. */
static const char *const harmless[] = {
    "USAGE",          "SELECT",        "SHOW VIEW",          "SHOW DATABASES",  "PROCESS",
    "BINLOG MONITOR", "SLAVE MONITOR", "REPLICATION CLIENT", "REPLICA MONITOR", "SHOW CREATE ROUTINE"
};

/* ---- asking -------------------------------------------------------------------------------------------------- */

/* The table that a message is about: `jobs`, 'jobs' or .jobs, and not `failed_jobs`. */
static size_t find_table(const char *message)
{
    size_t i = 0;
    for (; i < sizeof rights / sizeof rights[0]; i++) {
        size_t length = strlen(rights[i].table);
        for (const char *at = strstr(message, rights[i].table); at; at = strstr(at + 1, rights[i].table))
            if (at > message && strchr("`'.", at[-1]) && at[length] && strchr("`'", at[length]))
                return i;
    }
    return i;
}

static const char *explain(struct books *b)
{
    struct belfry_probe *p = b->s->p;
    const struct sql_link *link = &b->link;
    size_t i = find_table(link->why);
    if (link->cause == SQL_DENIED && i < sizeof rights / sizeof rights[0])
        return belfry_print(p, "the account may not read the table '%s': GRANT SELECT (%s) ON `%s`.%s TO %s",
                            rights[i].table, rights[i].columns, belfry_text(p, "sql_database"), rights[i].table,
                            b->account);
    if (link->cause == SQL_NO_TABLE || link->cause == SQL_NO_COLUMN)
        return belfry_print(p, "'%s': another version of Paymenter, or the wrong database in 'sql_database'?",
                            link->why);
    return belfry_print(p, "'%s' (error %u)", link->why, link->code);
}

void books_trouble(struct books *b, const char *part, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = b->s->p->host->print(b->s->p, format, args);
    va_end(args);
    belfry_part(b->s->p, part, state, "%s", text);
    shop_sum_up(b->s, belfry_print(b->s->p, "%s: %s", part, text));
}

const struct sql_rows *books_ask(struct books *b, const char *part, const char *statement)
{
    enum sql_blame blame;
    const struct sql_rows *rows = b->link.dead ? NULL : sql_ask(&b->link, statement);
    if (rows)
        return rows;
    if (b->link.dead)
        books_trouble(b, "database", BELFRY_UNKNOWN, "can't be asked any more: %s", sql_failure(&b->link, &blame));
    else
        books_trouble(b, part, BELFRY_UNKNOWN, "not looked at: %s", explain(b));
    return NULL;
}

int64_t books_time(struct books *b, const char *text)
{
    int64_t when = text ? zone_time(b->zone, text) : 0;
    b->s->unreadable += when < 0;
    return when > 0 ? when : 0;
}

const char *books_when(struct books *b, int64_t when)
{
    return belfry_print(b->s->p, "'%s'", zone_text(b->s->p, b->zone, when));
}

double books_number(const struct sql_rows *rows, size_t row, const char *name)
{
    double value = sql_number(sql_cell(rows, row, name));
    return isnan(value) ? 0 : value;
}

/* ---- the account --------------------------------------------------------------------------------------------- */

static bool is_harmless(const char *right, size_t length)
{
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strlen(harmless[i]) == length && strncasecmp(harmless[i], right, length) == 0)
            return true;
    return false;
}

/* The first right of "GRANT SELECT (a, b), INSERT ON x TO y" that is more than reading; NULL when there is none. */
static const char *find_harm(struct belfry_probe *p, const char *grant)
{
    const char *on = strstr(grant, " ON ");
    if (strncasecmp(grant, "GRANT ", 6) != 0 || !on) /* a role: what it allows has lines of its own */
        return NULL;
    for (const char *at = grant + 6; at < on;) {
        size_t length = 0, depth = 0, words = 0;
        for (; at + length < on && (depth > 0 || at[length] != ','); length++) {
            depth += at[length] == '(';
            depth -= at[length] == ')' && depth > 0;
            words = depth == 0 && at[length] != ')' && at[length] != ' ' ? length + 1 : words;
        }
        if (!is_harmless(at, words))
            return say_copy(p, at, words);
        at += length + 1;
        at += strspn(at, " ");
    }
    return strstr(on, "WITH GRANT OPTION") ? "GRANT OPTION" : NULL;
}

static bool look_at_account(struct books *b)
{
    struct belfry_probe *p = b->s->p;
    const struct sql_rows *who = books_ask(b, "database", "SELECT CURRENT_USER() AS account");
    const char *name = who && who->count == 1 ? sql_cell(who, 0, "account") : NULL,
               *at = name ? strrchr(name, '@') : NULL;
    if (!at)
        return false;
    b->account = belfry_print(p, "'%.*s'@'%s'", (int)(at - name), name, at + 1);
    const struct sql_rows *grants = books_ask(b, "database", "SHOW GRANTS");
    for (size_t i = 0; grants && i < grants->count; i++) {
        const char *harm = grants->cells[i][0] ? find_harm(p, grants->cells[i][0]) : NULL;
        if (!harm)
            continue;
        books_trouble(b, "database", BELFRY_WARNING,
                      "the account %s can do more than read (%s): REVOKE that, or use one of its own for Belfry",
                      b->account, harm);
        return true;
    }
    if (grants)
        belfry_part(p, "database", BELFRY_OK, "%s answers, and the account can only read", b->link.peer);
    return grants != NULL;
}

/* ---- the settings -------------------------------------------------------------------------------------------- */

static void take_setting(struct books *b, const char *key, const char *value, const char **zone)
{
    const struct {
        const char *key;
        char *into;
    } texts[] = { { "last_scheduler_run", b->heartbeat },
                  { "last_cron_run", b->cron_run },
                  { "cronjob_time", b->cron_time } };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(key, texts[i].key) == 0)
            snprintf(texts[i].into, BOOKS_TEXT, "%s", value);
    if (strcmp(key, "timezone") == 0 && *value)
        *zone = value;
    if (strcmp(key, "mail_disable") == 0)
        b->mail_disabled = strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0;
}

static bool read_settings(struct books *b)
{
    const struct sql_rows *rows =
        books_ask(b, "database",
                  "SELECT `key`, value FROM settings WHERE COALESCE(encrypted, 0) = 0 AND "
                  "(settingable_type IS NULL AND `key` IN ('timezone', 'cronjob_time', 'mail_disable') OR "
                  "settingable_type LIKE '%CronStat' AND `key` IN ('last_scheduler_run', 'last_cron_run'))");
    const char *zone = "UTC", *why = NULL;
    for (size_t i = 0; rows && i < rows->count; i++)
        if (rows->cells[i][0] && rows->cells[i][1])
            take_setting(b, rows->cells[i][0], rows->cells[i][1], &zone);
    if (!rows)
        return false;
    b->zone = zone_read(b->s->p, zone, &why);
    if (!b->zone)
        books_trouble(b, "database", BELFRY_UNKNOWN, "the shop's times can't be understood: %s", why);
    return b->zone != NULL;
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *kind;
    void (*look)(struct books *b);
} looks[] = {
    { "scheduler", books_scheduler },  { "daily cron", books_cron },   { "queue", books_queue },
    { "failed jobs", books_failures }, { "mail", books_mail },         { "orders", books_orders },
    { "payments", books_payments },    { "gateways", books_gateways },
};

/* The server refuses writes and ends what takes too long; a server that knows no such limit is asked without. */
static bool prepare(struct books *b)
{
    double left = ceil(fmax(0, b->link.until - now_s())) + 1;
    const char *limit = b->link.is_mariadb
                            ? belfry_print(b->s->p, "SET SESSION max_statement_time = %.0f", left)
                            : belfry_print(b->s->p, "SET SESSION max_execution_time = %.0f", left * 1000);
    bool set = sql_do(&b->link, "SET SESSION TRANSACTION READ ONLY") &&
               (sql_do(&b->link, limit) || b->link.cause == SQL_NO_VARIABLE);
    enum sql_blame blame;
    if (!set)
        books_trouble(b, "database", BELFRY_UNKNOWN, "can't be asked: %s", sql_failure(&b->link, &blame));
    return set;
}

static void open_books(struct books *b, const struct sql_target *target)
{
    enum sql_blame blame;
    if (sql_open(&b->link, target) < 0) {
        const char *text = sql_failure(&b->link, &blame);
        books_trouble(b, "database", blame == SQL_REACHED_BAD ? BELFRY_CRITICAL : BELFRY_UNKNOWN, "%s", text);
        return;
    }
    if (!prepare(b) || !look_at_account(b) || !read_settings(b))
        return;
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        if (!shop_skipped(b->s->p, looks[i].kind) && !b->link.dead)
            looks[i].look(b);
}

static void read_target(struct belfry_probe *p, struct sql_target *target)
{
    double left = (double)belfry_left_ms(p) / 1000 - SPARE_S;
    *target = (struct sql_target){
        .host = belfry_text(p, "sql_host"),
        .port = belfry_text(p, "sql_port"),
        .socket = belfry_text(p, "sql_socket"),
        .family = net_family("any"),
        .user = belfry_text(p, "sql_user"),
        .password = belfry_text(p, "sql_password"),
        .database = belfry_text(p, "sql_database"),
        .tls = belfry_flag(p, "sql_tls"),
        .tls_ca = belfry_text(p, "sql_tls_ca"),
        .tls_cert = belfry_text(p, "sql_tls_cert"),
        .tls_key = belfry_text(p, "sql_tls_key"),
        .tls_name = belfry_text(p, "sql_tls_name"),
        .until = now_s() + fmax(left, LEAST_S),
    };
}

const char *shop_books_problem(struct belfry_probe *p)
{
    struct sql_target target;
    read_target(p, &target);
    if (target.host && target.socket)
        return "'sql_host' and 'sql_socket' exclude each other: remove one of them";
    if (!target.host && !target.socket && (target.password || target.tls))
        return "'sql_password' and 'sql_tls' have no effect without 'sql_host' or 'sql_socket'";
    return sql_problem(p, &target, "sql_");
}

void shop_books(struct shop *s)
{
    struct sql_target target;
    struct books *b = belfry_alloc(s->p, sizeof *b);
    read_target(s->p, &target);
    b->s = s;
    b->link.p = s->p;
    open_books(b, &target);
    sql_close(&b->link);
}
