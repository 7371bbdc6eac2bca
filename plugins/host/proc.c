/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proc - reading the kernel's text files. Their size is unknown before they are read, and one read() must be able to
 * take a whole one for its numbers to belong together. */
#include "plugins/host/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
#define FILE_FIRST 16384

const char *proc_read(struct host_run *run, const char *path)
{
    const char *name = belfry_print(run->p, "%s%s", run->root, path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t room = FILE_FIRST, length = 0;
    char *text = belfry_alloc(run->p, room + 1);
    ssize_t n;
    while ((n = read(fd, text + length, room - length)) > 0) {
        length += (size_t)n;
        if (length < room || room >= FILE_MAX)
            continue;
        char *larger = belfry_alloc(run->p, room * 2 + 1);
        memcpy(larger, text, length);
        text = larger;
        room *= 2;
    }
    close(fd);
    text[length] = '\0';
    return n < 0 ? NULL : text;
}

const char *proc_find(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0)
            return line + length;
    }
    return NULL;
}

bool proc_number(const char *text, const char *key, uint64_t *out)
{
    const char *at = proc_find(text, key);
    if (!at)
        return false;
    at += strspn(at, " \t");
    if (*at < '0' || *at > '9')
        return false;
    errno = 0;
    *out = strtoull(at, NULL, 10);
    return errno == 0;
}
