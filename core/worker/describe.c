/* SPDX-License-Identifier: GPL-3.0-or-later */
/* describe - the catalog of plugin folders.
 *
 * To read a plugin's tables its file must be loaded, and loading runs what its author put into constructors. So each
 * file is loaded by a process of its own (`belfry-worker --describe PATH`) with little time, and this process never
 * loads any. Several run at once; their answers go out in the order of folders and names. An answer counts only when
 * it is exactly one well-formed frame, the process then ended by itself with status 0, and all of it within the time;
 * anything else is a WIRE_REJECTED that says what happened instead. Whatever such a process started in its process
 * group dies with it. */
#include "core/worker/describe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/base/wire.h"
#include "core/worker/host.h"
#include "core/worker/book.h"

#define FILES_MAX 4096u
#define AT_ONCE 4u
#define CPU_SECONDS 2
#define WALL_MS 3000

static void put_rejected(struct buf *out, const char *path, const char *why)
{
    size_t at = wire_begin(out, WIRE_REJECTED);
    wire_put_text(out, path);
    wire_put_text(out, why);
    wire_end(out, at);
}

static void put_catalog(struct buf *out, const struct plugin_info *info)
{
    size_t at = wire_begin(out, WIRE_CATALOG);
    wire_put_text(out, info->path);
    wire_put_u64(out, info->file_mark);
    plugin_info_encode(out, info);
    wire_end(out, at);
}

static int send_frames(struct buf *out)
{
    struct channel keeper = { .fd = FRAMES_FD };
    int rc = channel_write(&keeper, out, -1);
    if (rc < 0)
        log_error("worker", "the catalog can't be sent: %s", error_text(rc));
    return rc < 0 ? 1 : 0;
}

int describe_file(const char *path)
{
    struct loaded_plugin plugin = { 0 };
    struct why why;
    struct buf out = { 0 };
    if (plugin_load(path, &plugin, &why) == 0)
        put_catalog(&out, &plugin.info);
    else
        put_rejected(&out, path, why.text);
    int status = send_frames(&out);
    buf_close(&out);
    arena_close(&plugin.arena);
    return status;
}

/* ---- one file's process -------------------------------------------------------------------------------------- */

struct probe {
    const char *path;
    const char *why; /* decided without a process: a reason to reject */
    pid_t pid;       /* 0: not started or over */
    int answer_fd, pid_fd;
    int64_t until_ms;
    struct buf answer;
    bool done;
};

