/* SPDX-License-Identifier: GPL-3.0-or-later */
/* aim - where a transfer connects to, and which certificates it trusts. Names are resolved by belfry_resolve() and
 * handed over with CURLOPT_RESOLVE. */
#include <string.h>
#include <strings.h>

#include "plugins/common/hashed.h"
#include "plugins/common/net.h"
#include "plugins/common/now.h"
#include "plugins/common/say.h"
#include "plugins/common/transfer.h"

static bool is_literal(const char *host)
{
    return host[0] == '[' || strspn(host, "0123456789.") == strlen(host);
}

static CURLU *parse(const char *url)
{
    CURLU *parsed = curl_url();
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
        return parsed;
    curl_url_cleanup(parsed);
    return NULL;
}

static const char *copy_part(struct belfry_probe *p, CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    if (!parsed || curl_url_get(parsed, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return NULL;
    const char *out = say_copy(p, text, strlen(text));
    curl_free(text);
    return out;
}

const char *transfer_url_part(struct belfry_probe *p, const char *url, CURLUPart part)
{
    CURLU *parsed = parse(url);
    const char *out = copy_part(p, parsed, part);
    curl_url_cleanup(parsed);
    return out;
}

struct transfer_origin transfer_split_url(struct belfry_probe *p, const char *url)
{
    CURLU *parsed = parse(url);
    struct transfer_origin out = { copy_part(p, parsed, CURLUPART_SCHEME), copy_part(p, parsed, CURLUPART_HOST),
                                   copy_part(p, parsed, CURLUPART_PORT) };
    curl_url_cleanup(parsed);
    return out;
}

void transfer_append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    *list = longer ? longer : *list;
}

/* ---- trust --------------------------------------------------------------------------------------------------- */

/* The system's certificates are looked up one by one in their folder where that is possible: to read the whole bundle
 * takes 20 ms, in which no other run of the process gets on. Where no TLS is spoken the folder is not looked at. */
void transfer_trust(struct transfer *t, const char *ca_file, bool verify)
{
    if (strncasecmp(t->url, "https:", 6) != 0)
        return;
    curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    curl_easy_setopt(t->easy, CURLOPT_CERTINFO, 1L);
    t->ca_file = ca_file;
    if (ca_file) {
        curl_easy_setopt(t->easy, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL);
    } else if (hashed_is(curl_version_info(CURLVERSION_NOW)->capath)) {
        curl_easy_setopt(t->easy, CURLOPT_CAINFO, NULL);
    }
}

/* ---- names --------------------------------------------------------------------------------------------------- */

/* "127.0.0.1" or "[::1]": an address without its port, as libcurl's lists have it. */
static const char *bare_address(struct belfry_probe *p, const struct belfry_address *address)
{
    char *text = say_copy(p, say_address(p, address), strlen(say_address(p, address)));
    char *colon = strrchr(text, ':');
    if (colon)
        *colon = '\0';
    return text;
}

/* Resolves a name; the addresses as libcurl's list has them, or NULL with the transfer's end and why set. */
static const char *look_up(struct transfer *t, const char *host, int family, size_t most)
{
    struct belfry_address *found = belfry_alloc(t->p, NET_ADDRESSES_MAX * sizeof *found);
    const char *why = NULL, *list = NULL, *port = transfer_url_part(t->p, t->url, CURLUPART_PORT);
    double begin = now_s();
    int n = belfry_resolve(t->p, host, port, family, SOCK_STREAM, found, NET_ADDRESSES_MAX, &why);
    t->dns_s = now_s() - begin;
    if (n <= 0) {
        t->end = WEB_UNREACHABLE;
        t->why = why ? why : belfry_print(t->p, "can't resolve '%s': no address", host);
        return NULL;
    }
    for (size_t i = 0; i < (size_t)n && i < most; i++)
        list = belfry_print(t->p, "%s%s%s", list ? list : "", list ? "," : "", bare_address(t->p, &found[i]));
    return list;
}

bool transfer_aim(struct transfer *t, int family, const char *instead)
{
    struct transfer_origin of = transfer_split_url(t->p, t->url);
    const char *host = of.host, *port = of.port;
    if (!host || !port) {
        t->end = WEB_MISUSED;
        t->why = belfry_print(t->p, "'%.200s' is no web address", t->url);
        return false;
    }
    t->target = belfry_print(t->p, "%s:%s", host, port);
    if (!instead && is_literal(host))
        return true;
    const char *list = look_up(t, instead ? instead : host, family, instead ? 1 : NET_ADDRESSES_MAX);
    if (!list)
        return false;
    if (instead) {
        transfer_append(&t->connect_to, belfry_print(t->p, "%s:%s:%s:", host, port, list));
        curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
    } else {
        /* '+': libcurl may forget it in time, for the multi handle may live long */
        transfer_append(&t->resolve, belfry_print(t->p, "+%s:%s:%s", host, port, list));
        curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->resolve);
    }
    if (!strchr(list, ','))
        t->target = belfry_print(t->p, "%s:%s", list, port);
    return true;
}
