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
    struct transfer_origin of = transfer_split_url(p, url);
    if (!of.scheme || !of.host || !of.port ||
        (strcasecmp(of.scheme, "http") != 0 && strcasecmp(of.scheme, "https") != 0))
        return NULL;
    const char *text = belfry_print(p, "%s://%s:%s", of.scheme, of.host, of.port);
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
    transfer_isolate(t);
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
    struct curl_slist *headers = NULL;
    struct pump *pump = belfry_alloc(p, sizeof *pump);
    if (transfer_open(t, p, url) && prepare(t, trusted, &headers)) {
        if (pump_open(pump, p))
            pump_run(pump, t);
        else
            t->end = WEB_MISUSED, t->why = "libcurl has no memory";
        pump_give_back(pump);
    }
    curl_slist_free_all(headers);
}
