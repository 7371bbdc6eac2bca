/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recorder_damage - files that are damaged, cut off or not ours are moved aside, and heads with any byte flipped
 * are refused or within their bounds. */
#include "core/recorder/header.h"
#include "core/recorder/legend.h"
#include "tests/recorder.h"

/* Sound files that are not ours. */
static void test_foreign(void)
{
    static struct series_source other = { .metric = "other", .min = NAN, .max = NAN };
    struct legend legend;
    struct series series = make_series("redis/foreign", 1, 10);
    char *path = path_of("redis/foreign"), *map = arena_print(&arena, "%s" LEGEND_SUFFIX, path), *bytes;
    size_t n;
    series.sources = &other;
    struct track *track = open_track(&series);
    add(track, NOW - 500, 1, 1, 1);
    track_flush(track, &room, NOW);
    track_close(&track);
    bytes = read_whole(path, &n);
    unlink(map);
    clear_reports();
    fill("redis/foreign", 3, 10, NOW - 300, 20);
    tap_ok(strstr(reports, "none of the check's metrics") != NULL, "a file with other sources: %s", reports);
    tap_ok(legend_read(&arena, path, &legend, NULL) == 0 && legend.moved_s == NOW,
           "its neighbour tells that it is new");
    unlink(map);
    clear_reports();
    fill("redis/foreign", 3, 10, NOW - 100, 2);
    tap_is_int(report_count, 0, "a file whose neighbour was lost is still ours");
    fill("redis/step", 3, 20, NOW - 600, 20);
    bytes = read_whole(path_of("redis/step"), &n);
    file_replace(path, bytes, n, 0644);
    clear_reports();
    fill("redis/foreign", 3, 30, NOW - 60, 2);
    tap_ok(strstr(reports, "its step is 20 s, and it was made with 10 s") != NULL, "a file with another step: %s",
           reports);
}

static void check_set_aside(const char *what, const void *bytes, size_t n)
{
    char *path = path_of("redis/bad");
    file_replace(path, bytes, n, 0644);
    clear_reports();
    fill("redis/bad", 3, 10, NOW - 300, 20);
    tap_ok(strstr(reports, "moved aside") && report_count == 2, "%s: moved aside and made anew", what);
    tap_is_near(value_at(path, "AVERAGE", "latency", NOW - 200, 10), 10, what);
}

static void test_damage(void)
{
    size_t n;
    fill("redis/bad", 3, 10, NOW - 300, 20);
    char *bytes = read_whole(path_of("redis/bad"), &n);
    tap_ok(n > 1000, "a sound file to begin with, %zu bytes", n);
    check_set_aside("an empty file", "", 0);
    check_set_aside("a foreign file", "not at all an RRD file", 22);
    check_set_aside("a truncated file", bytes, n - 8);
    check_set_aside("only a header", bytes, 128);
    char *longer = arena_alloc(&arena, n + 8);
    memcpy(longer, bytes, n);
    check_set_aside("a file that is too long", longer, n + 8);
    memset(longer + 24, 0xFF, 8);
    check_set_aside("a file with too many sources", longer, n);
    unlink(path_of("redis/bad"));
    if (symlink("/etc/passwd", path_of("redis/bad")) == 0) {
        clear_reports();
        fill("redis/bad", 3, 10, NOW - 300, 20);
        tap_ok(strstr(reports, "moved aside") != NULL, "a symbolic link is moved aside");
    }
    struct series series = make_series("redis/bad", 3, 10);
    struct track *track = open_track(&series);
    add(track, NOW - 50, 1, 1, 1);
    track_flush(track, &room, NOW);
    tap_ok(truncate(path_of("redis/bad"), 500) == 0, "truncated while it is written");
    memset(&room.counts, 0, sizeof(room.counts));
    clear_reports();
    add(track, NOW - 40, 1, 1, 1);
    track_flush(track, &room, NOW);
    tap_ok(strstr(reports, "moved aside") && room.counts.lost == 0 && room.counts.rows == 1, "is noticed in time");
    unlink(path_of("redis/bad"));
    add(track, NOW - 30, 1, 1, 1);
    track_flush(track, &room, NOW);
    tap_is_int(room.counts.rows, 2, "a file that was removed is made again");
    track_close(&track);
}

/* Flips bytes of a header; header_read() must say something, and what it takes must be within its bounds. */
static void test_flipped_headers(void)
{
    size_t n;
    char *path = path_of("redis/flip");
    fill("redis/flip", 3, 10, NOW - 300, 20);
    char *bytes = read_whole(path, &n);
    char *flipped = arena_alloc(&arena, n);
    bool good = true;
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        struct header header;
        struct arena own = { 0 };
        memcpy(flipped, bytes, n);
        for (uint32_t k = 1 + any(3); k > 0; k--)
            flipped[any(1700)] = (char)any(256);
        size_t length = any(4) ? n : any((uint32_t)n);
        FILE *file = fopen(path, "w");
        if (!file || fwrite(flipped, 1, length, file) != length || fclose(file) != 0)
            break;
        int code = header_read(&own, path, NOW, &header, NULL);
        refused += code != 0;
        good = good && (code == ERROR_DAMAGED || (code == 0 && header.source_count == 3 && header.archive_count == 6));
        arena_close(&own);
    }
    tap_ok(good && refused > 500, "3000 damaged headers: %d refused, the rest within bounds", refused);
}

int main(void)
{
    make_folder();
    test_foreign();
    test_damage();
    test_flipped_headers();
    remove_folder();
    return tap_done();
}
