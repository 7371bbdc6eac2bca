/* file-age - how long ago a file was written.  SPDX-License-Identifier: MIT */
#include <belfry/plugin.h>
#include <sys/stat.h>
#include <time.h>

static const struct belfry_option options[] = {
    { "path", BELFRY_PATH, "File whose age is watched", .required = true },
    BELFRY_END,
};
static const struct belfry_metric metrics[] = {
    { "age", "s", "Seconds since the last write", .warn = "~:90000", .crit = "~:180000" },
    BELFRY_END,
};
static const struct belfry_view views[] = {
    { "growth", "How the file ages, and when it is written", "age", .style = BELFRY_LINES },
    BELFRY_END,
};

static void run(struct belfry_probe *p)
{
    const char *path = belfry_text(p, "path");
    struct stat st;
    if (stat(path, &st) != 0) {
        belfry_unreachable(p, "%s: %m", path);
        return;
    }
    belfry_measure(p, "age", difftime(time(NULL), st.st_mtime));
    belfry_ok(p, "%s was written %s ago", path, belfry_ago(p, st.st_mtime));
}

BELFRY_PLUGIN("file-age", "1.0", "Age of a file", options, metrics, run, .views = views, .needs = BELFRY_NEEDS_FILES)
