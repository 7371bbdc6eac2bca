/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text - numbers, durations, sizes, names and times as text; never uses the locale. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* Parsers: the whole text must match; 0 or ERROR_SYNTAX / ERROR_RANGE. *out is written only on success. */
int text_integer(const char *text, int64_t *out);
/* Decimal with optional fraction and exponent; refuses hex, nan, inf and what overflows. */
int text_number(const char *text, double *out);
int text_flag(const char *text, bool *out); /* "true" or "false" */
/* "250ms" "90s" "5m" "36h" "30d" "2w" "7y" (365 days); a fraction is allowed ("1.5h"); "0" alone is zero, any other
 * number without a unit is ERROR_SYNTAX. In milliseconds. */
int text_duration(const char *text, int64_t *out_ms);
/* "4096", "64KiB", "1.5GiB" (powers of 1024), "10kB", "10KB", "2GB" (powers of 1000), "100B". In bytes. */
int text_size(const char *text, int64_t *out_bytes);
/* [a-z0-9][a-z0-9_.-]{0,63} without "..": what may become a file name. */
bool text_is_name(const char *text);
/* service/check[@instance]: what text_is_name() takes, on both sides of one '/'; the instance after '@' likewise. */
bool text_is_check_id(const char *text);

/* Writers into a caller's buffer; return it. */
#define TEXT_DURATION_SIZE 32
/* The shortest exact form that text_duration() reads back: "90s", "5m", "1500ms". */
char *text_format_duration(char out[TEXT_DURATION_SIZE], int64_t ms);
/* For people, two units at most: "12 s", "3 min", "5 h 20 min", "12 d 4 h". */
char *text_format_age(char out[TEXT_DURATION_SIZE], int64_t ms);
/* "1 run", "3 runs": how many there are, of a noun that takes an s. */
#define TEXT_COUNT_SIZE 64
char *text_count(char out[TEXT_COUNT_SIZE], uint64_t count, const char *noun);
#define TEXT_NUMBER_SIZE 32
/* The shortest decimal that reads back to the same double, never with an exponent between 1e-6 and 1e15; "U" for NaN
 * and infinities (Nagios performance data). */
char *text_format_number(char out[TEXT_NUMBER_SIZE], double value);
/* For people: "1.5 GiB", "12.3 %", "45 ms", "3.2 k/s" by the unit of a metric. */
#define TEXT_VALUE_SIZE 48
char *text_format_value(char out[TEXT_VALUE_SIZE], double value, const char *unit);
#define TEXT_TIME_SIZE 40
/* 2026-11-21T10:31:07.123Z; years before 0 or after 9999 are clamped. */
char *text_format_utc(char out[TEXT_TIME_SIZE], int64_t wall_ms);
/* 2026-11-21 11:31:07 in the local zone. */
char *text_format_local(char out[TEXT_TIME_SIZE], int64_t wall_ms);
/* Reads what text_format_utc() writes (milliseconds optional). */
int text_utc(const char *text, int64_t *out_wall_ms);

/* Copies text so that it may be shown on a terminal or a log line: control characters (C0, DEL, C1, ESC) and bidi
 * controls become \xNN or \u{NNNN}, invalid UTF-8 U+FFFD; newline and tab stay when keep_lines is set. Cuts at a
 * character border and adds "..." when out is too small. Returns out. */
char *text_visible(char *out, size_t size, const char *text, bool keep_lines);

/* The candidate nearest to name (Damerau-Levenshtein distance at most 1 + length / 4), or NULL. candidates ends with
 * NULL. */
const char *text_nearest(const char *name, const char *const *candidates);

/* A stable 64-bit hash (the same on every machine and in every release: schedules are spread by it). */
uint64_t text_hash(const char *text);
uint64_t text_hash_more(uint64_t hash, const void *bytes, size_t n);

/* strlcpy: always terminates; returns the length wanted. */
size_t text_copy(char *out, size_t size, const char *text);

#endif
