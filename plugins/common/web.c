/* SPDX-License-Identifier: GPL-3.0-or-later */
/* web - the client for APIs on top of transfer.h: one pump, so that connections are kept from one request to the next,
 * and one transfer for each request. */
#include "plugins/common/web.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "plugins/common/say.h"
#include "plugins/common/transfer.h"

#define EPOCH_FROM 1e9 /* a time to wait that is longer is seconds since 1970 */
#define AT_ONCE_MAX 60 /* a little less than PUMP_SOCKETS_MAX */

struct web_client {
    struct belfry_probe *p;
    struct web_setup setup;
    struct pump pump;
    struct curl_slist *headers; /* of every request */
    struct curl_slist *resolve; /* what the first request found out, or NULL */
    const char *target;
    const char *wrong; /* with the setup */
    double cert_days;  /* of the connection: libcurl tells it to the request that opened it only */
    char *last_headers;
};

/* ---- the client ---------------------------------------------------------------------------------------------- */

static bool has_header(const struct web_setup *setup, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < WEB_HEADERS_MAX && setup->headers[i]; i++)
        if (strncasecmp(setup->headers[i], name, length) == 0 && setup->headers[i][length] == ':')
            return true;
    return false;
}

static void set_headers(struct web_client *c)
{
    static const char *const usual[][2] = { { "Accept", "application/json" }, { "Content-Type", "application/json" } };
    for (size_t i = 0; i < WEB_HEADERS_MAX && c->setup.headers[i]; i++)
        transfer_append(&c->headers, c->setup.headers[i]);
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (!has_header(&c->setup, usual[i][0]))
            transfer_append(&c->headers, belfry_print(c->p, "%s: %s", usual[i][0], usual[i][1]));
    transfer_append(&c->headers, "Expect:"); /* no waiting for "100 Continue" */
}

static bool is_loopback(const char *host)
{
    struct in_addr address;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

/* What would happen to the bearer, or NULL. */
static const char *expose(struct belfry_probe *p, const struct web_setup *setup, const char *host)
{
    const char *scheme = transfer_url_part(p, setup->base, CURLUPART_SCHEME);
    if (!setup->bearer || setup->plain_http || setup->socket || is_loopback(host) ||
        (scheme && strcmp(scheme, "https") == 0))
        return NULL;
    return belfry_print(
        p,
        "the token was not sent: over plain http everybody between here and '%.100s' could read it (write "
        "https://, or plain_http = true where that is a network of your own)",
        host);
}

struct web_client *web_open(struct belfry_probe *p, const struct web_setup *setup)
{
    struct web_client *c = belfry_alloc(p, sizeof *c);
    const char *host = setup->base ? transfer_url_part(p, setup->base, CURLUPART_HOST) : NULL;
    *c = (struct web_client){ .p = p, .setup = *setup, .cert_days = NAN };
    if (!pump_open(&c->pump, p))
        c->wrong = "libcurl has no memory";
    else if (!host)
        c->wrong = belfry_print(p, "'%.200s' is no web address: write http://host or https://host",
                                setup->base ? setup->base : "");
    else if (setup->socket && strlen(setup->socket) > 107)
        c->wrong = belfry_print(p, "the path of the socket is longer than 107 bytes: '%.40s...'", setup->socket);
    else
        c->wrong = expose(p, setup, host);
    set_headers(c);
    return c;
}

void web_close(struct web_client **client)
{
    struct web_client *c = *client;
    if (!c)
        return;
    pump_close(&c->pump);
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->resolve);
    free(c->last_headers);
    *client = NULL;
}

/* ---- asking -------------------------------------------------------------------------------------------------- */

/* One request under way. */
struct errand {
    struct transfer t;
    const char *what;
    size_t index;
};

static void set_method(struct transfer *t, const char *method, const char *body)
{
    if (body) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body);
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    else if (body ? strcmp(method, "POST") != 0 : strcmp(method, "GET") != 0)
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_setup(struct web_client *c, struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "belfry");
    curl_easy_setopt(t->easy, CURLOPT_MAXREDIRS, 0L);
    if (c->setup.bearer) {
        curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(t->easy, CURLOPT_XOAUTH2_BEARER, c->setup.bearer);
    }
    if (c->setup.client_cert)
        curl_easy_setopt(t->easy, CURLOPT_SSLCERT, c->setup.client_cert);
    if (c->setup.client_key)
        curl_easy_setopt(t->easy, CURLOPT_SSLKEY, c->setup.client_key);
    transfer_trust(t, c->setup.ca_file, !c->setup.insecure);
}

