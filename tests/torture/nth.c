/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nth - a preloaded library that lets the Nth call of a function fail, for nth.py.
 *
 *     NTH_CALL=write NTH_N=7 NTH_ERROR=28 NTH_REPORT=FILE [NTH_FOREVER=1] LD_PRELOAD=nth.so PROGRAM
 *
 * A call is a name of the table below and stands for its variants too. Calls are counted over all threads of a process;
 * a child that was forked counts on by itself. FILE gets a line when the call fails: its number, and which library or
 * program made it; it is mapped before the program's own code runs, because a sandbox may come that lets nothing be
 * opened (eight bytes, how much of it is used, stand before the lines). Children that are executed with another
 * environment are not reached. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum call {
    CALL_NONE,
    CALL_OPEN,
    CALL_READ,
    CALL_WRITE,
    CALL_FDATASYNC,
    CALL_RENAME,
    CALL_MMAP,
    CALL_SOCKET,
    CALL_ACCEPT,
    CALL_FORK,
    CALL_EPOLL_CTL,
    CALL_MALLOC
};

static const char *const names[] = { "",     "open",   "read",   "write", "fdatasync", "rename",
                                     "mmap", "socket", "accept", "fork",  "epoll_ctl", "malloc" };

static enum call wanted;
static long wanted_n, wanted_error;
static bool forever;
static _Atomic long counts;
static struct {
    _Atomic uint64_t used;
    char lines[65536];
} * report;

/* By system calls alone, so that nothing is counted. */
static void map_report(const char *path)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate((int)fd, sizeof *report) != 0)
        abort();
    long at = syscall(SYS_mmap, NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    if (at == -1)
        abort();
    memcpy(&report, &at, sizeof report);
    syscall(SYS_close, fd);
}

__attribute__((constructor)) static void set_up(void)
{
    const char *call = getenv("NTH_CALL"), *n = getenv("NTH_N"), *error = getenv("NTH_ERROR"),
               *path = getenv("NTH_REPORT");
    if (!call || !n || !error || !path)
        return;
    wanted_n = strtol(n, NULL, 10);
    wanted_error = strtol(error, NULL, 10);
    forever = getenv("NTH_FOREVER") != NULL;
    map_report(path);
    for (size_t i = 1; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(call, names[i]) == 0)
            wanted = (enum call)i;
}

/* It may be called inside of malloc(). */
static void tell(long n, void *caller)
{
    Dl_info info = { 0 };
    char line[400];
    const char *file = dladdr(caller, &info) && info.dli_fname ? info.dli_fname : "?";
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    int length = snprintf(line, sizeof line, "%ld %s %s\n", n, base, info.dli_sname ? info.dli_sname : "?");
    size_t size = length < (int)sizeof line ? (size_t)length : sizeof line - 1;
    uint64_t at = atomic_fetch_add(&report->used, size);
    if (at + size <= sizeof report->lines)
        memcpy(report->lines + at, line, size);
}

/* Whether this call is to fail; errno is then set. */
static bool fails(enum call call, void *caller)
{
    if (call != wanted)
        return false;
    long n = ++counts;
    if (n != wanted_n && !(forever && n > wanted_n))
        return false;
    if (n == wanted_n)
        tell(n, caller);
    errno = (int)wanted_error;
    return true;
}
#define FAILS(call) fails((call), __builtin_return_address(0))

/* The next definition of the function of that type. */
#define NEXT(type, name)                                                                                               \
    static type next;                                                                                                  \
    if (!next)                                                                                                         \
    next = (type)(uintptr_t)dlsym(RTLD_NEXT, name)

/* Functions with a fixed list of arguments: return type, name, parameters, arguments, what it counts as, its failure.
 */
