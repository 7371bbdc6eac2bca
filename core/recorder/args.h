/* SPDX-License-Identifier: GPL-3.0-or-later */
/* args - the one builder of librrd's arguments. librrd takes its commands as an argv whose texts have a syntax of their
 * own (':' separates, '\' escapes); everything that is handed to it is composed here, so that text from
 * outside is escaped in one place. No shell and no file of commands is ever involved. */
#ifndef RECORDER_ARGS_H
#define RECORDER_ARGS_H

#include "core/base/arena.h"

/* Zero it and set arena. v is NULL-terminated after the first addition. */
struct args {
    struct arena *arena;
    const char **v;
    int count, size;
};

/* One argument, from a format of ours with numbers and safe names only. */
void args_add(struct args *args, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
/* One argument that is there already, in the arena. */
void args_take(struct args *args, const char *text);
/* One argument that is prefix and a text from outside, escaped for the place behind a ':' (a legend or comment). librrd
 * has no way to write a backslash there: it becomes a slash. */
void args_escaped(struct args *args, const char *prefix, const char *text);
/* One argument that is prefix and a text from outside, without librrd's escapes: the value of an option such as
 * "--title=". Control characters are made visible in both. */
void args_plain(struct args *args, const char *prefix, const char *text);
/* More of our own behind the last argument. */
void args_append(struct args *args, const char *text);
/* A number that librrd reads back exactly enough (11 digits, at most 18 bytes, what a data source's bounds take);
 * "U" for NaN and infinities. */
const char *args_number(struct arena *arena, double value);

#endif
