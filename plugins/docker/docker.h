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
    const char *state, *status;
    /* inspect */
    bool inspected, gone;
    const char *trouble; /* why it could not be inspected */
    const char *health;  /* "healthy", "unhealthy", "starting", or NULL: no health check */
    const char *probe;   /* what the last failed health probe printed */
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
    const char *disk; /* what it uses, in words; NULL when not asked for */
};

/* engine.c: asking. Each returns false when the verdict is said. */
bool docker_greet(struct docker *d);
bool docker_list(struct docker *d);
bool docker_inspect(struct docker *d);
void docker_events(struct docker *d);
/* usage.c */
void docker_stats(struct docker *d);
bool docker_disk(struct docker *d);
/* record.c: what is kept between runs */
void docker_recall(struct docker *d);
void docker_remember(struct docker *d);
/* judge.c */
void docker_judge(struct docker *d);

#endif
