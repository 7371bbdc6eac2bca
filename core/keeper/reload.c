/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reload - a new configuration or none, and plugins that come, change and go.
 *
 * A reload reads the folders' paths from the main file, has belfry-worker describe what is in the plugin folders (in
 * the background: a hostile file costs its describer's time, not the schedule's), and then checks the configuration
 * against it. With any error nothing changes, and all errors are logged, recorded and answered. state_dir and run_dir
 * are those of the start: journal, lock and socket are open there, so another folder is an error. When files
 * in the plugin folders change (inotify), only the catalog is read again: the configuration in force stays, workers of
 * replaced files are drained. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/keeper/pool.h"
#include "core/keeper/trouble.h"

#define CATALOG_START_MS 20000
/* Files are looked at this long after the last change was seen: a copy is several events. */
#define PLUGINS_SETTLE_MS 150

struct reload_request {
    reload_done done;
    void *context;
    struct reload_request *next;
};

/* One reading of the plugin folders in the background. */
struct catalog_job {
    struct keeper *keeper;
    struct link link;
    pid_t pid;
    struct catalog *catalog;
    bool reload; /* else the catalog only */
    struct reload_request *requests;
    bool ended;
};

/* ---- outcome --------------------------------------------------------------------------------------------------- */

static void watch_ids(const char *what, const char *const *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count && i < 20; i++)
        log_info("config", "%s '%s'", what, ids[i]);
    if (count > 20)
        log_info("config", "%s %u more", what, count - 20);
}

static void refuse(struct keeper *keeper, const struct config_errors *errors)
{
    char text[512];
    struct buf lines = { 0 };
    struct arena arena = { 0 };
    config_errors_print(errors, &lines);
    for (uint32_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++)
        log_error("config", "%s", config_error_text_line(&arena, &errors->items[i]));
    snprintf(text, sizeof text, "%u error%s, the first: %s", errors->count, errors->count == 1 ? "" : "s",
             config_error_text_line(&arena, &errors->items[0]));
    arena_close(&arena);
    free(keeper->config_error);
    keeper->config_error = heap_text(lines.data ? lines.data : "");
    buf_close(&lines);
    const struct event event = { .type = EVENT_CONFIG_REJECTED, .text = text };
    keeper_emit(keeper, &event);
}

/* Takes over a checked configuration. */
static void adopt(struct keeper *keeper, struct config *config, struct schedule_changes *changes)
{
    struct config *old = keeper->config;
    char text[256], count[TEXT_COUNT_SIZE];
    keeper->config = config;
    keeper->config_number++;
    schedule_configure(keeper->schedule, config, clock_instant(), changes);
    dispatch_configure(keeper);
    keeper->loaded_wall_ms = clock_wall_ms();
    free(keeper->config_error);
    keeper->config_error = NULL;
    snprintf(text, sizeof text, "%s: %u added, %u changed, %u removed, %u kept",
             text_count(count, config->check_count, "check"), changes->added, changes->changed, changes->removed,
             changes->kept);
    const struct event event = { .type = EVENT_CONFIG_LOADED, .text = text };
    keeper_emit(keeper, &event);
    guard_configure(keeper);
    trouble_configure(keeper);
    keep_configure(keeper);
    drill_configure(keeper);
    recovery_configure(keeper);
    if (old != config)
        config_close(&old);
}

static const char *info_version(const struct plugin_info *info)
{
    return info->version ? info->version : "";
}

static void tell_plugin(struct keeper *keeper, enum event_type type, const struct plugin_info *info)
{
    const struct event event = {
        .type = type, .plugin = info->name, .version = info_version(info), .path = info->path
    };
    keeper_emit(keeper, &event);
}

static bool was_rejected(const struct catalog *old, const struct catalog_rejection *rejection)
{
    for (uint32_t i = 0; old && i < old->rejection_count; i++)
        if (strcmp(old->rejections[i].path, rejection->path) == 0 &&
            strcmp(old->rejections[i].why, rejection->why) == 0)
            return true;
    return false;
}

