/* SPDX-License-Identifier: GPL-3.0-or-later */
/* asked - backups that a tool tells of: it is started to list them, and its JSON is read.
 *
 *     restic:REPOSITORY     restic --no-lock --no-cache snapshots: a series for each host and its paths
 *     borg:REPOSITORY       borg --bypass-lock list: a series of archives whose names differ in their dates only
 *     rclone:REMOTE:PATH    rclone lsjson: files, in series like those of a folder
 *     pgbackrest:STANZA     pgbackrest info: a series for each stanza; without a name all
 *
 * The key is read from descriptor 3: it is in no argument and in no variable, where others could see it. Nothing is
 * written into the repository, not even a lock. What is proven is age, number and, where the tool tells them, sizes.
 *
 * Diagnostics: "'restic' is not installed", "restic: wrong password or no key found" (what it said last). */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/backup-restore/backup.h"
#include "plugins/common/say.h"
#include "plugins/common/tree.h"
#include "plugins/exec/exec.h"

#define LIST_MAX ((size_t)6 * 1024 * 1024) /* of the 16 MiB of a run */
#define WORDS_MAX 16
#define ENV_MAX 40
#define KEY_FILE "/dev/fd/3"
#define SAID_MAX 240 /* of what a tool complains: it may name a long path before it says what is wrong with it */

/* One question to a tool. */
struct asked {
    const char *argv[WORDS_MAX];
    const char *env[4];  /* more variables */
    const char *package; /* of Debian */
    bool keyed;          /* it reads the key */
};

static const char *find_path(struct belfry_probe *p)
{
    for (size_t i = 0; i < belfry_count(p, "env"); i++)
        if (strcmp(belfry_key(p, "env", i), "PATH") == 0)
            return belfry_item(p, "env", i);
    return "/usr/local/bin:/usr/bin:/bin";
}

static const char *find_program(struct belfry_probe *p, const char *name)
{
    for (const char *folder = find_path(p); *folder;) {
        int length = (int)strcspn(folder, ":");
        const char *path = belfry_print(p, "%.*s/%s", length, folder, name);
        if (length > 0 && access(path, X_OK) == 0)
            return path;
        folder += length + (folder[length] == ':');
    }
    return NULL;
}

static char *own(struct belfry_probe *p, const char *text)
{
    return say_copy(p, text, strlen(text));
}

/* Times without a zone are UTC's then. */
static char **make_env(struct belfry_probe *p, const struct asked *asked)
{
    static const char *const maps[] = { "env", "secret_env" };
    static const char *const fixed[] = { "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/nonexistent" };
    char **env = belfry_alloc(p, (ENV_MAX + 1) * sizeof *env);
    size_t n = 0;
    env[n++] = own(p, belfry_print(p, "PATH=%s", find_path(p)));
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        env[n++] = own(p, fixed[i]);
    for (size_t i = 0; i < 4 && asked->env[i]; i++)
        env[n++] = own(p, asked->env[i]);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < belfry_count(p, maps[k]) && n < ENV_MAX; i++)
            if (strcmp(belfry_key(p, maps[k], i), "PATH") != 0)
                env[n++] = own(p, belfry_print(p, "%s=%s", belfry_key(p, maps[k], i), belfry_item(p, maps[k], i)));
    env[n] = NULL;
    return env;
}

/* What a tool says when the key is wrong, in words of its own. */
static bool is_key_wrong(const char *said)
{
    static const char *const words[] = { "wrong password", "passphrase supplied in", "ciphertext verification failed" };
    size_t i = 0;
    while (i < sizeof words / sizeof words[0] && !strstr(said, words[i]))
        i++;
    return i < sizeof words / sizeof words[0];
}

