/* SPDX-License-Identifier: GPL-3.0-or-later */
/* error - the one list of error codes. Functions that can fail return 0 (or a count) or a negative code: -errno for
 * system errors, ERROR_* for our own. A check that finds trouble has succeeded: states are values, never errors. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* name, text */
#define ERROR_LIST(X)                                                                                                  \
    X(ERROR_SYNTAX, "syntax error")                                                                                    \
    X(ERROR_RANGE, "value out of range")                                                                               \
    X(ERROR_LIMIT, "limit exceeded")                                                                                   \
    X(ERROR_UNKNOWN_NAME, "unknown name")                                                                              \
    X(ERROR_PROTOCOL, "protocol violation")                                                                            \
    X(ERROR_DAMAGED, "damaged data")                                                                                   \
    X(ERROR_REFUSED, "refused")                                                                                        \
    X(ERROR_BUSY, "busy")                                                                                              \
    X(ERROR_STOPPED, "stopped")                                                                                        \
    X(ERROR_UNSUPPORTED, "not supported")

#define ERROR_ENUM_(name, text) name##_INDEX_,
enum error_index {
    ERROR_LIST(ERROR_ENUM_) ERROR_COUNT
};
#undef ERROR_ENUM_

/* Our codes lie below -1000, where no errno is. */
#define ERROR_BASE_ (-1000)
enum error_code {
#define ERROR_CODE_(name, text) name = ERROR_BASE_ - (int)name##_INDEX_,
    ERROR_LIST(ERROR_CODE_)
#undef ERROR_CODE_
};

/* The text of a negative code (ours or -errno). Static storage, locale-independent. */
const char *error_text(int code);
/* Its name, "ERROR_SYNTAX" or "ENOENT". */
const char *error_name(int code);

/* A place for one explanation: what is wrong, and what to write instead. Functions that explain take one of these. */
struct why {
    char text[512];
};

/* Writes the explanation (cut to fit, control characters replaced) and returns code, so that a caller can write
 * `return why_say(why, ERROR_SYNTAX, "...")`. why may be NULL. */
int why_say(struct why *why, int code, const char *format, ...) __attribute__((__format__(__printf__, 3, 4)));

#endif
