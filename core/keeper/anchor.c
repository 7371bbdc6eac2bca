/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-anchor - notes one line down at every sink that is asked for, and ends: exit status 0 when all took it, 1 when
 * one did not, 2 for wrong usage. The options are the rows of anchor_sinks: `belfry-anchor --syslog --file PATH LINE`.
 * A process of its own, because a file may lie on a machine that does not answer. Its sandbox lets it write to that
 * file (or, to make it, in that file's folder) and connect to unix sockets, when it is asked to.
 *
 * Diagnostics: `SINK: WHY`. */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/journal/anchor.h"
#include "core/sandbox/sandbox.h"

static const struct anchor_sink *find(const char *option)
{
    for (const struct anchor_sink *sink = anchor_sinks; sink->name; sink++)
        if (strncmp(option, "--", 2) == 0 && strcmp(option + 2, sink->name) == 0)
            return sink;
    return NULL;
}

/* Walks over the options; with a line each is written to. -1 for wrong usage, else how many failed. */
static int walk(int argc, char **argv, const char *line)
{
    int failed = 0;
    for (int i = 1; i + 1 < argc; i++) {
        const struct anchor_sink *sink = find(argv[i]);
        const char *to = NULL;
        if (!sink || (sink->to && i + 2 >= argc))
            return -1;
        if (sink->to)
            to = argv[++i];
        int code = line ? sink->write(to, line) : 0;
        if (code < 0)
            log_warn("anchor", "%s%s%s: %s", sink->name, to ? " " : "", to ? to : "", error_text(code));
        failed += code < 0;
    }
    return failed;
}

static bool is_asked(int argc, char **argv, const char *option)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], option) == 0)
            return true;
    return false;
}

/* The file of `--file`, or the folder where it will be made; NULL when there is none. */
static const char *place_of(int argc, char **argv, char folder[PATH_MAX])
{
    for (int i = 1; i + 2 < argc; i++) {
        if (strcmp(argv[i], "--file") != 0)
            continue;
        if (access(argv[i + 1], F_OK) == 0)
            return argv[i + 1];
        text_copy(folder, PATH_MAX, argv[i + 1]);
        char *slash = strrchr(folder, '/');
        if (!slash)
            return ".";
        slash[slash == folder] = '\0';
        return folder;
    }
    return NULL;
}

static void enter_sandbox(int argc, char **argv)
{
    char folder[PATH_MAX], standing[SANDBOX_TEXT_SIZE];
    sandbox_enter(&(struct sandbox){ .role = SANDBOX_ANCHOR,
                                     .write = place_of(argc, argv, folder),
                                     .local = is_asked(argc, argv, "--syslog") },
                  standing);
    log_debug("anchor", "%s", standing);
}

int main(int argc, char **argv)
{
    log_setup(LOG_LEVEL_INFO);
    if (argc < 3 || walk(argc, argv, NULL) < 0) {
        fputs("Usage: belfry-anchor [--syslog] [--file PATH] LINE\n", stderr);
        return 2;
    }
    enter_sandbox(argc, argv);
    return walk(argc, argv, argv[argc - 1]) > 0;
}
