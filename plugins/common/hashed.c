/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugins/common/hashed.h"

#include <dirent.h>
#include <string.h>

bool hashed_is(const char *folder)
{
    DIR *dir = folder ? opendir(folder) : NULL;
    struct dirent *entry;
    bool found = false;
    while (dir && !found && (entry = readdir(dir)))
        found = strspn(entry->d_name, "0123456789abcdef") == 8 && strcmp(entry->d_name + 8, ".0") == 0;
    if (dir)
        closedir(dir);
    return found;
}
