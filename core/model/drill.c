/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - the table of settings, and both directions of JSON made from it. */
#include "core/model/drill.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/range.h"

#define OF(member) offsetof(struct drill_config, member)
#define IN(member) offsetof(struct drill_assertion, member)
#define MINUTE INT64_C(60000)
#define DAY (24 * 60 * MINUTE)
#define YEAR (365 * DAY)
#define TIB (INT64_C(1) << 40)

static const char *const kinds[] = { "auto",      "mariadb-dump", "mariadb-backup", "postgres-dump", "redis-rdb",
                                     "redis-aof", "archive",      "restic",         "borg",          "pgbackrest",
                                     NULL };
static const char *const decrypts[] = { "auto", "none", "age", "gpg", "openssl", NULL };
static const char *const smokes[] = { "paymenter", "pterodactyl", NULL };
static const char *const unpacks[] = { "auto", "none", "gzip", "zstd", "xz", "bzip2", NULL };

const struct drill_field drill_fields[] = {
    { "title", DRILL_TEXT, OF(title), NULL, "What people call it", NULL, 0, 0 },
    { "source", DRILL_TEXT, OF(source), NULL,
      "The backup: a file, a folder of backups, a pattern (/backup/shop-*.sql.gz), a restic or borg repository, "
      "\"panel:SERVER\" or \"rclone:REMOTE:PATTERN\"",
      NULL, 0, 0 },
    { "panel", DRILL_TEXT, OF(panel), NULL,
      "Address of the Pterodactyl panel, for a source that begins with panel:", NULL, 0, 0 },
    { "access", DRILL_SECRET, OF(access), NULL,
      "Secret that fetches the source: a client key of the panel, or the text of an rclone.conf", NULL, 0, 0 },
    { "stall", DRILL_DURATION, OF(stall_ms), "1m",
      "A source that is fetched, and brings nothing for so long, has failed", NULL, 1000, DAY },
    { "pick", DRILL_TEXT, OF(pick), "newest",
      "Which of several: newest, random, or the name of one (of a repository: of a snapshot or archive)", NULL, 0, 0 },
    { "kind", DRILL_CHOICE, OF(kind), "auto", "What it is; auto: told from its first bytes", kinds, 0, 0 },
    { "decrypt", DRILL_CHOICE, OF(decrypt), "auto", "How it is encrypted; auto: told from its first bytes", decrypts, 0,
      0 },
    { "key", DRILL_SECRET, OF(key), NULL,
      "Secret that opens it: an age identity, a GnuPG secret key or passphrase, the password of openssl, restic, borg",
      NULL, 0, 0 },
    { "cipher", DRILL_TEXT, OF(cipher), "aes-256-cbc", "Of openssl: the cipher; the key is derived by PBKDF2", NULL, 0,
      0 },
    { "decompress", DRILL_CHOICE, OF(decompress), "auto", "How it is compressed; auto: told from its first bytes",
      unpacks, 0, 0 },
    { "database", DRILL_TEXT, OF(database), "drill", "Where a dump goes that names no database of its own", NULL, 0,
      0 },
    { "smoke", DRILL_CHOICE, OF(smoke), NULL, "Questions that Belfry knows for a database of that application", smokes,
      0, 0 },
    { "on", DRILL_TEXT, OF(on), NULL,
      "When it runs by itself: \"daily\", \"weekly\", \"monthly\", \"quarterly\", \"04:00\", \"Sun 04:00\", \"15 "
      "03:30\"",
      NULL, 0, 0 },
    { "rto", DRILL_DURATION, OF(rto_ms), "4h", "The whole must not take longer", NULL, 1000, YEAR },
    { "rpo", DRILL_DURATION, OF(rpo_ms), "24h", "The restored data must not be older", NULL, 1000, 10 * YEAR },
    { "overdue", DRILL_DURATION, OF(overdue_ms), "35d", "CRITICAL when no drill has passed for so long", NULL, MINUTE,
      10 * YEAR },
    { "time", DRILL_DURATION, OF(time_ms), "12h", "A drill is ended after so long", NULL, 1000, 30 * DAY },
    { "space", DRILL_SIZE, OF(space_bytes), "100GiB", "The most disk that it may use", NULL, 1 << 20, 1024 * TIB },
    { "memory", DRILL_SIZE, OF(memory_bytes), "1GiB", "The most memory that its scratch server is given", NULL,
      64 << 20, TIB },
    { "workspace", DRILL_TEXT, OF(workspace), NULL, "Where its folder is made; default: state_dir/scratch", NULL, 0,
      0 },
    { "user", DRILL_TEXT, OF(user), "nobody", "Who its servers and tools run as when belfryd is root", NULL, 0, 0 },
    { "network", DRILL_FLAG, OF(network), "false", "It may use the network: for a repository on another machine", NULL,
      0, 0 },
    { "verify", DRILL_FLAG, OF(verify), "false",
      "Also look at all backups of 'source' every hour, by a check of their own, drills/NAME-backups: age, "
      "completeness, size, retention, place",
      NULL, 0, 0 },
    { "trailer", DRILL_FLAG, OF(trailer), "true",
      "A plain dump must end with its tool's last line; false for dumps made with --skip-comments or --compact", NULL,
      0, 0 },
    { 0 },
};