/* Records what changed and points the pools at the new descriptions. */
static void adopt_catalog(struct keeper *keeper, struct catalog *catalog)
{
    struct catalog *old = keeper->catalog;
    keeper->catalog = catalog;
    keeper->catalog_number++;
    for (uint32_t i = 0; i < catalog->plugin_count; i++) {
        const struct plugin_info *before = old ? catalog_find(old, catalog->plugins[i]->name) : NULL;
        if (!before || before->file_mark != catalog->plugins[i]->file_mark)
            tell_plugin(keeper, EVENT_PLUGIN_LOADED, catalog->plugins[i]);
    }
    for (uint32_t i = 0; old && i < old->plugin_count; i++)
        if (!catalog_find(catalog, old->plugins[i]->name))
            tell_plugin(keeper, EVENT_PLUGIN_REMOVED, old->plugins[i]);
    for (uint32_t i = 0; i < catalog->rejection_count; i++) {
        const struct event event = { .type = EVENT_PLUGIN_REJECTED,
                                     .path = catalog->rejections[i].path,
                                     .text = catalog->rejections[i].why };
        if (!was_rejected(old, &catalog->rejections[i]))
            keeper_emit(keeper, &event);
    }
    struct pool *pool;
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        pool_refresh(pool);
    catalog_close(&old);
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static void print_errors(const struct config_errors *errors)
{
    struct buf lines = { 0 };
    config_errors_print(errors, &lines);
    fputs(lines.data ? lines.data : "", stderr);
    buf_close(&lines);
}

/* Reads everything; what is wrong is printed. */
static int read_all(struct keeper *keeper, struct catalog **catalog, struct config **config)
{
    struct config_errors errors = { 0 };
    struct why why = { "" };
    if (catalog_read(keeper->config->plugin_dirs, CATALOG_START_MS, catalog, &why) != 0) {
        log_error("keeper", "the plugin folders can't be read: %s", why.text);
        return EX_OSERR;
    }
    int failed = config_load(keeper->config_file, *catalog, config, &errors);
    if (failed) {
        print_errors(&errors);
        log_error("config", "'%s' has %u error%s; nothing was started", keeper->config_file, errors.count,
                  errors.count == 1 ? "" : "s");
        catalog_close(catalog);
    }
    config_errors_close(&errors);
    return failed ? EX_CONFIG : 0;
}

int reload_paths(struct keeper *keeper)
{
    struct config_errors errors = { 0 };
    struct catalog *catalog = NULL;
    struct config *config = NULL;
    int failed = config_load_paths(keeper->config_file, &keeper->config, &errors);
    config_errors_close(&errors);
    if (!failed)
        return 0;
    read_all(keeper, &catalog, &config); /* which shows the mistakes of all files, not only those of the main file */
    catalog_close(&catalog);
    config_close(&config);
    return EX_CONFIG;
}

int reload_first(struct keeper *keeper)
{
    struct catalog *catalog = NULL;
    struct config *config = NULL;
    int status = read_all(keeper, &catalog, &config);
    if (status == 0) {
        struct schedule_changes changes;
        adopt_catalog(keeper, catalog);
        adopt(keeper, config, &changes);
        setup_forget_remembered(keeper);
    }
    return status;
}

/* ---- again ----------------------------------------------------------------------------------------------------- */

static void answer(struct catalog_job *job, const struct schedule_changes *changes, const struct config_errors *errors)
{
    while (job->requests) {
        struct reload_request *request = job->requests;
        job->requests = request->next;
        if (request->done)
            request->done(request->context, changes, errors);
        free(request);
    }
}

/* 0, or an error with what can't change while the daemon runs. */
static int compare_folders(const struct config *now, const struct config *then, struct config_errors *errors)
{
    const struct {
        const char *name, *now, *then;
    } folders[] = { { "state_dir", now->state_dir, then->state_dir }, { "run_dir", now->run_dir, then->run_dir } };
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (strcmp(folders[i].now, folders[i].then) != 0)
            config_errors_add(errors, (struct place){ then->file, 0 },
                              "'%s' can't change while belfryd runs: write \"%s\" again, or restart it",
                              folders[i].name, folders[i].now);
    return errors->count == 0 ? 0 : ERROR_REFUSED;
}

static void finish_reload(struct catalog_job *job)
{
    struct keeper *keeper = job->keeper;
    struct config_errors errors = { 0 };
    struct config *config = NULL;
    int code = config_load(keeper->config_file, job->catalog, &config, &errors);
    if (code == 0)
        code = compare_folders(keeper->config, config, &errors);
    if (code != 0) {
        log_error("config", "not reloaded: the old configuration stays in force");
        refuse(keeper, &errors);
        catalog_close(&job->catalog); /* perhaps of other folders; changed files are told by inotify */
        config_close(&config);
        answer(job, NULL, &errors);
    } else {
        struct schedule_changes changes;
        adopt_catalog(keeper, job->catalog);
        adopt(keeper, config, &changes);
        watch_ids("added", changes.added_ids, changes.added);
        watch_ids("changed", changes.changed_ids, changes.changed);
        watch_ids("removed", changes.removed_ids, changes.removed);
        reload_watch_plugins(keeper);
        answer(job, &changes, NULL);
    }
    config_errors_close(&errors);
    malloc_trim(0); /* two configurations were in memory: what is free again goes back before it is cut into pieces */
}

static void on_job_closed(struct link *link)
{
    free(link->owner);
}

/* Files in the plugin folders changed: the catalog is read again in the background. */
static void read_folders(struct keeper *keeper);

/* It has closed its end: it is exiting, or is killed. Whether it told of all files: half a catalog is none, or plugins
 * that it did not come to would be taken for removed. */
static bool end_describer(const struct catalog_job *job, const char *why)
{
    int status = 0;
    if (why)
        kill(job->pid, SIGKILL);
    bool whole = waitpid(job->pid, &status, 0) == job->pid && !why && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!whole)
        log_error("keeper", "the plugin folders could not be read%s%s: what was known of them stays in force",
                  why ? ": " : "", why ? why : "");
    return whole;
}

