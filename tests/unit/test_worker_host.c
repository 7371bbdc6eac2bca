/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_worker_host - loading plugins (trust, ELF, descriptor), finding them by name, and running them in this process
 * as the command line does. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/spawn.h"
#include "core/worker/elf.h"
#include "core/worker/host.h"
#include "tests/fixtures/peer.h"
#include "tests/tap.h"

static char scratch[] = "/tmp/belfry-host-XXXXXX";

static const char *scratch_path(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", scratch, name);
    return path;
}

static void write_file(const char *path, const void *bytes, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || fchmod(fd, mode) != 0)
        perror(path);
    if (fd >= 0)
        close(fd);
}

/* ---- ELF ----------------------------------------------------------------------------------------------------- */

static void test_elf(void)
{
    struct arena arena = { 0 };
    struct elf_descriptor found = { 0 };
    struct why why = { "" };
    char *bytes;
    size_t n = 0;
    tap_is_int(file_read(&arena, peer_fixture("evil"), 64 << 20, &bytes, &n), 0, "the fixture can be read");
    tap_is_int(elf_descriptor_read(bytes, n, &found, &why), 0, "its descriptor is found");
    tap_ok(found.magic == BELFRY_MAGIC && found.abi == BELFRY_ABI && found.size == sizeof(struct belfry_plugin) &&
               found.option_size == sizeof(struct belfry_option) && found.metric_size == sizeof(struct belfry_metric) &&
               found.view_size == sizeof(struct belfry_view),
           "its numbers are right");
    tap_is_text(found.name, "evil", "and its name");

    /* every length, in a block of exactly that size so that a sanitizer sees the byte too far */
    unsigned good = 0;
    for (size_t cut = 0; cut < n; cut += cut < 4096 ? 1 : 97) {
        char *block = malloc(cut ? cut : 1);
        memcpy(block, bytes, cut);
        good += elf_descriptor_read(block, cut, &found, &why) == 0 && cut < n / 2;
        free(block);
    }
    tap_ok(good == 0, "cut to less than half it is refused");

    unsigned survived = 0;
    char *copy = malloc(n);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t random[4];
        digest_random(random, sizeof(random));
        memcpy(copy, bytes, n);
        /* the headers and tables are at both ends */
        size_t at = random[0] & 1 ? random[1] % 1024 : n - 1 - random[1] % (n < 4096 ? n : 4096);
        copy[at] = (char)random[2];
        copy[(at + 1) % n] = (char)(random[3] & 1 ? 0xff : random[3]);
        elf_descriptor_read(copy, n, &found, &why);
        survived += memchr(found.name, '\0', sizeof(found.name)) != NULL;
    }
    free(copy);
    tap_is_int(survived, 20000, "damaged headers are survived");
    tap_is_int(elf_descriptor_read("\x7f"
                                   "ELF",
                                   4, &found, &why),
               ERROR_REFUSED, "four bytes are refused");
    arena_close(&arena);
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

static void is_refused(const char *path, const char *word, const char *what)
{
    struct loaded_plugin plugin;
    struct why why = { "" };
    int rc = plugin_load(path, &plugin, &why);
    tap_ok(rc < 0 && strstr(why.text, word) != NULL && strstr(why.text, path) != NULL, "%s: %s", what,
           rc < 0 ? why.text : "loaded");
    if (rc == 0)
        arena_close(&plugin.arena);
}

