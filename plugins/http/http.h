/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http - what the files of the plugin share: one transfer, and the judging of its answer. */
#ifndef PLUGINS_HTTP_H
#define PLUGINS_HTTP_H

#include "belfry/plugin.h"

#define HTTP_BODY_MAX (4 * 1024 * 1024)
#define HTTP_HEADER_MAX (256 * 1024)

/* How a transfer ended. */
enum http_end {
    HTTP_ANSWERED,    /* a status and a body (perhaps cut) */
    HTTP_UNREACHABLE, /* refused, timed out, no HTTP: why says it */
    HTTP_DISTRUSTED,  /* the certificate is not to be trusted: reached */
    HTTP_MISUSED      /* the request can't be made as it is configured */
};

/* One request and what came back. */
struct http_transfer {
    const char *url;
    bool trusted; /* of the configured origin: credentials and headers may be sent there */
    enum http_end end;
    const char *why;
    long status;
    char *body; /* kept only when somebody wants to search it; NUL-terminated */
    size_t body_size, body_kept, body_room, header_size;
    bool cut;             /* the body is longer than max_bytes */
    const char *redirect; /* absolute URL of the Location header, or NULL */
    double dns_s, connect_s, tls_s, first_byte_s, total_s;
    double cert_days; /* NaN: no certificate seen */
};

/* transfer.c: performs it with libcurl over belfry_wait(). */
void http_perform(struct belfry_probe *p, struct http_transfer *t);
/* The origin "scheme://host:port" of a URL in its canonical form, or NULL. */
const char *http_origin(struct belfry_probe *p, const char *url);

/* verdict.c */
/* True when one of the expect_status patterns names the status. */
bool http_status_expected(struct belfry_probe *p, long status);
/* Checks the patterns themselves: NULL or what is wrong. */
const char *http_status_problem(struct belfry_probe *p);
/* Says the verdict about an answer. */
void http_judge(struct belfry_probe *p, const struct http_transfer *t, int redirects);

#endif
