/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_fixture - what the tests of core/config share: a temporary folder with files, and a catalog of four plugins
 * that never was in a file: it is encoded into frames and taken like one that belfry-worker wrote. */
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/wire.h"
#include "core/config/config.h"
#include "tests/tap.h"

/* ---- plugins ------------------------------------------------------------------------------------------------- */

static void fixture_run_(struct belfry_probe *p)
{
    (void)p;
}

static const char *const fixture_versions_[] = { "any", "4", "6", NULL };

static const struct belfry_option fixture_http_options_[] = {
    { "url", BELFRY_URL, "Address to ask for", .required = true, .example = "https://www.example.net/" },
    { "expect_status", BELFRY_TEXT, "Right status codes", .list = true, .fallback = "2xx" },
    { "header", BELFRY_TEXT, "Request headers by name", .map = true },
    { "max_bytes", BELFRY_SIZE, "How much is read", .fallback = "1MiB" },
    { "password", BELFRY_TEXT, "Password", .secret = true, .example = "@web" },
    { "tls_verify", BELFRY_FLAG, "Whether the certificate must be valid", .fallback = "true" },
    BELFRY_END
};
static const struct belfry_option fixture_tcp_options_[] = {
    { "host", BELFRY_HOST, "Host to connect to", .fallback = "127.0.0.1" },
    { "port", BELFRY_PORT, "TCP port", .required = true, .example = "25" },
    { "ip_version", BELFRY_TEXT, "Addresses to try", .choices = fixture_versions_ },
    { "pause", BELFRY_DURATION, "Pause before sending", .fallback = NULL },
    { "ratio", BELFRY_NUMBER, "A number", .fallback = NULL },
    { "count", BELFRY_INTEGER, "A number", .fallback = NULL },
    { "socket", BELFRY_PATH, "Unix socket", .fallback = NULL },
    { "limit", BELFRY_RANGE, "A range", .fallback = NULL },
    BELFRY_END
};
static const struct belfry_option fixture_exec_options_[] = {
    { "command", BELFRY_TEXT, "Program and arguments", .required = true, .list = true, .example = "/bin/true" },
    { "env", BELFRY_TEXT, "Environment", .map = true },
    BELFRY_END
};
static const struct belfry_option fixture_no_options_[] = { BELFRY_END };
static const struct belfry_metric fixture_http_metrics_[] = { { "time_total", "s", "Seconds", .crit = "~:10" },
                                                              { "size", "B", "Bytes", .warn = NULL },
                                                              { "requests", "c", "Requests", .kind = BELFRY_COUNTER },
                                                              BELFRY_END };
static const struct belfry_metric fixture_tcp_metrics_[] = { { "latency", "s", "Seconds", .warn = NULL }, BELFRY_END };
static const struct belfry_metric fixture_no_metrics_[] = { BELFRY_END };

/* clang-format off */
static const struct belfry_plugin fixture_plugins_[] = {
#define FIXTURE_PLUGIN_(name_, options_, metrics_, ...)                                                                \
    { .magic = BELFRY_MAGIC, .size = sizeof(struct belfry_plugin), .abi = BELFRY_ABI,                                  \
      .option_size = sizeof(struct belfry_option), .metric_size = sizeof(struct belfry_metric), .name = name_,         \
      .version = "1.0", .summary = "For tests", .options = options_, .metrics = metrics_, .run = fixture_run_,         \
      __VA_ARGS__ }
    FIXTURE_PLUGIN_("tcp", fixture_tcp_options_, fixture_tcp_metrics_, .blocking = false),
    FIXTURE_PLUGIN_("http", fixture_http_options_, fixture_http_metrics_, .blocking = false),
    FIXTURE_PLUGIN_("exec", fixture_exec_options_, fixture_no_metrics_, .blocking = true),
    FIXTURE_PLUGIN_("null", fixture_no_options_, fixture_no_metrics_, .blocking = false),
};
/* clang-format on */

static inline int fixture_take_(struct catalog *catalog, struct buf *frame)
{
    struct wire_frame one;
    int size = wire_next(frame->data, frame->length, &one);
    int code = size > 0 ? catalog_take(catalog, &one) : ERROR_PROTOCOL;
    buf_close(frame);
    return code;
}

