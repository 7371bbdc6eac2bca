/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recorder_fuzz - mutated RRD files under the real belfry-recorder: whatever stands in them, it must come to write
 * every series, if need be after a crash in librrd that costs the file. FUZZ_RRD=N in the environment tries N files
 * (`make fuzz-rrd` does), FUZZ_SEED another seed. */
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/recorder/header.h"
#include "core/recorder/name.h"
#include "tests/peers/keeper_of_recorder.h"
#include "tests/tap.h"

#define FILES 200 /* in a round */
#define MUTATIONS_DEFAULT 2000
#define STARTS_MAX 50 /* of recorders in a round */

static struct arena arena;
static char folder[] = "/tmp/test_recorder_fuzz.XXXXXX";
static const char *recorder;
static int64_t now_s;
static char *good; /* a sound file */
static size_t good_size;

static uint64_t seed = 5;
static uint32_t any(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- the recorder ----------------------------------------------------------------------------------------------- */

static struct series_source sources[] = { { .metric = "a", .min = NAN, .max = NAN, .unit = "s" },
                                          { .metric = "b", .kind = 1, .min = NAN, .max = NAN, .unit = "c" },
                                          { .metric = "c", .min = 0, .max = 100, .unit = "%" } };
static struct series_archive archives[] = { { 1, 300 }, { 10, 2000 } };

static const char *check_name(uint32_t slot)
{
    return arena_print(&arena, "fuzz/check%u", slot);
}

static void put_series(struct buf *out, uint32_t slot)
{
    struct series series = { .check = check_name(slot),
                             .step_s = 1,
                             .heartbeat_s = 60,
                             .sources = sources,
                             .source_count = 3,
                             .archives = archives,
                             .archive_count = 2 };
    keeper_put_series(out, slot, &series);
}

/* Everything to a new recorder; its exit status, -1 when a signal ended it. */
static int record(uint32_t count)
{
    static const double values[] = { 10, 11, 12 };
    const char *const args[] = { recorder, "--rrd", folder, "--delay", "0s", NULL };
    struct keeper_peer keeper;
    struct buf out = { 0 };
    if (!keeper_start(&keeper, args, -1, false))
        return -1;
    for (uint32_t slot = 0; slot < count; slot++) {
        put_series(&out, slot);
        for (int64_t t = now_s - 20; t <= now_s; t += 4)
            keeper_put_sample(&out, slot, t, values, 3);
    }
    keeper_send(&keeper, &out);
    buf_close(&out);
    return keeper_end(&keeper);
}

/* ---- mutations -------------------------------------------------------------------------------------------------- */

static const uint64_t odd_numbers[] = { 0,
                                        1,
                                        2,
                                        0x7fffffff,
                                        0x80000000,
                                        0xffffffff,
                                        INT64_MAX,
                                        1ull << 63,
                                        UINT64_MAX,
                                        0x7ff8000000000000,
                                        0x7ff0000000000000,
                                        0xfff0000000000000,
                                        0x10000,
                                        0x4141414141414141 };

static void mutate(char *bytes, size_t head)
{
    size_t at = any(4) ? any((uint32_t)head) : any((uint32_t)good_size);
    uint64_t number = odd_numbers[any(sizeof(odd_numbers) / sizeof(*odd_numbers))];
    switch (any(4)) {
    case 0:
        bytes[at] = (char)any(256);
        break;
    case 1:
        bytes[at] ^= (char)(1 << any(8));
        break;
    case 2: /* a field of the head */
        at = at / 8 * 8;
        memcpy(bytes + at, &number, at + 8 <= good_size ? 8 : good_size - at);
        break;
    default: {
        size_t n = 1 + any(64), from = any((uint32_t)good_size - 64);
        memmove(bytes + at, bytes + from, at + n <= good_size ? n : good_size - at);
    }
    }
}

static void put_mutated(uint32_t slot, size_t head)
{
    const char *path = name_file(&arena, folder, check_name(slot), NULL);
    char *bytes = malloc(good_size);
    memcpy(bytes, good, good_size);
    for (uint32_t n = 1 + any(4); n > 0; n--)
        mutate(bytes, head);
    FILE *file = fopen(path, "w");
    fwrite(bytes, 1, any(20) ? good_size : any((uint32_t)good_size), file);
    fclose(file);
    free(bytes);
}

/* Series that do not have the last sample. */
static int count_missing(uint32_t count)
{
    int missing = 0;
    for (uint32_t slot = 0; slot < count; slot++) {
        struct header header;
        const char *path = name_file(&arena, folder, check_name(slot), NULL);
        int code = header_read(&arena, path, now_s, &header, NULL);
        missing += code != 0 || header.last_s < now_s;
    }
    return missing;
}

static uint32_t count_aside(void)
{
    uint32_t count = 0;
    DIR *files = opendir(arena_print(&arena, "%s/fuzz", folder));
    for (struct dirent *entry; files && (entry = readdir(files)) != NULL;)
        count += strstr(entry->d_name, ".bad-") != NULL;
    if (files)
        closedir(files);
    return count;
}

static void clear_folder(void)
{
    if (system(arena_print(&arena, "rm -rf '%s'/fuzz/*.bad-* '%s'/.p*", folder, folder)) != 0)
        printf("# '%s' could not be emptied\n", folder);
}

int main(void)
{
    char program[PATH_MAX];
    const char *top = getenv("top_builddir"), *more = getenv("FUZZ_RRD"), *start = getenv("FUZZ_SEED");
    int64_t mutations = MUTATIONS_DEFAULT, first = 5;
    recorder = realpath(arena_print(&arena, "%s/belfry-recorder", top ? top : "."), program);
    now_s = clock_wall_ms() / 1000;
    if ((more && text_integer(more, &mutations) != 0) || (start && text_integer(start, &first) != 0) || !recorder ||
        !mkdtemp(folder)) {
        puts("Bail out! there is no belfry-recorder in $top_builddir, or no folder can be made");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    seed = (uint64_t)first;
    uint32_t moved = 0, crashes = 0, missing = 0, refused = 0;
    struct header header;
    now_s -= 1000;
    record(FILES);
    const char *path = name_file(&arena, folder, check_name(0), NULL);
    bool sound = file_read(&arena, path, 1 << 20, &good, &good_size) == 0 &&
                 header_read(&arena, path, now_s, &header, NULL) == 0;
    if (!tap_ok(sound, "a sound file of %zu bytes", good_size))
        return tap_done();
    size_t head = (size_t)header_file_size(header.source_count, header.archive_count, 0);
    good = memcpy(malloc(good_size), good, good_size);
    now_s += 500;
    for (int64_t done = 0; done < mutations; done += FILES) {
        arena_reset(&arena);
        clear_folder();
        for (uint32_t slot = 0; slot < FILES; slot++)
            put_mutated(slot, head);
        int status = -1;
        for (int starts = 0; status < 0 && starts < STARTS_MAX; starts++) {
            status = record(FILES);
            crashes += status < 0;
        }
        refused += status != 0;
        missing += (uint32_t)count_missing(FILES);
        moved += count_aside();
    }
    tap_is_int(missing, 0, "every series is recorded in the end");
    tap_is_int(refused, 0, "and every recorder came to an end");
    tap_ok(moved > mutations / 10, "%u of %lld files were moved aside, librrd crashed %u times", moved,
           (long long)mutations, crashes);
    free(good);
    if (system(arena_print(&arena, "rm -rf '%s'", folder)) != 0)
        printf("# '%s' could not be removed\n", folder);
    arena_close(&arena);
    return tap_done();
}
