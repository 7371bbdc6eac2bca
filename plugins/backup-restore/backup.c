/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backup-restore - are there backups, new enough, whole, of the usual size, encrypted, where they should be, and as
 * many as the retention wants? A job that says "success" proves nothing; this looks at what it left.
 *
 * Each source is a folder, a pattern, a file or a repository; what its backups are is found by their bytes. Backups
 * whose names differ only in their dates are a series, and each series is a part. Of each, the newest backup is read to
 * its end, once (proof.c); of the others only names, sizes and times are read.
 *
 * How old a backup is: what it says of itself (a dump's last line, an RDB's ctime) counts before its name's date, and
 * that before the file's time. Where its word and its name differ by more than `drift`, somebody copied an old one.
 *
 * Diagnostics: "is cut off", "is damaged", "is empty", "holds no table", "is a dump of" say what is wrong with the
 * newest backup; "no backup for ..." names the slots of the retention that are missing. */
#include "plugins/backup-restore/backup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define DAY_S 86400
#define FUTURE_S 300
#define PREDECESSORS 14
#define PREDECESSORS_LEAST 2
#define PARTS_MAX 1000

const struct belfry_option backup_options[] = {
    { "source", BELFRY_TEXT,
      "What to look at, by name: a folder, a pattern, a file, a repository of restic, borg or pgBackRest; "
      "'panel:SERVER' asks the panel, 'listing:FILE' reads what rclone lsjson wrote; with the plugin backup-tools also "
      "'restic:REPOSITORY', 'borg:REPOSITORY', 'rclone:REMOTE:PATH' and 'pgbackrest:STANZA', asked with these tools",
      .required = true, .map = true, .example = "/var/backups/mysql" },
    { "exclude", BELFRY_TEXT, "Patterns of names that are no backups", .list = true, .example = "*.old" },
    { "rpo", BELFRY_DURATION, "How old the newest backup may be: the data that may be lost", .fallback = "26h",
      .example = "24h" },
    { "daily", BELFRY_INTEGER, "Days in a row that must have a backup", .fallback = "7", .example = "7" },
    { "weekly", BELFRY_INTEGER, "ISO weeks in a row that must have one", .fallback = "4", .example = "4" },
    { "monthly", BELFRY_INTEGER, "Months in a row that must have one", .fallback = "3", .example = "3" },
    { "since", BELFRY_TEXT, "First day that is expected (2026-11-21); unset: that of the oldest backup ever seen",
      .example = "2026-01-01" },
    { "late", BELFRY_DURATION, "How long after midnight a backup may still be that of the day before", .fallback = "6h",
      .example = "6h" },
    { "zone", BELFRY_TEXT, "Time zone of names, dumps and calendar; unset: this machine's",
      .example = "Europe/Berlin" },
    { "settle", BELFRY_DURATION,
      "A backup that was changed less than this ago is still being written: the one before it is looked at",
      .fallback = "5m", .example = "15m" },
    { "drift", BELFRY_DURATION, "How far a backup's own time may be from that of its name", .fallback = "12h",
      .example = "12h" },
    { "database", BELFRY_TEXT, "Name of the database that the dumps must be of", .example = "shop" },
    { "expect", BELFRY_TEXT, "Texts that the newest backup must contain", .list = true,
      .example = "CREATE TABLE `invoices`" },
    { "encrypted", BELFRY_FLAG, "Whether the newest backup must be encrypted, by its bytes", .fallback = "false",
      .example = "true" },
    { "manifest", BELFRY_FLAG, "Whether there must be a checksum beside it", .fallback = "false", .example = "true" },
    { "protects", BELFRY_PATH, "Folders whose disk the backups may not be on", .list = true,
      .example = "/var/lib/mysql" },
    { "same_disk", BELFRY_FLAG, "Whether the backups may be on the disk that they protect", .fallback = "false",
      .example = "true" },
    { "public", BELFRY_FLAG, "Whether everybody may read them", .fallback = "false", .example = "true" },
    { "may_be_empty", BELFRY_FLAG, "Whether a dump without a table, key or file is right", .fallback = "false",
      .example = "true" },
    { "unproven", BELFRY_FLAG, "Whether what can't say that it is whole (dumps of --compact, zip, bzip2) is taken so",
      .fallback = "false", .example = "true" },
    { "unchanged", BELFRY_FLAG, "Whether two backups may be the same, byte by byte", .fallback = "false",
      .example = "true" },
    { "rate", BELFRY_SIZE, "Bytes a second that are read at most; 0: as fast as it goes", .fallback = "128MiB",
      .example = "32MiB" },
    { "gentle", BELFRY_FLAG, "Whether it reads only when nobody else wants processor and disk", .fallback = "true",
      .example = "false" },
    { "panel", BELFRY_URL, "Pterodactyl panel, for sources that begin with 'panel:'",
      .example = "https://panel.example.net" },
    { "key", BELFRY_TEXT, "Client API key of the panel, with backup.read; password of restic or borg", .secret = true,
      .example = "@panel-client" },
    { "config", BELFRY_PATH, "Configuration file of rclone (with its secrets) or pgBackRest; unset: their own",
      .example = "/etc/belfry/rclone.conf" },
    { "env", BELFRY_TEXT, "Environment variables of the tools by name; nothing else is inherited", .map = true,
      .example = "eu-central-1" },
    { "secret_env", BELFRY_TEXT, "The same, of secrets: what opens the place that a repository is at", .secret = true,
      .map = true, .example = "@s3" },
    { "ca_file", BELFRY_PATH, "Certificates to trust instead of the system's, for the panel",
      .example = "/etc/ssl/ca.pem" },
    BELFRY_END,
};

