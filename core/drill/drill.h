/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - what the files of this room share. belfry-drill runs one drill and ends. It is two processes:
 *
 *     supervisor (main.c)   speaks with the keeper, makes the folder, watches time and space, cancels, and cleans up
 *     runner (phases.c)     process 1 of a namespace of its own, in a sandbox: fetch → ... → assert; everything that
 *                           it starts dies with it
 *
 * The runner says what it does and finds in one structure in memory that both share; it has no other way out.
 *
 *     scratch.c    the folder with the marker: made, measured, removed
 *     isolate.c    namespaces
 *     reap.c       processes that a drill left behind
 *     source.c     which backup, and what it is; remote.c, fetch.c: when it is elsewhere
 *     fingerprint.c the SHA-256 of one that is a folder
 *     format.c     what first bytes mean; the tools that undo encryption and compression
 *     tool.c       a tool: found, started, heard, ended
 *     flow.c       backup → tools → restore, hashed and counted on its way
 *     server.c     scratch servers; server_mariadb.c, server_postgres.c, server_redis.c know one each
 *     restore.c    how each kind of backup is restored
 *     assert.c     what the restored must answer; compare.c: compared with what production had
 *     evidence.c   the outcome as JSON: for the keeper, and as a file for an auditor */
#ifndef DRILL_DRILL_H
#define DRILL_DRILL_H

#include <jansson.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/model/drill_smoke.h"

/* name in records, what is done */
#define PHASE_LIST(X)                                                                                                  \
    X(PHASE_FETCH, "fetch", "finding the backup")                                                                      \
    X(PHASE_DECRYPT, "decrypt", "opening it with its key")                                                             \
    X(PHASE_UNPACK, "unpack", "unpacking it")                                                                          \
    X(PHASE_START, "start", "starting a scratch server")                                                               \
    X(PHASE_RESTORE, "restore", "restoring")                                                                           \
    X(PHASE_ASSERT, "assert", "asking what was restored")                                                              \
    X(PHASE_CLEAN, "clean", "cleaning up")

enum phase {
#define PHASE_ENUM_(id, name, doc) id,
    PHASE_LIST(PHASE_ENUM_)
#undef PHASE_ENUM_
    PHASE_COUNT
};

const char *phase_name(enum phase phase);

enum drill_result {
    DRILL_RUNNING,
    DRILL_PASSED,
    DRILL_FAILED,
    DRILL_CANCELLED,
    DRILL_PLANNED
};

struct finding {
    char name[64], text[192];
    bool good;
};

/* Written by the runner, read by the supervisor; after the runner's death by the supervisor alone. */
struct outcome {
    _Atomic int phase;
    _Atomic int64_t phase_began_ms;
    _Atomic int64_t bytes, bytes_total; /* of the backup, read so far */
    int64_t phase_ms[PHASE_COUNT];      /* -1: did not happen */
    int64_t tool_cpu_ms[PHASE_COUNT];   /* of the tools of a phase that ran beside another one */
    enum drill_result result;
    enum phase failed_phase;
    char why[512];
    char others[256]; /* series of backups at the source beside the one that was taken */
    char backup[PATH_MAX], backup_id[80], sha256[65], format[128], server[128], isolation[320];
    int64_t backup_bytes, backup_wall_ms; /* size; when it was written, as far as it says itself */
    int64_t data_wall_ms;                 /* of the newest data that was found in it; 0: not asked */
    int64_t need_bytes, free_bytes, need_memory_bytes, free_memory_bytes, tables;
    int64_t peak_bytes;
    int64_t fetch_bytes, fetch_ms; /* of a backup that was fetched: until its end had come */
    bool one_database;
    uint32_t finding_count;
    struct finding findings[DRILL_ASSERTIONS_MAX + DRILL_SMOKE_MAX + 4];
};

struct source {
    int fd;      /* of a file, or -1 */
    bool folder; /* a folder or repository */
    char path[PATH_MAX];
    const char *part; /* of a repository: snapshot or archive */
    int64_t bytes;
    struct remote *remote; /* of one that is fetched: fd is the pipe that it comes by */
};

struct server;
#define SERVER_OPTIONS_MAX 8

