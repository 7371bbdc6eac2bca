/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin_view - ready-made graphs: their checks, their place in a list of metrics, and the wire.
 *
 * A view's metrics are words separated by blanks; one that ends in '*' stands for all metrics that begin so. On the
 * wire: count u32; name, title, metrics, limit texts, style u8, parts u8. */
#include <stdio.h>
#include <string.h>

#include "core/model/plugin_private.h"

#define VIEW_BYTES_MIN 18
#define BLANKS " "

void plugin_recorded_unit(char out[PLUGIN_UNIT_SIZE], const char *unit, int kind)
{
    bool plain = kind == BELFRY_COUNTER && strcmp(unit, "c") == 0;
    snprintf(out, PLUGIN_UNIT_SIZE, "%.20s%s", plain ? "" : unit, kind == BELFRY_COUNTER ? "/s" : "");
}

/* ---- the list of metrics */

/* The next word of a list: its length, 0 at the end; *at then stands behind it. */
static size_t next_word(const char **at, const char **word)
{
    *word = *at + strspn(*at, BLANKS);
    size_t length = strcspn(*word, BLANKS);
    *at = *word + length;
    return length;
}

/* Whether the word of a list (its star included) stands for the metric. */
static bool stands_for(const char *word, size_t length, const char *metric)
{
    if (word[length - 1] == '*')
        return strncmp(word, metric, length - 1) == 0;
    return strlen(metric) == length && memcmp(word, metric, length) == 0;
}

int plugin_view_place(const struct plugin_view *view, const char *metric)
{
    const char *at = view->metrics, *word;
    size_t length;
    for (int place = 0; (length = next_word(&at, &word)) > 0; place++) {
        if (stands_for(word, length, metric))
            return place;
    }
    return -1;
}

/* ---- checks */

/* A metric's name, or the beginning of one and '*'. */
static bool is_list_word(const char *word, size_t length)
{
    char name[NAME_BYTES + 1];
    length -= word[length - 1] == '*';
    if (length == 0)
        return true; /* all */
    if (length > NAME_BYTES)
        return false;
    memcpy(name, word, length);
    name[length] = '\0';
    return plugin_is_word(name);
}

static int check_list(const struct plugin_view *view, struct why *why)
{
    const char *at = view->metrics ? view->metrics : "", *word;
    size_t length;
    int count = 0;
    for (; (length = next_word(&at, &word)) > 0; count++) {
        if (!is_list_word(word, length))
            return why_say(why, ERROR_SYNTAX, "'%.*s' of view '%s' is no metric, write names separated by a blank",
                           (int)(length < NAME_BYTES ? length : NAME_BYTES), word, view->name);
    }
    if (count == 0)
        return why_say(why, ERROR_SYNTAX, "view '%s' has no metrics, write names separated by a blank", view->name);
    return 0;
}

int plugin_view_check(const struct plugin_view *view, struct why *why)
{
    if (!plugin_is_word(view->name))
        return why_say(why, ERROR_SYNTAX, "'%s' is no name for a view, write [a-z][a-z0-9_]* of at most %d bytes",
                       view->name ? view->name : "", NAME_BYTES);
    if (!view->title || !view->title[0])
        return why_say(why, ERROR_SYNTAX, "view '%s' has no title, write a few words", view->name);
    if (view->style != BELFRY_LINES && view->style != BELFRY_STACK)
        return why_say(why, ERROR_UNSUPPORTED, "view '%s' has the unknown style %d", view->name, view->style);
    if (view->limit && !plugin_is_word(view->limit))
        return why_say(why, ERROR_SYNTAX, "the limit '%s' of view '%s' is no metric", view->limit, view->name);
    return check_list(view, why);
}

