/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger - which RRD file librrd is working on at this instant, in a page that outlives the process; and the lock that
 * makes the recorder the only one of its folder. When librrd crashes (or computes for longer than it ever should) the
 * page still names the file, and the next recorder moves that file aside. Being killed from outside blames nobody: only
 * the recorder's own handler of a crash writes down that it was one.
 *
 * librrd updates a file in place, head and rows piece by piece: a process that is killed meanwhile leaves a file whose
 * rows have moved on and whose last update has not. So the ledger also has the head as it was before, which the next
 * recorder puts back; the rows are then written again from the write-ahead file, to the same places. */
#ifndef RECORDER_LEDGER_H
#define RECORDER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"

#define LEDGER_NAME ".recorder"
#define LEDGER_PATH_SIZE 4032
#define LEDGER_HEAD_MAX (4u << 20) /* more than any of our files has */
#define LEDGER_CPU_S 10            /* of computing; an update that takes two of these hangs, */
#define LEDGER_MAKE_TICKS 60       /* and a migration that takes ten minutes */
#define LEDGER_CRASHES_MAX 3       /* in a row: then the samples are to blame, not the files */

struct ledger {
    struct ledger_page *page; /* NULL: none is kept */
    int fd;
    volatile uint32_t ticks, ticks_max; /* of LEDGER_CPU_S in the call in progress, and how many it may take */
};

/* Opens FOLDER/.recorder, waiting up to wait_ms for another recorder to end. 0 or a negative code:
 * ERROR_BUSY, or another with which no page is kept, but all else goes on. */
int ledger_open(struct ledger *ledger, const char *folder, int64_t wait_ms, struct why *why);
/* What an earlier process was working on when it crashed, NULL when it did not; *signal_number says how. */
const char *ledger_culprit(const struct ledger *ledger, int *signal_number);
/* How many crashes there were since ledger_clear(). */
uint32_t ledger_crashes(const struct ledger *ledger);
/* Puts the head of the file back over which an earlier process was killed. Returns its path, or NULL. */
const char *ledger_undo(struct ledger *ledger);
/* The culprit is dealt with; the count stays. */
void ledger_acquit(struct ledger *ledger);
/* Work was done without a crash. */
void ledger_clear(struct ledger *ledger);
/* Around everything that hands the file at path to librrd. fd: the file, open for reading, which is that inode;
 * head_bytes: of the file's beginning, that are to be put back when we are killed; 0: the file itself is not changed.
 * ledger may be NULL. */
void ledger_enter(struct ledger *ledger, const char *path, int fd, ino_t inode, uint64_t head_bytes);
void ledger_leave(struct ledger *ledger);
/* From now on SIGPROF comes whenever we have computed for LEDGER_CPU_S. */
void ledger_watch(void);
/* Async-signal-safe, then: whether a call takes too long. */
bool ledger_hangs(struct ledger *ledger);
/* Async-signal-safe: this process is dying of this signal. */
void ledger_blame(struct ledger *ledger, int signal_number);
void ledger_close(struct ledger *ledger);

#endif
