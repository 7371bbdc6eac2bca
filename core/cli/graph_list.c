/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph_list - reads what belfry-graph --list says, and makes of the legends of all files one list of metrics and one
 * of parts. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/spawn.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"
#include "core/cli/places.h"

#define CHUNK_BYTES 65536

static void read_all(int fd, struct buf *out)
{
    for (;;) {
        char *room = buf_room(out, CHUNK_BYTES);
        ssize_t n = room ? read(fd, room, CHUNK_BYTES) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        out->length += (size_t)n;
    }
    close(fd);
}

/* What belfry-graph --list writes. */
static int ask(const char *rrd, const char *check, const char *part, struct buf *out, struct why *why)
{
    const char *argv[] = {
        "belfry-graph", "--rrd", rrd, "--check", check, "--list", part ? "--part" : NULL, part, NULL
    };
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return why_say(why, -errno, "can't start belfry-graph: %s", error_text(-errno));
    const int fds[] = { ends[1], -1 };
    struct spawn spawn = { .program = spawn_member("belfry-graph"), .argv = argv, .fds = fds, .fd_count = 2 };
    pid_t pid = spawn_start(&spawn);
    close(ends[1]);
    read_all(ends[0], out);
    if (pid < 0)
        return why_say(why, (int)pid, "can't start belfry-graph: %s", error_text((int)pid));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return why_say(why, ERROR_REFUSED, "belfry-graph could not list '%s'", check);
}

/* The metric of the name in the list, made when there is none yet. by_name: the same objects. */
static json_t *get_metric(json_t *list, json_t *by_name, const json_t *from)
{
    const char *name = json_string_value(json_object_get(from, "name"));
    json_t *metric = name ? json_object_get(by_name, name) : NULL;
    if (name == NULL || metric)
        return metric;
    metric = json_pack("{ss sO? sO? sO? sb si}", "name", name, "unit", json_object_get(from, "unit"), "warn",
                       json_object_get(from, "warn"), "crit", json_object_get(from, "crit"), "whole", 0, "parts", 0);
    json_object_set(by_name, name, metric);
    json_array_append_new(list, metric);
    return metric;
}

/* Adds the metrics of one file. */
static void add_series(json_t *metrics, json_t *parts, json_t *by_name, const json_t *series)
{
    size_t i;
    json_t *from, *part = json_object_get(series, "part");
    if (json_is_string(part))
        json_array_append(parts, part);
    json_array_foreach(control_list(series, "metrics"), i, from)
    {
        json_t *metric = control_flag(from, "live") ? get_metric(metrics, by_name, from) : NULL;
        if (metric && json_is_string(part))
            json_object_set_new(metric, "parts", json_integer(control_integer(metric, "parts") + 1));
        else if (metric)
            json_object_set_new(metric, "whole", json_true());
    }
}

int graph_list(struct cli *cli, const char *check, const char *part, json_t **out, struct why *why)
{
    struct places places;
    struct buf said = { 0 };
    size_t i;
    json_t *series;
    int code = places_find(cli, &places, why);
    if (code == 0)
        code = ask(places.rrd, check, part, &said, why);
    json_t *root = code == 0 ? json_loadb(said.data, said.length, 0, NULL) : NULL;
    buf_close(&said);
    if (code != 0)
        return code;
    if (json_array_size(control_list(root, "series")) == 0) {
        json_decref(root);
        return why_say(why, ERROR_UNKNOWN_NAME, "nothing is recorded of '%s'%s%s%s yet", check, part ? ", part '" : "",
                       part ? part : "", part ? "'" : "");
    }
    json_t *metrics = json_array(), *parts = json_array(), *by_name = json_object();
    json_array_foreach(control_list(root, "series"), i, series) add_series(metrics, parts, by_name, series);
    json_decref(by_name);
    *out = json_pack("{ss sO so so}", "check", check, "views", control_list(root, "views"), "metrics", metrics, "parts",
                     parts);
    json_decref(root);
    return 0;
}
