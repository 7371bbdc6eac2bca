/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spawn - fork and exec of a family member with exactly the descriptors, environment and limits it shall have. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

struct spawn_limit {
    int resource;  /* RLIMIT_* */
    uint64_t soft; /* lowered to the hard limit when above it */
};

/* What the child gets. Descriptor 0 is /dev/null, or what `input` says; fds[i] becomes descriptor i + 1 (fds[0] its
 * stdout, fds[1] its stderr, fds[2] descriptor 3, ...); -1 means /dev/null for 1 and 2. Every other descriptor is
 * closed. */
struct spawn {
    const char *program;     /* path */
    const char *const *argv; /* NULL-terminated, argv[0] included */
    const char *const *env;  /* NULL: the clean default: PATH=/usr/sbin:/usr/bin:/sbin:/bin, LC_ALL=C.UTF-8, TZ and
                                SSL_CERT_FILE,  SSL_CERT_DIR, and (sanitizer builds) *SAN_OPTIONS as they are here */
    const int *fds;
    unsigned fd_count;
    int input;   /* becomes descriptor 0; 0: /dev/null */
    uid_t user;  /* becomes this user, without further groups; 0: stays who it is */
    gid_t group; /* of that user */
    const struct spawn_limit *limits;
    unsigned limit_count;
    const char *folder;     /* working directory, or NULL for / */
    unsigned own_group : 1; /* a process group of its own */
    unsigned no_new_privs : 1;
    unsigned dies_first : 1;      /* it, and not its parent, is what the kernel ends when memory is short */
    unsigned die_with_parent : 1; /* PR_SET_PDEATHSIG SIGKILL, with a check that the parent still lives */
};

/* The child's pid, or -errno (also when exec itself failed). Signal mask and dispositions of the child are the
 * defaults. */
pid_t spawn_start(const struct spawn *spawn);
/* A connected pair of close-on-exec stream sockets; 0 or -errno. */
int spawn_pair(int pair[2]);
/* The path of a family member ("belfry-worker"): beside the running program when it is there (build tree), else in
 * LIBEXECDIR. Static storage for each name. */
const char *spawn_member(const char *name);

#endif
