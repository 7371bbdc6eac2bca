/* SPDX-License-Identifier: GPL-3.0-or-later */
/* child - a process of the family: started with a frame socket on descriptor 3 and pipes for what it prints, read,
 * written and reaped. Its bytes are hostile: frames are bounded, lines are made visible, cut and counted. */
#ifndef KEEPER_CHILD_H
#define KEEPER_CHILD_H

#include <sys/types.h>

#include "core/base/spawn.h"
#include "core/keeper/life.h"
#include "core/keeper/link.h"

/* Lines that are logged a second, for each child: of its output, and of what it says in frames. The rest is counted. */
#define CHILD_LINES_PER_S 20
#define CHILD_MESSAGES_PER_S 200
/* Who said nothing for so long is pinged; */
#define CHILD_PING_MS 2000
/* gets no more work when that stays unanswered for so long; */
#define CHILD_QUIET_MS 4000
/* and is dead for us, and killed, after so long. */
#define CHILD_SILENCE_MS 15000
/* Who is not gone so long after SIGKILL hangs in the kernel. */
#define CHILD_UNKILLABLE_MS 5000

struct child;

struct child_lines {
    int64_t second;
    uint32_t most, count, dropped;
};

struct child_output {
    uv_poll_t poll;
    int fd;
    struct buf line;
    struct child *child;
};

/* Embed it; the owner is freed from on_gone only. */
struct child {
    pid_t pid;     /* 0: not running */
    char name[96]; /* "plugin redis", for the log */
    struct link link;
    struct child_output output;
    uv_poll_t exit_poll;
    int exit_fd;           /* pidfd */
    bool exited, violated; /* violated: it sent what it must not and was killed for it */
    int status;            /* of wait4() */
    int64_t cpu_ms;        /* that it used in all */
    enum life_state life;
    int64_t started_ms;
    int64_t killed_ms;
    int64_t heard_ms; /* of the last frame */
    int64_t asked_ms; /* when the ping was sent that is not answered; 0: there is none */
    uint64_t jobs;    /* that it did */
    bool silent;      /* it was killed for its silence */
    int open_handles;
    struct child_lines lines, messages;
    void *owner;
    bool (*on_frame)(struct child *child, struct wire_frame *frame);
    /* The process is dead and reaped (status is set), and all it had written has been read. */
    void (*on_exit)(struct child *child);
    /* After child_close(): nothing of it is in the loop any more. */
    void (*on_gone)(struct child *child);
};

struct child_spec {
    const char *program;
    const char *const *argv;
    const struct spawn_limit *limits;
    unsigned limit_count;
    int extra_fd;  /* becomes descriptor 4, or -1 */
    bool outlives; /* it is not killed with the keeper: the end of its socket tells it, and it ends by itself */
};

/* name, owner and the callbacks are set before. 0 or a negative code (then nothing is in the loop). */
int child_start(struct child *child, uv_loop_t *loop, struct links *dirty, const struct child_spec *spec);
/* SIGKILL to its process group. */
void child_kill(struct child *child);
void child_move(struct child *child, enum life_event event);
/* Looks after it: pings it, and kills it when it stays silent unless it has an excuse. True once, when it turns out
 * that it can't be killed. */
bool child_watch(struct child *child, int64_t now_ms, bool excused);
/* The time that the keeper itself did not look counts for nobody. */
void child_forgive(struct child *child, int64_t stalled_ms);
/* "ended by SIGSEGV with 3 runs in flight; it was running web/a; age 2.1 s, 40 jobs done, 0.1 s of CPU" */
struct obituary {
    const char *end;   /* child_end_text(), or what is known better */
    const char *check; /* that was running, or NULL */
    unsigned flights;  /* runs that ended with it */
};
const char *child_obituary(const struct child *child, const struct obituary *obituary, char *out, size_t size);
/* Whether one more line may be logged. */
bool child_may_log(struct child *child, struct child_lines *lines);
/* Takes it out of the loop; on_gone follows. */
void child_close(struct child *child);
/* "SIGSEGV", "exit status 1" as a sentence part: "ended by SIGSEGV". */
const char *child_end_text(const struct child *child, char *out, size_t size);

#endif
