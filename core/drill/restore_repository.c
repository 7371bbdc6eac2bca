/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restore_repository - snapshots of restic and archives of borg, the newest or the one that is named. Their tools read
 * the repository as the daemon's own user: it is theirs to read. Nothing is written into it, not even a lock: the
 * sandbox would not allow it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/drill/restore.h"

#define LIST_MS 3600000

static int fail(struct run *run, const struct tool *tool)
{
    const char *said = tool_complaint(run, tool);
    bool key = strstr(said, "wrong password") || strstr(said, "passphrase");
    return run_fail(run, key ? PHASE_DECRYPT : PHASE_RESTORE, "%s", said);
}

static void close_key(struct tool *tool)
{
    if (tool->key_fd > 0)
        close(tool->key_fd);
    tool->key_fd = 0;
}

int restore_restic(struct run *run)
{
    const char *part = run->source.part ? run->source.part : "latest";
    struct tool tool = { .argv = { "restic", "--repo", run->source.path, "--no-lock", "--no-cache", "--quiet",
                                   "--password-file", "/dev/fd/3", "restore", part, "--target", run->data },
                         .phase = PHASE_RESTORE,
                         .as_self = true };
    tool.key_fd = tool_key(run, PHASE_DECRYPT);
    if (tool.key_fd < 0)
        return -1;
    int code = tool_run(run, &tool, NULL, run->config->time_ms);
    close_key(&tool);
    return code == 0 ? 0 : fail(run, &tool);
}

static void prepare_borg(struct run *run, struct tool *tool)
{
    tool->env[0] = "BORG_PASSPHRASE_FD=3";
    tool->env[1] = "BORG_RELOCATED_REPO_ACCESS_IS_OK=yes";
    tool->env[2] = "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes";
    tool->env[3] = arena_print(&run->arena, "BORG_BASE_DIR=%s/tmp", run->folder);
    tool->key_fd = run->config->key ? tool_key(run, PHASE_DECRYPT) : 0;
}

/* The newest archive's name; NULL after run_fail(). */
static const char *find_archive(struct run *run)
{
    struct buf out = { .max_bytes = 4096 };
    struct tool tool = { .argv = { "borg", "--bypass-lock", "list", "--last", "1", "--format", "{archive}{NL}",
                                   run->source.path },
                         .phase = PHASE_RESTORE,
                         .as_self = true };
    prepare_borg(run, &tool);
    int code = tool_run(run, &tool, &out, LIST_MS);
    close_key(&tool);
    const char *name = out.data ? arena_text_n(&run->arena, out.data, strcspn(out.data, "\n")) : "";
    buf_close(&out);
    if (code == 0 && name[0])
        return name;
    if (code == 0)
        run_fail(run, PHASE_FETCH, "the repository holds no archive");
    else
        fail(run, &tool);
    return NULL;
}

int restore_borg(struct run *run)
{
    const char *part = run->source.part ? run->source.part : find_archive(run);
    struct tool tool = {
        .argv = { "borg", "--bypass-lock", "extract" }, .phase = PHASE_RESTORE, .as_self = true, .folder = run->data
    };
    if (!part)
        return -1;
    tool_add(&tool, arena_print(&run->arena, "%s::%s", run->source.path, part));
    prepare_borg(run, &tool);
    int code = tool_run(run, &tool, NULL, run->config->time_ms);
    close_key(&tool);
    return code == 0 ? 0 : fail(run, &tool);
}
