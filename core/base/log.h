/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log - stderr, one line an event: `level subsystem message`. Lower case, no full stop, subjects in 'quotes'. Text from
 * outside is made visible and cut at 2 KiB. Transitions are logged, repetitions counted by the caller. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR
};

/* The least level that is written (default INFO), and whether each line begins with the local time (default: only when
 * stderr is not the journal's, that is JOURNAL_STREAM is unset). */
void log_setup(enum log_level least);

/* A reader of stderr that does not read must not stop this process: from now on a line that would have to wait is
 * dropped and counted; the next one that can be written is preceded by the count. */
void log_never_wait(void);
unsigned long long log_dropped(void); /* in all */

void log_debug(const char *subsystem, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
void log_info(const char *subsystem, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
void log_warn(const char *subsystem, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
void log_error(const char *subsystem, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
void log_line(enum log_level level, const char *subsystem, const char *text);
/* Logs and ends the process with exit status 1: for what cannot go on. */
_Noreturn void log_fatal(const char *subsystem, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

#endif
