/* SPDX-License-Identifier: GPL-3.0-or-later */
/* folder - the backups in a folder and those below it, or of a pattern ("/var/backups/shop-*.sql.gz").
 *
 * Backups whose names differ only in their dates are one series. What lies beside them (checksums, signatures, logs,
 * unfinished files, links) is none. A folder that is a backup of its own (mariabackup, pg_dump -Fd, a Redis AOF) counts
 * as one. Only names and inodes are read here, so that 10,000 files cost what 10,000 stat() cost. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/backup-restore/backup.h"
#include "plugins/common/say.h"

#define DEPTH_MAX 4
#define DAY_S 86400

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* count digits at text as a number; -1 when there are fewer. */
static int digits(const char *text, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        n = n * 10 + text[i] - '0';
    }
    return n;
}

/* A separator may stand between the fields of a date: all of one date have the same, or none. */
static const char *skip(const char *text, const char *of)
{
    return *text && strchr(of, *text) ? text + 1 : text;
}

/* Length of the date at text, 0 when there is none; fields: year, month, day, hour, minute, second, -1 when absent. */
static size_t read_date(const char *text, int fields[6])
{
    static const int least[6] = { 1990, 1, 1, 0, 0, 0 }, most[6] = { 2199, 12, 31, 23, 59, 60 };
    const char *at = text, *end = text;
    for (int i = 0; i < 6; i++)
        fields[i] = -1;
    for (int i = 0; i < 6; i++) {
        int n = digits(at, i == 0 ? 4 : 2);
        if (n < least[i] || n > most[i])
            break;
        fields[i] = n;
        end = at + (i == 0 ? 4 : 2);
        at = skip(end, i == 2 ? "T_-. " : "-_.:h");
    }
    if (fields[2] < 0)
        return 0;
    if (fields[4] < 0) {
        fields[3] = -1; /* an hour alone may be anything */
        end = text + (isdigit((unsigned char)text[4]) ? 8 : 10);
    }
    return isdigit((unsigned char)*end) ? 0 : (size_t)(end - text);
}

/* The first date in a name: where, and how long. */
static const char *find_date(const char *name, size_t *length, int fields[6])
{
    for (const char *at = name; *at; at++) {
        bool begins = at == name || !isdigit((unsigned char)at[-1]);
        *length = begins ? read_date(at, fields) : 0;
        if (*length > 0)
            return at;
    }
    return NULL;
}

int64_t name_date(const struct zone *zone, const char *name, bool *whole_day)
{
    int f[6];
    size_t length;
    char text[64];
    if (!find_date(name, &length, f))
        return 0;
    *whole_day = f[3] < 0;
    snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", f[0], f[1], f[2], f[3] < 0 ? 0 : f[3],
             f[4] < 0 ? 0 : f[4], f[5] < 0 ? 0 : f[5]);
    int64_t when = zone_time(zone, text);
    return when > 0 ? when : 0;
}

const char *name_series(struct belfry_probe *p, const char *name)
{
    int f[6];
    size_t length, n = 0;
    char series[4096];
    for (const char *date; n < sizeof series - 2 && (date = find_date(name, &length, f)) != NULL;
         name = date + length) {
        size_t before = (size_t)(date - name), room = sizeof series - 2 - n;
        before = before < room ? before : room;
        memcpy(series + n, name, before);
        n += before;
        series[n++] = '*';
    }
    series[n] = '\0';
    return n == 0 ? name : belfry_print(p, "%s%s", series, name);
}

/* ---- what there is --------------------------------------------------------------------------------------------- */

struct scan {
    struct backup_run *run;
    const char *pattern; /* for the path below the folder, or NULL */
    const char *source;
    struct backup *first;
    size_t count, repositories;
    const char *trouble;
};

static bool has(const char *folder, const char *name)
{
    char path[4096];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && n < (int)sizeof path && stat(path, &st) == 0;
}

/* Whether the folder has files of that pattern, and none but those and the ones that go with them. */
static bool only_has(const char *folder, const char *pattern, const char *with)
{
    DIR *dir = opendir(folder);
    bool found = false, other = false;
    for (struct dirent *e; dir && !other && (e = readdir(dir));) {
        bool hit = fnmatch(pattern, e->d_name, 0) == 0;
        found |= hit;
        other = !hit && e->d_name[0] != '.' && fnmatch(with, e->d_name, 0) != 0;
    }
    if (dir)
        closedir(dir);
    return found && !other;
}

/* Folders called backup and archive may be anybody's. */
static bool has_stanza(const char *path)
{
    char folder[4096], info[4096 + 300];
    snprintf(folder, sizeof folder, "%s/backup", path);
    DIR *dir = opendir(folder);
    bool found = false;
    for (struct dirent *e; dir && !found && (e = readdir(dir));) {
        snprintf(info, sizeof info, "%s/backup.info", e->d_name);
        found = e->d_name[0] != '.' && has(folder, info);
    }
    if (dir)
        closedir(dir);
    return found;
}

