/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restore - what the ways to restore share (restore.c has the table of them). Each returns 0, or -1 after run_fail().
 */
#ifndef DRILL_RESTORE_H
#define DRILL_RESTORE_H

#include "core/drill/flow.h"

/* A plain dump that its tool wrote to the end says so, and when: a copy of yesterday's with the date of today gives
 * itself away. */
int restore_check_trailer(struct run *run, const struct flow *flow);
/* The source folder, copied into the scratch folder: read by a tool that may read it, written where the drill's user
 * may. */
int restore_copy_folder(struct run *run, char path[PATH_MAX]);

/* "2026-11-21  3:04:05" in local time, in milliseconds; 0: it is none. */
int64_t restore_read_stamp(const char *text);

/* What `pg_dump -Ft` writes. */
bool restore_is_postgres_tar(const struct head *head);

int restore_mariabackup(struct run *run);
int restore_postgres(struct run *run);
int restore_pgbackrest(struct run *run);
/* The one to take of a repository's list that ends with the newest; NULL: it is empty. */
const json_t *restore_pick(const struct run *run, const json_t *list);
/* Which snapshot, archive or label of a repository it is: source.part; -1 after run_fail(). */
int restore_look_restic(struct run *run);
int restore_look_borg(struct run *run);
int restore_look_pgbackrest(struct run *run);
int restore_restic(struct run *run);
int restore_borg(struct run *run);

#endif
