/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_worker - belfry-worker as the keeper sees it, with a plugin that does what plugins must not do: results, deaths
 * and whom the ledger blames for them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "tests/fixtures/peer.h"
#include "tests/tap.h"

#include "config.h"

#define LONG_MS 20000

/* Runs one mode in a worker of its own. */
static bool run_mode(struct peer *peer, const char *plugin, const char *mode, uint32_t timeout_ms,
                     struct peer_result *out)
{
    struct why why;
    if (!peer_start(peer, peer_fixture(plugin), 8, &why))
        return false;
    peer_check(peer, 1, "svc/check", "mode", mode, NULL);
    peer_run(peer, 7, 1, timeout_ms, NULL);
    return peer_send(peer) && peer_result(peer, out, LONG_MS);
}

static void test_results(const char *plugin)
{
    static const struct {
        const char *mode;
        uint32_t timeout_ms;
        enum result_end end;
        enum belfry_state state;
        const char *text; /* NULL: any */
    } cases[] = {
        { "ok", 5000, RESULT_RETURNED, BELFRY_OK, "fine" },
        { "sleep", 5000, RESULT_RETURNED, BELFRY_OK, "slept" },
        { "sleep", 5, RESULT_TIMEOUT, BELFRY_CRITICAL, "" },
        { "late_verdict", 30, RESULT_RETURNED, BELFRY_OK, "in spite of it" },
        { "deadline", 30, RESULT_RETURNED, BELFRY_OK, "late" },
        { "no_verdict", 5000, RESULT_MISUSE, BELFRY_UNKNOWN, "run() ended without a verdict" },
        { "undeclared", 5000, RESULT_MISUSE, BELFRY_UNKNOWN,
          "run() measured 'no_such_metric', which is not in the plugin's table of metrics" },
        { "unknown_option", 5000, RESULT_MISUSE, BELFRY_UNKNOWN,
          "run() asked for option 'no_such_option', which is not in the plugin's table of options" },
        { "wrong_type", 5000, RESULT_MISUSE, BELFRY_UNKNOWN,
          "run() read option 'wait' with belfry_integer(), but its type is duration" },
        { "bad_state", 5000, RESULT_MISUSE, BELFRY_UNKNOWN, "run() used state 7, wanted 0 to 3" },
        { "bad_event", 5000, RESULT_MISUSE, BELFRY_UNKNOWN,
          "run() made an event of type 'restarted', wanted noun.verb" },
        { "memory", 5000, RESULT_MISUSE, BELFRY_UNKNOWN, "run() asked for more than 16 MiB of memory" },
        { "leak", 5000, RESULT_RETURNED, BELFRY_OK, NULL },
        { "fork", 5000, RESULT_RETURNED, BELFRY_OK, NULL },
        { "locale", 5000, RESULT_RETURNED, BELFRY_OK, "number 3" },
        { "standing", 5000, RESULT_RETURNED, BELFRY_OK, "chdir 0" },
        { "wait_forms", 10000, RESULT_RETURNED, BELFRY_OK, "fine" },
        { "yield", 5000, RESULT_RETURNED, BELFRY_OK, "fine" },
        { "print", 10000, RESULT_RETURNED, BELFRY_OK, "fine" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer peer;
        struct peer_result got = { 0 };
        bool answered = run_mode(&peer, plugin, cases[i].mode, cases[i].timeout_ms, &got);
        tap_ok(answered && got.run == 7 && got.slot == 1 && got.result.end == cases[i].end &&
                   got.result.state == cases[i].state &&
                   (cases[i].text == NULL || (got.result.text != NULL && strcmp(got.result.text, cases[i].text) == 0)),
               "%s: %s gives end %d state %d: '%s'", plugin, cases[i].mode, got.result.end, got.result.state,
               got.result.text ? got.result.text : "(none)");
        peer_close(&peer);
    }
}

int main(void)
{
    test_results("evil");
    return tap_done();
}
