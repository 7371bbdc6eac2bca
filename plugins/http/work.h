/* SPDX-License-Identifier: GPL-3.0-or-later */
/* work - one transfer while it is under way: what transfer.c (driving it) and request.c (making it) share. */
#ifndef PLUGINS_HTTP_WORK_H
#define PLUGINS_HTTP_WORK_H

#include <curl/curl.h>

#include "plugins/http/http.h"

#define SOCKETS_MAX 32

/* A transfer at work. */
struct http_work {
    struct belfry_probe *p;
    struct http_transfer *t;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers, *resolve, *connect_to;
    struct pollfd sockets[SOCKETS_MAX];
    size_t socket_count;
    double timer_at; /* now_s() when libcurl wants to be called; < 0: not at all */
    size_t body_most;
    bool keep_body, header_flood, requested, headers_ended;
    double begin, tls_at; /* now_s() at the start, and when the TLS handshake began */
    const char *target;   /* host and port, for texts */
    char error[CURL_ERROR_SIZE];
};

/* request.c: sets everything that the options say, and where to connect. False when the name has no address: then the
 * transfer's end is set. */
bool http_prepare(struct http_work *w);

#endif
