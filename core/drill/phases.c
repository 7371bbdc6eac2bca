/* SPDX-License-Identifier: GPL-3.0-or-later */
/* phases - the runner's way: find the backup, see what it is and whether it fits, start a server, restore, ask. A plan
 * ends before anything is started. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/drill/flow.h"
#include "core/drill/server.h"

#define RESERVE_BYTES (INT64_C(64) << 20) /* that a drill leaves free */
#define FULL_BYTES (INT64_C(32) << 20)    /* with less, servers and tools fail, each in words of its own */

static const char *const phase_names[PHASE_COUNT] = {
#define PHASE_NAME_(id, name, doc) [id] = name,
    PHASE_LIST(PHASE_NAME_)
#undef PHASE_NAME_
};

const char *phase_name(enum phase phase)
{
    return (unsigned)phase < PHASE_COUNT ? phase_names[phase] : "unknown";
}

/* ---- where it is ------------------------------------------------------------------------------------------------- */

void run_begin(struct run *run, enum phase phase)
{
    struct outcome *outcome = run->outcome;
    int64_t now_ms = clock_now_ms();
    int before = atomic_load(&outcome->phase);
    if (run->phase_ms)
        outcome->phase_ms[before] += now_ms - run->phase_ms + (outcome->phase_ms[before] < 0);
    run->phase_ms = now_ms;
    atomic_store(&outcome->phase_began_ms, now_ms);
    atomic_store(&outcome->phase, (int)phase);
}

int64_t run_recovery_ms(const struct run *run)
{
    const struct outcome *outcome = run->outcome;
    bool over = atomic_load(&outcome->phase) == PHASE_CLEAN;
    return (over ? atomic_load(&outcome->phase_began_ms) : clock_now_ms()) - run->started_ms;
}

/* A tool may say what it was given. */
static void hide_secret(const char *line, char *text)
{
    while (line && *line) {
        size_t length = strcspn(line, "\n");
        char *found = length >= 4 ? memmem(text, strlen(text), line, length) : NULL;
        if (found)
            memset(found, '*', length);
        else
            line += length + (line[length] == '\n');
    }
}

static int64_t free_bytes(const struct run *run)
{
    struct statvfs fs;
    return run->folder_fd >= 0 && fstatvfs(run->folder_fd, &fs) == 0 ? (int64_t)fs.f_bavail * (int64_t)fs.f_frsize : -1;
}

/* What fails on a full disk says so in many ways, or not at all. */
static void add_full_disk(const struct run *run, char *text, size_t size)
{
    char have[TEXT_VALUE_SIZE];
    int64_t bytes = free_bytes(run);
    size_t length = strlen(text);
    if (bytes < 0 || bytes >= FULL_BYTES)
        return;
    text_format_value(have, (double)bytes, "B");
    snprintf(text + length, size - length,
             " (the disk is full: %s are free in '%.200s'; write workspace = \"...\"; for another one)", have,
             run->config->workspace);
}

int run_fail(struct run *run, enum phase phase, const char *format, ...)
{
    struct outcome *outcome = run->outcome;
    char text[1024];
    va_list args;
    if (outcome->result == DRILL_FAILED) /* what follows from the first failure */
        return -1;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (phase > PHASE_FETCH && run->config)
        add_full_disk(run, text, sizeof text);
    hide_secret(run->config ? run->config->key : NULL, text);
    hide_secret(run->config ? run->config->access : NULL, text);
    text_visible(outcome->why, sizeof outcome->why, text, false);
    outcome->failed_phase = phase;
    outcome->result = DRILL_FAILED;
    return -1;
}

const char *run_wanted(const struct run *run)
{
    return run->config->backup ? run->config->backup : run->config->pick;
}

bool run_wants_random(const struct run *run)
{
    return strcmp(run_wanted(run), "random") == 0;
}

bool run_takes_newest(const struct run *run)
{
    return !run->config->backup && !run_wants_random(run);
}

int64_t run_asked_at_ms(const struct run *run)
{
    return run_wants_random(run) && run->outcome->backup_wall_ms > 0 ? run->outcome->backup_wall_ms : clock_wall_ms();
}

/* ---- what it is -------------------------------------------------------------------------------------------------- */

static int probe(struct run *run, struct head *head, bool raw)
{
    struct flow flow = { .probe = true, .head = head, .raw = raw };
    head->length = 0;
    return flow_run(run, &flow);
}

