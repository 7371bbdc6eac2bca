/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree - backups that are folders.
 *
 *     mariabackup   xtrabackup_checkpoints (mariadb_backup_checkpoints from 11.1 on) with the kind of backup and its
 * log positions; xtrabackup_info is written last, so without it the backup never ended pg_dump -Fd   toc.dat names the
 * files of data, each of which may be packed Redis AOF     a manifest names the base and the increments in their order:
 * all must be there, the base whole by its checksum, and the last increment cut nowhere binary logs   numbered without
 * a gap, each with the magic of one */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/backup-restore/backup.h"
#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define SMALL_MAX ((size_t)256 * 1024)
#define NUMBERS_MAX 100000
#define PACE_BYTES (256 * 1024)
#define TOC_MAX ((size_t)64 * 1024 * 1024)

/* The text of a small file; NULL when it can't be read. */
static char *read_small(struct backup_run *run, const char *folder, const char *name)
{
    int fd = open(belfry_print(run->p, "%s/%s", folder, name), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char *text = NULL;
    size_t n = 0;
    ssize_t got = 1;
    if (fd < 0)
        return NULL;
    text = belfry_alloc(run->p, SMALL_MAX + 1);
    while (n < SMALL_MAX && (got = read(fd, text + n, SMALL_MAX - n)) > 0)
        n += (size_t)got;
    close(fd);
    return got < 0 ? NULL : text;
}

/* "name = value" of a line. */
static const char *value_of(struct backup_run *run, const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (strncmp(line, name, n) == 0 && strncmp(line + n, " = ", 3) == 0)
            return belfry_print(run->p, "%.*s", (int)strcspn(line + n + 3, "\n"), line + n + 3);
    return NULL;
}

static bool has_file(struct backup_run *run, const char *folder, const char *name)
{
    return access(belfry_print(run->p, "%s/%s", folder, name), F_OK) == 0;
}

/* Proves a file of the tree, and says whose trouble it is. */
static bool prove_file(struct backup_run *run, const char *folder, const char *name, struct backup_proof *proof)
{
    struct backup_proof one = { .piece = true };
    struct backup *b = backup_new(run, belfry_print(run->p, "%s/%s", folder, name), name);
    proof_file(run, b, &one);
    proof->unread |= one.unread;
    if (one.bad.text)
        backup_find(run, &proof->bad, one.bad.state, "'%s' %s", name, one.bad.text);
    if (one.cipher)
        proof->cipher = one.cipher;
    if (one.made > 0)
        proof->made = one.made;
    return one.whole;
}

/* ---- mariabackup ----------------------------------------------------------------------------------------------- */

static void prove_mariabackup(struct backup_run *run, const char *folder, struct backup_proof *proof)
{
    const char *points = read_small(run, folder, "xtrabackup_checkpoints");
    const char *info = read_small(run, folder, "xtrabackup_info");
    points = points ? points : read_small(run, folder, "mariadb_backup_checkpoints");
    info = info ? info : read_small(run, folder, "mariadb_backup_info");
    proof->what = "mariabackup folder";
    proof->data = "/var/lib/mysql";
    const char *type = points ? value_of(run, points, "backup_type") : NULL;
    const char *ended = info ? value_of(run, info, "end_time") : NULL;
    const char *to = points ? value_of(run, points, "to_lsn") : NULL;
    const char *last = points ? value_of(run, points, "last_lsn") : NULL;
    if (!points || !info)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "never ended: it has no '%s'",
                    points ? "xtrabackup_info" : "xtrabackup_checkpoints");
    else if (!type || !to || !last || strtoull(last, NULL, 10) < strtoull(to, NULL, 10))
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "is not whole: its log ends before the position it needs");
    else if (!has_file(run, folder, "ibdata1") && !has_file(run, folder, "ibdata1.delta"))
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "has no 'ibdata1'");
    if (ended && strlen(ended) >= 19) {
        int64_t made = zone_time(run->zone, ended);
        proof->made = made > 0 ? made : 0;
    }
    if (type)
        proof->what = belfry_print(run->p, "mariabackup (%s)%s", type, info ? " that ended" : "");
}

/* ---- pg_dump -Fd ----------------------------------------------------------------------------------------------- */

struct text {
    char *bytes;
    size_t size;
};

