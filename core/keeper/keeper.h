/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper - what the files of this room share. The keeper is one thread on one libuv loop; everything here runs on it.
 *
 * The flow through the files, in the order of a check's life:
 *     setup.c     folders, lock, journal, snapshot: what was known is known again
 *     reload.c    configuration and catalog, at start and again; inotify on the plugin folders
 *     dispatch.c  starts that the schedule decided → a worker with room; results → judged, back to the schedule
 *     pool.c      the queues of each plugin and its workers: how many, who gets what
 *     worker.c    one worker: started, told, drained, dead; blame.c says whose fault that was
 *     child.c     any process of the family: spawned, pinged, read, written, reaped
 *     life.c      the table that they live by, back-off and budget
 *     orphan.c    what plugins left behind
 *     guard.c     the journal is sealed, and its head noted down elsewhere
 *     panic.c     the keeper's own crash; notify.c tells systemd that it lives
 *     trouble.c   a disk that is full, fails or has lost something
 *     again.c     the daemon starts itself anew when a sync has failed
 *     keep.c      the journal's old segments are dropped, with a checkpoint of the state behind them
 *     drill.c     restore drills: due, running, recorded; drill_state.c, drill_command.c
 *     recovery.c  runbooks that are followed, step by step; recovery_state.c, recovery_step.c, recovery_command.c
 *     record.c    metrics → belfry-recorder
 *     baseline.c  what it says they usually are
 *     control.c   the control socket; view.c makes its answers
 *     keeper.c    the loop that joins them */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/text.h"
#include "core/base/wire.h"
#include "core/config/config.h"
#include "core/journal/journal.h"
#include "core/journal/seal.h"
#include "core/keeper/life.h"
#include "core/keeper/link.h"
#include "core/model/config.h"
#include "core/model/result.h"
#include "core/schedule/schedule.h"

/* A run is given up this long after its deadline: the worker is killed. */
#define RUN_GRACE_MS 2000
/* How often overdue runs, dead workers' back-offs and the snapshot are looked at. */
#define HOUSEKEEPING_MS 250
/* So late, and the keeper itself was stalled. */
#define STALLED_MS 500
#define SNAPSHOT_EVERY_MS 5000
#define RECORD_NONE UINT32_MAX
#define RECORD_COUNTS 9 /* that the recorder tells */

struct keeper;
struct pool;
struct worker;
struct control;
struct catalog_job;
struct trouble;
struct drills;
struct rehearsals;

/* ---- a check as the keeper sees it: one for each slot of the schedule ------------------------------------------ */

/* A series that the recorder knows: the metrics of a check, or of one of its parts. */
struct recorded_metric {
    char *name;
    char unit[16], warn[RANGE_TEXT_SIZE], crit[RANGE_TEXT_SIZE]; /* "": none */
    int kind;
    double min, max, value; /* value: of the sample being made */
    bool baseline;          /* a threshold compares with it */
};

struct recorded {
    uint32_t slot;                   /* of the recorder */
    uint32_t watched;                /* slot of its check */
    char *part;                      /* NULL: of the check itself */
    struct recorded_metric *metrics; /* in the order in which samples carry their values */
    uint32_t metric_count;
    uint64_t generation; /* of the description that the recorder has; 0: none */
    bool touched;        /* has values of the sample being made */
    struct recorded *next;
};

struct watched;

struct watched_list {
    struct watched *first, *last;
    uint32_t count;
};

struct watched {
    uint32_t slot;
    bool known;            /* there is a check in this slot */
    char id[200];          /* its id */
    char *plugin;          /* that its results are of */
    uint64_t run;          /* in progress: queued or in flight; 0: none */
    struct worker *worker; /* in flight there; NULL while queued */
    bool suspect;          /* has, or may have, brought its worker down: runs in quarantine until it returned */
    bool guilty;           /* of the death of its worker, as the keeper sees it */
    bool late;             /* it may be: it did not come back, though nobody held the worker */
    uint8_t losses;        /* workers that died under it since its last result */
    int64_t deadline_ms;   /* monotonic, grace included */
    int64_t sent_ms;
    struct watched_list *list; /* where it is: decided starts, a pool's queue, a worker's flights; or NULL */
    struct watched *next, *previous;
    struct buf last; /* payload of the last judged result, as result_encode() wrote it; empty: none */
    struct buf kept; /* kept values, as kept_encode() wrote them; empty: none */
    bool reported;   /* no worker could be had: said once */
    struct recorded *recorded;
    uint32_t recorded_count;
    struct map baselines; /* of baseline.c */
};

