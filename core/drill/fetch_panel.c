/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fetch_panel - backups of a server, through the client API of a Pterodactyl or Pelican panel:
 *
 *     GET /api/client/servers/SERVER/backups?per_page=50&page=N        list (permission backup.read)
 *     GET /api/client/servers/SERVER/backups/UUID/download             a signed link (backup.download), good once, for
 * a few minutes: of the node, or of S3
 *
 * Of those that are whole (completed and successful) the newest is taken, or a random one, or the one whose name or
 * UUID `pick` says. The panel knows their size and SHA-1. Asking is done by curl: key and link go to it by descriptor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/drill/fetch.h"

#define ANSWER_BYTES_MAX (4u << 20)
#define PAGES_MAX 20

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* In curl's quotes; what is no text ends it. */
static void put(struct buf *out, const char *name, const char *value)
{
    buf_print(out, "%s = \"", name);
    for (; (unsigned char)*value >= 0x20; value++) {
        if (*value == '"' || *value == '\\')
            buf_char(out, '\\');
        buf_char(out, *value);
    }
    buf_text(out, "\"\n");
}

static void put_common(struct run *run, struct buf *out, const char *url)
{
    int64_t seconds = (run->config->stall_ms + 999) / 1000;
    buf_text(out, "silent\nshow-error\ngloboff\nproto = \"=http,https\"\n");
    buf_print(out, "connect-timeout = %lld\n", (long long)seconds);
    put(out, "url", url);
}

/* What a status means to whoever has set the drill up. */
static int refuse(struct run *run, const char *status)
{
    static const struct {
        const char *status, *meaning;
    } meanings[] = {
        { "401", ": it does not know the key of 'access'" },
        { "403", ": the key of 'access' lacks backup.read or backup.download, or may not be used from here" },
        { "404", ": there is no such server, or the key's owner may not see it" },
        { "409", ": the server is suspended, being installed or moved, or its node is in maintenance" },
        { "429", ": too many calls by the key's owner" },
        { "504", ": it does not reach the server's node" },
    };
    const char *meaning = "";
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(meanings[i].status, status) == 0)
            meaning = meanings[i].meaning;
    return run_fail(run, PHASE_FETCH, "the panel answers with status %s%s", status, meaning);
}

/* The answer to GET PATH as JSON; NULL after run_fail(). */
static json_t *ask(struct run *run, const char *path)
{
    const char *base = run->config->panel;
    size_t length = strlen(base);
    struct buf config = { .max_bytes = 65536 }, out = { .max_bytes = ANSWER_BYTES_MAX };
    struct tool curl = { .argv = { "curl", "--disable", "--config", "/dev/fd/3" } };
    while (length > 0 && base[length - 1] == '/')
        length--;
    put_common(run, &config, arena_print(&run->arena, "%.*s%s", (int)length, base, path));
    buf_print(&config, "max-time = %lld\n", (long long)((run->config->stall_ms + 999) / 1000));
    put(&config, "header", "Accept: application/json");
    put(&config, "header", arena_print(&run->arena, "Authorization: Bearer %s", run->config->access));
    buf_text(&config, "write-out = \"\\n%{http_code}\"\n");
    int code = fetch_tell(run, &curl, config.data, &out);
    explicit_bzero(config.data, config.length);
    char *status = code == 0 && out.data ? strrchr(out.data, '\n') : NULL;
    json_t *json = NULL;
    if (status)
        *status++ = '\0';
    if (status && strcmp(status, "200") != 0)
        refuse(run, status);
    else if (status && !(json = json_loads(out.data, 0, NULL)))
        run_fail(run, PHASE_FETCH, "what answers at '%s' is no panel: its answer is no JSON", base);
    else if (!status)
        run_fail(run, PHASE_FETCH, "the panel does not answer");
    buf_close(&config);
    buf_close(&out);
    return json;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_id(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 64 && strspn(text, "0123456789abcdefABCDEF-") == length;
}

/* One that runs still has no completed_at; one that failed is not successful. */
static void consider(struct run *run, struct fetch_choice *out, const json_t *a)
{
    const char *id = text_of(a, "uuid"), *name = text_of(a, "name");
    struct fetch_choice one = { .wall_ms = fetch_time(text_of(a, "completed_at")),
                                .bytes = json_integer_value(json_object_get(a, "bytes")) };
    if (!json_is_true(json_object_get(a, "is_successful")) || one.wall_ms <= 0 || !is_id(id))
        return;
    text_copy(one.id, sizeof one.id, id);
    text_copy(one.checksum, sizeof one.checksum, text_of(a, "checksum"));
    text_visible(one.name, sizeof one.name, name, false);
    fetch_consider(run, out, &one);
}

static int find(struct run *run, struct fetch_choice *out)
{
    const char *server = strchr(run->config->source, ':') + 1;
    int64_t pages = 1;
    *out = (struct fetch_choice){ 0 };
    for (int64_t page = 1; page <= pages && page <= PAGES_MAX; page++) {
        json_t *one, *json = ask(run, arena_print(&run->arena, "/api/client/servers/%s/backups?per_page=50&page=%lld",
                                                  server, (long long)page));
        const json_t *meta = json_object_get(json_object_get(json, "meta"), "pagination");
        size_t i;
        if (!json)
            return -1;
        json_array_foreach(json_object_get(json, "data"), i, one)
            consider(run, out, json_object_get(one, "attributes"));
        pages = json_integer_value(json_object_get(meta, "total_pages"));
        json_decref(json);
    }
    const char *name = arena_text(&run->arena, out->name);
    if (out->id[0])
        snprintf(out->name, sizeof out->name, "%.120s/%.64s (%.200s)", run->config->source, out->id, name);
    return 0;
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static int open_panel(struct run *run, const struct fetch_choice *choice, struct tool *tool)
{
    const char *server = strchr(run->config->source, ':') + 1;
    struct buf config = { .max_bytes = 65536 };
    json_t *json = ask(run, arena_print(&run->arena, "/api/client/servers/%s/backups/%s/download", server, choice->id));
    if (!json)
        return -1;
    const char *url = text_of(json_object_get(json, "attributes"), "url");
    int code = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0
                   ? 0
                   : run_fail(run, PHASE_FETCH, "the panel gives no link to the backup");
    *tool = (struct tool){ .argv = { "curl", "--disable", "--config", "/dev/fd/3" } };
    put_common(run, &config, url);
    buf_text(&config, "fail\n");
    if (code == 0)
        code = fetch_prepare(run, tool, config.data);
    buf_close(&config);
    json_decref(json);
    return code;
}

const struct fetch_scheme fetch_panel = { "panel:", find, open_panel };
