/* SPDX-License-Identifier: GPL-3.0-or-later */
/* badisk - a library for LD_PRELOAD that makes the disk under a journal bad, and good again, while a daemon runs. It
 * reads the file that BADISK names before each call on a file of a folder "journal": one line "CALL ERROR", or "CALL
 * delay MS", where CALL is write, sync (fdatasync and fsync) or create (open with O_CREAT), ERROR a number; or "write
 * split US": each write takes a part of the bytes only, and that long; anything else, or no file: the disk is good. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool is_journal(int fd)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    return strstr(path, "/journal") != NULL;
}

/* Waits, in units of so many to the second. */
static void pause_for(int count, int a_second)
{
    const struct timespec pause = { count / a_second, (long)(count % a_second) * (1000000000L / a_second) };
    nanosleep(&pause, NULL);
}

/* Whether the call fails; errno says how. *split_us: how long half a write takes. */
static bool fails(const char *call, int fd, int *split_us)
{
    const char *file = getenv("BADISK");
    char line[64] = "", what[16] = "", how[16] = "";
    int number = 0, in = file && is_journal(fd) ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (in < 0)
        return false;
    ssize_t n = read(in, line, sizeof line - 1);
    close(in);
    if (n <= 0 || sscanf(line, "%15s %15s %d", what, how, &number) < 2 || strcmp(what, call) != 0)
        return false;
    if (strcmp(how, "delay") == 0)
        pause_for(number, 1000);
    if (strcmp(how, "split") == 0)
        *split_us = number;
    errno = (int)strtol(how, NULL, 10);
    return errno != 0;
}

/* The function that ours stands before. */
#define REAL(name)                                                                                                     \
    static __typeof__(name) *real;                                                                                     \
    if (!real) {                                                                                                       \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                                        \
        memcpy(&real, &symbol, sizeof real);                                                                           \
    }

/* A part of the bytes, another one each time; then the disk is slow to tell. */
static ssize_t write_part(ssize_t (*real)(int, const void *, size_t), int fd, const void *bytes, size_t n, int slow_us)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ssize_t done = real(fd, bytes, n > 1 ? 1 + (size_t)now.tv_nsec % (n - 1) : n);
    pause_for(slow_us, 1000000);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    REAL(write)
    int split_us = 0;
    if (fails("write", fd, &split_us))
        return -1;
    return split_us > 0 ? write_part(real, fd, bytes, n, split_us) : real(fd, bytes, n);
}

int fdatasync(int fd)
{
    REAL(fdatasync)
    return fails("sync", fd, &(int){ 0 }) ? -1 : real(fd);
}

int fsync(int fd)
{
    REAL(fsync)
    return fails("sync", fd, &(int){ 0 }) ? -1 : real(fd);
}

int openat(int folder, const char *name, int flags, ...)
{
    REAL(openat)
    va_list args;
    va_start(args, flags);
    unsigned mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    return flags & O_CREAT && fails("create", folder, &(int){ 0 }) ? -1 : real(folder, name, flags, mode);
}
