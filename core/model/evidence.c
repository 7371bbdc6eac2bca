/* SPDX-License-Identifier: GPL-3.0-or-later */
/* evidence - written atomically, so that who reads never sees half of it. */
#include "core/model/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/file.h"

#define LAST_BYTES_MAX (1u << 20)

/* The last that passed, as last.json has it so far. */
static json_t *read_passed(const char *path)
{
    struct arena arena = { 0 };
    char *text = NULL;
    size_t length = 0;
    json_t *root =
        file_read(&arena, path, LAST_BYTES_MAX, &text, &length) == 0 ? json_loadb(text, length, 0, NULL) : NULL;
    json_t *passed = json_incref(json_object_get(root, "passed"));
    json_decref(root);
    arena_close(&arena);
    return passed ? passed : json_null();
}

static int write_json(const char *path, const json_t *json, char hex[65])
{
    unsigned char digest[DIGEST_SIZE];
    char *text = json_dumps(json, JSON_INDENT(2));
    if (!text)
        return ERROR_SYNTAX;
    if (hex) {
        digest_sha256(text, strlen(text), digest);
        digest_hex(digest, hex);
    }
    int code = file_replace(path, text, strlen(text), 0640);
    free(text);
    return code;
}

int evidence_keep(const char *folder, json_t *evidence, char hex[65])
{
    struct arena arena = { 0 };
    const char *last = file_join(&arena, folder, "last.json");
    const char *id = json_string_value(json_object_get(evidence, "id"));
    const char *result = json_string_value(json_object_get(evidence, "result"));
    int code = id && result ? file_make_folders(folder, 0750) : ERROR_SYNTAX;
    if (code == 0)
        code = write_json(file_join(&arena, folder, arena_print(&arena, "%s.json", id)), evidence, hex);
    if (code == 0) {
        bool good = strcmp(result, "passed") == 0;
        json_t *both =
            json_pack("{s:O, s:o}", "last", evidence, "passed", good ? json_incref(evidence) : read_passed(last));
        code = write_json(last, both, NULL);
        json_decref(both);
    }
    arena_close(&arena);
    return code;
}
