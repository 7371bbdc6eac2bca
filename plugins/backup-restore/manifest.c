/* SPDX-License-Identifier: GPL-3.0-or-later */
/* manifest - the checksum that somebody wrote beside a backup: FILE.sha256, or the folder's SHA256SUMS, as sha256sum
 * writes them ("HEX  NAME", "HEX *NAME", "SHA256 (NAME) = HEX"). Bounded: 1 MiB is read. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/backup-restore/backup.h"
#include "plugins/common/say.h"

#define MANIFEST_MAX ((size_t)1024 * 1024)
#define HEX 64

static char *read_text(const char *path, int *error)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    *error = fd < 0 ? errno : 0;
    if (fd < 0)
        return NULL;
    char *text = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? calloc(1, MANIFEST_MAX + 1) : NULL;
    size_t n = 0;
    ssize_t got = 1;
    while (text && n < MANIFEST_MAX && (got = read(fd, text + n, MANIFEST_MAX - n)) > 0)
        n += (size_t)got;
    if (!text || got < 0)
        *error = EIO;
    close(fd);
    return text;
}

static bool is_hex(const char *text)
{
    size_t n = strspn(text, "0123456789abcdefABCDEF");
    return n == HEX;
}

/* The name of a line is the backup's: as it is, or with folders before it. */
static bool names(const char *word, size_t length, const char *name)
{
    size_t n = strlen(name);
    return length >= n && memcmp(word + length - n, name, n) == 0 && (length == n || word[length - n - 1] == '/');
}

/* The sum of a line when it is the backup's; alone: a line without a name counts, too. */
static const char *sum_of(const char *line, size_t length, const char *name, bool alone)
{
    static const char bsd[] = "SHA256 (";
    if (is_hex(line)) {
        const char *word = line + HEX;
        while (word < line + length && (*word == ' ' || *word == '*' || *word == '\t'))
            word++;
        size_t rest = (size_t)(line + length - word);
        return (rest == 0 && alone) || names(word, rest, name) ? line : NULL;
    }
    if (length <= sizeof bsd + HEX + 4 || strncmp(line, bsd, sizeof bsd - 1) != 0)
        return NULL;
    const char *sum = line + length - HEX;
    size_t word = length - HEX - 4 - (sizeof bsd - 1);
    return is_hex(sum) && names(line + sizeof bsd - 1, word, name) ? sum : NULL;
}

static const char *look_up(struct backup_run *run, const char *text, const char *name, bool alone)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n"), bare = length;
        while (bare > 0 && (line[bare - 1] == '\r' || line[bare - 1] == ' '))
            bare--;
        const char *sum = sum_of(line, bare, name, alone);
        if (sum) {
            char *own = say_copy(run->p, sum, HEX);
            for (char *c = own; *c; c++)
                *c = (char)tolower((unsigned char)*c);
            return own;
        }
        line += length + (line[length] == '\n');
    }
    return NULL;
}

const char *manifest_sum(struct backup_run *run, const struct backup *file, struct backup_findings *found)
{
    const char *base = strrchr(file->path, '/'), *sum = NULL;
    base = base ? base + 1 : file->path;
    int folder = (int)(base - file->path);
    const char *const at[] = { belfry_print(run->p, "%s.sha256", file->path),
                               belfry_print(run->p, "%.*sSHA256SUMS", folder, file->path) };
    for (size_t i = 0; i < 2 && !sum; i++) {
        int error;
        char *text = read_text(at[i], &error);
        sum = text ? look_up(run, text, base, i == 0) : NULL;
        if (text && !sum && i == 0)
            backup_find(run, found, BELFRY_CRITICAL, "'%s' has no checksum of it", at[i]);
        else if (error != 0 && error != ENOENT)
            backup_find(run, found, BELFRY_UNKNOWN, "'%s' can't be read: %s", at[i], say_error(run->p, error));
        free(text);
    }
    return sum;
}