/* The last line that it said; never what it was given. */
static const char *complaint(struct belfry_probe *p, const struct exec_child *child, const char *name)
{
    char *said = child->err.bytes, *end = said + strlen(said);
    const char *key = belfry_text(p, "key");
    for (char *found; key && *key && (found = strstr(said, key));)
        memset(found, '*', strlen(key));
    while (end > said && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
        end--;
    const char *line = end;
    while (line > said && line[-1] != '\n')
        line--;
    if (child->timed_out)
        return belfry_print(p, "%s did not answer in the time", name);
    if (is_key_wrong(said))
        return belfry_print(p, "%s: the key in option 'key' does not open it", name);
    if (end > line)
        return belfry_print(p, "%s: %.*s", name, (int)(end - line < SAID_MAX ? end - line : SAID_MAX), line);
    return belfry_print(p, child->code == CLD_EXITED ? "%s ended with exit status %d" : "%s was ended by signal %d",
                        name, child->status);
}

/* pgBackRest quotes bytes that are no text, where it should have a key and has none. */
static json_t *read_tree(char *bytes, size_t count)
{
    json_error_t error;
    json_t *tree = json_loadb(bytes, count, 0, &error);
    for (size_t i = 0; i < count && !tree; i++)
        bytes[i] = (unsigned char)bytes[i] < ' ' ? ' ' : (unsigned char)bytes[i] > '~' ? '?' : bytes[i];
    return tree ? tree : json_loadb(bytes, count, 0, &error);
}

/* What it answered; NULL when that was said. */
static json_t *start(struct backup_run *run, const char *source, struct asked *asked)
{
    struct belfry_probe *p = run->p;
    const char *name = asked->argv[0], *path = find_program(p, name);
    struct exec_child child = { .p = p, .room = LIST_MAX, .envp = make_env(p, asked) };
    if (!path) {
        backup_refuse(run, source, BELFRY_UNKNOWN, "'%s' is not installed; on Debian: apt-get install %s", name,
                      asked->package);
        return NULL;
    }
    size_t n = 0;
    child.argv = belfry_alloc(p, (WORDS_MAX + 1) * sizeof *child.argv);
    for (; n < WORDS_MAX && asked->argv[n]; n++)
        child.argv[n] = own(p, n == 0 ? path : asked->argv[n]);
    child.argv[n] = NULL;
    child.key = asked->keyed ? belfry_text(p, "key") : NULL;
    int failed = exec_run(&child);
    if (failed)
        backup_refuse(run, source, BELFRY_UNKNOWN, "'%s' can't be started: %s", path, say_error(p, -failed));
    else if (child.timed_out || child.code != CLD_EXITED || child.status != 0)
        backup_refuse(run, source, child.timed_out ? BELFRY_UNKNOWN : BELFRY_CRITICAL, "%s",
                      complaint(p, &child, name));
    else if (child.out.total > child.out.kept)
        backup_refuse(run, source, BELFRY_UNKNOWN, "%s lists more than 6 MiB: name less of it", name);
    else {
        json_t *tree = read_tree(child.out.bytes, child.out.kept);
        if (tree)
            return tree;
        backup_refuse(run, source, BELFRY_UNKNOWN, "%s answered with what is no JSON", name);
    }
    return NULL;
}

static json_t *ask(struct backup_run *run, const char *source, struct asked *asked)
{
    if (backup_may_start)
        return start(run, source, asked);
    backup_refuse(run, source, BELFRY_UNKNOWN, "this plugin starts no programs: write plugin = \"backup-tools\"");
    return NULL;
}

static void judge_series(struct backup_run *run, const char *source, const char *name, struct backup *first)
{
    backup_judge(run, name ? belfry_print(run->p, "%s/%s", source, name) : source, first);
}

/* ---- restic ---------------------------------------------------------------------------------------------------- */

/* "web1:/etc,/srv": what restic itself keeps apart. */
static const char *restic_series(struct backup_run *run, const json_t *snapshot)
{
    const char *text = tree_text(run->p, snapshot, "hostname", "?");
    for (size_t i = 0; i < tree_count(snapshot, "paths") && i < 8; i++) {
        const char *path = json_string_value(tree_item(snapshot, "paths", i));
        text = belfry_print(run->p, "%s%c%.100s", text, i == 0 ? ':' : ',', path ? path : "?");
    }
    return text;
}

/* Takes the snapshots of the first series out of those that were not taken yet. */
static struct backup *take_series(struct backup_run *run, const json_t *tree, const char **names, const char *series)
{
    struct backup *first = NULL;
    for (size_t i = 0; i < json_array_size(tree); i++) {
        const json_t *one = json_array_get(tree, i);
        if (!names[i] || strcmp(names[i], series) != 0)
            continue;
        names[i] = NULL;
        int64_t when = tree_time(one, "time");
        if (when <= 0)
            continue;
        first = remote_add(run, first, tree_text(run->p, one, "short_id", "snapshot"), when,
                           tree_integer(one, "summary.total_bytes_processed", 0));
        first->told = "restic snapshot";
    }
    return first;
}

void restic_look(struct backup_run *run, const char *source, const char *repository)
{
    struct asked asked = { .argv = { "restic", "--repo", repository, "--no-lock", "--no-cache", "--json",
                                     "--password-file", KEY_FILE, "snapshots" },
                           .package = "restic",
                           .keyed = true };
    if (!belfry_text(run->p, "key")) {
        backup_refuse(run, source, BELFRY_UNKNOWN, "set 'key' to the repository's password, or look at its folder");
        return;
    }
    json_t *tree = ask(run, source, &asked);
    size_t count = json_array_size(tree);
    const char **names = belfry_alloc(run->p, (count + 1) * sizeof *names);
    if (tree && count == 0)
        backup_refuse(run, source, BELFRY_CRITICAL, "no snapshot in the repository '%s'", repository);
    for (size_t i = 0; i < count; i++)
        names[i] = restic_series(run, json_array_get(tree, i));
    for (size_t i = 0; i < count; i++) {
        const char *series = names[i];
        struct backup *first = series ? take_series(run, tree, names, series) : NULL;
        if (first)
            judge_series(run, source, series, first);
    }
    json_decref(tree);
}

/* ---- borg ------------------------------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    remove(path);
    return 0;
}

/* It writes down which repositories it has met, also when it only lists: into a folder that is taken away again. */
void borg_look(struct backup_run *run, const char *source, const char *repository)
{
    char base[] = "/tmp/belfry-borg-XXXXXX";
    struct backup *first = NULL;
    if (backup_may_start && !mkdtemp(base)) {
        backup_refuse(run, source, BELFRY_UNKNOWN, "no folder in /tmp for borg: %s", say_error(run->p, errno));
        return;
    }
    bool keyed = belfry_text(run->p, "key") != NULL;
    struct asked asked = { .argv = { "borg", "--bypass-lock", "list", "--json", repository },
                           .env = { belfry_print(run->p, "BORG_BASE_DIR=%s", base),
                                    "BORG_RELOCATED_REPO_ACCESS_IS_OK=yes",
                                    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes",
                                    keyed ? "BORG_PASSPHRASE_FD=3" : "BORG_PASSPHRASE=" },
                           .package = "borgbackup",
                           .keyed = keyed };
    json_t *tree = ask(run, source, &asked);
    if (backup_may_start)
        nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < tree_count(tree, "archives"); i++) {
        const json_t *one = tree_item(tree, "archives", i);
        int64_t when = tree_time(one, "start");
        if (when > 0) {
            first = remote_add(run, first, tree_text(run->p, one, "name", "archive"), when, 0);
            first->told = "borg archive";
        }
    }
    if (tree && !first)
        backup_refuse(run, source, BELFRY_CRITICAL, "no archive in the repository '%s'", repository);
    if (tree && belfry_flag(run->p, "encrypted") &&
        strcmp(tree_text(run->p, tree, "encryption.mode", "none"), "none") == 0)
        backup_refuse(run, belfry_print(run->p, "%s (encryption)", source), BELFRY_CRITICAL, "is not encrypted");
    series_judge(run, source, first, true);
    json_decref(tree);
}

