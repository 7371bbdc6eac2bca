/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fiber - a coroutine: a guarded stack, and switching to it and back. */
#ifndef WORKER_FIBER_H
#define WORKER_FIBER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Where the switch is written in assembler; elsewhere, and where returns are checked against a second stack of their
 * addresses, it is swapcontext(). Define FIBER_UCONTEXT to have that anywhere. */
#if !defined(__x86_64__) || defined(__SHSTK__)
#define FIBER_UCONTEXT
#endif
#ifdef FIBER_UCONTEXT
#include <ucontext.h>
#endif

#define FIBER_STACK_BYTES (256u << 10)
/* Several pages: a function with a large frame that was compiled without stack probes should not step over it. */
#define FIBER_GUARD_BYTES (64u << 10)

struct fiber_state {
#ifdef FIBER_UCONTEXT
    ucontext_t context;
#else
    void *stack; /* the rest is on it */
#endif
};

/* The thread that resumes fibers. Zero it. */
struct fiber_home {
    struct fiber_state state;
    sigset_t mask; /* that each work() begins with */
    bool has_mask;
    void *shadow; /* these three: what AddressSanitizer wants to know of the thread's stack */
    const void *stack;
    size_t stack_bytes;
};

/* Zero it, then fiber_open(). */
struct fiber {
    struct fiber_state state;
    struct fiber_home *home;
    void (*work)(struct fiber *fiber);
    char *map;    /* guard, then stack */
    bool started; /* the stack holds frames */
    void *shadow;
};

/* Gives it a stack; 0 or -errno. Each time that it is resumed after work() returned, work() is called again. */
int fiber_open(struct fiber *fiber, struct fiber_home *home, void (*work)(struct fiber *fiber));
void fiber_close(struct fiber *fiber);
/* From the home thread: returns when the fiber suspends itself or work() has returned. */
void fiber_resume(struct fiber *fiber);
/* From inside work(). */
void fiber_suspend(struct fiber *fiber);
/* Gives the stack's memory back to the system, for a fiber whose work() has returned. */
void fiber_shrink(struct fiber *fiber);

#endif
