/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backup-restore - what the files of the plugin share: a backup, a series of them, what was found, and the calls. */
#ifndef PLUGINS_BACKUP_H
#define PLUGINS_BACKUP_H

#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

#include "belfry/plugin.h"
#include "plugins/common/zone.h"

#define BACKUP_FILES_MAX 40000 /* a run has 16 MiB */
#define BACKUP_SLOTS_MAX 64    /* of one kind */

/* Kinds of backups that are a folder each, found by files in them. */
enum backup_kind {
    BACKUP_FILE,
    BACKUP_MARIABACKUP,
    BACKUP_PGDUMP_DIR,
    BACKUP_AOF,
    BACKUP_BINLOGS,
    BACKUP_RESTIC,
    BACKUP_BORG,
    BACKUP_PGBACKREST,
    BACKUP_REMOTE /* told by somebody else: only listed */
};

/* One backup. */
struct backup {
    struct backup *next;
    enum backup_kind kind;
    const char *path, *name; /* name: for texts and dates */
    const char *sum;         /* a checksum that its keeper names, or NULL */
    const char *told;        /* of one that is elsewhere: what it is; NULL: not known */
    int64_t size, when;      /* when: seconds since 1970, by its name or its last change */
    int64_t changed_ns, inode;
    uint64_t device;
    unsigned mode;
    bool alone; /* the source itself: it is replaced, and there never are others */
};

/* What was found about one thing; the worst of its states, and texts joined with "; ". */
struct backup_findings {
    enum belfry_state state;
    const char *text; /* NULL: nothing */
};

/* What reading the newest backup told. Kept from run to run with the file's identity. */
struct backup_proof {
    struct backup_findings bad;
    const char *what;     /* "MariaDB dump in gzip" */
    const char *cipher;   /* "age", "OpenPGP", ...: by its bytes; NULL: not encrypted */
    const char *database; /* its own word for what it is of, or NULL */
    const char *data;     /* the folder that such a server usually has its data in, or NULL */
    int64_t made;         /* by its own word, or 0 */
    bool whole;           /* read to its end, and the end is right; not when only its own words are */
    bool unread;          /* the time was up: not to be kept */
    bool piece;           /* of a greater backup: alone it may be empty */
};

/* All backups of one thing, oldest first. */
struct backup_series {
    const char *part;
    struct backup **list;
    size_t count;
    const char *writing; /* a newer one that is not counted yet, or NULL */
    struct backup_findings found;
};

struct backup_run {
    struct belfry_probe *p;
    int64_t now;
    const struct zone *zone;
    double begin; /* now_s() */
    int64_t read; /* bytes of backups */
    double due;   /* when the bytes read so far should have taken their time, as now_s() */
    size_t series, good, files;
    const char *worst; /* of the series */
    enum belfry_state worst_state;
};

/* backup.c: what both plugins are made of (plugin-restore.c, plugin-tools.c) */
extern const struct belfry_option backup_options[];
extern const struct belfry_metric backup_metrics[];
extern const struct belfry_view backup_views[];
void backup_run(struct belfry_probe *p);
BELFRY_PRINTF(4, 5)
void backup_find(struct backup_run *run, struct backup_findings *found, enum belfry_state state, const char *format,
                 ...);
/* Says that it holds nothing, unless that may be. */
void backup_find_empty(struct backup_run *run, struct backup_proof *proof, const char *what);
/* A backup in memory until run() returns; path and name are copied. */
struct backup *backup_new(struct backup_run *run, const char *path, const char *name);
int64_t backup_changed_ns(const struct stat *st);
/* The same of a file or folder: with its last change, identity, disk and mode. */
struct backup *backup_of_file(struct backup_run *run, const char *path, const char *name, const struct stat *st);
/* Judges one series and says its part. */
void backup_judge(struct backup_run *run, const char *part, struct backup *first);
/* The part of a source that can't be looked at. */
BELFRY_PRINTF(4, 5)
void backup_refuse(struct backup_run *run, const char *part, enum belfry_state state, const char *format, ...);
/* A regular file to read from, or NULL: a pipe would never end. Closed, the page cache forgets what was read. */
FILE *backup_open(const char *path);
void backup_close(FILE *f);
/* Days since 1970 of the site's calendar; of 1970-01-01 itself 0. */
int64_t backup_day(const struct zone *zone, int64_t when);
const char *backup_date(struct backup_run *run, int64_t when);