static void reject(struct probe *probe, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

static void reject(struct probe *probe, const char *format, ...)
{
    char why[512];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    buf_reset(&probe->answer);
    put_rejected(&probe->answer, probe->path, why);
    probe->done = true;
}

static void start_probe(struct probe *probe)
{
    int answer[2];
    if (pipe2(answer, O_CLOEXEC) != 0) {
        reject(probe, "'%s' can't be described: %s", probe->path, error_text(-errno));
        return;
    }
    const char *const argv[] = { "belfry-worker", "--describe", probe->path, NULL };
    const int fds[] = { -1, -1, answer[1] };
    const struct spawn_limit limits[] = { { RLIMIT_CPU, CPU_SECONDS }, { RLIMIT_CORE, 0 }, { RLIMIT_NOFILE, 64 } };
    const struct spawn spawn = { .program = "/proc/self/exe",
                                 .argv = argv,
                                 .fds = fds,
                                 .fd_count = 3,
                                 .limits = limits,
                                 .limit_count = 3,
                                 .own_group = 1,
                                 .no_new_privs = 1,
                                 .die_with_parent = 1 };
    probe->pid = spawn_start(&spawn);
    close(answer[1]);
    probe->answer_fd = answer[0];
    fcntl(answer[0], F_SETFL, O_NONBLOCK);
    probe->pid_fd = probe->pid > 0 ? pidfd_open(probe->pid, 0) : -1;
    probe->until_ms = clock_now_ms() + WALL_MS;
    if (probe->pid > 0)
        return;
    close(answer[0]);
    reject(probe, "'%s' can't be described: %s", probe->path, error_text((int)probe->pid));
    probe->pid = 0;
}

/* Reads what there is. */
static void read_answer(struct probe *probe)
{
    for (;;) {
        char *room = buf_room(&probe->answer, 65536);
        ssize_t n = room ? read(probe->answer_fd, room, 65536) : -1;
        if (n <= 0)
            return;
        probe->answer.length += (size_t)n;
    }
}

static bool is_catalog(struct wire_frame *frame, const char *path)
{
    struct arena arena = { 0 };
    struct plugin_info info;
    const char *said = wire_text(&frame->payload, &arena, 4096);
    wire_u64(&frame->payload);
    bool good = plugin_info_decode(&frame->payload, &arena, &info) == 0 && wire_done(&frame->payload) == 0 &&
                said != NULL && strcmp(said, path) == 0;
    arena_close(&arena);
    return good;
}

static bool is_rejection(struct wire_frame *frame, const char *path)
{
    struct arena arena = { 0 };
    const char *said = wire_text(&frame->payload, &arena, 4096), *why = wire_text(&frame->payload, &arena, 4096);
    bool good = wire_done(&frame->payload) == 0 && said != NULL && why != NULL && strcmp(said, path) == 0;
    arena_close(&arena);
    return good;
}

static bool is_good_answer(const struct probe *probe)
{
    struct wire_frame frame;
    int size = probe->answer.length > 0 ? wire_next(probe->answer.data, probe->answer.length, &frame) : 0;
    if (size <= 0 || (size_t)size != probe->answer.length)
        return false;
    if (frame.type == WIRE_CATALOG)
        return is_catalog(&frame, probe->path);
    return frame.type == WIRE_REJECTED && is_rejection(&frame, probe->path);
}

static void judge_end(struct probe *probe, int status)
{
    probe->done = true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        reject(probe, "'%s' used %d s of processor time while it was loaded, wanted a plugin that starts at once",
               probe->path, CPU_SECONDS);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        reject(probe, "'%s' did more than reading while it was loaded (SIGSYS), wanted a plugin that acts in run()",
               probe->path);
    else if (WIFSIGNALED(status))
        reject(probe, "'%s' crashed while it was loaded: SIG%s", probe->path, sigabbrev_np(WTERMSIG(status)));
    else if (probe->answer.length == 0 || WEXITSTATUS(status) != 0)
        reject(probe, "'%s' ended its process while it was loaded (exit status %d)", probe->path, WEXITSTATUS(status));
    else if (!is_good_answer(probe))
        reject(probe, "'%s' interfered with its process while it was loaded: no well-formed answer", probe->path);
}

static void finish_probe(struct probe *probe, bool in_time)
{
    int status = 0;
    kill(-probe->pid, SIGKILL); /* and what it started */
    while (waitpid(probe->pid, &status, 0) < 0 && errno == EINTR)
        ;
    read_answer(probe);
    close(probe->answer_fd);
    close(probe->pid_fd);
    probe->pid = 0;
    if (in_time)
        judge_end(probe, status);
    else
        reject(probe, "'%s' took more than %d ms while it was loaded, wanted a plugin that starts at once", probe->path,
               WALL_MS);
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

struct catalog_run {
    struct arena arena;
    struct probe *probes;
    size_t count, started, written;
};

static void wait_probes(struct catalog_run *run)
{
    struct pollfd fds[2 * AT_ONCE];
    struct probe *of[AT_ONCE];
    nfds_t n = 0;
    int64_t now = clock_now_ms(), until = now + WALL_MS;
    for (size_t i = run->written; i < run->started; i++) {
        struct probe *probe = &run->probes[i];
        if (probe->pid == 0)
            continue;
        of[n / 2] = probe;
        fds[n++] = (struct pollfd){ .fd = probe->pid_fd, .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = probe->answer_fd, .events = POLLIN };
        until = probe->until_ms < until ? probe->until_ms : until;
    }
    if (poll(fds, n, (int)(until > now ? until - now : 0)) < 0)
        return;
    now = clock_now_ms();
    for (nfds_t i = 0; i < n; i += 2) {
        struct probe *probe = of[i / 2];
        if ((fds[i + 1].revents & POLLIN) != 0)
            read_answer(probe);
        if (fds[i].revents != 0 || now >= probe->until_ms)
            finish_probe(probe, fds[i].revents != 0);
    }
}

static size_t count_running(const struct catalog_run *run)
{
    size_t n = 0;
    for (size_t i = run->written; i < run->started; i++)
        n += run->probes[i].pid != 0;
    return n;
}

/* Sends the answers that are next in order. */
static int write_answers(struct catalog_run *run)
{
    int status = 0;
    for (; status == 0 && run->written < run->started && run->probes[run->written].done; run->written++) {
        status = send_frames(&run->probes[run->written].answer);
        buf_close(&run->probes[run->written].answer);
    }
    return status;
}

static int run_probes(struct catalog_run *run)
{
    int status = 0;
    while (status == 0 && run->written < run->count) {
        while (run->started < run->count && count_running(run) < AT_ONCE) {
            struct probe *probe = &run->probes[run->started++];
            if (probe->why != NULL)
                reject(probe, "%s", probe->why);
            else
                start_probe(probe);
        }
        if (count_running(run) > 0)
            wait_probes(run);
        status = write_answers(run);
    }
    return status;
}

static struct probe *add_probe(struct catalog_run *run, const char *path)
{
    if (run->count == FILES_MAX)
        return NULL;
    struct probe *probe = &run->probes[run->count++];
    probe->path = path;
    probe->answer.max_bytes = WIRE_FRAME_MAX + WIRE_HEADER_SIZE + 65536;
    return probe;
}

static void add_rejected(struct catalog_run *run, const char *path, const char *why)
{
    struct probe *probe = add_probe(run, path);
    if (probe != NULL)
        probe->why = arena_text(&run->arena, why);
}

static int is_plugin_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 3 && strcmp(entry->d_name + length - 3, ".so") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_folder(struct catalog_run *run, const char *folder)
{
    struct stat st;
    struct why why;
    if (stat(folder, &st) != 0 && errno == ENOENT)
        return;
    if (file_check_trusted_folder(folder, &why) != 0) {
        add_rejected(run, folder, why.text);
        return;
    }
    struct dirent **names;
    int n = scandir(folder, &names, is_plugin_file, by_name);
    if (n < 0) {
        why_say(&why, -errno, "'%s' can't be listed: %s", folder, error_text(-errno));
        add_rejected(run, folder, why.text);
        return;
    }
    for (int i = 0; i < n; i++) {
        add_probe(run, file_join(&run->arena, folder, names[i]->d_name));
        free(names[i]);
    }
    free(names);
}

int describe_folders(const char *const *folders)
{
    struct catalog_run run = { .probes = heap_array(FILES_MAX, sizeof(struct probe)) };
    for (; *folders != NULL; folders++)
        add_folder(&run, *folders);
    int status = run_probes(&run);
    free(run.probes);
    arena_close(&run.arena);
    return status;
}
