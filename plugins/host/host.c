/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host - this machine: load, CPU, memory, swap, pressure, disks, uptime and restarts.
 *
 * Everything is read from /proc below `root`, so that a container can look at its host's and a test at a recorded tree.
 * Default thresholds are those at which somebody should get up: a busy machine that does its work is well. The plugin
 * is .blocking because of statvfs() (see disks.c).
 *
 * Diagnostics: a file system that is read-only after an error or after it was writable, can't be examined, or is
 * included and not mounted is a CRITICAL part; a file of /proc that can't be read is UNKNOWN.
 */
#include "plugins/host/host.h"

#include <string.h>

#include "plugins/host/proc.h"

static const struct belfry_option options[] = {
    { "root", BELFRY_PATH, "Folder below which /proc and the file systems are looked for", .fallback = "/",
      .example = "/host" },
    { "include", BELFRY_TEXT, "Mount points to watch, with * and ?, each of which must be there; without it all disks",
      .list = true, .example = "/srv*" },
    { "exclude", BELFRY_TEXT, "Mount points to leave out, with * and ?", .list = true, .example = "/mnt/*" },
    { "network", BELFRY_FLAG, "Whether network file systems (NFS, CIFS, ...) are watched too", .fallback = "false",
      .example = "true" },
    { "read_only", BELFRY_TEXT, "Mount points that may be read-only after they were writable, with * and ?",
      .list = true, .example = "/mnt/archive" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "load1", "", "Processes that run or wait, mean of 1 minute", .min = "0" },
    { "load5", "", "The same of 5 minutes", .min = "0" },
    { "load15", "", "The same of 15 minutes", .min = "0" },
    { "load_per_core", "", "Load of 5 minutes by core", .warn = "2", .crit = "4", .min = "0" },
    { "cpu_used", "%", "CPU time in use", .min = "0", .max = "100" },
    { "cpu_user", "%", "CPU time in programs", .min = "0", .max = "100" },
    { "cpu_system", "%", "CPU time in the kernel", .min = "0", .max = "100" },
    { "cpu_iowait", "%", "CPU time idle while a disk is waited for", .min = "0", .max = "100" },
    { "cpu_steal", "%", "CPU time that the hypervisor gave to others", .warn = "20", .crit = "50", .min = "0",
      .max = "100" },
    { "memory_used", "%", "Memory that programs can't get any more", .warn = "90", .crit = "97", .min = "0",
      .max = "100" },
    { "memory_available", "B", "Memory that programs can still get", .min = "0" },
    { "swap_used", "%", "Swap space in use", .min = "0", .max = "100" },
    { "pressure_cpu", "%", "Time of the last 10 s in which some program waited for a CPU", .min = "0", .max = "100" },
    { "pressure_memory", "%", "The same for memory", .min = "0", .max = "100" },
    { "pressure_memory_full", "%", "Time in which all programs waited for memory", .warn = "20", .crit = "50",
      .min = "0", .max = "100" },
    { "pressure_io", "%", "Time in which some program waited for a disk", .min = "0", .max = "100" },
    { "pressure_io_full", "%", "Time in which all programs waited for a disk", .min = "0", .max = "100" },
    { "disk_used", "%", "Space in use of a file system", .warn = "85", .crit = "95", .min = "0", .max = "100" },
    { "disk_free", "B", "Space left to programs", .min = "0" },
    { "inodes_used", "%", "Inodes in use of a file system", .warn = "85", .crit = "95", .min = "0", .max = "100" },
    { "uptime", "s", "Time since the machine's start", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "cpu", "CPU time: where it went", "cpu_user cpu_system cpu_iowait cpu_steal", .style = BELFRY_STACK },
    { "memory", "Memory and swap in use", "memory_used swap_used", .style = BELFRY_LINES },
    { "disks", "Space in use of each file system", "disk_used", .parts = true },
    { "pressure", "Pressure: time in which programs waited", "pressure_*", .style = BELFRY_LINES },
    { "load", "Load", "load1 load5 load15", .style = BELFRY_LINES },
    BELFRY_END,
};

void host_say(struct host_run *run, const char *words)
{
    run->summary = run->summary ? belfry_print(run->p, "%s, %s", run->summary, words) : words;
}

void host_complain(struct host_run *run, const char *words)
{
    run->problems = run->problems ? belfry_print(run->p, "%s; %s", run->problems, words) : words;
}

void host_unreadable(struct host_run *run, const char *path)
{
    host_complain(run, belfry_print(run->p, "%s%s can't be read", run->root, path));
}

/* An event when the kernel's boot id is another than at the last run. */
static void notice_restart(struct host_run *run, const char *since)
{
    const char *text = proc_read(run, "/proc/sys/kernel/random/boot_id");
    const char *before = belfry_kept(run->p, "boot_id");
    if (!text)
        return;
    const char *now = belfry_print(run->p, "%.*s", (int)strcspn(text, "\n"), text);
    if (before && strcmp(before, now) != 0)
        belfry_event(run->p, "host.restarted", NULL, "the machine was restarted %s ago", since);
    if (!before || strcmp(before, now) != 0)
        belfry_keep(run->p, "boot_id", now);
}

static void measure_uptime(struct host_run *run)
{
    const char *text = proc_read(run, "/proc/stat");
    uint64_t start;
    if (!text || !proc_number(text, "btime ", &start))
        return;
    const char *since = belfry_ago(run->p, (int64_t)start);
    double uptime = difftime(time(NULL), (time_t)start);
    belfry_measure(run->p, "uptime", uptime > 0 ? uptime : 0);
    host_say(run, belfry_print(run->p, "up %s", since));
    notice_restart(run, since);
}

/* A /proc with processes and nothing else is what a systemd unit made of it. */
static const char *explain_hidden(struct host_run *run)
{
    bool hidden = proc_read(run, "/proc/self/mountinfo") && !proc_read(run, "/proc/stat") &&
                  !proc_read(run, "/proc/meminfo") && !proc_read(run, "/proc/loadavg");
    return hidden ? " (is it a unit with ProcSubset=pid? the drop-in host.conf undoes it: doc/plugins/host.md)" : "";
}

static void run(struct belfry_probe *p)
{
    const char *root = belfry_text(p, "root");
    size_t length = strlen(root);
    while (length > 0 && root[length - 1] == '/')
        length--;
    struct host_run run = { .p = p, .root = belfry_print(p, "%.*s", (int)length, root) };
    host_cpu(&run);
    host_memory(&run);
    host_disks(&run);
    measure_uptime(&run);
    if (run.problems)
        belfry_unknown(p, "%s%s", run.problems, explain_hidden(&run));
    else
        belfry_ok(p, "%s", run.summary);
}

BELFRY_PLUGIN("host", "1.0", "This machine: load, CPU, memory, pressure, disks, uptime", options, metrics, run,
              .blocking = true, .views = views, .needs = BELFRY_NEEDS_FILES)