const struct drill_field drill_assertion_fields[] = {
    { "name", DRILL_TEXT, IN(name), NULL, "What it is called in the report", NULL, 0, 0 },
    { "sql", DRILL_TEXT, IN(sql), NULL, "A question with one value", NULL, 0, 0 },
    { "range", DRILL_TEXT, IN(range), NULL, "The range that the value must lie in (\"1000:\"); without: not 0", NULL, 0,
      0 },
    { "table", DRILL_TEXT, IN(table), NULL, "A table that must have at least min_rows rows", NULL, 0, 0 },
    { "min_rows", DRILL_NUMBER, IN(min_rows), "1", "Of table", NULL, 0, INT64_MAX },
    { "fresh", DRILL_TEXT, IN(fresh), NULL, "A question whose value is a time: that of the newest data", NULL, 0, 0 },
    { "within", DRILL_DURATION, IN(within_ms), NULL, "Of fresh: the time must not be older than so much", NULL, 1000,
      10 * YEAR },
    { "file", DRILL_TEXT, IN(file), NULL, "A file that must have been restored, below the backup's top", NULL, 0, 0 },
    { "sha256", DRILL_TEXT, IN(sha256), NULL, "Of file", NULL, 0, 0 },
    { "key", DRILL_TEXT, IN(key), NULL, "A key that must exist (Redis)", NULL, 0, 0 },
    { "app", DRILL_TEXT, IN(app), NULL,
      "A program that must end with 0; it gets BELFRY_DRILL_SOCKET and BELFRY_DRILL_FOLDER", NULL, 0, 0 },
    { "counts", DRILL_TEXT, IN(counts), NULL,
      "File with the rows of each table when it was dumped: its ending (\".counts\": beside the backup) or its whole "
      "path",
      NULL, 0, 0 },
    { "tolerance", DRILL_NUMBER, IN(tolerance), "0", "Of counts: so many percent off are no difference", NULL, 0, 100 },
    { "checksums", DRILL_TEXT, IN(checksums), NULL,
      "File with the checksum of each table when it was dumped, as CHECKSUM TABLE tells it (MariaDB)", NULL, 0, 0 },
    { 0 },
};

static void *at(const struct drill_field *field, void *of)
{
    return (char *)of + field->offset;
}

json_t *drill_field_json(const struct drill_field *field, const void *of)
{
    const void *value = (const char *)of + field->offset;
    if (field->kind == DRILL_FLAG)
        return json_boolean(*(const bool *)value);
    if (field->kind == DRILL_DURATION || field->kind == DRILL_SIZE || field->kind == DRILL_NUMBER)
        return json_integer(*(const int64_t *)value);
    const char *text = *(const char *const *)value;
    return text ? json_string(text) : NULL;
}

/* ---- one value --------------------------------------------------------------------------------------------------- */

static int set_number(const struct drill_field *field, int64_t *out, const char *written, struct why *why)
{
    static const char *const examples[] = { [DRILL_DURATION] = "36h", [DRILL_SIZE] = "10GiB", [DRILL_NUMBER] = "1000" };
    int64_t value;
    int code = field->kind == DRILL_DURATION ? text_duration(written, &value)
               : field->kind == DRILL_SIZE   ? text_size(written, &value)
                                             : text_integer(written, &value);
    if (code != 0)
        return why_say(why, code, "'%s' is '%s': write something like \"%s\"", field->name, written,
                       examples[field->kind]);
    if (value < field->min || value > field->max)
        return why_say(why, ERROR_RANGE, "'%s' is '%s', which is too %s", field->name, written,
                       value < field->min ? "little" : "much");
    *out = value;
    return 0;
}

