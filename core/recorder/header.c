/* SPDX-License-Identifier: GPL-3.0-or-later */
/* header - the head of an RRD file, version 0003 to 0005, as librrd lays it out on a 64-bit machine (all counts are
 * native u64, all values native doubles; files of another machine's layout fail the cookie test):
 *
 *     0     "RRD\0", version "0003\0", at 16 the cookie 8.642135E130 as a double, at 24 sources, 32 archives, 40 step
 *     128   a source each, 120 bytes: name[20] type[20] heartbeat u64, min f64, max f64, 56 bytes unused
 *     +     an archive each, 120 bytes: function[20], at 24 rows u64, steps u64, xff f64, 72 bytes parameters
 *     +     16 bytes: last update, seconds i64 and microseconds i64
 *     +     112 bytes a source: the value in the making
 *     +     80 bytes an archive and source: the consolidation in the making
 *     +     8 bytes an archive: the current row
 *     +     rows * sources doubles an archive
 */
#include "core/recorder/header.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAT_SIZE 128u
#define SOURCE_SIZE 120u
#define ARCHIVE_SIZE 120u
#define LIVE_SIZE 16u
#define PDP_SIZE 112u
#define CDP_SIZE 80u
#define POINTER_SIZE 8u
#define DAY_S 86400
#define STEP_MAX_S (366u * DAY_S)

static const double cookie = 8.642135E130;
static const char *const types[] = { "GAUGE", "COUNTER", "DERIVE", "ABSOLUTE", "DCOUNTER", "DDERIVE", NULL };
static const char *const functions[] = { "AVERAGE", "MIN", "MAX", "LAST", NULL };

