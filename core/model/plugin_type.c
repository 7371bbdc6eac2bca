/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin_type - the types of options: one table row each, with the word for the documentation, one sentence how to
 * write it, and the function that says whether a value is of it. */
#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/model/plugin.h"
#include "core/model/range.h"
#include "core/model/task.h"

const char *const plugin_reserved_words[] = {
    "plugin",   "title",    "every",      "timeout", "attempts", "retry_every", "retry",   "breaker",
    "flapping", "severity", "thresholds", "use",     "each",     "enabled",     "depends", "notes",
    "slo",      "parts",    "series",     "name",    "checks",   NULL,
};

#define HOST_BYTES_MAX 253
#define LABEL_BYTES_MAX 63
#define URL_BYTES_MAX 8192

static bool has_control(const char *value)
{
    for (; *value; value++) {
        if ((unsigned char)*value < 0x20 || *value == 0x7F)
            return true;
    }
    return false;
}

static bool is_text(const char *value)
{
    return !has_control(value);
}

static bool is_integer(const char *value)
{
    int64_t integer;
    return text_integer(value, &integer) == 0;
}

static bool is_number(const char *value)
{
    double number;
    return text_number(value, &number) == 0;
}

static bool is_flag(const char *value)
{
    bool flag;
    return text_flag(value, &flag) == 0;
}

static bool is_duration(const char *value)
{
    int64_t ms;
    return text_duration(value, &ms) == 0;
}

static bool is_size(const char *value)
{
    int64_t bytes;
    return text_size(value, &bytes) == 0;
}

static bool is_path(const char *value)
{
    return value[0] == '/' && !has_control(value) && strnlen(value, PATH_MAX) < PATH_MAX;
}

/* One label of a host name: letters, digits, '_' and '-', the last not at its ends. */
static bool is_label(const char *label, size_t n)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return n > 0 && n <= LABEL_BYTES_MAX && strspn(label, allowed) >= n && label[0] != '-' && label[n - 1] != '-';
}

/* Labels separated by dots, one more dot allowed at the end; the last label not of digits alone: such a name would be
 * taken for a number by the resolver. */
static bool is_host_name(const char *value)
{
    if (strnlen(value, HOST_BYTES_MAX + 1) > HOST_BYTES_MAX)
        return false;
    for (;;) {
        size_t n = strcspn(value, ".");
        bool last = value[n] == '\0' || value[n + 1] == '\0';
        if (!is_label(value, n))
            return false;
        if (last)
            return strspn(value, "0123456789") < n;
        value += n + 1;
    }
}

/* An IPv6 address may carry a zone: fe80::1%eth0. */
static bool is_address(const char *value)
{
    unsigned char address[sizeof(struct in6_addr)];
    char plain[INET6_ADDRSTRLEN];
    size_t n = strcspn(value, "%");
    if (inet_pton(AF_INET, value, address) == 1)
        return true;
    if (n >= sizeof plain || (value[n] && !is_label(value + n + 1, strlen(value + n + 1))))
        return false;
    memcpy(plain, value, n);
    plain[n] = '\0';
    return inet_pton(AF_INET6, plain, address) == 1;
}

static bool is_host(const char *value)
{
    return is_address(value) || is_host_name(value);
}

static bool is_port(const char *value)
{
    int64_t port;
    return text_integer(value, &port) == 0 && port >= 1 && port <= 65535;
}

static bool is_url(const char *value)
{
    size_t scheme = strncmp(value, "http://", 7) == 0 ? 7 : strncmp(value, "https://", 8) == 0 ? 8 : 0;
    return scheme && value[scheme] && !strchr("/?#:@", value[scheme]) && !has_control(value) && !strchr(value, ' ') &&
           strnlen(value, URL_BYTES_MAX + 1) <= URL_BYTES_MAX;
}

static bool is_range(const char *value)
{
    struct range range;
    return range_parse(value, &range, NULL) == 0;
}

static const struct type {
    const char *name, *doc;
    bool (*matches)(const char *value);
} types[] = {
    [BELFRY_TEXT] = { "text", "any text without control characters", is_text },
    [BELFRY_INTEGER] = { "integer", "a whole decimal number such as 42", is_integer },
    [BELFRY_NUMBER] = { "number", "a decimal number such as 2.5", is_number },
    [BELFRY_FLAG] = { "flag", "true or false", is_flag },
    [BELFRY_DURATION] = { "duration", "a number with ms, s, m, h, d, w or y such as \"90s\"", is_duration },
    [BELFRY_SIZE] = { "size", "bytes, or a number with kB, MB, GB, KiB, MiB, GiB, ... such as \"64MiB\"", is_size },
    [BELFRY_PATH] = { "path", "an absolute path such as \"/var/log/syslog\"", is_path },
    [BELFRY_HOST] = { "host", "a host name or an IP address such as \"db1.example.net\"", is_host },
    [BELFRY_PORT] = { "port", "a port number from 1 to 65535", is_port },
    [BELFRY_URL] = { "url", "an address that begins with http:// or https://", is_url },
    [BELFRY_RANGE] = { "range", "a Nagios range such as \"10:20\"; what lies outside alerts", is_range },
};

static const struct type *find(int type)
{
    return type >= BELFRY_TEXT && type <= BELFRY_RANGE ? &types[type] : NULL;
}

const char *plugin_type_name(int type)
{
    const struct type *found = find(type);
    return found ? found->name : "unknown";
}

const char *plugin_type_doc(int type)
{
    const struct type *found = find(type);
    return found ? found->doc : "a type that this version does not know";
}

static int refuse_choice(const struct plugin_option *option, const char *shown, struct why *why)
{
    struct buf list = { .max_bytes = 256 };
    for (const char *const *choice = option->choices; *choice; choice++)
        buf_print(&list, "%s%s", choice == option->choices ? "" : ", ", *choice);
    int code = why_say(why, ERROR_SYNTAX, "option '%s': '%s' is not one of its values, write one of %s", option->name,
                       shown, list.data);
    buf_close(&list);
    return code;
}

static bool is_choice(const struct plugin_option *option, const char *value)
{
    const char *const *choice = option->choices;
    while (*choice && strcmp(*choice, value) != 0)
        choice++;
    return *choice || !option->choices[0];
}

int plugin_option_check(const struct plugin_option *option, const char *value, struct why *why)
{
    const struct type *type = find(option->type);
    const char *shown = option->secret ? "***" : value;
    if (!type)
        return why_say(why, ERROR_UNSUPPORTED, "option '%s' has the unknown type %d", option->name, option->type);
    if (strnlen(value, TASK_VALUE_BYTES_MAX + 1) > TASK_VALUE_BYTES_MAX)
        return why_say(why, ERROR_LIMIT, "option '%s' is longer than %d bytes", option->name, TASK_VALUE_BYTES_MAX);
    if (!type->matches(value))
        return why_say(why, ERROR_SYNTAX, "option '%s': '%s' is not a %s, write %s", option->name, shown, type->name,
                       type->doc);
    return is_choice(option, value) ? 0 : refuse_choice(option, shown, why);
}
