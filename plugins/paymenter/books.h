/* SPDX-License-Identifier: GPL-3.0-or-later */
/* books - the shop's own tables, by a read-only database account: what its files share. */
#ifndef PLUGINS_PAYMENTER_BOOKS_H
#define PLUGINS_PAYMENTER_BOOKS_H

#include "plugins/common/sql.h"
#include "plugins/common/zone.h"
#include "plugins/paymenter/shop.h"

#define BOOKS_TEXT 32

struct books {
    struct shop *s;
    struct sql_link link;
    const struct zone *zone; /* the shop writes its times in this one */
    const char *account;     /* 'belfry'@'localhost' */
    /* of the table settings, "" when unset */
    char heartbeat[BOOKS_TEXT], cron_run[BOOKS_TEXT], cron_time[BOOKS_TEXT];
    bool mail_disabled;
};

/* Asks; NULL when that failed, and then the part says why and which right is missing. */
const struct sql_rows *books_ask(struct books *b, const char *part, const char *statement);
/* A part that is not well, which the verdict's line says as well. */
BELFRY_PRINTF(4, 5)
void books_trouble(struct books *b, const char *part, enum belfry_state state, const char *format, ...);
/* A time of the shop as seconds since 1970; 0 for NULL; one that can't be read is counted, and 0. */
int64_t books_time(struct books *b, const char *text);
/* A time as the shop writes it, between quotes. */
const char *books_when(struct books *b, int64_t when);
/* A cell as a number; 0 for NULL. */
double books_number(const struct sql_rows *rows, size_t row, const char *name);

/* One kind of findings each. */
void books_scheduler(struct books *b); /* work.c */
void books_cron(struct books *b);      /* work.c */
void books_queue(struct books *b);     /* work.c */
void books_failures(struct books *b);  /* work.c */
void books_mail(struct books *b);      /* work.c */
void books_orders(struct books *b);    /* money.c */
void books_payments(struct books *b);  /* money.c */
void books_gateways(struct books *b);  /* money.c */

#endif