void watched_push(struct watched_list *list, struct watched *watched);
/* Takes it out of the list it is in, if any. */
void watched_unlink(struct watched *watched);

/* The daemon's own restarts. */
struct again {
    char **argv;
    struct budget budget;
    int code;       /* of the journal: now, or of the daemon before this one */
    bool restarted; /* there was one before, in this process */
    bool wanted;    /* there shall be one behind this one */
};

/* ---- the keeper ------------------------------------------------------------------------------------------------ */

struct keeper {
    uv_loop_t loop;
    uv_timer_t tick_timer, housekeeping_timer, plugins_timer;
    uv_prepare_t flush;
    uv_signal_t signals[4];
    uv_poll_t journal_poll, plugins_poll;
    struct links dirty; /* links with something to write at the end of this iteration */

    const char *config_file;
    struct config *config;
    struct catalog *catalog;
    struct catalog_job *catalog_job;
    char *config_error; /* of the last refused reload, or NULL */
    bool reload_again;  /* the plugin folders changed while they were being read */
    int plugins_fd;     /* inotify */

    struct schedule *schedule;
    struct journal *journal;
    struct seal *seal;       /* NULL: the journal is not sealed */
    struct anchor *anchor;   /* or NULL */
    struct trouble *trouble; /* of the journal's disk */
    struct again again;
    struct keep *keep;
    struct drills *drills;
    struct rehearsals *rehearsals;
    struct watched **watched; /* by slot; entries stay where they are */
    uint32_t watched_count;
    struct watched_list starts; /* decided by the schedule, not yet given to a pool */
    struct map pools;           /* by plugin name */
    struct arena scratch;       /* of the result being looked at */
    struct buf frame;

    struct recorder *recorder;
    struct control *control;

    int lock_fd, control_lock_fd; /* of the state folder, of the control socket's folder */
    int64_t started_wall_ms, loaded_wall_ms, lag_ms;
    uint32_t config_number;   /* counts the configurations that came into force */
    uint32_t catalog_number;  /* likewise the catalogs */
    int64_t orphans_until_ms; /* abandoned processes are ended until then */
    int64_t planned_ms;       /* when the tick timer is set to */
    int64_t snapshot_ms;      /* monotonic, of the last one */
    int64_t housekeeping_ms;  /* likewise */
    uint64_t sandbox_mark;    /* of the files that sandboxes hold (sandbox_mark()); 0: not looked at yet */
    int64_t sandbox_ms;       /* when */
    uint64_t snapshot_runs, runs;
    char *panic;           /* of the last crash of our own, or NULL */
    int64_t panic_wall_ms; /* when that was */
    uint64_t panic_seq;    /* its record, until it is on disk */
    bool watchdog_asked;
    int64_t watchdog_ms;   /* systemd waits so long for a sign of life; 0: it does not */
    int64_t notified_ms;   /* monotonic: the last one */
    uint64_t journal_seen; /* journal_durable() when it last moved, or nothing was waiting */
    int64_t journal_moved_ms;
    json_t *remembered; /* what the snapshot kept for checks, until the first configuration took it over */
    bool stopping;
    int exit_status;
};

/* keeper.c */
/* After anything that may have changed what is due: plans the next tick. */
void keeper_plan(struct keeper *keeper);
/* An event into the journal and the log. */
void keeper_emit(struct keeper *keeper, const struct event *event);
/* setup.c */
/* Folders, lock, journal, snapshot. An exit status: 0, EX_TEMPFAIL (another daemon has the lock), EX_CANTCREAT, ... */
int setup_state(struct keeper *keeper);
/* Hands the journal a snapshot when something happened since the last one (or always, with force). */
void setup_snapshot(struct keeper *keeper, bool force);
/* Takes over what the snapshot kept for a check that has just got its slot. */
void setup_adopt(struct keeper *keeper, struct watched *watched);
void setup_forget_remembered(struct keeper *keeper);
/* An exit status: EX_IOERR when records did not get to the disk, else 0. */
int setup_close(struct keeper *keeper);

