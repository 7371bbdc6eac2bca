/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fetch - a backup that is elsewhere: behind a Pterodactyl panel, or where rclone gets at it.
 *
 * Nothing in a drill but one process, the fetcher, sees the network. The supervisor starts it before it leaves the
 * host's namespaces; it is in the sandbox, its tools run as the drill's user, and it answers three requests of the
 * runner over a socket, each one byte:
 *
 *     f   find: which backup is it?                         → its name, size, age, checksum
 *     o   open: begin to send it                            → the reading end of a pipe
 *     e   end: how did the tool that sends it end?          → good, or its complaint
 *
 *     fetch.c          the process; fetch_panel.c, fetch_rclone.c: a way to find and send each
 *     remote.c         the runner's side */
#ifndef DRILL_FETCH_H
#define DRILL_FETCH_H

#include "core/drill/tool.h"

#define FETCH_FIND 'f'
#define FETCH_OPEN 'o'
#define FETCH_END 'e'

/* The backup that was chosen. */
struct fetch_choice {
    char name[512];     /* as the evidence shows it */
    char id[512];       /* as the scheme knows it */
    char checksum[160]; /* "sha1:HEX", or "" */
    int64_t bytes, wall_ms;
    unsigned count; /* that there were to choose from */
};

struct fetch_answer {
    bool good;
    char why[512];
    int64_t cpu_ms;
    struct fetch_choice choice;
};

struct fetch_scheme {
    const char *prefix;
    int (*find)(struct run *run, struct fetch_choice *out);
    /* Makes the tool that writes it to stdout. */
    int (*open)(struct run *run, const struct fetch_choice *choice, struct tool *tool);
};

extern const struct fetch_scheme fetch_panel, fetch_rclone;

/* Starts the fetcher; run->fetch_fd is the socket. Its pid, or a negative code. */
pid_t fetch_start(struct run *run);

/* ---- for the schemes: 0, or -1 after run_fail() */

/* One more backup: takes it into *out when it is the one that the drill wants. */
void fetch_consider(struct run *run, struct fetch_choice *out, const struct fetch_choice *one);
/* Runs a tool that tells something, with text as descriptor 3; what it tells is in *out (of at most so many bytes). */
int fetch_tell(struct run *run, struct tool *tool, const char *text, struct buf *out);
/* The same without waiting for it: descriptor 3 and the environment. */
int fetch_prepare(struct run *run, struct tool *tool, const char *text);
/* "2026-11-21T03:04:05.123+01:00" in milliseconds; 0: it is none. */
int64_t fetch_time(const char *text);

#endif
