/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench_worker - what one run of the null plugin costs its worker: processor time per run, with so many frames sent at
 * once as a busy keeper would.  Usage: tests/bench/bench_worker [RUNS]
 *
 * bench_worker RUNS PLUGIN.so BATCH [KEY VALUE [KEY VALUE]]: the same of any plugin, BATCH runs at a time without a
 * pause between; prints microseconds of processor time a run, as the minimal programs do. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "tests/fixtures/peer.h"

static int64_t cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec now;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0)
        return 0;
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Reads n results without decoding them. */
static bool drain(struct peer *peer, unsigned n)
{
    struct wire_frame frame;
    while (n > 0 && channel_read(&peer->channel, &frame, clock_now_ms() + 20000) == 1)
        n -= frame.type == WIRE_RESULT;
    return n == 0;
}

static bool measure(const char *plugin, const char *mode, unsigned batch, unsigned runs)
{
    struct peer peer;
    struct why why = { "" };
    if (!peer_start(&peer, peer_fixture(plugin), 1024, &why))
        return false;
    if (mode != NULL)
        peer_check(&peer, 1, "svc/check", "mode", mode, "ms", "0", NULL);
    else
        peer_check(&peer, 1, "svc/check", NULL);
    bool good = true;
    int64_t before = 0, started = 0;
    for (unsigned done = 0; good && done < runs + runs / 10; done += batch) {
        if (before == 0 && done >= runs / 10) { /* the first tenth warms up */
            before = cpu_ns(peer.pid);
            started = clock_now_ns();
        }
        for (unsigned i = 0; i < batch; i++)
            peer_run(&peer, 1 + done + i, 1, 10000, NULL);
        good = peer_send(&peer) && drain(&peer, batch);
    }
    double each = 1e-3 / runs;
    printf("%-14s %-8s batches of %4u: %6.2f us of processor time a run, %6.2f us by the clock\n", plugin,
           mode ? mode : "", batch, (double)(cpu_ns(peer.pid) - before) * each,
           (double)(clock_now_ns() - started) * each);
    peer_close(&peer);
    return good;
}

/* The worker is never idle: its runs are there before the last batch has ended. */
static bool saturate(char **argv, unsigned runs)
{
    struct peer peer;
    struct why why = { "" };
    unsigned batch = (unsigned)strtoul(argv[3], NULL, 10), warm = runs / 10 + batch, sent = 0, ended = 0;
    bool more = argv[4] != NULL && argv[6] != NULL;
    if (batch == 0 || !peer_start(&peer, argv[2], 1024, &why))
        return false;
    peer_check(&peer, 1, "svc/check", argv[4], argv[4] ? argv[5] : NULL, more ? argv[6] : NULL, more ? argv[7] : NULL,
               NULL);
    int64_t before = 0;
    bool good = true;
    while (good && ended < warm + runs) {
        for (; sent < ended + 2 * batch; sent++)
            peer_run(&peer, 1 + sent, 1, 10000, NULL);
        good = peer_send(&peer) && drain(&peer, batch);
        ended += batch;
        if (before == 0 && ended >= warm) {
            before = cpu_ns(peer.pid);
            warm = ended;
        }
    }
    printf("%.2f\n", (double)(cpu_ns(peer.pid) - before) * 1e-3 / (ended - warm));
    peer_close(&peer);
    return good;
}

int main(int argc, char **argv)
{
    unsigned runs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200000;
    if (argc > 3)
        return saturate(argv, runs) ? 0 : 1;
    bool good = measure("null", NULL, 1, runs / 4) && measure("null", NULL, 16, runs) &&
                measure("null", NULL, 256, runs) && measure("evil", "sleep", 256, runs) &&
                measure("evil-blocking", "ok", 256, runs / 4);
    return good ? 0 : 1;
}
