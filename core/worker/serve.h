/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve - the worker's loop: frames from the keeper in, runs, frames out. */
#ifndef WORKER_SERVE_H
#define WORKER_SERVE_H

#include "core/worker/host.h"
#include "core/worker/book.h"

#define CONCURRENCY_MAX 16384u

struct serve_setup {
    const struct loaded_plugin *plugin;
    struct book *book;
    unsigned concurrency; /* runs at once; of a blocking plugin at most POOL_THREADS_MAX */
    const char *standing; /* of its sandbox */
};

/* Announces the plugin (WIRE_READY) and serves until WIRE_STOP was obeyed (0) or something is wrong (negative code). An
 * end of file on FRAMES_FD ends the process at once. */
int serve_run(const struct serve_setup *setup);

#endif
