/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_worker_deaths - what becomes of a belfry-worker whose plugin crashes, leaves, loops, forks or takes its
 * descriptors away, and whom the ledger blames. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "tests/fixtures/peer.h"
#include "tests/tap.h"

#define LONG_MS 20000

/* Deaths are looked at as they are, not as a sanitizer reports them. */
static bool died_as_wanted(int status, int wanted_signal, int wanted_exit)
{
    if (wanted_signal != 0)
        return WIFSIGNALED(status) && WTERMSIG(status) == wanted_signal;
    return WIFEXITED(status) && WEXITSTATUS(status) == wanted_exit;
}

/* Run 1 waits in the same worker (and must not be blamed) while run 7 dies. */
static bool start_doomed(struct peer *peer, const char *plugin, const char *mode)
{
    struct why why;
    if (!peer_start(peer, peer_fixture(plugin), 8, &why))
        return false;
    peer_check(peer, 1, "svc/waits", "mode", "sleep", "ms", "60000", NULL);
    peer_check(peer, 2, "svc/dies", "mode", mode, "size", "1MiB", NULL);
    peer_run(peer, 1, 1, 60000, NULL);
    peer_run(peer, 7, 2, 5000, NULL);
    return peer_send(peer);
}

static void test_deaths(const char *plugin, bool blocking)
{
    static const struct {
        const char *mode;
        int signal, exit;
        bool not_in_threads;
    } cases[] = {
        { "crash", SIGSEGV, 0, false },
        { "abort", SIGABRT, 0, false },
        { "sigbus", SIGBUS, 0, false },
        { "sigill", SIGILL, 0, false },
        { "exit0", 0, 0, false },
        { "exit1", 0, 1, false },
        { "_exit", 0, 7, true }, /* nothing is called: which thread it was can't be known */
        { "pthread_exit", 0, 0, true },
        { "overflow", SIGSEGV, 0, false },
        { "vla", SIGSEGV, 0, true }, /* a thread's stack is large enough */
        { "close_all", SIGABRT, 0, false },
        { "close_and_wait", SIGABRT, 0, false },
        { "dup_over", SIGABRT, 0, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (blocking && cases[i].not_in_threads)
            continue;
        struct peer peer;
        bool started = start_doomed(&peer, plugin, cases[i].mode);
        int status = started ? peer_end(&peer, LONG_MS) : -1;
        uint64_t blamed = peer_blamed(&peer);
        tap_ok(started && status != -1 && died_as_wanted(status, cases[i].signal, cases[i].exit) && blamed == 7,
               "%s: %s ends the worker (status 0x%x) and run %llu is blamed", plugin, cases[i].mode, status,
               (unsigned long long)blamed);
        peer_close(&peer);
    }
}

static void test_thread_exit(void)
{
    struct peer peer;
    bool started = start_doomed(&peer, "evil-blocking", "pthread_exit");
    int status = started ? peer_end(&peer, LONG_MS) : -1;
    tap_ok(status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && peer_blamed(&peer) == 7,
           "pthread_exit() in a thread is a crash of that run (status 0x%x)", status);
    peer_close(&peer);
}

static void test_stuck(void)
{
    static const char *const modes[] = { "loop", "loop_blocked_signals", "block" };
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct peer peer;
        int64_t before = clock_now_ms();
        bool seen = start_doomed(&peer, "evil", modes[i]) && peer_await_ledger(&peer, 7, LONG_MS);
        int64_t since = atomic_load(&peer.ledger->slots[0].since_ms);
        tap_ok(seen && since >= before && since <= clock_now_ms(), "%s: the ledger says which run and since when",
               modes[i]);
        kill(peer.pid, SIGKILL);
        tap_ok(peer_end(&peer, LONG_MS) != -1 && peer_blamed(&peer) == 7, "%s: and still does after the kill",
               modes[i]);
        peer_close(&peer);
    }
}

static void test_killed_from_outside(void)
{
    struct peer peer;
    struct peer_result got;
    struct why why;
    bool started = peer_start(&peer, peer_fixture("evil"), 1000, &why);
    peer_check(&peer, 1, "svc/waits", "mode", "sleep", "ms", "60000", NULL);
    peer_check(&peer, 2, "svc/fine", "mode", "ok", NULL);
    for (uint64_t run = 1; run <= 100; run++)
        peer_run(&peer, run, 1, 60000, NULL);
    peer_run(&peer, 101, 2, 1000, NULL);
    started = started && peer_send(&peer) && peer_result(&peer, &got, LONG_MS) && got.run == 101;
    tap_ok(started && peer_await_ledger(&peer, 0, LONG_MS), "runs that wait or have ended are not in the ledger");
    kill(peer.pid, SIGSEGV);
    tap_ok(started && peer_end(&peer, LONG_MS) != -1 && peer_blamed(&peer) == 0,
           "a kill from outside while 100 runs wait blames none of them");
    tap_ok(atomic_load(&peer.ledger->crashed) == UINT64_MAX, "and the ledger says that it came from outside");
    peer_close(&peer);
}

static void test_garbage(void)
{
    struct peer peer;
    struct peer_result got;
    bool answered = peer_run_mode(&peer, "evil", "garbage", 5000, &got);
    tap_ok(!answered, "bytes that a plugin writes into the worker's socket are no frame");
    peer_close(&peer);
}

static void test_forks(const char *plugin)
{
    struct peer peer;
    struct peer_result got = { 0 };
    bool good = peer_run_mode(&peer, plugin, "double_fork", 5000, &got);
    pid_t stray = good ? (pid_t)atoi(got.result.text) : 0;
    peer_frame(&peer, WIRE_STOP);
    good = good && stray > 0 && peer_send(&peer) && peer_end(&peer, LONG_MS) == 0;
    tap_ok(good, "%s: a process that left the group does not keep its worker", plugin);
    if (stray > 1)
        kill(stray, SIGKILL);
    peer_close(&peer);
    good = peer_run_mode(&peer, plugin, "fork_and_return", 5000, &got) && strcmp(got.result.text, "the parent") == 0;
    peer_frame(&peer, WIRE_STOP);
    struct peer_result more;
    tap_ok(good && peer_send(&peer) && !peer_result(&peer, &more, LONG_MS) && peer_end(&peer, LONG_MS) == 0,
           "%s: a forked child that comes back sends nothing", plugin);
    peer_close(&peer);
}

int main(void)
{
    peer_plain_deaths();
    test_deaths("evil", false);
    test_deaths("evil-blocking", true);
    test_thread_exit();
    test_stuck();
    test_killed_from_outside();
    test_garbage();
    test_forks("evil");
    test_forks("evil-blocking");
    return tap_done();
}