/* The name is looked up for the first request only; libcurl remembers it as long as the pump lives, and the list keeps
 * other transfers from asking. */
static bool aim(struct web_client *c, struct transfer *t)
{
    if (c->setup.socket) {
        t->target = c->setup.socket;
        return curl_easy_setopt(t->easy, CURLOPT_UNIX_SOCKET_PATH, c->setup.socket) == CURLE_OK;
    }
    if (c->target) {
        t->target = c->target;
        curl_easy_setopt(t->easy, CURLOPT_RESOLVE, c->resolve);
        return true;
    }
    if (!transfer_aim(t, AF_UNSPEC, NULL))
        return false;
    c->target = t->target;
    c->resolve = t->resolve;
    t->resolve = NULL;
    return true;
}

/* "GET /api/x": without the query. */
static const char *name_request(struct belfry_probe *p, const char *method, const char *path)
{
    return belfry_print(p, "%s %.*s", method, (int)strcspn(path, "?#"), path);
}

/* Makes the request ready; false when it ended before it began. */
static bool prepare(struct web_client *c, struct errand *e, const char *method, const char *path, const char *body)
{
    e->what = name_request(c->p, method, path);
    if (c->wrong) {
        e->t = (struct transfer){ .p = c->p, .end = WEB_MISUSED, .why = c->wrong, .cert_days = NAN };
        return false;
    }
    if (!transfer_open(&e->t, c->p, belfry_print(c->p, "%s%s", c->setup.base, path)))
        return false;
    e->t.keep_body = e->t.keep_headers = true;
    e->t.user = e;
    set_method(&e->t, method, body);
    set_setup(c, &e->t);
    return aim(c, &e->t);
}

/* ---- the answer ---------------------------------------------------------------------------------------------- */

/* The value of a header in the block of them, or NULL. */
static const char *find_header(struct belfry_probe *p, const char *headers, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = headers; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        const char *value = line + length + 1;
        value += strspn(value, " \t");
        size_t size = strcspn(value, "\r\n");
        while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
            size--;
        return say_copy(p, value, size);
    }
    return NULL;
}

/* The leading number of a text; -1 when there is none. */
static double leading_number(const char *text)
{
    if (!text || !isdigit((unsigned char)*text))
        return -1;
    return strtod(text, NULL);
}

/* A parameter of a structured header: limit=100, or "default";r=50;t=30. */
static double parameter(const char *header, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = header; at && *at; at = strpbrk(at, ";,"), at += at != NULL) {
        at += strspn(at, " \t");
        if (strncasecmp(at, name, length) == 0 && at[length] == '=')
            return leading_number(at + length + 1);
    }
    return -1;
}

static double first_known(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] >= 0)
            return values[i];
    return -1;
}

/* Seconds from now of a time to wait, which may be given as seconds since 1970. */
static double from_now(double seconds)
{
    return seconds < EPOCH_FROM ? seconds : fmax(0, seconds - (double)time(NULL));
}

static double retry_after(const char *value)
{
    double seconds = leading_number(value);
    if (!value || seconds >= 0)
        return seconds;
    time_t when = curl_getdate(value, NULL);
    return when == -1 ? -1 : fmax(0, difftime(when, time(NULL)));
}

