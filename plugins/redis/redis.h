/* SPDX-License-Identifier: GPL-3.0-or-later */
/* redis - what the files of the plugin share: the link to the server, and the reading of INFO. */
#ifndef PLUGINS_REDIS_H
#define PLUGINS_REDIS_H

#include <hiredis/read.h>

#include "belfry/plugin.h"
#include "plugins/common/stream.h"
#include "plugins/common/tls.h"

/* A reply; arrays are never one (no command of ours is answered with an array). */
struct redis_reply {
    int type; /* REDIS_REPLY_STRING, _STATUS, _ERROR, _INTEGER or _NIL */
    const char *text;
    long long integer;
};

struct redis_link {
    struct stream stream;
    redisReader *reader;
    struct net_report report;
};

/* link.c: connects; 0 or a negative code with link->report.why. tls NULL: plain. *end says what TLS made of it. */
int redis_open(struct redis_link *link, struct belfry_probe *p, const struct net_target *target,
               const struct stream_tls *tls, enum tls_end *end);
/* Sends one command and reads its reply, which lives until run() returns. NULL: *why says what broke. */
const struct redis_reply *redis_ask(struct redis_link *link, int count, const char **words, const char **why);
/* Accepts what redis_open() left behind in any case. */
void redis_close(struct redis_link *link);

/* info.c: what the verdict is made from. */
struct redis_report {
    enum belfry_state state;
    const char *problems; /* "; "-joined, or NULL */
    const char *summary;
    bool cluster; /* the server is a node of one */
};
/* Measures everything that an INFO text tells. */
void redis_judge(struct belfry_probe *p, const char *info, struct redis_report *out);
void redis_add_problem(struct belfry_probe *p, struct redis_report *report, enum belfry_state state, const char *text);

/* more.c: each false with *why when the connection broke. */
bool redis_measure_lengths(struct belfry_probe *p, struct redis_link *link, const char **why);
bool redis_judge_cluster(struct belfry_probe *p, struct redis_link *link, struct redis_report *report,
                         const char **why);

#endif
