/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usage - what containers use: CPU and memory by the formulas of `docker stats`, and disk space.
 *
 * An engine that is asked for stats takes two samples a second apart. From the second run on we have the first one
 * ourselves and ask for one sample only (one-shot): then CPU is the mean since the last run. podman never gives a
 * previous sample.
 */
#include <math.h>
#include <string.h>
#include <sys/statvfs.h>

#include "plugins/common/say.h"
#include "plugins/docker/docker.h"

#define AT_ONCE 60    /* an older engine keeps each waiting for its tick of a second */
#define DOUBLE_MAX 60 /* how many containers without a sample are asked for two, which takes 2 s */

static uint64_t counter(const json_t *tree, const char *path)
{
    int64_t value = tree_integer(tree, path, 0);
    return value > 0 ? (uint64_t)value : 0;
}

/* ---- one container ------------------------------------------------------------------------------------------- */

static double cpus_of(const json_t *tree)
{
    double online = tree_number(tree, "cpu_stats.online_cpus");
    return online > 0 ? online : (double)tree_count(tree, "cpu_stats.cpu_usage.percpu_usage");
}

static void read_cpu(struct docker_container *c, const json_t *tree)
{
    struct docker_record *now = &c->now;
    const struct docker_record *before = &c->before;
    uint64_t cpu = counter(tree, "precpu_stats.cpu_usage.total_usage");
    uint64_t system = counter(tree, "precpu_stats.system_cpu_usage");
    now->cpu_ns = counter(tree, "cpu_stats.cpu_usage.total_usage");
    now->system_ns = counter(tree, "cpu_stats.system_cpu_usage");
    now->periods = counter(tree, "cpu_stats.throttling_data.periods");
    now->throttled = counter(tree, "cpu_stats.throttling_data.throttled_periods");
    bool same = c->known && before->started == c->started;
    if (system == 0 && same) {
        cpu = before->cpu_ns;
        system = before->system_ns;
    }
    c->cpu_percent = NAN;
    c->throttled_percent = NAN;
    /* counters that went backwards are those of another start */
    if (system > 0 && now->system_ns > system && now->cpu_ns >= cpu)
        c->cpu_percent = (double)(now->cpu_ns - cpu) / (double)(now->system_ns - system) * cpus_of(tree) * 100;
    if (same && now->periods > before->periods && now->throttled >= before->throttled)
        c->throttled_percent =
            (double)(now->throttled - before->throttled) * 100 / (double)(now->periods - before->periods);
}

/* cgroup v1 has total_inactive_file, v2 inactive_file, podman nothing. */
static void read_memory(struct docker_container *c, const json_t *tree)
{
    double usage = tree_number(tree, "memory_stats.usage"),
           v1 = tree_number(tree, "memory_stats.stats.total_inactive_file");
    double cache = !isnan(v1) ? v1 : tree_number(tree, "memory_stats.stats.inactive_file");
    c->memory_used = cache < usage ? usage - cache : usage;
    c->memory_limit_now = tree_number(tree, "memory_stats.limit");
}

static void on_stats(void *context, size_t i, const struct web_answer *answer)
{
    struct docker *d = context;
    struct docker_container *c = d->containers;
    const char *why = NULL;
    for (; i > 0 || strcmp(c->state, "running") != 0; c++) /* the i-th that runs */
        i -= strcmp(c->state, "running") == 0;
    json_t *tree = answer->end == WEB_ANSWERED && answer->status == 200 ? tree_read(d->p, answer, &why) : NULL;
    if (answer->end == WEB_ANSWERED &&
        (answer->status == 404 || answer->status == 409)) /* removed or ended meanwhile */
        return;
    if (docker_lacks(d, answer, "GET /containers/ID/stats", "CONTAINERS"))
        return;
    if (!json_is_object(tree) || isnan(tree_number(tree, "memory_stats.usage"))) {
        /* a container that has just ended answers with zeros: its state was running when it was asked */
        if (!tree || !json_is_object(tree))
            d->stats_why = answer->end != WEB_ANSWERED ? answer->why
                           : why                       ? why
                                 : belfry_print(d->p, "%s: status %ld", answer->what, answer->status);
        json_decref(tree);
        return;
    }
    c->measured = true;
    read_cpu(c, tree);
    read_memory(c, tree);
    c->pids = tree_number(tree, "pids_stats.current");
    c->oom_count = counter(tree, "memory_stats.failcnt");
    json_decref(tree);
}

void docker_stats(struct docker *d)
{
    const char **paths = belfry_alloc(d->p, d->count * sizeof *paths);
    size_t n = 0, twice = 0;
    for (size_t i = 0; i < d->count; i++) {
        const struct docker_container *c = &d->containers[i];
        if (strcmp(c->state, "running") != 0)
            continue;
        bool sampled = c->known && c->before.system_ns > 0 && c->before.started == c->started;
        bool one = d->podman || sampled || ++twice > DOUBLE_MAX;
        paths[n++] =
            belfry_print(d->p, "%s/containers/%s/stats?stream=0%s", d->prefix, c->id, one ? "&one-shot=1" : "");
    }
    web_ask_all(d->client, paths, n, AT_ONCE, on_stats, d);
}

/* ---- disk ---------------------------------------------------------------------------------------------------- */

