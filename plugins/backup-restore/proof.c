/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proof - proves the newest backup of a series: read to its end, unpacked, looked at, its SHA-256 compared with what a
 * manifest says. That is done once: what was proven is kept with path, size, time of change and inode, and told again
 * as long as those are the same. What could not be read in time is not kept, and tried again in the next run.
 *
 * Reading is gentle: at most `rate` bytes a second, in a thread with the scheduling class SCHED_IDLE, which takes the
 * processor and (by the kernel's rule) the disk only when nobody else wants them, and the page cache forgets what was
 * read. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/backup-restore/content.h"
#include "plugins/backup-restore/unpack.h"
#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define CHUNK ((size_t)256 * 1024)
#define PIECE ((size_t)65536)
#define SPARE_MS 400
#define BURST_S 0.1
#define FIELDS 9

/* ---- reading --------------------------------------------------------------------------------------------------- */

struct reading {
    struct backup_run *run;
    struct content content;
    struct unpack unpack;
    EVP_MD_CTX *hash;
    unsigned char buffer[CHUNK];
    int64_t done;
};

/* What was not used of the time before is not made up for, but for a moment's. */
bool proof_pace(struct backup_run *run, int64_t bytes)
{
    int64_t rate = belfry_integer(run->p, "rate");
    double now = now_s();
    run->read += bytes;
    run->due = (run->due > now - BURST_S ? run->due : now - BURST_S) + (rate > 0 ? (double)bytes / (double)rate : 0);
    if (run->due > now + 0.01 && belfry_sleep(run->p, (int64_t)((run->due - now) * 1000)) < 0)
        return false;
    return belfry_left_ms(run->p) > SPARE_MS;
}

/* Reads to the end: 0, -errno, or -ETIMEDOUT. A stream that is broken ends it, too. */
static int read_all(struct reading *r, int fd)
{
    for (bool first = true;; first = false) {
        ssize_t n = read(fd, r->buffer, CHUNK);
        if (n < 0)
            return -errno;
        if (first && !unpack_open(&r->unpack, r->buffer, (size_t)n, content_feed, &r->content))
            return 0;
        if (n == 0)
            return 0;
        EVP_DigestUpdate(r->hash, r->buffer, (size_t)n);
        if (!r->unpack.why)
            unpack_feed(&r->unpack, r->buffer, (size_t)n); /* a broken one is read on for its checksum */
        posix_fadvise(fd, r->done, n, POSIX_FADV_DONTNEED);
        r->done += n;
        if (!proof_pace(r->run, n))
            return -ETIMEDOUT;
    }
}

/* Whether there is a sum to compare with, and it is the right one. */
static bool compare_sum(struct reading *r, const struct backup *file, struct backup_proof *proof)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned n = 0;
    EVP_DigestFinal_ex(r->hash, sum, &n);
    for (unsigned i = 0; i < n; i++)
        snprintf(hex + (size_t)2 * i, 3, "%02x", sum[i]);
    if (!file->sum)
        return false;
    if (strcmp(file->sum, hex) == 0)
        return true;
    backup_find(r->run, &proof->bad, BELFRY_CRITICAL, "its SHA-256 is %.12s..., its manifest says %.12s...", hex,
                file->sum);
    return false;
}

static void conclude(struct reading *r, const struct backup *file, struct backup_proof *proof, int error)
{
    bool unpacked = unpack_end(&r->unpack);
    if (error == -ETIMEDOUT) {
        proof->unread = true;
        proof->what = "file";
        backup_find(r->run, &proof->bad, BELFRY_UNKNOWN,
                    "could not be read to its end in the time: %s of %s; raise timeout or rate",
                    say_bytes(r->run->p, (double)r->done), say_bytes(r->run->p, (double)file->size));
        return;
    }
    r->content.summed = compare_sum(r, file, proof);
    if (error == 0 && unpacked) {
        content_end(&r->content, r->unpack.format, proof);
    } else {
        proof->what = r->unpack.format ? belfry_print(r->run->p, "%s file", r->unpack.format) : "file";
        backup_find(r->run, &proof->bad, error ? BELFRY_UNKNOWN : BELFRY_CRITICAL, "%s",
                    error ? belfry_print(r->run->p, "can't be read: %s", say_error(r->run->p, error)) : r->unpack.why);
    }
    if (error == 0 && unpacked && !r->unpack.format && memcmp(r->content.head, "PGDMP", 5) == 0 && !proof->bad.text)
        pg_read_archive(r->run, file->path, proof);
}

