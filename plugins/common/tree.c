/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree - JSON by path. Numbers are taken from strings too, and exactly: a 64-bit whole number never goes through a
 * double. Times are ISO 8601 with any number of digits of fraction, which is cut off. */
#include "plugins/common/tree.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "plugins/common/say.h"

#define PATH_MAX_BYTES 256

/* ---- reading an answer --------------------------------------------------------------------------------------- */

static const char *explain(struct belfry_probe *p, const struct web_answer *answer, const json_error_t *error)
{
    const char *body = answer->body + strspn(answer->body, " \t\r\n"), *title = web_message(p, answer);
    if (answer->body_size == 0)
        return belfry_print(p, "%s answered with nothing instead of JSON", answer->what);
    if (*body == '<' || strcasestr(answer->content_type, "html"))
        return belfry_print(p, title ? "%s answered with HTML (title '%s') instead of JSON" : "%s answered with HTML%s",
                            answer->what, title ? title : " instead of JSON");
    if (answer->cut)
        return belfry_print(p, "%s answered with more than %s", answer->what, say_bytes(p, WEB_BODY_MAX));
    return belfry_print(p, "the answer to %s is not JSON: %s", answer->what,
                        say_excerpt(p, error->text, strlen(error->text)));
}

json_t *tree_read(struct belfry_probe *p, const struct web_answer *answer, const char **why)
{
    json_error_t error = { .text = "" };
    json_t *tree = NULL;
    if (answer->body_size > 0 && !answer->cut)
        tree = json_loadb(answer->body, answer->body_size, 0, &error);
    /* "no limit" as 2^64-1, which no signed integer holds */
    if (!tree && json_error_code(&error) == json_error_numeric_overflow)
        tree = json_loadb(answer->body, answer->body_size, JSON_DECODE_INT_AS_REAL, &error);
    if (!tree)
        *why = explain(p, answer, &error);
    return tree;
}

/* ---- by path ------------------------------------------------------------------------------------------------- */

/* One step: a member, or a position in an array. */
static const json_t *step(const json_t *at, const char *name, size_t length)
{
    char key[PATH_MAX_BYTES];
    if (length >= sizeof key)
        return NULL;
    memcpy(key, name, length);
    key[length] = '\0';
    if (json_is_object(at))
        return json_object_get(at, key);
    if (!json_is_array(at) || length == 0 || strspn(key, "0123456789") != length)
        return NULL;
    return json_array_get(at, strtoul(key, NULL, 10));
}

const json_t *tree_at(const json_t *tree, const char *path)
{
    while (tree && *path) {
        size_t length = strcspn(path, ".");
        tree = step(tree, path, length);
        path += length + (path[length] == '.');
    }
    return tree;
}

const char *tree_text(struct belfry_probe *p, const json_t *tree, const char *path, const char *fallback)
{
    const json_t *value = tree_at(tree, path);
    if (json_is_string(value))
        return say_copy(p, json_string_value(value), json_string_length(value));
    if (json_is_integer(value))
        return belfry_print(p, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_real(value))
        return belfry_print(p, "%.15g", json_real_value(value));
    return fallback;
}

/* A finite number that is the whole text, or NaN. Not hexadecimal, infinite or "nan", which strtod() takes. */
static double parse_number(const char *text)
{
    char *end;
    text += strspn(text, " ");
    if (*text == '\0' || strspn(text, "+-.0123456789eE") != strcspn(text, " "))
        return NAN;
    double value = strtod(text, &end);
    return end != text && end[strspn(end, " ")] == '\0' && isfinite(value) ? value : (double)NAN;
}

double tree_number(const json_t *tree, const char *path)
{
    const json_t *value = tree_at(tree, path);
    if (json_is_number(value))
        return json_number_value(value);
    return json_is_string(value) ? parse_number(json_string_value(value)) : (double)NAN;
}

static int64_t whole_of(double number, int64_t fallback)
{
    return number >= -9.2e18 && number <= 9.2e18 ? (int64_t)number : fallback; /* false for NaN */
}

int64_t tree_integer(const json_t *tree, const char *path, int64_t fallback)
{
    const json_t *value = tree_at(tree, path);
    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_real(value))
        return whole_of(json_real_value(value), fallback);
    if (!json_is_string(value))
        return fallback;
    const char *text = json_string_value(value);
    char *end;
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0)
        return whole;
    return whole_of(parse_number(text), fallback);
}

bool tree_flag(const json_t *tree, const char *path, bool fallback)
{
    const json_t *value = tree_at(tree, path);
    if (json_is_boolean(value))
        return json_is_true(value);
    if (json_is_string(value) && strcasecmp(json_string_value(value), "true") == 0)
        return true;
    if (json_is_string(value) && strcasecmp(json_string_value(value), "false") == 0)
        return false;
    double number = tree_number(tree, path);
    return isnan(number) ? fallback : number != 0;
}

/* ---- times --------------------------------------------------------------------------------------------------- */