static void on_job_end(struct link *link, const char *why)
{
    struct catalog_job *job = link->owner;
    struct keeper *keeper = job->keeper;
    bool whole = end_describer(job, why);
    catalog_finish(job->catalog);
    keeper->catalog_job = NULL;
    link_close(link);
    struct reload_request *later = NULL;
    if (!whole) {
        catalog_close(&job->catalog);
        answer(job, NULL, NULL);
    } else if (job->reload) {
        finish_reload(job);
    } else {
        adopt_catalog(keeper, job->catalog);
        later = job->requests; /* of clients that came while only the folders were being read */
        job->requests = NULL;
    }
    job->catalog = NULL;
    while (later) {
        struct reload_request *request = later;
        later = request->next;
        reload_start(keeper, request->done, request->context);
        free(request);
    }
    keeper_plan(keeper);
    dispatch_all(keeper);
    if (keeper->reload_again) {
        keeper->reload_again = false;
        read_folders(keeper);
    }
}

static bool on_job_frame(struct link *link, struct wire_frame *frame)
{
    struct catalog_job *job = link->owner;
    return catalog_take(job->catalog, frame) == 0;
}

static struct catalog_job *start_job(struct keeper *keeper, const char *const *folders, bool reload)
{
    struct catalog_job *job = heap_alloc(sizeof *job);
    int fd = -1;
    job->keeper = keeper;
    job->reload = reload;
    job->catalog = catalog_new();
    job->link.owner = job;
    job->link.on_frame = on_job_frame;
    job->link.on_end = on_job_end;
    job->link.on_closed = on_job_closed;
    job->pid = catalog_spawn(folders, &fd);
    if (job->pid < 0 || link_open(&job->link, &keeper->loop, &keeper->dirty, fd) != 0) {
        log_error("keeper", "the plugin folders can't be read: %s", error_text(job->pid < 0 ? (int)job->pid : -EIO));
        catalog_close(&job->catalog);
        free(job);
        return NULL;
    }
    keeper->catalog_job = job;
    return job;
}

