/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transfer - HTTP requests with libcurl's multi interface, driven by belfry_wait_many(). The http plugin and web.c are
 * built on it.
 *
 * A pump holds the connections and drives any number of transfers at once:
 *
 *     pump_open(&pump, p);
 *     if (transfer_open(&t, p, url)) {           sets what bounds every request
 *         curl_easy_setopt(t.easy, ...);         whatever else the caller wants
 *         transfer_trust(&t, ...); transfer_aim(&t, ...);
 *         pump_run(&pump, &t);                   or pump_add() several and pump_next() until it gives NULL
 *     }
 *     t.end, t.status, t.body, t.why ...
 *     transfer_close(&t);
 *     pump_close(&pump);
 *
 * Bounds: the body is counted and the transfer ends at body_most; headers likewise at TRANSFER_HEADER_MAX (libcurl 7.88
 * bounds neither); nothing is decompressed; only http and https; no redirects, no proxy, no cookies; the deadline is
 * the run's. Names are resolved by belfry_resolve(), because libcurl's own resolver is a thread that
 * curl_easy_cleanup() waits for, and with it every other run of the process.
 */
#ifndef PLUGINS_COMMON_TRANSFER_H
#define PLUGINS_COMMON_TRANSFER_H

#include <curl/curl.h>

#include "belfry/plugin.h"
#include "plugins/common/web.h"

#define TRANSFER_HEADER_MAX (256 * 1024)
#define PUMP_SOCKETS_MAX 64 /* what belfry_wait_many() takes */

/* The connections, and what libcurl waits for. */
struct pump {
    struct belfry_probe *p;
    CURLM *multi;
    struct pollfd sockets[PUMP_SOCKETS_MAX];
    size_t socket_count, under_way;
    double timer_at; /* now_s() when libcurl wants to be called; < 0: not at all */
    int error;       /* -ETIMEDOUT once the deadline has passed */
};

/* One request and what came back. */
struct transfer {
    struct belfry_probe *p;
    CURL *easy;
    const char *url;
    const char *target; /* host and port or the socket, for texts */
    const char *ca_file;
    size_t body_most;
    bool keep_body, keep_headers;
    void *user; /* the caller's */

    enum web_end end;
    const char *why;
    long status;
    char *body, *headers; /* until transfer_close(), NUL-terminated; NULL when not kept or empty */
    size_t body_size, body_kept, header_size;
    bool cut;             /* the body is longer than body_most */
    const char *redirect; /* absolute URL of the Location header, or NULL */
    double dns_s, connect_s, tls_s, first_byte_s, total_s;
    double cert_days; /* NaN: no certificate seen */

    /* at work */
    struct curl_slist *resolve, *connect_to;
    size_t body_room, headers_kept, headers_room;
    bool added, starved, header_flood, requested, headers_ended;
    double begin, tls_at; /* now_s() at the start, and when the TLS handshake began */
    char error[CURL_ERROR_SIZE];
};

/* pump.c. False when libcurl has no memory. */
bool pump_open(struct pump *pump, struct belfry_probe *p);
void pump_close(struct pump *pump);
/* The same when every transfer was one of transfer_isolate(): what was costly to make may serve the next run. */
void pump_give_back(struct pump *pump);
/* Starts a transfer; pump_next() gives it back when it has ended. */
void pump_add(struct pump *pump, struct transfer *t);
/* Works until a transfer has ended and gives it: its end is set. NULL: none is under way, or the deadline has passed
 * (then transfers that were added and not given back ended by that, and pump_run() and pump_abandon() say so). */
struct transfer *pump_next(struct pump *pump);
/* Ends a transfer that pump_next() didn't give back. */
void pump_abandon(struct pump *pump, struct transfer *t);
/* One transfer from its start to its end. */
void pump_run(struct pump *pump, struct transfer *t);

/* transfer.c. False when the transfer has ended before it began: end and why are set. */
bool transfer_open(struct transfer *t, struct belfry_probe *p, const char *url);
/* Nothing that it finds out or opens is left for another transfer. */
void transfer_isolate(struct transfer *t);
void transfer_close(struct transfer *t);
/* Reads the outcome; called by the pump. */
void transfer_conclude(struct transfer *t, CURLcode code);

/* aim.c: which certificates are trusted; ca_file may be NULL. */
void transfer_trust(struct transfer *t, const char *ca_file, bool verify);
/* Finds out where to connect: the URL's host, or `instead` when not NULL. False when there is no address: end and why
 * are set. */
bool transfer_aim(struct transfer *t, int family, const char *instead);
/* A part of a URL, ports by default of the scheme; NULL when it has none. */
const char *transfer_url_part(struct belfry_probe *p, const char *url, CURLUPart part);
/* Scheme, host and port of a URL, each likewise. */
struct transfer_origin {
    const char *scheme, *host, *port;
};
struct transfer_origin transfer_split_url(struct belfry_probe *p, const char *url);
/* Adds a line to one of libcurl's lists; a failed allocation leaves the list as it was. */
void transfer_append(struct curl_slist **list, const char *line);

#endif
