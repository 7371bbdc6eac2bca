/* SPDX-License-Identifier: GPL-3.0-or-later */
/* say - the words that plugins' texts are made of: errors, sizes, times, addresses, excerpts of untrusted bytes. All
 * results live until run() returns. */
#ifndef PLUGINS_COMMON_SAY_H
#define PLUGINS_COMMON_SAY_H

#include "belfry/plugin.h"

#define SAY_EXCERPT_MAX 80

/* "connection refused": the system's text for an errno value (negative or not), in lower case as a part of a line. */
const char *say_error(struct belfry_probe *p, int error);
/* "512 B", "5.4 KiB", "98 GiB". */
const char *say_bytes(struct belfry_probe *p, double bytes);
/* "34 ms", "1.25 s", "10 s". */
const char *say_seconds(struct belfry_probe *p, double seconds);
/* "127.0.0.1:81", "[::1]:81", or the path of a Unix socket. */
const char *say_address(struct belfry_probe *p, const struct belfry_address *address);
/* The first line of bytes from outside, at most SAY_EXCERPT_MAX of them, control bytes as '?', "..." when cut. */
const char *say_excerpt(struct belfry_probe *p, const void *bytes, size_t length);
/* A text of its own from length bytes, NUL-terminated (a NUL inside ends it for its readers). */
char *say_copy(struct belfry_probe *p, const void *bytes, size_t length);

#endif