#define FUNCTION(result, name, parameters, arguments, call, failure)                                                   \
    result name parameters;                                                                                            \
    result name parameters                                                                                             \
    {                                                                                                                  \
        typedef result(*function) parameters;                                                                          \
        NEXT(function, #name);                                                                                         \
        return FAILS(call) ? (failure) : next arguments;                                                               \
    }
/* open() and its like: with a mode when there is one. */
#define OPENER(name, parameters, arguments)                                                                            \
    int name parameters;                                                                                               \
    int name parameters                                                                                                \
    {                                                                                                                  \
        typedef int(*function) parameters;                                                                             \
        NEXT(function, #name);                                                                                         \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        unsigned mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, unsigned) : 0;                                  \
        va_end(list);                                                                                                  \
        return FAILS(CALL_OPEN) ? -1 : next arguments;                                                                 \
    }

OPENER(open, (const char *path, int flags, ...), (path, flags, mode))
OPENER(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENER(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPENER(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
FUNCTION(int, __open_2, (const char *path, int flags), (path, flags), CALL_OPEN, -1)
FUNCTION(int, __open64_2, (const char *path, int flags), (path, flags), CALL_OPEN, -1)
FUNCTION(int, __openat_2, (int folder, const char *path, int flags), (folder, path, flags), CALL_OPEN, -1)
FUNCTION(int, __openat64_2, (int folder, const char *path, int flags), (folder, path, flags), CALL_OPEN, -1)
FUNCTION(FILE *, fopen, (const char *path, const char *mode), (path, mode), CALL_OPEN, NULL)
FUNCTION(FILE *, fopen64, (const char *path, const char *mode), (path, mode), CALL_OPEN, NULL)

FUNCTION(ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, n), CALL_READ, -1)
FUNCTION(ssize_t, __read_chk, (int fd, void *bytes, size_t n, size_t size), (fd, bytes, n, size), CALL_READ, -1)
FUNCTION(ssize_t, pread, (int fd, void *bytes, size_t n, off_t at), (fd, bytes, n, at), CALL_READ, -1)
FUNCTION(ssize_t, pread64, (int fd, void *bytes, size_t n, off_t at), (fd, bytes, n, at), CALL_READ, -1)
FUNCTION(ssize_t, __pread64_chk, (int fd, void *bytes, size_t n, off_t at, size_t size), (fd, bytes, n, at, size),
         CALL_READ, -1)
FUNCTION(ssize_t, recv, (int fd, void *bytes, size_t n, int flags), (fd, bytes, n, flags), CALL_READ, -1)
FUNCTION(ssize_t, __recv_chk, (int fd, void *bytes, size_t n, size_t size, int flags), (fd, bytes, n, size, flags),
         CALL_READ, -1)

FUNCTION(ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n), CALL_WRITE, -1)
FUNCTION(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at), CALL_WRITE, -1)
FUNCTION(ssize_t, pwrite64, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at), CALL_WRITE, -1)
FUNCTION(ssize_t, writev, (int fd, const struct iovec *list, int n), (fd, list, n), CALL_WRITE, -1)
FUNCTION(ssize_t, send, (int fd, const void *bytes, size_t n, int flags), (fd, bytes, n, flags), CALL_WRITE, -1)

FUNCTION(int, fdatasync, (int fd), (fd), CALL_FDATASYNC, -1)
FUNCTION(int, fsync, (int fd), (fd), CALL_FDATASYNC, -1)
FUNCTION(int, rename, (const char *from, const char *to), (from, to), CALL_RENAME, -1)
FUNCTION(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), CALL_RENAME, -1)
FUNCTION(void *, mmap, (void *at, size_t n, int access, int flags, int fd, off_t offset),
         (at, n, access, flags, fd, offset), CALL_MMAP, MAP_FAILED)
FUNCTION(void *, mmap64, (void *at, size_t n, int access, int flags, int fd, off_t offset),
         (at, n, access, flags, fd, offset), CALL_MMAP, MAP_FAILED)
FUNCTION(int, memfd_create, (const char *name, unsigned flags), (name, flags), CALL_OPEN, -1)

FUNCTION(int, socket, (int family, int type, int protocol), (family, type, protocol), CALL_SOCKET, -1)
FUNCTION(int, socketpair, (int family, int type, int protocol, int pair[2]), (family, type, protocol, pair),
         CALL_SOCKET, -1)
FUNCTION(int, pipe2, (int pair[2], int flags), (pair, flags), CALL_SOCKET, -1)
FUNCTION(int, eventfd, (unsigned n, int flags), (n, flags), CALL_SOCKET, -1)
FUNCTION(int, accept4, (int fd, struct sockaddr *peer, socklen_t *n, int flags), (fd, peer, n, flags), CALL_ACCEPT, -1)
FUNCTION(pid_t, fork, (void), (), CALL_FORK, -1)
FUNCTION(int, pthread_create, (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *context),
         (thread, how, run, context), CALL_FORK, (int)wanted_error)
FUNCTION(int, epoll_ctl, (int fd, int what, int of, struct epoll_event *event), (fd, what, of, event), CALL_EPOLL_CTL,
         -1)
FUNCTION(int, epoll_create1, (int flags), (flags), CALL_EPOLL_CTL, -1)

#ifndef NTH_WITHOUT_MEMORY

/* ---- memory: dlsym() may itself ask for some, which comes from here and is never given back */

static char first[65536] __attribute__((aligned(16)));
static _Atomic size_t first_used;
static _Thread_local bool looking;

static void *take_first(size_t n)
{
    size_t at = atomic_fetch_add(&first_used, (n + 15) & ~(size_t)15);
    return at + n <= sizeof first ? first + at : NULL;
}

static bool is_first(const void *at)
{
    return (const char *)at >= first && (const char *)at < first + sizeof first;
}

#define NEXT_MEMORY(name)                                                                                              \
    static __typeof__(name) *next;                                                                                     \
    if (!next && !looking) {                                                                                           \
        looking = true;                                                                                                \
        next = (__typeof__(name) *)(uintptr_t)dlsym(RTLD_NEXT, #name);                                                 \
        looking = false;                                                                                               \
    }

void *malloc(size_t n)
{
    NEXT_MEMORY(malloc)
    if (!next)
        return take_first(n);
    return FAILS(CALL_MALLOC) ? NULL : next(n);
}

void *calloc(size_t count, size_t size)
{
    NEXT_MEMORY(calloc)
    if (!next)
        return take_first(count * size);
    return FAILS(CALL_MALLOC) ? NULL : next(count, size);
}

void *realloc(void *old, size_t n)
{
    NEXT_MEMORY(realloc)
    if (!next || is_first(old)) {
        void *at = malloc(n);
        if (at && old)
            memcpy(at, old, n < (size_t)(first + sizeof first - (char *)old) ? n : 0);
        return at;
    }
    return FAILS(CALL_MALLOC) ? NULL : next(old, n);
}

void free(void *at)
{
    NEXT_MEMORY(free)
    if (next && !is_first(at))
        next(at);
}

#endif
