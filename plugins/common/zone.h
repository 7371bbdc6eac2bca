/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zone - times of a named time zone ("Europe/Berlin") from the system's tables, without TZ and localtime(), which
 * belong to the whole process. */
#ifndef PLUGINS_COMMON_ZONE_H
#define PLUGINS_COMMON_ZONE_H

#include "belfry/plugin.h"

struct zone;

/* The zone; NULL with *why. UTC needs no table. Lives until run() returns. */
const struct zone *zone_read(struct belfry_probe *p, const char *name, const char **why);
/* Seconds since 1970 of "2026-11-21 16:09:57" in that zone ("...T16:09:57Z" is UTC in any); -1 when it is no time. An
 * hour that comes twice is taken as the later one. */
int64_t zone_time(const struct zone *zone, const char *text);
/* What its clocks show at that time, as seconds since 1970-01-01 00:00 of theirs. */
int64_t zone_local(const struct zone *zone, int64_t when);
/* The same as "2026-11-21 16:09:57". */
const char *zone_text(struct belfry_probe *p, const struct zone *zone, int64_t when);

#endif
