/* SPDX-License-Identifier: GPL-3.0-or-later */
/* panic - the keeper's own crash. A handler for the deadly signals writes STATE/state/panic by calls that are safe in
 * one, and lets the signal have its effect:
 *
 *     SIGSEGV in belfryd VERSION
 *     one line for each frame: PROGRAM(FUNCTION+OFFSET)[ADDRESS]
 *
 * The next start finds it, puts it into the journal (daemon.panicked), and renames it to panic.last once that record is
 * on disk; `belfry status` shows panic.last until the file is removed. SIGABRT is what systemd's watchdog sends: then
 * the frames say where the loop hung. A handler that hangs itself is ended by an alarm. */
#include <config.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/keeper/keeper.h"

#define FRAMES_MAX 48
#define TEXT_MAX 4096
#define ALARM_S 3
#define STACK_BYTES (64u << 10)

/* The handler is given nothing, and may ask nobody. */
static char panic_path[PATH_MAX];
static char panic_stack[STACK_BYTES];

static const struct deadly {
    int number;
    const char *line;
} deadly[] = {
#define DEADLY_(name)                                                                                                  \
    {                                                                                                                  \
        name, #name " in belfryd " PACKAGE_VERSION "\n"                                                                \
    }
    DEADLY_(SIGSEGV), DEADLY_(SIGBUS), DEADLY_(SIGILL),  DEADLY_(SIGFPE),
    DEADLY_(SIGABRT), DEADLY_(SIGSYS), DEADLY_(SIGTRAP),
#undef DEADLY_
};
#define DEADLY_COUNT (sizeof deadly / sizeof deadly[0])

static void put(int fd, const char *text)
{
    ssize_t written = write(fd, text, strlen(text));
    (void)written;
}

static void on_panic(int number)
{
    void *frames[FRAMES_MAX];
    signal(SIGALRM, SIG_DFL);
    alarm(ALARM_S);
    int fd = open(panic_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    for (size_t i = 0; fd >= 0 && i < DEADLY_COUNT; i++)
        if (deadly[i].number == number)
            put(fd, deadly[i].line);
    if (fd >= 0) {
        backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), fd);
        fsync(fd);
        close(fd);
    }
    raise(number); /* SA_RESETHAND: blocked until we return, then deadly */
}

void panic_watch(const char *folder)
{
    void *frames[1];
    stack_t stack = { .ss_sp = panic_stack, .ss_size = sizeof panic_stack };
    struct sigaction action = { .sa_handler = on_panic, .sa_flags = (int)SA_RESETHAND | SA_ONSTACK };
    backtrace(frames, 1); /* loads what it needs, which a handler can't */
    snprintf(panic_path, sizeof panic_path, "%s/panic", folder);
    sigaltstack(&stack, NULL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < DEADLY_COUNT; i++)
        sigaction(deadly[i].number, &action, NULL);
}

/* ---- the next start ---------------------------------------------------------------------------------------------- */

/* The file's text and time; NULL when there is none. */
static char *read_panic(const char *path, int64_t *wall_ms)
{
    struct stat st;
    char text[TEXT_MAX + 1];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, TEXT_MAX) : -1;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return NULL;
    text[n] = '\0';
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = at[1] ? ' ' : '\0';
    *wall_ms = (int64_t)st.st_mtim.tv_sec * 1000;
    return heap_text(n > 0 ? text : "nothing could be written of it");
}

void panic_tell(struct keeper *keeper)
{
    char last[PATH_MAX + 8];
    snprintf(last, sizeof last, "%s.last", panic_path);
    keeper->panic = read_panic(panic_path, &keeper->panic_wall_ms);
    if (keeper->panic) {
        const struct event event = { .type = EVENT_DAEMON_PANICKED, .text = keeper->panic };
        keeper_emit(keeper, &event);
        keeper->panic_seq = journal_last(keeper->journal);
    } else {
        keeper->panic = read_panic(last, &keeper->panic_wall_ms);
    }
}

void panic_housekeeping(struct keeper *keeper)
{
    char last[PATH_MAX + 8];
    if (keeper->panic_seq == 0 || journal_durable(keeper->journal) < keeper->panic_seq)
        return;
    keeper->panic_seq = 0;
    snprintf(last, sizeof last, "%s.last", panic_path);
    if (rename(panic_path, last) != 0)
        log_warn("keeper", "'%s' can't be renamed: %s", panic_path, strerror(errno));
}