static int set_choice(const struct drill_field *field, const char **out, const char *written, struct why *why)
{
    const char *nearest = text_nearest(written, field->choices);
    char known[256] = "";
    for (size_t i = 0; field->choices[i]; i++) {
        if (strcmp(field->choices[i], written) == 0) {
            *out = field->choices[i];
            return 0;
        }
        size_t at = strlen(known);
        snprintf(known + at, sizeof known - at, "%s'%s'", i ? ", " : "", field->choices[i]);
    }
    if (nearest)
        return why_say(why, ERROR_UNKNOWN_NAME, "'%s' can't be '%s'; did you mean '%s'?", field->name, written,
                       nearest);
    return why_say(why, ERROR_UNKNOWN_NAME, "'%s' can't be '%s'; known: %s", field->name, written, known);
}

int drill_field_set(const struct drill_field *field, void *of, const char *written, struct arena *arena,
                    struct why *why)
{
    switch (field->kind) {
    case DRILL_FLAG:
        if (text_flag(written, at(field, of)) != 0)
            return why_say(why, ERROR_SYNTAX, "'%s' is '%s': write true or false", field->name, written);
        return 0;
    case DRILL_DURATION:
    case DRILL_SIZE:
    case DRILL_NUMBER:
        return set_number(field, at(field, of), written, why);
    case DRILL_CHOICE:
        return set_choice(field, at(field, of), written, why);
    default:
        if (written[0] == '\0')
            return why_say(why, ERROR_SYNTAX, "'%s' is empty: leave it out", field->name);
        *(const char **)at(field, of) = arena_text(arena, written);
        return 0;
    }
}

/* ---- what belongs together --------------------------------------------------------------------------------------- */

int drill_assertion_check(const struct drill_assertion *a, struct why *why)
{
    const char *const subjects[] = { a->sql, a->table, a->fresh, a->file, a->key, a->app, a->counts, a->checksums };
    const char *beside = a->counts ? a->counts : a->checksums;
    size_t count = 0;
    unsigned char digest[64];
    struct range range;
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++)
        count += subjects[i] != NULL;
    if (count != 1)
        return why_say(
            why, ERROR_SYNTAX,
            "an assertion asks one thing: write one of sql, table, fresh, file, key, app, counts and checksums");
    if (beside && beside[0] != '/' && (beside[0] != '.' || strchr(beside, '/')))
        return why_say(why, ERROR_SYNTAX,
                       "'%s' is '%s': write the ending of a file beside the backup (\".counts\"), or its whole path",
                       a->counts ? "counts" : "checksums", beside);
    if (a->tolerance && !a->counts)
        return why_say(why, ERROR_SYNTAX, "'tolerance' belongs to counts: write counts = \".counts\";");
    if (a->range && !a->sql)
        return why_say(why, ERROR_SYNTAX, "'range' belongs to sql: write sql = \"SELECT ...\";");
    if (a->within_ms && !a->fresh)
        return why_say(why, ERROR_SYNTAX, "'within' belongs to fresh: write fresh = \"SELECT MAX(...)\";");
    if (a->sha256 && (!a->file || strlen(a->sha256) != 64 || strspn(a->sha256, "0123456789abcdef") != sizeof digest))
        return why_say(why, ERROR_SYNTAX, "'sha256' belongs to file, and is 64 lower-case hex digits");
    if (a->file && (a->file[0] == '/' || strstr(a->file, "..")))
        return why_say(why, ERROR_SYNTAX, "'file' is '%s': write a path below the backup's top, without '..'", a->file);
    if (a->app && a->app[0] != '/')
        return why_say(why, ERROR_SYNTAX, "'app' is '%s': write the program's whole path", a->app);
    return a->range ? range_parse(a->range, &range, why) : 0;
}

static bool begins(const char *text, const char *with)
{
    return text && strncmp(text, with, strlen(with)) == 0;
}

bool drill_is_remote(const struct drill_config *drill)
{
    return begins(drill->source, "panel:") || begins(drill->source, "rclone:");
}

