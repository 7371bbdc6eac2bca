/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tool - see tool.h. Everything is started by spawn_start(): no shell, no inherited descriptor, no inherited variable.
 */
#include "core/drill/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/spawn.h"
#include "core/base/text.h"

#define POLL_MS 100

void tool_add(struct tool *tool, const char *argument)
{
    size_t n = 0;
    while (tool->argv[n])
        n++;
    if (n + 1 < TOOL_ARGS_MAX)
        tool->argv[n] = argument;
}

/* ---- where they are ---------------------------------------------------------------------------------------------- */

/* program, package of Debian */
static const struct {
    const char *program, *package;
} packages[] = {
    { "mariadbd", "mariadb-server" },
    { "mariadb-install-db", "mariadb-server" },
    { "mariadb", "mariadb-client" },
    { "mariadb-backup", "mariadb-backup" },
    { "mbstream", "mariadb-backup" },
    { "pgbackrest", "pgbackrest" },
    { "curl", "curl" },
    { "rclone", "rclone" },
    { "postgres", "postgresql" },
    { "initdb", "postgresql" },
    { "psql", "postgresql-client" },
    { "pg_restore", "postgresql-client" },
    { "redis-server", "redis-server" },
    { "redis-cli", "redis-tools" },
    { "redis-check-aof", "redis-tools" },
    { "age", "age" },
    { "gpg", "gnupg" },
    { "openssl", "openssl" },
    { "gzip", "gzip" },
    { "zstd", "zstd" },
    { "xz", "xz-utils" },
    { "bzip2", "bzip2" },
    { "tar", "tar" },
    { "restic", "restic" },
    { "borg", "borgbackup" },
};

static const char *try(struct arena *arena, const char *folder, const char *name)
{
    const char *path = file_join(arena, folder, name);
    return access(path, X_OK) == 0 ? path : NULL;
}

/* Debian keeps each version of PostgreSQL in a folder of its own: the newest. */
static const char *find_postgres(struct arena *arena, const char *name)
{
    static const char top[] = "/usr/lib/postgresql";
    const char *found = NULL;
    const struct dirent *entry;
    long best = 0;
    DIR *dir = opendir(top);
    while (dir && (entry = readdir(dir)) != NULL) {
        long version = strtol(entry->d_name, NULL, 10);
        const char *path = arena_print(arena, "%s/%s/bin/%s", top, entry->d_name, name);
        if (version > best && access(path, X_OK) == 0) {
            best = version;
            found = path;
        }
    }
    if (dir)
        closedir(dir);
    return found;
}

const char *tool_find(struct run *run, enum phase phase, const char *name)
{
    static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin", NULL };
    const char *package = NULL, *path = name[0] == '/' ? name : find_postgres(&run->arena, name);
    for (size_t i = 0; !path && folders[i]; i++)
        path = try(&run->arena, folders[i], name);
    for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++)
        if (strcmp(packages[i].program, name) == 0)
            package = packages[i].package;
    if (!path)
        run_fail(run, phase, "'%s' is not installed%s%s", name, package ? "; on Debian: apt-get install " : "",
                 package ? package : "");
    return path;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static const char **environment(struct run *run, const struct tool *tool)
{
    const char **env = arena_array(&run->arena, TOOL_ENV_MAX + 8, sizeof *env);
    const char *zone = getenv("TZ");
    size_t n = 0;
    env[n++] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    env[n++] = "LC_ALL=C.UTF-8";
    env[n++] = arena_print(&run->arena, "HOME=%s", run->folder);
    env[n++] = arena_print(&run->arena, "TMPDIR=%s/tmp", run->folder);
    env[n++] = arena_print(&run->arena, "BELFRY_DRILL=%s", run->id);
    if (zone)
        env[n++] = arena_print(&run->arena, "TZ=%s", zone);
    for (size_t i = 0; i < TOOL_ENV_MAX && tool->env[i]; i++)
        env[n++] = tool->env[i];
    return env;
}

