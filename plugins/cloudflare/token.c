/* SPDX-License-Identifier: GPL-3.0-or-later */
/* token - is the token active, and until when. The prefix tells which of two addresses knows it: an account's token
 * (cfat_) is unknown at the users', and one without a prefix may be of either. Verifying needs no permission and says
 * nothing about permissions: each look says for itself what it lacks. */
#include <string.h>

#include "plugins/cloudflare/cloudflare.h"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void verify(struct cf *c, struct cf_call *call, bool of_account)
{
    *call = (struct cf_call){ .path = "/user/tokens/verify", .right = "no permission" };
    if (of_account)
        call->path = belfry_print(c->p, "/accounts/%s/tokens/verify", web_escape(c->p, c->account));
    cf_ask(c, call, 1);
}

/* Its last day, as a metric: without one nothing is measured. */
static void judge(struct cf *c, const json_t *result)
{
    struct cf_finding f = { .state = BELFRY_OK };
    const char *status = tree_text(c->p, result, "status", "");
    int64_t expires = tree_time(result, "expires_on"), begin = tree_time(result, "not_before");
    const json_t *end = tree_at(result, "expires_on");
    bool active = strcmp(status, "active") == 0;
    if (!active)
        cf_find(c, &f, *status ? BELFRY_CRITICAL : BELFRY_UNKNOWN,
                *status ? "its status is '%s'" : "its status is not told%s", cf_words(c, status));
    if (begin > c->now)
        cf_find(c, &f, BELFRY_CRITICAL, "it is not valid yet");
    if (expires > 0 && expires <= c->now)
        cf_find(c, &f, BELFRY_CRITICAL, "it expired %s ago", belfry_ago(c->p, expires));
    else if (expires > 0)
        cf_find(c, &f, BELFRY_OK, "%s for another %s", active ? "active," : "meant", cf_days(c, expires));
    else if (end && !json_is_null(end))
        cf_find(c, &f, BELFRY_UNKNOWN, "when it expires can't be read");
    else if (active && begin <= c->now)
        cf_find(c, &f, BELFRY_OK, "active, without an end");
    if (expires > 0)
        belfry_measure_part(c->p, "token", "token_days_left", (double)(expires - c->now) / 86400);
    cf_tell(c, "token", &f);
}

bool cf_token_look(struct cf *c)
{
    struct cf_call call;
    bool of_account = begins(c->token, "cfat_");
    verify(c, &call, of_account);
    if (!of_account && call.refusal.kind == CF_TOKEN && call.refusal.code == 1000 && c->account &&
        !begins(c->token, "cfut_")) {
        cf_done(&call, 1);
        verify(c, &call, true);
    }
    struct cf_refusal r = call.refusal;
    if (r.kind == CF_FINE)
        judge(c, call.result);
    cf_done(&call, 1);
    if (r.kind == CF_FINE)
        return true;
    c->reached = r.reached;
    cf_trouble(c, r.kind == CF_TOKEN || r.kind == CF_SCOPE || !r.reached ? BELFRY_CRITICAL : BELFRY_UNKNOWN, "%s",
               r.text);
    if (r.kind == CF_LATER && r.reached)
        cf_replay(c);
    return false;
}
