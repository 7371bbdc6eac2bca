/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree - answers in JSON, read by path with type checks. APIs send numbers as strings, null for what they don't know,
 * and HTML when something is wrong: every reader here takes what can be meant and says what can't. Built on jansson;
 * a tree is ended by json_decref(). */
#ifndef PLUGINS_COMMON_TREE_H
#define PLUGINS_COMMON_TREE_H

#include <jansson.h>

#include "belfry/plugin.h"
#include "plugins/common/web.h"

/* Parses an answer: the tree, which the caller ends with json_decref(), or NULL with *why: "GET /api/x answered with
 * HTML (title 'Login') instead of JSON", "... is not JSON: unexpected token near line 1". */
json_t *tree_read(struct belfry_probe *p, const struct web_answer *answer, const char **why);

/* The value at a path of member names and array positions: "data.0.attributes.name"; NULL when there is none. */
const json_t *tree_at(const json_t *tree, const char *path);
/* Text at a path (numbers as their text); fallback when missing, null or of another type. Lives until run() returns. */
const char *tree_text(struct belfry_probe *p, const json_t *tree, const char *path, const char *fallback);
/* A number, or a string that is one; NaN otherwise. */
double tree_number(const json_t *tree, const char *path);
/* Whole number likewise; fallback otherwise. Exact for 64 bits, unless the answer has a greater one anywhere: then all
 * its numbers are doubles. */
int64_t tree_integer(const json_t *tree, const char *path, int64_t fallback);
/* true, false, 1, 0, "true", "1", ...; fallback otherwise. */
bool tree_flag(const json_t *tree, const char *path, bool fallback);
/* Seconds since 1970 of an ISO 8601 time ("2026-11-21T10:31:07.123+01:00", "...Z", "2026-11-21 10:31:07" as UTC) or of
 * a number; 0 when missing, null or unreadable ("0001-01-01T00:00:00Z", Docker's never, is 0 too). */
int64_t tree_time(const json_t *tree, const char *path);
/* The array at a path; its length is 0 for anything else. for (i = 0; i < tree_count(...); i++) tree_item(...) */
size_t tree_count(const json_t *tree, const char *path);
const json_t *tree_item(const json_t *tree, const char *path, size_t i);

/* How an API pages. */
struct tree_pages {
    const char *path;        /* "/api/application/servers?include=node" */
    const char *page, *size; /* parameter names: "page", "per_page" */
    int per_page, max_pages; /* max_pages bounds what is asked; beyond it tree_pages_read() says so */
    const char *total; /* path of the number of pages in each answer: "meta.pagination.total_pages", or NULL: until a
                          page has no items */
    const char *items; /* path of the array: "data" */
};
/* Asks page after page and calls visit for each item: 0, or -1 with a verdict said by web_refused() or as tree_read()
 * explains (a broken page never passes for an end). *truncated is set when there were more than max_pages. */
int tree_pages_read(struct belfry_probe *p, struct web_client *client, const struct tree_pages *pages,
                    const char *subject, const char *credential, void (*visit)(void *context, const json_t *item),
                    void *context, bool *truncated);

#endif
