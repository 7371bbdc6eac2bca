/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fetch_rclone - backups where rclone gets at them: S3 and its likes, SFTP, WebDAV, another eighty.
 *
 *     rclone:REMOTE:FOLDER/PATTERN        the newest of these; without a pattern, of the folder: end it with a '/'
 *
 * `rclone lsjson` tells names, sizes and times, `rclone cat` sends. Its configuration is the secret `access`; it reads
 * it from a descriptor, and can't write it. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/drill/fetch.h"

#define LIST_BYTES_MAX (32u << 20)

/* Behind the last '/', or the ':' before it. */
static const char *find_pattern(const char *where)
{
    const char *slash = strrchr(where, '/');
    return (slash ? slash : strrchr(where, ':')) + 1;
}

static void prepare(struct run *run, struct tool *tool, const char *verb)
{
    long long seconds = (long long)((run->config->stall_ms + 999) / 1000);
    *tool =
        (struct tool){ .argv = { "rclone", verb, "--log-format", "", "--retries", "1", "--low-level-retries", "3" } };
    tool_add(tool, arena_print(&run->arena, "--contimeout=%llds", seconds));
    tool_add(tool, arena_print(&run->arena, "--timeout=%llds", seconds));
    tool->env[0] = run->config->access ? "RCLONE_CONFIG=/dev/fd/3" : "RCLONE_CONFIG=/dev/null";
}

static void consider(struct run *run, struct fetch_choice *out, const json_t *item, const char *pattern)
{
    const char *name = json_string_value(json_object_get(item, "Name"));
    struct fetch_choice one = { .wall_ms = fetch_time(json_string_value(json_object_get(item, "ModTime"))),
                                .bytes = json_integer_value(json_object_get(item, "Size")) };
    const char *where = strchr(run->config->source, ':') + 1;
    if (!name || json_is_true(json_object_get(item, "IsDir")) || strchr(name, '/') ||
        (*pattern ? fnmatch(pattern, name, FNM_PERIOD) != 0 : name[0] == '.') || source_is_beside(run, name))
        return;
    int n = snprintf(one.name, sizeof one.name, "%.*s%s", (int)(find_pattern(where) - where), where, name);
    if (n < 0 || n >= (int)sizeof one.name)
        return;
    text_copy(one.id, sizeof one.id, name);
    fetch_consider(run, out, &one);
}

static int find(struct run *run, struct fetch_choice *out)
{
    const char *where = strchr(run->config->source, ':') + 1, *pattern = find_pattern(where);
    struct buf list = { .max_bytes = LIST_BYTES_MAX };
    struct tool tool;
    json_t *item, *json = NULL;
    size_t i;
    *out = (struct fetch_choice){ 0 };
    prepare(run, &tool, "lsjson");
    tool_add(&tool, "--files-only");
    tool_add(&tool, "--no-mimetype");
    tool_add(&tool, "--");
    tool_add(&tool, arena_text_n(&run->arena, where, (size_t)(pattern - where)));
    int code = fetch_tell(run, &tool, run->config->access ? run->config->access : "", &list);
    if (code == 0 && !(json = json_loads(list.data ? list.data : "", 0, NULL)))
        code = run_fail(run, PHASE_FETCH, "what rclone lsjson tells is no JSON");
    json_array_foreach(json, i, item) consider(run, out, item, pattern);
    json_decref(json);
    buf_close(&list);
    return code;
}

static int open_rclone(struct run *run, const struct fetch_choice *choice, struct tool *tool)
{
    prepare(run, tool, "cat");
    tool_add(tool, "--");
    tool_add(tool, arena_text(&run->arena, choice->name));
    return fetch_prepare(run, tool, run->config->access ? run->config->access : "");
}

const struct fetch_scheme fetch_rclone = { "rclone:", find, open_rclone };
