/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shelf - finds files by their legends: FILE.rrd.map tells of FILE.rrd. */
#include "core/recorder/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/recorder/cached.h"
#include "core/recorder/name.h"

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The RRD files of the check's parts, by name. */
static size_t find_parts(struct arena *arena, const char *rrd, const char *check, char **out)
{
    const char *suffix = ".rrd" LEGEND_SUFFIX;
    const char *folder = arena_print(arena, "%s/%s", rrd, check);
    DIR *dir = opendir(folder);
    size_t count = 0;
    for (struct dirent *entry; dir && count < SHELF_FILES_MAX && (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name), tail = strlen(suffix);
        if (length <= tail || strcmp(entry->d_name + length - tail, suffix) != 0)
            continue;
        char *path = file_join(arena, folder, entry->d_name);
        path[strlen(path) - strlen(LEGEND_SUFFIX)] = '\0';
        out[count++] = path;
    }
    if (dir)
        closedir(dir);
    qsort(out, count, sizeof(*out), compare_texts);
    return count;
}

/* cached: flushes the file first; NULL: there is no rrdcached. */
static void add_file(struct arena *arena, struct shelf *shelf, const char *path, int64_t now_s, struct cached *cached)
{
    struct shelf_file *file = &shelf->files[shelf->count];
    struct why why = { "" };
    file->path = path;
    file->name = path + strlen(shelf->folder) + 1;
    int code = legend_read(arena, path, &file->legend, &why);
    if (code == -ENOENT || code == -ENOTDIR)
        return;
    if (code < 0)
        file->trouble = arena_text(arena, why.text);
    else if (cached && cached->fd >= 0)
        cached_flush(cached, path, &why);
    if (code == 0 && header_read(arena, path, now_s, &file->header, &why) < 0)
        file->trouble = arena_print(arena, "'%s': %s", path, why.text);
    shelf->count++;
}

/* A plugin may have been replaced, and not all files are written since. */
static void choose_views(struct shelf *shelf)
{
    int64_t last_s = 0;
    for (uint32_t i = 0; i < shelf->count; i++) {
        const struct shelf_file *file = &shelf->files[i];
        if (file->trouble || file->header.last_s <= last_s)
            continue;
        last_s = file->header.last_s;
        shelf->views = file->legend.views;
        shelf->view_count = file->legend.view_count;
    }
}

static int open_shelf(struct arena *arena, const char *rrd, const char *check, const char *part, int64_t now_s,
                      struct cached *cached, struct shelf *out)
{
    char **paths = arena_array(arena, SHELF_FILES_MAX + 1, sizeof(*paths));
    char *first = name_file(arena, rrd, check, part);
    if (!first)
        return ERROR_SYNTAX;
    size_t count = part ? 0 : find_parts(arena, rrd, check, paths);
    *out = (struct shelf){ .folder = arena_print(arena, "%s/%.*s", rrd, (int)strcspn(check, "/"), check),
                           .files = arena_array(arena, count + 1, sizeof(*out->files)) };
    add_file(arena, out, first, now_s, cached);
    for (size_t i = 0; i < count; i++)
        add_file(arena, out, paths[i], now_s, cached);
    choose_views(out);
    return 0;
}

int shelf_open(struct arena *arena, const char *rrd, const char *check, const char *part, int64_t now_s,
               struct shelf *out)
{
    struct cached cached;
    bool noted = cached_open_noted(&cached, arena, rrd, clock_now_ms());
    int code = open_shelf(arena, rrd, check, part, now_s, noted ? &cached : NULL, out);
    cached_close(&cached);
    return code;
}

int shelf_open_as_is(struct arena *arena, const char *rrd, const char *check, const char *part, int64_t now_s,
                     struct shelf *out)
{
    return open_shelf(arena, rrd, check, part, now_s, NULL, out);
}

bool shelf_has(const struct shelf_file *file, const struct legend_metric *metric)
{
    return !file->trouble && metric->live && header_find(&file->header, metric->source) != NULL;
}
