/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-anchor - notes one line down at every sink that is asked for, and ends: exit status 0 when all took it, 1 when
 * one did not, 2 for wrong usage, 3 when one said that it is gone for good. The options are the rows of anchor_sinks
 * and of `own`: `belfry-anchor --syslog --file PATH --webhook FORMAT LINE`; the webhook's URL, a secret, is read from
 * the standard input. A process of its own, because a file may lie on a machine that does not answer, and a webhook
 * too. Its sandbox lets it write to that file (or, to make it, in that file's folder), connect to unix sockets and to
 * the network, each when it is asked to.
 *
 * Diagnostics: `SINK: WHY`. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/journal/anchor.h"
#include "core/keeper/anchor_post.h"
#include "core/sandbox/sandbox.h"

#define POST_LIMIT_S 50 /* belfryd waits a minute for all of it */

enum {
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_GONE = 3
};

static int64_t post_limit_s = POST_LIMIT_S;
static bool is_gone;

/* ---- sinks of its own -------------------------------------------------------------------------------------------- */

static int read_url(char url[ANCHOR_URL_MAX + 1])
{
    size_t length = 0;
    ssize_t n;
    while ((n = read(STDIN_FILENO, url + length, ANCHOR_URL_MAX - length)) > 0)
        length += (size_t)n;
    url[length] = '\0';
    url[strcspn(url, "\n")] = '\0';
    return n < 0 ? -errno : 0;
}

static int post(const char *format, const char *line)
{
    char url[ANCHOR_URL_MAX + 1];
    struct why why = { "" };
    int code = read_url(url);
    if (code < 0)
        return code;
    code = anchor_post(url, format, line, post_limit_s * 1000, &why);
    explicit_bzero(url, sizeof url);
    is_gone = is_gone || code == ERROR_REFUSED;
    if (code < 0)
        log_warn("anchor", "webhook: %s", why.text);
    return code;
}

/* How long a webhook may take; the options are taken in their order. */
static int set_limit(const char *seconds, const char *line)
{
    (void)line;
    return text_integer(seconds, &post_limit_s) == 0 && post_limit_s > 0 ? 0 : ERROR_RANGE;
}

static const struct anchor_sink own[] = {
    { "within", true, set_limit },
    { "webhook", true, post },
    { 0 },
};

/* ---- options ----------------------------------------------------------------------------------------------------- */

static const struct anchor_sink *find(const char *option)
{
    const struct anchor_sink *const tables[] = { anchor_sinks, own };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct anchor_sink *sink = tables[i]; sink->name; sink++)
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
        if (code < 0 && sink->write != post)
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
                                     .needs = is_asked(argc, argv, "--webhook") ? BELFRY_NEEDS_NETWORK : 0,
                                     .write = place_of(argc, argv, folder),
                                     .local = is_asked(argc, argv, "--syslog") },
                  standing);
    log_debug("anchor", "%s", standing);
}

int main(int argc, char **argv)
{
    log_setup(LOG_LEVEL_INFO);
    if (argc < 3 || walk(argc, argv, NULL) < 0) {
        fputs("Usage: belfry-anchor [--syslog] [--file PATH] [[--within SECONDS] --webhook FORMAT <URL] LINE\n",
              stderr);
        return STATUS_USAGE;
    }
    enter_sandbox(argc, argv);
    int failed = walk(argc, argv, argv[argc - 1]);
    return is_gone ? STATUS_GONE : failed > 0 ? STATUS_FAILED : 0;
}