int tool_start(struct run *run, struct tool *tool)
{
    const char *path = tool_find(run, tool->phase, tool->argv[0]);
    const struct spawn_limit limits[] = { { RLIMIT_CORE, 0 }, { RLIMIT_FSIZE, (uint64_t)run->config->space_bytes } };
    int said[2];
    if (!path)
        return -1;
    tool->argv[0] = path; /* initdb looks for its like beside itself */
    if (pipe2(said, O_CLOEXEC) != 0)
        return run_fail(run, tool->phase, "no pipe: %s", strerror(errno));
    const int fds[] = { tool->out > 0 ? tool->out : -1, tool->one_log ? tool->out : said[1],
                        tool->key_fd > 0 ? tool->key_fd : -1 };
    const struct spawn spawn = { .program = path,
                                 .argv = tool->argv,
                                 .env = environment(run, tool),
                                 .fds = fds,
                                 .fd_count = tool->key_fd > 0 ? 3 : 2,
                                 .input = tool->in,
                                 .user = tool->as_self ? 0 : run->user,
                                 .group = run->group,
                                 .limits = limits,
                                 .limit_count = 2,
                                 .folder = tool->folder ? tool->folder : run->folder,
                                 .no_new_privs = 1,
                                 .die_with_parent = tool->dies_with_us,
                                 .dies_first = 1 };
    fcntl(said[0], F_SETFL, O_NONBLOCK);
    tool->pid = spawn_start(&spawn);
    close(said[1]);
    tool->said_fd = said[0];
    if (tool->pid > 0)
        return 0;
    int code = (int)tool->pid;
    close(said[0]);
    tool->pid = 0;
    tool->ended = true;
    return run_fail(run, tool->phase, "'%s' can't be started: %s", path, error_text(code));
}

/* The first line of what was said, or all when it has no end. */
static void drop_line(struct tool *tool)
{
    char *end = memchr(tool->said, '\n', tool->said_length);
    size_t n = end ? (size_t)(end - tool->said) + 1 : tool->said_length;
    tool->said[end ? n - 1 : n] = '\0';
    if (tool->error && !tool->first_error[0] && strstr(tool->said, tool->error) && !strstr(tool->said, tool->excuse))
        text_copy(tool->first_error, sizeof tool->first_error, strstr(tool->said, tool->error));
    tool->said_length -= n;
    memmove(tool->said, tool->said + n, tool->said_length);
    tool->said[tool->said_length] = '\0';
}

/* The last lines are the ones that tell. */
void tool_hear(struct tool *tool)
{
    char bytes[1024];
    ssize_t n;
    while (tool->said_fd > 0 && (n = read(tool->said_fd, bytes, sizeof bytes)) > 0) {
        size_t length = (size_t)n;
        while (tool->said_length + length >= sizeof tool->said)
            drop_line(tool);
        memcpy(tool->said + tool->said_length, bytes, length);
        tool->said_length += length;
        tool->said[tool->said_length] = '\0';
    }
}

