/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cpu - load and CPU time.
 *
 * The CPU's shares are of the time since the last run, from the counters of /proc/stat that the last run kept; without
 * those (first run, command line) a quarter of a second is looked at. iowait may count backwards (proc(5)), so no
 * difference is below zero. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/host/proc.h"

#define SAMPLE_MS 250

/* The columns of the "cpu" line in /proc/stat, as far as they are read; guest time is in user already. */
enum column {
    USER,
    NICE,
    SYSTEM,
    IDLE,
    IOWAIT,
    IRQ,
    SOFTIRQ,
    STEAL,
    COLUMNS
};

struct counters {
    uint64_t ticks[COLUMNS];
};

static bool parse(const char *line, struct counters *out)
{
    char *end;
    memset(out, 0, sizeof *out);
    for (int i = 0; i < COLUMNS; i++) {
        out->ticks[i] = strtoull(line, &end, 10);
        if (end == line)
            return i > IDLE; /* old kernels have fewer columns */
        line = end;
    }
    return true;
}

static bool read_counters(struct host_run *run, struct counters *out)
{
    const char *text = proc_read(run, "/proc/stat"), *line = text ? proc_find(text, "cpu ") : NULL;
    return line && parse(line, out);
}

static void keep_counters(struct host_run *run, const struct counters *now)
{
    const char *text = "";
    for (int i = 0; i < COLUMNS; i++)
        text = belfry_print(run->p, "%s%llu ", text, (unsigned long long)now->ticks[i]);
    belfry_keep(run->p, "cpu", text);
}

/* Since when: the counters of the last run, or of a quarter of a second ago. */
static bool find_before(struct host_run *run, struct counters *before, struct counters *now)
{
    const char *kept = belfry_kept(run->p, "cpu");
    if (kept && parse(kept, before) && before->ticks[IDLE] <= now->ticks[IDLE] &&
        before->ticks[USER] <= now->ticks[USER]) /* else the machine was restarted */
        return true;
    *before = *now;
    return belfry_sleep(run->p, SAMPLE_MS) == 0 && read_counters(run, now);
}

static double increase(const struct counters *before, const struct counters *now, enum column column)
{
    return now->ticks[column] > before->ticks[column] ? (double)(now->ticks[column] - before->ticks[column]) : 0;
}

static void measure_cpu(struct host_run *run)
{
    struct counters before, now;
    if (!read_counters(run, &now)) {
        host_unreadable(run, "/proc/stat");
        return;
    }
    bool known = find_before(run, &before, &now);
    keep_counters(run, &now);
    double each[COLUMNS], total = 0;
    for (int i = 0; i < COLUMNS; i++)
        total += each[i] = increase(&before, &now, (enum column)i);
    if (!known || total <= 0)
        return;
    double idle = each[IDLE] + each[IOWAIT];
    belfry_measure(run->p, "cpu_used", 100 * (total - idle) / total);
    belfry_measure(run->p, "cpu_user", 100 * (each[USER] + each[NICE]) / total);
    belfry_measure(run->p, "cpu_system", 100 * (each[SYSTEM] + each[IRQ] + each[SOFTIRQ]) / total);
    belfry_measure(run->p, "cpu_iowait", 100 * each[IOWAIT] / total);
    belfry_measure(run->p, "cpu_steal", 100 * each[STEAL] / total);
    host_say(run, belfry_print(run->p, "CPU %.0f %%", 100 * (total - idle) / total));
}

static int count_cores(struct host_run *run)
{
    const char *text = proc_read(run, "/proc/stat");
    int cores = 0;
    for (const char *line = text ? strstr(text, "\ncpu") : NULL; line; line = strstr(line + 1, "\ncpu"))
        cores += line[4] >= '0' && line[4] <= '9';
    return cores;
}

static void measure_load(struct host_run *run)
{
    const char *text = proc_read(run, "/proc/loadavg");
    double load[3];
    int cores = count_cores(run);
    if (!text || sscanf(text, "%lf %lf %lf", &load[0], &load[1], &load[2]) != 3) {
        host_unreadable(run, "/proc/loadavg");
        return;
    }
    belfry_measure(run->p, "load1", load[0]);
    belfry_measure(run->p, "load5", load[1]);
    belfry_measure(run->p, "load15", load[2]);
    if (cores > 0)
        belfry_measure(run->p, "load_per_core", load[1] / cores);
    host_say(run, belfry_print(run->p, "load %.2f on %d core%s", load[0], cores, cores == 1 ? "" : "s"));
}

void host_cpu(struct host_run *run)
{
    measure_load(run);
    measure_cpu(run);
}