static uint64_t get_u64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static double get_f64(const unsigned char *at)
{
    double value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* A 20-byte field that must end with a NUL. */
static bool get_name(char out[20], const unsigned char *at)
{
    memcpy(out, at, 20);
    return memchr(out, '\0', 20) != NULL && out[0] != '\0';
}

static bool is_one_of(const char *text, const char *const *list)
{
    while (*list && strcmp(text, *list) != 0)
        list++;
    return *list != NULL;
}

static bool is_source_name(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(name);
}

uint64_t header_file_size(uint64_t sources, uint64_t archives, uint64_t rows)
{
    return STAT_SIZE + LIVE_SIZE + (SOURCE_SIZE + PDP_SIZE) * sources + (ARCHIVE_SIZE + POINTER_SIZE) * archives +
           CDP_SIZE * archives * sources + 8 * sources * rows;
}

static int read_source(const unsigned char *at, struct header_source *out, struct why *why)
{
    if (!get_name(out->name, at) || !is_source_name(out->name))
        return why_say(why, ERROR_DAMAGED, "the name of a data source is damaged");
    if (!get_name(out->type, at + 20) || !is_one_of(out->type, types))
        return why_say(why, ERROR_DAMAGED, "data source '%s' has a type that is not ours", out->name);
    out->heartbeat_s = get_u64(at + 40);
    out->min = get_f64(at + 48);
    out->max = get_f64(at + 56);
    if (out->heartbeat_s == 0 || out->heartbeat_s > INT32_MAX)
        return why_say(why, ERROR_DAMAGED, "data source '%s' has the heartbeat %" PRIu64, out->name, out->heartbeat_s);
    return 0;
}

static int read_archive(const unsigned char *at, struct header_archive *out, struct why *why)
{
    if (!get_name(out->function, at) || !is_one_of(out->function, functions))
        return why_say(why, ERROR_DAMAGED, "an archive has a consolidation that is not ours");
    out->rows = get_u64(at + 24);
    out->steps = get_u64(at + 32);
    out->unknown_part = get_f64(at + 40);
    if (out->rows == 0 || out->rows > HEADER_ROWS_MAX || out->steps == 0 || out->steps > INT32_MAX)
        return why_say(why, ERROR_DAMAGED, "an archive has %" PRIu64 " rows of %" PRIu64 " steps", out->rows,
                       out->steps);
    if (!(out->unknown_part >= 0 && out->unknown_part < 1))
        return why_say(why, ERROR_DAMAGED, "an archive's part of unknown values is damaged");
    return 0;
}

static int check_stat(const unsigned char *at, struct header *out, struct why *why)
{
    if (memcmp(at, "RRD", 4) != 0 || memcmp(at + 4, "000", 3) != 0 || at[7] < '3' || at[7] > '5' || at[8] != '\0')
        return why_say(why, ERROR_DAMAGED, "it does not begin as an RRD file");
    double mark = get_f64(at + 16);
    if (memcmp(&mark, &cookie, sizeof(mark)) != 0)
        return why_say(why, ERROR_DAMAGED, "it was made on another kind of machine");
    uint64_t sources = get_u64(at + 24), archives = get_u64(at + 32);
    out->step_s = get_u64(at + 40);
    if (sources == 0 || sources > HEADER_SOURCES_MAX || archives == 0 || archives > HEADER_ARCHIVES_MAX)
        return why_say(why, ERROR_DAMAGED, "it has %" PRIu64 " sources and %" PRIu64 " archives", sources, archives);
    if (out->step_s == 0 || out->step_s > STEP_MAX_S)
        return why_say(why, ERROR_DAMAGED, "its step is %" PRIu64 " s", out->step_s);
    out->source_count = (uint32_t)sources;
    out->archive_count = (uint32_t)archives;
    return 0;
}

/* What follows the definitions: last update and current rows. */
static int check_live(const unsigned char *live, int64_t now_s, struct header *out, struct why *why)
{
    out->last_s = (int64_t)get_u64(live);
    uint64_t micro = get_u64(live + 8);
    if (out->last_s < 0 || out->last_s > now_s + DAY_S || micro >= 1000000)
        return why_say(why, ERROR_DAMAGED, "its last update is at %" PRId64, out->last_s);
    const unsigned char *pointer = live + LIVE_SIZE + (size_t)PDP_SIZE * out->source_count +
                                   (size_t)CDP_SIZE * out->source_count * out->archive_count;
    for (uint32_t i = 0; i < out->archive_count; i++)
        if (get_u64(pointer + (size_t)i * POINTER_SIZE) >= out->archives[i].rows)
            return why_say(why, ERROR_DAMAGED, "the current row of an archive is outside of it");
    return 0;
}

static int read_definitions(const unsigned char *at, struct arena *arena, struct header *out, struct why *why)
{
    out->sources = arena_array(arena, out->source_count, sizeof(*out->sources));
    out->archives = arena_array(arena, out->archive_count, sizeof(*out->archives));
    for (uint32_t i = 0; i < out->source_count; i++, at += SOURCE_SIZE) {
        int code = read_source(at, &out->sources[i], why);
        if (code < 0)
            return code;
    }
    uint64_t rows = 0;
    for (uint32_t i = 0; i < out->archive_count; i++, at += ARCHIVE_SIZE) {
        int code = read_archive(at, &out->archives[i], why);
        if (code < 0)
            return code;
        rows += out->archives[i].rows;
    }
    uint64_t want = header_file_size(out->source_count, out->archive_count, rows);
    if ((uint64_t)out->size_bytes != want)
        return why_say(why, ERROR_DAMAGED, "it has %lld bytes where its header asks for %" PRIu64,
                       (long long)out->size_bytes, want);
    return 0;
}

static int read_all(int fd, unsigned char *out, size_t n, off_t from)
{
    while (n > 0) {
        ssize_t got = pread(fd, out, n, from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : ERROR_DAMAGED;
        out += got;
        n -= (size_t)got;
        from += got;
    }
    return 0;
}

static int read_head(int fd, struct arena *arena, int64_t now_s, struct header *out, struct why *why)
{
    unsigned char stat[STAT_SIZE];
    if (read_all(fd, stat, sizeof(stat), 0) != 0)
        return why_say(why, ERROR_DAMAGED, "it is too short");
    int code = check_stat(stat, out, why);
    if (code < 0)
        return code;
    size_t size = (size_t)header_file_size(out->source_count, out->archive_count, 0) - STAT_SIZE;
    unsigned char *rest = arena_alloc(arena, size);
    if (read_all(fd, rest, size, STAT_SIZE) != 0)
        return why_say(why, ERROR_DAMAGED, "it is too short");
    code = read_definitions(rest, arena, out, why);
    if (code < 0)
        return code;
    const unsigned char *live =
        rest + (size_t)SOURCE_SIZE * out->source_count + (size_t)ARCHIVE_SIZE * out->archive_count;
    return check_live(live, now_s, out, why);
}

int header_read(struct arena *arena, const char *path, int64_t now_s, struct header *out, struct why *why)
{
    memset(out, 0, sizeof(*out));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP)
        return why_say(why, ERROR_DAMAGED, "it is a symbolic link");
    if (fd < 0)
        return why_say(why, -errno, "%s", strerror(errno));
    struct stat st;
    int code = fstat(fd, &st) == 0 ? 0 : -errno;
    if (code == 0 && !S_ISREG(st.st_mode))
        code = why_say(why, ERROR_DAMAGED, "it is no regular file");
    if (code == 0) {
        out->size_bytes = st.st_size;
        out->inode = st.st_ino;
        code = read_head(fd, arena, now_s, out, why);
    }
    close(fd);
    return code;
}

int64_t header_read_last(const char *path, uint64_t sources, uint64_t archives)
{
    unsigned char last[8];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    int code = read_all(fd, last, sizeof(last), (off_t)(STAT_SIZE + SOURCE_SIZE * sources + ARCHIVE_SIZE * archives));
    close(fd);
    return code == 0 ? (int64_t)get_u64(last) : -1;
}

const struct header_source *header_find(const struct header *header, const char *name)
{
    for (uint32_t i = 0; i < header->source_count; i++)
        if (strcmp(header->sources[i].name, name) == 0)
            return &header->sources[i];
    return NULL;
}
