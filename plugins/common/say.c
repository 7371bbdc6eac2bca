/* SPDX-License-Identifier: GPL-3.0-or-later */
/* say - the words that plugins' texts are made of. No locale is ever set in a plugin's process, so strerror() and
 * printf speak English with a decimal point. */
#include "plugins/common/say.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

const char *say_error(struct belfry_probe *p, int error)
{
    const char *text = strerror(abs(error));
    /* "Connection refused", but "RPC failed" keeps its capitals */
    if (isupper((unsigned char)text[0]) && !isupper((unsigned char)text[1]))
        return belfry_print(p, "%c%s", tolower((unsigned char)text[0]), text + 1);
    return belfry_print(p, "%s", text);
}

const char *say_bytes(struct belfry_probe *p, double bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    return belfry_print(p, unit > 0 && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

const char *say_seconds(struct belfry_probe *p, double seconds)
{
    if (seconds < 0.001)
        return belfry_print(p, "%.2g ms", seconds * 1000);
    if (seconds < 1)
        return belfry_print(p, "%.0f ms", seconds * 1000);
    return belfry_print(p, "%.3g s", seconds);
}

const char *say_address(struct belfry_probe *p, const struct belfry_address *address)
{
    char text[INET6_ADDRSTRLEN];
    const void *raw = &address->address;
    const struct sockaddr_in *v4 = raw;
    const struct sockaddr_in6 *v6 = raw;
    const struct sockaddr_un *local = raw;
    if (address->family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text))
        return belfry_print(p, "%s:%d", text, ntohs(v4->sin_port));
    if (address->family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text))
        return belfry_print(p, "[%s]:%d", text, ntohs(v6->sin6_port));
    if (address->family == AF_UNIX)
        return belfry_print(p, "%.*s", (int)sizeof local->sun_path, local->sun_path);
    return "?";
}

const char *say_excerpt(struct belfry_probe *p, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    size_t end = 0;
    while (end < length && end < SAY_EXCERPT_MAX && from[end] != '\n' && from[end] != '\r')
        end++;
    bool cut = end == SAY_EXCERPT_MAX && end < length;
    char *out = belfry_alloc(p, end + 4);
    for (size_t i = 0; i < end; i++)
        out[i] = from[i] < 0x20 || from[i] == 0x7f ? '?' : (char)from[i];
    while (cut && end > 0 && (from[end] & 0xC0) == 0x80) /* not in the middle of a UTF-8 sequence */
        end--;
    memcpy(out + end, cut ? "..." : "", cut ? 4 : 1);
    return out;
}

char *say_copy(struct belfry_probe *p, const void *bytes, size_t length)
{
    char *out = belfry_alloc(p, length + 1);
    if (length > 0)
        memcpy(out, bytes, length);
    return out;
}
