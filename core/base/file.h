/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file - reading whole files, replacing them atomically, and the ownership rule for what we execute or trust. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/error.h"

/* Reads a regular file of at most max_bytes into the arena, NUL terminated. */
int file_read(struct arena *arena, const char *path, size_t max_bytes, char **out, size_t *length);
/* Writes path by way of a temporary file in the same folder: write, fdatasync, rename, fsync of the folder. mode as in
 * open(). */
int file_replace(const char *path, const void *bytes, size_t n, unsigned mode);
/* The same without fdatasync and fsync, for what can be made again: after a power cut it may be empty or the old one.
 */
int file_swap(const char *path, const void *bytes, size_t n, unsigned mode);
int file_sync_folder(const char *folder);
/* Makes the folder and its missing parents (mode for all of them). */
int file_make_folders(const char *folder, unsigned mode);

/* Opens a file (O_RDONLY) whose every path component is trusted: owner root or the caller's effective user, not
 * writable by group or others (a root-owned sticky folder such as /tmp may stand in between), no symlink; the file
 * itself regular and likewise owned. secret: the file may not be readable by group or others either. Returns the
 * descriptor, or a negative code with what was found and what was wanted in *why. path must be absolute. */
int file_open_trusted(const char *path, bool secret, struct why *why);
/* The same rule for a folder (0 or a negative code). */
int file_check_trusted_folder(const char *path, struct why *why);

/* Joins with one '/'; in the arena. */
char *file_join(struct arena *arena, const char *folder, const char *name);
/* The folder of the running program; static storage after the first call. */
const char *file_program_folder(void);

#endif
