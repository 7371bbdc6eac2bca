/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sandbox - what a member of the family may ask of the kernel: a filter of system calls (seccomp, calls.c) and rules
 * for the file system (Landlock, paths.c). Each process enters its own sandbox once, at its start, with one thread; it
 * never leaves it, and what it starts is in it too.
 *
 * A system call that is not for this process ends it by SIGSYS; a path that is not for it is EACCES. Where the kernel,
 * the build or the service manager lacks one of the two, the process goes on with the other and says so. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define SANDBOX_TEXT_SIZE 192

/* The members; what each may do is a row of the table in sandbox.c. */
enum sandbox_role {
    SANDBOX_WORKER,
    SANDBOX_RECORDER,
    SANDBOX_GRAPH,
    SANDBOX_ANCHOR,
    SANDBOX_DRILL,
    SANDBOX_ROLE_COUNT
};

struct sandbox {
    enum sandbox_role role;
    uint32_t needs;    /* BELFRY_NEEDS_*: of a worker what its plugin declares */
    const char *read;  /* one more file or folder to read, or NULL */
    const char *write; /* one more folder to write in, or file, or NULL */
    bool local;        /* it may connect to unix sockets: to rrdcached, to syslog */
};

/* Enters it. True when both layers are in force. standing says which are: "seccomp, landlock 7", "seccomp; no landlock:
 * WHY" or "not sandboxed: WHY". */
bool sandbox_enter(const struct sandbox *sandbox, char standing[SANDBOX_TEXT_SIZE]);

/* Rules hold the files that they found. This number changes when one of those that a plugin without
 * BELFRY_NEEDS_FILES may read (/etc/resolv.conf, ...) is replaced by another file: time for new workers. */
uint64_t sandbox_mark(void);

/* What a handler of SIGSYS calls: one line on stderr, then the process dies by that signal. Without another handler
 * sandbox_enter() has installed one that does just this. */
_Noreturn void sandbox_die(const siginfo_t *info);
/* Whether the signal is the filter's doing, not somebody's kill(). */
bool sandbox_is_forbidden(const siginfo_t *info);
/* "connect"; "unknown" when there is no such number. Returns out. */
#define SANDBOX_CALL_SIZE 40
const char *sandbox_call_name(int number, char out[SANDBOX_CALL_SIZE]);

#endif
