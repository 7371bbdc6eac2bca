/* SPDX-License-Identifier: GPL-3.0-or-later */
/* feed_recorder RECORDER FOLDER UNTIL_S - plays the keeper for belfry-recorder: starts it, sends two days of made-up
 * samples that end at UNTIL_S, prints what it reports, and ends with its exit status. With what it leaves in FOLDER the
 * graphs are tested and looked at. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/base/text.h"
#include "tests/peers/keeper_of_recorder.h"

#define EVERY_S 60
#define SPAN_S (2 * 86400)
#define GAP_FROM_S (30 * 3600)
#define GAP_TO_S (33 * 3600)

static struct series_source redis_sources[] = {
    { .metric = "latency", .min = 0, .max = NAN, .unit = "s", .warn = "0.01", .crit = "0.05" },
    { .metric = "memory_used", .min = 0, .max = NAN, .unit = "B" },
    { .metric = "memory_resident_set_size", .min = 0, .max = NAN, .unit = "B" },
    { .metric = "commands", .kind = BELFRY_COUNTER, .min = 0, .max = NAN, .unit = "c" },
    { .metric = "clients", .min = 0, .max = NAN, .unit = "" },
};
static struct series_source host_sources[] = {
    { .metric = "cpu", .min = 0, .max = 100, .unit = "%", .warn = "80", .crit = "95" },
    { .metric = "memory", .min = 0, .max = 100, .unit = "%" },
    { .metric = "swap", .min = 0, .max = 100, .unit = "%" },
    { .metric = "load1", .min = 0, .max = NAN, .unit = "" },
};
static struct series_source disk_sources[] = {
    { .metric = "used", .min = 0, .max = 100, .unit = "%", .warn = "80", .crit = "90" },
    { .metric = "50% <odd>: \\na&me\"", .min = NAN, .max = NAN, .unit = "B/s" },
};
static struct series_source stack_sources[] = {
    { .metric = "running", .min = 0, .max = NAN, .unit = "" },
    { .metric = "restarting", .min = 0, .max = NAN, .unit = "" },
    { .metric = "stopped", .min = 0, .max = NAN, .unit = "" },
    { .metric = "expected", .min = 0, .max = NAN, .unit = "" },
};
static struct series_source container_sources[] = {
    { .metric = "memory_used", .min = 0, .max = NAN, .unit = "B", .warn = "~:1e9" },
    { .metric = "memory_limit", .min = 0, .max = NAN, .unit = "B" },
    { .metric = "net_in", .min = 0, .max = NAN, .unit = "B/s" },
    { .metric = "net_out", .min = 0, .max = NAN, .unit = "B/s" },
};
static struct plugin_view container_views[] = {
    { "states", "Containers by state", "running re* stopped", "expected", BELFRY_STACK, false },
    { "memory", "Memory: used of limit", "memory_*", "memory_limit", BELFRY_LINES, true },
    { "traffic", "Network", "net_in net_out", NULL, BELFRY_STACK, true },
    { "nothing", "Never recorded", "gone_*", NULL, BELFRY_LINES, false },
};
static struct series_archive archives[] = { { 60, SPAN_S }, { 300, 14 * 86400 }, { 1800, 61 * 86400 } };

static double noise(void)
{
    return (double)rand() / (double)RAND_MAX;
}

static double day(int64_t t, double phase)
{
    return 0.5 + 0.5 * sin(6.283185307 * ((double)(t % 86400) / 86400 + phase));
}

static void measure_redis(int64_t t, double *out)
{
    static double commands = 0;
    double busy = day(t, 0.7);
    commands += (200 + 9000 * busy * (0.8 + 0.4 * noise())) * EVERY_S;
    out[0] = 0.0006 + 0.004 * busy * noise() + (noise() > 0.995 ? 0.02 : 0);
    out[1] = 1.1e9 + 7e8 * busy + 2e7 * noise();
    out[2] = 1.3e9 + 7.4e8 * busy + 3e7 * noise();
    out[3] = floor(commands);
    out[4] = floor(20 + 80 * busy + 6 * noise());
}

static void measure_host(int64_t t, double *out)
{
    out[0] = 8 + 55 * day(t, 0.7) * (0.6 + 0.4 * noise()) + (noise() > 0.99 ? 30 : 0);
    out[1] = 52 + 12 * day(t, 0.6) + noise();
    out[2] = 3 + noise();
    out[3] = 0.3 + 3 * day(t, 0.7) * noise();
}

static void measure_disk(int64_t t, double *out)
{
    out[0] = 70 + 15 * (double)(t % 400000) / 400000;
    out[1] = 4e6 * day(t, 0.2) * noise();
}

static void measure_stack(int64_t t, double *out)
{
    double down = noise() > 0.98 ? 2 : 0, again = noise() > 0.95;
    out[0] = 10 - down - again;
    out[1] = again;
    out[2] = (t / 7200) % 5 == 0 ? down + 1 : down;
    out[3] = 12;
}

/* One of ten, which differ by where they are called from. */
static void measure_container(int64_t t, double *out)
{
    static int turn;
    double weight = 1 + turn++ % 10;
    out[0] = weight * (5e7 + 3e7 * day(t, 0.1 * weight) + 2e6 * noise());
    out[1] = 1.5e9;
    out[2] = weight * 2e5 * day(t, 0.7) * noise();
    out[3] = weight * 9e5 * day(t, 0.7) * noise();
}