/* folder.c: the backups in a folder, or those that a pattern matches, series by series. */
void folder_look(struct backup_run *run, const char *source, const char *place);
/* Parts backups by series and judges each; one: a single series is named by the source alone. */
void series_judge(struct backup_run *run, const char *source, struct backup *first, bool one);
/* A date in a name ("2026-11-21", "20261121_0304"): seconds since 1970, or 0; *whole_day: without a time. */
int64_t name_date(const struct zone *zone, const char *name, bool *whole_day);
/* The name with '*' where its date is, which all backups of a series have in common. */
const char *name_series(struct belfry_probe *p, const char *name);
/* What kind of backup a folder is as a whole; BACKUP_FILE: none, it is a folder of backups. */
enum backup_kind folder_kind(const char *path);

/* proof.c: proves one backup, or remembers that it was. */
void proof_make(struct backup_run *run, struct backup_series *series, struct backup_proof *proof);
/* After so many bytes of a backup were read: waits as long as `rate` wants. False when the time is up. */
bool proof_pace(struct backup_run *run, int64_t bytes);
/* A file read to its end, through gzip, zstd or xz. */
void proof_file(struct backup_run *run, const struct backup *file, struct backup_proof *proof);

/* manifest.c: the SHA-256 that FILE.sha256 or SHA256SUMS names, in hex; NULL when none does. */
const char *manifest_sum(struct backup_run *run, const struct backup *file, struct backup_findings *found);

/* tree.c: backups that are folders. */
void tree_prove(struct backup_run *run, const struct backup *tree, struct backup_proof *proof);

/* repo.c: repositories. False when the place is none. name: of one within a source, or NULL. */
bool repo_look(struct backup_run *run, const char *source, const char *place, const char *name, enum backup_kind kind);
void repo_prove(struct backup_run *run, const struct backup *newest, struct backup_proof *proof);

/* remote.c: backups that a panel or a listing tells of. */
void panel_look(struct backup_run *run, const char *source, const char *server);
void listing_look(struct backup_run *run, const char *source, const char *file);
/* Adds one to a list of them; the new first. */
struct backup *remote_add(struct backup_run *run, struct backup *first, const char *name, int64_t when, int64_t size);
/* Judges what rclone lsjson has written. */
void listing_judge(struct backup_run *run, const char *source, const json_t *tree);

/* asked.c: backups that a tool tells of, which is started with its key. */
extern const bool backup_may_start; /* whether the plugin may start programs */
void restic_look(struct backup_run *run, const char *source, const char *repository);
void borg_look(struct backup_run *run, const char *source, const char *repository);
void rclone_look(struct backup_run *run, const char *source, const char *remote);
void pgbackrest_look(struct backup_run *run, const char *source, const char *stanza);

/* retain.c: which slots of a retention are filled. Pure. */
enum retain_slot {
    RETAIN_DAY,
    RETAIN_WEEK,
    RETAIN_MONTH
};
struct retain_ask {
    enum retain_slot slot;
    int64_t wanted; /* how many slots, at most BACKUP_SLOTS_MAX */
    int64_t today;  /* day of the calendar */
    int64_t since;  /* nothing is expected before this day */
    int64_t late_s; /* this long after midnight a backup may still count for the day before */
};
/* local: what the clocks showed when each backup was made, ascending. The first day of each slot that is missing,
 * newest first, and how many there are. */
size_t retain_missing(const struct retain_ask *ask, const int64_t *local, size_t count,
                      int64_t missing[BACKUP_SLOTS_MAX]);

/* disks.c: whether two devices lie on the same disk, or share one of several; sys: where sysfs is. */
bool disks_shared(const char *sys, dev_t a, dev_t b);

/* place.c: who may read it, and whether it is on the disk that it protects. */
void place_judge(struct backup_run *run, const struct backup *newest, const struct backup_proof *proof,
                 struct backup_findings *found);

#endif
