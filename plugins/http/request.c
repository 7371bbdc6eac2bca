/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request - from the options to a transfer: method, headers, credentials, trust, and where to connect. Credentials,
 * headers and body go to the configured origin only. */
#include <string.h>
#include <strings.h>

#include "plugins/common/net.h"
#include "plugins/common/say.h"
#include "plugins/common/transfer.h"
#include "plugins/http/http.h"

const char *http_origin(struct belfry_probe *p, const char *url)
{
    const char *scheme = transfer_url_part(p, url, CURLUPART_SCHEME), *host = transfer_url_part(p, url, CURLUPART_HOST);
    const char *port = transfer_url_part(p, url, CURLUPART_PORT);
    if (!scheme || !host || !port || (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
        return NULL;
    const char *text = belfry_print(p, "%s://%s:%s", scheme, host, port);
    char *origin = say_copy(p, text, strlen(text));
    for (char *c = origin; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    return origin;
}

static void set_headers(struct transfer *t, struct curl_slist **headers)
{
    for (size_t i = 0; i < belfry_count(t->p, "header"); i++) {
        const char *name = belfry_key(t->p, "header", i), *value = belfry_item(t->p, "header", i);
        transfer_append(headers, belfry_print(t->p, *value ? "%s: %s" : "%s:", name, value));
    }
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, *headers);
}

static void set_credentials(struct transfer *t)
{
    const char *user = belfry_text(t->p, "user"), *password = belfry_text(t->p, "password"),
               *token = belfry_text(t->p, "token");
    if (user) {
        curl_easy_setopt(t->easy, CURLOPT_USERNAME, user);
        curl_easy_setopt(t->easy, CURLOPT_PASSWORD, password ? password : "");
    }
    if (token) {
        curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(t->easy, CURLOPT_XOAUTH2_BEARER, token);
    }
}

static void set_method(struct transfer *t)
{
    const char *method = belfry_text(t->p, "method"), *body = belfry_text(t->p, "body");
    if (body) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body);
    }
    if (method && strcmp(method, "HEAD") == 0)
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    else if (method)
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
}

/* trusted: of the configured origin. What follows a redirect to somebody else is a plain question. */
static bool prepare(struct transfer *t, bool trusted, struct curl_slist **headers)
{
    t->body_most = (size_t)belfry_integer(t->p, "max_bytes");
    t->keep_body = belfry_has(t->p, "expect_body") || belfry_has(t->p, "refuse_body");
    curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
    if (trusted) {
        set_method(t);
        set_headers(t, headers);
        set_credentials(t);
    }
    transfer_trust(t, belfry_text(t->p, "ca_file"), belfry_flag(t->p, "tls_verify"));
    return transfer_aim(t, net_family(belfry_text(t->p, "ip_version")), trusted ? belfry_text(t->p, "address") : NULL);
}

void http_perform(struct belfry_probe *p, struct transfer *t, const char *url, bool trusted)
{
<<<<<<< HEAD
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
=======
    struct curl_slist *headers = NULL;
    struct pump *pump = belfry_alloc(p, sizeof *pump);
    if (transfer_open(t, p, url) && prepare(t, trusted, &headers)) {
        if (pump_open(pump, p))
            pump_run(pump, t);
        else
            t->end = WEB_MISUSED, t->why = "libcurl has no memory";
        pump_close(pump);
>>>>>>> 3a1387122cf5bd95795be5cd08f530e09e3baec5
    }
    curl_slist_free_all(headers);
}