/* The file of data as toc.dat names it, packed or not. */
static const char *data_file(struct backup_run *run, const char *folder, const char *name)
{
    static const char *const ends[] = { "", ".gz", ".lz4", ".zst" };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const char *packed = belfry_print(run->p, "%s%s", name, ends[i]);
        if (has_file(run, folder, packed))
            return packed;
    }
    return NULL;
}

/* Names of files in the contents: digits and ".dat", after a byte that is no digit. How many there were. */
static size_t prove_named(struct backup_run *run, const char *folder, const struct text *toc,
                          struct backup_proof *proof)
{
    const char *end = toc->bytes + toc->size;
    size_t files = 0;
    for (const char *at = toc->bytes; !proof->unread && (at = memmem(at, (size_t)(end - at), ".dat", 4)); at += 4) {
        const char *begin = at;
        while (begin > toc->bytes && isdigit((unsigned char)begin[-1]))
            begin--;
        if (begin == at)
            continue;
        const char *name = belfry_print(run->p, "%.*s.dat", (int)(at - begin), begin);
        const char *file = data_file(run, folder, name);
        files++;
        if (file)
            prove_file(run, folder, file, proof);
        else
            backup_find(run, &proof->bad, BELFRY_CRITICAL, "'%s' is missing", name);
    }
    return files;
}

static void prove_pgdir(struct backup_run *run, const char *folder, struct backup_proof *proof)
{
    struct text toc = { .bytes = malloc(TOC_MAX) };
    FILE *f = backup_open(belfry_print(run->p, "%s/toc.dat", folder));
    toc.size = f && toc.bytes ? fread(toc.bytes, 1, TOC_MAX, f) : 0;
    backup_close(f);
    prove_file(run, folder, "toc.dat", proof);
    proof->what = "PostgreSQL folder";
    proof->data = "/var/lib/postgresql";
    if (toc.size == TOC_MAX)
        backup_find(run, &proof->bad, BELFRY_UNKNOWN, "'toc.dat' is too large to be looked through");
    else if (prove_named(run, folder, &toc, proof) == 0 && !proof->unread)
        backup_find_empty(run, proof, "table with data");
    proof->whole = proof->bad.state == BELFRY_OK;
    free(toc.bytes);
}

/* ---- Redis AOF ------------------------------------------------------------------------------------------------- */

/* Reads "*3\r\n$3\r\nSET\r\n..." to its end, or until the time is up; also "#TS:..." lines. False when it stops
 * within a command. */
static bool increment_whole(struct backup_run *run, FILE *f, bool *late)
{
    char line[64];
    for (int64_t paced = 0, at; !*late && fgets(line, sizeof line, f);) {
        if ((at = (int64_t)ftello(f)) - paced >= PACE_BYTES) {
            *late = !proof_pace(run, at - paced);
            paced = at;
        }
        if (line[0] == '#')
            continue;
        long words = line[0] == '*' ? strtol(line + 1, NULL, 10) : -1;
        if (words < 1 || words > 1024 * 1024 || !strstr(line, "\r\n"))
            return false;
        for (long i = 0; i < words; i++) {
            long size = fgets(line, sizeof line, f) && line[0] == '$' ? strtol(line + 1, NULL, 10) : -1;
            if (size < 0 || fseeko(f, size, SEEK_CUR) != 0 || getc(f) != '\r' || getc(f) != '\n')
                return false;
        }
    }
    return true;
}

static void prove_increment(struct backup_run *run, const char *folder, const char *name, struct backup_proof *proof)
{
    FILE *f = backup_open(belfry_print(run->p, "%s/%s", folder, name));
    bool late = false;
    int first = f ? getc(f) : EOF;
    if (f)
        rewind(f);
    else
        backup_find(run, &proof->bad, BELFRY_UNKNOWN, "'%s' can't be read", name);
    if (first == 'R' &&
        f) /* a base in the old format may begin with an RDB, followed by commands: only its head is known */
        proof->whole = false;
    else if (f && !increment_whole(run, f, &late))
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "'%s' is cut off or damaged", name);
    if (late)
        backup_find(run, &proof->bad, BELFRY_UNKNOWN, "'%s' could not be read to its end in the time; raise timeout",
                    name);
    proof->unread |= late;
    backup_close(f);
}