enum backup_kind folder_kind(const char *path)
{
    static const struct {
        enum backup_kind kind;
        const char *files[3];
    } kinds[] = {
        { BACKUP_RESTIC, { "config", "snapshots", "keys" } },
        { BACKUP_BORG, { "config", "data", "README" } },
        { BACKUP_PGBACKREST, { "backup", "archive", "." } },
        { BACKUP_MARIABACKUP, { "xtrabackup_checkpoints", ".", "." } },
        { BACKUP_MARIABACKUP, { "mariadb_backup_checkpoints", ".", "." } },
        { BACKUP_MARIABACKUP, { "ibdata1", "backup-my.cnf", "." } },
        { BACKUP_PGDUMP_DIR, { "toc.dat", ".", "." } },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (has(path, kinds[i].files[0]) && has(path, kinds[i].files[1]) && has(path, kinds[i].files[2]))
            return kinds[i].kind != BACKUP_PGBACKREST || has_stanza(path) ? kinds[i].kind : BACKUP_FILE;
    return BACKUP_FILE;
}

/* Files that lie beside backups. */
static bool beside(const char *name)
{
    static const char *const ends[] = { ".sha256", ".sha512", ".sha1",    ".md5",  ".sig",    ".asc.sig",  ".log",
                                        ".tmp",    ".part",   ".partial", ".lock", ".pid",    ".json",     ".conf",
                                        ".cnf",    ".txt",    ".md",      ".sh",   ".counts", ".checksums" };
    static const char *const names[] = { "SHA256SUMS", "SHA1SUMS", "MD5SUMS", "lost+found" };
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end && i < sizeof ends / sizeof ends[0]; i++)
        if (strcmp(end, ends[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return name[0] == '.' || (name[0] && name[strlen(name) - 1] == '~');
}

/* By its name's date; one without a time of day is as old as the file, when that fits the day and the one after it, and
 * else was made at noon. */
static int64_t dated(const struct backup_run *run, const char *name, int64_t changed)
{
    bool whole_day = false;
    int64_t date = name_date(run->zone, name, &whole_day);
    if (date == 0)
        return changed;
    if (!whole_day)
        return date;
    return changed >= date && changed < date + 2 * DAY_S ? changed : date + DAY_S / 2;
}

static bool excluded(const struct backup_run *run, const char *name)
{
    for (size_t i = 0; i < belfry_count(run->p, "exclude"); i++)
        if (fnmatch(belfry_item(run->p, "exclude", i), name, 0) == 0)
            return true;
    return false;
}

static void take(struct scan *scan, const char *path, const char *name, const struct stat *st, enum backup_kind kind)
{
    if (scan->count == BACKUP_FILES_MAX) {
        scan->trouble =
            belfry_print(scan->run->p, "more than %d files: the others were not looked at", BACKUP_FILES_MAX);
        return;
    }
    struct backup *b = backup_of_file(scan->run, path, name, st);
    b->kind = kind;
    b->size = st->st_size;
    b->when = dated(scan->run, name, (int64_t)st->st_mtim.tv_sec);
    b->next = scan->first;
    scan->first = b;
    scan->count++;
}

/* Adds up what is in a folder that is one backup. */
static void add_up(const char *folder, struct stat *sum, int depth)
{
    DIR *dir = depth > 0 ? opendir(folder) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        char path[4096];
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || n >= (int)sizeof path ||
            lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            add_up(path, sum, depth - 1);
        else if (S_ISREG(st.st_mode))
            sum->st_size += st.st_size;
        if (S_ISREG(st.st_mode) && st.st_mtim.tv_sec > sum->st_mtim.tv_sec)
            sum->st_mtim = st.st_mtim;
    }
    if (dir)
        closedir(dir);
}

static void take_tree(struct scan *scan, const char *path, const char *name, const struct stat *st,
                      enum backup_kind kind)
{
    struct stat sum = *st;
    sum.st_size = 0;
    sum.st_mtim.tv_sec = 0;
    add_up(path, &sum, DEPTH_MAX);
    if (sum.st_mtim.tv_sec == 0)
        sum.st_mtim = st->st_mtim;
    take(scan, path, name, &sum, kind);
}

static enum backup_kind kind_below(const char *path)
{
    enum backup_kind kind = folder_kind(path);
    if (kind == BACKUP_FILE && only_has(path, "*.manifest", "*.[ar][od][fb]"))
        kind = BACKUP_AOF;
    else if (kind == BACKUP_FILE && only_has(path, "*.[0-9][0-9][0-9][0-9][0-9][0-9]", "*.index"))
        kind = BACKUP_BINLOGS;
    return kind;
}

static void walk(struct scan *scan, const char *folder, const char *below, int depth);

static void meet(struct scan *scan, const char *path, const char *name, int depth)
{
    struct stat st;
    if (lstat(path, &st) != 0 || S_ISLNK(st.st_mode))
        return;
    bool matches = !scan->pattern || fnmatch(scan->pattern, name, 0) == 0;
    enum backup_kind kind = S_ISDIR(st.st_mode) ? kind_below(path) : BACKUP_FILE;
    bool repository = matches && repo_look(scan->run, scan->source, path, name, kind);
    scan->repositories += repository;
    if (repository)
        return;
    if (S_ISDIR(st.st_mode) && kind != BACKUP_FILE && matches)
        take_tree(scan, path, name, &st, kind);
    else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX && (!scan->pattern || strchr(scan->pattern, '/')))
        walk(scan, path, name, depth + 1);
    else if (S_ISREG(st.st_mode) && matches)
        take(scan, path, name, &st, BACKUP_FILE);
}

static void walk(struct scan *scan, const char *folder, const char *below, int depth)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        scan->trouble = belfry_print(scan->run->p, "folder '%s': %s", folder, say_error(scan->run->p, errno));
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) && scan->count < BACKUP_FILES_MAX + 1;) {
        char path[4096], name[4096];
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", e->d_name);
        if (n < (int)sizeof path && !beside(e->d_name) && !excluded(scan->run, name))
            meet(scan, path, name, depth);
    }
    closedir(dir);
}

