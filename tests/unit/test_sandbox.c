/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_sandbox - what a worker's plugin may do, by what it declares: one row a deed and a need. A row without text is a
 * deed that ends the worker by SIGSYS with the number of its system call in the ledger; the others say what came of it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "tests/fixtures/peer.h"
#include "tests/tap.h"

#define LONG_MS 30000

/* Where a row needs Landlock, or a version of it. */
enum layer {
    SECCOMP,
    LANDLOCK = 1,
    LANDLOCK_SIGNALS = 6
};

static const struct row {
    const char *plugin, *mode, *path;
    const char *text; /* NULL: ends by SIGSYS */
    int call;
    int layer;
} rows[] = {
    { "forbidden", "ok", "/", "fine", 0, SECCOMP },
    { "forbidden", "thread", "/", "it worked", 0, SECCOMP },
    { "forbidden", "user", "/", "it worked", 0, SECCOMP },
    { "forbidden", "unknown", "/", "failed: ENOSYS", 0, SECCOMP },
    { "forbidden", "connect", "/", NULL, SYS_socket, SECCOMP },
    { "forbidden", "packet", "/", NULL, SYS_socket, SECCOMP },
    { "forbidden", "read", "/usr/bin/env", "it worked", 0, SECCOMP },
    { "forbidden", "read", "/etc/fstab", "failed: EACCES", 0, LANDLOCK },
    { "forbidden", "read", "/proc/1/environ", "failed: EACCES", 0, LANDLOCK },
    { "forbidden", "overwrite", "/etc/passwd", "failed: EACCES", 0, LANDLOCK },
    { "forbidden", "create", "/tmp/belfry-forbidden", NULL, SYS_openat, SECCOMP },
    { "forbidden", "remove", "/tmp/belfry-forbidden", NULL, 0, SECCOMP },
    { "forbidden", "fork", "/", NULL, SYS_clone, SECCOMP },
    { "forbidden", "masked_fork", "/", NULL, 0, SECCOMP },
    { "forbidden", "exec", "/", NULL, SYS_execve, SECCOMP },
    { "forbidden", "ptrace", "/", NULL, SYS_ptrace, SECCOMP },
    { "forbidden", "mount", "/", NULL, SYS_mount, SECCOMP },
    { "forbidden", "unshare", "/", NULL, SYS_unshare, SECCOMP },
    { "forbidden", "kill", "/", NULL, SYS_kill, SECCOMP },
    { "forbidden-network", "connect", "/", "failed: ECONNREFUSED", 0, SECCOMP },
    { "forbidden-network", "resolve", "/", "it worked", 0, SECCOMP },
    { "forbidden-network", "packet", "/", "failed: EAFNOSUPPORT", 0, SECCOMP },
    { "forbidden-network", "read", "/etc/resolv.conf", "it worked", 0, SECCOMP },
    { "forbidden-network", "read", "/etc/fstab", "failed: EACCES", 0, LANDLOCK },
    { "forbidden-network", "create", "/tmp/belfry-forbidden", NULL, SYS_openat, SECCOMP },
    { "forbidden-network", "fork", "/", NULL, SYS_clone, SECCOMP },
    { "forbidden-network", "exec", "/", NULL, SYS_execve, SECCOMP },
    { "forbidden-files", "read", "/etc/fstab", "it worked", 0, SECCOMP },
    { "forbidden-files", "read", "/proc/stat", "it worked", 0, SECCOMP },
    { "forbidden-files", "overwrite", "/etc/passwd", "failed: EACCES", 0, LANDLOCK },
    { "forbidden-files", "connect", "/", NULL, SYS_socket, SECCOMP },
    { "forbidden-files", "exec", "/", NULL, SYS_execve, SECCOMP },
    { "forbidden-processes", "program", "cat /etc/fstab >/dev/null", "status 0", 0, SECCOMP },
    { "forbidden-processes", "program", "echo >/tmp/belfry-forbidden && rm /tmp/belfry-forbidden", "status 0", 0,
      SECCOMP },
    { "forbidden-processes", "program", ">>/var/lib/belfry-forbidden", "status 512", 0, LANDLOCK },
    { "forbidden-processes", "connect", "/", "failed: ECONNREFUSED", 0, SECCOMP },
    { "forbidden-processes", "fork", "/", "it worked", 0, SECCOMP },
    { "forbidden-processes", "kill", "/", "failed: EPERM", 0, LANDLOCK_SIGNALS },
    { "forbidden-processes", "ptrace", "/", NULL, SYS_ptrace, SECCOMP },
    { "forbidden-processes", "mount", "/", NULL, SYS_mount, SECCOMP },
};

