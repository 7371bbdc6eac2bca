/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_secret - "@name" in a secret option is the content of a file: the systemd credential of that name when there
 * is one, else secrets_dir/name. The file is found and its rights are checked when the configuration is read; its
 * content is read only when a task is made for a worker, and forgotten at once. No message ever holds it.
 *
 * A credential is in a folder that systemd made for this process alone (mode 0440 with an ACL), so only its kind and
 * size are looked at; a file in secrets_dir keeps the rule of file_open_trusted(). */
#include "core/config/config_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/text.h"

#define SECRET_BYTES_MAX 65536

/* The credential's descriptor, -ENOENT when systemd gave none of that name, or another negative code. */
static int open_credential(struct arena *arena, const char *name, struct why *why)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    struct stat st;
    if (!folder || folder[0] != '/')
        return -ENOENT;
    const char *path = file_join(arena, folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : why_say(why, -errno, "'%s' can't be opened: %s", path, error_text(-errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return why_say(why, ERROR_REFUSED, "'%s' is not a regular file", path);
}

/* The descriptor of the secret's file, or a negative code. */
static int open_secret(const struct config *config, struct arena *arena, const char *name, struct why *why)
{
    int fd = open_credential(arena, name, why);
    if (fd != -ENOENT)
        return fd;
    const char *path = file_join(arena, config->secrets_dir, name);
    fd = file_open_trusted(path, true, why);
    if (fd == -ENOENT)
        return why_say(why, fd,
                       "'%s' doesn't exist: write the secret into it, chmod 600 it, and chown it to belfryd's user",
                       path);
    if (fd == -EACCES)
        return why_say(why, fd, "'%s' can't be read by user %u: chown it to belfryd's user", path, (unsigned)geteuid());
    return fd;
}

/* Root may check the configuration of a daemon that runs as somebody else, who then owns the secrets. */
static bool is_of_the_daemon(const struct config *config, struct arena *arena, const char *name)
{
    struct stat st;
    return geteuid() == 0 && lstat(file_join(arena, config->secrets_dir, name), &st) == 0 && S_ISREG(st.st_mode) &&
           st.st_uid != 0 && (st.st_mode & 077) == 0;
}

/* The name in "@name", or NULL with *why. */
static const char *name_in(const char *option, const char *value, struct why *why)
{
    if (value[0] != '@')
        why_say(why, ERROR_REFUSED,
                "option '%s' is a secret and is not written here: write it into a file of secrets_dir and say "
                "\"@NAME\", NAME being the file's name",
                option);
    else if (!text_is_name(value + 1))
        why_say(why, ERROR_SYNTAX,
                "option '%s': '%.64s' names no secret: write \"@NAME\" (lower-case letters, digits, "
                "'-', '_', '.')",
                option, value);
    else
        return value + 1;
    return NULL;
}

bool secret_check(struct load *load, const config_setting_t *setting, const char *option, const char *value)
{
    struct why why = { "" };
    const char *name = name_in(option, value, &why);
    if (!name) {
        setting_error(load, setting, "%s", why.text);
        return false;
    }
    if (map_get(&load->secrets, name))
        return true;
    int fd = open_secret(load->config, &load->arena, name, &why);
    if (fd < 0 && !(fd == ERROR_REFUSED && is_of_the_daemon(load->config, &load->arena, name))) {
        setting_error(load, setting, "option '%s': secret %s", option, why.text);
        return false;
    }
    if (fd >= 0)
        close(fd);
    map_put(&load->secrets, arena_text(&load->arena, name), load);
    return true;
}

/* ---- for a worker -------------------------------------------------------------------------------------------- */

static int read_bytes(int fd, char *bytes, size_t size, size_t *length)
{
    *length = 0;
    while (*length < size) {
        ssize_t n = read(fd, bytes + *length, size - *length);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        *length += n > 0 ? (size_t)n : 0;
    }
    return ERROR_LIMIT;
}

static int read_secret(const struct config *config, struct arena *arena, const char *name, const char **out,
                       struct why *why)
{
    struct arena paths = { 0 };
    int fd = open_secret(config, &paths, name, why);
    arena_close(&paths);
    if (fd < 0)
        return fd;
    size_t length;
    char *bytes = arena_alloc(arena, SECRET_BYTES_MAX + 2);
    int error = read_bytes(fd, bytes, SECRET_BYTES_MAX + 2, &length);
    close(fd);
    if (error != 0)
        return why_say(why, error, "secret '%s': %s", name,
                       error == ERROR_LIMIT ? "larger than 64 KiB" : error_text(error));
    if (length > 0 && bytes[length - 1] == '\n')
        length--;
    if (length > SECRET_BYTES_MAX || memchr(bytes, '\0', length))
        return why_say(why, ERROR_REFUSED, "secret '%s' is larger than 64 KiB or holds a NUL byte", name);
    bytes[length] = '\0';
    *out = bytes;
    return 0;
}

int config_secret_read(const struct config *config, struct arena *arena, const char *option, const char *value,
                       const char **out, struct why *why)
{
    const char *name = name_in(option, value, why);
    return name ? read_secret(config, arena, name, out, why) : ERROR_REFUSED;
}

static int resolve_option(const struct config *config, const struct task_option *from, struct arena *arena,
                          struct task_option *out, struct why *why)
{
    out->values = arena_array(arena, from->count + 1, sizeof(*out->values));
    for (uint32_t i = 0; i < from->count; i++) {
        const char *name = name_in(from->name, from->values[i], why);
        int error = name ? read_secret(config, arena, name, &out->values[i], why) : ERROR_REFUSED;
        if (error != 0)
            return error;
    }
    return 0;
}

int config_task_resolve(const struct config *config, const struct check_config *check, const struct plugin_info *info,
                        struct arena *arena, struct task *out, struct why *why)
{
    const struct task *task = &check->task;
    *out = *task;
    out->options = arena_array(arena, task->option_count + 1, sizeof(*out->options));
    for (uint32_t i = 0; i < task->option_count; i++) {
        const struct plugin_option *option = plugin_option_find(info, task->options[i].name);
        out->options[i] = task->options[i];
        if (!option)
            return why_say(why, ERROR_UNKNOWN_NAME, "plugin '%s' has no option '%s'", info->name,
                           task->options[i].name);
        int error = option->secret ? resolve_option(config, &task->options[i], arena, &out->options[i], why) : 0;
        if (error != 0)
            return error;
    }
    return 0;
}