bool tool_ended(struct run *run, struct tool *tool)
{
    struct rusage usage;
    if (tool->ended || tool->pid <= 0)
        return true;
    if (wait4(tool->pid, &tool->status, WNOHANG, &usage) != tool->pid)
        return false;
    tool_hear(tool);
    if (tool->said_fd > 0)
        close(tool->said_fd);
    tool->said_fd = 0;
    tool->ended = true;
    run->outcome->tool_cpu_ms[tool->phase] += (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                                              (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    return true;
}

void tool_kill(struct run *run, struct tool *tool)
{
    if (tool->pid > 0 && !tool->ended)
        kill(tool->pid, SIGKILL);
    while (!tool_ended(run, tool))
        poll(NULL, 0, 5);
}

bool tool_good(const struct tool *tool)
{
    return tool->ended && WIFEXITED(tool->status) && WEXITSTATUS(tool->status) == 0;
}

const char *tool_error(struct tool *tool)
{
    while (tool->said_length > 0)
        drop_line(tool);
    return tool->first_error[0] ? tool->first_error : NULL;
}

/* The last line that says something. */
static char *last_line(char *said)
{
    char *line = said + strlen(said);
    while (line > said && (line[-1] == '\n' || line[-1] == '\r' || line[-1] == ' '))
        *--line = '\0';
    while (line > said && line[-1] != '\n')
        line--;
    return line;
}

/* An advice behind the reason is not the reason. */
static bool is_advice(const char *line)
{
    static const char *const advice[] = { "age: report unexpected",
                                          ": Exiting with failure status",
                                          "HINT: ",
                                          "DETAIL:  ",
                                          "CONTEXT:  ",
                                          "LINE ",
                                          "streams is left open",
                                          "Error in my_thread_global_end",
                                          "Error] on retry after",
                                          NULL };
    size_t i = 0;
    while (advice[i] && !strstr(line, advice[i]))
        i++;
    return advice[i] != NULL || line[strspn(line, " ")] == '^';
}

static const char *reason_line(char *said)
{
    char *line = last_line(said);
    while (line > said && is_advice(line)) {
        *line = '\0';
        line = last_line(said);
    }
    return line;
}

/* "/usr/bin/tar: ..." and "tar: ..." are both said by tar itself. */
const char *tool_complaint(struct run *run, const struct tool *tool)
{
    const char *path = tool->argv[0], *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *line = reason_line(arena_text(&run->arena, tool->said));
    size_t n = strlen(path), m = strlen(name);
    if (strncmp(line, path, n) == 0 && line[n] == ':')
        line += n - m;
    bool named = strncmp(line, name, m) == 0 && line[m] == ':';
    if (strstr(line, "bad decrypt")) /* of openssl, after numbers and names of its own */
        return "openssl: bad decrypt: the key is wrong, or the file was changed";
    if (line[0])
        return arena_print(&run->arena, "%s%s%s", named ? "" : name, named ? "" : ": ", line);
    if (WIFSIGNALED(tool->status))
        return arena_print(&run->arena, "%s was ended by SIG%s", name, sigabbrev_np(WTERMSIG(tool->status)));
    return arena_print(&run->arena, "%s ended with exit status %d", name, WEXITSTATUS(tool->status));
}

int tool_blame(struct run *run, const struct tool *tool)
{
    const char *said = tool_complaint(run, tool);
    bool remedy = tool->phase == PHASE_DECRYPT && !strstr(said, "the key is wrong");
    return run_fail(run, tool->phase, "%s%s", said,
                    remedy ? " (is 'key' the right secret, and the backup whole?)" : "");
}

int tool_run(struct run *run, struct tool *tool, struct buf *out, int64_t limit_ms)
{
    int pipe_fds[2];
    int64_t end_ms = clock_now_ms() + limit_ms;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return -1;
    tool->out = pipe_fds[1];
    int code = tool_start(run, tool);
    close(pipe_fds[1]);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    while (code == 0) {
        bool ended = tool_ended(run, tool);
        char bytes[4096];
        ssize_t n;
        while ((n = read(pipe_fds[0], bytes, sizeof bytes)) > 0)
            if (out)
                buf_add(out, bytes, (size_t)n);
        tool_hear(tool);
        if (ended)
            break;
        struct pollfd ready[] = { { pipe_fds[0], POLLIN, 0 }, { tool->said_fd, POLLIN, 0 } };
        if (n == 0 || poll(ready, 2, POLL_MS) < 0 || (ready[0].revents & POLLHUP))
            poll(NULL, 0, 2);
        if (clock_now_ms() >= end_ms)
            tool_kill(run, tool);
    }
    close(pipe_fds[0]);
    return code == 0 && tool_good(tool) ? 0 : -1;
}

int tool_memory(struct run *run, enum phase phase, const char *text)
{
    int fd = memfd_create("key", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0 || write(fd, "\n", 1) < 0 || lseek(fd, 0, SEEK_SET) != 0 ||
        (run->user != 0 && fchown(fd, run->user, run->group) != 0)) {
        if (fd >= 0)
            close(fd);
        return run_fail(run, phase, "no memory for the key: %s", strerror(errno));
    }
    return fd;
}

int tool_key(struct run *run, enum phase phase)
{
    if (!run->config->key)
        return run_fail(run, phase, "the backup is encrypted, and the drill has no key: write key = \"@NAME\";");
    return tool_memory(run, phase, run->config->key);
}
