/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transfer - one request: what libcurl calls while it is under way, and how it ended, in words that name the phase. */
#include "plugins/common/transfer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

/* ---- what libcurl calls -------------------------------------------------------------------------------------- */

/* Appends bytes to a text that grows by doubling. False when there is no memory. */
static bool append(char **text, size_t *kept, size_t *room, const char *bytes, size_t size)
{
    if (*kept + size + 1 > *room) {
        size_t larger = *room ? *room : 4096;
        while (larger < *kept + size + 1)
            larger *= 2;
        char *grown = realloc(*text, larger);
        if (!grown)
            return false;
        *text = grown;
        *room = larger;
    }
    memcpy(*text + *kept, bytes, size);
    *kept += size;
    (*text)[*kept] = '\0';
    return true;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *user)
{
    struct transfer *t = user;
    size_t size = one * count, room = t->body_most - t->body_size, taken = size < room ? size : room;
    if (t->keep_body && !append(&t->body, &t->body_kept, &t->body_room, bytes, taken)) {
        t->starved = true;
        return 0;
    }
    t->body_size += taken;
    t->cut = taken < size;
    return t->cut ? 0 : size; /* another number than size ends the transfer */
}

/* Headers of an interim answer (100 Continue) are forgotten when the next status line comes. */
static size_t on_header(char *bytes, size_t one, size_t count, void *user)
{
    struct transfer *t = user;
    size_t size = one * count;
    t->headers_ended = size <= 2; /* the empty line */
    t->header_size += size;
    t->header_flood = t->header_size > TRANSFER_HEADER_MAX;
    if (t->keep_headers && size > 5 && memcmp(bytes, "HTTP/", 5) == 0)
        t->headers_kept = 0;
    if (t->keep_headers && !append(&t->headers, &t->headers_kept, &t->headers_room, bytes, size))
        t->starved = true;
    return t->header_flood || t->starved ? 0 : size;
}

/* Called when a connection stands and TLS is done, just before the request: from here on we wait for the answer. */
static int on_request(void *user, char *remote, char *local, int remote_port, int local_port)
{
    struct transfer *t = user;
    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    t->requested = true;
    return CURL_PREREQFUNC_OK;
}

/* Called when TCP stands and the TLS handshake begins. */
static CURLcode on_tls(CURL *easy, void *ssl_context, void *user)
{
    struct transfer *t = user;
    (void)easy;
    (void)ssl_context;
    t->tls_at = now_s();
    return CURLE_OK;
}

static void set_callbacks(struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    curl_easy_setopt(t->easy, CURLOPT_SSL_CTX_DATA, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
}

static void set_bounds(struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
    /* the run's deadline comes first */
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)belfry_left_ms(t->p) + 1000);
    curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(t->easy, CURLOPT_HTTP09_ALLOWED, 0L);
}

bool transfer_open(struct transfer *t, struct belfry_probe *p, const char *url)
{
    *t = (struct transfer){ .p = p,
                            .easy = curl_easy_init(),
                            .url = url,
                            .target = url,
                            .body_most = WEB_BODY_MAX,
                            .cert_days = NAN,
                            .begin = now_s() };
    if (!t->easy) {
        t->end = WEB_MISUSED;
        t->why = "libcurl has no memory";
        return false;
    }
    curl_easy_setopt(t->easy, CURLOPT_URL, url);
    set_callbacks(t);
    set_bounds(t);
    return true;
}

