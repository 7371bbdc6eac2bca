/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event - what happened, as plain data: made by schedule (and later by followers), written by the journal, folded back
 * into state after a restart. One table says which fields a type has and how they are called in the journal. */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/model/state.h"

/* enum, name in the journal, the fields it carries */
#define EVENT_LIST(X)                                                                                                  \
    X(EVENT_CHECK_STATE, "check.state", E_CHECK | E_STATES | E_ATTEMPT | E_TEXT)                                       \
    X(EVENT_CHECK_FLAPPING, "check.flapping", E_CHECK | E_ON | E_PERCENT)                                              \
    X(EVENT_PART_STATE, "part.state", E_CHECK | E_PART | E_STATES | E_ATTEMPT | E_TEXT)                                \
    X(EVENT_PART_GONE, "part.gone", E_CHECK | E_PART)                                                                  \
    X(EVENT_CHECK_EVENT, "check.event", E_CHECK | E_PART | E_NAME | E_TEXT)                                            \
    X(EVENT_CHECK_ADDED, "check.added", E_CHECK)                                                                       \
    X(EVENT_CHECK_REMOVED, "check.removed", E_CHECK)                                                                   \
    X(EVENT_BREAKER_OPEN, "breaker.open", E_BREAKER | E_FAILURES | E_PAUSE | E_TEXT)                                   \
    X(EVENT_BREAKER_HALF_OPEN, "breaker.half_open", E_BREAKER)                                                         \
    X(EVENT_BREAKER_CLOSED, "breaker.closed", E_BREAKER | E_TEXT)                                                      \
    X(EVENT_BREAKER_HELD, "breaker.held", E_BREAKER | E_NAME | E_WHO)                                                  \
    X(EVENT_SERVICE_STATE, "service.state", E_SERVICE | E_STATES)                                                      \
    X(EVENT_PLUGIN_LOADED, "plugin.loaded", E_PLUGIN | E_VERSION | E_PATH)                                             \
    X(EVENT_PLUGIN_REMOVED, "plugin.removed", E_PLUGIN | E_PATH)                                                       \
    X(EVENT_PLUGIN_REJECTED, "plugin.rejected", E_PATH | E_TEXT)                                                       \
    X(EVENT_PLUGIN_CRASHED, "plugin.crashed", E_PLUGIN | E_CHECK | E_TEXT)                                             \
    X(EVENT_CONFIG_LOADED, "config.loaded", E_TEXT)                                                                    \
    X(EVENT_CONFIG_REJECTED, "config.rejected", E_TEXT)                                                                \
    X(EVENT_DAEMON_STARTED, "daemon.started", E_VERSION | E_TEXT)                                                      \
    X(EVENT_DAEMON_STOPPED, "daemon.stopped", E_TEXT)                                                                  \
    X(EVENT_CLOCK_STEPPED, "clock.stepped", E_PAUSE)                                                                   \
    X(EVENT_MONITOR_BLIND, "monitor.blind", E_PAUSE | E_TEXT)                                                          \
    X(EVENT_COMMAND_DONE, "command.done", E_NAME | E_WHO | E_TEXT)                                                     \
    X(EVENT_SERIES_SET_ASIDE, "series.set_aside", E_PATH | E_TEXT)                                                     \
    X(EVENT_JOURNAL_RECOVERED, "journal.recovered", E_PATH | E_OFFSET | E_BYTES | E_DIGEST | E_TEXT)                   \
    X(EVENT_JOURNAL_DAMAGED, "journal.damaged", E_PATH | E_LINE | E_NAME | E_TEXT)                                     \
    X(EVENT_JOURNAL_ACKNOWLEDGED, "journal.acknowledged", E_WHO | E_TEXT)                                              \
    X(EVENT_JOURNAL_SPACE, "journal.space", E_NAME | E_COUNT | E_TEXT)                                                 \
    X(EVENT_JOURNAL_SUSPECT, "journal.suspect", E_TEXT)                                                                \
    X(EVENT_JOURNAL_ANCHORED, "journal.anchored", E_NAME)                                                              \
    X(EVENT_JOURNAL_ANCHOR_FAILED, "journal.anchor_failed", E_TEXT)                                                    \
    X(EVENT_PLUGIN_THROTTLED, "plugin.throttled", E_PLUGIN | E_PAUSE | E_TEXT)                                         \
    X(EVENT_PLUGIN_RESUMED, "plugin.resumed", E_PLUGIN)                                                                \
    X(EVENT_CHILD_DIED, "child.died", E_NAME | E_CHECK | E_TEXT)                                                       \
    X(EVENT_DAEMON_PANICKED, "daemon.panicked", E_TEXT)                                                                \
    X(EVENT_DRILL_STARTED, "drill.started", E_DRILL | E_WHO | E_PATH)                                                  \
    X(EVENT_DRILL_PROGRESS, "drill.progress", E_DRILL | E_PHASE | E_PAUSE | E_FIGURES)                                 \
    X(EVENT_DRILL_PASSED, "drill.passed", E_DRILL | E_PAUSE | E_FIGURES | E_TEXT)                                      \
    X(EVENT_DRILL_FAILED, "drill.failed", E_DRILL | E_PHASE | E_PAUSE | E_FIGURES | E_TEXT)                            \
    X(EVENT_DRILL_CANCELLED, "drill.cancelled", E_DRILL | E_PHASE | E_PAUSE | E_FIGURES | E_WHO | E_TEXT)              \
    X(EVENT_DRILL_ABANDONED, "drill.abandoned", E_DRILL | E_TEXT)                                                      \
    X(EVENT_DRILL_STANDING, "drill.standing", E_DRILL | E_PATH | E_FIGURES)                                            \
    X(EVENT_RECOVERY_KNOWN, "recovery.known", E_RUNBOOK)                                                               \
    X(EVENT_RECOVERY_REMINDED, "recovery.reminded", E_RUNBOOK | E_FIGURES | E_TEXT)                                    \
    X(EVENT_RECOVERY_DUE, "recovery.due", E_RUNBOOK | E_FIGURES | E_TEXT)                                              \
    X(EVENT_RECOVERY_STARTED, "recovery.started", E_RUNBOOK | E_WHO | E_FIGURES)                                       \
    X(EVENT_RECOVERY_STEP, "recovery.step", E_RUNBOOK | E_PHASE | E_WHO | E_FIGURES | E_TEXT)                          \
    X(EVENT_RECOVERY_PASSED, "recovery.passed", E_RUNBOOK | E_PAUSE | E_FIGURES | E_TEXT)                              \
    X(EVENT_RECOVERY_FAILED, "recovery.failed", E_RUNBOOK | E_PHASE | E_PAUSE | E_FIGURES | E_TEXT)                    \
    X(EVENT_RECOVERY_CANCELLED, "recovery.cancelled", E_RUNBOOK | E_PHASE | E_PAUSE | E_WHO | E_FIGURES | E_TEXT)      \
    X(EVENT_RECOVERY_STANDING, "recovery.standing", E_RUNBOOK | E_FIGURES)

