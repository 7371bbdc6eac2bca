/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shop - a run of the paymenter plugin: what its files share. */
#ifndef PLUGINS_PAYMENTER_SHOP_H
#define PLUGINS_PAYMENTER_SHOP_H

#include "belfry/plugin.h"
#include "plugins/common/tree.h"
#include "plugins/common/web.h"

#define SHOP_DAY 86400
#define SHOP_STUCK_MAX 50 /* orders with a part of their own */

struct shop {
    struct belfry_probe *p;
    struct web_client *client; /* asks with the key */
    int64_t now;
    bool ended;            /* the verdict is said: the run goes no further */
    size_t asked, refused; /* kinds of things asked for, and those the key has no right to see */
    size_t stuck;          /* orders that are paid for and not delivered */
    size_t unreadable;     /* times, ids and states that make no sense */
    size_t users;          /* 1 when the key may see users */
    bool saw_orders;       /* the API has told the pending orders */
    const char *summary;   /* for the verdict: "2 orders pending; ..." */
};

/* The address in an option, without the slashes at its end. */
const char *shop_base(struct belfry_probe *p, const char *option);
/* Why an answer is none to go on with: says the verdict and ends the run. False when it is one. */
bool shop_refused(struct shop *s, const struct web_answer *answer);
/* Whether the body has the text; an answer is no C string when it has NULs, and then this reads up to the first. */
bool shop_says(const struct web_answer *answer, const char *text);
/* Adds a piece to the verdict's text. */
void shop_sum_up(struct shop *s, const char *piece);
/* A time of an item; 0 for null. One that can't be read is counted, and a null where there may be none. */
int64_t shop_time(struct shop *s, const json_t *item, const char *path, bool may_be_null);
/* How long ago that is; 0 when the shop's clock is ahead of ours. */
double shop_age(const struct shop *s, int64_t when);
/* Whether the item's status is this one: Paymenter's filters match substrings. */
bool shop_is(const json_t *item, const char *status);

/* Reads a list page by page and calls visit for each item until it returns false. page is the whole answer, for what
 * was included. A right that is missing makes part `kind` WARNING, a refused question UNKNOWN. */
typedef bool shop_visit(void *context, const json_t *page, const json_t *item);
enum shop_end {
    SHOP_READ,
    SHOP_CUT,    /* there are more pages than are read */
    SHOP_REFUSED /* the part or the verdict says why */
};
struct shop_list {
    const char *kind, *resource, *query; /* "orders", "services", "sort=created_at"; encoded */
    int per_page;
    shop_visit *visit;
    void *context;
};
enum shop_end shop_read(struct shop *s, const struct shop_list *list);
/* What an item's relationship points at, by position; NULL when it is not included, or past the end. */
const json_t *shop_included(struct shop *s, const json_t *page, const json_t *item, const char *relation, size_t i);
/* How many things a relationship points at. */
size_t shop_related(struct shop *s, const json_t *item, const char *relation);

/* One kind of findings each, with its part. */
void shop_orders(struct shop *s);       /* orders.c */
void shop_cron(struct shop *s);         /* orders.c */
void shop_invoices(struct shop *s);     /* orders.c */
void shop_tickets(struct shop *s);      /* orders.c */
void shop_provisioning(struct shop *s); /* provision.c */
void shop_books(struct shop *s);        /* books.c: what the API does not show, by SQL */

/* What is wrong with the options for SQL, or NULL. */
const char *shop_books_problem(struct belfry_probe *p);
/* Whether `skip` has that kind. */
bool shop_skipped(struct belfry_probe *p, const char *kind);

#endif