/* A server's id, with the panel and a key; a remote with a path. */
static int check_remote(const struct drill_config *drill, struct why *why)
{
    const char *at = strchr(drill->source, ':') + 1;
    bool panel = begins(drill->source, "panel:");
    bool is_id = at[0] && at[strspn(at, "0123456789abcdefABCDEF-")] == '\0';
    if (panel && !is_id)
        return why_say(why, ERROR_SYNTAX, "'source' is '%s': write the server's identifier, \"panel:1a7ce997\"",
                       drill->source);
    if (panel && !(begins(drill->panel, "https://") || begins(drill->panel, "http://")))
        return why_say(why, ERROR_SYNTAX,
                       "a source that begins with panel: needs its address: write panel = "
                       "\"https://panel.example.net\";");
    if (panel && !drill->access)
        return why_say(why, ERROR_SYNTAX,
                       "a source that begins with panel: needs a client key: write access = \"@NAME\";");
    if (!panel && (at[0] == '-' || !strchr(at, ':')))
        return why_say(why, ERROR_SYNTAX, "'source' is '%s': write \"rclone:REMOTE:FOLDER/PATTERN\"", drill->source);
    return 0;
}

int drill_check(const struct drill_config *drill, struct why *why)
{
    if (!drill->source)
        return why_say(why, ERROR_SYNTAX, "drill '%s' has no source: write source = \"/backup/shop-*.sql.gz\";",
                       drill->name);
    if (drill_is_remote(drill)) {
        int code = check_remote(drill, why);
        if (code != 0)
            return code;
    } else if (drill->source[0] != '/' && !drill->network) {
        return why_say(
            why, ERROR_SYNTAX,
            "'source' is '%s': write its whole path, \"panel:SERVER\" or \"rclone:REMOTE:PATTERN\" (or network "
            "= true; for a repository)",
            drill->source);
    }
    if (drill->workspace && drill->workspace[0] != '/')
        return why_say(why, ERROR_SYNTAX, "'workspace' is '%s': write its whole path", drill->workspace);
    return drill->on ? drill_on_check(drill->on, why) : 0;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json_t *encode(const struct drill_field *fields, const void *of)
{
    json_t *json = json_object();
    for (const struct drill_field *field = fields; field->name; field++) {
        json_t *value = drill_field_json(field, of);
        if (value)
            json_object_set_new(json, field->name, value);
    }
    return json;
}

json_t *drill_encode(const struct drill_config *drill)
{
    json_t *json = encode(drill_fields, drill), *list = json_array();
    for (uint32_t i = 0; i < drill->assertion_count; i++)
        json_array_append_new(list, encode(drill_assertion_fields, &drill->assertions[i]));
    json_object_set_new(json, "name", json_string(drill->name));
    json_object_set_new(json, "assertions", list);
    if (drill->backup)
        json_object_set_new(json, "backup", json_string(drill->backup));
    return json;
}

static void decode(const struct drill_field *fields, const json_t *json, struct arena *arena, void *of)
{
    for (const struct drill_field *field = fields; field->name; field++) {
        const json_t *value = json_object_get(json, field->name);
        if (field->kind == DRILL_FLAG)
            *(bool *)at(field, of) = json_is_true(value);
        else if (json_is_integer(value))
            *(int64_t *)at(field, of) = json_integer_value(value);
        else if (json_is_string(value))
            *(const char **)at(field, of) = arena_text(arena, json_string_value(value));
    }
}

/* A number is where a number belongs. */
static bool fits(const struct drill_field *fields, const json_t *json)
{
    bool good = json_is_object(json);
    for (const struct drill_field *field = fields; field->name && good; field++) {
        const json_t *value = json_object_get(json, field->name);
        bool number = field->kind == DRILL_DURATION || field->kind == DRILL_SIZE || field->kind == DRILL_NUMBER;
        good = !value || (field->kind == DRILL_FLAG ? json_is_boolean(value)
                          : number                  ? json_is_integer(value)
                                                    : json_is_string(value));
    }
    return good;
}

int drill_decode(const json_t *json, struct arena *arena, struct drill_config *out)
{
    const json_t *list = json_object_get(json, "assertions"), *one;
    size_t i;
    if (!fits(drill_fields, json) || !json_is_array(list) || json_array_size(list) > DRILL_ASSERTIONS_MAX ||
        !json_is_string(json_object_get(json, "name")))
        return ERROR_SYNTAX;
    *out = (struct drill_config){ .name = arena_text(arena, json_string_value(json_object_get(json, "name"))) };
    decode(drill_fields, json, arena, out);
    out->backup = arena_text(arena, json_string_value(json_object_get(json, "backup")));
    out->assertion_count = (uint32_t)json_array_size(list);
    out->assertions = arena_array(arena, out->assertion_count + 1, sizeof *out->assertions);
    json_array_foreach(list, i, one)
    {
        if (!fits(drill_assertion_fields, one))
            return ERROR_SYNTAX;
        decode(drill_assertion_fields, one, arena, &out->assertions[i]);
    }
    return 0;
}