/* One layer: as the configuration says, or as the first bytes do. */
static int find_layer(struct run *run, enum phase phase, const struct head *head, const struct decoder **out)
{
    const char *wanted = phase == PHASE_DECRYPT ? run->config->decrypt : run->config->decompress;
    *out = NULL;
    run_begin(run, phase);
    if (strcmp(wanted, "none") == 0)
        return 0;
    *out = strcmp(wanted, "auto") == 0 ? decoder_detect(phase, head) : decoder_find(wanted);
    if (*out && strcmp(wanted, "auto") != 0 && !(*out)->is(head))
        return run_fail(run, phase, "it is not %s: it does not begin like %s",
                        phase == PHASE_DECRYPT ? "encrypted as the drill says" : "packed as the drill says", wanted);
    return 0;
}

#define BEGINNING_SIZE 64

/* Its first bytes, as far as they can be shown; of what was encrypted nothing is. */
static const char *beginning(const struct run *run, const struct head *head, char out[BEGINNING_SIZE])
{
    char text[33];
    size_t n = head->length < sizeof text - 1 ? head->length : sizeof text - 1;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(head->bytes[i] >= ' ' && head->bytes[i] < 0x7f ? head->bytes[i] : '.');
    text[n] = '\0';
    out[0] = '\0';
    if (!run->decrypt)
        snprintf(out, BEGINNING_SIZE, ": it begins with '%s'", text);
    return out;
}

static int find_kind(struct run *run, const struct head *head)
{
    const char *wanted = run->config->kind;
    char begins[BEGINNING_SIZE];
    run->kind = strcmp(wanted, "auto") == 0 ? kind_detect(head) : kind_find(wanted);
    if (head->length == 0)
        return run_fail(run, PHASE_UNPACK, "it is empty once unpacked");
    if (run->kind && run->kind->is && run->kind->is(head)) /* without: a folder */
        return 0;
    if (run->decrypt && strcmp(run->decrypt->name, "openssl") == 0)
        return run_fail(run, PHASE_DECRYPT,
                        "the key does not open it: what comes out is no backup that is known (is 'key' the right "
                        "secret, and 'cipher' what it was encrypted with?)");
    if (run->kind)
        return run_fail(run, PHASE_UNPACK, "it is no %s%s", wanted, beginning(run, head, begins));
    return run_fail(run, PHASE_UNPACK, "it is no backup that is known%s", beginning(run, head, begins));
}

static void name_format(struct run *run)
{
    snprintf(run->outcome->format, sizeof run->outcome->format, "%s%s%s%s%s", run->kind->name, run->unpack ? ", " : "",
             run->unpack ? run->unpack->name : "", run->decrypt ? ", " : "", run->decrypt ? run->decrypt->name : "");
}

/* Which one of a repository, and whether the key opens it. */
static int look(struct run *run)
{
    if (!run->kind->look)
        return 0;
    run_begin(run, PHASE_DECRYPT);
    return run->kind->look(run);
}

static int identify_folder(struct run *run)
{
    const char *wanted = run->config->kind;
    if (run->source.fd < 0) { /* a repository on another machine */
        run->kind = kind_find(wanted);
        return run->kind && run->kind->folder_files[0]
                   ? look(run)
                   : run_fail(run, PHASE_FETCH, "'%s' is on another machine: write kind = \"restic\"; or \"borg\"",
                              run->source.path);
    }
    run->kind = strcmp(wanted, "auto") == 0 ? kind_of_folder(run->source.fd) : kind_find(wanted);
    if (!run->kind || !run->kind->folder_files[0])
        return run_fail(run, PHASE_FETCH,
                        "'%s' is a folder, and no backup or repository that is known: when backups lie in it, write a "
                        "pattern that names them, like source = \"%s/*/*.gz\";",
                        run->source.path, run->config->source);
    struct scratch_sum sum = scratch_measure(run->source.fd);
    run->source.bytes = run->outcome->backup_bytes = sum.bytes;
    if (sum.newest_wall_ms > 0)
        run->outcome->backup_wall_ms = sum.newest_wall_ms;
    return look(run);
}

