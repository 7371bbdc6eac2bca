/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tool - a program of somebody else: found in the usual folders, started without a shell, with a clean environment that
 * names the drill, as the drill's user; what it says on stderr is kept for the reason of a failure. */
#ifndef DRILL_TOOL_H
#define DRILL_TOOL_H

#include "core/drill/drill.h"

#define TOOL_ARGS_MAX 40
#define TOOL_ENV_MAX 8
#define TOOL_SAID_MAX 2048

struct tool {
    const char *argv[TOOL_ARGS_MAX]; /* argv[0]: its name, looked up; or a path */
    const char *env[TOOL_ENV_MAX];   /* more variables */
    enum phase phase;                /* whose failure its own is */
    int in, out;                     /* descriptors, 0: /dev/null; not closed */
    int key_fd;                      /* becomes descriptor 3; 0: none */
    bool dies_with_us;               /* as whatever is outside of the runner's namespace */
    bool as_self;                    /* not as the drill's user: it has to read the backup */
    bool one_log;                    /* what it says goes to `out`, too, and is not kept */
    const char *folder;              /* working directory; NULL: the scratch folder */
    const char *error, *excuse;      /* it goes on after a line with the one, which the other excuses */
    /* what became of it */
    pid_t pid;
    int said_fd, status;
    bool ended;
    size_t said_length;
    char said[TOOL_SAID_MAX];
    char first_error[512]; /* of those lines, without excuse */
};

/* Adds an argument. */
void tool_add(struct tool *tool, const char *argument);
/* The whole path of a program, or NULL after run_fail() with the package that has it. In run->arena. */
const char *tool_find(struct run *run, enum phase phase, const char *name);
int tool_start(struct run *run, struct tool *tool);
/* Reads what it says now; never waits. */
void tool_hear(struct tool *tool);
/* Whether it is dead; takes its status. */
bool tool_ended(struct run *run, struct tool *tool);
/* SIGKILL, and waits for it. */
void tool_kill(struct run *run, struct tool *tool);
bool tool_good(const struct tool *tool);
/* The first line with `error` and without `excuse` of all that it said until it ended; NULL: there was none. */
const char *tool_error(struct tool *tool);
/* "age: no identity matched", or how it ended. */
const char *tool_complaint(struct run *run, const struct tool *tool);
/* run_fail() with that complaint; of one that was given the key, with what to look at. */
int tool_blame(struct run *run, const struct tool *tool);
/* Runs it to its end with stdout into out (bounded; or NULL): 0 when it ended well, else -1 without run_fail(). */
int tool_run(struct run *run, struct tool *tool, struct buf *out, int64_t limit_ms);
/* A file in memory with the drill's key, to be given as key_fd; -1 after run_fail(). */
int tool_key(struct run *run, enum phase phase);
/* The same with any text. */
int tool_memory(struct run *run, enum phase phase, const char *text);

#endif
