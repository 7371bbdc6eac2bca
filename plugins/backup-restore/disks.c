/* SPDX-License-Identifier: GPL-3.0-or-later */
/* disks - which disks a device lies on, by /sys/dev/block: of a partition its disk; of LVM, RAID and encryption those
 * of what they are made of ("slaves"). Of a file system that shows no device of its own (tmpfs, overlay, btrfs, ZFS)
 * nothing is known. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "plugins/backup-restore/backup.h"

#define DISKS_MAX 32
#define LAYERS_MAX 8

struct disks {
    char *paths[DISKS_MAX];
    size_t count;
};

static void add(struct disks *disks, const char *path)
{
    if (disks->count < DISKS_MAX && (disks->paths[disks->count] = strdup(path)) != NULL)
        disks->count++;
}

/* What the device at link is made of; layers: how many may still be below it. */
static void find(struct disks *disks, const char *link, int layers)
{
    char device[PATH_MAX], below[PATH_MAX + 300];
    const struct dirent *entry;
    bool made = false;
    if (!realpath(link, device))
        return;
    snprintf(below, sizeof below, "%s/partition", device);
    if (access(below, F_OK) == 0)
        *strrchr(device, '/') = '\0';
    snprintf(below, sizeof below, "%s/slaves", device);
    DIR *dir = layers > 0 ? opendir(below) : NULL;
    while (dir && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%s/slaves/%s", device, entry->d_name);
        find(disks, below, layers - 1);
        made = true;
    }
    if (dir)
        closedir(dir);
    if (!made)
        add(disks, device);
}

static struct disks below(const char *sys, dev_t device)
{
    struct disks disks = { .count = 0 };
    char link[PATH_MAX];
    snprintf(link, sizeof link, "%s/dev/block/%u:%u", sys, major(device), minor(device));
    find(&disks, link, LAYERS_MAX);
    return disks;
}

static void drop(struct disks *disks)
{
    while (disks->count > 0)
        free(disks->paths[--disks->count]);
}

bool disks_shared(const char *sys, dev_t a, dev_t b)
{
    struct disks of_a = below(sys, a), of_b = below(sys, b);
    bool shared = a == b;
    for (size_t i = 0; i < of_a.count; i++)
        for (size_t k = 0; k < of_b.count; k++)
            shared |= strcmp(of_a.paths[i], of_b.paths[k]) == 0;
    drop(&of_a);
    drop(&of_b);
    return shared;
}