/* All metrics of a view are drawn on one axis. */
static int check_unit(const struct plugin_view *view, const struct plugin_metric *metric,
                      const struct plugin_metric **first, struct why *why)
{
    char one[PLUGIN_UNIT_SIZE], other[PLUGIN_UNIT_SIZE];
    if (!*first)
        *first = metric;
    plugin_recorded_unit(one, (*first)->unit, (*first)->kind);
    plugin_recorded_unit(other, metric->unit, metric->kind);
    if (strcmp(one, other) == 0)
        return 0;
    return why_say(why, ERROR_SYNTAX,
                   "view '%s' has metrics of two units, '%s' in '%s' and '%s' in '%s': make two views", view->name,
                   (*first)->name, one, metric->name, other);
}

/* The words of the list that are no beginnings, and the limit, must be declared. */
static int check_declared(const struct plugin_info *info, const struct plugin_view *view, struct why *why)
{
    const char *at = view->metrics, *word;
    size_t length;
    while ((length = next_word(&at, &word)) > 0) {
        bool known = word[length - 1] == '*';
        for (uint32_t i = 0; i < info->metric_count && !known; i++)
            known = stands_for(word, length, info->metrics[i].name);
        if (!known)
            return why_say(why, ERROR_UNKNOWN_NAME, "view '%s' has the metric '%.*s', which is not declared",
                           view->name, (int)length, word);
    }
    if (view->limit && !plugin_metric_find(info, view->limit))
        return why_say(why, ERROR_UNKNOWN_NAME, "view '%s' has the limit '%s', which is not declared", view->name,
                       view->limit);
    return 0;
}

static int check_among(const struct plugin_info *info, const struct plugin_view *view, struct why *why)
{
    const struct plugin_metric *first = NULL;
    for (const struct plugin_view *other = info->views; other < view; other++) {
        if (strcmp(other->name, view->name) == 0)
            return why_say(why, ERROR_SYNTAX, "view '%s' is declared twice", view->name);
    }
    if (plugin_metric_find(info, view->name))
        return why_say(why, ERROR_SYNTAX, "view '%s' has the name of a metric, choose another", view->name);
    int code = check_declared(info, view, why);
    for (uint32_t i = 0; i < info->metric_count && code == 0; i++) {
        const struct plugin_metric *metric = &info->metrics[i];
        if (plugin_view_place(view, metric->name) >= 0 || (view->limit && strcmp(view->limit, metric->name) == 0))
            code = check_unit(view, metric, &first, why);
    }
    return code;
}

int plugin_views_check(const struct plugin_info *info, struct why *why)
{
    int code = 0;
    for (uint32_t i = 0; i < info->view_count && code == 0; i++) {
        code = plugin_view_check(&info->views[i], why);
        if (code == 0)
            code = check_among(info, &info->views[i], why);
    }
    return code;
}

/* ---- on the wire */

void plugin_views_encode(struct buf *out, const struct plugin_view *views, uint32_t count)
{
    wire_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_text(out, views[i].name);
        wire_put_text(out, views[i].title);
        wire_put_text(out, views[i].metrics);
        wire_put_text(out, views[i].limit);
        wire_put_u8(out, (uint8_t)views[i].style);
        wire_put_u8(out, views[i].parts);
    }
}

uint32_t plugin_views_decode(struct wire_reader *r, struct arena *arena, struct plugin_view **out)
{
    uint32_t count = wire_count(r, PLUGIN_VIEWS_MAX, VIEW_BYTES_MIN);
    struct plugin_view *views = arena_array(arena, count, sizeof *views);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        views[i].name = wire_text(r, arena, NAME_BYTES);
        views[i].title = wire_text(r, arena, TITLE_BYTES);
        views[i].metrics = wire_text(r, arena, LIST_BYTES);
        views[i].limit = wire_text(r, arena, NAME_BYTES);
        views[i].style = wire_u8(r);
        uint8_t parts = wire_u8(r);
        views[i].parts = parts == 1;
        if (parts > 1 || plugin_view_check(&views[i], NULL) != 0)
            r->failed = true;
    }
    *out = views;
    return r->failed ? 0 : count;
}
