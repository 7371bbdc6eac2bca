/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sandbox - which member of the family may do what: a member is one row of `roles`, a need of a plugin one row of
 * `needs`. How it is enforced: calls.c, paths.c.
 *
 * Diagnostics: `forbidden system call N (name)`: the process asked for something that is not in its row. When that is a
 * plugin, it did not declare what it needs; when it is one of ours, or a library that it uses, the row is wrong. */
#include "core/sandbox/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "config.h"
#include "core/base/text.h"
#include "core/sandbox/layers.h"

/* ---- who may do what ------------------------------------------------------------------------------------------ */

#define RW (PATHS_READ | PATHS_WRITE)

/* What libraries read while they are loaded or set up, names are resolved, certificates are verified, times are shown.
 * Nothing of it is secret: /etc as a whole is not here because of /etc/belfry/secrets. */
static const struct path_rule common[] = {
    { "/usr", PATHS_READ },
    { "/lib", PATHS_READ },
    { "/lib32", PATHS_READ },
    { "/lib64", PATHS_READ },
    { "/nix/store", PATHS_READ },
    { "/etc/ld.so.cache", PATHS_READ },
    { "/etc/ld.so.preload", PATHS_READ },
    { "/etc/localtime", PATHS_READ },
    { "/etc/timezone", PATHS_READ },
    { "/etc/nsswitch.conf", PATHS_READ },
    { "/etc/passwd", PATHS_READ },
    { "/etc/group", PATHS_READ },
    { "/dev/null", RW },
    { "/dev/zero", RW },
    { "/dev/random", PATHS_READ },
    { "/dev/urandom", PATHS_READ },
    { "/proc/self", PATHS_READ },
    { "/proc/meminfo", PATHS_READ },
    { "/proc/cpuinfo", PATHS_READ },
    { "/proc/stat", PATHS_READ },
    { "/proc/sys/vm/overcommit_memory", PATHS_READ },
    { "/sys/devices/system/cpu", PATHS_READ },
    { NULL, 0 },
};

static const struct path_rule of_network[] = {
    { "/etc/resolv.conf", PATHS_READ },
    { "/etc/hosts", PATHS_READ },
    { "/etc/host.conf", PATHS_READ },
    { "/etc/gai.conf", PATHS_READ },
    { "/etc/networks", PATHS_READ },
    { "/etc/services", PATHS_READ },
    { "/etc/protocols", PATHS_READ },
    { "/etc/ssl", PATHS_READ },
    { "/etc/pki", PATHS_READ },
    { "/etc/ca-certificates", PATHS_READ },
    { "/etc/crypto-policies", PATHS_READ },
    { "/run/systemd/resolve", PATHS_READ },
    { "/run/resolvconf", PATHS_READ },
    { "/run/NetworkManager", PATHS_READ },
    { NULL, 0 },
};

static const struct path_rule of_files[] = { { "/", PATHS_READ }, { NULL, 0 } };

/* Programs read and run everything, and have the places that everybody may write to: never the journal. */
static const struct path_rule of_processes[] = {
    { "/", PATHS_READ | PATHS_RUN }, { "/dev", RW }, { "/tmp", RW }, { "/var/tmp", RW }, { NULL, 0 },
};

/* Drills start servers and tools that read what is installed; what they write lies in the scratch folder alone. */
static const struct path_rule of_drills[] = { { "/", PATHS_READ | PATHS_RUN }, { NULL, 0 } };

static const struct path_rule of_drawing[] = {
    { "/etc/fonts", PATHS_READ },
    { "/usr/share/fonts", PATHS_READ },
    { "/var/cache/fontconfig", PATHS_READ },
    { "/var/lib/fonts", PATHS_READ },
    { NULL, 0 },
};

/* Needs of a plugin; how the configuration grants them: core/model/plugin_needs.c. */
static const struct {
    uint32_t need, calls;
    const struct path_rule *paths;
} needs[] = {
    { BELFRY_NEEDS_NETWORK, CALLS_NETWORK, of_network },
    { BELFRY_NEEDS_FILES, 0, of_files },
    { BELFRY_NEEDS_PROCESSES, CALLS_PROGRAMS, of_processes },
};

#define NEED_COUNT (sizeof(needs) / sizeof(needs[0]))

/* The members. */
static const struct {
    uint32_t calls;
    const struct path_rule *paths;
} roles[SANDBOX_ROLE_COUNT] = {
    [SANDBOX_WORKER] = { CALLS_BASE | CALLS_READ, NULL },
    [SANDBOX_RECORDER] = { CALLS_BASE | CALLS_READ | CALLS_WRITE, NULL },
    [SANDBOX_DRILL] = { CALLS_BASE | CALLS_READ | CALLS_WRITE | CALLS_NETWORK | CALLS_PROGRAMS, of_drills },
    [SANDBOX_GRAPH] = { CALLS_BASE | CALLS_READ | CALLS_WRITE, of_drawing },
    [SANDBOX_ANCHOR] = { CALLS_BASE | CALLS_READ | CALLS_WRITE, NULL },
};

