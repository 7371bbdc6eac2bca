/* SPDX-License-Identifier: GPL-3.0-or-later */
/* repo - repositories of restic, borg and pgBackRest, without their passwords.
 *
 *     restic       each snapshot is a file in snapshots/; names are the SHA-256 of the content, so what is new
 * (snapshots, indexes, packs of the last day) is proven by its name. All but keys/ is encrypted. borg 1       segments
 * in data/ of entries with a CRC each, ended by a commit; the first byte of an object tells how it is encrypted. Which
 * archives there are can't be told without the key: age is that of the last commit. pgBackRest   a folder a backup,
 * named by its time; backup.manifest is written last, and backup.info lists it with the first and last WAL segment that
 * it needs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "plugins/backup-restore/backup.h"
#include "plugins/common/say.h"

#define DAY_NS ((int64_t)86400 * 1000000000)
#define SEGMENT_MAX ((uint32_t)21 * 1024 * 1024) /* of one entry: borg bounds objects at 20 MiB */
#define SPARE_MS 400
#define INFO_MAX ((size_t)4 * 1024 * 1024)

/* Which files of a folder. */
struct wanted {
    int64_t since_ns; /* changed after that */
    size_t seen;      /* how many there are in all */
};

/* Files of a folder and those in the folders below it, as backups without a size of their own. */
static struct backup *list_files(struct backup_run *run, const char *folder, int depth, struct wanted *wanted,
                                 struct backup *first)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir)) && run->files < BACKUP_FILES_MAX;) {
        char path[4096];
        struct stat st;
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || n >= (int)sizeof path || lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth > 0)
            first = list_files(run, path, depth - 1, wanted, first);
        wanted->seen += S_ISREG(st.st_mode);
        if (!S_ISREG(st.st_mode) || backup_changed_ns(&st) <= wanted->since_ns)
            continue;
        struct backup *b = backup_of_file(run, path, e->d_name, &st);
        b->when = (int64_t)st.st_mtim.tv_sec;
        b->next = first;
        first = b;
        run->files++;
    }
    if (dir)
        closedir(dir);
    return first;
}

/* The repository's own path, from that of a file in it. */
static const char *above(struct backup_run *run, const char *path, int levels)
{
    size_t n = strlen(path);
    for (; levels > 0; levels--)
        while (n > 0 && path[--n] != '/') {
        }
    return belfry_print(run->p, "%.*s", (int)n, path);
}

/* ---- restic ---------------------------------------------------------------------------------------------------- */

/* A file whose name is its SHA-256. */
static void prove_named(struct backup_run *run, struct backup *b, struct backup_proof *proof)
{
    struct backup_proof one = { 0 };
    b->sum = b->name;
    proof_file(run, b, &one);
    proof->unread |= one.unread;
    if (one.unread)
        backup_find(run, &proof->bad, BELFRY_UNKNOWN, "'%.16s' %s", b->name, one.bad.text);
    else if (one.bad.text && strstr(one.bad.text, "SHA-256"))
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "'%.16s' is damaged: its content is not what its name says",
                    b->name);
}

static void prove_restic(struct backup_run *run, const struct backup *newest, struct backup_proof *proof)
{
    static const char *const folders[] = { "snapshots", "index", "data" };
    const char *repository = above(run, newest->path, 2);
    size_t proven = 0;
    proof->cipher = "restic";
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct wanted wanted = { .since_ns = newest->changed_ns - DAY_NS };
        struct backup *b = list_files(run, belfry_print(run->p, "%s/%s", repository, folders[i]), 1, &wanted, NULL);
        if (wanted.seen == 0)
            backup_find(run, &proof->bad, BELFRY_CRITICAL, "has no file in '%s'", folders[i]);
        for (; b && !proof->unread; b = b->next, proven++)
            prove_named(run, b, proof);
    }
    struct wanted keys = { 0 };
    list_files(run, belfry_print(run->p, "%s/keys", repository), 0, &keys, NULL);
    if (keys.seen == 0)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "has no key: nobody can open it");
    proof->what = belfry_print(run->p, "restic snapshot (%zu new files proven)", proven);
    proof->whole = proof->bad.state == BELFRY_OK;
}

/* ---- borg ------------------------------------------------------------------------------------------------------ */

enum {
    TAG_PUT = 0,
    TAG_DELETE = 1,
    TAG_COMMIT = 2,
    TAG_PUT2 = 3
};

