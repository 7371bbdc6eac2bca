/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config - libconfig files → the checked model of core/model/config.h. Every mistake in all files is reported in one
 * pass as `file:line: what is wrong, and what to write instead`; a model is returned only when there was none. Who
 * calls it: the keeper at start and reload, the command line for `config check`. It never changes anything but memory.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "core/config/catalog.h"
#include "core/model/config.h"

/* Bounds of one configuration. */
#define CONFIG_FILES_MAX 1024
#define CONFIG_FILE_BYTES_MAX (8u << 20)
#define CONFIG_INCLUDE_DEPTH_MAX 10
#define CONFIG_NESTING_MAX 32
#define CONFIG_CHECKS_MAX 200000u
#define CONFIG_ERRORS_MAX 100 /* reported; the rest is counted */

struct config_error {
    struct place place; /* line 0: the whole file */
    const char *text;
};

struct config_errors {
    struct arena arena;
    struct config_error items[CONFIG_ERRORS_MAX];
    uint32_t count; /* all, also those beyond the bound */
};

void config_errors_close(struct config_errors *errors);
/* For what only the caller can know. */
void config_errors_add(struct config_errors *errors, struct place place, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));
/* "file:line: text", or "file: text" of a whole file. */
char *config_error_text_line(struct arena *arena, const struct config_error *error);
/* One line an error, sorted by file and line. */
void config_errors_print(const struct config_errors *errors, struct buf *out);

/* Only where things are (state_dir, run_dir, control socket, plugin_dirs, secrets_dir, conf_dir) from the main file;
 * services and checks are empty. Relative paths in the file are relative to the file's folder. *out is there whatever
 * is wrong: a file that is just being edited still says where its daemon is. What was not understood has its default.
 */
int config_load_paths(const char *file, struct config **out, struct config_errors *errors);
/* Everything: main file, conf_dir, includes; options are checked against the catalog. 0, or ERROR_SYNTAX with the
 * errors and *out NULL. */
int config_load(const char *file, const struct catalog *catalog, struct config **out, struct config_errors *errors);
/* The merged model in libconfig syntax (templates, defaults and each unfolded; every value in force; secrets as "***").
 */
void config_show(const struct config *config, const struct catalog *catalog, struct buf *out);
/* The same as JSON. */
void config_show_json(const struct config *config, const struct catalog *catalog, struct buf *out);

/* A task with "@name" of secret options replaced by what the secret holds: $CREDENTIALS_DIRECTORY/name first, then
 * secrets_dir/name (owner root or us, mode & 077 == 0, at most 64 KiB, one trailing newline removed). The
 * caller closes the arena at once. 0 or a negative code with *why; never the secret in it. */
int config_task_resolve(const struct config *config, const struct check_config *check, const struct plugin_info *info,
                        struct arena *arena, struct task *out, struct why *why);

/* The same for one value, "@name", of a setting of that name. */
int config_secret_read(const struct config *config, struct arena *arena, const char *option, const char *value,
                       const char **out, struct why *why);

#endif
