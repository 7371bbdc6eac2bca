/* SPDX-License-Identifier: GPL-3.0-or-later */
/* place - where a backup lies: not where everybody may read it, and not on the disk that it protects.
 *
 * A backup in a folder that others may not enter is safe whatever its own mode says. Two places are on the same disk
 * when they are the same file system, or share one (disks.c). */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugins/backup-restore/backup.h"

/* Whether everybody may enter all folders above. */
static bool open_to_all(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strrchr(folder, '/'); slash && slash != folder; slash = strrchr(folder, '/')) {
        struct stat st;
        *slash = '\0';
        if (stat(folder, &st) != 0 || !(st.st_mode & S_IXOTH))
            return false;
    }
    return true;
}

static void judge_mode(struct backup_run *run, const struct backup *b, const struct backup_proof *proof,
                       struct backup_findings *found)
{
    if (!(b->mode & (S_IROTH | S_IWOTH)) || belfry_flag(run->p, "public") || !open_to_all(b->path))
        return;
    if (b->mode & S_IWOTH)
        backup_find(run, found, BELFRY_CRITICAL, "everybody may change it (mode %04o): chmod o-rwx", b->mode);
    else if (!proof->cipher)
        backup_find(run, found, BELFRY_WARNING, "everybody may read it (mode %04o): chmod o-rwx, or 'public = true'",
                    b->mode);
}

static void judge_disk(struct backup_run *run, const struct backup *b, const char *data, enum belfry_state state,
                       struct backup_findings *found)
{
    struct stat st;
    if (stat(data, &st) == 0 && disks_shared("/sys", st.st_dev, (dev_t)b->device))
        backup_find(run, found, state,
                    "is on the disk that it protects ('%s'): copy it elsewhere, or 'same_disk = true'", data);
    else if (state == BELFRY_CRITICAL && stat(data, &st) != 0)
        backup_find(run, found, BELFRY_UNKNOWN, "'%s' in option 'protects' can't be looked at", data);
}

void place_judge(struct backup_run *run, const struct backup *newest, const struct backup_proof *proof,
                 struct backup_findings *found)
{
    if (newest->kind == BACKUP_REMOTE)
        return;
    judge_mode(run, newest, proof, found);
    if (belfry_flag(run->p, "same_disk"))
        return;
    for (size_t i = 0; i < belfry_count(run->p, "protects"); i++)
        judge_disk(run, newest, belfry_item(run->p, "protects", i), BELFRY_CRITICAL, found);
    if (belfry_count(run->p, "protects") == 0 && proof->data)
        judge_disk(run, newest, proof->data, BELFRY_WARNING, found);
}