static void read_folders(struct keeper *keeper)
{
    if (keeper->catalog_job)
        keeper->reload_again = true;
    else
        start_job(keeper, keeper->config->plugin_dirs, false);
}

/* A failure before the background job could be started. */
static void fail_request(struct keeper *keeper, struct reload_request *request)
{
    struct catalog_job job = { .keeper = keeper, .requests = request };
    answer(&job, NULL, NULL);
}

void reload_start(struct keeper *keeper, reload_done done, void *context)
{
    struct reload_request *request = heap_alloc(sizeof *request);
    request->done = done;
    request->context = context;
    if (keeper->catalog_job) { /* one is being made: it reads the files after its catalog, so it serves this request too
                                */
        request->next = keeper->catalog_job->requests;
        keeper->catalog_job->requests = request;
        return;
    }
    /* a mistake in the main file is found again with those of all files; until then the folders are those in force */
    struct config *paths = NULL;
    struct config_errors errors = { 0 };
    int failed = config_load_paths(keeper->config_file, &paths, &errors);
    struct catalog_job *job = start_job(keeper, failed ? keeper->config->plugin_dirs : paths->plugin_dirs, true);
    if (job)
        job->requests = request;
    else
        fail_request(keeper, request);
    config_close(&paths);
    config_errors_close(&errors);
}

/* ---- plugin folders -------------------------------------------------------------------------------------------- */

static void on_plugins_settled(uv_timer_t *timer)
{
    read_folders(timer->data);
}

static void on_plugins_changed(uv_poll_t *poll, int status, int events)
{
    struct keeper *keeper = poll->data;
    char bytes[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    (void)status;
    (void)events;
    while (read(keeper->plugins_fd, bytes, sizeof bytes) > 0)
        ;
    uv_timer_start(&keeper->plugins_timer, on_plugins_settled, PLUGINS_SETTLE_MS, 0);
}

void reload_watch_plugins(struct keeper *keeper)
{
    if (keeper->plugins_fd < 0) {
        keeper->plugins_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (keeper->plugins_fd < 0) {
            log_warn("keeper", "plugin folders are not watched: %s; use 'belfry reload'", strerror(errno));
            return;
        }
        int failed = uv_poll_init(&keeper->loop, &keeper->plugins_poll, keeper->plugins_fd);
        if (failed) {
            log_warn("keeper", "plugin folders are not watched: %s; use 'belfry reload'", error_text(failed));
            close(keeper->plugins_fd);
            keeper->plugins_fd = -1;
            return;
        }
        keeper->plugins_poll.data = keeper;
        uv_poll_start(&keeper->plugins_poll, UV_READABLE, on_plugins_changed);
    }
    for (const char *const *folder = keeper->config->plugin_dirs; *folder; folder++)
        inotify_add_watch(keeper->plugins_fd, *folder,
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_ONLYDIR);
}

bool reload_is_describer(const struct keeper *keeper, pid_t pid)
{
    return keeper->catalog_job && keeper->catalog_job->pid == pid;
}

void reload_close(struct keeper *keeper)
{
    if (keeper->plugins_fd >= 0) {
        uv_poll_stop(&keeper->plugins_poll);
        uv_close((uv_handle_t *)&keeper->plugins_poll, NULL);
        close(keeper->plugins_fd);
    }
    struct catalog_job *job = keeper->catalog_job;
    if (job) {
        kill(job->pid, SIGKILL);
        waitpid(job->pid, NULL, 0);
        answer(job, NULL, NULL);
        catalog_close(&job->catalog);
        keeper->catalog_job = NULL;
        link_close(&job->link);
    }
}
