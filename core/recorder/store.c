/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store - RRD files through librrd's re-entrant calls. librrd keeps its last error in a place of its own, so it is
 * cleared before each call and fetched right after. */
#include "core/recorder/store.h"

#include <errno.h>
#include <fcntl.h>
#include <rrd.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/recorder/header.h"

#define UNKNOWN_PART "0.5" /* of a point's values that may be unknown while the point is not */

static int refuse(struct why *why, const char *what, const char *path)
{
    const char *error = rrd_test_error() ? rrd_get_error() : "librrd gives no reason; is the disk full?";
    return why_say(why, ERROR_DAMAGED, "%s '%s': %s", what, path, error);
}

static void add_sources(struct args *args, const struct layout *layout)
{
    for (uint32_t i = 0; i < layout->source_count; i++) {
        const struct layout_source *source = &layout->sources[i];
        args_add(args, "DS:%s:%s:%u:%s:%s", source->name, source->type, source->heartbeat_s,
                 args_number(args->arena, source->min), args_number(args->arena, source->max));
    }
}

static void add_archives(struct args *args, const struct layout *layout)
{
    for (const char *const *function = layout_functions; *function; function++)
        for (uint32_t i = 0; i < layout->archive_count; i++)
            args_add(args, "RRA:%s:" UNKNOWN_PART ":%u:%u", *function, layout->archives[i].steps,
                     layout->archives[i].rows);
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int code = fd < 0 || fsync(fd) != 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return code;
}

/* Puts the finished file into its place. */
static int install(struct arena *arena, const char *fresh, const char *path, struct why *why)
{
    char *folder = arena_text(arena, path), *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    int code = sync_file(fresh);
    if (code == 0 && rename(fresh, path) != 0)
        code = -errno;
    if (code == 0)
        code = file_sync_folder(slash ? folder : ".");
    return code < 0 ? why_say(why, code, "'%s': %s", path, error_text(code)) : 0;
}

static int check_fresh(struct arena *arena, const char *fresh, const struct store_make *make, struct why *why)
{
    struct header header;
    struct why reason;
    if (header_read(arena, fresh, make->now_s, &header, &reason) != 0)
        return why_say(why, ERROR_DAMAGED, "the new file '%s' is not sound: %s", fresh, reason.text);
    if (!layout_matches(make->layout, &header) || (make->history && header.last_s != make->last_s))
        return why_say(why, ERROR_DAMAGED, "the new file '%s' is not what was asked for", fresh);
    return 0;
}

static bool has_renamed(const struct layout *layout)
{
    for (uint32_t i = 0; i < layout->live_count; i++)
        if (layout->sources[i].was[0])
            return true;
    return false;
}

static char *renamed_path(struct arena *arena, const struct store_make *make)
{
    return arena_print(arena, "%s.was", make->path);
}

/* A file with the renamed sources by their new names: where the old file has no values of the new source, librrd takes
 * them from here. */
static int make_renamed(struct arena *arena, const struct store_make *make, struct why *why)
{
    const char *path = renamed_path(arena, make), *sources[] = { make->history, NULL };
    struct args args = { .arena = arena };
    for (uint32_t i = 0; i < make->layout->live_count; i++) {
        const struct layout_source *source = &make->layout->sources[i];
        if (source->was[0])
            args_add(&args, "DS:%s=%s:%s:%u:U:U", source->name, source->was, source->type, source->heartbeat_s);
    }
    add_archives(&args, make->layout);
    rrd_clear_error();
    if (rrd_create_r2(path, make->layout->step_s, -1, 0, sources, NULL, args.count, args.v) == 0)
        return 0;
    unlink(path);
    return refuse(why, "can't make", path);
}

int store_make(struct arena *arena, const struct store_make *make, struct why *why)
{
    const char *fresh = arena_print(arena, "%s.new", make->path);
    const char *sources[] = { make->history, NULL, NULL };
    struct args args = { .arena = arena };
    if (make->history && has_renamed(make->layout)) {
        int failed = make_renamed(arena, make, why);
        if (failed)
            return failed;
        sources[1] = renamed_path(arena, make);
    }
    add_sources(&args, make->layout);
    add_archives(&args, make->layout);
    rrd_clear_error();
    /* -1: the last update of the history */
    time_t start = make->history ? -1 : (time_t)make->start_s;
    int code =
        rrd_create_r2(fresh, make->layout->step_s, start, 0, make->history ? sources : NULL, NULL, args.count, args.v);
    code = code == 0 ? check_fresh(arena, fresh, make, why) : refuse(why, "can't make", fresh);
    if (code == 0)
        code = install(arena, fresh, make->path, why);
    if (code < 0)
        unlink(fresh);
    if (sources[1])
        unlink(sources[1]);
    return code;
}

int store_update(const char *path, const char *sources, const struct args *rows, struct why *why)
{
    rrd_clear_error();
    if (rrd_updatex_r(path, sources, RRD_SKIP_PAST_UPDATES, rows->count, rows->v) == 0)
        return 0;
    return refuse(why, "can't update", path);
}

int store_fetch(const struct store_fetch *fetch, struct store_values *out, struct why *why)
{
    time_t start = (time_t)fetch->since_s, end = (time_t)fetch->until_s;
    unsigned long step = (unsigned long)fetch->step_s, sources = 0;
    memset(out, 0, sizeof(*out));
    rrd_clear_error();
    if (rrd_fetch_r(fetch->path, fetch->function, &start, &end, &step, &sources, &out->sources, &out->values) != 0)
        return refuse(why, "can't read", fetch->path);
    out->start_s = start;
    out->step_s = step;
    out->count = step && end > start ? (uint64_t)(end - start) / step : 0;
    out->source_count = sources;
    return 0;
}

void store_values_close(struct store_values *values)
{
    for (uint64_t i = 0; i < values->source_count; i++)
        rrd_freemem(values->sources[i]);
    rrd_freemem(values->sources);
    rrd_freemem(values->values);
    memset(values, 0, sizeof(*values));
}
