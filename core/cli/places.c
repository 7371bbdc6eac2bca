/* SPDX-License-Identifier: GPL-3.0-or-later */
/* places - where this machine's Belfry keeps its things. */
#include "core/cli/places.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/config/config.h"

#define CONFIG_FILE SYSCONFDIR "/belfry/belfry.conf"
#define STATE_DIR LOCALSTATEDIR "/lib/belfry"
#define SOCKET_PATH RUNSTATEDIR "/belfry/control.sock"
#define SECRETS_DIR SYSCONFDIR "/belfry/secrets"

const char *places_absolute(struct cli *cli, const char *path)
{
    char folder[PATH_MAX];
    if (path[0] == '/' || getcwd(folder, sizeof folder) == NULL)
        return path;
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    return file_join(&cli->arena, folder, path);
}

/* The configured folders, and before them those of the build tree. */
static const char *const *plugin_folders(struct cli *cli, const char *const *configured)
{
    static const char *const installed[] = { PLUGINDIR, NULL };
    size_t n = 0, count = 0;
    if (configured == NULL || configured[0] == NULL)
        configured = installed;
    while (configured[count])
        count++;
    const char **folders = arena_array(&cli->arena, count + 2, sizeof *folders);
    const char *built = file_join(&cli->arena, file_program_folder(), "plugins/.libs");
    if (access(built, R_OK | X_OK) == 0)
        folders[n++] = built;
    for (size_t i = 0; i < count; i++)
        if (n == 0 || strcmp(folders[0], configured[i]) != 0)
            folders[n++] = configured[i];
    return folders;
}

static void take(struct cli *cli, struct places *out, const struct config *config)
{
    const char *state = config ? arena_text(&cli->arena, config->state_dir) : STATE_DIR;
    out->socket = config ? arena_text(&cli->arena, config->control_socket) : SOCKET_PATH;
    out->secrets = config ? arena_text(&cli->arena, config->secrets_dir) : SECRETS_DIR;
    out->journal = file_join(&cli->arena, state, "journal");
    out->key = file_join(&cli->arena, state, "journal.key");
    out->rrd = file_join(&cli->arena, state, "rrd");
    size_t count = 0;
    while (config && config->plugin_dirs && config->plugin_dirs[count])
        count++;
    const char **copy = arena_array(&cli->arena, count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_text(&cli->arena, config->plugin_dirs[i]);
    out->plugin_dirs = plugin_folders(cli, copy);
}

int places_find(struct cli *cli, struct places *out, struct why *why)
{
    struct config *config = NULL;
    struct config_errors errors = { 0 };
    const char *given = cli->globals.config_file;
    *out = (struct places){ .config_file = given ? places_absolute(cli, given) : CONFIG_FILE };
    out->configured = access(out->config_file, R_OK) == 0;
    if (!out->configured && (given || errno != ENOENT))
        return why_say(why, -errno, "can't read '%s': %s", out->config_file, error_text(-errno));
    if (out->configured && config_load_paths(out->config_file, &config, &errors) != 0)
        out->mistake = config_error_text_line(&cli->arena, &errors.items[0]);
    take(cli, out, config);
    if (cli->globals.socket)
        out->socket = cli->globals.socket;
    config_close(&config);
    config_errors_close(&errors);
    return 0;
}