/* The version of Landlock in "seccomp, landlock 7"; 0: none; -1: no seccomp. */
static int find_version(const char *standing)
{
    const char *landlock = strstr(standing, "landlock ");
    if (strncmp(standing, "seccomp", strlen("seccomp")) != 0)
        return -1;
    return strncmp(standing, "seccomp, landlock ", strlen("seccomp, landlock ")) == 0
               ? (int)strtol(landlock + strlen("landlock "), NULL, 10)
               : 0;
}

static bool start(struct peer *peer, const struct row *row)
{
    char number[16];
    struct why why = { "" };
    const char *needs = strchr(row->plugin, '-');
    if (!peer_start_allowed(peer, peer_fixture(row->plugin), needs ? needs + 1 : "nothing", &why))
        return false;
    snprintf(number, sizeof(number), "%d", strcmp(row->mode, "connect") == 0 ? 9 : (int)getpid());
    peer_check(peer, 1, "svc/deed", "mode", row->mode, "path", row->path, "number", number, NULL);
    peer_run(peer, 7, 1, 10000, NULL);
    return peer_send(peer);
}

static void judge_death(struct peer *peer, const struct row *row, bool answered)
{
    int status = answered ? -1 : peer_end(peer, LONG_MS);
    bool died = status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    int call = (int)atomic_load(&peer->ledger->forbidden) - 1;
    tap_ok(died && (row->call == 0 || (call == row->call && peer_blamed(peer) == 7)),
           "%s: %s ends it by SIGSYS (status 0x%x, call %d) and is blamed", row->plugin, row->mode, status, call);
}

static void test_row(const struct row *row, int version)
{
    struct peer peer;
    struct peer_result got = { .result.text = "" };
    if (version < row->layer) {
        tap_skip(row->mode, "the kernel has not the version of Landlock that this needs");
        return;
    }
    bool answered = start(&peer, row) && peer_result(&peer, &got, LONG_MS);
    if (row->text == NULL)
        judge_death(&peer, row, answered);
    else
        tap_ok(answered && strcmp(got.result.text, row->text) == 0, "%s: %s %s: '%s', wanted '%s'", row->plugin,
               row->mode, row->path, got.result.text, row->text);
    peer_close(&peer);
}

/* A file that asks for more than it was described with is not run. */
static void test_refusal(void)
{
    struct peer peer;
    struct why why = { "" };
    bool started = peer_start_allowed(&peer, peer_fixture("forbidden-files"), "network", &why);
    tap_ok(!started && strstr(why.text, "needs files, which it is not granted") != NULL,
           "a plugin that asks for more is rejected by its worker: %s", why.text);
    peer_close(&peer);
}

int main(void)
{
    struct peer peer;
    struct why why = { "" };
    peer_plain_deaths();
    bool started = peer_start_allowed(&peer, peer_fixture("forbidden"), "nothing", &why);
    tap_ok(started && peer.standing[0] != '\0', "a worker says how it is sandboxed: %s%s", started ? peer.standing : "",
           why.text);
    char standing[256];
    snprintf(standing, sizeof(standing), "%s", started ? peer.standing : "");
    peer_close(&peer);
    test_refusal();
    int version = find_version(standing);
    for (size_t i = 0; version >= 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
        test_row(&rows[i], version);
    if (version < 0)
        tap_skip("what is forbidden", standing);
    return tap_done();
}
