/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transfer - one request with libcurl's multi interface, driven by belfry_wait_many().
 *
 * libcurl tells its sockets and its timer by callbacks; serve() waits for them and calls curl_multi_socket_action().
 *
 * Bounds: the body is counted in on_body() and the transfer ends at max_bytes; headers likewise at HTTP_HEADER_MAX
 * (libcurl 7.88 bounds neither); nothing is decompressed; only http and https; no proxy and no cookies; the deadline is
 * the run's.
 */
#include "plugins/http/work.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define FAR_MS (24 * 3600 * 1000)

/* ---- what libcurl calls -------------------------------------------------------------------------------------- */

static void forget_socket(struct http_work *w, curl_socket_t fd)
{
    for (size_t i = 0; i < w->socket_count; i++)
        if (w->sockets[i].fd == fd) {
            w->sockets[i] = w->sockets[--w->socket_count];
            return;
        }
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct http_work *w = user;
    (void)easy;
    (void)socket_user;
    forget_socket(w, fd);
    if (what == CURL_POLL_REMOVE || w->socket_count == SOCKETS_MAX)
        return 0;
    short events = (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
    w->sockets[w->socket_count++] = (struct pollfd){ fd, events, 0 };
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct http_work *w = user;
    (void)multi;
    w->timer_at = timeout_ms < 0 ? -1 : now_s() + (double)timeout_ms / 1000;
    return 0;
}

/* Room for more of the body: doubled, so that all buffers together are at most twice the last. */
static void keep(struct http_work *w, const char *bytes, size_t size)
{
    struct http_transfer *t = w->t;
    if (t->body_kept + size + 1 > t->body_room) {
        size_t room = t->body_room ? t->body_room : 16384;
        while (room < t->body_kept + size + 1)
            room *= 2;
        char *larger = belfry_alloc(w->p, room);
        if (t->body_kept > 0)
            memcpy(larger, t->body, t->body_kept);
        t->body = larger;
        t->body_room = room;
    }
    memcpy(t->body + t->body_kept, bytes, size);
    t->body_kept += size;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *user)
{
    struct http_work *w = user;
    size_t size = one * count, room = w->body_most - w->t->body_size, taken = size < room ? size : room;
    if (w->keep_body)
        keep(w, bytes, taken);
    w->t->body_size += taken;
    w->t->cut = taken < size;
    return w->t->cut ? 0 : size; /* another number than size ends the transfer */
}

static size_t on_header(char *bytes, size_t one, size_t count, void *user)
{
    struct http_work *w = user;
    (void)bytes;
    w->headers_ended = one * count <= 2; /* the empty line */
    w->t->header_size += one * count;
    w->header_flood = w->t->header_size > HTTP_HEADER_MAX;
    return w->header_flood ? 0 : one * count;
}

/* Called when a connection stands and TLS is done, just before the request: from here on we wait for the answer. */
static int on_request(void *user, char *remote, char *local, int remote_port, int local_port)
{
    struct http_work *w = user;
    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    w->requested = true;
    return CURL_PREREQFUNC_OK;
}

/* Called when TCP stands and the TLS handshake begins. */
static CURLcode on_tls(CURL *easy, void *ssl_context, void *user)
{
    struct http_work *w = user;
    (void)easy;
    (void)ssl_context;
    w->tls_at = now_s();
    return CURLE_OK;
}

static void set_callbacks(struct http_work *w)
{
    curl_easy_setopt(w->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(w->easy, CURLOPT_WRITEDATA, w);
    curl_easy_setopt(w->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(w->easy, CURLOPT_HEADERDATA, w);
    curl_easy_setopt(w->easy, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(w->easy, CURLOPT_PREREQDATA, w);
    curl_easy_setopt(w->easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    curl_easy_setopt(w->easy, CURLOPT_SSL_CTX_DATA, w);
    curl_easy_setopt(w->easy, CURLOPT_ERRORBUFFER, w->error);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
}

/* ---- driving it ---------------------------------------------------------------------------------------------- */

static int64_t pause_ms(const struct http_work *w)
{
    if (w->timer_at < 0)
        return -1;
    double pause = ceil((w->timer_at - now_s()) * 1000);
    return pause < 0 ? 0 : pause > FAR_MS ? FAR_MS : (int64_t)pause;
}

/* Waits once and lets libcurl work. A negative code ends the transfer. */
static int serve(struct http_work *w, int *running)
{
    struct pollfd polls[SOCKETS_MAX];
    size_t count = w->socket_count;
    memcpy(polls, w->sockets, count * sizeof polls[0]);
    int ready = belfry_wait_many(w->p, polls, count, pause_ms(w));
    if (ready < 0)
        return ready;
    for (size_t i = 0; i < count && ready > 0; i++) {
        int events = (polls[i].revents & POLLIN ? CURL_CSELECT_IN : 0) |
                     (polls[i].revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
                     (polls[i].revents & (POLLERR | POLLHUP | POLLNVAL) ? CURL_CSELECT_ERR : 0);
        if (events)
            curl_multi_socket_action(w->multi, polls[i].fd, events, running);
    }
    if (w->timer_at >= 0 && now_s() >= w->timer_at) {
        w->timer_at = -1;
        curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, running);
    }
    return 0;
}

/* Runs the transfer: what libcurl says of it, or CURLE_OPERATION_TIMEDOUT at the deadline. */
static CURLcode drive(struct http_work *w)
{
    int running = 1, error = 0, left;
    curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    while (running > 0 && error == 0)
        error = serve(w, &running);
    CURLMsg *message = curl_multi_info_read(w->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        return message->data.result;
    return error == -ETIMEDOUT ? CURLE_OPERATION_TIMEDOUT : CURLE_ABORTED_BY_CALLBACK;
}

/* ---- reading the outcome ------------------------------------------------------------------------------------- */

static double time_of(const struct http_work *w, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(w->easy, info, &us);
    return (double)us / 1e6;
}

static void read_times(struct http_work *w)
{
    double named = time_of(w, CURLINFO_NAMELOOKUP_TIME_T), connected = time_of(w, CURLINFO_CONNECT_TIME_T),
           secured = time_of(w, CURLINFO_APPCONNECT_TIME_T), asked = time_of(w, CURLINFO_PRETRANSFER_TIME_T),
           answered = time_of(w, CURLINFO_STARTTRANSFER_TIME_T);
    w->t->connect_s = fmax(0, connected - named);
    w->t->tls_s = secured > 0 ? fmax(0, secured - connected) : 0;
    w->t->first_byte_s = answered > 0 ? fmax(0, answered - asked) : 0;
    w->t->total_s = time_of(w, CURLINFO_TOTAL_TIME_T) + w->t->dns_s;
}

/* The days until the first (the host's own) certificate expires. */
static void read_certificate(struct http_work *w)
{
    static const char key[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(w->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain || chain->num_of_certs < 1)
        return;
    for (struct curl_slist *line = chain->certinfo[0]; line; line = line->next)
        if (strncmp(line->data, key, sizeof key - 1) == 0) {
            time_t end = curl_getdate(line->data + sizeof key - 1, NULL);
            if (end != -1)
                w->t->cert_days = difftime(end, time(NULL)) / 86400;
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

static enum phase find_phase(const struct http_work *w)
{
    if (!w->requested)
        return w->tls_at > 0 ? PHASE_TLS : PHASE_CONNECT;
    if (w->t->header_size == 0)
        return PHASE_FIRST_BYTE;
    return w->headers_ended ? PHASE_BODY : PHASE_HEADERS;
}

/* libcurl's sentence without its headings: "SSL certificate problem: certificate has expired", and OpenSSL's
 * "OpenSSL/3.0.22: error:0A00010B:SSL routines::wrong version number". */
static const char *plain_error(struct http_work *w, CURLcode code)
{
    static const char *const headings[] = { "SSL certificate problem: ", "SSL: " };
    const char *text = w->error[0] ? w->error : curl_easy_strerror(code), *routine = strstr(text, "routines::");
    if (strstr(text, "SSL_ERROR_SYSCALL"))
        text = "the connection was closed";
    if (routine)
        text = routine + strlen("routines::");
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
        if (strncmp(text, headings[i], strlen(headings[i])) == 0)
            text += strlen(headings[i]);
    return say_excerpt(w->p, text, strlen(text));
}

static void end_as(struct http_work *w, enum http_end end, const char *why)
{
    w->t->end = end;
    w->t->why = why;
}

static void explain_connect(struct http_work *w)
{
    long error = 0;
    curl_easy_getinfo(w->easy, CURLINFO_OS_ERRNO, &error);
    end_as(w, HTTP_UNREACHABLE,
           belfry_print(w->p, "connect to %s: %s", w->target,
                        error ? say_error(w->p, (int)error) : plain_error(w, CURLE_COULDNT_CONNECT)));
}

static void explain_timeout(struct http_work *w)
{
    size_t received = w->t->header_size + w->t->body_size;
    end_as(w, HTTP_UNREACHABLE,
           belfry_print(w->p, "%s: timed out after %s %s%s", w->target, say_seconds(w->p, now_s() - w->begin),
                        phases[find_phase(w)].timed_out,
                        received ? belfry_print(w->p, " (%s received)", say_bytes(w->p, (double)received)) : ""));
}

static void explain(struct http_work *w, CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
        explain_connect(w);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        explain_timeout(w);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
        end_as(w, HTTP_DISTRUSTED, belfry_print(w->p, "TLS: %s", plain_error(w, code)));
        return;
    case CURLE_SSL_CACERT_BADFILE:
        end_as(w, HTTP_MISUSED,
               belfry_has(w->p, "ca_file")
                   ? belfry_print(w->p, "ca_file '%s' can't be read as certificates", belfry_text(w->p, "ca_file"))
                   : "this machine has no CA certificates to verify with: install ca-certificates, or set ca_file");
        return;
    case CURLE_URL_MALFORMAT:
        end_as(w, HTTP_MISUSED, belfry_print(w->p, "'%.200s' is no web address", w->t->url));
        return;
    default:
        end_as(w, HTTP_UNREACHABLE,
               belfry_print(w->p, "%s %s: %s", phases[find_phase(w)].broke, w->target, plain_error(w, code)));
    }
}

static void conclude(struct http_work *w, CURLcode code)
{
    char *redirect = NULL;
    curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &w->t->status);
    curl_easy_getinfo(w->easy, CURLINFO_REDIRECT_URL, &redirect);
    read_times(w);
    read_certificate(w);
    if (w->t->body)
        w->t->body[w->t->body_kept] = '\0';
    w->t->redirect = redirect ? belfry_print(w->p, "%s", redirect) : NULL;
    if (w->header_flood)
        end_as(w, HTTP_UNREACHABLE, belfry_print(w->p, "%s sends more than 256 KiB of headers", w->target));
    else if (code == CURLE_OK || (w->t->cut && code == CURLE_WRITE_ERROR))
        end_as(w, HTTP_ANSWERED, NULL);
    else
        explain(w, code);
}

static void transfer(struct http_work *w)
{
    set_callbacks(w);
    if (!http_prepare(w))
        return;
    if (curl_multi_add_handle(w->multi, w->easy) != CURLM_OK) {
        end_as(w, HTTP_MISUSED, "libcurl refuses the request");
        return;
    }
    conclude(w, drive(w));
    curl_multi_remove_handle(w->multi, w->easy);
}

void http_perform(struct belfry_probe *p, struct http_transfer *t)
{
    struct http_work *w = belfry_alloc(p, sizeof *w);
    *w = (struct http_work){
        .p = p, .t = t, .multi = curl_multi_init(), .easy = curl_easy_init(), .timer_at = -1, .begin = now_s()
    };
    if (w->multi && w->easy)
        transfer(w);
    else
        end_as(w, HTTP_MISUSED, "libcurl has no memory");
    curl_easy_cleanup(w->easy);
    if (w->multi)
        curl_multi_cleanup(w->multi);
    curl_slist_free_all(w->headers);
    curl_slist_free_all(w->resolve);
    curl_slist_free_all(w->connect_to);
}
