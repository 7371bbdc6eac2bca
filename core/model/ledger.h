/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger - a page of memory that a worker shares with the keeper: which run each of its threads is executing at this
 * instant. The worker writes it before it resumes a run and clears it when the run yields or ends; the keeper reads it
 * when the worker died or does not come back. The keeper treats what it reads as hostile: a number that is not one of
 * that worker's runs blames nobody. */
#ifndef MODEL_LEDGER_H
#define MODEL_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#define LEDGER_MAGIC 0x4C424C46u
#define LEDGER_SLOTS 257 /* 0: the coroutines' thread; then the pool's threads */

struct ledger_slot {
    _Atomic uint64_t run;     /* 0: none */
    _Atomic int64_t since_ms; /* CLOCK_BOOTTIME */
};

struct ledger {
    uint32_t magic, size;
    _Atomic uint64_t crashed; /* set by the worker's signal handler: the run of the thread that crashed; 0: not known */
    _Atomic uint64_t forbidden; /* likewise: the number of the system call that it died of, + 1; 0: none */
    struct ledger_slot slots[LEDGER_SLOTS];
};

#endif
