/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin-tools - the plugin backup-tools: the same as backup-restore, and it may start restic, borg, rclone and
 * pgBackRest to ask them with the repository's key which backups there are. Two plugins, because a process that reads
 * hostile bytes should not be able to start programs, and one that holds a key should read none. */
#include "plugins/backup-restore/backup.h"

const bool backup_may_start = true;

BELFRY_PLUGIN(
    "backup-tools", "1.0",
    "Backups that restic, borg, rclone or pgBackRest tell of: new, kept as long as they should be", backup_options,
    backup_metrics, backup_run, .blocking = true, .views = backup_views,
    .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES | BELFRY_NEEDS_PROCESSES,
    .description =
        "Asks for lists only, without a lock and without writing: restic snapshots --no-lock, borg --bypass-lock list, "
        "rclone lsjson, pgbackrest info. The key never is an argument or a variable: the tool reads it from a pipe. "
        "Whether "
        "the repositories are whole is what backup-restore finds out, and whether they can be restored a drill. "
        "doc/plugins/backup-restore.md says more.\n")
