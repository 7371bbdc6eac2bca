/* SPDX-License-Identifier: GPL-3.0-or-later */
/* docker - the containers of a Docker engine (or podman's compatible socket): do they run, are they healthy, what
 * happened to them since the last run?
 *
 * A run asks /_ping (version), the list of containers, an inspect of each that is selected, /events since the last run,
 * and on request stats and /system/df; inspects and stats go over several connections at once. Only GET. Each container
 * is a part.
 *
 * Diagnostics:
 *   no socket, nobody listens, no answer, 5xx: not reached. No permission on the socket: UNKNOWN, because the engine
 *     may be well
 *   not allowed: what a proxy refuses, by name: UNKNOWN, while all else is looked at
 *   nothing is selected by name, label or project: UNKNOWN
 *   expected but not there or not running: WARNING, and CRITICAL by the metric missing_time
 *   unhealthy: WARNING, and CRITICAL by the metric unhealthy_time
 *   restarting: WARNING, and CRITICAL when it was so in the last run, too
 *   stopped with an exit code, killed for memory, or against its restart policy: WARNING
 */
#include "plugins/docker/docker.h"

#include <string.h>

static const char *const findings[] = { "true",    "privileged", "socket", "memory", "cpu",   "host_network",
                                        "restart", "latest",     "root",   "engine", "false", NULL };

static const struct belfry_option options[] = {
    { "socket", BELFRY_PATH, "Unix socket of the engine", .fallback = "/var/run/docker.sock",
      .example = "/run/podman/podman.sock" },
    { "url", BELFRY_URL, "Address of the engine or of a socket proxy, instead of socket",
      .example = "https://10.0.0.5:2376" },
    { "ca_file", BELFRY_PATH, "Certificates to trust instead of the system's", .example = "/etc/belfry/docker/ca.pem" },
    { "client_cert", BELFRY_PATH, "Certificate to show to the engine", .example = "/etc/belfry/docker/cert.pem" },
    { "client_key", BELFRY_PATH, "Its private key", .example = "/etc/belfry/docker/key.pem" },
    { "tls_verify", BELFRY_FLAG, "Whether the engine's certificate must be valid for its host", .fallback = "true",
      .example = "true" },
    { "container", BELFRY_TEXT, "Look at containers with one of these names only; * and ? stand for others",
      .list = true, .example = "shop-*" },
    { "exclude", BELFRY_TEXT, "Names of containers to leave out", .list = true, .example = "*-debug" },
    { "label", BELFRY_TEXT, "Look at containers with all of these labels only: name or name=value", .list = true,
      .example = "tier=web" },
    { "project", BELFRY_TEXT, "Look at containers of these Compose projects only", .list = true, .example = "shop" },
    { "expect", BELFRY_TEXT, "Names of containers that must run; * and ? stand for others", .list = true,
      .example = "shop-web-1" },
    { "expect_service", BELFRY_TEXT, "Compose services of which a container must run: service or project/service",
      .list = true, .example = "shop/web" },
    { "stats", BELFRY_FLAG, "Measure CPU and memory of each container; takes up to 2 s", .fallback = "false",
      .example = "true" },
    { "disk", BELFRY_FLAG, "Measure images, volumes and disk use; slow, so hourly at most", .fallback = "false",
      .example = "true" },
    { "findings", BELFRY_TEXT,
      "What to look for that is against good custom: true for all, or some of them; each is a part", .list = true,
      .fallback = "false", .choices = findings, .example = "true" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "time_answer", "s", "Time the engine takes to answer a ping", .warn = "2", .min = "0" },
    { "containers", "", "Containers looked at", .min = "0" },
    { "running", "", "Containers that run", .min = "0" },
    { "healthy", "", "Containers whose health check passes", .min = "0" },
    { "unhealthy", "", "Containers whose health check fails", .min = "0" },
    { "stopped", "", "Containers that don't run", .min = "0" },
    { "missing", "", "Expected containers that are not there or don't run", .warn = "0", .min = "0" },
    { "missing_time", "s", "Time for which an expected container or service has not been running", .crit = "60",
      .min = "0" },
    { "uptime", "s", "Time since the container was started", .min = "0" },
    { "restarts", "", "Unplanned restarts of the container in the last 15 minutes, counted up to 4", .warn = "0",
      .crit = "2", .min = "0", .max = "4" },
    { "ooms", "", "Kills for lack of memory in the last hour, counted up to 4", .warn = "0", .crit = "2", .min = "0",
      .max = "4" },
    { "unplanned_restart_age", "s", "Time since the last unplanned restart that was seen", .min = "0" },
    { "unhealthy_time", "s", "Time for which the health check has been failing", .crit = "300", .min = "0" },
    { "cpu", "%", "CPU time used, 100 % is one CPU, as docker stats says it", .min = "0" },
    { "cpu_limit", "%", "CPU time used, of the container's own limit", .warn = "80", .min = "0" },
    { "cpu_throttled", "%", "Periods in which the container was held back at its CPU limit", .warn = "25", .min = "0",
      .max = "100" },
    { "memory", "B", "Memory used without the page cache, as docker stats says it", .min = "0" },
    { "memory_limit", "%", "Memory used, of the container's own limit", .warn = "90", .crit = "98", .min = "0" },
    { "pids", "", "Processes and threads", .min = "0" },
    { "images", "", "Images", .min = "0" },
    { "volumes", "", "Volumes", .min = "0" },
    { "disk_images", "B", "Disk space of images", .min = "0" },
    { "disk_containers", "B", "Disk space written by containers", .min = "0" },
    { "disk_volumes", "B", "Disk space of volumes", .min = "0" },
    { "disk_cache", "B", "Disk space of the build cache", .min = "0" },
    { "disk_reclaimable", "B", "Disk space of images, volumes, cache and containers that nobody uses", .min = "0" },
    { "disk_reclaimable_percent", "%", "The same, of the file system the engine writes to", .warn = "30", .min = "0" },
    { "disk_used", "%", "Space in use of the file system the engine writes to", .warn = "80", .crit = "90", .min = "0",
      .max = "100" },
    { "findings", "", "Containers that a finding is about, or warnings of the engine", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "health", "Containers: healthy, unhealthy, stopped", "healthy unhealthy stopped", BELFRY_LINES, "containers",
      false },
    { "cpu_by_container", "CPU by container", "cpu", BELFRY_STACK, NULL, true },
    { "memory_by_container", "Memory by container", "memory", BELFRY_STACK, NULL, true },
    { "restarts_by_container", "Unplanned restarts within 15 minutes, by container", "restarts", BELFRY_LINES, NULL,
      true },
    { "disk", "Disk space: images, containers, volumes, cache", "disk_images disk_containers disk_volumes disk_cache",
      BELFRY_STACK, NULL, false },
    BELFRY_END,
};