/* Reads exactly count digits; -1 when they aren't there. */
static int digits(const char **at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool skip(const char **at, const char *any)
{
    if (**at == '\0' || !strchr(any, **at))
        return false;
    (*at)++;
    return true;
}

/* "+01:00", "+0100", "+01", "Z", " UTC", Go's " +0000 UTC" or nothing: seconds east of UTC. False when it is something
 * else. */
static bool parse_zone(const char *at, int *east)
{
    *east = 0;
    if (*at == '\0' || ((*at == 'Z' || *at == 'z') && at[1] == '\0') || strcmp(at, " UTC") == 0)
        return true;
    at += *at == ' ';
    int sign = *at == '-' ? -1 : 1;
    if (!skip(&at, "+-"))
        return false;
    int hours = digits(&at, 2);
    skip(&at, ":");
    int minutes = *at && *at != ' ' ? digits(&at, 2) : 0;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || (*at && strcmp(at, " UTC") != 0))
        return false;
    *east = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* Seconds since 1970, or 0. A date alone is its midnight. */
static int64_t parse_time(const char *at)
{
    struct tm t = { 0 };
    int east = 0;
    t.tm_year = digits(&at, 4) - 1900;
    t.tm_mon = skip(&at, "-") ? digits(&at, 2) - 1 : -1;
    t.tm_mday = skip(&at, "-") ? digits(&at, 2) : -1;
    if (t.tm_year < 70 || t.tm_mon < 0 || t.tm_mon > 11 || t.tm_mday < 1 || t.tm_mday > 31)
        return 0;
    if (skip(&at, "Tt ")) {
        t.tm_hour = digits(&at, 2);
        t.tm_min = skip(&at, ":") ? digits(&at, 2) : -1;
        t.tm_sec = skip(&at, ":") ? digits(&at, 2) : 0;
        if (t.tm_hour < 0 || t.tm_hour > 24 || t.tm_min < 0 || t.tm_min > 59 || t.tm_sec < 0 || t.tm_sec > 60)
            return 0;
        if (skip(&at, ".,"))
            at += strspn(at, "0123456789");
    }
    if (!parse_zone(at, &east))
        return 0;
    return (int64_t)timegm(&t) - east;
}

int64_t tree_time(const json_t *tree, const char *path)
{
    const json_t *value = tree_at(tree, path);
    if (json_is_string(value) && strchr(json_string_value(value), '-'))
        return parse_time(json_string_value(value));
    int64_t seconds = tree_integer(tree, path, 0);
    return seconds > 0 ? seconds : 0;
}

/* ---- arrays and pages ---------------------------------------------------------------------------------------- */

size_t tree_count(const json_t *tree, const char *path)
{
    return json_array_size(tree_at(tree, path)); /* 0 for what is no array */
}

const json_t *tree_item(const json_t *tree, const char *path, size_t i)
{
    return json_array_get(tree_at(tree, path), i);
}

static const char *page_path(struct belfry_probe *p, const struct tree_pages *pages, int page)
{
    const char *path =
        belfry_print(p, "%s%s%s=%d", pages->path, strchr(pages->path, '?') ? "&" : "?", pages->page, page);
    return pages->size ? belfry_print(p, "%s&%s=%d", path, pages->size, pages->per_page) : path;
}

/* One page: the tree, or NULL with the verdict said. */
static json_t *read_page(struct belfry_probe *p, const struct web_answer *answer, const struct tree_pages *pages,
                         const char *subject, const char *credential)
{
    const char *why = NULL;
    if (web_refused(p, answer, subject, credential))
        return NULL;
    json_t *tree = tree_read(p, answer, &why);
    if (tree && !json_is_array(tree_at(tree, pages->items)))
        why = belfry_print(p, "the answer to %s has no list at '%s'", answer->what, pages->items);
    if (!why)
        return tree;
    belfry_unknown(p, "%s", why);
    json_decref(tree);
    return NULL;
}

/* Whether another page follows this one. */
static bool goes_on(const struct tree_pages *pages, const json_t *tree, int page)
{
    size_t items = tree_count(tree, pages->items);
    double total = pages->total ? tree_number(tree, pages->total) : (double)NAN;
    return isnan(total) ? items > 0 : page < total;
}

int tree_pages_read(struct belfry_probe *p, struct web_client *client, const struct tree_pages *pages,
                    const char *subject, const char *credential, void (*visit)(void *context, const json_t *item),
                    void *context, bool *truncated)
{
    bool more = true;
    for (int page = 1; more && page <= pages->max_pages; page++) {
        const struct web_answer *answer = web_ask(client, "GET", page_path(p, pages, page), NULL);
        json_t *tree = read_page(p, answer, pages, subject, credential);
        if (!tree)
            return -1;
        for (size_t i = 0; i < tree_count(tree, pages->items); i++)
            visit(context, tree_item(tree, pages->items, i));
        more = goes_on(pages, tree, page);
        json_decref(tree);
    }
    *truncated = more;
    return 0;
}
