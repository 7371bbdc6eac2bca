/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request - from the options to libcurl's: bounds, method, headers, credentials, trust, and where to connect.
 *
 * Names are resolved by belfry_resolve() and handed over with CURLOPT_RESOLVE: libcurl's own resolver is a thread that
 * curl_easy_cleanup() waits for, and with it every other run of the process. Only http and https; no redirects (http.c
 * follows them), no proxy, no cookies, no decompression. Credentials, headers and body go to the configured origin
 * only.
 */
#include "plugins/http/work.h"

#include <dirent.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/net.h"
#include "plugins/common/now.h"
#include "plugins/common/say.h"

/* ---- options -------------------------------------------------------------------------------------------------------
 */

static bool is_literal(const char *host)
{
    return host[0] == '[' || strspn(host, "0123456789.") == strlen(host);
}

static const char *url_part(struct belfry_probe *p, const char *url, CURLUPart part)
{
    CURLU *parsed = curl_url();
    char *text = NULL;
    const char *out = NULL;
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(parsed, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
        out = belfry_print(p, "%s", text);
    curl_free(text);
    curl_url_cleanup(parsed);
    return out;
}

const char *http_origin(struct belfry_probe *p, const char *url)
{
    const char *scheme = url_part(p, url, CURLUPART_SCHEME), *host = url_part(p, url, CURLUPART_HOST);
    const char *port = url_part(p, url, CURLUPART_PORT);
    if (!scheme || !host || !port || (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
        return NULL;
    const char *text = belfry_print(p, "%s://%s:%s", scheme, host, port);
    char *origin = say_copy(p, text, strlen(text));
    for (char *c = origin; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    return origin;
}

/* Adds a line to one of libcurl's lists; a failed allocation leaves the list as it was. */
static void append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    *list = longer ? longer : *list;
}

static void set_headers(struct http_work *w)
{
    for (size_t i = 0; i < belfry_count(w->p, "header") && w->t->trusted; i++) {
        const char *name = belfry_key(w->p, "header", i), *value = belfry_item(w->p, "header", i);
        append(&w->headers, belfry_print(w->p, *value ? "%s: %s" : "%s:", name, value));
    }
    curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, w->headers);
}

static void set_credentials(struct http_work *w)
{
    const char *user = belfry_text(w->p, "user"), *password = belfry_text(w->p, "password"),
               *token = belfry_text(w->p, "token");
    if (!w->t->trusted)
        return;
    if (user) {
        curl_easy_setopt(w->easy, CURLOPT_USERNAME, user);
        curl_easy_setopt(w->easy, CURLOPT_PASSWORD, password ? password : "");
    }
    if (token) {
        curl_easy_setopt(w->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(w->easy, CURLOPT_XOAUTH2_BEARER, token);
    }
}

static void set_method(struct http_work *w)
{
    const char *method = belfry_text(w->p, "method"), *body = belfry_text(w->p, "body");
    if (!w->t->trusted) /* what follows a redirect to somebody else is a plain question */
        return;
    if (body) {
        curl_easy_setopt(w->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, body);
    }
    if (method && strcmp(method, "HEAD") == 0)
        curl_easy_setopt(w->easy, CURLOPT_NOBODY, 1L);
    else if (method)
        curl_easy_setopt(w->easy, CURLOPT_CUSTOMREQUEST, method);
}

/* Whether a folder has certificates under the hashes of their subjects ("5ad8a5d6.0"), as OpenSSL looks them up. */
static bool is_hashed(const char *folder)
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

/* Which certificates are trusted. The system's are looked up one by one in their folder where that is possible: to read
 * the whole bundle takes 20 ms, in which no other run of the process gets on. */
static void set_trust(struct http_work *w)
{
    const char *ca_file = belfry_text(w->p, "ca_file");
    if (ca_file) {
        curl_easy_setopt(w->easy, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(w->easy, CURLOPT_CAPATH, NULL);
    } else if (is_hashed(curl_version_info(CURLVERSION_NOW)->capath)) {
        curl_easy_setopt(w->easy, CURLOPT_CAINFO, NULL);
    }
}

static void set_tls(struct http_work *w)
{
    long verify = belfry_flag(w->p, "tls_verify");
    curl_easy_setopt(w->easy, CURLOPT_SSL_VERIFYPEER, verify);
    curl_easy_setopt(w->easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    curl_easy_setopt(w->easy, CURLOPT_CERTINFO, 1L);
    set_trust(w);
}

static void set_bounds(struct http_work *w)
{
    long left = (long)belfry_left_ms(w->p);
    curl_easy_setopt(w->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(w->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(w->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(w->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(w->easy, CURLOPT_CONNECTTIMEOUT_MS, left + 1000); /* the run's deadline comes first */
    curl_easy_setopt(w->easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(w->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(w->easy, CURLOPT_HTTP09_ALLOWED, 0L);
    w->body_most = (size_t)belfry_integer(w->p, "max_bytes");
    w->keep_body = belfry_has(w->p, "expect_body") || belfry_has(w->p, "refuse_body");
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
static const char *look_up(struct http_work *w, const char *host, const char *port, size_t most)
{
    struct belfry_address *found = belfry_alloc(w->p, NET_ADDRESSES_MAX * sizeof *found);
    const char *why = NULL, *list = NULL;
    double begin = now_s();
    int n = belfry_resolve(w->p, host, port, net_family(belfry_text(w->p, "ip_version")), SOCK_STREAM, found,
                           NET_ADDRESSES_MAX, &why);
    w->t->dns_s = now_s() - begin;
    if (n <= 0) {
        w->t->end = HTTP_UNREACHABLE;
        w->t->why = why ? why : belfry_print(w->p, "can't resolve '%s': no address", host);
        return NULL;
    }
    for (size_t i = 0; i < (size_t)n && i < most; i++)
        list = belfry_print(w->p, "%s%s%s", list ? list : "", list ? "," : "", bare_address(w->p, &found[i]));
    return list;
}

/* Tells libcurl where to connect. False when the name has no address: then the end is set. */
static bool set_addresses(struct http_work *w)
{
    const char *host = url_part(w->p, w->t->url, CURLUPART_HOST), *port = url_part(w->p, w->t->url, CURLUPART_PORT);
    const char *other = w->t->trusted ? belfry_text(w->p, "address") : NULL;
    w->target = belfry_print(w->p, "%s:%s", host, port);
    if (!other && is_literal(host))
        return true;
    const char *list = look_up(w, other ? other : host, port, other ? 1 : NET_ADDRESSES_MAX);
    if (!list)
        return false;
    if (other) {
        append(&w->connect_to, belfry_print(w->p, "%s:%s:%s:", host, port, list));
        curl_easy_setopt(w->easy, CURLOPT_CONNECT_TO, w->connect_to);
        w->target = belfry_print(w->p, "%s:%s", list, port);
    } else {
        append(&w->resolve, belfry_print(w->p, "%s:%s:%s", host, port, list));
        curl_easy_setopt(w->easy, CURLOPT_RESOLVE, w->resolve);
        if (!strchr(list, ','))
            w->target = belfry_print(w->p, "%s:%s", list, port);
    }
    return true;
}

bool http_prepare(struct http_work *w)
{
    curl_easy_setopt(w->easy, CURLOPT_URL, w->t->url);
    set_bounds(w);
    set_method(w);
    set_headers(w);
    set_credentials(w);
    set_tls(w);
    return set_addresses(w);
}
