/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cloudflare - what the files of the plugin share: the run, its zones and lists, the calls, what is remembered. */
#ifndef PLUGINS_CLOUDFLARE_H
#define PLUGINS_CLOUDFLARE_H

#include <jansson.h>

#include "belfry/plugin.h"
#include "plugins/common/tree.h"
#include "plugins/common/web.h"

#define CF_ZONES_MAX 200
#define CF_PAGES_MAX 10
#define CF_NOTES_MAX 500
#define CF_PARTS_MAX 800

/* What an answer that can't be used means for who asked. */
enum cf_kind {
    CF_FINE,
    CF_ABSENT, /* there is no such ruleset: nothing was configured */
    CF_SCOPE,  /* the token may not */
    CF_TOKEN,  /* the token itself is refused: nothing else will work */
    CF_LATER,  /* rate limit, 5xx, timeout: may work next time */
    CF_ODD     /* no JSON, no result, wrong id: asking again does not help */
};

struct cf_refusal {
    enum cf_kind kind;
    bool reached;
    long status, code;
    const char *text;
};

/* One GET. The tree lives until cf_done(). */
struct cf_call {
    const char *path;  /* below the base, with query */
    const char *right; /* the permission it needs, as the dashboard names it */
    json_t *tree;
    const json_t *result; /* of the envelope; never NULL or null when refusal.kind is CF_FINE */
    struct cf_refusal refusal;
};

/* All pages of a list. Ended by cf_list_done(). */
struct cf_list {
    struct cf_call pages[CF_PAGES_MAX];
    size_t count;              /* pages read */
    struct cf_refusal refusal; /* CF_FINE: complete */
    size_t page, item;         /* of cf_list_next() */
};

struct cf_zone {
    const char *id, *name, *status, *type, *account;
    bool paused, paused_known;
    double development_left; /* NaN: not told */
    bool packs_known;
    struct cf_call packs; /* certificate packs, until the zone's records are judged */
};

/* One thing remembered from run to run. memory.c keeps it. */
struct cf_note {
    char kind;
    int state;
    bool live;
    int64_t at;
    const char *name, *text;
};

enum cf_note_kind {
    NOTE_PART = 'p',     /* what a part said when it was last seen */
    NOTE_SETTING = 'v',  /* a setting's value */
    NOTE_DEGRADED = 'd', /* a tunnel first seen degraded */
    NOTE_SERVED = 's',   /* a tunnel that was seen healthy */
    NOTE_DEVELOP = 'm',  /* a zone first seen in development mode */
    NOTE_PENDING = 'w',  /* DNSSEC first seen pending */
};

struct cf_probe; /* origin.c */

struct cf {
    struct belfry_probe *p;
    struct web_client *client;
    int64_t now;
    const char *token, *account;
    int64_t calls, calls_max;
    double api_s, rate_left; /* rate_left: percent, INFINITY when never told */
    const char *stopped;     /* why nothing more is asked, or NULL */
    struct cf_zone *zones;
    size_t zone_count;
    bool zones_known, zones_late; /* late: the list may come next time */
    struct cf_list tunnels;       /* read before the zones: records point to tunnels */
    bool tunnels_known;
    struct cf_call ranges; /* Cloudflare's own addresses */
    struct cf_probe *probes;
    size_t probe_count;
    const char **protect; /* the names of that option, as the API writes them */
    size_t protect_count;
    bool *host_seen; /* for each of option 'protect': its zone was looked at */
    struct cf_note *notes;
    size_t note_count;
    bool first_run;
    enum belfry_state state; /* of the whole, without parts */
    bool reached;
    const char *troubles; /* "; a; b" */
    size_t parts, bad, old;
    enum belfry_state worst;
    const char *worst_text;
    size_t hosts, tunnels_seen, apps_seen; /* for the verdict */
};

/* What a part will say: pieces of text and the worst state. */
struct cf_finding {
    enum belfry_state state;
    const char *text;
};

/* api.c */
/* GETs all calls, a few at a time; what a missing scope seems to refuse is asked once more. */
void cf_ask(struct cf *c, struct cf_call *calls, size_t count);
void cf_done(struct cf_call *calls, size_t count);
/* Reads a list page by page; path ends in what "page=1" is appended to. False with list->refusal: what was read so far
 * is no whole. */