static uint32_t little(const unsigned char *b)
{
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* How the first byte of an object says that it is encrypted. */
static const char *borg_cipher(int byte)
{
    return byte == 0x02 ? NULL : byte == 0x06 || byte == 0x07 ? NULL : "borg";
}

/* Walks through a segment: 0, or what is wrong. *tag: of the last entry; *byte: first of the last object, or as it was.
 */
static const char *walk_segment(struct backup_run *run, FILE *f, unsigned char *entry, int *tag, int *byte)
{
    unsigned char magic[8];
    if (fread(magic, 1, 8, f) != 8 || memcmp(magic, "BORG_SEG", 8) != 0)
        return "is no segment";
    for (size_t n; (n = fread(entry, 1, 9, f)) > 0;) {
        uint32_t size = n == 9 ? little(entry + 4) : 0;
        if (n < 9 || size < 9 || size > SEGMENT_MAX || fread(entry + 9, 1, size - 9, f) != size - 9)
            return "is cut off";
        *tag = entry[8];
        size_t covered = *tag == TAG_PUT2 && size >= 49 ? 49 : size, data = *tag == TAG_PUT2 ? 49 : 41;
        if (little(entry) != (uint32_t)crc32(0, entry + 4, (unsigned)covered - 4))
            return "is damaged: a checksum is wrong";
        if ((*tag == TAG_PUT || *tag == TAG_PUT2) && size > data)
            *byte = entry[data];
        if (!proof_pace(run, size))
            return NULL; /* prove_borg() says it */
    }
    return NULL;
}

static void prove_segment(struct backup_run *run, const struct backup *b, int *byte, int *tag,
                          struct backup_proof *proof)
{
    FILE *f = backup_open(b->path);
    unsigned char *entry = malloc(SEGMENT_MAX);
    const char *why = f && entry ? walk_segment(run, f, entry, tag, byte) : "can't be read";
    if (why)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "segment '%s' %s", b->name, why);
    free(entry);
    backup_close(f);
}

static int by_number(const void *a, const void *b)
{
    long x = strtol((*(struct backup *const *)a)->name, NULL, 10),
         y = strtol((*(struct backup *const *)b)->name, NULL, 10);
    return (x > y) - (x < y);
}

static void prove_borg(struct backup_run *run, const struct backup *newest, struct backup_proof *proof)
{
    struct wanted wanted = { .since_ns = newest->changed_ns - DAY_NS };
    struct backup *first = list_files(run, above(run, newest->path, 2), 1, &wanted, NULL);
    size_t n = 0, proven = 0;
    int byte = -1, tag = -1;
    for (struct backup *b = first; b; b = b->next)
        n++;
    struct backup **list = belfry_alloc(run->p, (n + 1) * sizeof *list);
    n = 0;
    for (struct backup *b = first; b; b = b->next)
        list[n++] = b;
    qsort(list, n, sizeof *list, by_number);
    for (size_t i = 0; i < n && belfry_left_ms(run->p) >= SPARE_MS; i++) {
        prove_segment(run, list[i], &byte, &tag, proof);
        proven++;
    }
    proof->unread = belfry_left_ms(run->p) < SPARE_MS;
    if (proof->unread)
        backup_find(run, &proof->bad, BELFRY_UNKNOWN, "could not be read in the time; raise timeout");
    if (!proof->bad.text && tag != TAG_COMMIT)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "ends without a commit: the last backup was interrupted");
    proof->cipher = byte >= 0 ? borg_cipher(byte) : NULL;
    proof->what = belfry_print(run->p, "borg repository (%zu new segments proven)", proven);
    proof->whole = proof->bad.state == BELFRY_OK;
}

/* ---- pgBackRest ------------------------------------------------------------------------------------------------ */

static char *read_info(const char *path)
{
    FILE *f = backup_open(path);
    char *text = f ? calloc(1, INFO_MAX + 1) : NULL;
    size_t n = text ? fread(text, 1, INFO_MAX, f) : 0;
    if (f)
        fclose(f);
    if (n == 0) {
        free(text);
        text = NULL;
    }
    return text;
}

/* A text member of the JSON after "LABEL=" in backup.info; the file is ours to trust no more than any other. */
static const char *member(struct backup_run *run, const char *line, const char *name)
{
    const char *end = line + strcspn(line, "\n");
    const char *at = memmem(line, (size_t)(end - line), name, strlen(name));
    if (!at)
        return NULL;
    at += strlen(name);
    at += *at == '"';
    return belfry_print(run->p, "%.*s", (int)strcspn(at, "\",}\n"), at);
}

static bool has_segment(struct backup_run *run, const char *archive, const char *segment)
{
    DIR *dir = opendir(archive);
    bool found = false;
    for (struct dirent *e; dir && !found && (e = readdir(dir));) {
        const char *folder = belfry_print(run->p, "%s/%s/%.16s", archive, e->d_name, segment);
        DIR *below = e->d_name[0] != '.' ? opendir(folder) : NULL;
        for (struct dirent *f; below && !found && (f = readdir(below));)
            found = strncmp(f->d_name, segment, strlen(segment)) == 0;
        if (below)
            closedir(below);
    }
    if (dir)
        closedir(dir);
    return found;
}