/* reload.c */
/* At start: only where things are. 0, or EX_CONFIG with everything printed. */
int reload_paths(struct keeper *keeper);
/* Then: catalog and configuration, blocking. 0, or EX_CONFIG with everything printed. */
int reload_first(struct keeper *keeper);
/* Later: the catalog is read in the background, then the configuration. done is called once, with what changed, or with
 * NULL and the errors. */
typedef void (*reload_done)(void *context, const struct schedule_changes *changes, const struct config_errors *errors);
void reload_start(struct keeper *keeper, reload_done done, void *context);
void reload_watch_plugins(struct keeper *keeper);
bool reload_is_describer(const struct keeper *keeper, pid_t pid);
void reload_close(struct keeper *keeper);

/* dispatch.c */
void dispatch_start(void *keeper, uint32_t slot, uint64_t run); /* the schedule's port */
/* Gives every decided start to its pool and fills workers with room. */
void dispatch_all(struct keeper *keeper);
/* A worker's result frame. False when the frame is not what the worker may send. */
bool dispatch_result(struct keeper *keeper, struct worker *worker, struct wire_reader *r);
/* A result that the keeper makes itself: crashed, stuck, no worker to be had. */
void dispatch_made_up(struct keeper *keeper, struct watched *watched, enum result_end end, const char *text);
/* The slots of the schedule changed: makes, empties and re-reads the watched. */
void dispatch_configure(struct keeper *keeper);
/* The plugin's settings and state as the last judged result says; false when there is none. */
bool dispatch_last(struct keeper *keeper, const struct watched *watched, struct arena *arena, struct result *result);

/* guard.c */
/* After journal_open(): the first seal. */
void guard_open(struct keeper *keeper);
/* A configuration came into force; or there may be a key now. */
void guard_configure(struct keeper *keeper);
void guard_housekeeping(struct keeper *keeper, int64_t now_ms);
bool guard_is_anchor(const struct keeper *keeper, pid_t pid);
/* For status: why the head could not be noted down, or null. */
json_t *guard_view(const struct keeper *keeper);
/* Before journal_close(): the last seal. */
void guard_close(struct keeper *keeper);

/* keep.c */
/* Before journal_open(); then for each record of the fold: true when it was a part of a checkpoint. */
void keep_open(struct keeper *keeper);
bool keep_fold(struct keeper *keeper, const struct journal_record *record);
void keep_folded(struct keeper *keeper);
/* A configuration came into force. */
void keep_configure(struct keeper *keeper);
void keep_housekeeping(struct keeper *keeper);
void keep_close(struct keeper *keeper);

/* drill.c, drill_state.c, drill_command.c */
/* Before journal_open(); then each event of the fold, and what a snapshot kept. */
void drill_open(struct keeper *keeper);
void drill_fold(struct keeper *keeper, const struct event *event);
void drill_folded(struct keeper *keeper);
json_t *drill_save(const struct keeper *keeper);
void drill_restore(struct keeper *keeper, const json_t *saved);
/* Old segments are about to be dropped: what is known goes into the journal again. */
void drill_restate(struct keeper *keeper);
/* A configuration came into force. */
void drill_configure(struct keeper *keeper);
void drill_housekeeping(struct keeper *keeper, int64_t now_ms, int64_t stalled_ms);
bool drill_is_ours(const struct keeper *keeper, pid_t pid);
json_t *drill_view(const struct keeper *keeper);
/* The answer to "drill" on the control socket. */
json_t *drill_command(struct keeper *keeper, const json_t *arguments, const char *by);
void drill_close(struct keeper *keeper);

/* recovery.c, recovery_state.c, recovery_step.c, recovery_command.c: the same for runbooks */
void recovery_open_all(struct keeper *keeper);
void recovery_fold(struct keeper *keeper, const struct event *event);
void recovery_folded(struct keeper *keeper);
json_t *recovery_save(const struct keeper *keeper);
void recovery_restore(struct keeper *keeper, const json_t *saved);
void recovery_restate(struct keeper *keeper);
void recovery_configure(struct keeper *keeper);
void recovery_housekeeping(struct keeper *keeper, int64_t now_ms, int64_t stalled_ms);
bool recovery_is_ours(const struct keeper *keeper, pid_t pid);
json_t *recovery_view(const struct keeper *keeper);
/* Whether the name is a runbook's, in the configuration or still being followed. */
bool recovery_knows(const struct keeper *keeper, const char *name);
/* The answer to "drill" on the control socket, when it is about a runbook. */
json_t *recovery_command(struct keeper *keeper, const json_t *arguments, const char *by);
void recovery_close(struct keeper *keeper);

