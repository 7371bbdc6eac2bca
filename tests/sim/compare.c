/* SPDX-License-Identifier: GPL-3.0-or-later */
/* compare - see the header. The order of checks, parts, breakers and services does not matter. */
#include "tests/sim/compare.h"

#include <jansson.h>
#include <string.h>

static void strip_checks(json_t *checks)
{
    const char *id, *name;
    json_t *check, *part;
    json_object_foreach(checks, id, check)
    {
        json_object_del(check, "last");
        json_object_foreach(json_object_get(check, "parts"), name, part) json_object_del(part, "text");
    }
}

static void strip_breakers(json_t *breakers)
{
    const char *name;
    json_t *breaker;
    void *next;
    json_object_foreach_safe(breakers, next, name, breaker)
    {
        json_object_del(breaker, "until");
        if (strcmp(json_string_value(json_object_get(breaker, "state")), "closed") != 0)
            continue;
        json_object_del(breaker, "failures");
        if (strcmp(json_string_value(json_object_get(breaker, "hold")), "auto") == 0)
            json_object_del(breakers, name);
    }
}

static json_t *parse(const struct buf *snapshot)
{
    json_t *root = json_loadb(snapshot->data, snapshot->length, JSON_REJECT_DUPLICATES, NULL);
    strip_checks(json_object_get(root, "checks"));
    strip_breakers(json_object_get(root, "breakers"));
    return root;
}

static void say(struct buf *where, const char *section, const char *name, const json_t *a, const json_t *b)
{
    char *left = a ? json_dumps(a, JSON_ENCODE_ANY) : NULL, *right = b ? json_dumps(b, JSON_ENCODE_ANY) : NULL;
    buf_print(where, "%s '%s': %s against %s", section, name, left ? left : "nothing", right ? right : "nothing");
    free(left);
    free(right);
}

/* Every entry of a is the same in b. */
static bool contains(const char *section, json_t *a, json_t *b, struct buf *where)
{
    const char *name;
    json_t *value;
    json_object_foreach(a, name, value)
    {
        json_t *other = json_object_get(b, name);
        if (json_equal(value, other))
            continue;
        say(where, section, name, value, other);
        return false;
    }
    return true;
}

bool compare_snapshots(const struct buf *a, const struct buf *b, struct buf *where)
{
    static const char *const sections[] = { "checks", "breakers", "services" };
    json_t *left = parse(a), *right = parse(b);
    bool same = left && right;
    if (!same)
        buf_text(where, "not JSON");
    for (size_t i = 0; same && i < sizeof sections / sizeof sections[0]; i++) {
        json_t *mine = json_object_get(left, sections[i]), *others = json_object_get(right, sections[i]);
        same = contains(sections[i], mine, others, where) && contains(sections[i], others, mine, where);
    }
    json_decref(left);
    json_decref(right);
    return same;
}