/* ---- rclone ---------------------------------------------------------------------------------------------------- */

void rclone_look(struct backup_run *run, const char *source, const char *remote)
{
    const char *config = belfry_text(run->p, "config");
    struct asked asked = { .argv = { "rclone", "lsjson", "-R", "--files-only", "--no-mimetype", "--retries", "1",
                                     remote },
                           .package = "rclone" };
    if (config) {
        asked.argv[8] = "--config";
        asked.argv[9] = config;
    }
    json_t *tree = ask(run, source, &asked);
    if (tree)
        listing_judge(run, source, tree);
    json_decref(tree);
}

/* ---- pgBackRest ------------------------------------------------------------------------------------------------ */

/* The first line, cut to fit; what follows a file that can't be read is bytes of it. */
static const char *repository_trouble(struct belfry_probe *p, const char *said)
{
    size_t n = strcspn(said, "\n");
    if (strstr(said, "unable to load info file") && (strstr(said, "FormatError: ") || strstr(said, "CryptoError: ")))
        return "backup.info can't be read: the cipher type and pass in pgBackRest's configuration do not open it, or "
               "it is damaged";
    return belfry_print(p, "%.*s", (int)(n < SAID_MAX ? n : SAID_MAX), said);
}

/* The first repository that is not well knows why; of the stanza it is said that it is so. */
static const char *stanza_trouble(struct belfry_probe *p, const json_t *stanza)
{
    for (size_t i = 0; i < tree_count(stanza, "repo"); i++) {
        const json_t *repo = tree_item(stanza, "repo", i);
        const char *said = tree_text(p, repo, "status.message", "");
        if (tree_integer(repo, "status.code", 0) != 0 && *said)
            return repository_trouble(p, said);
    }
    return tree_text(p, stanza, "status.message", "it says that it is not well");
}

