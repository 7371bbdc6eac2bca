/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fiber - coroutines on mapped stacks.
 *
 * A switch saves the registers that a called function must leave as they were, and the floating-point modes, on the
 * stack that it leaves. swapcontext() would also save and restore the signal mask, two system calls for each wait of a
 * run; here the mask is set back once, when work() has returned: a plugin that changes it changes it for its own run
 * and, while that waits, for those that the thread runs meanwhile.
 *
 * An overflow of the stack hits the guard and kills the process, which is attributed like any crash. AddressSanitizer
 * is told of every switch, for it keeps a shadow of the stack. */
#include "core/worker/fiber.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "config.h"
#ifdef BELFRY_SANITIZERS
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)0)
#define __sanitizer_finish_switch_fiber(save, bottom, size) ((void)0)
#endif

int fiber_open(struct fiber *fiber, struct fiber_home *home, void (*work)(struct fiber *fiber))
{
    size_t size = FIBER_GUARD_BYTES + FIBER_STACK_BYTES;
    char *map = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (map == MAP_FAILED)
        return -errno;
    if (mprotect(map + FIBER_GUARD_BYTES, FIBER_STACK_BYTES, PROT_READ | PROT_WRITE) != 0) {
        int rc = -errno;
        munmap(map, size);
        return rc;
    }
    fiber->map = map;
    fiber->home = home;
    fiber->work = work;
    return 0;
}

void fiber_close(struct fiber *fiber)
{
    if (fiber->map != NULL)
        munmap(fiber->map, FIBER_GUARD_BYTES + FIBER_STACK_BYTES);
    fiber->map = NULL;
    fiber->started = false;
}

/* ---- switching ----------------------------------------------------------------------------------------------- */

/* The first frame of every fiber. */
static void enter(struct fiber *fiber)
{
    __sanitizer_finish_switch_fiber(NULL, &fiber->home->stack, &fiber->home->stack_bytes);
    for (;;) {
        fiber->work(fiber);
        pthread_sigmask(SIG_SETMASK, &fiber->home->mask, NULL);
        fiber_suspend(fiber);
    }
}

#ifdef FIBER_UCONTEXT

/* makecontext() hands over ints, so the pointer comes in two. */
static void enter_by_halves(unsigned high, unsigned low)
{
    enter((struct fiber *)((uintptr_t)high << 32 | low));
}

static void make_state(struct fiber *fiber)
{
    getcontext(&fiber->state.context);
    fiber->state.context.uc_stack.ss_sp = fiber->map + FIBER_GUARD_BYTES;
    fiber->state.context.uc_stack.ss_size = FIBER_STACK_BYTES;
    fiber->state.context.uc_link = NULL;
    makecontext(&fiber->state.context, (void (*)(void))enter_by_halves, 2, (unsigned)((uintptr_t)fiber >> 32),
                (unsigned)(uintptr_t)fiber);
}

static void switch_state(struct fiber_state *from, const struct fiber_state *to)
{
    swapcontext(&from->context, &to->context);
}

#else

/* Saves where it is called in *from and goes on where *to was saved. */
void fiber_switch(struct fiber_state *from, const struct fiber_state *to);
/* Where a new stack begins: enter() gets what make_state() left in a register. */
void fiber_begin(void);

__asm__(".pushsection .text\n"
        ".globl fiber_switch\n.hidden fiber_switch\n.type fiber_switch, @function\n"
        "fiber_switch:\n"
        ".cfi_startproc\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    subq $8, %rsp\n    stmxcsr (%rsp)\n    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n    movq (%rsi), %rsp\n"
        "    ldmxcsr (%rsp)\n    fldcw 4(%rsp)\n    addq $8, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".cfi_endproc\n.size fiber_switch, .-fiber_switch\n"
        ".globl fiber_begin\n.hidden fiber_begin\n.type fiber_begin, @function\n"
        "fiber_begin:\n"
        ".cfi_startproc\n.cfi_undefined rip\n" /* debuggers: there is nothing below */
        "    movq %rbx, %rdi\n    call *%r12\n    ud2\n"
        ".cfi_endproc\n.size fiber_begin, .-fiber_begin\n"
        ".popsection\n");

/* As fiber_switch() leaves a stack, from the lowest address on. */
struct saved {
    uint32_t sse_modes;
    uint16_t x87_modes, unused;
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t next;       /* instruction */
    uint64_t nothing[2]; /* above it the stack is aligned to 16 */
};

static void make_state(struct fiber *fiber)
{
    char *top = fiber->map + FIBER_GUARD_BYTES + FIBER_STACK_BYTES;
    struct saved *saved = (struct saved *)(void *)(top - sizeof(*saved));
    *saved = (struct saved){ .r12 = (uintptr_t)enter, .rbx = (uintptr_t)fiber, .next = (uintptr_t)fiber_begin };
    __asm__("stmxcsr %0" : "=m"(saved->sse_modes));
    __asm__("fnstcw %0" : "=m"(saved->x87_modes));
    fiber->state.stack = saved;
}

static void switch_state(struct fiber_state *from, const struct fiber_state *to)
{
    fiber_switch(from, to);
}

#endif

static void start(struct fiber *fiber)
{
    if (!fiber->home->has_mask)
        pthread_sigmask(SIG_SETMASK, NULL, &fiber->home->mask);
    fiber->home->has_mask = true;
    make_state(fiber);
    fiber->started = true;
}

void fiber_resume(struct fiber *fiber)
{
    if (!fiber->started)
        start(fiber);
    __sanitizer_start_switch_fiber(&fiber->home->shadow, fiber->map + FIBER_GUARD_BYTES, FIBER_STACK_BYTES);
    switch_state(&fiber->home->state, &fiber->state);
    __sanitizer_finish_switch_fiber(fiber->home->shadow, NULL, NULL);
}

void fiber_suspend(struct fiber *fiber)
{
    __sanitizer_start_switch_fiber(&fiber->shadow, fiber->home->stack, fiber->home->stack_bytes);
    switch_state(&fiber->state, &fiber->home->state);
    __sanitizer_finish_switch_fiber(fiber->shadow, &fiber->home->stack, &fiber->home->stack_bytes);
}

void fiber_shrink(struct fiber *fiber)
{
    madvise(fiber->map + FIBER_GUARD_BYTES, FIBER_STACK_BYTES, MADV_DONTNEED);
    fiber->started = false;
}
