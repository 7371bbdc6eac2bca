/* SPDX-License-Identifier: GPL-3.0-or-later */
/* disks - the file systems that can fill up, one part each, named by their mount point.
 *
 * From /proc/self/mountinfo (proc(5)) those are taken whose type is in the table below: file systems that keep data on
 * a disk of this machine. Pseudo file systems, overlays and images that are always full are none of them. Network file
 * systems are in the table too, but looked at only when the option says so: statvfs() of a dead NFS server hangs, which
 * is why the plugin is one of those that get a thread. A device that is mounted in several places (bind mounts,
 * subvolumes) counts once, by its own root where that is mounted and else the first place; a mount point that is
 * covered by a later mount counts as what is seen there.
 *
 * A mount point that `include` names and that isn't there is a part too, and CRITICAL: a disk that was not mounted must
 * not look like a disk that is well.
 *
 * Percentages are df's: of what a program that is not root can use.
 *
 * A file system that was writable in an earlier run and is read-only now, or that the kernel says it has stopped after
 * an error, is CRITICAL until it is writable again; the option read_only names those that may be so. That is told by
 * the options of the file system, not by those of the mount: the former are what the kernel changes ("ro" with
 * errors=remount-ro, or since Linux 6.15 "emergency_ro" and "shutdown", which leave "rw" in place) and what `mount -o
 * remount,ro` changes; the latter are read-only for a daemon that systemd runs with ProtectSystem=, however well the
 * disk is.
 */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/statvfs.h>

#include "plugins/common/say.h"
#include "plugins/host/proc.h"

#define MOUNTS_MAX 512
#define KEPT_BYTES 4000
#define SEPARATOR "\x1f"

static const char *const local_types[] = { "ext2",    "ext3",    "ext4",     "xfs",      "btrfs", "zfs",   "f2fs",
                                           "jfs",     "nilfs2",  "reiserfs", "vfat",     "exfat", "ntfs",  "ntfs3",
                                           "fuseblk", "hfsplus", "ufs",      "bcachefs", "gfs2",  "ocfs2", "virtiofs" };
static const char *const network_types[] = { "nfs", "nfs4",       "cifs",           "smb3",   "ceph",  "9p",
                                             "afs", "fuse.sshfs", "fuse.glusterfs", "lustre", "beegfs" };

struct mount {
    char *point, *type, *device, *base; /* device is major:minor, base the mount's root within it */
    char *options;                      /* of the file system: "rw,errors=remount-ro" */
};

struct mounts {
    struct mount all[MOUNTS_MAX];
    size_t count;
    /* kept for the next run, each between two SEPARATORs: the mount points that were writable, or ought to be again,
     * and those that are known to be read-only though they ought not to be */
    const char *writable, *read_only;
};

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

#define IS_ONE_OF(word, list) is_one_of(word, list, sizeof(list) / sizeof(list)[0])

/* "\040" and the like back into the byte they stand for, in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
                     from[3] >= '0' && from[3] <= '7';
        *to = octal ? (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0')) : *from;
        from += octal ? 4 : 1;
    }
    *to = '\0';
}

/* "36 35 98:0 /base /point options [tags] - type source super-options" */
static bool parse(char *line, struct mount *out)
{
    char *words[6], *tail[3];
    for (int i = 0; i < 6; i++)
        words[i] = strsep(&line, " ");
    char *rest = !line ? NULL : strncmp(line, "- ", 2) == 0 ? line : strstr(line, " - ");
    if (!words[5] || !rest)
        return false;
    rest += *rest == ' ' ? 3 : 2;
    for (int i = 0; i < 3; i++)
        tail[i] = strsep(&rest, " ");
    *out = (struct mount){ .device = words[2], .base = words[3], .point = words[4], .type = tail[0] };
    out->options = tail[2] ? tail[2] : words[5];
    unescape(out->point);
    return true;
}

static bool matches(struct host_run *run, const char *option, const char *point)
{
    for (size_t i = 0; i < belfry_count(run->p, option); i++)
        if (fnmatch(belfry_item(run->p, option, i), point, 0) == 0)
            return true;
    return false;
}

static bool has_space(struct host_run *run, const struct mount *mount)
{
    return IS_ONE_OF(mount->type, local_types) ||
           (belfry_flag(run->p, "network") && IS_ONE_OF(mount->type, network_types));
}

static bool is_wanted(struct host_run *run, const struct mount *mount)
{
    return !matches(run, "exclude", mount->point) &&
           (!belfry_has(run->p, "include") || matches(run, "include", mount->point));
}

static void drop(struct mounts *mounts, size_t i)
{
    memmove(&mounts->all[i], &mounts->all[i + 1], (--mounts->count - i) * sizeof mounts->all[0]);
}

/* What a mount makes of the list: it covers an older one at its point, and one device stands once. */
static void add(struct host_run *run, struct mounts *mounts, const struct mount *mount)
{
    for (size_t i = mounts->count; i-- > 0;)
        if (strcmp(mounts->all[i].point, mount->point) == 0)
            drop(mounts, i);
    if (!has_space(run, mount))
        return;
    for (size_t i = 0; i < mounts->count; i++)
        if (strcmp(mounts->all[i].device, mount->device) == 0) {
            if (strcmp(mounts->all[i].base, "/") != 0 && strcmp(mount->base, "/") == 0)
                mounts->all[i] = *mount;
            return;
        }
    if (mounts->count < MOUNTS_MAX)
        mounts->all[mounts->count++] = *mount;
}

/* ---- read-only file systems ---------------------------------------------------------------------------------- */

