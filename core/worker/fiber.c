/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fiber - ucontext on mapped stacks.
 *
 * swapcontext() also saves and restores the signal mask, which costs a system call and is wanted: a plugin that changes
 * the mask changes it for its own run only. An overflow of the stack hits the guard and kills the process, which is
 * attributed like any crash. AddressSanitizer is told of every switch, for it keeps a shadow of the stack. */
#include "core/worker/fiber.h"

#include <errno.h>
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

/* The first frame of every fiber. makecontext() hands over ints, so the pointer comes in two. */
static void enter(unsigned high, unsigned low)
{
    struct fiber *fiber = (struct fiber *)((uintptr_t)high << 32 | low);
    __sanitizer_finish_switch_fiber(NULL, &fiber->home->stack, &fiber->home->stack_bytes);
    for (;;) {
        fiber->work(fiber);
        fiber->rests = true;
        fiber_suspend(fiber);
    }
}

static void start(struct fiber *fiber)
{
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->map + FIBER_GUARD_BYTES;
    fiber->context.uc_stack.ss_size = FIBER_STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, (void (*)(void))enter, 2, (unsigned)((uintptr_t)fiber >> 32),
                (unsigned)(uintptr_t)fiber);
    fiber->started = true;
}

void fiber_resume(struct fiber *fiber)
{
    if (!fiber->started)
        start(fiber);
    else if (fiber->rests) /* the mask that the last work() left behind is not for the next */
        fiber->context.uc_sigmask = fiber->home->context.uc_sigmask;
    fiber->rests = false;
    __sanitizer_start_switch_fiber(&fiber->home->shadow, fiber->map + FIBER_GUARD_BYTES, FIBER_STACK_BYTES);
    swapcontext(&fiber->home->context, &fiber->context);
    __sanitizer_finish_switch_fiber(fiber->home->shadow, NULL, NULL);
}

void fiber_suspend(struct fiber *fiber)
{
    __sanitizer_start_switch_fiber(&fiber->shadow, fiber->home->stack, fiber->home->stack_bytes);
    swapcontext(&fiber->context, &fiber->home->context);
    __sanitizer_finish_switch_fiber(fiber->shadow, &fiber->home->stack, &fiber->home->stack_bytes);
}

void fiber_shrink(struct fiber *fiber)
{
    madvise(fiber->map + FIBER_GUARD_BYTES, FIBER_STACK_BYTES, MADV_DONTNEED);
    fiber->started = false;
}