enum event_field {
    E_CHECK = 1 << 0,    /* "check" */
    E_PART = 1 << 1,     /* "part" */
    E_STATES = 1 << 2,   /* "from", "to" (state names), "kind": "soft" or "hard" */
    E_ATTEMPT = 1 << 3,  /* "attempt", "attempts" */
    E_TEXT = 1 << 4,     /* "text" */
    E_ON = 1 << 5,       /* "on": true or false */
    E_PERCENT = 1 << 6,  /* "percent" */
    E_BREAKER = 1 << 7,  /* "breaker" */
    E_FAILURES = 1 << 8, /* "failures" */
    E_PAUSE = 1 << 9,    /* "ms" */
    E_SERVICE = 1 << 10, /* "service" */
    E_PLUGIN = 1 << 11,  /* "plugin" */
    E_VERSION = 1 << 12, /* "version" */
    E_PATH = 1 << 13,    /* "path" */
    E_NAME = 1 << 14,    /* "name" */
    E_WHO = 1 << 15,     /* "by" */
    E_OFFSET = 1 << 16,  /* "offset" */
    E_BYTES = 1 << 17,   /* "bytes" */
    E_LINE = 1 << 18,    /* "line" */
    E_COUNT = 1 << 19,   /* "count" */
    E_DIGEST = 1 << 20,  /* "sha256" */
    E_DRILL = 1 << 21,   /* "drill", and "id" of its run */
    E_PHASE = 1 << 22,   /* "phase" */
    E_FIGURES = 1 << 23, /* "figures": an object */
    E_RUNBOOK = 1 << 24  /* "runbook", and "id" of its run */
};

enum event_type {
#define EVENT_ENUM_(id, name, fields) id,
    EVENT_LIST(EVENT_ENUM_)
#undef EVENT_ENUM_
    EVENT_TYPE_COUNT
};

/* Only the fields of its type mean anything. Texts are borrowed. */
struct event {
    enum event_type type;
    int64_t wall_ms;
    const char *check, *part, *breaker, *service, *plugin, *version, *path, *name, *by, *sha256, *text;
    const char *drill, *runbook, *id, *phase, *figures; /* figures: a JSON object, compact */
    enum belfry_state from, to;
    bool hard;
    uint32_t attempt, attempts;
    bool on;
    double percent;
    uint32_t failures;
    int64_t pause_ms;
    int64_t offset, bytes, line, count; /* 0 where a record has none */
};

const char *event_name(enum event_type type);
/* EVENT_TYPE_COUNT when there is none of that name. */
enum event_type event_from_name(const char *name);
/* Writes the type's fields as JSON members without braces ("\"check\":\"a/b\",..."), for journal_append(). */
void event_encode(struct buf *out, const struct event *event);
/* Reads one journal line (a whole JSON object); texts go into the arena. 0, ERROR_UNKNOWN_NAME for a type that is not
 * ours, or ERROR_SYNTAX. */
int event_decode(struct arena *arena, const char *line, size_t length, struct event *out);

#endif
