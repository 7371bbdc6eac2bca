/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report - what is said: parts, what could not be looked at, troubles of the whole. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/cloudflare/cloudflare.h"
#include "plugins/common/say.h"

enum belfry_state cf_worse(enum belfry_state a, enum belfry_state b)
{
    static const int weight[] = { 0, 1, 3, 2 };
    return weight[b] > weight[a] ? b : a;
}

void cf_trouble(struct cf *c, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = c->p->host->print(c->p, format, args);
    va_end(args);
    c->troubles = belfry_print(c->p, "%s; %s", c->troubles, text);
    c->state = cf_worse(c->state, state);
}

/* ---- parts ----------------------------------------------------------------------------------------------------- */

static void show(struct cf *c, const char *part, enum belfry_state state, const char *text)
{
    if (c->parts++ < CF_PARTS_MAX || state != BELFRY_OK)
        belfry_part(c->p, part, state, "%s", text);
    if (state == BELFRY_OK)
        return;
    if (c->bad++ == 0 || cf_worse(c->worst, state) != c->worst)
        c->worst_text = belfry_print(c->p, "%s: %s", part, text);
    c->worst = cf_worse(c->worst, state);
}

void cf_part(struct cf *c, const char *part, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = c->p->host->print(c->p, format, args);
    va_end(args);
    show(c, part, state, text);
    struct cf_note *n = state != BELFRY_UNKNOWN ? cf_note_put(c, NOTE_PART, part, text, true) : NULL;
    if (n)
        n->state = (int)state;
}

/* What was seen of the part not too long ago, told again; false when there is nothing. */
static bool show_old(struct cf *c, const char *part)
{
    struct cf_note *n = cf_note_find(c, NOTE_PART, part);
    if (!n || n->at > c->now || (double)(c->now - n->at) > belfry_number(c->p, "stale"))
        return false;
    n->live = true;
    c->old++;
    show(c, part, (enum belfry_state)n->state,
         belfry_print(c->p, "%s (seen %s ago)", n->text, belfry_ago(c->p, n->at)));
    return true;
}

void cf_missed_as(struct cf *c, const char *part, const char *right, const struct cf_refusal *refusal)
{
    if (refusal->kind == CF_LATER && show_old(c, part)) {
        if (!strstr(c->troubles, refusal->text))
            cf_trouble(c, BELFRY_UNKNOWN, "%s", refusal->text);
        return;
    }
    if (refusal->kind == CF_SCOPE)
        show(c, part, BELFRY_UNKNOWN,
             belfry_print(c->p, "the token lacks the permission '%s': add it, or leave this out (%s)", right,
                          refusal->text));
    else
        show(c, part, BELFRY_UNKNOWN, refusal->text);
}

void cf_missed(struct cf *c, const char *part, const struct cf_call *call)
{
    cf_missed_as(c, part, call->right, &call->refusal);
}

void cf_missed_below(struct cf *c, const char *part, const char *below, const char *right,
                     const struct cf_refusal *refusal)
{
    size_t count = c->note_count, length = strlen(below);
    for (size_t i = 0; refusal->kind == CF_LATER && i < count; i++)
        if (c->notes[i].kind == NOTE_PART && !c->notes[i].live && strncmp(c->notes[i].name, below, length) == 0)
            show_old(c, c->notes[i].name);
    cf_missed_as(c, part, right, refusal);
}

void cf_replay(struct cf *c)
{
    for (size_t i = 0; i < c->note_count; i++) {
        struct cf_note *n = &c->notes[i];
        bool told = n->live;
        n->live = true;
        if (n->kind == NOTE_PART && !told && !show_old(c, n->name))
            show(c, n->name, BELFRY_UNKNOWN,
                 belfry_print(c->p, "last seen %s ago: %s", belfry_ago(c->p, n->at), n->text));
    }
}

/* ---- findings -------------------------------------------------------------------------------------------------- */

void cf_find(struct cf *c, struct cf_finding *f, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = c->p->host->print(c->p, format, args);
    va_end(args);
    /* what is worse comes first */
    bool first = !f->text || cf_worse(f->state, state) != f->state;
    f->text = !f->text ? text : belfry_print(c->p, "%s; %s", first ? text : f->text, first ? f->text : text);
    f->state = cf_worse(f->state, state);
}

void cf_tell(struct cf *c, const char *part, const struct cf_finding *f)
{
    cf_part(c, part, f->state, "%s", f->text ? f->text : "fine");
}

/* ---- texts and lists ------------------------------------------------------------------------------------------- */

/* Cloudflare's errors don't show a token; a proxy's might. */
const char *cf_words(struct cf *c, const char *text)
{
    static const char *const secrets[] = { "cfut_", "cfat_", "cfk_" };
    if (c->token && *c->token && strstr(text, c->token))
        return "(a text with the token in it)";
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strstr(text, secrets[i]))
            return "(a text with a token in it)";
    return say_excerpt(c->p, text, strlen(text));
}

static size_t name_length(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && name[length - 1] == '.' ? length - 1 : length;
}

bool cf_same_name(const char *a, const char *b)
{
    return name_length(a) == name_length(b) && strncasecmp(a, b, name_length(a)) == 0;
}

const char *cf_host_name(struct cf *c, const char *name)
{
    char *out = say_copy(c->p, name, name_length(name));
    for (char *at = out; *at; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;
    return out;
}

bool cf_listed(struct cf *c, const char *option, const char *text)
{
    for (size_t i = 0; i < belfry_count(c->p, option); i++)
        if (cf_same_name(belfry_item(c->p, option, i), text))
            return true;
    return false;
}

bool cf_skipped(struct cf *c, const char *what)
{
    return cf_listed(c, "skip", what);
}
