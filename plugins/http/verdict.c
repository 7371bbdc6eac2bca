/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verdict - is this the answer that was wanted? */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/http/http.h"

struct span {
    long from, to;
};

/* "200", "2xx" or "200-299". */
static bool parse_span(const char *text, struct span *out)
{
    size_t digits = strspn(text, "0123456789");
    char *end;
    if (digits == 1 && strcasecmp(text + 1, "xx") == 0) {
        out->from = (text[0] - '0') * 100;
        out->to = out->from + 99;
        return out->from >= 100 && out->to <= 599;
    }
    if (digits != 3)
        return false;
    out->from = out->to = strtol(text, &end, 10);
    if (*end == '-' && strspn(end + 1, "0123456789") == 3)
        out->to = strtol(end + 1, &end, 10);
    return *end == '\0' && out->from >= 100 && out->from <= out->to && out->to <= 999;
}

const char *http_status_problem(struct belfry_probe *p)
{
    struct span span;
    for (size_t i = 0; i < belfry_count(p, "expect_status"); i++)
        if (!parse_span(belfry_item(p, "expect_status", i), &span))
            return belfry_print(p, "expect_status '%s' is no status: write 200, 2xx or 200-299",
                                belfry_item(p, "expect_status", i));
    return NULL;
}

bool http_status_expected(struct belfry_probe *p, long status)
{
    struct span span;
    for (size_t i = 0; i < belfry_count(p, "expect_status"); i++)
        if (parse_span(belfry_item(p, "expect_status", i), &span) && status >= span.from && status <= span.to)
            return true;
    return false;
}

static const char *expected_statuses(struct belfry_probe *p)
{
    const char *text = belfry_item(p, "expect_status", 0);
    for (size_t i = 1; i < belfry_count(p, "expect_status"); i++)
        text = belfry_print(p, "%s, %s", text, belfry_item(p, "expect_status", i));
    return text;
}

static bool body_has(const struct transfer *t, const char *text)
{
    return t->body && memmem(t->body, t->body_kept, text, strlen(text)) != NULL;
}

/* NULL when the body is right, else what is wrong with it. */
static const char *body_problem(struct belfry_probe *p, const struct transfer *t)
{
    const char *where =
        t->cut ? belfry_print(p, " in the first %s of the body", say_bytes(p, (double)t->body_kept)) : " in the body";
    for (size_t i = 0; i < belfry_count(p, "expect_body"); i++)
        if (!body_has(t, belfry_item(p, "expect_body", i)))
            return belfry_print(p, "'%s' is not%s", belfry_item(p, "expect_body", i), where);
    for (size_t i = 0; i < belfry_count(p, "refuse_body"); i++)
        if (body_has(t, belfry_item(p, "refuse_body", i)))
            return belfry_print(p, "'%s' is%s", belfry_item(p, "refuse_body", i), where);
    return NULL;
}

void http_judge(struct belfry_probe *p, const struct transfer *t, int redirects)
{
    const char *after =
        redirects > 0 ? belfry_print(p, " (after %d redirect%s: %.200s)", redirects, redirects > 1 ? "s" : "", t->url)
                      : "";
    if (!http_status_expected(p, t->status)) {
        if (t->status >= 500)
            belfry_unreachable(p, "status %ld, expected %s%s", t->status, expected_statuses(p), after);
        else
            belfry_critical(p, "status %ld, expected %s%s", t->status, expected_statuses(p), after);
        return;
    }
    const char *wrong = body_problem(p, t);
    if (wrong)
        belfry_critical(p, "status %ld, but %s%s", t->status, wrong, after);
    else
        belfry_ok(p, "status %ld, %s%s in %s%s", t->status, t->cut ? "more than " : "",
                  say_bytes(p, (double)t->body_size), say_seconds(p, t->total_s), after);
}
