/* SPDX-License-Identifier: GPL-3.0-or-later */
/* book - the worker's side of the ledger (core/model/ledger.h): who executes what, so that a death is attributed.
 *
 * A slot names a run only while code of the plugin executes in it. It is cleared when the run waits or ends, after the
 * worker has made sure that the plugin left the worker's own descriptors alone. After a death the keeper finds
 *     crashed is a run        that run is to blame: a fatal signal or exit() on its thread, noted by the dying thread
 *     crashed is BOOK_NOBODY  another process sent the fatal signal
 *     crashed is 0            one slot set: that run; several: it can't be told; none: nobody
 * Coroutines have slot 0 only; several slots exist for `.blocking` plugins. */
#ifndef WORKER_BOOK_H
#define WORKER_BOOK_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/model/ledger.h"

#define FRAMES_FD 3
#define LEDGER_FD 4

#define BOOK_NOBODY UINT64_MAX /* never the number of a run */

struct book {
    struct ledger *ledger;
    pid_t process; /* a child that a plugin forked has the book but not the right to write into it */
    _Atomic uint32_t threads[LEDGER_SLOTS]; /* kernel's number of each slot's thread; 0: not started */
};

/* Says that the calling thread is the slot's. */
void book_take_slot(struct book *book, uint32_t slot);
/* Maps the ledger at LEDGER_FD; without one (started by hand) a private one. The calling thread has slot 0. 0 or
 * ERROR_PROTOCOL when what is there isn't a ledger. */
int book_open(struct book *book);
void book_enter(struct book *book, uint32_t slot, uint64_t run, int64_t now_ms);
void book_leave(struct book *book, uint32_t slot);
/* Notes that the calling thread's run, if it has one, ends the process. Safe in signal handlers. */
void book_blame_thread(struct book *book);
/* Notes that no run does. Likewise. */
void book_blame_nobody(struct book *book);

/* Notes that it dies of a system call that is forbidden. Likewise. */
void book_note_forbidden(struct book *book, int call);

#endif
