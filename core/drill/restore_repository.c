/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restore_repository - snapshots of restic and archives of borg: the newest, a random one, or the one that is named.
 * Which one it is, is asked for before anything starts, also by a plan: that proves the key, and tells the id and when
 * it was made, which is how old its data is. Their tools read the repository as the daemon's own user: it is theirs to
 * read. Nothing is written into it, not even a lock: the sandbox would not allow it. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/drill/fetch.h"
#include "core/drill/restore.h"

#define LIST_MS 3600000
#define LIST_BYTES_MAX (64u << 20)

static int fail(struct run *run, const struct tool *tool)
{
    const char *said = tool_complaint(run, tool);
    bool key = strstr(said, "wrong password") || strstr(said, "passphrase");
    if (key)
        return run_fail(run, PHASE_DECRYPT, "%s (is 'key' the right secret?)", said);
    return run_fail(run, tool->phase, "%s", said);
}

static void close_key(struct tool *tool)
{
    if (tool->key_fd > 0)
        close(tool->key_fd);
    tool->key_fd = 0;
}

static int run_tool(struct run *run, struct tool *tool, struct buf *out, int64_t limit_ms)
{
    if (tool->key_fd < 0)
        return -1;
    int code = tool_run(run, tool, out, limit_ms);
    close_key(tool);
    return code == 0 ? 0 : fail(run, tool);
}

/* ---- which one --------------------------------------------------------------------------------------------------- */

/* With a zone (restic), or without one in local time (borg); 0: it is none. */
static int64_t read_time(const char *text)
{
    char stamp[20] = "";
    int64_t at_ms = fetch_time(text);
    if (at_ms > 0 || !text)
        return at_ms;
    text_copy(stamp, sizeof stamp, text); /* "2026-11-21T03:04:05" */
    stamp[10] = ' ';
    return restore_read_stamp(stamp);
}

const json_t *restore_pick(const struct run *run, const json_t *list)
{
    size_t count = json_array_size(list), at = count - 1;
    uint32_t dice;
    if (run_wants_random(run) && count > 0) {
        digest_random(&dice, sizeof dice);
        at = dice % count;
    }
    return count > 0 ? json_array_get(list, at) : NULL;
}

/* What tells it from all others, and when it was made. */
static int take(struct run *run, const json_t *list, const char *name_key, const char *path_format)
{
    struct outcome *outcome = run->outcome;
    const json_t *one = restore_pick(run, list);
    const char *name = json_string_value(json_object_get(one, name_key));
    const char *id = json_string_value(json_object_get(one, "id"));
    int64_t at_ms = read_time(json_string_value(json_object_get(one, "time")));
    if ((!name || !id || name[0] == '-') && run->source.part)
        return run_fail(run, PHASE_FETCH, "the repository holds no '%s'", run->source.part);
    if (!name || !id || name[0] == '-')
        return run_fail(run, PHASE_FETCH, "the repository is empty");
    run->source.part = arena_text(&run->arena, name);
    text_copy(outcome->backup_id, sizeof outcome->backup_id, id);
    snprintf(outcome->backup, sizeof outcome->backup, path_format, run->source.path, name);
    if (at_ms > 0)
        outcome->backup_wall_ms = at_ms;
    return 0;
}

int restore_look_restic(struct run *run)
{
    struct tool tool = { .argv = { "restic", "--repo", run->source.path, "--no-lock", "--no-cache", "--quiet",
                                   "--password-file", "/dev/fd/3", "snapshots", "--json" },
                         .phase = PHASE_FETCH,
                         .as_self = true,
                         .key_fd = tool_key(run, PHASE_DECRYPT) };
    struct buf out = { .max_bytes = LIST_BYTES_MAX };
    if (!run_wants_random(run))
        tool_add(&tool, run->source.part ? run->source.part : "latest");
    int code = run_tool(run, &tool, &out, LIST_MS);
    json_t *list = code == 0 ? json_loadb(out.data ? out.data : "", out.length, 0, NULL) : NULL;
    if (code == 0)
        code = take(run, list, "id", "%.3900s/snapshots/%.100s");
    json_decref(list);
    buf_close(&out);
    return code;
}

static void prepare_borg(struct run *run, struct tool *tool)
{
    tool->env[0] = "BORG_PASSPHRASE_FD=3";
    tool->env[1] = "BORG_RELOCATED_REPO_ACCESS_IS_OK=yes";
    tool->env[2] = "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes";
    tool->env[3] = arena_print(&run->arena, "BORG_BASE_DIR=%s/tmp", run->folder);
    tool->key_fd = run->config->key ? tool_key(run, PHASE_DECRYPT) : 0;
}

int restore_look_borg(struct run *run)
{
    struct tool tool = { .argv = { "borg", "--bypass-lock", "list", "--json" }, .phase = PHASE_FETCH, .as_self = true };
    struct buf out = { .max_bytes = LIST_BYTES_MAX };
    if (run->source.part) {
        tool_add(&tool, "--glob-archives");
        tool_add(&tool, run->source.part);
    } else if (!run_wants_random(run)) {
        tool_add(&tool, "--last");
        tool_add(&tool, "1");
    }
    tool_add(&tool, run->source.path);
    prepare_borg(run, &tool);
    int code = run_tool(run, &tool, &out, LIST_MS);
    json_t *json = code == 0 ? json_loadb(out.data ? out.data : "", out.length, 0, NULL) : NULL;
    if (code == 0)
        code = take(run, json_object_get(json, "archives"), "name", "%.3800s::%.200s");
    json_decref(json);
    buf_close(&out);
    return code;
}

/* ---- bringing it ------------------------------------------------------------------------------------------------- */

int restore_restic(struct run *run)
{
    struct tool tool = { .argv = { "restic", "--repo", run->source.path, "--no-lock", "--no-cache", "--quiet",
                                   "--password-file", "/dev/fd/3", "restore", run->source.part, "--target", run->data },
                         .phase = PHASE_RESTORE,
                         .as_self = true,
                         .key_fd = tool_key(run, PHASE_DECRYPT) };
    return run_tool(run, &tool, NULL, run->config->time_ms);
}

int restore_borg(struct run *run)
{
    struct tool tool = {
        .argv = { "borg", "--bypass-lock", "extract" }, .phase = PHASE_RESTORE, .as_self = true, .folder = run->data
    };
    tool_add(&tool, arena_print(&run->arena, "%s::%s", run->source.path, run->source.part));
    prepare_borg(run, &tool);
    return run_tool(run, &tool, NULL, run->config->time_ms);
}
