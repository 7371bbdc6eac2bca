/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_spawn - what a child gets and what it does not get: descriptors in any arrangement, environment, limits,
 * signals, group, parent's death. The children are /bin/sh and this program itself (with an argument). */
#include "core/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "tests/tap.h"

static char self[4096];

/* Runs it with its stdout into text and returns the wait status, or the negative code of spawn_start(). */
static int run(struct spawn *spawn, char *text, size_t size)
{
    int out[2], fds[16] = { -1, STDERR_FILENO };
    if (pipe2(out, O_CLOEXEC) != 0)
        return -errno;
    for (unsigned i = 0; i < spawn->fd_count; i++)
        fds[i] = spawn->fds[i];
    fds[0] = out[1];
    spawn->fds = fds;
    spawn->fd_count = spawn->fd_count > 2 ? spawn->fd_count : 2;
    pid_t pid = spawn_start(spawn);
    close(out[1]);
    size_t length = 0;
    ssize_t n = 0;
    while (pid > 0 && (n = read(out[0], text + length, size - 1 - length)) > 0)
        length += (size_t)n;
    text[length] = '\0';
    close(out[0]);
    int status = 0;
    if (pid <= 0 || waitpid(pid, &status, 0) != pid)
        return pid <= 0 ? pid : -ECHILD;
    return status;
}

static int run_shell(struct spawn *spawn, const char *script, char *text, size_t size)
{
    const char *argv[] = { "sh", "-c", script, NULL };
    spawn->program = "/bin/sh";
    spawn->argv = argv;
    return run(spawn, text, size);
}

static void test_basics(void)
{
    char text[4096];
    struct spawn spawn = { 0 };
    tap_is_int(WEXITSTATUS(run_shell(&spawn, "pwd; cat; exit 7", text, sizeof text)), 7, "exit status");
    tap_is_text(text, "/\n", "the folder is / and stdin is empty");
    spawn = (struct spawn){ .folder = "/tmp" };
    run_shell(&spawn, "pwd", text, sizeof text);
    tap_is_text(text, "/tmp\n", "another folder");
}

static void test_failures(void)
{
    char text[64];
    const char *const argv[] = { "x", NULL };
    struct spawn spawn = { .program = "/nowhere/x", .argv = argv };
    tap_is_int(run(&spawn, text, sizeof text), -ENOENT, "no such program");
    spawn = (struct spawn){ .program = "/etc/passwd", .argv = argv };
    tap_is_int(run(&spawn, text, sizeof text), -EACCES, "not a program");
    spawn = (struct spawn){ .program = "/bin/true", .argv = argv, .folder = "/nowhere" };
    tap_is_int(run(&spawn, text, sizeof text), -ENOENT, "no such folder");
    int fds[] = { -1, -1, 4711 };
    spawn = (struct spawn){ .program = "/bin/true", .argv = argv, .fds = fds, .fd_count = 3 };
    tap_is_int(spawn_start(&spawn), -EBADF, "no such descriptor");
    spawn = (struct spawn){ .program = "/bin/true", .argv = argv, .fds = fds, .fd_count = 1000 };
    tap_is_int(spawn_start(&spawn), -EINVAL, "too many descriptors");
    tap_ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "no child is left of any of them");
}

static void test_env(void)
{
    char text[4096];
    struct spawn spawn = { 0 };
    setenv("TZ", "Europe/Berlin", 1);
    unsetenv("SSL_CERT_DIR");
    setenv("SSL_CERT_FILE", "/x.pem", 1);
    setenv("BELFRY_SECRET", "hidden", 1);
    setenv("LD_PRELOAD_NOT", "x", 1);
    run_shell(&spawn, "env | grep -v -e '^PWD=' -e '^_=' -e '^SHLVL=' -e 'SAN_OPTIONS=' -e '^OLDPWD=' | sort", text,
              sizeof text);
    tap_is_text(text, "LC_ALL=C.UTF-8\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nSSL_CERT_FILE=/x.pem\nTZ=Europe/Berlin\n",
                "the clean environment");
    const char *const env[] = { "A=1", NULL };
    spawn = (struct spawn){ .env = env };
    run_shell(&spawn, "echo \"$A $TZ\"", text, sizeof text);
    tap_is_text(text, "1 \n", "an environment of its own");
}