/* One kind of thing that takes space, in both shapes of the answer: a list of all (API 1.51 and older), or sums. */
struct kind {
    const char *list, *size, *sums, *metric;
};

static const struct kind kinds[] = {
    { "Images", "Size", "ImageUsage", "disk_images" },
    { "Containers", "SizeRw", "ContainerUsage", "disk_containers" },
    { "Volumes", "UsageData.Size", "VolumeUsage", "disk_volumes" },
    { "BuildCache", "Size", "BuildCacheUsage", "disk_cache" },
};

static bool in_use(const char *list, const json_t *item)
{
    if (strcmp(list, "Images") == 0)
        return tree_number(item, "Containers") > 0;
    if (strcmp(list, "Volumes") == 0)
        return !(tree_number(item, "UsageData.RefCount") == 0);
    if (strcmp(list, "BuildCache") == 0)
        return tree_flag(item, "InUse", false);
    return strcmp(json_is_string(tree_at(item, "State")) ? json_string_value(tree_at(item, "State")) : "", "running") ==
           0;
}

/* The space that one thing takes; shared layers of images count once, with LayersSize. */
static double size_of(const struct kind *kind, const json_t *item)
{
    double size = tree_number(item, kind->size), shared = tree_number(item, "SharedSize");
    return fmax(0, isnan(size) ? 0 : size) - (shared > 0 ? shared : 0);
}

/* The sum of a kind; adds what nobody uses. NaN when the answer has none. */
static double sum_up(const json_t *tree, const struct kind *kind, double *reclaimable)
{
    const json_t *sums = tree_at(tree, kind->sums);
    double total = 0;
    if (sums) {
        double unused = tree_number(sums, "Reclaimable");
        *reclaimable += unused > 0 ? unused : 0;
        return tree_number(sums, "TotalSize");
    }
    if (!tree_at(tree, kind->list))
        return NAN;
    for (size_t i = 0; i < tree_count(tree, kind->list); i++) {
        const json_t *item = tree_item(tree, kind->list, i);
        total += size_of(kind, item);
        *reclaimable += in_use(kind->list, item) ? 0 : size_of(kind, item);
    }
    double layers = tree_number(tree, "LayersSize");
    return kind == &kinds[0] && layers > 0 ? layers : total;
}

static double count_of(const json_t *tree, const struct kind *kind)
{
    const json_t *sums = tree_at(tree, kind->sums);
    return sums ? tree_number(sums, "TotalCount") : (double)tree_count(tree, kind->list);
}

/* The size of the file system that the engine writes to, when it is on this machine; NaN otherwise. */
static double measure_file_system(struct docker *d)
{
    const char *why = NULL;
    struct statvfs fs;
    if (!d->setup.socket)
        return NAN;
    const struct web_answer *answer = web_ask(d->client, "GET", belfry_print(d->p, "%s/info", d->prefix), NULL);
    json_t *tree = answer->end == WEB_ANSWERED && answer->status == 200 ? tree_read(d->p, answer, &why) : NULL;
    const char *root = tree_text(d->p, tree, "DockerRootDir", "");
    json_decref(tree);
    docker_lacks(d, answer, "GET /info", "INFO");
    if (*root != '/' || statvfs(root, &fs) != 0)
        return NAN;
    double used = (double)(fs.f_blocks - fs.f_bfree), usable = used + (double)fs.f_bavail;
    if (usable > 0)
        belfry_measure(d->p, "disk_used", 100 * used / usable);
    return (double)fs.f_blocks * (double)fs.f_frsize;
}

static void measure_disk(struct docker *d, const json_t *tree)
{
    double reclaimable = 0, size = measure_file_system(d);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        belfry_measure(d->p, kinds[i].metric, sum_up(tree, &kinds[i], &reclaimable));
    double images = count_of(tree, &kinds[0]), volumes = count_of(tree, &kinds[2]);
    belfry_measure(d->p, "images", images);
    belfry_measure(d->p, "volumes", volumes);
    belfry_measure(d->p, "disk_reclaimable", reclaimable);
    d->disk = belfry_print(d->p, "%.0f image%s, %.0f volume%s, %s reclaimable", images, images == 1 ? "" : "s", volumes,
                           volumes == 1 ? "" : "s", say_bytes(d->p, reclaimable));
    if (size > 0)
        belfry_measure(d->p, "disk_reclaimable_percent", fmin(100, reclaimable * 100 / size));
}

bool docker_disk(struct docker *d)
{
    const char *why = NULL;
    const struct web_answer *answer = web_ask(d->client, "GET", belfry_print(d->p, "%s/system/df", d->prefix), NULL);
    if (docker_lacks(d, answer, "GET /system/df", "SYSTEM"))
        return true;
    if (web_refused(d->p, answer, DOCKER_SUBJECT, DOCKER_CREDENTIAL))
        return false;
    json_t *tree = tree_read(d->p, answer, &why);
    if (tree && !tree_at(tree, "Images") && !tree_at(tree, "ImageUsage"))
        why = belfry_print(d->p, "the answer to %s says nothing of images", answer->what);
    if (why)
        belfry_unknown(d->p, "%s", why);
    else
        measure_disk(d, tree);
    json_decref(tree);
    return !why;
}
