/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-worker - the process that runs a plugin's code.
 *
 *     belfry-worker --plugin PATH [--allow NEEDS] [--concurrency N]
 *                                                     loads the plugin and runs its checks (serve.c); FRAMES_FD is the
 *                                                     socket to the keeper, LEDGER_FD the ledger. NEEDS is what the
 *                                                     plugin may ("network,files", "nothing"; everything unless given)
 *     belfry-worker --describe PATH                   loads the plugin and describes it (describe.c)
 *     belfry-worker --catalog FOLDER...               describes all plugins of the folders
 *
 * Exit status: 0 done, the keeper told to stop or is gone, or the plugin was rejected (a frame says why); 1 something
 * is wrong (a line on stderr says what); 2 wrong usage. Limits, environment and standing are given by the keeper. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/channel.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/sandbox/sandbox.h"
#include "core/worker/describe.h"
#include "core/worker/pool.h"
#include "core/worker/serve.h"

#define CONCURRENCY_DEFAULT 1000

/* One a process, and at hand for signal and exit handlers, which are given nothing. */
static struct book book;

static void blame_thread(void)
{
    book_blame_thread(&book);
}

/* The second time the signal has its default effect: a fault happens again on return, one that was sent is sent again.
 */
static void on_fatal_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    bool sent = info->si_code <= 0;
    if (sent && info->si_pid != getpid())
        book_blame_nobody(&book);
    else
        blame_thread();
    if (sent)
        raise(number);
}

static void on_forbidden(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if (sandbox_is_forbidden(info)) {
        book_note_forbidden(&book, info->si_syscall);
        blame_thread();
    }
    sandbox_die(info);
}

/* From outside a death can't be told to be one thread's run's, or a signal to be somebody else's: the dying thread says
 * so. */
