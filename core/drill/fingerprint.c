/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fingerprint - the SHA-256 of a backup that is a folder: of the list of its files with theirs, as these make it, too:
 *
 *     cd FOLDER && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum
 *
 * A process of its own reads them at its leisure while they are restored; what it finds it writes into the outcome. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/drill/format.h"

#define FILES_MAX 200000u
#define DEPTH_MAX 32u

struct listing {
    struct arena arena;
    const char **paths; /* from the folder: "./shop/orders.ibd" */
    size_t count;
    unsigned depth;
    bool bad; /* not all of it could be seen */
};

static void add_path(struct listing *listing, const char *path)
{
    if (listing->count == FILES_MAX)
        listing->bad = true;
    if (listing->bad)
        return;
    if ((listing->count & (listing->count - 1)) == 0) /* 0, 1, 2, 4, 8, ... */
        listing->paths = heap_grow(listing->paths, listing->count ? listing->count * 2 : 1, sizeof listing->paths[0]);
    listing->paths[listing->count++] = path;
}

static void list_folder(struct listing *listing, int top, const char *path)
{
    struct stat st;
    const struct dirent *entry;
    int fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 && listing->depth < DEPTH_MAX ? fdopendir(fd) : NULL;
    if (!dir) {
        listing->bad = true;
        if (fd >= 0)
            close(fd);
        return;
    }
    listing->depth++;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        const char *below = arena_print(&listing->arena, "%s/%s", path, entry->d_name);
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            listing->bad = true;
        else if (S_ISDIR(st.st_mode))
            list_folder(listing, top, below);
        else if (S_ISREG(st.st_mode))
            add_path(listing, below);
    }
    listing->depth--;
    closedir(dir);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool add_file(struct digest *digest, int top, const char *path)
{
    unsigned char bytes[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    int fd = openat(top, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && digest_file(fd, 0, bytes) == 0;
    if (fd >= 0)
        close(fd);
    if (!good)
        return false;
    digest_more(digest, digest_hex(bytes, hex), DIGEST_HEX_SIZE - 1);
    digest_more(digest, "  ", 2);
    digest_more(digest, path, strlen(path));
    digest_more(digest, "\n", 1);
    return true;
}

static void take(struct run *run)
{
    struct listing listing = { 0 };
    unsigned char bytes[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    struct digest *digest = digest_begin();
    list_folder(&listing, run->source.fd, ".");
    if (listing.count > 1)
        qsort(listing.paths, listing.count, sizeof listing.paths[0], compare);
    for (size_t i = 0; i < listing.count && !listing.bad; i++)
        listing.bad = !add_file(digest, run->source.fd, listing.paths[i]);
    digest_end(&digest, bytes);
    if (!listing.bad && listing.count > 0)
        text_copy(run->outcome->sha256, sizeof run->outcome->sha256, digest_hex(bytes, hex));
    free(listing.paths);
    arena_close(&listing.arena);
}

void fingerprint_begin(struct run *run)
{
    if (!run->source.folder || run->source.fd < 0 || run->kind->look)
        return;
    run->fingerprint = fork();
    if (run->fingerprint != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)!nice(19);
    take(run);
    _exit(0);
}

void fingerprint_end(struct run *run, bool wait)
{
    if (run->fingerprint <= 0)
        return;
    if (!wait)
        kill(run->fingerprint, SIGKILL);
    while (waitpid(run->fingerprint, NULL, 0) < 0 && errno == EINTR)
        ;
    run->fingerprint = 0;
}
