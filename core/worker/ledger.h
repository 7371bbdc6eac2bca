/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger - memory shared between a worker and the keeper that says which run is executing at this instant, so that a
 * crash is attributed to the check that caused it.
 *
 * The keeper makes a memory file of ledger_bytes(slots) bytes, writes magic and slot_count, and passes it as descriptor
 * LEDGER_FD. Slot 0 is the coroutine thread; slots 1.. are the pool's threads (a `.blocking` plugin). A slot names a
 * run only while code of the plugin executes in it: it is set before a run is resumed, and cleared when the run waits
 * or ends and the worker has made sure that the plugin left the worker's own descriptors alone.
 *
 * After a death the keeper reads it:
 *     culprit is 1 + i         slot i's run is to blame (a fatal signal or exit() on that thread, seen from inside)
 *     culprit is LEDGER_OTHER  a fatal signal hit a thread that ran no plugin code: nobody is to blame
 *     culprit is 0             one slot set: that run; several: any of them, it can't be told; none: nobody
 * The worker ran foreign code: the keeper bounds slot_count by what it passed and takes a run number only when it is
 * one that it gave to this very worker. */
#ifndef WORKER_LEDGER_H
#define WORKER_LEDGER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_FD 3
#define LEDGER_FD 4

#define LEDGER_MAGIC 0x5247444Cu /* "LDGR" */
#define LEDGER_THREADS_MAX 256u
#define LEDGER_SLOTS_MAX (LEDGER_THREADS_MAX + 1)
#define LEDGER_OTHER UINT32_MAX

struct ledger_slot {
    _Atomic uint64_t run;      /* number of the run that executes here; 0: none */
    _Atomic int64_t since_ms;  /* clock_now_ms() when it was resumed */
    _Atomic uint32_t thread;   /* kernel's number of the thread; 0: not started */
    _Atomic uint32_t reserved; /* 0 */
};

struct ledger {
    uint32_t magic;
    uint32_t slot_count;
    _Atomic uint32_t culprit;
    uint32_t reserved;
    struct ledger_slot slots[];
};

static inline size_t ledger_bytes(uint32_t slots)
{
    return sizeof(struct ledger) + slots * sizeof(struct ledger_slot);
}

/* Maps the ledger at LEDGER_FD; without one (started by hand) a private one. NULL when what is there isn't one. */
struct ledger *ledger_open(void);

void ledger_enter(struct ledger *ledger, uint32_t slot, uint64_t run, int64_t now_ms);
void ledger_leave(struct ledger *ledger, uint32_t slot);
/* Says that the calling thread's run is what ends the process. Safe in signal handlers. */
void ledger_blame_thread(struct ledger *ledger);

#endif