static void test_refusals(void)
{
    static const struct {
        const char *fixture, *word;
    } cases[] = {
        { "bad-magic", "magic 0x12345678, wanted 0x59464c42" },
        { "bad-abi", "plugin ABI 99, wanted 1" },
        { "bad-size", "descriptor of 24 bytes, wanted" },
        { "bad-option-size", "option entries of 3 bytes, wanted" },
        { "bad-nosymbol", "belfry_plugin" },
        { "bad-reserved", "every" },
        { "bad-huge", "128 options" },
        { "bad-view-size", "view entries of 3 bytes, wanted 41 to 4096, or 0 for no views" },
        { "bad-view-unknown", "the metric 'fre', which is not declared" },
        { "bad-view-units", "two units, 'used' in 'B' and 'share' in '%'" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        is_refused(peer_fixture(cases[i].fixture), cases[i].word, cases[i].fixture);
    write_file(scratch_path("text.so"), "#!/bin/sh\n", 10, 0644);
    is_refused(scratch_path("text.so"), "too short", "a script");
    char block[4096];
    memset(block, 'x', sizeof(block));
    write_file(scratch_path("text.so"), block, sizeof(block), 0644);
    is_refused(scratch_path("text.so"), "not an ELF file", "a text");
    write_file(scratch_path("empty.so"), "", 0, 0644);
    is_refused(scratch_path("empty.so"), "0 bytes", "an empty file");
    is_refused(scratch_path("missing.so"), "No such file", "a missing file");
}

static void test_trust(void)
{
    struct arena arena = { 0 };
    char *bytes, target[256];
    size_t n;
    if (file_read(&arena, peer_fixture("null"), 64 << 20, &bytes, &n) != 0)
        return;
    snprintf(target, sizeof(target), "%s", scratch_path("good.so"));
    write_file(target, bytes, n, 0644);
    struct loaded_plugin plugin;
    struct why why = { "" };
    int rc = plugin_load(target, &plugin, &why);
    tap_ok(rc == 0 && strcmp(plugin.info.name, "null") == 0 && strcmp(plugin.info.path, target) == 0 &&
               plugin.info.file_mark != 0,
           "a file of ours in a folder of ours is loaded %s", why.text);
    if (rc == 0)
        arena_close(&plugin.arena);

    write_file(scratch_path("group.so"), bytes, n, 0664);
    is_refused(scratch_path("group.so"), "0664", "a file that the group may write");
    write_file(scratch_path("world.so"), bytes, n, 0646);
    is_refused(scratch_path("world.so"), "0646", "a file that everybody may write");
    if (symlink(target, scratch_path("link.so")) == 0)
        is_refused(scratch_path("link.so"), "symbolic link", "a link");
    if (mkdir(scratch_path("open"), 0755) == 0 && chmod(scratch_path("open"), 0777) == 0) {
        write_file(scratch_path("open/in.so"), bytes, n, 0644);
        struct loaded_plugin in;
        rc = plugin_load(scratch_path("open/in.so"), &in, &why);
        tap_ok(rc < 0 && strstr(why.text, "0777") != NULL, "a file in an open folder: %s", why.text);
    }
    if (geteuid() == 0 && chown(target, 65534, 65534) == 0)
        is_refused(target, "65534", "a file of somebody else");
    else
        tap_skip("a file of somebody else", "needs root");
    arena_close(&arena);
}

/* What was checked is what runs: nobody can write to it any more, not even by way of the descriptor. */
static void test_sealed(void)
{
    unsigned copies = 0, sealed = 0;
    for (int fd = 3; fd < 64; fd++) {
        char name[32], target[128] = "";
        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        if (readlink(name, target, sizeof(target) - 1) < 0 || strstr(target, "memfd:belfry-plugin") == NULL)
            continue;
        copies++;
        sealed += (fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE) != 0;
    }
    tap_ok(copies > 0 && copies == sealed, "%u of %u loaded copies are sealed", sealed, copies);
}

static void test_locate(void)
{
    struct arena arena = { 0 };
    struct why why = { "" };
    const char *path = NULL;
    char folder[256];
    snprintf(folder, sizeof(folder), "%s", peer_fixture("evil"));
    *strrchr(folder, '/') = '\0';
    const char *const folders[] = { "/nonexistent", folder, NULL };
    tap_ok(plugin_locate(folders, "evil", &arena, &path, &why) == 0 && strcmp(path, peer_fixture("evil")) == 0,
           "found by file name");
    const char *const here[] = { scratch, NULL };
    struct arena file = { 0 };
    char *bytes;
    size_t n;
    file_read(&file, peer_fixture("null"), 64 << 20, &bytes, &n);
    write_file(scratch_path("other-name.so"), bytes, n, 0644);
    arena_close(&file);
    path = NULL;
    tap_ok(plugin_locate(here, "null", &arena, &path, &why) == 0 && strstr(path, ".so") != NULL &&
               strncmp(path, scratch, strlen(scratch)) == 0,
           "found by what the descriptor says: %s", path ? path : why.text);
    tap_ok(plugin_locate(here, "nul", &arena, &path, &why) == ERROR_UNKNOWN_NAME && strstr(why.text, "'null'"),
           "not found: %s", why.text);
    tap_ok(plugin_locate(here, "../etc/passwd", &arena, &path, &why) == ERROR_UNKNOWN_NAME, "not found: %s", why.text);
    tap_ok(plugin_locate(here, peer_fixture("evil"), &arena, &path, &why) == 0 &&
               strcmp(path, peer_fixture("evil")) == 0,
           "a path is itself");
    arena_close(&arena);
}

/* ---- running ------------------------------------------------------------------------------------------------- */

static void run_here(const struct loaded_plugin *plugin, const char *mode, int64_t timeout_ms, struct arena *arena,
                     struct result *out)
{
    const char *values[] = { mode };
    struct task_option options[] = { { "mode", NULL, values, 1 } };
    struct task task = { .id = "evil", .options = options, .option_count = 1 };
    host_run(plugin, &task, timeout_ms, arena, out);
}

static void test_host_run(void)
{
    static const struct {
        const char *mode;
        int64_t timeout_ms;
        enum result_end end;
        enum belfry_state state;
        const char *text;
    } cases[] = {
        { "ok", 5000, RESULT_RETURNED, BELFRY_OK, "fine" },
        { "sleep", 5000, RESULT_RETURNED, BELFRY_OK, "slept" },
        { "sleep", 5, RESULT_TIMEOUT, BELFRY_CRITICAL, "" },
        { "ok", 0, RESULT_TIMEOUT, BELFRY_CRITICAL, "" },
        { "deadline", 30, RESULT_RETURNED, BELFRY_OK, "late" },
        { "no_verdict", 5000, RESULT_MISUSE, BELFRY_UNKNOWN, "run() ended without a verdict" },
        { "memory", 5000, RESULT_MISUSE, BELFRY_UNKNOWN, "run() asked for more than 16 MiB of memory" },
        { "wait_forms", 10000, RESULT_RETURNED, BELFRY_OK, "fine" },
        { "report", 5000, RESULT_RETURNED, BELFRY_WARNING, "file: No such file or directory" },
        { "rate", 5000, RESULT_RETURNED, BELFRY_OK, "no rate right" },
        { "locale", 5000, RESULT_RETURNED, BELFRY_OK, "number 3" },
    };
    struct loaded_plugin plugin;
    struct why why = { "" };
    if (!tap_ok(plugin_load(peer_fixture("evil"), &plugin, &why) == 0, "evil is loaded %s", why.text))
        return;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena = { 0 };
        struct result result;
        run_here(&plugin, cases[i].mode, cases[i].timeout_ms, &arena, &result);
        tap_ok(result.end == cases[i].end && result.state == cases[i].state && strcmp(result.text, cases[i].text) == 0,
               "%s within %lld ms: end %d state %d '%s'", cases[i].mode, (long long)cases[i].timeout_ms, result.end,
               result.state, result.text);
        arena_close(&arena);
    }
    struct arena arena = { 0 };
    struct result result;
    struct task task = { .id = "evil" };
    host_run(&plugin, &task, 1000, &arena, &result);
    tap_ok(result.end == RESULT_MISUSE && strstr(result.text, "mode") != NULL, "a missing option: %s", result.text);
    arena_close(&arena);
    arena_close(&plugin.arena);
}

static void test_author_example(void)
{
    struct arena arena = { 0 };
    struct loaded_plugin plugin;
    struct result result;
    struct why why = { "" };
    if (!tap_ok(plugin_load(peer_fixture("file-age"), &plugin, &why) == 0, "the example is loaded %s", why.text))
        return;
    const char *values[] = { scratch_path("text.so") };
    struct task_option options[] = { { "path", NULL, values, 1 } };
    struct task task = { .id = "file-age", .options = options, .option_count = 1 };
    host_run(&plugin, &task, 5000, &arena, &result);
    tap_ok(result.state == BELFRY_OK && result.metric_count == 1 && result.metrics[0].value >= 0 &&
               strcmp(result.metrics[0].warn, "~:90000") == 0,
           "and measures: %s", result.text);
    values[0] = "/nonexistent/file";
    host_run(&plugin, &task, 5000, &arena, &result);
    tap_ok(result.state == BELFRY_CRITICAL && !result.reached, "or does not reach: %s", result.text);
    arena_close(&arena);
    arena_close(&plugin.arena);
}

/* ---- the catalog --------------------------------------------------------------------------------------------- */

struct answer {
    bool described;
    char path[256], text[512]; /* text: the plugin's name, or why not */
};

static pid_t start_catalog(const char *const *folders, int *fd)
{
    char program[4096], real[4096];
    const char *argv[8] = { "belfry-worker", "--catalog" };
    for (size_t i = 0; i < 5 && folders[i] != NULL; i++)
        argv[2 + i] = folders[i];
    const char *top = getenv("top_builddir");
    snprintf(program, sizeof(program), "%s/belfry-worker", top ? top : ".");
    int pair[2];
    if (realpath(program, real) == NULL || spawn_pair(pair) != 0)
        return -1;
    const int fds[] = { -1, 2, pair[1] };
    const struct spawn spawn = { .program = real, .argv = argv, .fds = fds, .fd_count = 3, .die_with_parent = 1 };
    pid_t pid = spawn_start(&spawn);
    close(pair[1]);
    *fd = pair[0];
    return pid;
}

static bool read_answer(struct channel *channel, struct answer *out)
{
    struct wire_frame frame;
    struct arena arena = { 0 };
    struct plugin_info info = { 0 };
    if (channel_read(channel, &frame, clock_now_ms() + 60000) != 1)
        return false;
    const char *path = wire_text(&frame.payload, &arena, sizeof(out->path) - 1), *text = NULL;
    out->described = frame.type == WIRE_CATALOG;
    if (out->described) {
        wire_u64(&frame.payload);
        if (plugin_info_decode(&frame.payload, &arena, &info) == 0)
            text = info.name;
    } else {
        text = wire_text(&frame.payload, &arena, sizeof(out->text) - 1);
    }
    bool good = wire_done(&frame.payload) == 0 && path != NULL && text != NULL;
    snprintf(out->path, sizeof(out->path), "%s", path ? path : "");
    snprintf(out->text, sizeof(out->text), "%s", text ? text : "");
    arena_close(&arena);
    return good;
}

static size_t read_catalog(const char *const *folders, struct answer *out, size_t max)
{
    struct channel channel = { .fd = -1 };
    size_t n = 0;
    pid_t pid = start_catalog(folders, &channel.fd);
    while (pid > 0 && n < max && read_answer(&channel, &out[n]))
        n++;
    int status = -1;
    if (pid > 0)
        waitpid(pid, &status, 0);
    tap_is_int(status, 0, "the catalog ends with status 0");
    channel_close(&channel);
    return n;
}

static const struct answer *find_answer(const struct answer *answers, size_t n, const char *name)
{
    char end[64];
    snprintf(end, sizeof(end), "/%s.so", name);
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(answers[i].path);
        if (length > strlen(end) && strcmp(answers[i].path + length - strlen(end), end) == 0)
            return &answers[i];
    }
    return NULL;
}