static int identify(struct run *run)
{
    struct head *head = arena_alloc(&run->arena, sizeof *head);
    if (run->source.folder)
        return identify_folder(run);
    if (probe(run, head, true) != 0 || find_layer(run, PHASE_DECRYPT, head, &run->decrypt) != 0)
        return -1;
    if (run->decrypt && probe(run, head, false) != 0)
        return -1;
    if (find_layer(run, PHASE_UNPACK, head, &run->unpack) != 0)
        return -1;
    if (run->unpack && probe(run, head, false) != 0)
        return -1;
    return find_kind(run, head);
}

/* ---- whether it fits --------------------------------------------------------------------------------------------- */

static int64_t free_memory(void)
{
    char line[128];
    long long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lld kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return (int64_t)kib * 1024;
}

static void estimate(struct run *run)
{
    struct outcome *outcome = run->outcome;
    int64_t content = run->source.bytes * (run->unpack ? run->unpack->growth : 1);
    run->content_bytes = content;
    outcome->need_bytes = content / 10 * run->kind->disk_tenths + run->kind->disk_bytes;
    outcome->need_memory_bytes = content / 10 * run->kind->memory_tenths + run->kind->memory_bytes;
    if (free_bytes(run) >= 0)
        outcome->free_bytes = free_bytes(run);
    outcome->free_memory_bytes = free_memory();
}

int run_check_room(struct run *run)
{
    const struct outcome *outcome = run->outcome;
    char need[TEXT_VALUE_SIZE], have[TEXT_VALUE_SIZE];
    text_format_value(need, (double)outcome->need_bytes, "B");
    text_format_value(have, (double)outcome->free_bytes, "B");
    if (outcome->need_bytes > outcome->free_bytes - RESERVE_BYTES)
        return run_fail(run, PHASE_FETCH, "it would not fit: about %s are needed, and %s are free in '%s'", need, have,
                        run->config->workspace);
    text_format_value(have, (double)run->config->space_bytes, "B");
    if (outcome->need_bytes > run->config->space_bytes)
        return run_fail(run, PHASE_FETCH, "it would not fit: about %s are needed, and 'space' allows %s", need, have);
    text_format_value(need, (double)outcome->need_memory_bytes, "B");
    text_format_value(have, (double)outcome->free_memory_bytes, "B");
    if (outcome->free_memory_bytes > 0 && outcome->need_memory_bytes > outcome->free_memory_bytes) /* 0: not known */
        return run_fail(run, PHASE_FETCH, "it would not fit: about %s of memory are needed, and %s are free", need,
                        have);
    text_format_value(have, (double)run->config->memory_bytes, "B");
    if (outcome->need_memory_bytes > run->config->memory_bytes)
        return run_fail(run, PHASE_FETCH, "it would not fit: about %s of memory are needed, and 'memory' allows %s",
                        need, have);
    return 0;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static int prepare(struct run *run)
{
    char path[PATH_MAX];
    if (scratch_folder(run, "tmp", path) != 0 || scratch_folder(run, "none", path) != 0 ||
        scratch_folder(run, "data", run->data) != 0)
        return run_fail(run, PHASE_FETCH, "the scratch folder '%s' can't be filled", run->folder);
    return 0;
}

static int restore(struct run *run)
{
    run->server = run->kind->server;
    if (run->server && !run->kind->server_last && server_start(run) != 0)
        return -1;
    run_begin(run, PHASE_RESTORE);
    fingerprint_begin(run);
    if (run->kind->restore(run) != 0)
        return -1;
    return run->server && run->kind->server_last ? server_start(run) : 0;
}

int run_phases(struct run *run)
{
    struct outcome *outcome = run->outcome;
    signal(SIGPIPE, SIG_IGN);
    isolate_sandbox(run);
    run_begin(run, PHASE_FETCH);
    int code = prepare(run);
    if (code == 0)
        code = source_find(run);
    if (code == 0)
        code = identify(run);
    if (code == 0) {
        run_begin(run, PHASE_FETCH);
        name_format(run);
        estimate(run);
        code = run_check_room(run);
    }
    if (code == 0 && !run->plan)
        code = restore(run);
    if (code == 0 && !run->plan)
        code = assert_all(run);
    if (code != 0)
        remote_blame(run);
    run_begin(run, PHASE_CLEAN);
    fingerprint_end(run, code == 0);
    if (code == 0)
        outcome->result = run->plan ? DRILL_PLANNED : DRILL_PASSED;
    server_stop(run);
    return code;
}