static bool wants_findings(struct belfry_probe *p)
{
    const char *first = belfry_item(p, "findings", 0);
    return first && strcmp(first, "false") != 0;
}

static void look(struct docker *d)
{
    if (!docker_greet(d) || !docker_list(d))
        return;
    docker_recall(d);
    if (wants_findings(d->p))
        docker_info(d);
    if (!docker_inspect(d))
        return;
    docker_events(d);
    if (belfry_flag(d->p, "stats"))
        docker_stats(d);
    if (belfry_flag(d->p, "disk") && !docker_disk(d))
        return;
    docker_judge(d);
    docker_remember(d);
}

static void run(struct belfry_probe *p)
{
    struct docker *d = belfry_alloc(p, sizeof *d);
    const char *url = belfry_text(p, "url");
    d->p = p;
    d->setup = (struct web_setup){ .base = url ? url : "http://docker",
                                   .socket = url ? NULL : belfry_text(p, "socket"),
                                   .ca_file = belfry_text(p, "ca_file"),
                                   .client_cert = belfry_text(p, "client_cert"),
                                   .client_key = belfry_text(p, "client_key"),
                                   .insecure = !belfry_flag(p, "tls_verify") };
    size_t length = strlen(d->setup.base);
    if (length > 0 && d->setup.base[length - 1] == '/')
        d->setup.base = belfry_print(p, "%.*s", (int)length - 1, d->setup.base);
    d->client = web_open(p, &d->setup);
    look(d);
    web_close(&d->client);
}

BELFRY_PLUGIN("docker", "1.0", "Containers of a Docker engine: state, health, restarts, memory, CPU, disk", options,
              metrics, run, .views = views, .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES,
              .description =
                  "Whoever may write to the engine's socket is root in effect. So give Belfry a proxy that lets "
                  "reading through only:\n"
                  "    docker run -d --name socket-proxy --restart unless-stopped -p 127.0.0.1:2375:2375 \\\n"
                  "        -v /var/run/docker.sock:/var/run/docker.sock \\\n"
                  "        -e CONTAINERS=1 -e POST=0 tecnativa/docker-socket-proxy\n"
                  "and say url = \"http://127.0.0.1:2375\". disk needs -e SYSTEM=1 -e INFO=1, findings -e INFO=1. Only "
                  "GET is sent. For the socket itself the user of Belfry must be in its group:\n"
                  "    usermod -aG docker belfry && systemctl restart belfry\n"
                  "What is selected by container, project, label and exclude is looked at; what is expected is looked "
                  "for among that. doc/plugins/docker.md says more.\n")