/* The child: prints which descriptors are open and what each refers to, by the byte it can read or its kind. */
static int list_descriptors(void)
{
    for (int fd = 0; fd < 64; fd++) {
        char target[256] = "", link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        if (n > 0)
            printf("%d:%s ", fd, strncmp(target, "pipe:", 5) == 0 ? "pipe" : target);
    }
    return 0;
}

static void test_descriptors(void)
{
    char text[4096];
    const char *const argv[] = { "self", "list", NULL };
    struct spawn spawn = { .program = self, .argv = argv };
    int stray = open("/etc/passwd", O_RDONLY); /* without close-on-exec */
    int high = fcntl(stray, F_DUPFD, 50);
    int fds[] = { -1, -1 };
    spawn.fds = fds;
    spawn.fd_count = 2;
    run(&spawn, text, sizeof text);
    tap_is_text(text, "0:/dev/null 1:pipe 2:/dev/null ", "0 to 2 and nothing else, though others are open here");
    close(stray);
    close(high);
}

/* Puts files named 0 .. 5 at descriptors 3 .. 8 and asks for them in every order of six: sources and targets overlap in
 * all ways. */
static void test_overlap(void)
{
    char folder[] = "/tmp/belfry-spawn-XXXXXX", path[64], text[4096], want[4096];
    const char *const argv[] = { "self", "list", NULL };
    int wrong = 0, tried = 0;
    if (!mkdtemp(folder))
        return;
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        dup3(fd, 40 + i, O_CLOEXEC);
        close(fd);
    }
    for (int i = 0; i < 6; i++)
        dup3(40 + i, 3 + i, O_CLOEXEC);
    for (int n = 0; n < 720; n += 11) {
        int order[6] = { 0, 1, 2, 3, 4, 5 }, left = n, fds[8] = { -1, -1 };
        for (int i = 5; i > 0; i--) { /* the n-th permutation */
            int j = left % (i + 1), swap = order[i];
            left /= i + 1;
            order[i] = order[j];
            order[j] = swap;
        }
        size_t length = (size_t)snprintf(want, sizeof want, "0:/dev/null 1:pipe 2:/dev/null ");
        for (int i = 0; i < 6; i++) {
            fds[2 + i] = 3 + order[i];
            length += (size_t)snprintf(want + length, sizeof want - length, "%d:%s/%d ", 3 + i, folder, order[i]);
        }
        struct spawn spawn = { .program = self, .argv = argv, .fds = fds, .fd_count = 8 };
        wrong += run(&spawn, text, sizeof text) != 0 || strcmp(text, want) != 0;
        tried++;
    }
    tap_ok(wrong == 0 && tried == 66, "descriptors in any order (%d of %d wrong)", wrong, tried);
    for (int i = 0; i < 6; i++) {
        close(3 + i);
        close(40 + i);
        snprintf(path, sizeof path, "%s/%d", folder, i);
        unlink(path);
    }
    rmdir(folder);
}

/* Descriptors 0 to 2 are closed here, as in a careless daemon: the pipes then get low numbers. */
static void test_low_descriptors(void)
{
    int pair[2], status = 0;
    char text[64] = "";
    if (pipe2(pair, O_CLOEXEC) != 0)
        return;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int out = fcntl(pair[1], F_DUPFD_CLOEXEC, 30);
        for (int fd = 0; fd < 10; fd++)
            close(fd);
        const char *const argv[] = { "sh", "-c", "echo out; echo err >&2", NULL };
        int fds[] = { out, out };
        struct spawn spawn = { .program = "/bin/sh", .argv = argv, .fds = fds, .fd_count = 2 };
        pid_t child = spawn_start(&spawn);
        waitpid(child, &status, 0);
        _exit(child > 0 && status == 0 ? 0 : 1);
    }
    close(pair[1]);
    waitpid(pid, &status, 0);
    ssize_t n = read(pair[0], text, sizeof text - 1);
    tap_ok(status == 0 && n == 8, "a parent without descriptors 0 to 2");
    tap_is_text(text, "out\nerr\n", "one descriptor for two targets");
    close(pair[0]);
}