static void read_expected(struct reading *r)
{
    struct content *c = &r->content;
    while (c->expected < CONTENT_EXPECT_MAX && c->expected < belfry_count(r->run->p, "expect")) {
        c->expect[c->expected] = belfry_item(r->run->p, "expect", c->expected);
        c->expected++;
    }
}

void proof_file(struct backup_run *run, const struct backup *file, struct backup_proof *proof)
{
    int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        proof->what = "file";
        proof->unread = true;
        backup_find(run, &proof->bad, BELFRY_UNKNOWN, "can't be read: %s", say_error(run->p, errno));
        return;
    }
    struct reading *r = calloc(1, sizeof *r);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (r && hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL)) {
        r->run = run;
        r->hash = hash;
        r->content.run = run;
        read_expected(r);
        conclude(r, file, proof, read_all(r, fd));
        unpack_close(&r->unpack);
    } else {
        proof->unread = true;
        backup_find(run, &proof->bad, BELFRY_UNKNOWN, "can't be read: out of memory");
    }
    EVP_MD_CTX_free(hash);
    free(r);
    close(fd);
}

/* ---- remembering ----------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
    return (hash ^ 0xff) * 0x100000001b3ULL;
}

/* What was looked at and for what, as one number: another file or another option is proven anew. */
static const char *identify(struct backup_run *run, const struct backup *b)
{
    uint64_t hash = mix(mix(mix(0xcbf29ce484222325ULL, "1"), b->path), b->sum);
    for (size_t i = 0; i < belfry_count(run->p, "expect"); i++)
        hash = mix(hash, belfry_item(run->p, "expect", i));
    hash = mix(hash, belfry_flag(run->p, "may_be_empty") ? "e" : "");
    hash = mix(hash, belfry_flag(run->p, "unproven") ? "u" : "");
    hash = mix(hash, belfry_flag(run->p, "unchanged") ? "c" : "");
    return belfry_print(run->p, "%016" PRIx64 " %lld %lld %lld", hash, (long long)b->size, (long long)b->changed_ns,
                        (long long)b->inode);
}

static const char *key_of(struct backup_run *run, const char *part)
{
    return belfry_print(run->p, "proof %016" PRIx64, mix(0xcbf29ce484222325ULL, part));
}

/* A field of what is kept: without the bytes that part fields and lines. */
static const char *flat(struct backup_run *run, const char *text)
{
    char *own = say_copy(run->p, text ? text : "", text ? strlen(text) : 0);
    for (char *c = own; *c; c++)
        *c = *c == '|' || (unsigned char)*c < ' ' ? '?' : *c;
    return own;
}

static void keep(struct backup_run *run, const char *key, const char *identity, const struct backup_proof *proof)
{
    const struct backup_proof *f = proof;
    const char *bad = flat(run, f->bad.text);
    belfry_keep(run->p, key,
                belfry_print(run->p, "%s|%d|%lld|%d|%s|%s|%s|%s|%.1024s", identity, (int)f->bad.state,
                             (long long)f->made, f->whole, flat(run, f->what), flat(run, f->cipher),
                             flat(run, f->database), flat(run, f->data), bad));
}

/* The fields of a kept value; false when there are too few. */
static bool split(struct backup_run *run, const char *text, const char *fields[FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        size_t n = strcspn(text, "|");
        fields[i] = belfry_print(run->p, "%.*s", (int)n, text);
        if (i < FIELDS - 1 && text[n] == '\0')
            return false;
        text += n + (text[n] == '|');
    }
    return true;
}

static const char *ornull(const char *text)
{
    return *text ? text : NULL;
}

static bool recall(struct backup_run *run, const char *kept, const char *identity, struct backup_proof *proof)
{
    const char *l[FIELDS];
    if (!kept || !split(run, kept, l) || strcmp(l[0], identity) != 0)
        return false;
    proof->bad.state = (enum belfry_state)(l[1][0] - '0');
    proof->made = strtoll(l[2], NULL, 10);
    proof->whole = l[3][0] == '1';
    proof->what = l[4];
    proof->cipher = ornull(l[5]);
    proof->database = ornull(l[6]);
    proof->data = ornull(l[7]);
    proof->bad.text = ornull(l[8]);
    return true;
}

