/* SPDX-License-Identifier: GPL-3.0-or-later */
/* journal - what the journal's unit tests share: a folder of their own, whole files, lines whose hash is made to hold
 * again, verifying, and waiting for durability. */
#ifndef TESTS_JOURNAL_H
#define TESTS_JOURNAL_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/digest.h"
#include "core/journal/journal.h"
#include "core/journal/record.h"

#define FIRST_SEGMENT "00000000000000000001.jsonl"
#define T0 INT64_C(1795257067123) /* 2026-11-21T10:31:07.123Z */

static char folder[256];
static struct why why;

static inline void die(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(99);
}

static inline char *path_of(const char *name)
{
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%.200s", folder, name);
    return path;
}

static inline int open_folder(void)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        die(folder);
    return fd;
}

static inline void empty_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && unlink(path_of(entry->d_name)) < 0)
            die(entry->d_name);
    if (dir != NULL)
        closedir(dir);
}

/* Memory when there is some: these tests do not need a real disk. */
static inline void make_folder(void)
{
    const char *temp = getenv("TMPDIR");
    if (temp == NULL)
        temp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/belfry-journal-XXXXXX", temp);
    if (mkdtemp(folder) == NULL)
        die("mkdtemp");
}

static inline void remove_folder(void)
{
    empty_folder();
    rmdir(folder);
}

/* The whole file; NUL-terminated, to be freed. */
static inline char *read_whole(const char *name, size_t *length)
{
    int fd = open(path_of(name), O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        die(name);
    char *bytes = malloc((size_t)st.st_size + 1);
    ssize_t n = read(fd, bytes, (size_t)st.st_size);
    if (n < 0)
        die(name);
    bytes[n] = '\0';
    *length = (size_t)n;
    close(fd);
    return bytes;
}

static inline void write_whole(const char *name, const char *bytes, size_t length)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, bytes, length) != (ssize_t)length)
        die(name);
    close(fd);
}

static inline void append_bytes(const char *name, const char *bytes, size_t length)
{
    int fd = open(path_of(name), O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, bytes, length) != (ssize_t)length)
        die(name);
    close(fd);
}

static inline bool file_exists(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

/* Where line n (from 1) begins; n one too many gives the end. */
static inline size_t line_offset(const char *bytes, size_t n)
{
    const char *at = bytes;
    while (--n > 0)
        at = strchr(at, '\n') + 1;
    return (size_t)(at - bytes);
}

/* What stands behind the record's members: its hash. */
static inline char *tail_of(char *line)
{
    return line + strlen(line) - RECORD_TAIL_SIZE;
}

/* Makes the line's own hash hold again. */
static inline void hash_again(char *line)
{
    unsigned char digest[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    digest_sha256(line, (size_t)(tail_of(line) - line), digest);
    memcpy(tail_of(line) + 9, digest_hex(digest, hex), 64);
}

/* What verify says of the folder; proof may be NULL. */
static inline struct journal_report verify_with(const struct journal_proof *proof)
{
    struct journal_report report;
    if (journal_verify(folder, proof, &report, &why) != 0)
        die(why.text);
    return report;
}

/* The folder's journal, which must open; recovery may be NULL. */
static inline struct journal *open_with(struct journal_options options, struct journal_recovery *recovery)
{
    struct journal_recovery own;
    struct journal *journal;
    options.folder = folder;
    if (journal_open(&options, 0, NULL, NULL, &journal, recovery ? recovery : &own, &why) != 0)
        die(why.text);
    return journal;
}

/* Until seq is durable: 0, the journal's error, what it has stalled for in some milliseconds, or -ETIMEDOUT after ten
 * seconds. */
static inline int wait_durable(struct journal *journal, uint64_t seq)
{
    int stalled = 0;
    for (int i = 0; i < 1000 && stalled < 8; i++) {
        uint64_t count;
        struct pollfd fd = { journal_event_fd(journal), POLLIN, 0 };
        if (journal_durable(journal) >= seq)
            return 0;
        if (journal_error(journal) != 0)
            return journal_error(journal);
        stalled = journal_stalled(journal) != 0 ? stalled + 1 : 0;
        if (poll(&fd, 1, stalled ? 2 : 10) > 0 && read(fd.fd, &count, sizeof count) < 0 && errno != EAGAIN)
            die("eventfd");
    }
    return stalled ? journal_stalled(journal) : -ETIMEDOUT;
}

#endif
