/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transfer - one request with libcurl's multi interface, driven by belfry_wait_many().
 *
 * libcurl tells its sockets and its timer by callbacks; serve() waits for them and calls curl_multi_socket_action().
 * Names are resolved by belfry_resolve() and handed over with CURLOPT_RESOLVE: libcurl's own resolver is a thread that
 * curl_easy_cleanup() waits for, and with it every other run of the process.
 *
 * Bounds: the body is counted in on_body() and the transfer ends at max_bytes; headers likewise at HTTP_HEADER_MAX
 * (libcurl 7.88 bounds neither); nothing is decompressed; only http and https; no proxy and no cookies; the deadline is
 * the run's.
 */
#include "plugins/http/http.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/net.h"
#include "plugins/common/now.h"
#include "plugins/common/say.h"

#define SOCKETS_MAX 32
#define FAR_MS (24 * 3600 * 1000)

struct work {
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

/* ---- what libcurl calls -------------------------------------------------------------------------------------- */

static void forget_socket(struct work *w, curl_socket_t fd)
{
    for (size_t i = 0; i < w->socket_count; i++)
        if (w->sockets[i].fd == fd) {
            w->sockets[i] = w->sockets[--w->socket_count];
            return;
        }
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct work *w = user;
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
    struct work *w = user;
    (void)multi;
    w->timer_at = timeout_ms < 0 ? -1 : now_s() + (double)timeout_ms / 1000;
    return 0;
}

/* Room for more of the body: doubled, so that all buffers together are at most twice the last. */
static void keep(struct work *w, const char *bytes, size_t size)
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
    struct work *w = user;
    size_t size = one * count, room = w->body_most - w->t->body_size, taken = size < room ? size : room;
    if (w->keep_body)
        keep(w, bytes, taken);
    w->t->body_size += taken;
    w->t->cut = taken < size;
    return w->t->cut ? 0 : size; /* another number than size ends the transfer */
}

static size_t on_header(char *bytes, size_t one, size_t count, void *user)
{
    struct work *w = user;
    (void)bytes;
    w->headers_ended = one * count <= 2; /* the empty line */
    w->t->header_size += one * count;
    w->header_flood = w->t->header_size > HTTP_HEADER_MAX;
    return w->header_flood ? 0 : one * count;
}

/* Called when a connection stands and TLS is done, just before the request: from here on we wait for the answer. */
static int on_request(void *user, char *remote, char *local, int remote_port, int local_port)
{
    struct work *w = user;
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
    struct work *w = user;
    (void)easy;
    (void)ssl_context;
    w->tls_at = now_s();
    return CURLE_OK;
}

/* ---- making the request -------------------------------------------------------------------------------------- */

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

static void set_headers(struct work *w)
{
    for (size_t i = 0; i < belfry_count(w->p, "header") && w->t->trusted; i++) {
        const char *name = belfry_key(w->p, "header", i), *value = belfry_item(w->p, "header", i);
        append(&w->headers, belfry_print(w->p, *value ? "%s: %s" : "%s:", name, value));
    }
    curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, w->headers);
}

static void set_credentials(struct work *w)
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