const struct belfry_metric backup_metrics[] = {
    { "rpo_used", "%", "Age of the newest backup, of the RPO", .crit = "100", .min = "0" },
    { "age", "s", "Age of the newest backup", .min = "0" },
    { "size", "B", "Size of the newest backup", .min = "0" },
    { "size_of_median", "%", "The same, of the median of those before it", .warn = "50:200", .crit = "20:500",
      .min = "0" },
    { "backups", "", "Number of backups", .min = "0" },
    { "stored", "B", "Size of all", .min = "0" },
    { "daily_missing", "", "Days of the retention without a backup", .warn = "0", .crit = "1", .min = "0" },
    { "weekly_missing", "", "Weeks of the retention without a backup", .crit = "0", .min = "0" },
    { "monthly_missing", "", "Months of the retention without a backup", .crit = "0", .min = "0" },
    { "proven", "", "1 when the newest backup was read to its end, and that is right", .min = "0", .max = "1" },
    { "series", "", "Series of backups", .min = "0" },
    { "bytes_read", "B", "Bytes of backups read in this run", .min = "0" },
    { "time", "s", "How long the run took", .min = "0" },
    BELFRY_END,
};

const struct belfry_view backup_views[] = {
    { "rpo", "Age of the newest backup, of the RPO", "rpo_used", .parts = true },
    { "sizes", "Size of the newest backup", "size", .parts = true },
    { "delta", "Size of the newest backup, of the median before it", "size_of_median", .parts = true },
    { "space", "Size of all backups", "stored", .style = BELFRY_STACK, .parts = true },
    { "slots", "Slots of the retention that are missing", "daily_missing weekly_missing monthly_missing",
      .parts = true },
    BELFRY_END,
};

/* ---- what is found --------------------------------------------------------------------------------------------- */

/* CRITICAL weighs more than UNKNOWN, and that more than WARNING. */
static enum belfry_state worse(enum belfry_state a, enum belfry_state b)
{
    static const int weight[] = { 0, 1, 3, 2 };
    return weight[a] >= weight[b] ? a : b;
}

