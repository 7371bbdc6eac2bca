/* SPDX-License-Identifier: MIT
 * null - measures nothing: what a check costs in the family itself. */
#include <belfry/plugin.h>

static const struct belfry_option options[] = { BELFRY_END };
static const struct belfry_metric metrics[] = { BELFRY_END };

static void run(struct belfry_probe *p)
{
    belfry_ok(p, "nothing was measured");
}

BELFRY_PLUGIN("null", "1.0", "Measures nothing", options, metrics, run)
