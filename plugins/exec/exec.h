/* SPDX-License-Identifier: GPL-3.0-or-later */
/* exec - what the files of the plugin share: running a child, and reading what Nagios plugins print. */
#ifndef PLUGINS_EXEC_H
#define PLUGINS_EXEC_H

#include "belfry/plugin.h"

#define EXEC_OUTPUT_MAX 65536             /* bytes kept of stdout; the rest is read and dropped */
#define EXEC_ERRORS_MAX 4096              /* likewise of stderr */
#define EXEC_DRAIN_MAX (16 * 1024 * 1024) /* a child that prints more than this is killed */
#define EXEC_KEY_MAX 65536                /* as much as a pipe takes at once */
#define EXEC_SAMPLES_MAX 256              /* performance data */

/* Output of one of the child's streams. */
struct exec_output {
    int fd;      /* our end, -1 when closed */
    char *bytes; /* NUL-terminated */
    size_t kept, room;
    size_t total; /* bytes read, also the dropped ones */
};

struct exec_child {
    struct belfry_probe *p;
    char **argv, **envp;
    const char *key; /* what it can read from descriptor 3, at most EXEC_KEY_MAX bytes; NULL: nothing */
    size_t room;     /* bytes kept of stdout; 0: EXEC_OUTPUT_MAX */
    int pid, pidfd;  /* pidfd -1: not running */
    struct exec_output out, err;
    bool timed_out, flooded, lost; /* lost: killed, yet it does not die */
    int code, status;              /* si_code and si_status of its end */
};

/* child.c: 0 when it ran (however it ended), or a negative errno when it could not be started. */
int exec_run(struct exec_child *child);

/* perfdata.c */
struct exec_text {
    const char *first;   /* the one line */
    const char *rest;    /* long text, lines separated by \n; NULL: none */
    const char *metrics; /* all performance data, joined with blanks */
};
/* Splits a Nagios plugin's output into its text and performance data. */
void exec_split(struct belfry_probe *p, const char *output, struct exec_text *out);
/* Measures what the performance data says; judged: its warning and critical ranges are thresholds here too. */
void exec_measure(struct belfry_probe *p, const char *metrics, bool judged);

#endif
