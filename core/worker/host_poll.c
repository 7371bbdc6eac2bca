/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host_poll - one run in the thread of the caller, waiting with poll(): the command line's host. Log lines go to
 * stderr. */
#include "core/worker/host.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/worker/run.h"

static void write_line(struct run *run, int level, const char *line)
{
    static const enum log_level levels[] = {
        [BELFRY_DEBUG] = LOG_LEVEL_DEBUG,
        [BELFRY_INFO] = LOG_LEVEL_INFO,
        [BELFRY_WARN] = LOG_LEVEL_WARN,
        [BELFRY_ERROR] = LOG_LEVEL_ERROR,
    };
    log_line(levels[level], run->plugin->info.name, line);
}

static const struct run_host poll_host = { .wait = run_wait_poll, .log = write_line };

void host_run(const struct loaded_plugin *plugin, const struct task *task, int64_t timeout_ms, struct arena *arena,
              struct result *out)
{
    struct values values;
    struct why why;
    if (values_bind(arena, &plugin->info, task, &values, &why) < 0) {
        run_refuse(out, arena_text(arena, why.text));
        return;
    }
    struct run *run = arena_alloc(arena, sizeof(*run));
    int64_t now = clock_now_ns();
    struct run_order order = { .plugin = plugin,
                               .values = &values,
                               .id = task->id,
                               .arena = arena,
                               .resolver = resolver_new(),
                               .host = &poll_host,
                               .start_ns = now,
                               .deadline_ns = now + timeout_ms * 1000000 };
    run_begin(run, &order);
    run_execute(run);
    *out = run->result;
    run_close(run);
    resolver_close(&order.resolver);
}
