/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pluginman - writes the manual page of a plugin, made from the plugin's own tables. Runs while the package is built,
 * on what was just compiled: that is why it opens the file without asking who may write to it. Never installed. */
#include <dlfcn.h>
#include <stdio.h>

#include "core/cli/describe.h"

int main(int argc, char **argv)
{
    struct arena arena = { 0 };
    struct buf out = { 0 };
    struct plugin_info info;
    struct why why = { "" };
    void *handle = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    const struct belfry_plugin *plugin = handle ? dlsym(handle, "belfry_plugin") : NULL;
    if (plugin == NULL) {
        fprintf(stderr, "pluginman: %s\n", argc == 2 ? dlerror() : "usage: pluginman FILE.so");
        return 1;
    }
    if (plugin_info_make(&arena, plugin, &info, &why) != 0) {
        fprintf(stderr, "pluginman: %s: %s\n", argv[1], why.text);
        return 1;
    }
    describe_manual(&info, &out);
    fwrite(out.data, 1, out.length, stdout);
    buf_close(&out);
    arena_close(&arena);
    return fclose(stdout) == 0 ? 0 : 1;
}
