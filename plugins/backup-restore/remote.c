/* SPDX-License-Identifier: GPL-3.0-or-later */
/* remote - backups that are elsewhere, and of which somebody tells: a Pterodactyl panel of a server's backups, or a
 * file that `rclone lsjson -R REMOTE:` wrote of an object store's. Nothing is read of them, so nothing but their age,
 * size and number is proven. A listing older than the RPO proves nothing at all. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugins/backup-restore/backup.h"
#include "plugins/common/say.h"
#include "plugins/common/tree.h"
#include "plugins/common/web.h"

#define LISTING_MAX ((off_t)32 * 1024 * 1024)

struct backup *remote_add(struct backup_run *run, struct backup *first, const char *name, int64_t when, int64_t size)
{
    struct backup *b = backup_new(run, name, name);
    b->kind = BACKUP_REMOTE;
    b->when = when;
    b->size = size;
    b->next = first;
    return b;
}

/* ---- the panel ------------------------------------------------------------------------------------------------- */

/* Good ones: completed and successful. *failed counts those that ended otherwise after the newest good one. */
static struct backup *read_backups(struct backup_run *run, const json_t *tree, size_t *failed)
{
    struct backup *first = NULL;
    int64_t newest = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < tree_count(tree, "data"); i++) {
            const json_t *a = tree_at(tree_item(tree, "data", i), "attributes");
            int64_t completed = tree_time(a, "completed_at");
            bool good = completed > 0 && tree_flag(a, "is_successful", false);
            if (pass == 0 && good) {
                const char *name = tree_text(run->p, a, "name", tree_text(run->p, a, "uuid", "backup"));
                first = remote_add(run, first, say_excerpt(run->p, name, strlen(name)), completed,
                                   tree_integer(a, "bytes", 0));
                newest = completed > newest ? completed : newest;
            }
            *failed += pass == 1 && !good && completed > newest;
        }
    return first;
}

static void judge_answer(struct backup_run *run, const char *source, const struct web_answer *answer)
{
    const char *why = NULL;
    size_t failed = 0;
    if (answer->end != WEB_ANSWERED || answer->status != 200 || answer->cut) {
        backup_refuse(run, source,
                      answer->end == WEB_ANSWERED && answer->status < 500 ? BELFRY_UNKNOWN : BELFRY_CRITICAL, "%s",
                      answer->end == WEB_ANSWERED
                          ? belfry_print(run->p, "%s: status %ld%s", answer->what, answer->status,
                                         answer->status == 403 ? ": the key in option 'key' lacks backup.read" : "")
                          : answer->why);
        return;
    }
    json_t *tree = tree_read(run->p, answer, &why);
    struct backup *first = tree ? read_backups(run, tree, &failed) : NULL;
    if (!tree)
        backup_refuse(run, source, BELFRY_UNKNOWN, "%s", why);
    else if (!first)
        backup_refuse(run, source, BELFRY_CRITICAL, "no good backup%s", failed ? ", and the last one failed" : "");
    else
        backup_judge(run, source, first);
    if (tree && first && failed > 0)
        backup_refuse(run, belfry_print(run->p, "%s (failed)", source), BELFRY_WARNING,
                      "%zu failed since the last good one", failed);
    json_decref(tree);
}

void panel_look(struct backup_run *run, const char *source, const char *server)
{
    struct web_setup setup = { .base = belfry_text(run->p, "panel"),
                               .bearer = belfry_text(run->p, "key"),
                               .ca_file = belfry_text(run->p, "ca_file"),
                               .headers = { "Accept: application/json" } };
    if (!setup.base || !setup.bearer) {
        backup_refuse(run, source, BELFRY_UNKNOWN, "set 'panel' and 'key' to ask the panel for backups");
        return;
    }
    struct web_client *client = web_open(run->p, &setup);
    const char *path = belfry_print(run->p, "/api/client/servers/%s/backups?per_page=50", web_escape(run->p, server));
    judge_answer(run, source, web_ask(client, "GET", path, NULL));
    web_close(&client);
}

/* ---- a listing ------------------------------------------------------------------------------------------------- */

void listing_judge(struct backup_run *run, const char *source, const json_t *tree)
{
    struct backup *first = NULL;
    size_t count = json_array_size(tree);
    for (size_t i = 0; i < count && i < BACKUP_FILES_MAX; i++) {
        const json_t *item = json_array_get(tree, i);
        int64_t when = tree_time(item, "ModTime");
        if (!tree_flag(item, "IsDir", false) && when > 0)
            first = remote_add(run, first, tree_text(run->p, item, "Path", "?"), when, tree_integer(item, "Size", 0));
    }
    if (count > BACKUP_FILES_MAX)
        backup_refuse(run, belfry_print(run->p, "%s (reading)", source), BELFRY_UNKNOWN,
                      "more than %d files: the others were not looked at", BACKUP_FILES_MAX);
    if (!first)
        backup_refuse(run, source, BELFRY_CRITICAL, "the listing has no file");
    series_judge(run, source, first, false);
}

void listing_look(struct backup_run *run, const char *source, const char *file)
{
    struct stat st;
    json_error_t error;
    double rpo = belfry_number(run->p, "rpo");
    errno = 0;
    if (stat(file, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > LISTING_MAX) {
        backup_refuse(run, source, BELFRY_UNKNOWN, "listing '%s': %s", file,
                      errno ? say_error(run->p, errno) : "no regular file of up to 32 MiB");
        return;
    }
    if (rpo > 0 && (double)(run->now - st.st_mtim.tv_sec) > rpo) {
        backup_refuse(run, source, BELFRY_CRITICAL, "the listing '%s' was made %s ago: what is there now is not known",
                      file, belfry_ago(run->p, st.st_mtim.tv_sec));
        return;
    }
    json_t *tree = json_load_file(file, 0, &error);
    if (json_is_array(tree))
        listing_judge(run, source, tree);
    else
        backup_refuse(run, source, BELFRY_UNKNOWN, "'%s' is not what rclone lsjson writes", file);
    json_decref(tree);
}