/* Whether a word stands in "rw,relatime,errors=remount-ro". */
static bool has_word(const char *options, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = options; *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* The kernel says so itself; NULL when it doesn't. */
static const char *stopped(const struct mount *mount)
{
    if (has_word(mount->options, "emergency_ro"))
        return "read-only after an error: the kernel says emergency_ro";
    if (has_word(mount->options, "shutdown"))
        return "shut down after an error";
    if (has_word(mount->options, "ro") && has_word(mount->options, "errors=remount-ro"))
        return "read-only, and it is mounted with errors=remount-ro: after an error?";
    return NULL;
}

static bool is_kept(struct host_run *run, const char *key, const char *point)
{
    const char *list = belfry_kept(run->p, key);
    return list && strstr(list, belfry_print(run->p, SEPARATOR "%s" SEPARATOR, point));
}

static void add_point(struct host_run *run, const char **list, const char *point)
{
    const char *longer = belfry_print(run->p, "%s%s" SEPARATOR, *list, point);
    if (strlen(longer) < KEPT_BYTES)
        *list = longer;
}

/* Why it ought not to be read-only as it is; NULL when all is well. */
static const char *find_fault(struct host_run *run, struct mounts *mounts, const struct mount *mount)
{
    const char *why = stopped(mount);
    if (matches(run, "read_only", mount->point))
        return NULL;
    if (!why && !has_word(mount->options, "ro")) {
        add_point(run, &mounts->writable, mount->point);
        return NULL;
    }
    if (is_kept(run, "writable", mount->point)) {
        add_point(run, &mounts->writable, mount->point); /* so that it stays bad */
        why = why ? why : "read-only, and was writable before";
    }
    if (why && !is_kept(run, "read_only", mount->point))
        belfry_event(run->p, "disk.read_only", mount->point, "%s", why);
    if (why)
        add_point(run, &mounts->read_only, mount->point);
    return why;
}

/* ---- space --------------------------------------------------------------------------------------------------- */

static void measure(struct host_run *run, const char *point, const struct statvfs *fs, const char *fault)
{
    struct belfry_probe *p = run->p;
    double block = (double)fs->f_frsize, used = (double)(fs->f_blocks - fs->f_bfree),
           usable = used + (double)fs->f_bavail, share = usable > 0 ? 100 * used / usable : 0, inodes = 0;
    if (fs->f_files > 0)
        inodes = 100 * (double)(fs->f_files - fs->f_ffree) / (double)fs->f_files;
    belfry_part(p, point, fault ? BELFRY_CRITICAL : BELFRY_OK, "%s%s%.0f %% of %s used, %s free%s", fault ? fault : "",
                fault ? "; " : "", share, say_bytes(p, (double)fs->f_blocks * block),
                say_bytes(p, (double)fs->f_bavail * block),
                fs->f_files > 0 ? belfry_print(p, ", inodes %.0f %%", inodes) : "");
    belfry_measure_part(p, point, "disk_used", share);
    belfry_measure_part(p, point, "disk_free", (double)fs->f_bavail * block);
    if (fs->f_files > 0) /* btrfs and vfat count none */
        belfry_measure_part(p, point, "inodes_used", inodes);
}

/* Makes a part of it; false when there is none to be made. */
static bool look_at(struct host_run *run, struct mounts *mounts, const struct mount *mount)
{
    struct statvfs fs;
    int error = statvfs(belfry_print(run->p, "%s%s", run->root, mount->point), &fs) == 0 ? 0 : errno;
    if (error == EACCES || error == ENOENT || (error == 0 && fs.f_blocks == 0))
        return false; /* not ours to see, gone since the list was read, or without space */
    const char *fault = find_fault(run, mounts, mount);
    if (error == 0)
        measure(run, mount->point, &fs, fault);
    else
        belfry_part(run->p, mount->point, BELFRY_CRITICAL, "can't be examined: %s%s%s", say_error(run->p, error),
                    fault ? "; " : "", fault ? fault : "");
    return true;
}

/* A part for each pattern of include that no mount point matches. */
static void miss_mounts(struct host_run *run, const struct mounts *mounts)
{
    const char *what = belfry_flag(run->p, "network") ? "file system" : "file system of a local disk";
    for (size_t i = 0; i < belfry_count(run->p, "include"); i++) {
        const char *pattern = belfry_item(run->p, "include", i);
        bool found = false;
        for (size_t k = 0; k < mounts->count && !found; k++)
            found = fnmatch(pattern, mounts->all[k].point, 0) == 0;
        if (!found)
            belfry_part(run->p, pattern, BELFRY_CRITICAL, "no %s is mounted here", what);
    }
}

void host_disks(struct host_run *run)
{
    const char *list = proc_read(run, "/proc/self/mountinfo");
    if (!list) {
        host_unreadable(run, "/proc/self/mountinfo");
        return;
    }
    struct mounts *mounts = belfry_alloc(run->p, sizeof *mounts);
    mounts->writable = mounts->read_only = SEPARATOR;
    char *text = say_copy(run->p, list, strlen(list));
    for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n")) {
        struct mount mount;
        if (parse(line, &mount))
            add(run, mounts, &mount);
    }
    int seen = 0;
    for (size_t i = 0; i < mounts->count; i++)
        if (is_wanted(run, &mounts->all[i])) /* only now, so that a bind mount does not stand in for its own */
            seen += look_at(run, mounts, &mounts->all[i]);
    belfry_keep(run->p, "writable", mounts->writable);
    belfry_keep(run->p, "read_only", mounts->read_only);
    miss_mounts(run, mounts);
    host_say(run, belfry_print(run->p, "%d file system%s", seen, seen == 1 ? "" : "s"));
}
