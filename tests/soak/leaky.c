/* SPDX-License-Identifier: GPL-3.0-or-later */
/* leaky - a plugin that opens a descriptor in each run and forgets it. */
#include <belfry/plugin.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const struct belfry_option options[] = { BELFRY_END };
static const struct belfry_metric metrics[] = { { "fd", "", "The descriptor", .warn = NULL }, BELFRY_END };

static void run(struct belfry_probe *p)
{
    int fd = open("/dev/null", O_RDONLY);
    if (fd < 0) {
        belfry_unknown(p, "no descriptor is left: %s", strerror(errno));
        return;
    }
    belfry_measure(p, "fd", fd);
    belfry_ok(p, "forgot descriptor %d", fd);
}

BELFRY_PLUGIN("leaky", "1.0", "Forgets descriptors", options, metrics, run)