/* A dump of another database than the one that this option names, or than the last one was of. */
static void judge_database(struct backup_run *run, struct backup_findings *found, const struct backup_proof *proof,
                           const char *before)
{
    const char *want = belfry_text(run->p, "database");
    if (want && proof->database && strcmp(want, proof->database) != 0)
        backup_find(run, found, BELFRY_CRITICAL, "is a dump of '%s', not of '%s'", proof->database, want);
    else if (before && proof->database && strcmp(before, proof->database) != 0)
        backup_find(run, found, BELFRY_CRITICAL, "is a dump of '%s', while those before it were of '%s'",
                    proof->database, before);
}

/* The database of the series: what was seen first, as long as nobody says otherwise. */
static void follow_database(struct backup_run *run, struct backup_series *series, const struct backup_proof *proof)
{
    const char *key = belfry_print(run->p, "of %016" PRIx64, mix(0xcbf29ce484222325ULL, series->part));
    const char *before = belfry_text(run->p, "database") ? NULL : belfry_kept(run->p, key);
    judge_database(run, &series->found, proof, before);
    if (!before && proof->database)
        belfry_keep(run->p, key, proof->database);
}

static void prove(struct backup_run *run, const struct backup *b, struct backup_proof *proof)
{
    switch (b->kind) {
    case BACKUP_FILE:
        proof_file(run, b, proof);
        return;
    case BACKUP_RESTIC:
    case BACKUP_BORG:
    case BACKUP_PGBACKREST:
        repo_prove(run, b, proof);
        return;
    case BACKUP_REMOTE:
        proof->what = b->told ? b->told : "backup elsewhere";
        return;
    default:
        tree_prove(run, b, proof);
    }
}

/* Whether the newest is the one before it, byte by byte. */
static bool is_copy(struct backup_run *run, const struct backup_series *s)
{
    const struct backup *a = s->list[s->count - 1], *b = s->count > 1 ? s->list[s->count - 2] : NULL;
    if (!b || a->kind != BACKUP_FILE || b->kind != BACKUP_FILE || a->size != b->size || a->size == 0)
        return false;
    FILE *x = backup_open(a->path), *y = backup_open(b->path);
    char *bytes = malloc(2 * PIECE);
    bool same = x && y && bytes;
    for (size_t n = 1; same && n > 0;) {
        n = fread(bytes, 1, PIECE, x);
        same = fread(bytes + PIECE, 1, PIECE, y) == n && memcmp(bytes, bytes + PIECE, n) == 0 &&
               proof_pace(run, 2 * (int64_t)n);
    }
    free(bytes);
    backup_close(x);
    backup_close(y);
    return same;
}

/* Refused where the kernel or a sandbox doesn't let us: then it is done all the same. */
static void be_gentle(struct belfry_probe *p)
{
    const struct sched_param none = { 0 };
    if (belfry_flag(p, "gentle"))
        sched_setscheduler(0, SCHED_IDLE, &none);
}

void proof_make(struct backup_run *run, struct backup_series *series, struct backup_proof *proof)
{
    struct backup *newest = series->list[series->count - 1];
    if (newest->kind == BACKUP_FILE)
        newest->sum = manifest_sum(run, newest, &series->found);
    if (newest->kind == BACKUP_FILE && !newest->sum && belfry_flag(run->p, "manifest"))
        backup_find(run, &series->found, BELFRY_CRITICAL, "has no checksum beside it (SHA256SUMS or '%s.sha256')",
                    newest->name);
    const char *identity = identify(run, newest), *key = key_of(run, series->part);
    if (!recall(run, belfry_kept(run->p, key), identity, proof)) {
        be_gentle(run->p);
        prove(run, newest, proof);
        if (!belfry_flag(run->p, "unchanged") && is_copy(run, series))
            backup_find(run, &proof->bad, BELFRY_WARNING,
                        "is the same as the one before it, byte by byte; 'unchanged = true' takes it so");
        if (!proof->unread && newest->kind != BACKUP_REMOTE)
            keep(run, key, identity, proof);
    }
    follow_database(run, series, proof);
}
