/* SPDX-License-Identifier: GPL-3.0-or-later */
/* source - which backup is drilled: a file, a folder that is a backup or a repository, or one of the files of a folder
 * or pattern: the newest, a random one, or one that is named. It is opened for reading and stays open: what is restored
 * is what was looked at. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/drill/format.h"

static bool has_end(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

struct candidate {
    const char *path;
    int64_t wall_ms;
};

#define SERIES_MAX 16

struct choice {
    struct candidate best;
    unsigned count, series_count;
    const char *series[SERIES_MAX];
};

static int64_t written(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

/* The newest; or each with the same chance; or the one of that name. A file from the future is not the newest. */
bool source_wants(const struct run *run, unsigned count, const int64_t *best_ms, int64_t wall_ms, const char *name,
                  const char *other)
{
    const char *pick = run_wanted(run);
    uint32_t dice;
    if (run_wants_random(run)) {
        digest_random(&dice, sizeof dice);
        return dice % count == 0;
    }
    if (strcmp(pick, "newest") != 0)
        return strcmp(pick, name) == 0 || strcmp(pick, other) == 0;
    int64_t latest_ms = clock_wall_ms() + INT64_C(86400000);
    bool ahead = wall_ms > latest_ms, best_ahead = best_ms && *best_ms > latest_ms;
    return !best_ms || (ahead == best_ahead ? wall_ms > *best_ms : best_ahead);
}

/* What the drill compares its tables with: of "shop.sql.gz.counts" beside "shop.sql.gz" the drill names the ending. */
static bool is_compared_with(const struct run *run, const char *name)
{
    for (uint32_t i = 0; i < run->config->assertion_count; i++) {
        const struct drill_assertion *a = &run->config->assertions[i];
        const char *end = a->counts ? a->counts : a->checksums;
        if (end && end[0] != '/' && has_end(name, end))
            return true;
    }
    return false;
}

bool source_is_beside(const struct run *run, const char *name)
{
    static const char *const ends[] = { ".sha256", ".sha512",    ".sha1", ".md5",     ".sig",  ".asc.sig",
                                        ".log",    ".tmp",       ".part", ".partial", ".lock", ".pid",
                                        ".json",   ".conf",      ".cnf",  ".txt",     ".md",   ".sh",
                                        ".counts", ".checksums", "SUMS",  "~" };
    if (strcmp(run_wanted(run), name) == 0)
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (has_end(name, ends[i]))
            return true;
    return name[0] == '.' || strcmp(name, "lost+found") == 0 || is_compared_with(run, name);
}

/* How many characters of it are a date, a time or a number. */
static size_t count_stamp(const char *name, const char *at)
{
    size_t length = strspn(at, "0123456789");
    if (length > 0 && length < 4 && at > name && isalpha((unsigned char)at[-1])) /* bz2, db1 */
        return 0;
    while (length > 0 && at[length] && strchr("-_.:T", at[length]) && isdigit((unsigned char)at[length + 1]))
        length += 1 + strspn(at + length + 1, "0123456789");
    return length;
}

/* "shop-2026-11-21.sql.gz" is one of "shop-*.sql.gz". */
static const char *name_series(struct run *run, const char *name)
{
    char *series = arena_text(&run->arena, name), *to = series;
    for (const char *at = name; *at;) {
        size_t stamp = count_stamp(name, at);
        *to++ = stamp > 0 ? '*' : *at;
        at += stamp > 0 ? stamp : 1;
    }
    *to = '\0';
    return series;
}

static void note_series(struct run *run, struct choice *choice, const char *name)
{
    const char *series = name_series(run, name);
    for (unsigned i = 0; i < choice->series_count; i++)
        if (strcmp(choice->series[i], series) == 0)
            return;
    if (choice->series_count < SERIES_MAX)
        choice->series[choice->series_count++] = series;
}

/* A drill restores one backup. That others lie beside it, of something else, is not to be overlooked. */
static void tell_others(struct run *run, const struct choice *choice)
{
    const char *taken = name_series(run, strrchr(choice->best.path, '/') + 1);
    char *others = run->outcome->others;
    for (unsigned i = 0; i < choice->series_count; i++) {
        size_t length = strlen(others);
        if (strcmp(choice->series[i], taken) != 0)
            snprintf(others + length, sizeof run->outcome->others - length, "%s%s", length ? ", " : "",
                     choice->series[i]);
    }
}

static void consider(struct run *run, struct choice *choice, const char *path)
{
    struct stat st;
    const char *name = strrchr(path, '/') + 1;
    if (stat(path, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) || source_is_beside(run, name))
        return;
    struct candidate one = { arena_text(&run->arena, path), written(&st) };
    choice->count++;
    note_series(run, choice, name);
    if (source_wants(run, choice->count, choice->best.path ? &choice->best.wall_ms : NULL, one.wall_ms, name, path))
        choice->best = one;
}

