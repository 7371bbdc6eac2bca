/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tap - the few lines that a unit test needs to speak TAP. A test program calls tap_* and ends with `return
 * tap_done();`. */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_count_, tap_failed_;

static inline bool tap_report_(bool good, const char *file, int line, const char *format, va_list args)
{
    printf("%s %d - ", good ? "ok" : "not ok", ++tap_count_);
    vprintf(format, args);
    putchar('\n');
    if (!good) {
        tap_failed_++;
        printf("# at %s:%d\n", file, line);
    }
    fflush(stdout);
    return good;
}

__attribute__((__format__(__printf__, 4, 5))) static inline bool tap_ok_(bool good, const char *file, int line,
                                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tap_report_(good, file, line, format, args);
    va_end(args);
    return good;
}

static inline bool tap_is_text_(const char *got, const char *want, const char *file, int line, const char *what)
{
    bool good = got && want ? strcmp(got, want) == 0 : got == want;
    tap_ok_(good, file, line, "%s", what);
    if (!good)
        printf("# got  %s%s%s\n# want %s%s%s\n", got ? "'" : "", got ? got : "NULL", got ? "'" : "", want ? "'" : "",
               want ? want : "NULL", want ? "'" : "");
    return good;
}

static inline bool tap_is_int_(int64_t got, int64_t want, const char *file, int line, const char *what)
{
    bool good = got == want;
    tap_ok_(good, file, line, "%s", what);
    if (!good)
        printf("# got %lld, want %lld\n", (long long)got, (long long)want);
    return good;
}

static inline bool tap_is_near_(double got, double want, const char *file, int line, const char *what)
{
    bool good = (isnan(got) && isnan(want)) || fabs(got - want) <= 1e-9 * (1 + fabs(want));
    tap_ok_(good, file, line, "%s", what);
    if (!good)
        printf("# got %.17g, want %.17g\n", got, want);
    return good;
}

/* tap_ok(condition, "what holds", ...) */
#define tap_ok(good, ...) tap_ok_((good), __FILE__, __LINE__, __VA_ARGS__)
#define tap_is_text(got, want, what) tap_is_text_((got), (want), __FILE__, __LINE__, (what))
#define tap_is_int(got, want, what) tap_is_int_((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, (what))
#define tap_is_near(got, want, what) tap_is_near_((got), (want), __FILE__, __LINE__, (what))
/* A point that can't be tried here, with the reason. */
#define tap_skip(what, reason) printf("ok %d - %s # SKIP %s\n", ++tap_count_, (what), (reason))

static inline int tap_done(void)
{
    printf("1..%d\n", tap_count_);
    return tap_failed_ != 0;
}

#endif