static inline int fixture_take_plugin(struct catalog *catalog, const struct belfry_plugin *plugin, const char *path)
{
    struct arena arena = { 0 };
    struct buf frame = { 0 };
    struct plugin_info info;
    struct why why = { "" };
    if (plugin_info_make(&arena, plugin, &info, &why) != 0)
        printf("# %s\n", why.text);
    size_t begin = wire_begin(&frame, WIRE_CATALOG);
    wire_put_text(&frame, path);
    wire_put_u64(&frame, 42);
    plugin_info_encode(&frame, &info);
    wire_end(&frame, begin);
    arena_close(&arena);
    return fixture_take_(catalog, &frame);
}

static inline int fixture_take_rejection(struct catalog *catalog, const char *path, const char *why)
{
    struct buf frame = { 0 };
    size_t begin = wire_begin(&frame, WIRE_REJECTED);
    wire_put_text(&frame, path);
    wire_put_text(&frame, why);
    wire_end(&frame, begin);
    return fixture_take_(catalog, &frame);
}

static inline struct catalog *fixture_catalog(void)
{
    struct catalog *catalog = catalog_new();
    for (size_t i = 0; i < sizeof(fixture_plugins_) / sizeof(fixture_plugins_[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/plugins/%s.so", fixture_plugins_[i].name);
        if (fixture_take_plugin(catalog, &fixture_plugins_[i], path) != 0)
            printf("# the fixture's plugin '%s' was not taken\n", fixture_plugins_[i].name);
    }
    fixture_take_rejection(catalog, "/plugins/redis.so", "ABI 7 found, ABI 1 wanted");
    catalog_finish(catalog);
    return catalog;
}

/* ---- files --------------------------------------------------------------------------------------------------- */

/* A temporary folder that holds belfry.conf; every path below it. */
struct fixture {
    char folder[64];
    char file[PATH_MAX];
};

static inline void fixture_open(struct fixture *fixture)
{
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/belfry-config-XXXXXX");
    if (!mkdtemp(fixture->folder))
        perror("mkdtemp");
    snprintf(fixture->file, sizeof(fixture->file), "%s/belfry.conf", fixture->folder);
}

static inline int fixture_remove_(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void fixture_close(struct fixture *fixture)
{
    nftw(fixture->folder, fixture_remove_, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file; name may have folders. */
static inline void fixture_write_bytes(const struct fixture *fixture, const char *name, const void *bytes, size_t n,
                                       unsigned mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    file_make_folders(path, 0755);
    *slash = '/';
    FILE *file = fopen(path, "w");
    if (!file || (n > 0 && fwrite(bytes, 1, n, file) != n) || fclose(file) != 0)
        perror(path);
    if (chmod(path, mode) != 0)
        perror(path);
}

static inline void fixture_write(const struct fixture *fixture, const char *name, const char *text)
{
    fixture_write_bytes(fixture, name, text, strlen(text), 0644);
}

/* The errors, one a line, with the folder's name left out wherever it stands. */
static inline void fixture_errors(const struct fixture *fixture, const struct config_errors *errors, struct buf *out)
{
    struct buf all = { 0 };
    size_t n = strlen(fixture->folder);
    config_errors_print(errors, &all);
    for (const char *at = all.data ? all.data : ""; *at;) {
        if (strncmp(at, fixture->folder, n) == 0)
            at += n + (at[n] == '/');
        else
            buf_char(out, *at++);
    }
    buf_close(&all);
}

/* Loads belfry.conf; prints the errors as diagnostics when there are some and none were asked for. */
static inline struct config *fixture_load(const struct fixture *fixture, const struct catalog *catalog,
                                          struct buf *errors_out)
{
    struct config_errors *errors = heap_alloc(sizeof(*errors));
    struct config *config = NULL;
    struct buf text = { 0 };
    config_load(fixture->file, catalog, &config, errors);
    fixture_errors(fixture, errors, errors_out ? errors_out : &text);
    for (char *line = text.data ? strtok(text.data, "\n") : NULL; line; line = strtok(NULL, "\n"))
        printf("# %s\n", line);
    buf_close(&text);
    config_errors_close(errors);
    free(errors);
    return config;
}

#endif
