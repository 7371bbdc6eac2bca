/* SPDX-License-Identifier: GPL-3.0-or-later */
/* retain - see retain.h. A part is gone when its last sample is three steps, and an hour, older than the last of its
 * check or of any other part of it.
 *
 * Reports: "'FILE': removed, the part 'PART' is gone since ..." */
#include "core/recorder/retain.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/recorder/past.h"
#include "core/recorder/shelf.h"

#define GONE_STEPS 3
#define GONE_LEAST_S 3600

void retain_open(struct retain *retain, int64_t keep_s, int64_t every_ms, int64_t mono_ms)
{
    *retain = (struct retain){ .keep_s = keep_s, .every_ms = every_ms, .next_ms = mono_ms + every_ms };
}

int64_t retain_wait_ms(const struct retain *retain, int64_t mono_ms)
{
    return retain->folder || retain->next_ms <= mono_ms ? 0 : retain->next_ms - mono_ms;
}

static int64_t youngest(const struct shelf *shelf)
{
    int64_t last_s = 0;
    for (uint32_t i = 0; i < shelf->count; i++)
        if (!shelf->files[i].trouble && shelf->files[i].header.last_s > last_s)
            last_s = shelf->files[i].header.last_s;
    return last_s;
}

static void remove_part(struct arena *arena, struct track_room *room, const struct shelf_file *file)
{
    char since[TEXT_TIME_SIZE], visible[256];
    unlink(arena_print(arena, "%s" LEGEND_SUFFIX, file->path));
    unlink(arena_print(arena, "%s" PAST_SUFFIX, file->path));
    if (unlink(file->path) != 0)
        return;
    room->report(room->context, LOG_LEVEL_INFO, 0,
                 arena_print(arena, "'%s': removed, the part '%s' is gone since %s", file->path,
                             text_visible(visible, sizeof(visible), file->legend.part, false),
                             text_format_local(since, file->header.last_s * 1000)));
}

static void look_at_part(struct arena *arena, const struct retain *retain, struct track_room *room,
                         struct shelf_file *file, int64_t last_s)
{
    int64_t age_s = last_s - file->header.last_s, step_s = (int64_t)file->header.step_s;
    if (age_s > retain->keep_s) {
        remove_part(arena, room, file);
    } else if (age_s > GONE_LEAST_S && age_s > GONE_STEPS * step_s && !file->legend.gone_s) {
        file->legend.gone_s = file->header.last_s;
        legend_write(arena, file->path, &file->legend, NULL);
    }
}

static void look_at_check(const struct retain *retain, struct track_room *room, const char *check, int64_t now_s)
{
    struct arena arena = { 0 };
    struct shelf shelf;
    if (shelf_open_as_is(&arena, room->folder, check, NULL, now_s, &shelf) == 0) {
        int64_t last_s = youngest(&shelf);
        for (uint32_t i = 0; i < shelf.count; i++)
            if (!shelf.files[i].trouble && shelf.files[i].legend.part)
                look_at_part(&arena, retain, room, &shelf.files[i], last_s);
    }
    arena_close(&arena);
}

/* Folders in the service's folder are checks with parts. */
static void look_at_service(const struct retain *retain, struct track_room *room, const char *service, int64_t now_s)
{
    struct arena arena = { 0 };
    DIR *folder = opendir(file_join(&arena, room->folder, service));
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        const char *check = arena_print(&arena, "%s/%s", service, entry->d_name);
        if (entry->d_name[0] != '.' && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) &&
            text_is_check_id(check))
            look_at_check(retain, room, check, now_s);
    }
    if (folder)
        closedir(folder);
    arena_close(&arena);
}

void retain_step(struct retain *retain, struct track_room *room, int64_t mono_ms, int64_t now_s)
{
    if (!retain->folder)
        retain->folder = opendir(room->folder);
    struct dirent *entry = retain->folder ? readdir(retain->folder) : NULL;
    if (entry && entry->d_name[0] != '.')
        look_at_service(retain, room, entry->d_name, now_s);
    if (entry)
        return;
    retain_close(retain);
    retain->next_ms = mono_ms + retain->every_ms;
}

void retain_close(struct retain *retain)
{
    if (retain->folder)
        closedir(retain->folder);
    retain->folder = NULL;
}
