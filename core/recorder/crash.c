/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crash - the handler of the signals by which a process ends itself. A handler gets no argument: which ledger it writes
 * to is the only thing that this file remembers, with what the signals did before. */
#include "core/recorder/crash.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGPROF };
#define CRASH_COUNT (sizeof(crashes) / sizeof(*crashes))
static struct sigaction defaults[CRASH_COUNT];
static struct ledger *blamed;

/* Writes down that we crashed, and does so again without us: the instruction is repeated, or the signal. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (number == SIGPROF && !ledger_hangs(blamed))
        return;
    bool outside = info->si_code <= 0 && info->si_pid != getpid();
    for (size_t i = 0; i < CRASH_COUNT; i++)
        if (crashes[i] == number)
            sigaction(number, &defaults[i], NULL);
    if (!outside)
        ledger_blame(blamed, number);
    if (info->si_code <= 0 || number == SIGPROF)
        raise(number);
}

void crash_catch(struct ledger *ledger)
{
    static char stack[32768]; /* that of the crash may be used up */
    const stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
    blamed = ledger;
    sigaltstack(&alternative, NULL);
    for (size_t i = 0; i < CRASH_COUNT; i++)
        sigaction(crashes[i], &action, &defaults[i]);
    ledger_watch();
}
