/* SPDX-License-Identifier: GPL-3.0-or-later */
/* describe - what plugin files say of themselves, as frames on FRAMES_FD: WIRE_CATALOG or WIRE_REJECTED, one a file. */
#ifndef WORKER_DESCRIBE_H
#define WORKER_DESCRIBE_H

/* Loads one file into this process and describes it. The exit status. */
int describe_file(const char *path);
/* Describes every *.so of the folders, each in a process of its own. The exit status. */
int describe_folders(const char *const *folders);

#endif
