/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parse - the command line read by the verbs' tables. */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/cli/verb.h"

#define PARSE_DEPTH_MAX 4

/* The verb found and the arguments of each level: levels[0] is the root's struct globals. */
struct parsed {
    const struct verb *levels[PARSE_DEPTH_MAX];
    void *args[PARSE_DEPTH_MAX];
    int depth; /* index of the innermost */
};

/* Reads argv[1..]; also after a mistake *out says how far it came, so that the message can name the verb. wall_ms is
 * now, for times given as an age. 0, or a negative code with what is wrong in *why. */
int parse_command(struct arena *arena, const struct verb *root, int argc, char *const *argv, int64_t wall_ms,
                  struct parsed *out, struct why *why);
/* Whether all required arguments are there; asked after --help was looked at. */
int parse_complete(const struct parsed *parsed, struct why *why);
/* "belfry journal tail". */
const char *parse_path(struct arena *arena, const struct parsed *parsed);

/* Reads a point in time: an age ("90s", "1h": before wall_ms), a local time ("2026-11-21 10:00", "2026-11-21",
 * "10:00" today), or UTC ("2026-11-21T10:00:00Z"). */
int parse_time(const char *text, int64_t wall_ms, int64_t *out_wall_ms);
/* Seconds as Nagios writes them ("10", "0.5") or a duration ("500ms"); above 0. */
int parse_seconds(const char *text, int64_t *out_ms);
/* Looks the option up in the innermost verb, then outwards; its level in *level. */
const struct option *parse_find_option(const struct parsed *parsed, const char *name, size_t length, char letter,
                                       int *level);

#endif
