/* SPDX-License-Identifier: GPL-3.0-or-later */
/* catalog - collects what belfry-worker --catalog says of the plugin files. Its frames come from processes that ran
 * foreign code and are decoded as hostile bytes; a file that can't be described is a rejection and hides no other. */
#include "core/config/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/spawn.h"

#define PLUGINS_MAX 4096
#define WHY_BYTES_MAX 4096

struct catalog *catalog_new(void)
{
    return heap_alloc(sizeof(struct catalog));
}

void catalog_close(struct catalog **catalog)
{
    if (!*catalog)
        return;
    arena_close(&(*catalog)->arena);
    free((*catalog)->plugins);
    free((*catalog)->rejections);
    free(*catalog);
    *catalog = NULL;
}

static void reject(struct catalog *catalog, const char *path, const char *why)
{
    catalog->rejections =
        heap_grow(catalog->rejections, (size_t)catalog->rejection_count + 1, sizeof(*catalog->rejections));
    catalog->rejections[catalog->rejection_count++] = (struct catalog_rejection){ path, why };
}

/* Plugins are not sorted before catalog_finish(). */
static const struct plugin_info *find_unsorted(const struct catalog *catalog, const char *name)
{
    for (uint32_t i = 0; i < catalog->plugin_count; i++)
        if (strcmp(catalog->plugins[i]->name, name) == 0)
            return catalog->plugins[i];
    return NULL;
}

static int take_plugin(struct catalog *catalog, struct wire_reader *r)
{
    struct plugin_info *info = arena_alloc(&catalog->arena, sizeof(*info));
    const char *path = wire_text(r, &catalog->arena, PATH_MAX);
    uint64_t mark = wire_u64(r);
    if (!path || plugin_info_decode(r, &catalog->arena, info) != 0 || wire_done(r) != 0)
        return ERROR_PROTOCOL;
    info->path = path;
    info->file_mark = mark;
    const struct plugin_info *before = find_unsorted(catalog, info->name);
    if (before) {
        reject(catalog, path,
               arena_print(&catalog->arena, "its name '%s' is taken by '%s': remove one of the two", info->name,
                           before->path));
        return 0;
    }
    catalog->plugins = heap_grow(catalog->plugins, (size_t)catalog->plugin_count + 1, sizeof(struct plugin_info *));
    catalog->plugins[catalog->plugin_count++] = info;
    return 0;
}

static int take_rejection(struct catalog *catalog, struct wire_reader *r)
{
    const char *path = wire_text(r, &catalog->arena, PATH_MAX);
    const char *why = wire_text(r, &catalog->arena, WHY_BYTES_MAX);
    if (!path || !why || wire_done(r) != 0)
        return ERROR_PROTOCOL;
    reject(catalog, path, why);
    return 0;
}

int catalog_take(struct catalog *catalog, struct wire_frame *frame)
{
    if (catalog->plugin_count + catalog->rejection_count >= PLUGINS_MAX)
        return ERROR_PROTOCOL;
    if (frame->type == WIRE_CATALOG)
        return take_plugin(catalog, &frame->payload);
    if (frame->type == WIRE_REJECTED)
        return take_rejection(catalog, &frame->payload);
    return ERROR_PROTOCOL;
}

static int by_name(const void *a, const void *b)
{
    const struct plugin_info *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int by_path(const void *a, const void *b)
{
    const struct catalog_rejection *x = a, *y = b;
    return strcmp(x->path, y->path);
}

void catalog_finish(struct catalog *catalog)
{
    if (catalog->plugin_count > 0)
        qsort(catalog->plugins, catalog->plugin_count, sizeof(struct plugin_info *), by_name);
    if (catalog->rejection_count > 0)
        qsort(catalog->rejections, catalog->rejection_count, sizeof(*catalog->rejections), by_path);
}

const struct plugin_info *catalog_find(const struct catalog *catalog, const char *name)
{
    uint32_t low = 0, high = catalog->plugin_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(name, catalog->plugins[middle]->name);
        if (order == 0)
            return catalog->plugins[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- asking belfry-worker ------------------------------------------------------------------------------------ */

int catalog_spawn(const char *const *folders, int *fd)
{
    struct arena arena = { 0 };
    int ends[2];
    size_t count = 0;
    while (folders[count])
        count++;
    int failed = spawn_pair(ends);
    if (failed)
        return failed;
    const char **argv = arena_array(&arena, count + 3, sizeof(*argv));
    argv[0] = "belfry-worker";
    argv[1] = "--catalog";
    memcpy(argv + 2, folders, count * sizeof(*argv));
    const int fds[] = { STDERR_FILENO, STDERR_FILENO, ends[1] }; /* frames on descriptor 3 */
    struct spawn spawn = { .program = spawn_member("belfry-worker"),
                           .argv = argv,
                           .fds = fds,
                           .fd_count = 3,
                           .no_new_privs = 1,
                           .die_with_parent = 1 };
    pid_t pid = spawn_start(&spawn);
    close(ends[1]);
    arena_close(&arena);
    if (pid < 0)
        close(ends[0]);
    else
        *fd = ends[0];
    return (int)pid;
}

static void reap(pid_t pid, bool kill_it)
{
    if (kill_it)
        kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int read_frames(struct catalog *catalog, struct channel *channel, int64_t deadline_ms)
{
    struct wire_frame frame;
    int got;
    while ((got = channel_read(channel, &frame, deadline_ms)) > 0) {
        int error = catalog_take(catalog, &frame);
        if (error != 0)
            return error;
    }
    return got;
}

int catalog_read(const char *const *folders, int64_t timeout_ms, struct catalog **out, struct why *why)
{
    struct channel channel = { .fd = -1 };
    int pid = catalog_spawn(folders, &channel.fd);
    if (pid < 0)
        return why_say(why, pid, "can't start '%s': %s", spawn_member("belfry-worker"), error_text(pid));
    struct catalog *catalog = catalog_new();
    int error = read_frames(catalog, &channel, clock_now_ms() + timeout_ms);
    channel_close(&channel);
    reap(pid, error != 0);
    if (error != 0) {
        catalog_close(&catalog);
        return why_say(why, error, "describing the plugins failed: %s", error_text(error));
    }
    catalog_finish(catalog);
    *out = catalog;
    return 0;
}
