/* SPDX-License-Identifier: GPL-3.0-or-later */
/* redis - what the files of the plugin share: the link to the server, what a refusal means, and what the verdict is
 * made from. */
#ifndef PLUGINS_REDIS_H
#define PLUGINS_REDIS_H

#include <hiredis/read.h>
#include <stdarg.h>

#include "belfry/plugin.h"
#include "plugins/common/stream.h"
#include "plugins/common/tls.h"

#define REDIS_WORDS_MAX 8

struct redis_reply {
    int type; /* REDIS_REPLY_STRING, _STATUS, _ERROR, _INTEGER, _NIL or _ARRAY */
    const char *text;
    long long integer;
    size_t count; /* of an array */
    struct redis_reply **items;
};

struct redis_link {
    struct stream stream; /* stream.p is the run */
    redisReader *reader;
    struct net_report report;
    const char *words[REDIS_WORDS_MAX]; /* the last command; refusals are explained by it */
    bool lists;                         /* whether its answer may be an array */
    size_t elements;                    /* of its answer so far */
    const char *broken;                 /* what the connection broke of, or NULL */
};

/* link.c: connects; 0 or a negative code with link->report.why. tls NULL: plain. *end says what TLS made of it. */
int redis_open(struct redis_link *link, struct belfry_probe *p, const struct net_target *target,
               const struct stream_tls *tls, enum tls_end *end);
/* Sends one command, words up to a NULL, and reads its reply, which lives until run() returns. An array is no reply.
 * NULL: the connection is of no use any more, and link->broken says why. */
const struct redis_reply *redis_ask(struct redis_link *link, ...) __attribute__((__sentinel__));
/* The same for commands that are answered with an array. */
const struct redis_reply *redis_ask_list(struct redis_link *link, ...) __attribute__((__sentinel__));
/* Accepts what redis_open() left behind in any case. */
void redis_close(struct redis_link *link);
bool redis_is_error(const struct redis_reply *reply, const char *prefix);
/* The value of a name in an array of names and values, or NULL. */
const struct redis_reply *redis_pair(const struct redis_reply *pairs, const char *name);
/* Its text, or "". */
const char *redis_pair_text(const struct redis_reply *pairs, const char *name);
/* Its number, or NaN. */
double redis_pair_number(const struct redis_reply *pairs, const char *name);

/* refusal.c: what an error reply means, found by its beginning. */
enum redis_meaning {
    REDIS_GO_ON,     /* a problem, and INFO may still tell more */
    REDIS_NO_ANSWER, /* UNKNOWN: the server may be well */
    REDIS_TURNED_OFF /* not reached */
};

struct redis_refusal {
    enum redis_meaning meaning;
    enum belfry_state state;
    const char *text; /* what the server does: "is loading its data set" */
};
/* Of an answer to the last command that is not what was wanted, an error or not. */
struct redis_refusal redis_refusal(const struct redis_link *link, const struct redis_reply *reply);

/* info.c: what the verdict is made from. */
struct redis_report {
    enum belfry_state state;
    const char *problems; /* "; "-joined, or NULL */
    const char *summary;
    bool cluster;   /* the server is a node of one */
    bool sentinel;  /* it is a Sentinel */
    bool restarted; /* since the last run */
    double now;     /* the server's clock, in seconds since 1970 */
};
/* Measures everything that an INFO text tells. */
void redis_judge(struct belfry_probe *p, const char *info, struct redis_report *out);
void redis_add_problem(struct belfry_probe *p, struct redis_report *report, enum belfry_state state, const char *text);
/* The number of a field of a text like INFO's, or NaN. */
double redis_field(struct belfry_probe *p, const char *text, const char *key);
/* "3 min", "5 h": how long. */
const char *redis_say_age(struct belfry_probe *p, double seconds);

/* Each asks for more and measures it; false when the connection broke: link->broken.
 * keys.c */
bool redis_measure_lengths(struct redis_link *link);
/* streams.c */
bool redis_judge_streams(struct redis_link *link, const struct redis_report *report);
/* slow.c */
bool redis_judge_slowness(struct redis_link *link, struct redis_report *report);
/* cluster.c */
bool redis_judge_cluster(struct redis_link *link, struct redis_report *report);
/* sentinel.c */
bool redis_judge_sentinel(struct redis_link *link, struct redis_report *report);

#endif
