/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard - runs foreign code in a child process and is back in time with an answer, whatever that code does: crash,
 * exit, loop, print garbage. `belfry check` runs its plugin under it. */
#ifndef CLI_GUARD_H
#define CLI_GUARD_H

#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"

enum guard_end {
    GUARD_DONE,    /* work() returned: its status and output are there */
    GUARD_TIMEOUT, /* it did not come back and was killed */
    GUARD_DIED     /* its process ended without an answer */
};

struct guarded {
    enum guard_end end;
    int status;       /* what work() returned */
    const char *text; /* what it wrote into out */
    const char *why;  /* GUARD_DIED: "crashed: SIGSEGV", "ended its process with exit status 3" */
};

/* Forks; the child calls work(context, out), with stdin /dev/null and stdout going to stderr, so that nothing but `out`
 * reaches our stdout. Its process group is killed when timeout_ms have passed, and in any case at the end. 0 or -errno.
 */
int guard_run(int (*work)(void *context, struct buf *out), void *context, int64_t timeout_ms, struct arena *arena,
              struct guarded *result);

#endif