static void consider_folder(struct run *run, struct choice *choice, const char *folder)
{
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    while (dir && (entry = readdir(dir)) != NULL)
        consider(run, choice, file_join(&run->arena, folder, entry->d_name));
    if (dir)
        closedir(dir);
}

static void consider_pattern(struct run *run, struct choice *choice, const char *pattern)
{
    glob_t found = { 0 };
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            consider(run, choice, found.gl_pathv[i]);
    globfree(&found);
}

/* Whether the folder itself is the backup. */
static bool is_backup(const struct run *run, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct backup_kind *named = kind_find(run->config->kind);
    bool is = fd >= 0 && (kind_of_folder(fd) || (named && named->folder_files[0]));
    if (fd >= 0)
        close(fd);
    return is;
}

/* It is there, and its name alone doesn't help: who may see it? */
static int refuse(struct run *run, const char *path, int code)
{
    return run_fail(run, PHASE_FETCH, "'%s' can't be read: %s%s", path, strerror(code),
                    code == EACCES ? "; the user that belfryd runs as needs to: setfacl -R -m u:USER:rX FOLDER" : "");
}

/* Why nothing was found: the folder that the pattern begins with may be missing, or not be ours to read. */
static int find_no_backup(struct run *run, const char *source)
{
    char *folder = arena_text(&run->arena, source);
    folder[strcspn(folder, "*?[")] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash && strcmp(folder, source) != 0)
        slash[slash == folder] = '\0';
    int fd = open(folder, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (code == ENOENT && strcmp(folder, source) != 0)
        return run_fail(run, PHASE_FETCH, "there is no backup at '%s': there is no folder '%s'", source, folder);
    if (code != 0 && code != ENOENT)
        return refuse(run, folder, code);
    return run_fail(run, PHASE_FETCH, "there is no backup at '%s'", source);
}

static int choose(struct run *run, const char **path)
{
    const char *source = run->config->source;
    struct choice choice = { .count = 0 };
    struct stat st;
    *path = source;
    if (run->config->network && source[0] != '/')
        return 0;
    if (stat(source, &st) == 0) {
        if (!S_ISDIR(st.st_mode) || is_backup(run, source))
            return 0;
        consider_folder(run, &choice, source);
    } else {
        consider_pattern(run, &choice, source);
    }
    *path = choice.best.path;
    if (choice.best.path) {
        tell_others(run, &choice);
        return 0;
    }
    if (choice.count == 0)
        return find_no_backup(run, source);
    return run_fail(run, PHASE_FETCH, "none of the %u backups at '%s' is called '%s'", choice.count, source,
                    run_wanted(run));
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int open_backup(struct run *run, const char *path)
{
    struct source *source = &run->source;
    struct outcome *outcome = run->outcome;
    struct stat st;
    source->fd = -1;
    text_copy(source->path, sizeof source->path, path);
    text_copy(outcome->backup, sizeof outcome->backup, path);
    if (path[0] != '/') { /* a repository elsewhere */
        source->folder = true;
        return 0;
    }
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (source->fd < 0 || fstat(source->fd, &st) != 0)
        return refuse(run, path, errno);
    source->folder = S_ISDIR(st.st_mode);
    if (!source->folder && !S_ISREG(st.st_mode))
        return run_fail(run, PHASE_FETCH, "'%s' is no regular file", path);
    source->bytes = source->folder ? 0 : st.st_size;
    outcome->backup_bytes = source->bytes;
    outcome->backup_wall_ms = written(&st);
    atomic_store(&outcome->bytes_total, source->bytes);
    if (!source->folder && st.st_size == 0)
        return run_fail(run, PHASE_FETCH, "'%s' is empty", path);
    return 0;
}

int source_find(struct run *run)
{
    const char *path = NULL;
    const char *named = run_wanted(run);
    if (drill_is_remote(run->config))
        return remote_find(run);
    if (choose(run, &path) != 0 || open_backup(run, path) != 0)
        return -1;
    if (strcmp(named, "newest") != 0 && !run_wants_random(run))
        run->source.part = named;
    return 0;
}

ssize_t source_read(struct run *run, void *bytes, size_t n, bool keep)
{
    return run->source.remote ? remote_read(run, bytes, n, keep) : read(run->source.fd, bytes, n);
}

int source_rewind(struct run *run)
{
    if (run->source.remote)
        return remote_rewind(run);
    if (lseek(run->source.fd, 0, SEEK_SET) != 0)
        return run_fail(run, PHASE_FETCH, "'%s' can't be read again: %s", run->source.path, strerror(errno));
    return 0;
}