/* record.c */
int record_open(struct keeper *keeper);
void record_result(struct keeper *keeper, struct watched *watched, const struct check_config *check,
                   const struct verdict *verdict, int64_t wall_ms);
void record_forget(struct keeper *keeper, struct watched *watched);
const char *record_sandbox(const struct keeper *keeper); /* the recorder's, in its words; "" before it is ready */
void record_housekeeping(struct keeper *keeper, int64_t now_ms, int64_t stalled_ms);
/* As life.h names it. */
const char *record_state_name(const struct keeper *keeper);
bool record_is_recorder(const struct keeper *keeper, pid_t pid);
/* Whether it runs, and what it counted. */
json_t *record_view(const struct keeper *keeper);
void record_close(struct keeper *keeper);

/* baseline.c */
/* A WIRE_RECORDER_LEARNT frame, and the recorder's series by slot. False when it makes no sense. */
bool baseline_told(struct keeper *keeper, struct recorded *const *series, uint32_t count, struct wire_reader *r);
void baseline_forget(struct watched *watched, const struct recorded *recorded);
/* What the recorder is told of a metric's thresholds: the ranges in force, or that it is compared. What a comparison
 * comes to is another each hour and no range to be drawn. */
void baseline_note(struct recorded_metric *metric, const struct judged_metric *judged);
/* Forgets all of the check. */
void baseline_close(struct watched *watched);
/* Whether a threshold of the check compares. */
bool baseline_is_wanted(const struct check_config *check);
/* Those of a check at a time. */
struct baselines {
    const struct watched *watched; /* or NULL */
    int64_t wall_ms;
};
struct judging baseline_judging(const struct check_config *check, const struct baselines *baselines);
void baseline_save(struct buf *out, const struct watched *watched);
/* What can't be read is left out. */
void baseline_restore(struct watched *watched, const struct buf *saved);

/* orphan.c */
/* From now on abandoned descendants become our children. */
void orphan_adopt(void);
/* A worker is dead: what it left behind is ended in the next housekeepings. */
void orphan_worker_died(struct keeper *keeper);
void orphan_housekeeping(struct keeper *keeper, int64_t now_ms);
/* The daemon stops: ends every child that is not of the family. */
void orphan_end_all(struct keeper *keeper);

/* panic.c */
/* From now on the keeper's own crash leaves a file in this folder. */
void panic_watch(const char *folder);
/* A crash since the last start: into the journal; what was left the last time is remembered for view_daemon(). */
void panic_tell(struct keeper *keeper);
/* Its record is on disk: it need not be told again. */
void panic_housekeeping(struct keeper *keeper);

/* notify.c */
/* To systemd, when it started us: "READY=1", ... Never waits. */
void notify_send(const char *state);
/* WATCHDOG=1 in time, as long as the loop turns and the journal gets on. */
void notify_housekeeping(struct keeper *keeper, int64_t now_ms);

/* again.c */
/* First of all: what the daemon before this one has told. */
void again_open(struct keeper *keeper, char **argv);
/* For daemon.started: the configuration's file, and why it was started again. Returns out. */
const char *again_reason(const struct keeper *keeper, char *out, size_t size);
/* The journal can't be written: whether the daemon shall be started again for that. */
bool again_plan(struct keeper *keeper, int code);
/* From here on a signal to stop waits for again_start(). */
void again_hold_signals(void);
/* After everything was ended: becomes the next daemon. Returns when that can't be, or was not wanted any more. */
void again_start(const struct keeper *keeper);

/* control.c */
int control_open(struct keeper *keeper);
/* The journal's durable end moved: sends what waited for it. */
void control_durable(struct keeper *keeper);
/* A run was judged, or its check was removed: answers those who wait for it. */
void control_judged(struct keeper *keeper, const struct watched *watched);
void control_close(struct keeper *keeper);

#endif
