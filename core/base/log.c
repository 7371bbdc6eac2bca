/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log - a line is composed on the stack and leaves in one write(2), so that lines of several threads and processes
 * never mix. A line that can't be written is lost: there is nowhere else to say so. */
#include "core/base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define MESSAGE_SIZE 2048

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* The one setting of this process; with_time is decided at the first use. */
static atomic_int least_level = LOG_LEVEL_INFO;
enum {
    TIME_UNDECIDED,
    TIME_SHOWN,
    TIME_LEFT_OUT
};
static atomic_int with_time = TIME_UNDECIDED;

/* Whether lines are dropped rather than waited with, and how many were: in all, and since the last one that was
 * written.
 */
static atomic_bool never_waits;
static atomic_ullong dropped_ever;
static unsigned long long dropped_now; /* under the lock */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

void log_never_wait(void)
{
    atomic_store(&never_waits, true);
}

unsigned long long log_dropped(void)
{
    return atomic_load(&dropped_ever);
}

static bool shows_time(void)
{
    int decided = atomic_load(&with_time);
    if (decided == TIME_UNDECIDED) {
        decided = getenv("JOURNAL_STREAM") ? TIME_LEFT_OUT : TIME_SHOWN;
        atomic_store(&with_time, decided);
    }
    return decided == TIME_SHOWN;
}

void log_setup(enum log_level least)
{
    atomic_store(&least_level, (int)least);
    atomic_store(&with_time, TIME_UNDECIDED);
    shows_time();
}

/* A pipe, a terminal or a socket that says it can be written takes a page, and a line is shorter. */
static bool takes(size_t length)
{
    struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
    return length <= 4096 && (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT) ? false : true);
}

static void put_or_drop(const char *line, size_t length)
{
    char note[128];
    pthread_mutex_lock(&writing);
    bool can = takes(length);
    if (can && dropped_now > 0) {
        int n = snprintf(note, sizeof note, "%s log %llu line%s dropped: nobody read them\n",
                         level_names[LOG_LEVEL_WARN], dropped_now, dropped_now == 1 ? " was" : "s were");
        can = write(STDERR_FILENO, note, (size_t)n) >= 0 && takes(length);
        dropped_now = 0;
    }
    can = can && write(STDERR_FILENO, line, length) >= 0;
    dropped_now += !can;
    atomic_fetch_add(&dropped_ever, !can);
    pthread_mutex_unlock(&writing);
}

void log_line(enum log_level level, const char *subsystem, const char *text)
{
    if ((int)level < atomic_load(&least_level) || (unsigned)level > LOG_LEVEL_ERROR)
        return;
    char time[TEXT_TIME_SIZE], who[128], message[MESSAGE_SIZE], line[MESSAGE_SIZE + 256];
    bool timed = shows_time();
    text_visible(who, sizeof who, subsystem, false);
    text_visible(message, sizeof message, text, false);
    int n = snprintf(line, sizeof line, "%s%s%s %s %s\n", timed ? text_format_local(time, clock_wall_ms()) : "",
                     timed ? " " : "", level_names[level], who, message);
    if (atomic_load(&never_waits)) {
        put_or_drop(line, (size_t)n);
    } else {
        ssize_t written = write(STDERR_FILENO, line, (size_t)n);
        (void)written;
    }
}

/* Formats more than is shown, so that the cut is marked. */
static void say(enum log_level level, const char *subsystem, const char *format, va_list args)
{
    if ((int)level < atomic_load(&least_level))
        return;
    char message[MESSAGE_SIZE + 64];
    vsnprintf(message, sizeof message, format, args);
    log_line(level, subsystem, message);
}

#define LOG_FUNCTION_(function_, level_)                                                                               \
    void function_(const char *subsystem, const char *format, ...)                                                     \
    {                                                                                                                  \
        va_list args;                                                                                                  \
        va_start(args, format);                                                                                        \
        say(level_, subsystem, format, args);                                                                          \
        va_end(args);                                                                                                  \
    }
LOG_FUNCTION_(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION_(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION_(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION_(log_error, LOG_LEVEL_ERROR)
#undef LOG_FUNCTION_

void log_fatal(const char *subsystem, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(LOG_LEVEL_ERROR, subsystem, format, args);
    va_end(args);
    _exit(1);
}