void backup_find(struct backup_run *run, struct backup_findings *found, enum belfry_state state, const char *format,
                 ...)
{
    va_list args;
    va_start(args, format);
    const char *text = run->p->host->print(run->p, format, args);
    va_end(args);
    found->state = worse(state, found->state);
    found->text = found->text ? belfry_print(run->p, "%s; %s", found->text, text) : text;
}

void backup_find_empty(struct backup_run *run, struct backup_proof *proof, const char *what)
{
    if (!proof->piece && !belfry_flag(run->p, "may_be_empty"))
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "holds no %s", what);
}

struct backup *backup_new(struct backup_run *run, const char *path, const char *name)
{
    size_t n = strlen(path), name_n = strlen(name);
    bool ends = name_n <= n && strcmp(path + n - name_n, name) == 0; /* as it mostly does: then it is kept once */
    struct backup *b = belfry_alloc(run->p, sizeof *b + n + 1 + (ends ? 0 : name_n + 1));
    char *text = (char *)(b + 1);
    memcpy(text, path, n + 1);
    if (!ends)
        memcpy(text + n + 1, name, name_n + 1);
    b->path = text;
    b->name = ends ? text + n - name_n : text + n + 1;
    return b;
}

int64_t backup_changed_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

struct backup *backup_of_file(struct backup_run *run, const char *path, const char *name, const struct stat *st)
{
    struct backup *b = backup_new(run, path, name);
    b->changed_ns = backup_changed_ns(st);
    b->inode = (int64_t)st->st_ino;
    b->device = (uint64_t)st->st_dev;
    b->mode = st->st_mode & 07777;
    return b;
}

FILE *backup_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    FILE *f = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
    if (fd >= 0 && !f)
        close(fd);
    return f;
}

void backup_close(FILE *f)
{
    if (!f)
        return;
    posix_fadvise(fileno(f), 0, 0, POSIX_FADV_DONTNEED);
    fclose(f);
}

static void say_part(struct backup_run *run, const char *part, enum belfry_state state, const char *text)
{
    const char *shown = say_excerpt(run->p, part, strlen(part));
    run->good += state == BELFRY_OK;
    run->series++;
    if (run->series > PARTS_MAX)
        return;
    if (worse(state, run->worst_state) != run->worst_state)
        run->worst = belfry_print(run->p, "%s: %s", shown, text);
    run->worst_state = worse(state, run->worst_state);
    belfry_part(run->p, shown, state, "%s", text);
}

void backup_refuse(struct backup_run *run, const char *part, enum belfry_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_part(run, part, state, run->p->host->print(run->p, format, args));
    va_end(args);
}

/* ---- the calendar ---------------------------------------------------------------------------------------------- */

int64_t backup_day(const struct zone *zone, int64_t when)
{
    int64_t local = zone_local(zone, when);
    return local / DAY_S - (local % DAY_S < 0);
}

const char *backup_date(struct backup_run *run, int64_t when)
{
    return belfry_print(run->p, "%.16s", zone_text(run->p, run->zone, when));
}

