/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snapshot - a state of the fold over the journal, so that a start need not read all of it. It is only a convenience:
 * whatever is wrong with the file, the reader says that it is damaged and the caller folds from the beginning.
 *
 * The file is one line: {"seq":N,"hash":"H","snapshot":JSON} and a newline. N is the number of the last record that
 * JSON reflects; H is the SHA-256, 64 hex digits, of N's digits, a newline and JSON, so that neither can change alone.
 *
 * It is written to PATH.new, synced, renamed, and the folder is synced. */
#include "core/journal/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/journal/journal.h"

#define SNAPSHOT_MAX (256u << 20)
#define HASH_BEGIN ",\"hash\":\""
#define JSON_BEGIN "\",\"snapshot\":"
#define JSON_END "}\n"

static void hash_state(uint64_t seq, const char *json, size_t length, char hex[DIGEST_HEX_SIZE])
{
    unsigned char digest[DIGEST_SIZE];
    struct buf bytes = { .max_bytes = SNAPSHOT_MAX + 64 };
    buf_print(&bytes, "%llu\n", (unsigned long long)seq);
    buf_add(&bytes, json, length);
    digest_sha256(bytes.data, bytes.length, digest);
    digest_hex(digest, hex);
    buf_close(&bytes);
}

static int write_file(const struct journal_disk *disk, int folder, const char *name, const struct buf *bytes)
{
    int fd = disk->open(disk->self, folder, name, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return fd;
    int code = disk_write_all(disk, fd, bytes->data, bytes->length);
    if (code == 0)
        code = disk->sync(disk->self, fd);
    close(fd);
    return code;
}

static int replace(const struct journal_disk *disk, int folder, const char *name, const struct buf *bytes)
{
    char fresh[NAME_MAX + 1];
    if (snprintf(fresh, sizeof fresh, "%s.new", name) >= (int)sizeof fresh)
        return -ENAMETOOLONG;
    int code = write_file(disk, folder, fresh, bytes);
    if (code == 0)
        code = disk->rename(disk->self, folder, fresh, name);
    if (code < 0) {
        disk->remove(disk->self, folder, fresh);
        return code;
    }
    return disk->sync_folder(disk->self, folder);
}

int snapshot_write(const struct journal_disk *disk, const char *path, uint64_t seq, const struct buf *json)
{
    char hash[DIGEST_HEX_SIZE], folder_path[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (json->overflowed || json->length > SNAPSHOT_MAX)
        return ERROR_LIMIT;
    if (slash != NULL && (size_t)(slash - path) + 2 > sizeof folder_path)
        return -ENAMETOOLONG;
    snprintf(folder_path, sizeof folder_path, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;

    struct buf bytes = { .max_bytes = SNAPSHOT_MAX + 256 };
    hash_state(seq, json->data, json->length, hash);
    buf_print(&bytes, "{\"seq\":%llu" HASH_BEGIN "%s" JSON_BEGIN, (unsigned long long)seq, hash);
    buf_add(&bytes, json->data, json->length);
    buf_text(&bytes, JSON_END);
    int code = replace(disk, folder, slash != NULL ? slash + 1 : path, &bytes);
    buf_close(&bytes);
    close(folder);
    return code;
}

/* Moves *at behind text when it is there. */
static bool skip(char **at, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool take_seq(char **at, uint64_t *seq)
{
    char digits[20];
    size_t n = strspn(*at, "0123456789");
    int64_t value;
    if (n >= sizeof digits)
        return false;
    memcpy(digits, *at, n);
    digits[n] = '\0';
    if (text_integer(digits, &value) < 0)
        return false;
    *at += n;
    *seq = (uint64_t)value;
    return true;
}

/* Takes the line apart in place; the file's text is NUL-terminated. */
static int take_apart(char *text, size_t size, uint64_t *seq, char **json, size_t *length)
{
    char *at = text;
    if (!skip(&at, "{\"seq\":") || !take_seq(&at, seq) || !skip(&at, HASH_BEGIN))
        return ERROR_DAMAGED;
    const char *hash = at;
    if (strnlen(at, DIGEST_HEX_SIZE) < DIGEST_HEX_SIZE)
        return ERROR_DAMAGED;
    at += DIGEST_HEX_SIZE - 1;
    char *end = text + size - strlen(JSON_END);
    if (!skip(&at, JSON_BEGIN) || at > end || strcmp(end, JSON_END) != 0)
        return ERROR_DAMAGED;
    char want[DIGEST_HEX_SIZE];
    hash_state(*seq, at, (size_t)(end - at), want);
    if (memcmp(want, hash, DIGEST_HEX_SIZE - 1) != 0)
        return ERROR_DAMAGED;
    *end = '\0';
    *json = at;
    *length = (size_t)(end - at);
    return 0;
}

int journal_snapshot_read(struct arena *arena, const char *path, uint64_t *seq, char **json, size_t *length)
{
    char *text;
    size_t size;
    int code = file_read(arena, path, SNAPSHOT_MAX + 256, &text, &size);
    if (code == -ENOENT)
        return code;
    return code < 0 ? ERROR_DAMAGED : take_apart(text, size, seq, json, length);
}