void transfer_isolate(struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(t->easy, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* newer libcurls share sessions in the multi handle */
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(t->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* a CA file that was replaced is read again */
#endif
}

void transfer_close(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->resolve);
    curl_slist_free_all(t->connect_to);
    free(t->body);
    free(t->headers);
    t->easy = NULL;
    t->resolve = t->connect_to = NULL;
    t->body = t->headers = NULL;
}

/* ---- reading the outcome ------------------------------------------------------------------------------------- */

static double time_of(const struct transfer *t, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(t->easy, info, &us);
    return (double)us / 1e6;
}

static void read_times(struct transfer *t)
{
    double named = time_of(t, CURLINFO_NAMELOOKUP_TIME_T), connected = time_of(t, CURLINFO_CONNECT_TIME_T),
           secured = time_of(t, CURLINFO_APPCONNECT_TIME_T), asked = time_of(t, CURLINFO_PRETRANSFER_TIME_T),
           answered = time_of(t, CURLINFO_STARTTRANSFER_TIME_T);
    t->connect_s = fmax(0, connected - named);
    t->tls_s = secured > 0 ? fmax(0, secured - connected) : 0;
    t->first_byte_s = answered > 0 ? fmax(0, answered - asked) : 0;
    t->total_s = time_of(t, CURLINFO_TOTAL_TIME_T) + t->dns_s;
}

/* The days until the first (the host's own) certificate expires. */
static void read_certificate(struct transfer *t)
{
    static const char key[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(t->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain || chain->num_of_certs < 1)
        return;
    for (struct curl_slist *line = chain->certinfo[0]; line; line = line->next)
        if (strncmp(line->data, key, sizeof key - 1) == 0) {
            time_t end = curl_getdate(line->data + sizeof key - 1, NULL);
            if (end != -1)
                t->cert_days = difftime(end, time(NULL)) / 86400;
        }
}

/* Where a transfer was when it timed out or broke. */
enum phase {
    PHASE_CONNECT,
    PHASE_TLS,
    PHASE_FIRST_BYTE,
    PHASE_HEADERS,
    PHASE_BODY
};

static const struct {
    const char *timed_out; /* "timed out after 10 s while ..." */
    const char *broke;     /* "... 127.0.0.1:443: what happened" */
} phases[] = {
    [PHASE_CONNECT] = { "while connecting", "connect to" },
    [PHASE_TLS] = { "in the TLS handshake", "TLS handshake with" },
    [PHASE_FIRST_BYTE] = { "while waiting for the first byte", "waiting for the first byte of" },
    [PHASE_HEADERS] = { "while reading the headers", "reading the headers of" },
    [PHASE_BODY] = { "while reading the body", "reading the body of" },
};

static enum phase find_phase(const struct transfer *t)
{
    if (!t->requested)
        return t->tls_at > 0 ? PHASE_TLS : PHASE_CONNECT;
    if (t->header_size == 0)
        return PHASE_FIRST_BYTE;
    return t->headers_ended ? PHASE_BODY : PHASE_HEADERS;
}

/* libcurl's sentence without its headings: "SSL certificate problem: certificate has expired", and OpenSSL's
 * "OpenSSL/3.0.22: error:0A00010B:SSL routines::wrong version number". */
static const char *plain_error(struct transfer *t, CURLcode code)
{
    static const char *const headings[] = { "SSL certificate problem: ", "SSL: " };
    const char *text = t->error[0] ? t->error : curl_easy_strerror(code), *routine = strstr(text, "routines::");
    if (strstr(text, "SSL_ERROR_SYSCALL"))
        text = "the connection was closed";
    if (routine)
        text = routine + strlen("routines::");
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
        if (strncmp(text, headings[i], strlen(headings[i])) == 0)
            text += strlen(headings[i]);
    return say_excerpt(t->p, text, strlen(text));
}

static void end_as(struct transfer *t, enum web_end end, const char *why)
{
    t->end = end;
    t->why = why;
}

static void explain_connect(struct transfer *t)
{
    long error = 0;
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &error);
    end_as(t, WEB_UNREACHABLE,
           belfry_print(t->p, "connect to %s: %s", t->target,
                        error ? say_error(t->p, (int)error) : plain_error(t, CURLE_COULDNT_CONNECT)));
}

static void explain_timeout(struct transfer *t)
{
    size_t received = t->header_size + t->body_size;
    end_as(t, WEB_UNREACHABLE,
           belfry_print(t->p, "%s: timed out after %s %s%s", t->target, say_seconds(t->p, now_s() - t->begin),
                        phases[find_phase(t)].timed_out,
                        received ? belfry_print(t->p, " (%s received)", say_bytes(t->p, (double)received)) : ""));
}

static void explain(struct transfer *t, CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
        explain_connect(t);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        explain_timeout(t);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
        end_as(t, WEB_DISTRUSTED, belfry_print(t->p, "TLS: %s", plain_error(t, code)));
        return;
    case CURLE_SSL_CACERT_BADFILE:
        end_as(t, WEB_MISUSED,
               t->ca_file
                   ? belfry_print(t->p, "ca_file '%s' can't be read as certificates", t->ca_file)
                   : "this machine has no CA certificates to verify with: install ca-certificates, or set ca_file");
        return;
    case CURLE_SSL_CERTPROBLEM:
        end_as(t, WEB_MISUSED, belfry_print(t->p, "the client certificate can't be used: %s", plain_error(t, code)));
        return;
    case CURLE_URL_MALFORMAT:
        end_as(t, WEB_MISUSED, belfry_print(t->p, "'%.200s' is no web address", t->url));
        return;
    default:
        end_as(t, WEB_UNREACHABLE,
               belfry_print(t->p, "%s %s: %s", phases[find_phase(t)].broke, t->target, plain_error(t, code)));
    }
}

void transfer_conclude(struct transfer *t, CURLcode code)
{
    char *redirect = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &redirect);
    read_times(t);
    read_certificate(t);
    t->redirect = redirect ? belfry_print(t->p, "%s", redirect) : NULL;
    if (t->header_flood)
        end_as(t, WEB_UNREACHABLE, belfry_print(t->p, "%s sends more than 256 KiB of headers", t->target));
    else if (t->starved)
        end_as(t, WEB_MISUSED, "no memory for the answer");
    else if (code == CURLE_OK || (t->cut && code == CURLE_WRITE_ERROR))
        end_as(t, WEB_ANSWERED, NULL);
    else
        explain(t, code);
}