static void test_limits(void)
{
    char text[256];
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    struct spawn_limit limits[] = { { RLIMIT_CORE, 0 }, { RLIMIT_NOFILE, 50 } };
    struct spawn spawn = { .limits = limits, .limit_count = 2 };
    run_shell(&spawn, "ulimit -S -c; ulimit -S -n", text, sizeof text);
    tap_is_text(text, "0\n50\n", "limits");
    limits[1].soft = UINT64_MAX - 1;
    spawn = (struct spawn){ .limits = limits, .limit_count = 2 };
    run_shell(&spawn, "test \"$(ulimit -S -n)\" = \"$(ulimit -H -n)\" && echo same", text, sizeof text);
    tap_is_text(text, "same\n", "a limit above the hard one is lowered to it");
}

static void test_signals(void)
{
    char text[4096];
    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    struct spawn spawn = { 0 };
    run_shell(&spawn, "grep -E '^Sig(Blk|Ign)' /proc/$$/status | tr -d '\\t\\n'", text, sizeof text);
    tap_is_text(text, "SigBlk:0000000000000000SigIgn:0000000000000000", "no signal is blocked or ignored");
    sigset_t now;
    sigprocmask(SIG_SETMASK, &before, &now);
    tap_ok(sigismember(&now, SIGTERM) && !sigismember(&now, SIGUSR2), "the mask here is what it was");
}

static void test_standing(void)
{
    char text[4096], want[64];
    struct spawn spawn = { .own_group = 1 };
    run_shell(&spawn, "ps -o pgid= -p $$ | tr -d ' '; echo $$", text, sizeof text);
    char *second = strchr(text, '\n');
    tap_ok(second && strncmp(text, second + 1, (size_t)(second + 1 - text)) == 0, "a group of its own");
    spawn = (struct spawn){ 0 };
    run_shell(&spawn, "ps -o pgid= -p $$ | tr -d ' '", text, sizeof text);
    snprintf(want, sizeof want, "%d\n", (int)getpgrp());
    tap_is_text(text, want, "or ours");
    for (unsigned on = 0; on < 2; on++) {
        spawn = (struct spawn){ .no_new_privs = on & 1 };
        run_shell(&spawn, "grep ^NoNewPrivs /proc/$$/status", text, sizeof text);
        tap_is_text(text, on ? "NoNewPrivs:\t1\n" : "NoNewPrivs:\t0\n", "no_new_privs");
    }
}

/* A grandchild that would sleep for ever dies when its parent, which spawned it, is killed. */
static void test_parent_death(void)
{
    int tell[2];
    if (pipe2(tell, O_CLOEXEC) != 0)
        return;
    fflush(NULL);
    pid_t parent = fork();
    if (parent == 0) {
        const char *const argv[] = { "sh", "-c", "echo ready; exec sleep 1000", NULL };
        int fds[] = { tell[1], -1 };
        struct spawn spawn = { .program = "/bin/sh", .argv = argv, .fds = fds, .fd_count = 2, .die_with_parent = 1 };
        pid_t child = spawn_start(&spawn);
        close(tell[1]);
        if (child > 0)
            pause();
        _exit(1);
    }
    close(tell[1]);
    char text[16];
    tap_is_int(read(tell[0], text, sizeof text), 6, "the grandchild runs");
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    alarm(20); /* the pipe closes when the grandchild is dead */
    tap_is_int(read(tell[0], text, sizeof text), 0, "and dies with its parent");
    alarm(0);
    close(tell[0]);
}

static void test_member(void)
{
    const char *here = spawn_member("test_spawn");
    tap_ok(strncmp(here, file_program_folder(), strlen(file_program_folder())) == 0, "a member beside this program");
    tap_is_text(spawn_member("belfry-nobody"), LIBEXECDIR "/belfry-nobody", "a member that is installed");
    tap_ok(spawn_member("test_spawn") == here, "the same place for the same name");
    int pair[2];
    tap_is_int(spawn_pair(pair), 0, "a pair");
    tap_ok((fcntl(pair[0], F_GETFD) & FD_CLOEXEC) && (fcntl(pair[1], F_GETFD) & FD_CLOEXEC), "closed by exec");
    tap_ok(write(pair[0], "x", 1) == 1 && read(pair[1], pair, 1) == 1, "connected");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return list_descriptors();
    tap_ok(readlink("/proc/self/exe", self, sizeof self - 1) > 0, "this program");
    test_basics();
    test_failures();
    test_env();
    test_descriptors();
    test_overlap();
    test_low_descriptors();
    test_limits();
    test_signals();
    test_standing();
    test_parent_death();
    test_member();
    return tap_done();
}