static const char *day_text(struct backup_run *run, int64_t day)
{
    struct tm tm;
    time_t noon = (time_t)(day * DAY_S + DAY_S / 2);
    gmtime_r(&noon, &tm);
    return belfry_print(run->p, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

/* The first day that a backup is expected of: as configured, or that of the oldest one ever seen. */
static int64_t expected_since(struct backup_run *run, const struct backup_series *series)
{
    bool whole;
    const char *text = belfry_text(run->p, "since");
    int64_t told = text ? name_date(run->zone, text, &whole) : 0;
    if (told > 0)
        return backup_day(run->zone, told);
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char *c = series->part; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3ULL;
    const char *key = belfry_print(run->p, "since %016" PRIx64, hash), *kept = belfry_kept(run->p, key);
    int64_t oldest = backup_day(run->zone, series->list[0]->when), before = kept ? strtoll(kept, NULL, 10) : oldest;
    if (!kept || oldest < before)
        belfry_keep(run->p, key, belfry_print(run->p, "%lld", (long long)oldest));
    return oldest < before ? oldest : before;
}

static const struct {
    enum retain_slot slot;
    const char *option, *metric, *word;
} kept_slots[] = {
    { RETAIN_DAY, "daily", "daily_missing", "" },
    { RETAIN_WEEK, "weekly", "weekly_missing", "the week of " },
    { RETAIN_MONTH, "monthly", "monthly_missing", "the month of " },
};

/* One thing that grows, or is replaced: what it holds of which day can't be told. */
static bool is_one(const struct backup *b)
{
    return b->alone || b->kind == BACKUP_BORG || b->kind == BACKUP_BINLOGS || b->kind == BACKUP_AOF;
}

/* The text that names the slots; the metric's threshold judges how many are too many. */
static const char *judge_retention(struct backup_run *run, const struct backup_series *series)
{
    const char *text = NULL;
    if (is_one(series->list[0]))
        return NULL;
    int64_t *local = belfry_alloc(run->p, series->count * sizeof *local), missing[BACKUP_SLOTS_MAX];
    for (size_t i = 0; i < series->count; i++)
        local[i] = zone_local(run->zone, series->list[i]->when);
    struct retain_ask ask = { .today = backup_day(run->zone, run->now),
                              .since = expected_since(run, series),
                              .late_s = (int64_t)belfry_number(run->p, "late") };
    for (size_t i = 0; i < sizeof kept_slots / sizeof kept_slots[0]; i++) {
        ask.slot = kept_slots[i].slot;
        ask.wanted = belfry_integer(run->p, kept_slots[i].option);
        size_t n = retain_missing(&ask, local, series->count, missing);
        if (ask.wanted > 0)
            belfry_measure_part(run->p, series->part, kept_slots[i].metric, (double)n);
        for (size_t k = 0; k < n && k < 4; k++)
            text = belfry_print(run->p, "%s%s%s%s", text ? text : "no backup for ", text ? ", " : "",
                                kept_slots[i].word, day_text(run, missing[k]));
        if (n > 4)
            text = belfry_print(run->p, "%s and %zu more", text, n - 4);
    }
    return text;
}

/* ---- one series ------------------------------------------------------------------------------------------------ */

static int by_time(const void *a, const void *b)
{
    const struct backup *x = *(struct backup *const *)a, *y = *(struct backup *const *)b;
    int order = (x->when > y->when) - (x->when < y->when);
    return order ? order : strcmp(x->name, y->name);
}

/* What is being written is not cut off: it is looked at when it has settled. The only one there is counts as it is. */
static void leave_unfinished(struct backup_run *run, struct backup_series *s)
{
    const struct backup *newest = s->count > 1 ? s->list[s->count - 1] : NULL;
    if (!newest || newest->kind > BACKUP_BINLOGS ||
        (double)(run->now - newest->changed_ns / 1000000000) >= belfry_number(run->p, "settle"))
        return;
    s->writing = say_excerpt(run->p, newest->name, strlen(newest->name));
    s->count--;
}

/* Those from the future pin a wrong "newest": they are left out, and said. */
static void sort(struct backup_run *run, struct backup_series *s, struct backup *first)
{
    size_t n = 0, future = 0;
    for (struct backup *b = first; b; b = b->next)
        n++;
    s->list = belfry_alloc(run->p, (n + 1) * sizeof *s->list);
    for (struct backup *b = first; b; b = b->next) {
        if (b->when > run->now + FUTURE_S)
            future++;
        else
            s->list[s->count++] = b;
    }
    qsort(s->list, s->count, sizeof *s->list, by_time);
    leave_unfinished(run, s);
    if (future > 0)
        backup_find(run, &s->found, BELFRY_WARNING, "%zu dated in the future not counted", future);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static const char *judge_size(struct backup_run *run, const struct backup_series *s)
{
    int64_t sizes[PREDECESSORS], size = s->list[s->count - 1]->size;
    size_t n = 0;
    while (n < PREDECESSORS && n + 1 < s->count) {
        sizes[n] = s->list[s->count - 2 - n]->size;
        n++;
    }
    if (size > 0 || s->list[0]->kind < BACKUP_RESTIC) /* of others it may not be known */
        belfry_measure_part(run->p, s->part, "size", (double)size);
    if (n < PREDECESSORS_LEAST)
        return NULL;
    qsort(sizes, n, sizeof *sizes, by_size);
    double median = (double)(sizes[n / 2] + sizes[(n - 1) / 2]) / 2;
    if (median <= 0)
        return NULL;
    double share = (double)size / median * 100;
    belfry_measure_part(run->p, s->part, "size_of_median", share);
    if (share >= 50 && share <= 200)
        return NULL;
    return belfry_print(run->p, "has %.0f %% of the median of %zu before it (%s)", share, n, say_bytes(run->p, median));
}

/* Its own word about its time, and what its name says. */
static int64_t judge_time(struct backup_run *run, struct backup_series *s, const struct backup_proof *proof)
{
    const struct backup *newest = s->list[s->count - 1];
    int64_t made = proof->made > 0 && proof->made <= run->now + FUTURE_S ? proof->made : newest->when;
    double drift = belfry_number(run->p, "drift"), apart = fabs((double)(newest->when - made));
    if (drift > 0 && apart > drift)
        backup_find(run, &s->found, BELFRY_CRITICAL, "is dated %s, but says that it was made %s: an old one copied?",
                    backup_date(run, newest->when), backup_date(run, made));
    return made;
}

static void judge_age(struct backup_run *run, const struct backup_series *s, int64_t made)
{
    double rpo = belfry_number(run->p, "rpo"), age = run->now > made ? (double)(run->now - made) : 0;
    belfry_measure_part(run->p, s->part, "age", age);
    if (rpo > 0)
        belfry_measure_part(run->p, s->part, "rpo_used", age / rpo * 100);
}

static void judge_cipher(struct backup_run *run, struct backup_series *s, const struct backup_proof *proof)
{
    if (belfry_flag(run->p, "encrypted") && !proof->cipher && s->list[0]->kind != BACKUP_REMOTE && !proof->unread)
        backup_find(run, &s->found, BELFRY_CRITICAL, "is not encrypted");
}

static const char *add(struct backup_run *run, const char *text, const char *more)
{
    return !more ? text : text ? belfry_print(run->p, "%s; %s", text, more) : more;
}

/* noted: of the newest, and of the retention; or NULL. */
static void say_series(struct backup_run *run, const struct backup_series *s, const struct backup_proof *proof,
                       int64_t made, const char *const noted[2])
{
    const struct backup *newest = s->list[s->count - 1];
    const char *name = say_excerpt(run->p, newest->name, strlen(newest->name));
    const char *bad = add(run, add(run, proof->bad.text, s->found.text), noted[0]);
    const char *size = newest->size > 0 ? belfry_print(run->p, ", %s", say_bytes(run->p, (double)newest->size)) : "";
    const char *about = belfry_print(run->p, "%s%s%s, %s ago", proof->what ? proof->what : "backup",
                                     proof->whole ? " read to its end" : "", size, belfry_ago(run->p, made));
    const char *more = s->writing ? belfry_print(run->p, "; '%s' is being written", s->writing) : "";
    const char *text = bad ? belfry_print(run->p, "'%s' %s (%s; %zu kept%s)", name, bad, about, s->count, more)
                           : belfry_print(run->p, "'%s': %s; %zu kept%s", name, about, s->count, more);
    say_part(run, s->part, worse(s->found.state, proof->bad.state), add(run, text, noted[1]));
}

void backup_judge(struct backup_run *run, const char *part, struct backup *first)
{
    struct backup_series s = { .part = say_excerpt(run->p, part, strlen(part)) };
    struct backup_proof proof = { 0 };
    double stored = 0;
    sort(run, &s, first);
    if (s.count == 0) {
        backup_refuse(run, part, BELFRY_CRITICAL, "no backup%s%s", s.found.text ? ": " : "",
                      s.found.text ? s.found.text : "");
        return;
    }
    if (run->series >= PARTS_MAX) {
        run->series++;
        return;
    }
    proof_make(run, &s, &proof);
    int64_t made = judge_time(run, &s, &proof);
    judge_cipher(run, &s, &proof);
    place_judge(run, s.list[s.count - 1], &proof, &s.found);
    for (size_t i = 0; i < s.count; i++)
        stored += (double)s.list[i]->size;
    const char *noted[] = { judge_size(run, &s), judge_retention(run, &s) };
    say_series(run, &s, &proof, made, noted);
    judge_age(run, &s, made);
    belfry_measure_part(run->p, s.part, "backups", (double)s.count);
    if (stored > 0 || s.list[0]->kind < BACKUP_RESTIC)
        belfry_measure_part(run->p, s.part, "stored", stored);
    belfry_measure_part(run->p, s.part, "proven", proof.whole && proof.bad.state == BELFRY_OK);
}

/* ---- the run --------------------------------------------------------------------------------------------------- */

/* The machine's zone by the link that /etc/localtime is; UTC where it is none. */
static const char *zone_name(struct belfry_probe *p)
{
    char target[256];
    ssize_t n = readlink("/etc/localtime", target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    const char *at = strstr(target, "zoneinfo/"), *told = belfry_text(p, "zone");
    return told ? told : at ? belfry_print(p, "%s", at + strlen("zoneinfo/")) : "UTC";
}

static void look(struct backup_run *run, const char *source, const char *place)
{
    static const struct {
        const char *scheme;
        void (*look)(struct backup_run *run, const char *source, const char *rest);
    } schemes[] = {
        { "panel:", panel_look }, { "listing:", listing_look }, { "restic:", restic_look },
        { "borg:", borg_look },   { "rclone:", rclone_look },   { "pgbackrest:", pgbackrest_look },
    };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i].scheme);
        if (strncmp(place, schemes[i].scheme, n) == 0) {
            schemes[i].look(run, source, place + n);
            return;
        }
    }
    if (place[0] != '/')
        backup_refuse(
            run, source, BELFRY_UNKNOWN,
            "'%s' is no absolute path, and begins with none of panel:, listing:, restic:, borg:, rclone:, pgbackrest:",
            place);
    else if (!repo_look(run, source, place, NULL, folder_kind(place)))
        folder_look(run, source, place);
}

static void say_all(struct backup_run *run)
{
    const char *all = belfry_print(run->p, "newest backup sound in %zu of %zu series", run->good, run->series);
    belfry_measure(run->p, "series", (double)run->series);
    belfry_measure(run->p, "bytes_read", (double)run->read);
    belfry_measure(run->p, "time", now_s() - run->begin);
    if (run->series > PARTS_MAX)
        belfry_unknown(run->p, "%s; %zu more than can be shown: narrow 'source' or use several checks", all,
                       run->series - PARTS_MAX);
    else if (run->worst_state == BELFRY_OK)
        belfry_ok(run->p, "%s", all);
    else if (run->worst_state == BELFRY_WARNING)
        belfry_warning(run->p, "%s; %s", all, run->worst);
    else if (run->worst_state == BELFRY_CRITICAL)
        belfry_critical(run->p, "%s; %s", all, run->worst);
    else
        belfry_unknown(run->p, "%s; %s", all, run->worst);
}

void backup_run(struct belfry_probe *p)
{
    struct backup_run run = { .p = p, .now = (int64_t)time(NULL), .begin = now_s() };
    const char *why = NULL;
    run.zone = zone_read(p, zone_name(p), &why);
    if (!run.zone) {
        belfry_unknown(p, "%s", why);
        return;
    }
    for (size_t i = 0; i < belfry_count(p, "source"); i++)
        look(&run, belfry_key(p, "source", i), belfry_item(p, "source", i));
    say_all(&run);
}
