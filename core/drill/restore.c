/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restore - the table of what can be restored, and how. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/drill/restore.h"
#include "core/drill/server.h"

#define MIB (INT64_C(1) << 20)

/* ---- what it looks like ------------------------------------------------------------------------------------------ */

static bool has(const struct head *head, const char *text, size_t within)
{
    size_t length = head->length < within ? head->length : within;
    return memmem(head->bytes, length, text, strlen(text)) != NULL;
}

static bool is_mariadb(const struct head *head)
{
    return has(head, "-- MariaDB dump", 4096) || has(head, "-- MySQL dump", 4096) || has(head, "/*M!999999", 64) ||
           has(head, "/*!40101 SET", 4096) || has(head, "/*!40014 SET", 4096);
}

static bool is_tar(const struct head *head)
{
    return head->length > 262 && memcmp(head->bytes + 257, "ustar", 5) == 0;
}

/* By its first member: a dump, though an archive as well. */
bool restore_is_postgres_tar(const struct head *head)
{
    return is_tar(head) && memcmp(head->bytes, "toc.dat", 8) == 0;
}

static bool is_postgres(const struct head *head)
{
    return has(head, "PGDMP", 5) || has(head, "-- PostgreSQL database dump", 4096) ||
           has(head, "-- PostgreSQL database cluster dump", 4096) || restore_is_postgres_tar(head);
}

static bool is_rdb(const struct head *head)
{
    return has(head, "REDIS0", 6) || has(head, "VALKEY", 6);
}

static bool is_aof(const struct head *head)
{
    return head->length > 4 && head->bytes[0] == '*' && has(head, "\r\n$", 16);
}

static bool is_xbstream(const struct head *head)
{
    return has(head, "XBSTCK", 6);
}

/* ---- the end of a plain dump ------------------------------------------------------------------------------------- */

int64_t restore_read_stamp(const char *text)
{
    struct tm tm = { .tm_isdst = -1 };
    if (sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec) != 6)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t at = mktime(&tm);
    return at > 0 ? (int64_t)at * 1000 : 0;
}

/* A dump that its tool wrote to the end says so; and when: a copy of yesterday's with the date of today gives itself
 * away. */
int restore_check_trailer(struct run *run, const struct flow *flow)
{
    const struct backup_kind *kind = run->kind;
    struct outcome *outcome = run->outcome;
    const char *found =
        kind->trailer ? memmem(flow->tail, flow->tail_length, kind->trailer, strlen(kind->trailer)) : NULL;
    if (!kind->trailer || !run->config->trailer)
        return 0;
    if (!found)
        return run_fail(run, PHASE_RESTORE,
                        "it was cut off: its last line, '%s', is missing (for dumps made with --skip-comments write "
                        "trailer = false;)",
                        kind->trailer);
    const char *stamp = kind->stamp ? strstr(found, kind->stamp) : NULL;
    int64_t at_ms = stamp ? restore_read_stamp(stamp + strlen(kind->stamp)) : 0;
    if (at_ms > 0 && at_ms < outcome->backup_wall_ms)
        outcome->backup_wall_ms = at_ms;
    return 0;
}

/* ---- how --------------------------------------------------------------------------------------------------------- */

static int restore_mariadb(struct run *run)
{
    char answer[256];
    struct tool client = { .argv = { "mariadb", "--no-defaults" }, .phase = PHASE_RESTORE };
    struct flow flow = { .sink = &client };
    const char *database = run->config->database;
    if (server_ask(run, arena_print(&run->arena, "CREATE DATABASE IF NOT EXISTS `%s`", database), answer,
                   sizeof answer) != 0)
        return run_fail(run, PHASE_RESTORE, "%s", answer);
    tool_add(&client, arena_print(&run->arena, "--socket=%s", server_socket(run)));
    tool_add(&client, "--user=root");
    tool_add(&client, "--batch");
    tool_add(&client, "--binary-mode"); /* no client commands in the dump */
    tool_add(&client, "--sandbox");
    tool_add(&client, "--local-infile=0");
    tool_add(&client, "--max-allowed-packet=1G");
    tool_add(&client, arena_print(&run->arena, "--database=%s", database));
    int code = flow_run(run, &flow);
    run->outcome->one_database = code == 0;
    if (code == 0 && server_ask(run, "SELECT 1", answer, sizeof answer) != 0)
        code = server_reopen(run); /* a dump of all databases has brought its users with it */
    return code == 0 ? restore_check_trailer(run, &flow) : code;
}

int restore_copy_folder(struct run *run, char path[PATH_MAX])
{
    int pipe_fds[2];
    struct tool from = { .argv = { "tar", "-C", run->source.path, "-cf", "-", "." },
                         .phase = PHASE_FETCH,
                         .as_self = true };
    struct tool to = { .argv = { "tar", "-xf", "-", "--no-same-owner" }, .phase = PHASE_FETCH, .folder = path };
    if (scratch_folder(run, "copy", path) != 0 || pipe2(pipe_fds, O_CLOEXEC) != 0)
        return run_fail(run, PHASE_FETCH, "no folder for the copy");
    from.out = pipe_fds[1];
    to.in = pipe_fds[0];
    int code = tool_start(run, &from);
    if (code == 0)
        code = tool_start(run, &to);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    while (code == 0 && (!tool_ended(run, &from) || !tool_ended(run, &to))) {
        tool_hear(&from);
        tool_hear(&to);
        usleep(2000);
    }
    if (code == 0 && !tool_good(&from))
        return run_fail(run, PHASE_FETCH, "%s", tool_complaint(run, &from));
    if (code == 0 && !tool_good(&to))
        return run_fail(run, PHASE_FETCH, "%s", tool_complaint(run, &to));
    return code;
}