static void judge_stanza(struct backup_run *run, const char *source, const json_t *stanza)
{
    const char *name = tree_text(run->p, stanza, "name", "?");
    struct backup *first = NULL;
    for (size_t i = 0; i < tree_count(stanza, "backup"); i++) {
        const json_t *one = tree_item(stanza, "backup", i);
        int64_t when = tree_integer(one, "timestamp.stop", 0);
        if (when <= 0)
            continue;
        first =
            remote_add(run, first, tree_text(run->p, one, "label", "backup"), when, tree_integer(one, "info.size", 0));
        first->told = belfry_print(run->p, "pgBackRest backup (%s)", tree_text(run->p, one, "type", "?"));
        if (tree_flag(one, "error", false))
            backup_refuse(run, belfry_print(run->p, "%s/%s (%s)", source, name, first->name), BELFRY_CRITICAL,
                          "was made with errors (page checksums)");
    }
    if (tree_integer(stanza, "status.code", 0) != 0)
        backup_refuse(run, belfry_print(run->p, "%s/%s (status)", source, name), BELFRY_CRITICAL, "pgbackrest: %s",
                      stanza_trouble(run->p, stanza));
    if (first)
        judge_series(run, source, name, first);
    else if (tree_integer(stanza, "status.code", 0) == 0)
        backup_refuse(run, belfry_print(run->p, "%s/%s", source, name), BELFRY_CRITICAL, "no backup");
}

void pgbackrest_look(struct backup_run *run, const char *source, const char *stanza)
{
    const char *config = belfry_text(run->p, "config");
    struct asked asked = { .argv = { "pgbackrest", "info", "--output=json", "--log-level-file=off" },
                           .package = "pgbackrest" };
    size_t n = 4;
    if (*stanza)
        asked.argv[n++] = belfry_print(run->p, "--stanza=%s", stanza);
    if (config)
        asked.argv[n++] = belfry_print(run->p, "--config=%s", config);
    json_t *tree = ask(run, source, &asked);
    if (tree && json_array_size(tree) == 0)
        backup_refuse(run, source, BELFRY_CRITICAL, "pgBackRest knows no stanza");
    for (size_t i = 0; i < json_array_size(tree); i++)
        judge_stanza(run, source, json_array_get(tree, i));
    json_decref(tree);
}
