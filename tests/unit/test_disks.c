/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether two devices share a disk, in a /sys made for it: partitions, LVM on them, RAID, encryption on top. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "plugins/backup-restore/backup.h"
#include "tests/tap.h"

static char sys[64];

static const char *at(const char *path)
{
    static char whole[256];
    snprintf(whole, sizeof whole, "%s/%s", sys, path);
    return whole;
}

/* A device at a place below devices/, with its number; partition: of the device above it. */
static void device(const char *place, int number, bool partition)
{
    char path[200], target[200];
    snprintf(path, sizeof path, "devices/%s", place);
    mkdir(at(path), 0700);
    snprintf(path, sizeof path, "devices/%s/%s", place, partition ? "partition" : "slaves");
    mkdir(at(path), 0700);
    snprintf(path, sizeof path, "dev/block/8:%d", number);
    snprintf(target, sizeof target, "../../devices/%s", place);
    tap_ok(symlink(target, at(path)) == 0, "device %s is there", place);
}

static void made_of(const char *upper, const char *lower)
{
    char path[200], target[200];
    const char *name = strrchr(lower, '/');
    snprintf(path, sizeof path, "devices/%s/slaves/%s", upper, name ? name + 1 : lower);
    snprintf(target, sizeof target, "../../%s", lower);
    tap_ok(symlink(target, at(path)) == 0, "%s is made of %s", upper, lower);
}

static bool shared(int a, int b)
{
    return disks_shared(sys, makedev(8, (unsigned)a), makedev(8, (unsigned)b));
}

int main(void)
{
    snprintf(sys, sizeof sys, "/tmp/belfry-disks-%d", (int)getpid());
    mkdir(sys, 0700);
    mkdir(at("dev"), 0700);
    mkdir(at("dev/block"), 0700);
    mkdir(at("devices"), 0700);
    device("sda", 0, false);
    device("sda/sda1", 1, true);
    device("sda/sda2", 2, true);
    device("sdb", 16, false);
    device("sdb/sdb1", 17, true);
    device("dm-0", 100, false); /* two volumes of LVM on sda2, one of them encrypted */
    device("dm-1", 101, false);
    device("dm-2", 102, false);
    device("md0", 110, false);
    made_of("dm-0", "sda/sda2");
    made_of("dm-1", "sda/sda2");
    made_of("dm-2", "dm-1");
    made_of("md0", "sda/sda1");
    made_of("md0", "sdb/sdb1");
    tap_ok(shared(1, 2), "two partitions of a disk share it");
    tap_ok(!shared(1, 17), "those of two disks do not");
    tap_ok(shared(100, 101), "two logical volumes on one disk share it");
    tap_ok(shared(100, 102), "also when one is encrypted");
    tap_ok(shared(102, 1), "with a partition of that disk, too");
    tap_ok(!shared(102, 17), "but not with another disk");
    tap_ok(shared(110, 17) && shared(110, 100), "an array shares each of its disks");
    tap_ok(shared(200, 200), "a device that is not known shares its own");
    tap_ok(!shared(200, 201), "and no other");
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", sys);
    tap_ok(system(command) == 0, "all is gone");
    return tap_done();
}
