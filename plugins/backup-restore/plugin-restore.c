/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin-restore - the plugin backup-restore: reads backups, which may be hostile bytes, and therefore starts nothing.
 */
#include "plugins/backup-restore/backup.h"

const bool backup_may_start = false;

BELFRY_PLUGIN(
    "backup-restore", "1.0", "Backups: new, whole, encrypted, kept as long as they should be", backup_options,
    backup_metrics, backup_run, .blocking = true, .views = backup_views,
    .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES,
    .description =
        "Needs to read the backups, no password, and no program. As root, for the user belfry:\n"
        "    setfacl -m u:belfry:x /var/backups\n"
        "    setfacl -R -m u:belfry:rX -m d:u:belfry:rX /var/backups/mysql\n"
        "A panel's key is a client key with backup.read. The newest backup of each series is read to its end, "
        "once: give the check a timeout of the time that this takes. doc/plugins/backup-restore.md says more.\n")
