/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memory - memory, swap and pressure.
 *
 * Memory in use is MemTotal - MemAvailable: the kernel's own estimate of what programs could still get (kernels before
 * 3.14 lack it: free + buffers + cache then). Pressure is the share of the last ten seconds in which some, or all,
 * programs waited for a resource (Documentation/accounting/psi.rst); kernels without it have no such metrics. */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/host/proc.h"

static const char *percent(struct host_run *run, const char *metric, uint64_t used_kib, uint64_t total_kib)
{
    double share = 100 * (double)used_kib / (double)total_kib;
    belfry_measure(run->p, metric, share);
    return belfry_print(run->p, "%.0f %%", share);
}

static uint64_t available_kib(const char *text)
{
    uint64_t available = 0, extra = 0;
    if (proc_number(text, "MemAvailable:", &available))
        return available;
    proc_number(text, "MemFree:", &available);
    if (proc_number(text, "Buffers:", &extra))
        available += extra;
    if (proc_number(text, "Cached:", &extra))
        available += extra;
    return available;
}

static void measure_memory(struct host_run *run, const char *text)
{
    uint64_t total = 0, available = available_kib(text);
    if (!proc_number(text, "MemTotal:", &total) || total == 0) {
        host_complain(run, "/proc/meminfo has no MemTotal");
        return;
    }
    available = available < total ? available : total;
    belfry_measure(run->p, "memory_available", (double)available * 1024);
    host_say(run, belfry_print(run->p, "memory %s of %s", percent(run, "memory_used", total - available, total),
                               say_bytes(run->p, (double)total * 1024)));
}

static void measure_swap(struct host_run *run, const char *text)
{
    uint64_t total = 0, unused = 0;
    if (!proc_number(text, "SwapTotal:", &total) || !proc_number(text, "SwapFree:", &unused) || total == 0)
        return;
    host_say(run, belfry_print(run->p, "swap %s",
                               percent(run, "swap_used", total - (unused < total ? unused : total), total)));
}

static const struct {
    const char *file, *line, *metric;
} pressures[] = {
    { "/proc/pressure/cpu", "some avg10=", "pressure_cpu" },
    { "/proc/pressure/memory", "some avg10=", "pressure_memory" },
    { "/proc/pressure/memory", "full avg10=", "pressure_memory_full" },
    { "/proc/pressure/io", "some avg10=", "pressure_io" },
    { "/proc/pressure/io", "full avg10=", "pressure_io_full" },
};

static void measure_pressure(struct host_run *run)
{
    for (size_t i = 0; i < sizeof pressures / sizeof pressures[0]; i++) {
        const char *text = proc_read(run, pressures[i].file);
        const char *value = text ? proc_find(text, pressures[i].line) : NULL;
        if (value)
            belfry_measure(run->p, pressures[i].metric, strtod(value, NULL));
    }
}

void host_memory(struct host_run *run)
{
    const char *text = proc_read(run, "/proc/meminfo");
    if (text) {
        measure_memory(run, text);
        measure_swap(run, text);
    } else {
        host_unreadable(run, "/proc/meminfo");
    }
    measure_pressure(run);
}