bool cf_list_read(struct cf *c, struct cf_list *list, const char *path, const char *right);
/* The next item of a list that was read; NULL at the end. The first call after cf_list_read() gives the first. */
const json_t *cf_list_next(struct cf_list *list);
void cf_list_done(struct cf_list *list);
/* One POST of a GraphQL query: its "data" tree, which the caller ends, or NULL with *refusal. */
json_t *cf_graphql(struct cf *c, const char *query, const char *right, struct cf_refusal *refusal);

/* report.c */
enum belfry_state cf_worse(enum belfry_state a, enum belfry_state b);
/* Something wrong with the whole. */
BELFRY_PRINTF(3, 4) void cf_trouble(struct cf *c, enum belfry_state state, const char *format, ...);
BELFRY_PRINTF(4, 5) void cf_part(struct cf *c, const char *part, enum belfry_state state, const char *format, ...);
/* The part could not be looked at: UNKNOWN with the permission to add; after a passing fault what was seen last, with
 * its age, for as long as option 'stale' allows. */
void cf_missed(struct cf *c, const char *part, const struct cf_call *call);
void cf_missed_as(struct cf *c, const char *part, const char *right, const struct cf_refusal *refusal);
/* The same for a part that stands for all whose names begin with `below`. */
void cf_missed_below(struct cf *c, const char *part, const char *below, const char *right,
                     const struct cf_refusal *refusal);
/* Tells again all that was seen not longer than 'stale' ago: nothing can be asked now. */
void cf_replay(struct cf *c);
BELFRY_PRINTF(4, 5)
void cf_find(struct cf *c, struct cf_finding *finding, enum belfry_state state, const char *format, ...);
void cf_tell(struct cf *c, const char *part, const struct cf_finding *finding);
/* Text from outside, safe and short, without anything that looks like a token. */
const char *cf_words(struct cf *c, const char *text);
/* Until then: "1 day", "90 days". */
const char *cf_days(struct cf *c, int64_t end);
/* True when option's list has the text, case-insensitive, without a dot at its end. */
bool cf_listed(struct cf *c, const char *option, const char *text);
bool cf_skipped(struct cf *c, const char *what);
bool cf_same_name(const char *a, const char *b);
/* A host name as the API writes it: lower case, no dot at its end. */
const char *cf_host_name(struct cf *c, const char *name);

/* memory.c */
void cf_notes_load(struct cf *c);
void cf_notes_save(struct cf *c);
struct cf_note *cf_note_find(struct cf *c, enum cf_note_kind kind, const char *name);
/* Sets what is remembered; at stays when the note is there already and 'renew' is false. NULL when there are too many.
 */
struct cf_note *cf_note_put(struct cf *c, enum cf_note_kind kind, const char *name, const char *text, bool renew);
/* Notes of a part whose thing could not be looked at stay. */
void cf_note_hold(struct cf *c, enum cf_note_kind kind, const char *name);

/* token.c: false when nothing else is to be asked; the verdict's state and texts are set. */
bool cf_token_look(struct cf *c);
/* zones.c */
void cf_zones_read(struct cf *c);
void cf_zones_look(struct cf *c);
/* rules.c */
void cf_managed_judge(struct cf *c, const struct cf_zone *z, struct cf_call *managed, struct cf_call *custom);
void cf_config_judge(struct cf *c, const struct cf_zone *z, const struct cf_call *call);
void cf_allowlist_look(struct cf *c, const struct cf_zone *z);
/* certificates.c */
void cf_packs_judge(struct cf *c, struct cf_zone *z, const struct cf_call *call);
/* Whether an active pack has a certificate for the host. */
bool cf_packs_cover(const struct cf_zone *z, const char *host);
/* records.c */
void cf_records_look(struct cf *c, struct cf_zone *z);
bool cf_in_zone(const char *host, const char *zone);
/* Whether the host belongs to this zone, and to none inside it. */
bool cf_is_of_zone(struct cf *c, const struct cf_zone *z, const char *host);
/* origin.c: the view from outside. */
void cf_outside_judge(struct cf *c, const char *host, struct cf_finding *finding);
/* Remembers where a protected name's origin is to be tried directly; all are tried at once by cf_origin_try(). */
void cf_origin_plan(struct cf *c, const char *host, const char *const *addresses, size_t count);
void cf_origin_try(struct cf *c);
/* account.c */
void cf_tunnels_read(struct cf *c);
void cf_tunnels_judge(struct cf *c);
/* access.c */
void cf_access_look(struct cf *c);
void cf_service_tokens_look(struct cf *c);
/* extras.c: what is asked on request only. */
void cf_traffic_look(struct cf *c, const struct cf_zone *z);
void cf_registration_look(struct cf *c, const struct cf_zone *z);

#endif
