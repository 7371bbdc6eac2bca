/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - a restore drill as it is configured. One table says which settings there are; config_drill.c reads them by
 * it, config_show.c and the manual page print them by it, and it carries them as JSON from the keeper to belfry-drill
 * (one process a drill). Plain data: nothing here touches a backup. */
#ifndef MODEL_DRILL_H
#define MODEL_DRILL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/error.h"

#define DRILL_ASSERTIONS_MAX 64
#define DRILL_ID_SIZE 17 /* 16 hex digits: the run of a drill */

/* What a restored backup must answer. Exactly one of sql, table, fresh, file, key, app, counts and checksums is set. */
struct drill_assertion {
    const char *name;
    const char *sql, *range;   /* sql: one value; range: Nagios; without one the value must not be 0 or empty */
    const char *table;         /* has at least min_rows rows */
    int64_t min_rows;          /* also of the whole: sql of a count */
    const char *fresh;         /* sql of a time; not older than within_ms */
    int64_t within_ms;         /* 0: it is only measured */
    const char *file, *sha256; /* below the restored folder; sha256: or NULL */
    const char *key;           /* of Redis */
    const char *app;           /* a program that is run; exit status 0 */
    const char *counts;        /* file of rows by table, as production had them; its ending, or its whole path */
    int64_t tolerance;         /* of counts, in percent */
    const char *checksums;     /* the same of checksums */
    bool loose;                /* of ours (smoke): fresh is of an unknown zone: it is no measure of the RPO */
};

struct drill_config {
    const char *name;
    struct place_of_drill {
        const char *file;
        int line;
    } place;
    const char *title, *source, *panel, *access, *pick, *kind, *decrypt, *key, *cipher, *decompress, *database, *smoke;
    const char *on, *workspace, *user;
    int64_t stall_ms, rto_ms, rpo_ms, overdue_ms, time_ms, space_bytes, memory_bytes;
    bool network, trailer, verify;
    const char *backup; /* of one run: the backup asked for by name; or NULL */
    struct drill_assertion *assertions;
    uint32_t assertion_count;
};

enum drill_kind_of_field {
    DRILL_TEXT,
    DRILL_SECRET, /* "@name" in the configuration */
    DRILL_CHOICE,
    DRILL_DURATION, /* int64_t milliseconds */
    DRILL_SIZE,     /* int64_t bytes */
    DRILL_NUMBER,   /* int64_t */
    DRILL_FLAG      /* bool */
};

struct drill_field {
    const char *name; /* NULL: the end of a table */
    enum drill_kind_of_field kind;
    size_t offset;
    const char *fallback; /* as it would be written; NULL: none */
    const char *doc;
    const char *const *choices; /* NULL-terminated */
    int64_t min, max;
};

extern const struct drill_field drill_fields[];
extern const struct drill_field drill_assertion_fields[];

/* The value of a field, as JSON; NULL when it is not set. */
json_t *drill_field_json(const struct drill_field *field, const void *of);
/* What was written, into the field: 0 or a negative code with *why. Texts are copied into the arena. */
int drill_field_set(const struct drill_field *field, void *of, const char *written, struct arena *arena,
                    struct why *why);
/* What no field on its own can say: one subject for each assertion, ranges, the calendar. */
int drill_assertion_check(const struct drill_assertion *assertion, struct why *why);
int drill_check(const struct drill_config *drill, struct why *why);

/* Whether the source is fetched over the network: it begins with one of "panel:" and "rclone:". */
bool drill_is_remote(const struct drill_config *drill);

json_t *drill_encode(const struct drill_config *drill);
/* 0 or ERROR_SYNTAX; everything lies in the arena. */
int drill_decode(const json_t *json, struct arena *arena, struct drill_config *out);

/* ---- when: "04:00", "daily", "Sun", "Sun 04:00", "weekly", "monthly", "quarterly", "yearly", "15 03:30" (day of the
 * month), "03-15 04:00" (day of the year); local time. Without an hour it is 04:00. Months, quarters and years are due
 * on their first day. ---- */

/* 0 or ERROR_SYNTAX with *why. */
int drill_on_check(const char *on, struct why *why);
/* The first time after `after_wall_ms` that it is due, in wall milliseconds. A day that the month doesn't have is its
 * last day; an hour that a change of the clock leaves out is the one after it. */
int64_t drill_on_next(const char *on, int64_t after_wall_ms);
/* The longest from one time to the next; 0 without a calendar. */
int64_t drill_on_period_ms(const char *on);

#endif
