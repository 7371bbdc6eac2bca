/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_scratch - removing a drill's folder: by its marker alone, never through a link, by several at once, and whatever
 * a backup has put there. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/drill/drill.h"
#include "tests/tap.h"

#define ID "0123456789abcdef"
#define FOLDERS 30
#define FILES 2
#define REMOVERS 4

static char workspace[PATH_MAX];

static const char *at(const char *below)
{
    static char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", workspace, below);
    return path;
}

static void put(const char *below, const char *text)
{
    int fd = open(at(below), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        perror(below);
    close(fd);
}

static bool is_there(const char *below)
{
    struct stat st;
    return lstat(at(below), &st) == 0;
}

static void make(const char *id)
{
    char name[128];
    mkdir(at(SCRATCH_PREFIX ID), 0700);
    put(SCRATCH_PREFIX ID "/marker", id);
    for (int i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof name, SCRATCH_PREFIX ID "/%d", i);
        mkdir(at(name), 0700);
        for (int j = 0; j < FILES; j++) {
            snprintf(name, sizeof name, SCRATCH_PREFIX ID "/%d/%d", i, j);
            put(name, "x");
        }
    }
}

static void test_marker(void)
{
    struct why why = { "" };
    make("belfry-drill fedcba9876543210\n");
    int fd = open(at(SCRATCH_PREFIX ID), O_RDONLY | O_DIRECTORY);
    struct scratch_sum sum = scratch_measure(fd);
    tap_ok(sum.files == 1 + FOLDERS * (1 + FILES) && !sum.too_deep, "all that is in it is counted");
    close(fd);
    tap_ok(scratch_remove(workspace, ID, &why) != 0, "a folder whose marker says another id stays");
    tap_ok(is_there(SCRATCH_PREFIX ID "/1/1"), "with all that is in it");
    put(SCRATCH_PREFIX ID "/marker", "belfry-drill " ID "\n");
    mkdir(at("mine"), 0700);
    put("mine/keep", "x");
    if (symlink("../../mine", at(SCRATCH_PREFIX ID "/1/link")) != 0)
        perror("symlink");
    tap_is_int(scratch_remove(workspace, ID, &why), 0, "with its own id it is removed");
    tap_ok(!is_there(SCRATCH_PREFIX ID), "whole");
    tap_ok(is_there("mine/keep"), "and nothing that a link in it leads to");
    tap_is_int(scratch_remove(workspace, ID, &why), 0, "one that is gone is no trouble");
}

/* Who was to mark it was killed meanwhile. */
static void test_unwritten(void)
{
    struct why why = { "" };
    mkdir(at(SCRATCH_PREFIX ID), 0700);
    tap_is_int(scratch_remove(workspace, ID, &why), 0, "an empty folder without a marker is removed");
    mkdir(at(SCRATCH_PREFIX ID), 0700);
    put(SCRATCH_PREFIX ID "/marker", "");
    put(SCRATCH_PREFIX ID "/other", "x");
    tap_ok(scratch_remove(workspace, ID, &why) != 0, "one with an empty marker and something else stays");
    tap_ok(is_there(SCRATCH_PREFIX ID "/marker") && is_there(SCRATCH_PREFIX ID "/other"), "as it is");
    unlink(at(SCRATCH_PREFIX ID "/other"));
    tap_is_int(scratch_remove(workspace, ID, &why), 0, "one with an empty marker alone is removed");
    tap_ok(!is_there(SCRATCH_PREFIX ID), "whole");
}

/* The supervisor of a daemon that was killed, and who is sent by the next one: what one has taken away must not stop
 * the other. */
static void test_together(void)
{
    int go[2], failed = 0;
    make("belfry-drill " ID "\n");
    if (pipe(go) != 0)
        perror("pipe");
    for (int i = 0; i < REMOVERS; i++)
        if (fork() == 0) {
            struct why why = { "" };
            char byte;
            close(go[1]);
            _exit(read(go[0], &byte, 1) != 0 || scratch_remove(workspace, ID, &why) != 0);
        }
    close(go[0]);
    close(go[1]);
    for (int i = 0, status; i < REMOVERS; i++)
        failed += wait(&status) < 0 || status != 0;
    tap_is_int(failed, 0, "none of those that remove one folder at once fails");
    tap_ok(!is_there(SCRATCH_PREFIX ID), "and it is gone");
}

/* Deeper than there are descriptors. */
static void put_deep(unsigned levels)
{
    int folder = open(at(SCRATCH_PREFIX ID), O_RDONLY | O_DIRECTORY);
    for (unsigned i = 0; i < levels; i++) {
        int below = mkdirat(folder, "d", 0700) == 0 ? openat(folder, "d", O_RDONLY | O_DIRECTORY) : -1;
        close(folder);
        folder = below;
    }
    int fd = openat(folder, "file", O_WRONLY | O_CREAT, 0600);
    tap_ok(fd >= 0, "a file lies %u folders deep", levels);
    close(fd);
    close(folder);
}

static void test_deep(void)
{
    struct why why = { "" };
    make("belfry-drill " ID "\n");
    put_deep(600);
    int fd = open(at(SCRATCH_PREFIX ID), O_RDONLY | O_DIRECTORY);
    tap_ok(scratch_measure(fd).too_deep, "what can't be counted there is told");
    close(fd);
    tap_is_int(scratch_remove(workspace, ID, &why), 0, "it is removed");
    tap_ok(!is_there(SCRATCH_PREFIX ID), "with all above it");
}

/* A daemon that is not root; whoever is may do it all. */
static void test_read_only(void)
{
    struct why why = { "" };
    int status = 1;
    if (geteuid() == 0 && chmod(workspace, 0777) != 0)
        perror("chmod");
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        make("belfry-drill " ID "\n");
        for (int i = 0; i < FOLDERS; i++) {
            char name[128];
            snprintf(name, sizeof name, SCRATCH_PREFIX ID "/%d", i);
            chmod(at(name), i % 2 ? 0500 : 0);
        }
        _exit(scratch_remove(workspace, ID, &why) != 0);
    }
    waitpid(pid, &status, 0);
    tap_is_int(status, 0, "folders that may not be written to, or read, are removed");
    tap_ok(!is_there(SCRATCH_PREFIX ID), "whole");
}

int main(void)
{
    const char *top = getenv("TMPDIR");
    snprintf(workspace, sizeof workspace, "%s/belfry-scratch.XXXXXX", top ? top : "/tmp");
    if (!mkdtemp(workspace))
        return 1;
    test_marker();
    test_unwritten();
    for (int i = 0; i < 5; i++)
        test_together();
    test_deep();
    test_read_only();
    unlink(at("mine/keep"));
    rmdir(at("mine"));
    rmdir(workspace);
    return tap_done();
}