static void set_method(struct work *w)
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
static void set_trust(struct work *w)
{
    const char *ca_file = belfry_text(w->p, "ca_file");
    if (ca_file) {
        curl_easy_setopt(w->easy, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(w->easy, CURLOPT_CAPATH, NULL);
    } else if (is_hashed(curl_version_info(CURLVERSION_NOW)->capath)) {
        curl_easy_setopt(w->easy, CURLOPT_CAINFO, NULL);
    }
}

static void set_tls(struct work *w)
{
    long verify = belfry_flag(w->p, "tls_verify");
    curl_easy_setopt(w->easy, CURLOPT_SSL_VERIFYPEER, verify);
    curl_easy_setopt(w->easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    curl_easy_setopt(w->easy, CURLOPT_CERTINFO, 1L);
    set_trust(w);
}

static void set_bounds(struct work *w)
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

static void set_callbacks(struct work *w)
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
static const char *look_up(struct work *w, const char *host, const char *port, size_t most)
{
    struct belfry_address *found = belfry_alloc(w->p, NET_ADDRESSES_MAX * sizeof *found);
    const char *why = NULL, *list = NULL;
    double begin = now_s();
    int n = belfry_resolve(w->p, host, port, net_family(belfry_text(w->p, "ip_version")), SOCK_STREAM, found,
                           NET_ADDRESSES_MAX, &why);
    w->t->dns_s = now_s() - begin;
    if (n <= 0) {
        w->t->end = HTTP_UNREACHABLE;
        w->t->why = belfry_print(w->p, "resolve %s: %s", host, why ? why : "no address");
        return NULL;
    }
    for (size_t i = 0; i < (size_t)n && i < most; i++)
        list = belfry_print(w->p, "%s%s%s", list ? list : "", list ? "," : "", bare_address(w->p, &found[i]));
    return list;
}

/* Tells libcurl where to connect. False when the name has no address: then the end is set. */
static bool set_addresses(struct work *w)
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

/* ---- driving it ---------------------------------------------------------------------------------------------- */

static int64_t pause_ms(const struct work *w)
{
    if (w->timer_at < 0)
        return -1;
    double pause = ceil((w->timer_at - now_s()) * 1000);
    return pause < 0 ? 0 : pause > FAR_MS ? FAR_MS : (int64_t)pause;
}

/* Waits once and lets libcurl work. A negative code ends the transfer. */
static int serve(struct work *w, int *running)
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
static CURLcode drive(struct work *w)
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

static double time_of(const struct work *w, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(w->easy, info, &us);
    return (double)us / 1e6;
}

static void read_times(struct work *w)
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
static void read_certificate(struct work *w)
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

static enum phase find_phase(const struct work *w)
{
    if (!w->requested)
        return w->tls_at > 0 ? PHASE_TLS : PHASE_CONNECT;
    if (w->t->header_size == 0)
        return PHASE_FIRST_BYTE;
    return w->headers_ended ? PHASE_BODY : PHASE_HEADERS;
}

/* libcurl's sentence without its headings: "SSL certificate problem: certificate has expired", and OpenSSL's
 * "OpenSSL/3.0.22: error:0A00010B:SSL routines::wrong version number". */
static const char *plain_error(struct work *w, CURLcode code)
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

static void end_as(struct work *w, enum http_end end, const char *why)
{
    w->t->end = end;
    w->t->why = why;
}

static void explain_connect(struct work *w)
{
    long error = 0;
    curl_easy_getinfo(w->easy, CURLINFO_OS_ERRNO, &error);
    end_as(w, HTTP_UNREACHABLE,
           belfry_print(w->p, "connect to %s: %s", w->target,
                        error ? say_error(w->p, (int)error) : plain_error(w, CURLE_COULDNT_CONNECT)));
}

static void explain_timeout(struct work *w)
{
    size_t received = w->t->header_size + w->t->body_size;
    end_as(w, HTTP_UNREACHABLE,
           belfry_print(w->p, "%s: timed out after %s %s%s", w->target, say_seconds(w->p, now_s() - w->begin),
                        phases[find_phase(w)].timed_out,
                        received ? belfry_print(w->p, " (%s received)", say_bytes(w->p, (double)received)) : ""));
}

static void explain(struct work *w, CURLcode code)
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
               belfry_print(w->p, "ca_file '%s' can't be read as certificates", belfry_text(w->p, "ca_file")));
        return;
    case CURLE_URL_MALFORMAT:
        end_as(w, HTTP_MISUSED, belfry_print(w->p, "'%.200s' is no web address", w->t->url));
        return;
    default:
        end_as(w, HTTP_UNREACHABLE,
               belfry_print(w->p, "%s %s: %s", phases[find_phase(w)].broke, w->target, plain_error(w, code)));
    }
}

static void conclude(struct work *w, CURLcode code)
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

static void transfer(struct work *w)
{
    curl_easy_setopt(w->easy, CURLOPT_URL, w->t->url);
    set_bounds(w);
    set_callbacks(w);
    set_method(w);
    set_headers(w);
    set_credentials(w);
    set_tls(w);
    if (!set_addresses(w))
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
    struct work *w = belfry_alloc(p, sizeof *w);
    *w = (struct work){
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