static const struct feed {
    const char *check, *part;
    struct series_source *sources;
    uint16_t count;
    void (*measure)(int64_t t, double *out);
    struct plugin_view *views;
    uint32_t view_count;
} feeds[] = {
    { "redis/server", NULL, redis_sources, 5, measure_redis, NULL, 0 },
    { "host/system", NULL, host_sources, 4, measure_host, NULL, 0 },
    { "host/system", "/var lib", disk_sources, 2, measure_disk, NULL, 0 },
    { "docker/all", NULL, stack_sources, 4, measure_stack, container_views, 4 },
#define CONTAINER(name_)                                                                                               \
    {                                                                                                                  \
        "docker/all", name_, container_sources, 4, measure_container, container_views, 4                               \
    }
    CONTAINER("cache"),
    CONTAINER("db"),
    CONTAINER("mail"),
    CONTAINER("panel"),
    CONTAINER("proxy"),
    CONTAINER("queue"),
    CONTAINER("search"),
    CONTAINER("shop"),
    CONTAINER("web-1"),
    CONTAINER("web-2"),
};
#define FEED_COUNT (sizeof(feeds) / sizeof(*feeds))

static void put_series(struct buf *out, uint32_t slot)
{
    const struct feed *feed = &feeds[slot];
    struct series series = { .check = feed->check,
                             .part = feed->part,
                             .step_s = EVERY_S,
                             .heartbeat_s = 150,
                             .sources = feed->sources,
                             .source_count = feed->count,
                             .archives = archives,
                             .archive_count = 3,
                             .views = feed->views,
                             .view_count = feed->view_count };
    keeper_put_series(out, slot, &series);
}

static void put_sample(struct buf *out, uint32_t slot, int64_t t)
{
    double values[8];
    feeds[slot].measure(t, values);
    keeper_put_sample(out, slot, t, values, feeds[slot].count);
}

static int send_all(struct keeper_peer *keeper, int64_t until_s)
{
    struct buf out = { 0 };
    int code = 0;
    srand(1);
    for (uint32_t slot = 0; slot < FEED_COUNT; slot++)
        put_series(&out, slot);
    for (int64_t t = until_s - SPAN_S; code == 0 && t <= until_s; t += EVERY_S) {
        int64_t since_s = t - (until_s - SPAN_S);
        for (uint32_t slot = 0; slot < FEED_COUNT; slot++)
            if (since_s < GAP_FROM_S || since_s > GAP_TO_S)
                put_sample(&out, slot, t);
        code = keeper_send(keeper, &out);
    }
    buf_close(&out);
    return code;
}

int main(int argc, char **argv)
{
    int64_t until_s;
    struct keeper_peer keeper;
    if (argc != 4 || text_integer(argv[3], &until_s) != 0)
        return 2;
    const char *const args[] = { argv[1], "--rrd", argv[2], NULL };
    if (!keeper_start(&keeper, args, STDERR_FILENO, false))
        return 2;
    bool good = send_all(&keeper, until_s) == 0;
    int status = keeper_end_printing(&keeper);
    return good && status >= 0 ? status : 1;
}