static int restore_into_file(struct run *run, const char *name)
{
    int folder = open(run->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int fd = folder >= 0 ? openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    struct flow flow = { .file_fd = fd };
    int code = fd < 0 ? run_fail(run, PHASE_RESTORE, "'%s/%s' can't be made: %s", run->data, name, strerror(errno))
                      : flow_run(run, &flow);
    if (code == 0 && run->user != 0 && fchown(fd, run->user, run->group) != 0)
        code = run_fail(run, PHASE_RESTORE, "'%s' can't be given away: %s", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (folder >= 0)
        close(folder);
    return code;
}

static int restore_rdb(struct run *run)
{
    return restore_into_file(run, "dump.rdb");
}

/* One file as older servers write it, or the folder appendonlydir. */
static int restore_aof(struct run *run)
{
    char path[PATH_MAX];
    if (!run->source.folder)
        return restore_into_file(run, "appendonly.aof");
    if (restore_copy_folder(run, path) != 0)
        return -1;
    const char *to = file_join(&run->arena, run->data, "appendonlydir");
    return rename(path, to) == 0 ? 0 : run_fail(run, PHASE_RESTORE, "'%s' can't be made: %s", to, strerror(errno));
}

static int restore_archive(struct run *run)
{
    struct tool tar = { .argv = { "tar", "-xf", "-", "--no-same-owner", "--no-same-permissions",
                                  "--delay-directory-restore" },
                        .phase = PHASE_RESTORE,
                        .folder = run->data };
    struct flow flow = { .sink = &tar };
    return flow_run(run, &flow);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const char *const of_restic[] = { "config", "data", "keys", "snapshots", NULL };
static const char *const of_borg[] = { "README", "config", "data", NULL };
static const char *const of_postgres[] = { "toc.dat", NULL };
static const char *const of_mariabackup[] = { "xtrabackup_checkpoints", NULL };
static const char *const of_mariadb_backup[] = { "mariadb_backup_checkpoints", NULL }; /* from 11.1 on */
static const char *const of_pgbackrest[] = { "archive", "backup", NULL };
static const char *const of_stanza[] = { "backup.info", NULL };
static const char *const of_aof[] = { "appendonly.aof.manifest", NULL };

const struct backup_kind backup_kinds[] = {
    { .name = "mariadb-dump",
      .is = is_mariadb,
      .server = &server_mariadb,
      .restore = restore_mariadb,
      .disk_tenths = 25,
      .disk_bytes = 500 * MIB,
      .memory_bytes = 200 * MIB,
      .trailer = "-- Dump completed",
      .stamp = " on " },
    { .name = "mariadb-backup",
      .is = is_xbstream,
      .folder_files = { of_mariabackup, of_mariadb_backup },
      .server = &server_mariadb,
      .restore = restore_mariabackup,
      .server_last = true,
      .disk_tenths = 12, /* the copy, and what --prepare undoes */
      .disk_bytes = 500 * MIB,
      .memory_bytes = 200 * MIB },
    { .name = "postgres-dump",
      .is = is_postgres,
      .folder_files = { of_postgres },
      .server = &server_postgres,
      .restore = restore_postgres,
      .disk_tenths = 30,
      .disk_bytes = 200 * MIB,
      .memory_bytes = 200 * MIB,
      .trailer = "dump complete" },
    { .name = "pgbackrest",
      .folder_files = { of_pgbackrest, of_stanza },
      .look = restore_look_pgbackrest,
      .server = &server_postgres,
      .restore = restore_pgbackrest,
      .server_last = true,
      .disk_tenths = 12, /* of what it says itself */
      .disk_bytes = 200 * MIB,
      .memory_bytes = 200 * MIB },
    { .name = "redis-rdb",
      .is = is_rdb,
      .server = &server_redis,
      .restore = restore_rdb,
      .server_last = true,
      .disk_tenths = 10,
      .disk_bytes = 16 * MIB,
      .memory_tenths = 30,
      .memory_bytes = 16 * MIB },
    { .name = "redis-aof",
      .is = is_aof,
      .folder_files = { of_aof },
      .server = &server_redis,
      .restore = restore_aof,
      .server_last = true,
      .disk_tenths = 20,
      .disk_bytes = 16 * MIB,
      .memory_tenths = 20,
      .memory_bytes = 16 * MIB },
    { .name = "archive",
      .is = is_tar,
      .restore = restore_archive,
      .disk_tenths = 11,
      .disk_bytes = 16 * MIB,
      .memory_bytes = 16 * MIB },
    { .name = "restic",
      .folder_files = { of_restic },
      .look = restore_look_restic,
      .restore = restore_restic,
      .disk_tenths = 20,
      .disk_bytes = 64 * MIB,
      .memory_bytes = 200 * MIB },
    { .name = "borg",
      .folder_files = { of_borg },
      .look = restore_look_borg,
      .restore = restore_borg,
      .disk_tenths = 20,
      .disk_bytes = 64 * MIB,
      .memory_bytes = 200 * MIB },
    { 0 },
};