/* One line: "file appendonly.aof.1.base.rdb seq 1 type b". */
static void prove_line(struct backup_run *run, const char *folder, const char *line, long *sequence,
                       struct backup_proof *proof)
{
    char name[256], type;
    long number;
    if (sscanf(line, "file %255s seq %ld type %c", name, &number, &type) != 3 || strchr(name, '/')) {
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "has a manifest that can't be read");
        return;
    }
    if (type == 'h')
        return; /* history: to be deleted */
    if (type == 'i' && *sequence > 0 && number != *sequence + 1)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "has no increment %ld", *sequence + 1);
    if (type == 'i')
        *sequence = number;
    size_t length = strlen(name);
    if (!has_file(run, folder, name))
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "'%s' is missing, which its manifest names", name);
    else if (length > 4 && strcmp(name + length - 4, ".rdb") == 0)
        prove_file(run, folder, name, proof);
    else
        prove_increment(run, folder, name, proof);
}

static const char *find_one(struct backup_run *run, const char *folder, const char *pattern)
{
    DIR *dir = opendir(folder);
    const char *found = NULL;
    for (struct dirent *e; dir && !found && (e = readdir(dir));)
        if (fnmatch(pattern, e->d_name, 0) == 0)
            found = belfry_print(run->p, "%s", e->d_name);
    if (dir)
        closedir(dir);
    return found;
}

static void prove_aof(struct backup_run *run, const char *folder, struct backup_proof *proof)
{
    const char *name = find_one(run, folder, "*.manifest"), *text = name ? read_small(run, folder, name) : NULL;
    struct backup_findings none = proof->bad;
    long sequence = 0;
    proof->what = "Redis AOF";
    proof->data = "/var/lib/redis";
    proof->whole = true;
    if (!text || !*text)
        backup_find(run, &proof->bad, BELFRY_CRITICAL, "has no manifest that can be read");
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        prove_line(run, folder, belfry_print(run->p, "%.*s", (int)strcspn(line, "\n"), line), &sequence, proof);
    proof->made = 0; /* that of the base; the increments go on */
    proof->whole = proof->whole && proof->bad.state == none.state;
}

/* ---- binary logs ----------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static bool is_binlog(const char *path)
{
    unsigned char magic[4] = { 0 };
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool is = fd >= 0 && read(fd, magic, 4) == 4 && (memcmp(magic, "\xfe\x62in", 4) == 0 || magic[0] == 0xfd);
    if (fd >= 0)
        close(fd);
    return is;
}

static size_t list_numbers(struct backup_run *run, const char *folder, long *numbers, struct backup_proof *proof)
{
    DIR *dir = opendir(folder);
    size_t n = 0;
    for (struct dirent *e; dir && n < NUMBERS_MAX && (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || !isdigit((unsigned char)dot[1]))
            continue;
        numbers[n++] = strtol(dot + 1, NULL, 10);
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (!is_binlog(path))
            backup_find(run, &proof->bad, BELFRY_CRITICAL, "'%s' is no binary log", e->d_name);
    }
    if (dir)
        closedir(dir);
    return n;
}

static void prove_binlogs(struct backup_run *run, const char *folder, struct backup_proof *proof)
{
    long *numbers = belfry_alloc(run->p, NUMBERS_MAX * sizeof *numbers);
    size_t n = list_numbers(run, folder, numbers, proof);
    proof->what = belfry_print(run->p, "%zu binary logs", n);
    proof->data = "/var/lib/mysql";
    qsort(numbers, n, sizeof *numbers, by_number);
    for (size_t i = 1; i < n; i++)
        if (numbers[i] > numbers[i - 1] + 1) {
            backup_find(run, &proof->bad, BELFRY_CRITICAL, "has no log %06ld: nothing after it can be restored",
                        numbers[i - 1] + 1);
            break;
        }
}

void tree_prove(struct backup_run *run, const struct backup *tree, struct backup_proof *proof)
{
    static const struct {
        enum backup_kind kind;
        void (*prove)(struct backup_run *run, const char *folder, struct backup_proof *proof);
    } kinds[] = {
        { BACKUP_MARIABACKUP, prove_mariabackup },
        { BACKUP_PGDUMP_DIR, prove_pgdir },
        { BACKUP_AOF, prove_aof },
        { BACKUP_BINLOGS, prove_binlogs },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == tree->kind)
            kinds[i].prove(run, tree->path, proof);
}