/* ---- series ---------------------------------------------------------------------------------------------------- */

struct named {
    const char *series;
    struct backup *backup;
};

static int by_series(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->series, ((const struct named *)b)->series);
}

void series_judge(struct backup_run *run, const char *source, struct backup *first, bool one)
{
    size_t n = 0;
    for (const struct backup *b = first; b; b = b->next)
        n++;
    struct named *all = belfry_alloc(run->p, (n + 1) * sizeof *all);
    n = 0;
    for (struct backup *b = first; b; b = b->next)
        all[n++] = (struct named){ name_series(run->p, b->name), b };
    qsort(all, n, sizeof *all, by_series);
    one = one && (n == 0 || strcmp(all[0].series, all[n - 1].series) == 0);
    for (size_t i = 0, next; i < n; i = next) {
        struct backup *list = NULL;
        for (next = i; next < n && strcmp(all[next].series, all[i].series) == 0; next++) {
            all[next].backup->next = list;
            list = all[next].backup;
        }
        backup_judge(run, one ? source : belfry_print(run->p, "%s/%s", source, all[i].series), list);
    }
}

/* The folder before the first component with a wildcard. */
static int fixed_length(const char *place)
{
    size_t wild = strcspn(place, "*?[");
    while (wild > 0 && place[wild] != '/')
        wild--;
    return (int)wild;
}

void folder_look(struct backup_run *run, const char *source, const char *place)
{
    struct scan scan = { .run = run, .source = source };
    struct stat st;
    bool pattern = strpbrk(place, "*?[") != NULL;
    const char *folder = pattern ? belfry_print(run->p, "%.*s", fixed_length(place), place) : place;
    scan.pattern = pattern ? place + strlen(folder) + 1 : NULL;
    if (stat(*folder ? folder : "/", &st) != 0) {
        backup_refuse(run, source, BELFRY_CRITICAL, "'%s' can't be read: %s", folder, say_error(run->p, errno));
        return;
    }
    enum backup_kind kind = !pattern && S_ISDIR(st.st_mode) ? kind_below(place) : BACKUP_FILE;
    const char *base = strrchr(place, '/');
    if (S_ISREG(st.st_mode) && !pattern)
        take(&scan, place, base ? base + 1 : place, &st, BACKUP_FILE);
    else if (kind != BACKUP_FILE)
        take_tree(&scan, place, base ? base + 1 : place, &st, kind);
    else
        walk(&scan, folder, "", 0);
    if (scan.first && !pattern && (S_ISREG(st.st_mode) || kind != BACKUP_FILE))
        scan.first->alone = true;
    run->files += scan.count;
    if (scan.trouble)
        backup_refuse(run, belfry_print(run->p, "%s (reading)", source), BELFRY_UNKNOWN, "%s", scan.trouble);
    if (scan.count + scan.repositories == 0 && !scan.trouble)
        backup_refuse(run, source, BELFRY_CRITICAL, "no backup in '%s'", place);
    series_judge(run, source, scan.first, pattern || S_ISREG(st.st_mode) || kind != BACKUP_FILE);
}
