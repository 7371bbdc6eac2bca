/* SPDX-License-Identifier: GPL-3.0-or-later */
/* paths - rules for the file system, by Landlock.
 *
 * The headers of the system may be older than its kernel, and libc has no wrappers: the numbers below are the kernel's
 * interface (include/uapi/linux/landlock.h). The kernel says at run time which version it has; rights that are younger
 * are left out. What a rule does not grant is EACCES when a file is opened, made or removed; descriptors that are open
 * stay as they are. From version 6 on signals to processes outside of the sandbox are refused, too. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sandbox/layers.h"

#ifndef SYS_landlock_create_ruleset /* one number on all machines */
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define ASK_VERSION 1u
#define RULE_PATH_BENEATH 1
#define SCOPE_SIGNAL 2u

enum right {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    REMOVE_DIR = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_CHAR = 1 << 6,
    MAKE_DIR = 1 << 7,
    MAKE_REG = 1 << 8,
    MAKE_SOCK = 1 << 9,
    MAKE_FIFO = 1 << 10,
    MAKE_BLOCK = 1 << 11,
    MAKE_SYM = 1 << 12,
    REFER = 1 << 13,   /* version 2 */
    TRUNCATE = 1 << 14 /* version 3 */
};

#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE)

/* What each right of a path_rule is to the kernel. */
static const uint64_t kernel_rights[][2] = {
    { PATHS_READ, READ_FILE | READ_DIR },
    { PATHS_RUN, EXECUTE },
    { PATHS_WRITE, WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | MAKE_SYM | MAKE_FIFO | MAKE_SOCK | REMOVE_FILE |
                       REMOVE_DIR | REFER },
};

struct ruleset {
    uint64_t files, network, scoped; /* what is forbidden unless a rule grants it */
};

static uint64_t known_rights(int version)
{
    uint64_t all = 2 * TRUNCATE - 1;
    return version >= 3 ? all : version == 2 ? all & ~(uint64_t)TRUNCATE : all & ~(uint64_t)(TRUNCATE | REFER);
}

/* Older kernels know less of the structure. */
static size_t ruleset_size(int version)
{
    return version >= 6 ? 24 : version >= 4 ? 16 : 8;
}

static int add_rule(int ruleset, const struct path_rule *rule, uint64_t known)
{
    struct {
        uint64_t rights;
        int32_t fd;
    } __attribute__((packed)) beneath = { 0, open(rule->path, O_PATH | O_CLOEXEC) };
    struct stat st;
    if (beneath.fd < 0)
        return 0;
    for (size_t i = 0; i < sizeof(kernel_rights) / sizeof(kernel_rights[0]); i++)
        if (rule->rights & kernel_rights[i][0])
            beneath.rights |= kernel_rights[i][1] & known;
    if (fstat(beneath.fd, &st) == 0 && !S_ISDIR(st.st_mode))
        beneath.rights &= OF_FILES;
    bool good = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &beneath, 0) == 0;
    int code = good ? 0 : -errno;
    close(beneath.fd);
    return code;
}

static int add_rules(int ruleset, const struct path_rule *const *lists, uint64_t known, struct why *why)
{
    for (; *lists != NULL; lists++) {
        for (const struct path_rule *rule = *lists; rule->path != NULL; rule++) {
            int code = add_rule(ruleset, rule, known);
            if (code != 0)
                return why_say(why, code, "no rule can be made for '%s': %s", rule->path, error_text(code));
        }
    }
    return 0;
}

static int find_version(struct why *why)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
    if (version > 0)
        return (int)version;
    int code = version < 0 ? -errno : -ENOSYS;
    if (code == -EPERM)
        return why_say(why, code, "a system call filter around it forbids it");
    return why_say(why, code, "the kernel has none");
}

int paths_restrict(const struct path_rule *const *lists, struct why *why)
{
    int version = find_version(why);
    if (version < 0)
        return version;
    const struct ruleset wanted = { .files = known_rights(version), .scoped = SCOPE_SIGNAL };
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, ruleset_size(version), 0);
    if (ruleset < 0)
        return why_say(why, -errno, "no rules can be made: %s", error_text(-errno));
    int code = add_rules(ruleset, lists, wanted.files, why);
    if (code == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        code = why_say(why, -errno, "the rules can't be set in force: %s", error_text(-errno));
    close(ruleset);
    return code == 0 ? version : code;
}