/* A run of a drill, as both processes know it. */
struct run {
    const struct drill_config *config;
    const char *id, *record; /* record: folder of the evidence */
    char folder[PATH_MAX];   /* the scratch folder, as the runner and its tools see it */
    int folder_fd;
    uid_t user; /* of tools and servers; 0: as we are */
    gid_t group;
    int fetch_fd; /* to the fetcher */
    struct outcome *outcome;
    int64_t started_ms, started_wall_ms;
    bool plan;
    /* of the runner */
    int64_t phase_ms; /* when the phase began */
    struct arena arena;
    struct source source;
    const struct decoder *decrypt, *unpack; /* or NULL */
    const struct backup_kind *kind;
    int64_t content_bytes; /* unpacked, as far as it is known; else an estimate */
    const struct server_type *server;
    pid_t server_pid, fingerprint;
    bool open_server; /* it asks nobody who he is: what was restored has changed its users */
    const char *server_options[SERVER_OPTIONS_MAX]; /* more of its options, that the restored wants */
    char data[PATH_MAX];                            /* the server's folder, or where files are restored */
};

/* Ends the phase with a reason; returns -1, so that `return run_fail(...)` reads well. */
int run_fail(struct run *run, enum phase phase, const char *format, ...) __attribute__((__format__(__printf__, 3, 4)));
void run_begin(struct run *run, enum phase phase);

/* ---- main.c, phases.c */
/* The runner's whole life; 0 when all went well. */
int run_phases(struct run *run);
/* Whether what outcome says of room is there; 0, or -1 after run_fail(). */
int run_check_room(struct run *run);

/* What a recovery takes: from the beginning until the last question is answered, or until now. Cleaning up is no part
 * of it. */
int64_t run_recovery_ms(const struct run *run);
/* Which backup is asked for: "newest", "random", or its name. */
const char *run_wanted(const struct run *run);
bool run_wants_random(const struct run *run);
/* Not a random one, or one that was named by hand: those are not held against the RPO. */
bool run_takes_newest(const struct run *run);
/* From when ages of rows count: from now; in a random backup from when it was made. */
int64_t run_asked_at_ms(const struct run *run);

/* ---- assert.c */
int assert_all(struct run *run);

/* ---- scratch.c: a folder "belfry-drill-ID" with a file "marker" that holds the id */
#define SCRATCH_PREFIX "belfry-drill-"
/* Makes it below workspace (which is made when missing) with mode 0711. */
int scratch_make(struct run *run, struct why *why);
/* Makes a folder in it that belongs to the tools' user. */
int scratch_folder(struct run *run, const char *name, char path[PATH_MAX]);
/* What lies in the folder that fd is open on, and below it; not all of it when there are very many files, or when some
 * lie too deep. */
struct scratch_sum {
    int64_t bytes, newest_wall_ms;
    unsigned files, depth;
    bool too_deep;
};
struct scratch_sum scratch_measure(int fd);
/* Removes workspace/belfry-drill-ID when its marker says so; never follows a link or leaves the file system. 0 also
 * when there is none. */
int scratch_remove(const char *workspace, const char *id, struct why *why);

/* ---- isolate.c */
/* Leaves the namespaces of the host as far as the kernel allows; says what is in force. */
void isolate(struct run *run);
/* The runner, in its sandbox: nothing but the scratch folder can be written from now on. */
void isolate_sandbox(struct run *run);

/* ---- reap.c */
/* Ends every process of the drill `id`: by its environment, or by where it works. Returns how many there were. */
unsigned reap_processes(const char *id, const char *workspace);

/* ---- source.c */
int source_find(struct run *run);
int source_rewind(struct run *run);
/* Of a file that lies beside backups (checksums, logs), or is not written to its end: no backup, newest or not, unless
 * it is asked for by its name. The verification of backup-restore leaves out the same. */
bool source_is_beside(const struct run *run, const char *name);
/* As read(); keep: it will be read again. errno is EAGAIN: later; ENOBUFS: no more can be kept; after run_fail(): EIO.
 */
ssize_t source_read(struct run *run, void *bytes, size_t n, bool keep);
/* Whether the count-th backup is the one to take so far: best_ms: when the best one so far was written, or NULL. It is
 * known by two names. */
bool source_wants(const struct run *run, unsigned count, const int64_t *best_ms, int64_t wall_ms, const char *name,
                  const char *other);

/* ---- remote.c: of a backup that is fetched (fetch.h) */
int remote_find(struct run *run);
int remote_rewind(struct run *run);
ssize_t remote_read(struct run *run, void *bytes, size_t n, bool keep);
/* After a failure: when the backup was damaged on its way, which its checksum tells at its end, that is the reason. */
void remote_blame(struct run *run);

/* ---- fingerprint.c: of a folder that is no repository, while it is restored */
void fingerprint_begin(struct run *run);
/* wait: it is wanted; else it is ended. */
void fingerprint_end(struct run *run, bool wait);

/* ---- evidence.c */
json_t *evidence_make(const struct run *run);
/* Writes record/ID.json and last.json; the SHA-256 of the former into hex. 0 or a negative code. */
int evidence_write(const struct run *run, json_t *evidence, char hex[65]);

#endif
