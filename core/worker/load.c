/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load - from a path to a loaded plugin.
 *
 *     trusted open -> sealed copy in memory -> descriptor read from the copy -> dlopen of the copy -> plugin_info
 *
 * The copy closes the gap between check and use, and a file that is overwritten in place can't change code that runs.
 * It would also defeat a noexec mount, so that one is asked for. The descriptor of the copy stays open as long as the
 * process: the dynamic linker knows loaded objects by name, and a second plugin under the same /proc/PID/fd/N would be
 * taken for the first.
 *
 * A refusal reads "'PATH' what was found, what was wanted". */
#include "core/worker/host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/worker/elf.h"
#include "core/worker/run.h"

#define PLUGIN_FILE_MAX (64 << 20)
#define LOCATE_FILES_MAX 1024

/* The sizes of ABI 1's first release: structs grow at their ends only, so smaller ones never were. A plugin built with
 * a later header has larger ones. */
#define DESCRIPTOR_MIN (offsetof(struct belfry_plugin, description) + sizeof(char *))
#define OPTION_MIN (offsetof(struct belfry_option, example) + sizeof(char *))
#define METRIC_MIN (offsetof(struct belfry_metric, kind) + sizeof(int))
#define VIEW_MIN (offsetof(struct belfry_view, parts) + sizeof(bool))
#define STRUCT_MAX 4096u

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* Linux 6.3 wants to be told that the memory file will be executed; older ones don't know the flag. */
static int make_memory_file(void)
{
    int fd = memfd_create("belfry-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("belfry-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

static int copy_bytes(int from, int to)
{
    char block[65536];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(from, block, sizeof(block));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        total += (size_t)n;
        if (total > PLUGIN_FILE_MAX)
            return ERROR_LIMIT;
        for (ssize_t done = 0; done < n;) {
            ssize_t put = write(to, block + done, (size_t)(n - done));
            if (put < 0)
                return -errno;
            done += put;
        }
    }
}

/* A sealed copy of the file: the descriptor or a negative code. */
static int copy_sealed(int file, const char *path, struct why *why)
{
    int copy = make_memory_file();
    if (copy < 0)
        return why_say(why, copy, "'%s' can't be copied into memory: %s", path, error_text(copy));
    int rc = copy_bytes(file, copy);
    if (rc == 0 && fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        rc = -errno;
    if (rc == 0)
        return copy;
    close(copy);
    if (rc == ERROR_LIMIT)
        return why_say(why, rc, "'%s' is larger than %d MiB, wanted a plugin", path, PLUGIN_FILE_MAX >> 20);
    return why_say(why, rc, "'%s' can't be copied into memory: %s", path, error_text(rc));
}

static int check_descriptor(const struct elf_descriptor *d, struct why *why)
{
    if (d->magic != BELFRY_MAGIC)
        return why_say(why, ERROR_REFUSED, "magic 0x%08x, wanted 0x%08x", d->magic, BELFRY_MAGIC);
    if (d->abi != BELFRY_ABI)
        return why_say(why, ERROR_REFUSED, "plugin ABI %u, wanted %u: compile it with this version's belfry/plugin.h",
                       d->abi, BELFRY_ABI);
    if (d->size < DESCRIPTOR_MIN || d->size > STRUCT_MAX)
        return why_say(why, ERROR_REFUSED, "descriptor of %u bytes, wanted %zu to %u", d->size, DESCRIPTOR_MIN,
                       STRUCT_MAX);
    if (d->option_size < OPTION_MIN || d->option_size > STRUCT_MAX)
        return why_say(why, ERROR_REFUSED, "option entries of %u bytes, wanted %zu to %u", d->option_size, OPTION_MIN,
                       STRUCT_MAX);
    if (d->metric_size < METRIC_MIN || d->metric_size > STRUCT_MAX)
        return why_say(why, ERROR_REFUSED, "metric entries of %u bytes, wanted %zu to %u", d->metric_size, METRIC_MIN,
                       STRUCT_MAX);
    if (d->view_size != 0 && (d->view_size < VIEW_MIN || d->view_size > STRUCT_MAX))
        return why_say(why, ERROR_REFUSED, "view entries of %u bytes, wanted %zu to %u, or 0 for no views",
                       d->view_size, VIEW_MIN, STRUCT_MAX);
    return 0;
}

/* Puts the path before an explanation. */
static int refuse(struct why *why, int rc, const char *path, const struct why *inner)
{
    return why_say(why, rc, "'%s': %s", path, inner->text);
}

/* Reads the descriptor out of an open file without copying or loading it. */
static int read_descriptor(int fd, struct elf_descriptor *out, struct why *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return why_say(why, -errno, "can't be examined: %s", error_text(-errno));
    if (st.st_size <= 0 || st.st_size > PLUGIN_FILE_MAX)
        return why_say(why, ERROR_REFUSED, "%lld bytes, wanted a shared object", (long long)st.st_size);
    void *image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image == MAP_FAILED)
        return why_say(why, -errno, "can't be mapped: %s", error_text(-errno));
    int rc = elf_descriptor_read(image, (size_t)st.st_size, out, why);
    munmap(image, (size_t)st.st_size);
    return rc;
}

static int open_copy(const char *path, uint64_t *mark, struct why *why)
{
    int file = file_open_trusted(path, false, why);
    if (file < 0)
        return file;
    struct statvfs mount;
    int rc;
    if (fstatvfs(file, &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0)
        rc = why_say(why, ERROR_REFUSED, "'%s' is on a file system mounted noexec, wanted one that allows code", path);
    else
        rc = copy_sealed(file, path, why);
    *mark = plugin_file_mark(file);
    close(file);
    return rc;
}

/* By the process's number and not "self": a debugger opens the same name, and would open a descriptor of its own. */
static void name_copy(int copy, char *name, size_t size)
{
    char self[24] = "";
    if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
        text_copy(self, sizeof(self), "self");
    snprintf(name, size, "/proc/%s/fd/%d", self, copy);
}

static int link_copy(int copy, struct loaded_plugin *out, struct why *inner)
{
    char name[64];
    name_copy(copy, name, sizeof(name));
    out->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (out->handle == NULL) {
        const char *reason = dlerror();
        return why_say(inner, ERROR_REFUSED, "can't be linked: %s", reason ? reason : "no reason given");
    }
    out->plugin = dlsym(out->handle, "belfry_plugin");
    if (out->plugin == NULL)
        return why_say(inner, ERROR_REFUSED, "exports no symbol 'belfry_plugin' (BELFRY_PLUGIN makes it)");
    /* the linker's view, in case the headers told two stories */
    struct elf_descriptor seen = { .magic = out->plugin->magic,
                                   .size = out->plugin->size,
                                   .abi = out->plugin->abi,
                                   .option_size = out->plugin->option_size,
                                   .metric_size = out->plugin->metric_size,
                                   .view_size = out->plugin->view_size };
    return check_descriptor(&seen, inner);
}

int plugin_load(const char *path, struct loaded_plugin *out, struct why *why)
{
    memset(out, 0, sizeof(*out));
    uint64_t mark = 0;
    int copy = open_copy(path, &mark, why);
    if (copy < 0)
        return copy;
    struct why inner = { "" };
    struct elf_descriptor found;
    int rc = read_descriptor(copy, &found, &inner);
    if (rc == 0)
        rc = check_descriptor(&found, &inner);
    if (rc < 0) {
        close(copy);
        return refuse(why, rc, path, &inner);
    }
    rc = link_copy(copy, out, &inner);
    if (rc == 0)
        rc = plugin_info_make(&out->arena, out->plugin, &out->info, &inner);
    if (rc < 0) {
        arena_close(&out->arena);
        return refuse(why, rc, path, &inner);
    }
    report_index_metrics(out);
    out->info.path = arena_text(&out->arena, path);
    out->info.file_mark = mark;
    return 0;
}

/* ---- finding a plugin by name -------------------------------------------------------------------------------- */

struct candidates {
    const char *names[LOCATE_FILES_MAX + 1]; /* NULL-terminated */
    size_t count;
};

static void add_candidate(struct candidates *candidates, struct arena *arena, const char *name, size_t length)
{
    if (candidates->count < LOCATE_FILES_MAX && length > 0)
        candidates->names[candidates->count++] = arena_text_n(arena, name, length);
}

/* The name in a file's descriptor; "" when it has none. Read from a copy: the file may be in the middle of being
 * replaced. */
static void read_name(const char *path, char name[ELF_NAME_SIZE])
{
    name[0] = '\0';
    struct elf_descriptor found;
    uint64_t mark;
    int copy = open_copy(path, &mark, NULL);
    if (copy < 0)
        return;
    if (read_descriptor(copy, &found, NULL) == 0 && found.magic == BELFRY_MAGIC)
        text_copy(name, ELF_NAME_SIZE, found.name);
    close(copy);
}

/* The file of the folder whose descriptor says the name, or NULL; every name seen becomes a candidate. */
static const char *search_folder(const char *folder, const char *name, struct arena *arena, struct candidates *seen)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return NULL;
    const char *found = NULL;
    for (struct dirent *entry; found == NULL && (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length <= 3 || strcmp(entry->d_name + length - 3, ".so") != 0)
            continue;
        const char *path = file_join(arena, folder, entry->d_name);
        char said[ELF_NAME_SIZE];
        read_name(path, said);
        if (strcmp(said, name) == 0)
            found = path;
        add_candidate(seen, arena, said, strlen(said));
    }
    closedir(dir);
    return found;
}

/* The absolute form of a path that may be relative or lead through symlinks. */
static const char *real_path(struct arena *arena, const char *path)
{
    char *real = realpath(path, NULL);
    const char *kept = arena_text(arena, real);
    free(real);
    return kept;
}

/* The first FOLDER/name.so. */
static const char *find_file(const char *const *folders, const char *name, struct arena *arena)
{
    for (const char *const *folder = folders; *folder != NULL && text_is_name(name); folder++) {
        const char *file = file_join(arena, *folder, arena_print(arena, "%s.so", name));
        if (access(file, F_OK) == 0)
            return file;
    }
    return NULL;
}

/* Makes every folder absolute (those that exist), so that the trust rule can follow the path. */
static const char *const *real_folders(struct arena *arena, const char *const *folders)
{
    size_t count = 0, real = 0;
    while (folders[count] != NULL)
        count++;
    const char **out = arena_array(arena, count + 1, sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        const char *path = real_path(arena, folders[i]);
        if (path != NULL)
            out[real++] = path;
    }
    return out;
}

int plugin_locate(const char *const *folders, const char *name, struct arena *arena, const char **path, struct why *why)
{
    if (strchr(name, '/') != NULL) {
        *path = real_path(arena, name);
        return *path ? 0 : why_say(why, ERROR_UNKNOWN_NAME, "plugin file '%s': %s", name, error_text(-errno));
    }
    folders = real_folders(arena, folders);
    *path = find_file(folders, name, arena);
    struct candidates *seen = arena_alloc(arena, sizeof(*seen));
    for (const char *const *folder = folders; *path == NULL && *folder != NULL; folder++)
        *path = search_folder(*folder, name, arena, seen);
    if (*path != NULL)
        return 0;
    if (access(name, F_OK) == 0)
        return why_say(why, ERROR_UNKNOWN_NAME, "no plugin is named '%s': the file of that name here is './%s'", name,
                       name);
    const char *nearest = text_nearest(name, seen->names);
    if (nearest != NULL)
        return why_say(why, ERROR_UNKNOWN_NAME, "no plugin is named '%s': did you mean '%s'", name, nearest);
    return why_say(why, ERROR_UNKNOWN_NAME, "no plugin is named '%s': `belfry plugins` lists them", name);
}
