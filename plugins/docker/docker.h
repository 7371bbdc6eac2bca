/* SPDX-License-Identifier: GPL-3.0-or-later */
/* docker - what the files of the plugin share: one container as it was seen, and the steps of a run. */
#ifndef PLUGINS_DOCKER_H
#define PLUGINS_DOCKER_H

#include "belfry/plugin.h"
#include "plugins/common/tree.h"
#include "plugins/common/web.h"

#define DOCKER_CONTAINERS_MAX 1000 /* a check has 1024 parts at most */
#define DOCKER_TIMES_MAX 4         /* as many as make the thresholds CRITICAL, and one */
#define DOCKER_SUBJECT "the Docker engine"
#define DOCKER_CREDENTIAL "the access to the socket (does a proxy allow CONTAINERS and PING?)"

/* What a run keeps of a container for the next. */
struct docker_record {
    char id[13];
    int64_t restart_count, started;
    int64_t unhealthy_since, restarting_since; /* 0: it isn't */
    bool oom;                                  /* the flag of inspect was set */
    uint64_t cpu_ns, system_ns, periods, throttled, oom_count;
    int64_t restarts[DOCKER_TIMES_MAX], ooms[DOCKER_TIMES_MAX]; /* when; the newest first */
    int64_t last_unplanned;
    char cause[24]; /* of that: "exit-3", "oom", "" when not known */
};

/* One reading of the counters for CPU. */
struct docker_cpu {
    uint64_t total_ns, system_ns;
};

struct docker_container {
    const char *id, *name, *service, *project;
    /* list */
    const char *state;
    /* inspect */
    bool inspected, gone, refused; /* refused: by a proxy; then there is what the list says */
    const char *trouble;           /* why it could not be inspected */
    const char *health;            /* "healthy", "unhealthy", "starting", or NULL: no health check */
    const char *probe;             /* what the last failed health probe printed */
    const char *policy;
    int64_t restart_count, exit_code, started, finished, streak;
    int64_t memory_limit;
    double cpu_limit, start_limit_s, failing_s; /* failing_s: for about so long, by its streak */
    bool oom;
    /* events since the last run */
    int64_t die_code; /* -1: none seen */
    int64_t oom_at;   /* the last of ooms */
    int ooms, unhealthy;
    /* stats */
    bool measured;
    double cpu_percent, memory_used, memory_limit_now, throttled_percent, pids;
    uint64_t oom_count;

    /* findings.c */
    bool searched;
    unsigned findings; /* a bit for each kind */

    bool known; /* before is of an earlier run */
    struct docker_record before, now;
};

struct docker {
    struct belfry_probe *p;
    struct web_client *client;
    struct web_setup setup;
    const char *prefix; /* "/v1.44" */
    bool podman;
    double answer_s;
    int64_t now, last;         /* by the engine's clock; last 0: first run */
    const char *since, *until; /* between which events are asked for: seconds with a fraction */
    struct docker_container *containers;
    size_t count, seen; /* selected, and all there are */
    const char *events_why, *stats_why;
    const char *lacks;    /* what is not allowed, by name; NULL: nothing */
    int64_t down_at;      /* when it was found not to answer, before it did again; 0: it always did */
    size_t started_again; /* containers, meanwhile */
    const char *missing;  /* what is missing now and since when, for the next run */
    bool root_is_nobody;  /* user namespaces: root in a container is none outside */
    size_t findings;      /* of all kinds */
    const char *disk;     /* what it uses, in words; NULL when not asked for */
};

/* greet.c: who it is. Each step that returns a bool returns false when the verdict is said. */
bool docker_greet(struct docker *d);
/* Takes the version that a refusal ("client version 1.24 is too old...") names; false when it is no such. */
bool docker_renegotiate(struct docker *d, const struct web_answer *answer);
/* Whether access was refused (401, 403): then notes what is lacking, and what a proxy would have to allow. */
bool docker_lacks(struct docker *d, const struct web_answer *answer, const char *what, const char *allow);
/* engine.c: asking for containers */
bool docker_list(struct docker *d);
bool docker_inspect(struct docker *d);
void docker_events(struct docker *d);
/* usage.c */
void docker_stats(struct docker *d);
bool docker_disk(struct docker *d);
/* findings.c: what is against good custom. docker_find() looks at one inspect, docker_info() asks the engine. */
void docker_info(struct docker *d);
void docker_find(struct docker *d, struct docker_container *c, const json_t *inspect);
const char *docker_say_findings(struct docker *d, const char *text);
/* record.c: what is kept between runs */
void docker_recall(struct docker *d);
void docker_remember(struct docker *d);
/* Since when something that is expected is missing: as known, or as `since` when that is not 0, or now. */
int64_t docker_missing_since(struct docker *d, const char *name, int64_t since);
/* history.c: events, and how often of late */
void docker_note(struct docker *d, struct docker_container *c);
void docker_note_return(struct docker *d);
int docker_recent_restarts(struct docker *d, struct docker_container *c);
int docker_recent_ooms(struct docker *d, struct docker_container *c);
const char *docker_say_exit(struct belfry_probe *p, int64_t code);
const char *docker_say_cause(struct belfry_probe *p, const char *cause);
/* judge.c */
void docker_judge(struct docker *d);

#endif