static uint64_t mark_files(uint64_t mark, const struct path_rule *rules)
{
    for (; rules->path != NULL; rules++) {
        struct stat st;
        if (stat(rules->path, &st) != 0 || !S_ISREG(st.st_mode) || strncmp(rules->path, "/etc/", 5) != 0)
            continue;
        const uint64_t file[] = { st.st_dev, st.st_ino };
        mark = text_hash_more(mark, file, sizeof(file));
    }
    return mark;
}

uint64_t sandbox_mark(void)
{
    return mark_files(mark_files(0, common), of_network);
}

/* ---- the forbidden -------------------------------------------------------------------------------------------- */

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of a SIGSYS that a filter sent */
#endif

bool sandbox_is_forbidden(const siginfo_t *info)
{
    return info->si_signo == SIGSYS && info->si_code == SYS_SECCOMP;
}

/* The name is asked for with malloc(), which never makes a call that is forbidden: this signal never interrupts it. */
void sandbox_die(const siginfo_t *info)
{
    char name[SANDBOX_CALL_SIZE], line[128];
    if (sandbox_is_forbidden(info)) {
        int length = snprintf(line, sizeof(line), "forbidden system call %d (%s)\n", info->si_syscall,
                              sandbox_call_name(info->si_syscall, name));
        if (write(STDERR_FILENO, line, (size_t)length) < 0)
            _exit(1);
    }
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGSYS);
    signal(SIGSYS, SIG_DFL);
    raise(SIGSYS);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(1);
}

static void on_forbidden(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    sandbox_die(info);
}

static void catch_forbidden(void)
{
    struct sigaction before, action = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    if (sigaction(SIGSYS, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        sigaction(SIGSYS, &action, NULL);
}

/* ---- entering ------------------------------------------------------------------------------------------------- */

#ifdef BELFRY_SANITIZERS
#define SANITIZERS true /* they map, trace and write what they like */
#else
#define SANITIZERS false
#endif

static void add_own(struct path_rule own[], const char *path, unsigned rights)
{
    if (path == NULL)
        return;
    while (own->path != NULL)
        own++;
    *own = (struct path_rule){ path, rights };
}

static int restrict_paths(const struct sandbox *sandbox, struct why *why)
{
    const struct path_rule *lists[NEED_COUNT + 4] = { common };
    struct path_rule own[5] = { { NULL, 0 } };
    size_t count = 1;
    if (roles[sandbox->role].paths != NULL)
        lists[count++] = roles[sandbox->role].paths;
    for (size_t i = 0; i < NEED_COUNT; i++)
        if (sandbox->needs & needs[i].need)
            lists[count++] = needs[i].paths;
    add_own(own, sandbox->read, PATHS_READ);
    add_own(own, sandbox->write, RW);
    add_own(own, getenv("SSL_CERT_FILE"), PATHS_READ); /* as OpenSSL reads them */
    add_own(own, getenv("SSL_CERT_DIR"), PATHS_READ);
    lists[count] = own;
    return paths_restrict(lists, why);
}

static int restrict_calls(const struct sandbox *sandbox, struct why *why)
{
    uint32_t calls = roles[sandbox->role].calls | (sandbox->local ? CALLS_LOCAL : 0);
    for (size_t i = 0; i < NEED_COUNT; i++)
        if (sandbox->needs & needs[i].need)
            calls |= needs[i].calls;
    return calls_restrict(calls, why);
}

bool sandbox_enter(const struct sandbox *sandbox, char standing[SANDBOX_TEXT_SIZE])
{
    struct why no_paths = { "" }, no_calls = { "" };
    if (SANITIZERS) {
        snprintf(standing, SANDBOX_TEXT_SIZE, "not sandboxed: built with sanitizers");
        return false;
    }
    catch_forbidden();
    int version = restrict_paths(sandbox, &no_paths);
    int code = restrict_calls(sandbox, &no_calls);
    if (code == 0 && version > 0)
        snprintf(standing, SANDBOX_TEXT_SIZE, "seccomp, landlock %d", version);
    else if (code == 0)
        snprintf(standing, SANDBOX_TEXT_SIZE, "seccomp; no landlock: %.90s", no_paths.text);
    else if (version > 0)
        snprintf(standing, SANDBOX_TEXT_SIZE, "landlock %d; no seccomp: %.90s", version, no_calls.text);
    else
        snprintf(standing, SANDBOX_TEXT_SIZE, "not sandboxed: %.80s; no landlock: %.60s", no_calls.text, no_paths.text);
    return code == 0 && version > 0;
}