static void watch_deaths(void)
{
    static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP };
    atexit(blame_thread);
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        struct sigaction before,
            action = { .sa_sigaction = on_fatal_signal, .sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_ONSTACK };
        if (sigaction(fatal[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(fatal[i], &action, NULL);
    }
}

/* Tells the keeper why there will be no READY. */
static int send_rejected(const char *path, const struct why *why)
{
    struct buf out = { 0 };
    struct channel keeper = { .fd = FRAMES_FD };
    size_t at = wire_begin(&out, WIRE_REJECTED);
    wire_put_text(&out, path);
    wire_put_text(&out, why->text);
    wire_end(&out, at);
    int rc = channel_write(&keeper, &out, -1);
    buf_close(&out);
    return rc < 0 ? 1 : 0;
}

/* Before the plugin is loaded: its first code is in it already. */
static void enter_sandbox(const char *path, uint32_t needs, char standing[SANDBOX_TEXT_SIZE])
{
    struct arena arena = { 0 };
    const char *slash = strrchr(path, '/');
    const char *folder = arena_text_n(&arena, path, slash > path ? (size_t)(slash - path) : 1);
    sandbox_enter(&(struct sandbox){ .role = SANDBOX_WORKER, .needs = needs, .read = folder }, standing);
    arena_close(&arena);
}

static int serve_plugin(const char *path, unsigned concurrency, uint32_t needs)
{
    struct sigaction action = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    struct loaded_plugin plugin;
    struct why why;
    char standing[SANDBOX_TEXT_SIZE];
    if (book_open(&book) < 0) {
        log_error("worker", "descriptor %d is not a ledger", LEDGER_FD);
        return 1;
    }
    sigaction(SIGSYS, &action, NULL);
    enter_sandbox(path, needs, standing);
    if (plugin_load(path, &plugin, &why) < 0)
        return send_rejected(path, &why);
    if (plugin_needs_explain(&plugin.info, needs, &why) < 0) /* the file was replaced since it was described */
        return send_rejected(path, &why);
    if (plugin.info.blocking && concurrency > POOL_THREADS_MAX)
        concurrency = POOL_THREADS_MAX;
    watch_deaths();
    const struct serve_setup setup = {
        .plugin = &plugin, .book = &book, .concurrency = concurrency, .standing = standing
    };
    int rc = serve_run(&setup);
    if (rc == -EPIPE || rc == -ECONNRESET)
        _exit(0); /* the keeper is gone */
    if (rc < 0) {
        log_error("worker", "'%s' can't go on: %s", path, error_text(rc));
        _exit(1); /* without the plugin's exit handlers: its runs may be in progress */
    }
    arena_close(&plugin.arena);
    return 0;
}

/* What the file declares is known, and granted, only after its constructors have run: they may read, and nothing else.
 */
static int describe_plugin(const char *path)
{
    char standing[SANDBOX_TEXT_SIZE];
    enter_sandbox(path, BELFRY_NEEDS_FILES, standing);
    return describe_file(path);
}

static int usage(const char *wrong)
{
    log_error("worker",
              "%s; wanted --plugin PATH [--allow NEEDS] [--concurrency N], --describe PATH or --catalog FOLDER...",
              wrong);
    return 2;
}

/* Descriptors that a plugin's own children must not have. */
static int take_descriptors(void)
{
    if (fcntl(FRAMES_FD, F_SETFD, FD_CLOEXEC) != 0) {
        log_error("worker", "descriptor %d is not open: this program is started by belfryd", FRAMES_FD);
        return -EBADF;
    }
    fcntl(LEDGER_FD, F_SETFD, FD_CLOEXEC);
    return 0;
}

static const struct option options[] = {
    { "plugin", required_argument, NULL, 'p' },      { "allow", required_argument, NULL, 'a' },
    { "concurrency", required_argument, NULL, 'n' }, { "describe", required_argument, NULL, 'd' },
    { "catalog", no_argument, NULL, 'c' },           { 0 },
};

struct arguments {
    int mode; /* 'p', 'd' or 'c' */
    const char *path;
    int64_t concurrency;
    uint32_t needs;
};

/* The need whose name begins the text, and where the text goes on; 0: none. */
static uint32_t take_need(const char **text)
{
    size_t length = strcspn(*text, ",");
    for (size_t i = 0; plugin_need_names[i] != NULL; i++) {
        if (strlen(plugin_need_names[i]) != length || strncmp(plugin_need_names[i], *text, length) != 0)
            continue;
        *text += length + ((*text)[length] == ',');
        return 1u << i;
    }
    return 0;
}

/* "network,files" or "nothing" */
static int parse_needs(const char *text, uint32_t *out)
{
    *out = 0;
    if (strcmp(text, "nothing") == 0)
        return 0;
    do {
        uint32_t need = take_need(&text);
        if (need == 0)
            return ERROR_SYNTAX;
        *out |= need;
    } while (*text);
    return 0;
}

static int parse(int argc, char **argv, struct arguments *out)
{
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return ERROR_SYNTAX;
        if (option == 'a') {
            if (parse_needs(optarg, &out->needs) != 0)
                return ERROR_SYNTAX;
            continue;
        }
        if (option == 'n') {
            if (text_integer(optarg, &out->concurrency) != 0 || out->concurrency < 1 ||
                out->concurrency > CONCURRENCY_MAX)
                return ERROR_RANGE;
            continue;
        }
        out->mode = option;
        out->path = optarg;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .concurrency = CONCURRENCY_DEFAULT, .needs = PLUGIN_NEEDS_ALL };
    log_setup(LOG_LEVEL_INFO);
    if (parse(argc, argv, &arguments) < 0)
        return usage("an option or its value is wrong");
    if (take_descriptors() < 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN); /* a peer that closed its socket is an error to a plugin, not its end */
    switch (arguments.mode) {
    case 'p':
        return serve_plugin(arguments.path, (unsigned)arguments.concurrency, arguments.needs);
    case 'd':
        return describe_plugin(arguments.path);
    case 'c':
        return describe_folders((const char *const *)argv + optind);
    default:
        return usage("no mode given");
    }
}
