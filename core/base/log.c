/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log - a line is composed on the stack and leaves in one write(2), so that lines of several threads and processes
 * never mix. A line that can't be written is lost: there is nowhere else to say so. */
#include "core/base/log.h"

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
    ssize_t written = write(STDERR_FILENO, line, (size_t)n);
    (void)written;
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