static void test_catalog(void)
{
    static const struct {
        const char *file;
        bool described;
        const char *word;
    } cases[] = {
        { "evil", true, "evil" },
        { "evil-blocking", true, "evil-blocking" },
        { "null", true, "null" },
        { "bad-print", true, "bad-print" },
        { "bad-abi", false, "ABI 99" },
        { "bad-crash", false, "crashed while it was loaded: SIGSEGV" },
        { "bad-hang", false, "more than 3000 ms" },
        { "bad-spin", false, "while it was loaded, wanted a plugin that starts at once" },
        { "bad-leave", false, "ended its process" },
        { "bad-lie", false, "interfered" },
        { "bad-huge", false, "128" },
        { "bad-unterminated", false, "while it was loaded" },
        { "bad-nosymbol", false, "belfry_plugin" },
    };
    struct answer answers[64];
    char folder[256];
    snprintf(folder, sizeof(folder), "%s", peer_fixture("evil"));
    *strrchr(folder, '/') = '\0';
    const char *const folders[] = { "/nonexistent", folder, scratch_path("open"), NULL };
    int64_t before = clock_now_ms();
    size_t n = read_catalog(folders, answers, 64);
    tap_ok(clock_now_ms() - before < 15000, "the whole catalog takes %lld ms", (long long)(clock_now_ms() - before));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct answer *answer = find_answer(answers, n, cases[i].file);
        tap_ok(answer != NULL && answer->described == cases[i].described && strstr(answer->text, cases[i].word) != NULL,
               "%s is %s: %s", cases[i].file, cases[i].described ? "described" : "rejected",
               answer ? answer->text : "not there");
    }
    const struct answer *spawn = find_answer(answers, n, "bad-spawn"); /* tests/system/sandbox.test knows which */
    tap_ok(spawn != NULL && (spawn->described || strstr(spawn->text, "did more than reading") != NULL),
           "bad-spawn is rejected, or described where there is no sandbox: %s", spawn ? spawn->text : "not there");
    bool ordered = true;
    for (size_t i = 1; i + 1 < n; i++)
        ordered = ordered && strcmp(answers[i - 1].path, answers[i].path) < 0;
    tap_ok(n > 0 && ordered, "files come in the order of their names");
    tap_ok(n > 0 && strcmp(answers[n - 1].path, folders[2]) == 0 && strstr(answers[n - 1].text, "0777") != NULL,
           "an open folder is rejected as such: %s", n > 0 ? answers[n - 1].text : "");
}

static void remove_scratch(void)
{
    static const char *const names[] = { "text.so", "empty.so",   "good.so", "group.so",      "world.so",
                                         "link.so", "open/in.so", "open",    "other-name.so", "" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(scratch_path(names[i]));
}

int main(void)
{
    umask(022);
    peer_plain_deaths();
    if (mkdtemp(scratch) == NULL)
        return 1;
    test_elf();
    test_refusals();
    test_trust();
    test_sealed();
    test_locate();
    test_host_run();
    test_author_example();
    test_catalog();
    remove_scratch();
    return tap_done();
}