static void prove_wal(struct backup_run *run, const char *stanza, const char *line, struct backup_proof *proof)
{
    static const char *const names[] = { "\"backup-archive-start\":", "\"backup-archive-stop\":" };
    const char *repository = above(run, stanza, 2), *name = strrchr(stanza, '/') + 1;
    const char *archive = belfry_print(run->p, "%s/archive/%s", repository, name);
    for (size_t i = 0; i < 2; i++) {
        const char *segment = member(run, line, names[i]);
        if (segment && strlen(segment) == 24 && !has_segment(run, archive, segment))
            backup_find(run, &proof->bad, BELFRY_CRITICAL,
                        "WAL segment '%s' is missing, without which it can't be restored", segment);
    }
}

static void prove_pgbackrest(struct backup_run *run, const struct backup *newest, struct backup_proof *proof)
{
    const char *stanza = above(run, newest->path, 1);
    char *info = read_info(belfry_print(run->p, "%s/backup.info", stanza));
    const char *label = belfry_print(run->p, "\n%s={", newest->name), *line = info ? strstr(info, label) : NULL;
    const char *error = line ? member(run, line + 1, "\"backup-error\":") : NULL;
    proof->what = "pgBackRest backup";
    proof->data = "/var/lib/postgresql";
    if (info && strncmp(info, "Salted__", 8) == 0)
        proof->cipher = "pgBackRest";
    if (access(belfry_print(run->p, "%s/backup.manifest", newest->path), F_OK) != 0)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "never ended: it has no backup.manifest");
    else if (!info)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "has no backup.info above it");
    else if (!line && !proof->cipher)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "is not in backup.info");
    if (error && strncmp(error, "true", 4) == 0)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "was made with errors (page checksums)");
    if (line)
        prove_wal(run, stanza, line + 1, proof);
    if (!proof->bad.text)
        proof->what = line ? "pgBackRest backup that ended and has its WAL" : "pgBackRest backup that ended";
    free(info);
}

/* ---- what there is --------------------------------------------------------------------------------------------- */

static void look_stanza(struct backup_run *run, const char *part, const char *folder)
{
    struct backup *first = NULL;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        bool whole_day = true;
        const char *path = belfry_print(run->p, "%s/%s", folder, e->d_name), *last = strrchr(e->d_name, '_');
        int64_t when = name_date(run->zone, last ? last + 1 : e->d_name, &whole_day);
        if (when == 0 || whole_day || lstat(path, &st) != 0 || !S_ISDIR(st.st_mode))
            continue;
        struct backup *b = backup_of_file(run, path, e->d_name, &st);
        b->kind = BACKUP_PGBACKREST;
        b->when = when;
        b->next = first;
        first = b;
    }
    if (dir)
        closedir(dir);
    if (first)
        backup_judge(run, part, first);
    else
        backup_refuse(run, part, BELFRY_CRITICAL, "no backup in '%s'", folder);
}

static void look_pgbackrest(struct backup_run *run, const char *source, const char *place)
{
    const char *all = belfry_print(run->p, "%s/backup", place);
    DIR *dir = opendir(all);
    size_t n = 0;
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.') {
            look_stanza(run, belfry_print(run->p, "%s/%s", source, e->d_name),
                        belfry_print(run->p, "%s/%s", all, e->d_name));
            n++;
        }
    if (dir)
        closedir(dir);
    if (n == 0)
        backup_refuse(run, source, BELFRY_CRITICAL, "no stanza in '%s'", all);
}

/* Of borg only the newest segment stands for the repository. */
static struct backup *newest_only(struct backup *first)
{
    struct backup *newest = first;
    for (struct backup *b = first; b; b = b->next)
        newest = b->when > newest->when ? b : newest;
    if (newest)
        newest->next = NULL;
    return newest;
}

bool repo_look(struct backup_run *run, const char *source, const char *place, const char *name, enum backup_kind kind)
{
    if (kind != BACKUP_RESTIC && kind != BACKUP_BORG && kind != BACKUP_PGBACKREST)
        return false;
    if (name)
        source = belfry_print(run->p, "%s/%s", source, name);
    if (kind == BACKUP_PGBACKREST) {
        look_pgbackrest(run, source, place);
        return true;
    }
    const char *folder = belfry_print(run->p, "%s/%s", place, kind == BACKUP_RESTIC ? "snapshots" : "data");
    struct wanted all = { 0 };
    struct backup *first = list_files(run, folder, 1, &all, NULL);
    if (kind == BACKUP_BORG)
        first = newest_only(first);
    for (struct backup *b = first; b; b = b->next) {
        b->kind = kind;
        b->mode &= kind == BACKUP_RESTIC ? 07770u : 07777u; /* its packs are encrypted in any case */
    }
    if (first)
        backup_judge(run, source, first);
    else
        backup_refuse(run, source, BELFRY_CRITICAL, "no backup in the repository '%s'", place);
    return true;
}

void repo_prove(struct backup_run *run, const struct backup *newest, struct backup_proof *proof)
{
    if (newest->kind == BACKUP_RESTIC)
        prove_restic(run, newest, proof);
    else if (newest->kind == BACKUP_BORG)
        prove_borg(run, newest, proof);
    else
        prove_pgbackrest(run, newest, proof);
}
