/* SPDX-License-Identifier: GPL-3.0-or-later */
/* again - the daemon starts itself anew when a sync of its journal has failed (doc/adr/0043). What it holds in memory
 * may then be ahead of the disk, and the kernel may call pages written that it has lost: only a process that reads from
 * the disk knows what is true. With a service manager or without one, that must not wait for a person.
 *
 * The family is ended as for a stop, then after a pause this process becomes a new belfryd by execve(): same number,
 * same arguments, no descriptors but 0 to 2. BELFRYD_AGAIN="SPENT AT_MS CODE" tells it how much of the budget is spent,
 * since when (CLOCK_BOOTTIME), and for what; it is removed from the environment at once. The pause doubles with each
 * restart; one restart is earned back each EARNED_MS. When none is left, the daemon ends with the status that it was
 * given, for a service manager or a person. So it does when it is told to stop during the pause.
 *
 * Diagnostics: `belfryd starts again in N s (N of N)`, `it has started again N times: that is left to the service
 * manager`, `told to stop before it started again`, `'PATH' can't be run: WHY`. */
#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/keeper/keeper.h"

#define VARIABLE "BELFRYD_AGAIN"
#define BURST 5
#define EARNED_MS (10 * 60 * INT64_C(1000))
#define FIRST_MS 250

/* ---- what the daemon before has told ----------------------------------------------------------------------------- */

/* Three whole numbers; whoever starts us may have set anything. */
static bool parse(const char *text, int64_t numbers[3])
{
    char copy[80], *rest = copy;
    if (strlen(text) >= sizeof copy)
        return false;
    text_copy(copy, sizeof copy, text);
    for (int i = 0; i < 3; i++) {
        const char *word = strsep(&rest, " ");
        if (!word || text_integer(word, &numbers[i]) != 0)
            return false;
    }
    return !rest && numbers[0] > 0 && numbers[0] <= BURST && numbers[1] >= 0 && numbers[1] <= clock_now_ms() &&
           numbers[2] < 0 && numbers[2] > INT_MIN;
}

void again_open(struct keeper *keeper, char **argv)
{
    const char *told = getenv(VARIABLE);
    int64_t numbers[3];
    keeper->again = (struct again){ .argv = argv, .budget = { .burst = BURST, .every_ms = EARNED_MS } };
    if (told && parse(told, numbers)) {
        keeper->again.budget.spent = numbers[0];
        keeper->again.budget.at_ms = numbers[1];
        keeper->again.code = (int)numbers[2];
        keeper->again.restarted = true;
    }
    unsetenv(VARIABLE);
}

const char *again_reason(const struct keeper *keeper, char *out, size_t size)
{
    const struct again *again = &keeper->again;
    snprintf(out, size, "%s%s", keeper->config_file, again->restarted ? "; started again by itself: " : "");
    if (again->restarted) {
        size_t length = strlen(out);
        snprintf(out + length, size - length, "the journal could not be written: %s (%s), restart %d of %d",
                 error_text(again->code), error_name(again->code), (int)again->budget.spent, BURST);
    }
    return out;
}

/* ---- the next one ------------------------------------------------------------------------------------------------ */

static int64_t pause_ms(const struct again *again)
{
    return (int64_t)FIRST_MS << (again->budget.spent - 1);
}

bool again_plan(struct keeper *keeper, int code)
{
    struct again *again = &keeper->again;
    again->code = code;
    again->wanted = budget_take(&again->budget, clock_now_ms());
    if (again->wanted)
        log_warn("keeper", "belfryd starts again in %.2f s (%d of %d)", (double)pause_ms(again) / 1000,
                 (int)again->budget.spent, BURST);
    else
        log_error("keeper", "it has started again %d times: that is left to the service manager", BURST);
    return again->wanted;
}

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

void again_hold_signals(void)
{
    sigset_t stops;
    stop_signals(&stops);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
}

/* False when a signal to stop came in the meantime. */
static bool wait_pause(int64_t ms)
{
    const struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };
    sigset_t stops;
    int number;
    stop_signals(&stops);
    do
        number = sigtimedwait(&stops, NULL, &pause);
    while (number < 0 && errno == EINTR);
    return number < 0;
}

/* The program's file as it is now: an upgrade may have put another in its place. */
static void find_program(char path[PATH_MAX])
{
    static const char deleted[] = " (deleted)";
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    size_t length = strlen(path), suffix = sizeof deleted - 1;
    if (length > suffix && strcmp(path + length - suffix, deleted) == 0)
        path[length - suffix] = '\0';
}

void again_start(const struct keeper *keeper)
{
    const struct again *again = &keeper->again;
    char path[PATH_MAX], value[80];
    sigset_t stops;
    notify_send("WATCHDOG=1"); /* the pause is longer than none, and shorter than what systemd allows */
    if (!wait_pause(pause_ms(again))) {
        log_info("keeper", "told to stop before it started again");
        return;
    }
    notify_send("WATCHDOG=1");
    snprintf(value, sizeof value, "%lld %lld %d", (long long)again->budget.spent, (long long)again->budget.at_ms,
             again->code);
    setenv(VARIABLE, value, 1);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    stop_signals(&stops);
    pthread_sigmask(SIG_UNBLOCK, &stops, NULL);
    find_program(path);
    execv(path, again->argv);
    log_error("keeper", "'%s' can't be run: %s", path, strerror(errno));
}