static void read_limits(struct belfry_probe *p, const char *headers, struct web_answer *out)
{
    const char *limit = find_header(p, headers, "ratelimit"), *policy = find_header(p, headers, "ratelimit-policy");
    out->rate_limit = first_known((double[]){ leading_number(find_header(p, headers, "x-ratelimit-limit")),
                                              leading_number(find_header(p, headers, "ratelimit-limit")),
                                              parameter(limit, "limit"), parameter(policy, "q") },
                                  4);
    out->rate_remaining = first_known((double[]){ leading_number(find_header(p, headers, "x-ratelimit-remaining")),
                                                  leading_number(find_header(p, headers, "ratelimit-remaining")),
                                                  parameter(limit, "remaining"), parameter(limit, "r") },
                                      4);
    out->rate_reset_s = from_now(first_known((double[]){ leading_number(find_header(p, headers, "x-ratelimit-reset")),
                                                         leading_number(find_header(p, headers, "ratelimit-reset")),
                                                         parameter(limit, "reset"), parameter(limit, "t") },
                                             4));
    out->retry_after_s = retry_after(find_header(p, headers, "retry-after"));
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* The answer of a transfer that has ended; its body is the transfer's. */
static struct web_answer *read_answer(struct web_client *c, const struct errand *e)
{
    static char nothing[1];
    const struct transfer *t = &e->t;
    struct web_answer *out = belfry_alloc(c->p, sizeof *out);
    if (!isnan(t->cert_days))
        c->cert_days = t->cert_days;
    *out = (struct web_answer){ .end = t->end,
                                .why = t->why,
                                .what = e->what,
                                .status = t->status,
                                .body = t->body ? t->body : nothing,
                                .body_size = t->body_kept,
                                .cut = t->cut,
                                .total_s = t->total_s,
                                .first_byte_s = t->first_byte_s,
                                .cert_days = c->cert_days };
    out->content_type = or_empty(find_header(c->p, t->headers, "content-type"));
    out->location = or_empty(find_header(c->p, t->headers, "location"));
    read_limits(c->p, t->headers, out);
    return out;
}

/* The headers stay with the client for web_header(); the rest of the transfer goes. */
static void put_away(struct web_client *c, struct errand *e)
{
    free(c->last_headers);
    c->last_headers = e->t.headers;
    e->t.headers = NULL;
    transfer_close(&e->t);
}

const struct web_answer *web_ask(struct web_client *c, const char *method, const char *path, const char *body)
{
    struct errand *e = belfry_alloc(c->p, sizeof *e);
    if (prepare(c, e, method, path, body))
        pump_run(&c->pump, &e->t);
    struct web_answer *answer = read_answer(c, e);
    answer->body = say_copy(c->p, answer->body, answer->body_size);
    put_away(c, e);
    return answer;
}

const char *web_header(const struct web_client *c, const char *name)
{
    return find_header(c->p, c->last_headers, name);
}

const char *web_escape(struct belfry_probe *p, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = belfry_alloc(p, strlen(text) * 3 + 1), *to = out;
    for (const unsigned char *from = (const unsigned char *)text; *from; from++) {
        if (isalnum(*from) || strchr("-._~", *from)) {
            *to++ = (char)*from;
            continue;
        }
        *to++ = '%';
        *to++ = digits[*from >> 4];
        *to++ = digits[*from & 15];
    }
    return out;
}

/* ---- many at once -------------------------------------------------------------------------------------------- */

struct round {
    struct web_client *client;
    const char *const *paths;
    size_t count, next;
    void (*visit)(void *context, size_t i, const struct web_answer *answer);
    void *context;
};

static void deliver(struct round *r, struct errand *e)
{
    r->visit(r->context, e->index, read_answer(r->client, e));
    put_away(r->client, e);
}

/* Starts the next request with this errand; false when there is none left. What fails at once is delivered at once. */
static bool start_next(struct round *r, struct errand *e)
{
    while (r->next < r->count) {
        e->index = r->next++;
        if (prepare(r->client, e, "GET", r->paths[e->index], NULL)) {
            pump_add(&r->client->pump, &e->t);
            if (e->t.added)
                return true;
        }
        deliver(r, e);
    }
    return false;
}

void web_ask_all(struct web_client *c, const char *const *paths, size_t count, size_t at_once,
                 void (*visit)(void *context, size_t i, const struct web_answer *answer), void *context)
{
    struct round r = { c, paths, count, 0, visit, context };
    size_t most = at_once < AT_ONCE_MAX ? at_once : AT_ONCE_MAX;
    struct errand *errands = belfry_alloc(c->p, most * sizeof *errands);
    struct transfer *ended;
    for (size_t i = 0; i < most; i++)
        start_next(&r, &errands[i]);
    while ((ended = pump_next(&c->pump))) {
        struct errand *e = ended->user;
        deliver(&r, e);
        start_next(&r, e);
    }
    for (size_t i = 0; i < most; i++)
        if (errands[i].t.added) {
            pump_abandon(&c->pump, &errands[i].t);
            deliver(&r, &errands[i]);
        }
    for (; r.next < r.count; r.next++) {
        struct errand late = { .what = name_request(c->p, "GET", paths[r.next]), .index = r.next };
        late.t = (struct transfer){ .p = c->p, .end = WEB_UNREACHABLE, .cert_days = NAN };
        late.t.why = belfry_print(c->p, "%s: timed out before it was asked", late.what);
        deliver(&r, &late);
    }
}
