/* SPDX-License-Identifier: GPL-3.0-or-later */
/* web - an HTTP client for plugins that talk to an API: libcurl's multi interface driven by belfry_wait_many(), one
 * connection kept for all requests of a run. Bounded in bytes, redirects and time (the run's deadline); nothing is
 * decompressed; redirects are not followed but reported (an API that redirects to a login page is an answer of its
 * own). What went wrong is said in words that name the phase. */
#ifndef PLUGINS_COMMON_WEB_H
#define PLUGINS_COMMON_WEB_H

#include "belfry/plugin.h"

#define WEB_HEADERS_MAX 16
#define WEB_BODY_MAX (4 * 1024 * 1024)

struct web_setup {
    const char *base;   /* "https://panel.example.net", "http://docker/v1.41"; paths are appended */
    const char *socket; /* a Unix socket to speak over, or NULL */
    const char *bearer; /* "Authorization: Bearer ...", or NULL; never in any text */
    const char *ca_file, *client_cert, *client_key; /* or NULL */
    bool insecure;                                  /* the certificate is not verified */
    const char *headers[WEB_HEADERS_MAX + 1];       /* "Name: value", NULL-terminated */
    /* The bearer may go over http:// to another host than this one: what an option of this name says. Else web_ask()
     * refuses to send it: everybody in between could read it. */
    bool plain_http;
};

struct web_client;

/* Never fails; what is wrong with the setup is said by the first web_ask(). Everything is freed by web_close(). */
struct web_client *web_open(struct belfry_probe *p, const struct web_setup *setup);
void web_close(struct web_client **client);

enum web_end {
    WEB_ANSWERED,    /* a status and a body (perhaps cut) */
    WEB_UNREACHABLE, /* refused, timed out, no HTTP, 5xx is not this: why says it */
    WEB_DISTRUSTED,  /* the certificate is not to be trusted: reached */
    WEB_MISUSED      /* the request can't be made as it is configured */
};

/* Lives until run() returns, also after web_close(). */
struct web_answer {
    enum web_end end;
    const char *why;  /* unless answered: "connect to 127.0.0.1:81: connection refused" */
    const char *what; /* "GET /api/application/nodes", for texts; without query and secrets */
    long status;
    char *body; /* NUL-terminated, never NULL */
    size_t body_size;
    bool cut;                            /* longer than WEB_BODY_MAX */
    const char *content_type, *location; /* "" when absent */
    /* of Retry-After (seconds or a date), X-RateLimit-* and RateLimit: -1 when absent */
    double retry_after_s, rate_limit, rate_remaining, rate_reset_s;
    double total_s, first_byte_s, cert_days; /* cert_days NaN: no certificate seen */
};

/* One request: method "GET", "POST", ...; path with query; body NULL or JSON text. */
const struct web_answer *web_ask(struct web_client *client, const char *method, const char *path, const char *body);
/* GETs count paths, at_once of them at a time over as many connections, and calls visit with each answer in the order
 * they come. The body of an answer lives until its visit returns (the rest of it as always). At the deadline all that
 * are left are visited as unreachable. visit may not ask anything itself. */
void web_ask_all(struct web_client *client, const char *const *paths, size_t count, size_t at_once,
                 void (*visit)(void *context, size_t i, const struct web_answer *answer), void *context);
/* The value of a response header of the last answer, case-insensitive, or NULL. */
const char *web_header(const struct web_client *client, const char *name);

/* Says the verdict for an answer that a plugin can't go on with, and returns true; false when the status is 2xx and not
 * cut. Unreachable: not reached; 5xx: not reached; 401 and 403: CRITICAL reached, with `credential` ("the token in
 * option 'token'") and what right is missing; 404: CRITICAL; 429: UNKNOWN with the time to wait; 3xx: UNKNOWN, names
 * the target (a login page?); cut: UNKNOWN. subject: "the panel". */
bool web_refused(struct belfry_probe *p, const struct web_answer *answer, const char *subject, const char *credential);

/* What an answer says in its own words: the message in a JSON error, the title of an HTML page; NULL when nothing. */
const char *web_message(struct belfry_probe *p, const struct web_answer *answer);

/* Text for a query: percent-encoded. */
const char *web_escape(struct belfry_probe *p, const char *text);

#endif
