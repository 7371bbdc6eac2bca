/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api - a plugin for tests: says what plugins/common/web.h and tree.h make of a server's answers. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "plugins/common/tree.h"

static const struct belfry_option options[] = {
    { "base", BELFRY_URL, "What the paths are appended to", .required = true },
    { "socket", BELFRY_PATH, "A Unix socket", .example = NULL },
    { "bearer", BELFRY_TEXT, "A token", .secret = true },
    { "plain_http", BELFRY_FLAG, "Whether it may go over http://", .fallback = "false" },
    { "ca_file", BELFRY_PATH, "Certificates to trust", .example = NULL },
    { "path", BELFRY_TEXT, "Paths to ask for, on one connection", .list = true },
    { "body", BELFRY_TEXT, "Body to post", .example = NULL },
    { "all", BELFRY_INTEGER, "Ask the first path this many times at once", .fallback = "0" },
    { "pages", BELFRY_INTEGER, "Read this many pages of the first path at most", .fallback = "0" },
    { "total", BELFRY_TEXT, "Where an answer has the number of pages", .example = NULL },
    { "show", BELFRY_TEXT, "Paths in the answer to show", .list = true },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "number", "", "A number", .min = NULL },
    BELFRY_END,
};

static void show(struct belfry_probe *p, const json_t *tree)
{
    for (size_t i = 0; i < belfry_count(p, "show"); i++) {
        const char *path = belfry_item(p, "show", i);
        belfry_detail(p, "%s text %s number %.17g integer %" PRId64 " flag %d time %" PRId64 " count %zu", path,
                      tree_text(p, tree, path, "-"), tree_number(tree, path), tree_integer(tree, path, -7),
                      tree_flag(tree, path, false) + 2 * tree_flag(tree, path, true), tree_time(tree, path),
                      tree_count(tree, path));
    }
}

static bool ask(struct belfry_probe *p, struct web_client *client, const char *path)
{
    const char *body = belfry_text(p, "body"), *why = NULL;
    const struct web_answer *answer = web_ask(client, body ? "POST" : "GET", path, body);
    belfry_detail(p, "retry %.0f limit %.0f remaining %.0f reset %.0f server %s", answer->retry_after_s,
                  answer->rate_limit, answer->rate_remaining, answer->rate_reset_s,
                  web_header(client, "server") ? web_header(client, "server") : "-");
    if (web_refused(p, answer, "the panel", "the token in option 'bearer'"))
        return false;
    json_t *tree = tree_read(p, answer, &why);
    if (!tree) {
        belfry_unknown(p, "%s", why);
        return false;
    }
    show(p, tree);
    belfry_ok(p, "%s answered %ld with %zu bytes", answer->what, answer->status, answer->body_size);
    json_decref(tree);
    return true;
}

struct tally {
    struct belfry_probe *p;
    size_t good, bad;
};

static void count_answer(void *context, size_t i, const struct web_answer *answer)
{
    struct tally *t = context;
    (void)i;
    if (answer->end == WEB_ANSWERED && answer->status == 200)
        t->good++;
    else
        t->bad++;
}

static void ask_all(struct belfry_probe *p, struct web_client *client, size_t count)
{
    struct tally tally = { .p = p };
    const char **paths = belfry_alloc(p, count * sizeof *paths);
    for (size_t i = 0; i < count; i++)
        paths[i] = belfry_item(p, "path", 0);
    web_ask_all(client, paths, count, 8, count_answer, &tally);
    belfry_ok(p, "%zu good, %zu bad", tally.good, tally.bad);
}

static void count_item(void *context, const json_t *item)
{
    struct tally *t = context;
    (void)item;
    t->good++;
}

static void ask_pages(struct belfry_probe *p, struct web_client *client)
{
    struct tally tally = { .p = p };
    struct tree_pages pages = { belfry_item(p, "path", 0), "page", "per_page", 2, (int)belfry_integer(p, "pages"),
                                belfry_text(p, "total"),   "data" };
    bool truncated;
    if (tree_pages_read(p, client, &pages, "the panel", "the token", count_item, &tally, &truncated) == 0)
        belfry_ok(p, "%zu items%s", tally.good, truncated ? ", truncated" : "");
}

static void run(struct belfry_probe *p)
{
    struct web_setup setup = { .base = belfry_text(p, "base"),
                               .socket = belfry_text(p, "socket"),
                               .bearer = belfry_text(p, "bearer"),
                               .plain_http = belfry_flag(p, "plain_http"),
                               .ca_file = belfry_text(p, "ca_file") };
    struct web_client *client = web_open(p, &setup);
    if (belfry_integer(p, "all") > 0)
        ask_all(p, client, (size_t)belfry_integer(p, "all"));
    else if (belfry_integer(p, "pages") > 0)
        ask_pages(p, client);
    else
        for (size_t i = 0; i < belfry_count(p, "path"); i++)
            if (!ask(p, client, belfry_item(p, "path", i)))
                break;
    web_close(&client);
}

BELFRY_PLUGIN("api", "1.0", "What web.h and tree.h make of answers", options, metrics, run,
              .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES)
